"""The simulated carrier module of Q/GDW 1376.2: what it answers, reads, reports, and does by itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from meterprofiles import generic
from metersim.carrier.ways import CarrierWays
from metersim.plant.rows import MeterRow
from meterwire import dlt645
from meterwire.dlt698.link import frame as frame698
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer as Deframer698
from meterwire.gdw1376.layouts.nodes import Values
from meterwire.gdw1376.messages.module import Message
from tests.support.carrier_host import Bench, Host, concurrent, forwarded, read_frame

FAST = CarrierWays(shortest_s=0.1, longest_s=0.5, command_s=0.1, join_s=5)
FIRST = "000000000001"


def _frames(octets: bytes) -> list[dlt645.Frame]:
    return dlt645.Deframer().feed(octets)


def test_it_says_what_it_is() -> None:
    """A head-end could not learn the module's address, timeout, window or functions."""

    async def story(host: Host) -> None:
        assert "ML" == (await host.said(0x03, 1))["vendor"]
        await host.confirmed(0x05, 1, {"main_node": "017120820000"})
        assert "017120820000" == (await host.said(0x03, 4))["main_node"]
        assert 1 == (await host.said(0x03, 5))["read_mode"]
        assert 20 == (await host.said(0x03, 7))["monitor_timeout_s"]
        assert 5 == (await host.said(0x03, 9))["delay_s"]
        mode = await host.said(0x03, 10)
        assert (4, 2040, "017120820000") == (mode["nodes"], mode["max_nodes"], mode["main_node"])
        known = int.from_bytes((await host.said(0x03, 11, {"asked_afn": "10"}))["functions"], "little")
        assert {1, 2, 4, 5, 6, 9, 21, 31, 111} == {fn for fn in range(1, 257) if known >> (fn - 1) & 1}
        assert 4 == await host.denied(0x03, 12), "an Fn that it does not know"
        assert 10 == await host.denied(0x04, 2), "an AFN that it does not know"

    assert [{"read_mode": 1}] == [
        {"read_mode": one["read_mode"]} for one in Bench(FAST).run(story).told(0x03, 10)
    ]


def test_its_list_is_changed_page_by_page() -> None:
    """A roster could not be brought into step with the module's list of slaves."""

    async def story(host: Host) -> None:
        assert 40 == (await host.said(0x10, 1))["nodes"]
        first = await host.said(0x10, 2, {"start": 1, "count": 255})
        assert (40, 32) == (first["total"], first["count"]), "a page is no longer"
        rest = await host.said(0x10, 2, {"start": 33, "count": 32})
        found = [one["addr"] for one in first["nodes"] + rest["nodes"]]
        assert [f"{number:012d}" for number in range(1, 41)] == found
        assert 0 == (await host.said(0x10, 2, {"start": 41, "count": 5}))["count"]
        assert 1 == await host.denied(0x10, 2, {"start": 0, "count": 5}), "the first has the number 1"
        assert 6 == await host.denied(0x11, 1, {"count": 1, "nodes": [{"addr": FIRST, "protocol": 2}]})
        await host.confirmed(0x11, 2, {"count": 2, "nodes": [FIRST, "000000000002"]})
        assert 7 == await host.denied(0x11, 2, {"count": 1, "nodes": [FIRST]})
        assert 38 == (await host.said(0x10, 1))["nodes"]
        assert 7 == await host.denied(0x13, 1, forwarded(read_frame(FIRST)), meter=FIRST)
        await host.confirmed(0x11, 1, {"count": 1, "nodes": [{"addr": FIRST, "protocol": 2}]})
        await asyncio.sleep(10)
        assert (await host.said(0x13, 1, forwarded(read_frame(FIRST)), meter=FIRST))["len"], "it has joined"
        await host.confirmed(0x01, 2)
        assert 0 == (await host.said(0x10, 1))["nodes"], "the parameter area holds the list"

    Bench(FAST, MeterRow(count=40)).run(story)


def test_a_full_list_takes_no_more() -> None:
    """The module would answer for slaves for which it has no room."""

    async def story(host: Host) -> None:
        assert 10 == await host.denied(
            0x11, 1, {"count": 1, "nodes": [{"addr": "9" * 11 + "8", "protocol": 2}]}
        )

    Bench(replace(FAST, nodes_max=4)).run(story)


def test_meters_of_each_protocol_answer_through_it() -> None:
    """A driver above the module would never hear its meter."""
    bench = Bench(FAST, MeterRow(count=2), MeterRow(address="200", profile=generic("dlt645-1997")))

    async def story(host: Host) -> None:
        for afn, values in ((0x13, forwarded(read_frame(FIRST))), (0x02, None)):
            short = {"protocol": 2, "len": len(read_frame(FIRST)), "payload": read_frame(FIRST)}
            said = await host.said(afn, 1, values or short, meter=FIRST)
            assert said["payload"].startswith(b"\xfe\xfe\xfe\xfe\x68")
            assert [FIRST] == [frame.address for frame in _frames(said["payload"])]
        old = dlt645.encode(dlt645.Frame("000000000200", 0x01, bytes((0x10, 0x90))))
        said = await host.said(0x13, 1, forwarded(old, 1), meter="000000000200")
        assert ["000000000200"] == [frame.address for frame in _frames(said["payload"])]

    bench.run(story)


def test_a_silent_meter_is_told_after_ten_seconds_either_way() -> None:
    """A head-end would wait for its own timeout, or take silence for an answer."""
    stranger = read_frame("000000000002")  # put to the station of another meter, which is deaf to it

    async def story(host: Host) -> None:
        loop = asyncio.get_running_loop()
        began_s = loop.time()
        assert b"" == (await host.said(0x13, 1, forwarded(stranger), meter=FIRST))["payload"]
        assert 10 <= loop.time() - began_s <= 12

    async def denied(host: Host) -> None:
        assert 11 == await host.denied(0x13, 1, forwarded(stranger), meter=FIRST)
        await host.confirmed(0x01, 3)
        assert 12 == await host.denied(0xF1, 1, concurrent(stranger), meter=FIRST), "it has to join first"

    Bench(FAST).run(story)
    Bench(replace(FAST, silent_reply="denied", join_s=600)).run(denied)


def test_several_meters_are_read_at_once_within_a_window() -> None:
    """A head-end could not learn how many reads a module takes, nor would answers come out of order."""
    ways = replace(FAST, shortest_s=0.5, longest_s=9, window=3, frames=2)
    meters = [f"{number:012d}" for number in range(1, 6)]
    order: list[str] = []

    async def story(host: Host) -> None:
        async def one(meter: str) -> int:
            answer = await host.ask(0xF1, 1, concurrent(read_frame(meter)), meter=meter)
            assert answer is not None
            order.append(meter)
            return int(answer.values.get("error", 0))

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(meter)) for meter in (*meters[:4], meters[0])]
        assert [0, 0, 0, 109, 111] == [task.result() for task in tasks]
        many = concurrent(read_frame(FIRST) * 3)
        assert 110 == await host.denied(0xF1, 1, many, meter=FIRST)
        both = concurrent(read_frame(FIRST) + b"\xfe\xfe" + read_frame(FIRST, 0x02010100))
        said = await host.said(0xF1, 1, both, meter=FIRST)
        assert 2 == len(_frames(said["payload"])), "answers stand one behind the other"

    bench = Bench(ways, MeterRow(count=5))
    bench.run(story)
    assert bench.module.requests.overtaken
    answered = [one for one in order if one in meters[:3]]
    assert sorted(answered) != answered, "no order is promised"


def test_one_single_read_at_a_time() -> None:
    """Two reads through the one route would not disturb each other."""

    async def story(host: Host) -> None:
        async with asyncio.TaskGroup() as group:
            first = group.create_task(host.said(0x13, 1, forwarded(read_frame(FIRST)), meter=FIRST))
            await asyncio.sleep(0.01)
            other = "000000000002"
            assert 9 == await host.denied(0x13, 1, forwarded(read_frame(other)), meter=other)
        assert first.result()["len"]

    Bench(FAST).run(story)


def test_a_long_answer_has_no_room_in_a_short_frame() -> None:
    """Octets beyond 255 would be cut off or overflow the length."""

    async def story(host: Host) -> None:

        apdu = bytes.fromhex("0502010A" + "00100200" * 10 + "00")
        frame = frame698.encode(
            frame698.Frame(ServerAddress(FIRST), 0x10, apdu, from_server=False, started_by_client=True)
        )
        long = await host.said(0xF1, 1, concurrent(frame, 3), meter=FIRST)
        assert long["len"] > 255
        assert 1 == len(Deframer698().feed(long["payload"]))
        assert 0 == (await host.said(0x13, 1, forwarded(frame, 3), meter=FIRST))["len"]

    Bench(FAST, MeterRow(profile=generic("dlt698.45"))).run(story)


def test_a_reset_is_silent_and_then_told() -> None:
    """A head-end would not notice that a module lost what it was doing."""

    async def story(host: Host) -> None:
        await asyncio.sleep(1)
        host.calls.clear()
        loop = asyncio.get_running_loop()
        async with asyncio.TaskGroup() as group:
            values = forwarded(read_frame(FIRST))
            lost = group.create_task(host.ask(0x13, 1, values, meter=FIRST, wait_s=60))
            await host.confirmed(0x01, 1)
            began_s = loop.time()
            assert await host.ask(0x03, 4, wait_s=8) is None, "it hears nothing"
        assert lost.result() is None, "what was under way is forgotten"
        assert [pytest.approx(began_s + 10)] == [at_s for at_s, _ in host.calls]
        assert 1 == len(host.told(0x03, 10))
        assert 4 == (await host.said(0x10, 1))["nodes"], "its list survives"
        assert (await host.said(0x13, 1, values, meter=FIRST))["len"], "its slaves have joined again"

    bench = Bench(replace(FAST, shortest_s=2, longest_s=2))
    bench.run(story)
    assert 1 == bench.module.resets


def test_it_resets_in_the_middle_of_reads() -> None:
    """Nobody could see what becomes of a read, or of an order, while the module fails."""

    async def story(host: Host) -> None:
        values = forwarded(read_frame(FIRST))
        answers = [await host.ask(0x13, 1, values, meter=FIRST, wait_s=30) for _ in range(4)]
        assert [True, True, False, True] == [answer is not None for answer in answers]

    bench = Bench(replace(FAST, reset_every=3))
    bench.run(story)
    assert 4 == bench.module.air.delivered, "the meter was asked all the same"
    assert 4 == bench.plant.meter(FIRST).answers


def test_a_report_is_repeated_until_it_is_confirmed() -> None:
    """A report would be lost with one octet, or repeated for ever."""

    async def deaf(host: Host) -> None:
        await asyncio.sleep(35)
        host.confirms = True
        await asyncio.sleep(60)

    assert 5 == len(Bench(FAST).run(deaf, confirms=False).told(0x03, 10)), (
        "at 0, 10, 20 and 30 s, and confirmed at 40"
    )

    async def never(host: Host) -> None:
        await asyncio.sleep(3600)

    assert 1 + 3 == len(Bench(replace(FAST, repeats=3)).run(never, confirms=False).told(0x03, 10))


def test_slaves_leave_and_come_back() -> None:
    """The power failures of an area would never be told, nor would a slave ever be out of reach."""
    ways = replace(FAST, leaves_a_day=24, away_s=300, power_events=True)

    async def story(host: Host) -> None:
        await asyncio.sleep(6 * 3600)
        await host.confirmed(0x05, 2, {"allow_report": 0})
        told = len(host.told(0x06, 5))
        await asyncio.sleep(6 * 3600)
        assert told == len(host.told(0x06, 5)), "reports are forbidden"

    events = [one["payload"] for one in Bench(ways).run(story).told(0x06, 5)]
    assert 20 < len(events) < 100
    failed, back = ([one for one in events if one[0] == kind] for kind in (1, 2))
    assert abs(len(failed) - len(back)) <= 4
    assert {FIRST} < {event[:0:-1].hex() for event in events}


def test_strangers_register_when_they_are_let() -> None:
    """New meters of an area could not be found."""
    ways = replace(FAST, archive=False)

    async def story(host: Host) -> None:
        assert 0 == (await host.said(0x10, 1))["nodes"]
        begin: Values = {"start": "261001110000", "duration_min": 10, "retries": 1, "slots": 1}
        await host.confirmed(0x11, 5, begin)
        await asyncio.sleep(700)
        assert [8, 2] == [one["count"] for one in host.told(0x06, 1)]
        assert [{"state": 2}] == host.told(0x06, 3)
        found = await host.said(0x10, 6, {"start": 1, "count": 20})
        assert 10 == found["total"]
        host.calls.clear()
        await host.confirmed(0x11, 5, begin)
        await host.confirmed(0x11, 6)
        await asyncio.sleep(700)
        assert [] == host.told(0x06, 1), "it was stopped"

    Bench(ways, MeterRow(count=10)).run(story)


def test_a_broadcast_reaches_every_meter() -> None:
    """The clocks of an area could not be set at once."""
    ahead = MeterRow(count=3, clock_ahead_s=Decimal(100))
    bench = Bench(FAST, ahead)

    async def story(host: Host) -> None:
        now = bytes.fromhex("05 00 11 01 10 26".replace(" ", ""))
        frame = dlt645.encode(dlt645.Frame(dlt645.BROADCAST, 0x08, now))
        await host.confirmed(0x05, 3, {"protocol": 2, "len": len(frame), "payload": frame})
        await asyncio.sleep(30)

    bench.run(story)
    assert 3 == bench.module.air.delivered


def test_a_module_that_leads_asks_what_to_read() -> None:
    """A module-led area would not be read at all."""
    ways = replace(FAST, leads="module", loss=0.2)
    asked: dict[str, int] = {}

    def answer(call: Message) -> Values | None:
        if call.frame.fn == 2:
            return None
        if call.frame.fn == 3:
            return {"len": call.values["len"], "payload": call.values["payload"]}
        meter = call.values["addr"]
        asked[meter] = asked.get(meter, 0) + 1
        done = sum(one["index"] == call.values["index"] for one in host_of[0].told(0x06, 2)) >= 2
        frame = read_frame(meter)
        return {
            "read_flag": 1 if done else 2,
            "delay_related": asked[meter] % 2,
            "len": 0 if done else len(frame),
            "payload": b"" if done else frame,
            "sub_nodes": 0,
            "sub_node_addrs": [],
        }

    host_of: list[Host] = []

    async def story(host: Host) -> None:
        host_of.append(host)
        host.answer_call = answer
        await host.confirmed(0x12, 1)
        await asyncio.sleep(5)
        assert 9 == await host.denied(0x13, 1, forwarded(read_frame(FIRST)), meter=FIRST), "it leads"
        await host.confirmed(0x12, 2)
        await asyncio.sleep(60)
        calls = len(host.calls)
        assert (await host.said(0x10, 4))["working"] == 0
        await asyncio.sleep(60)
        assert calls == len(host.calls), "it is paused"
        await host.confirmed(0x12, 3)
        await asyncio.sleep(3600)
        assert 0 == (await host.said(0x10, 5, {"start": 1, "count": 9}))["total"]

    host = Bench(ways, seed=3).run(story)
    assert [{"state": 1}] == host.told(0x06, 3)
    assert {1, 2, 3, 4} == {one["index"] for one in host.told(0x06, 2)}
    assert host.told(0x14, 2)
    assert host.told(0x14, 3)
    assert all(_frames(one["payload"]) for one in host.told(0x06, 2))


def test_chance_is_seeded_and_as_often_as_it_was_told() -> None:
    """A failing run could not be played again, or a fault would never strike."""
    ways = CarrierWays(
        shortest_s=0.5,
        longest_s=30,
        monitor_s=60,
        loss=0.1,
        late=0.1,
        doubled=0.2,
        rubbish=0.5,
        stray_octet=0.3,
    )
    times: list[float] = []

    async def story(host: Host) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(100):
            began_s = loop.time()
            answer = await host.ask(0x13, 1, forwarded(read_frame(FIRST)), meter=FIRST)
            assert answer is not None
            times.append(loop.time() - began_s if answer.values["len"] else 0.0)

    first = Bench(ways).run(story)
    seen = times.copy()
    times.clear()
    assert first.octets == Bench(ways).run(story).octets
    assert first.octets != Bench(ways, seed=2).run(story).octets
    answered = [one for one in seen if 0 < one < 31]
    assert 60 < len(answered) < 92
    assert min(answered) < 1.5
    assert max(answered) > 20
    assert [one for one in seen if one > 45], "some come late"


def test_a_host_that_hangs_up_takes_nothing_back() -> None:
    """An order on its way to a meter would seem to be undone by the end of a connection."""
    bench = Bench(replace(FAST, shortest_s=10, longest_s=10))

    async def story(host: Host) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(host.ask(0x13, 1, forwarded(read_frame(FIRST)), meter=FIRST, wait_s=1))
        assert 0 == bench.plant.meter(FIRST).answers
        async with bench.hosted() as other:
            assert 4 == (await other.said(0x10, 1))["nodes"]
            await asyncio.sleep(20)

    bench.run(story)
    assert 1 == bench.plant.meter(FIRST).answers


@pytest.mark.parametrize(
    ("name", "figure"),
    [
        ("loss", 1.01),
        ("window", 65),
        ("frames", 0),
        ("nodes_max", 4081),
        ("page", 65),
        ("longest_s", 0.4),
        ("longest_s", 121),
        ("silence_longest_s", 9),
        ("monitor_s", 0),
        ("away_s", 0),
        ("repeat_s", 0),
        ("vendor", "X"),
        ("main_node", "12"),
    ],
)
def test_a_figure_out_of_its_range_is_refused(name: str, figure: object) -> None:
    """A plant file could ask for what no module does."""
    with pytest.raises(ValueError, match=name):
        CarrierWays(**{name: figure})  # type: ignore[arg-type]
