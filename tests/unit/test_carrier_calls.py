"""What a carrier module begins by itself: who leads, reports, a flood of them."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from meterlink.drivers.carrier import in_step, leading
from meterlink.errors import ReplyTimeout
from meterlink.model.event import EventValue
from meterlink.model.event_kinds import NODE_JOINED, NODE_MISSING, NODE_POWER_FAIL, NODE_REFUSED, NODE_STRANGE
from meterlink.model.zone import CHINA_TIME
from meterwire.gdw1376.sessions.module_server import ModuleServer
from tests.support.scripted_module import (
    MAIN,
    METERS,
    ONE,
    TRIP,
    Bench,
    asked_for_energy,
    bench_of,
    energy,
    told,
)

# --- a module that leads, and what it begins -----------------------------------------------------


def test_a_module_that_leads_is_paused_around_our_reads() -> None:
    """Its own reading and ours would disturb each other."""
    bench = bench_of(mode={"read_mode": 2})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert (0, 1) == (bench.module.asked(0x12, 2), bench.module.asked(0x12, 3))
        for address in METERS[:4]:
            assert energy(address) == await bench.octets(address)
        assert (1, 1) == (bench.module.asked(0x12, 2), bench.module.asked(0x12, 3))
        await asyncio.sleep(leading.RESUME_AFTER_S + 5)
        assert (1, 2) == (bench.module.asked(0x12, 2), bench.module.asked(0x12, 3))

    bench.run(story)


def test_a_module_that_was_paused_goes_on_when_we_leave() -> None:
    """A module that leads would stand still for as long as the daemon is away."""
    bench = bench_of(mode={"read_mode": 2})

    async def story(bench: Bench) -> None:
        await bench.octets(ONE)
        await bench.owner.leave()
        assert (1, 2) == (bench.module.asked(0x12, 2), bench.module.asked(0x12, 3))
        await bench.owner.leave()
        assert 2 == bench.module.asked(0x12, 3)

    bench.run(story)


def test_what_the_module_asks_is_answered_at_once() -> None:
    """A module that leads would stand still."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.report(0x14, 1, {"phase": 1, "addr": ONE, "index": 1})
        await bench.module.report(0x14, 2)
        await bench.module.report(0x14, 3, {"addr": ONE, "delay_s": 1, "len": 1, "payload": b"\0"})
        await asyncio.sleep(1)
        skip, time, give_up = (one.values for one in bench.module.server.answers())
        assert (1, 0) == (skip["read_flag"], skip["len"])
        local = bench.sim.clock.utc_now().astimezone(CHINA_TIME)
        assert time["time"].startswith(f"{local:%y%m%d%H%M}")
        assert 0 == give_up["len"]

    bench.run(story)


def test_a_report_is_confirmed_only_when_it_has_been_kept() -> None:
    """A module forgets what is confirmed: a report would be lost with the journal's disk."""
    bench = bench_of()
    nodes = {"count": 1, "nodes": [{"addr": ONE, "protocol": 2, "index": 1}]}

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.report(0x06, 1, nodes)
        await asyncio.sleep(1)
        assert 1 == bench.module.server.open_reports
        assert [ONE] == told(NODE_JOINED, bench)
        for _ in range(5):  # told again, while the journal is slow
            bench.module.server.repeat()
            await bench.module.say(bench.module.server.octets_to_send())
        await asyncio.sleep(1)
        assert (1, 5) == (len(bench.reports), bench.owner.counts.repeated)
        bench.reports[0].acknowledge()
        await asyncio.sleep(1)
        assert 0 == bench.module.server.open_reports

    bench.run(story)


@pytest.mark.parametrize(
    ("values", "kind", "addresses"),
    [
        ({"device_type": 1, "protocol": 4, "payload": "01 010000000000"}, NODE_POWER_FAIL, [ONE]),
        ({"device_type": 2, "protocol": 0, "payload": "01 010000000000"}, NODE_POWER_FAIL, [ONE]),
        ({"device_type": 1, "protocol": 4, "payload": "02 010000000000"}, "node_power_back", [ONE]),
        (
            {"device_type": 0, "protocol": 4, "payload": "01 01000000000000 02000000000001"},
            NODE_POWER_FAIL,
            [ONE],
        ),
        ({"device_type": 1, "protocol": 4, "payload": "01 0100"}, NODE_POWER_FAIL, []),
        ({"device_type": 1, "protocol": 5, "payload": "01 010000000000"}, NODE_REFUSED, [ONE]),
        ({"device_type": 2, "protocol": 5, "payload": "010000000000 010000000000"}, NODE_REFUSED, [ONE, ONE]),
        ({"device_type": 1, "protocol": 5, "payload": "01 0a0000000000"}, "passed_on_frames", [MAIN]),
        ({"device_type": 1, "protocol": 5, "payload": "01 02 010000000000"}, "passed_on_frames", [MAIN]),
        ({"device_type": 1, "protocol": 6, "payload": "01 010000000000"}, "passed_on_frames", [MAIN]),
        ({"device_type": 1, "protocol": 2, "payload": energy(ONE).hex()}, "reported_values", [ONE]),
        ({"device_type": 1, "protocol": 2, "payload": TRIP.hex()}, "passed_on_frames", [MAIN]),
    ],
)
def test_events_of_slaves_are_told_by_node(values: dict[str, Any], kind: str, addresses: list[str]) -> None:
    """Power that failed would be octets that nobody reads, or told of the wrong meter."""
    bench = bench_of()
    payload = bytes.fromhex(values["payload"])

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.report(0x06, 5, {**values, "payload": payload, "len": len(payload)})
        await asyncio.sleep(1)
        assert addresses == told(kind, bench)

    bench.run(story)


def test_what_a_meter_told_its_module_stands_beside_its_frame() -> None:
    """A reading that the module made would be octets, or a value that nobody can check."""
    bench = bench_of()
    payload = b"\xfe\xfe" + energy(ONE)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        values = {"index": 1, "protocol": 2, "uplink_s": 1, "len": len(payload), "payload": payload}
        await bench.module.report(0x06, 2, values)
        await asyncio.sleep(1)
        [part] = bench.reports[0].parts
        told = {value.item: str(value.content) for value in part.values if isinstance(value, EventValue)}
        assert {"forward_active_energy": "123456.78", "frame.1": energy(ONE).hex().upper()} == told
        assert ONE == part.address

    bench.run(story)


def test_numbers_begin_anew_with_the_module() -> None:
    """A second failure of power after a reset would be taken for the first, confirmed and forgotten."""
    bench = bench_of()
    failed = {"device_type": 1, "protocol": 4, "len": 7, "payload": b"\x01" + bytes.fromhex(ONE)}

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        for _ in range(2):
            await bench.module.report(0x06, 5, failed)
            await asyncio.sleep(1)
            await bench.module.begin_anew()
            await asyncio.sleep(60)
        first, second = (one for one in bench.reports if "06-F5" in one.summary)
        assert first.key != second.key, "the journal keeps one of two with one key"

    bench.run(story)


def test_what_was_told_before_a_reset_confirms_nothing_after_it() -> None:
    """The number of an old report is that of a new one, which would be confirmed before it is kept."""
    bench = bench_of()
    failed = {"device_type": 1, "protocol": 4, "len": 7, "payload": b"\x01" + bytes.fromhex(ONE)}

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.report(0x06, 5, failed)
        await asyncio.sleep(1)
        await bench.module.begin_anew()
        await asyncio.sleep(60)
        bench.module.server = ModuleServer()
        await bench.module.report(0x06, 5, {**failed, "payload": b"\x02" + bytes.fromhex(ONE)})
        await asyncio.sleep(1)
        first, second = (one for one in bench.reports if "06-F5" in one.summary)
        first.acknowledge()
        await asyncio.sleep(1)
        assert 1 == bench.module.server.open_reports
        second.acknowledge()
        await asyncio.sleep(1)
        assert 0 == bench.module.server.open_reports

    bench.run(story)


def test_a_report_that_nobody_understands_is_kept_and_confirmed() -> None:
    """A module would tell it for ever, or nobody would know that it told something."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        frame = bytes.fromhex("6811 00c3 000000000007 06 0110 abcd".replace(" ", ""))
        await bench.module.say(frame + bytes((sum(frame[3:]) & 0xFF, 0x16)))
        await asyncio.sleep(1)
        assert [MAIN] == told("unread_report", bench)

    bench.run(story)


def test_a_password_in_a_meters_frame_stays_hidden() -> None:
    """The journal would hold the password of a meter."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        values = {"device_type": 1, "protocol": 2, "len": len(TRIP), "payload": TRIP}
        await bench.module.report(0x06, 5, values)
        await asyncio.sleep(1)
        [part] = bench.reports[0].parts
        [shown] = [value.content for value in part.values if isinstance(value, EventValue)]
        assert "**" in str(shown)
        assert str(shown).startswith(TRIP[:10].hex().upper())

    bench.run(story)


def test_a_request_for_everybody_is_refused_and_nothing_leaves() -> None:
    """A wildcard would reach a meter that nobody chose."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        for address in ("AAAAAAAAAAAA", "999999999999"):
            with pytest.raises(ReplyTimeout, match="not that of one meter"):
                await bench.octets(ONE, 0, asked_for_energy(address))
        assert not bench.module.frames

    bench.run(story)


_STRANGER = "000000000777"


@pytest.mark.parametrize("refused", [False, True])
def test_nodes_that_move_are_told_and_brought_in_step_at_once(refused: bool) -> None:
    """A stranger in the area, or a meter that the module lost, would be known a day later."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await asyncio.sleep(in_step.MOVED_MIN_S)
        asked = bench.module.asked(0x10, 1)
        bench.module.nodes.remove(ONE)
        bench.module.nodes.append(_STRANGER)
        if refused:
            await bench.module.report(
                0x06, 5, {"device_type": 1, "protocol": 5, "len": 1, "payload": b"\x01"}
            )
        else:
            nodes = {"count": 1, "nodes": [{"addr": _STRANGER, "protocol": 2, "index": 1}]}
            await bench.module.report(0x06, 1, nodes)
        await asyncio.sleep(10)
        assert ([ONE], [_STRANGER]) == (told(NODE_MISSING, bench), told(NODE_STRANGE, bench))
        assert ONE in bench.module.nodes
        assert asked < bench.module.asked(0x10, 1)

    bench.run(story)


def test_nodes_that_move_all_the_time_are_compared_now_and_then() -> None:
    """A module that reports nodes without end would read its table instead of meters."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        asked = bench.module.asked(0x10, 2)
        pages = asked
        for _ in range(120):
            await asyncio.sleep(30)
            nodes = {"count": 1, "nodes": [{"addr": _STRANGER, "protocol": 2, "index": 1}]}
            await bench.module.report(0x06, 1, nodes)
            bench.module.server.give_up()
        compared = (bench.module.asked(0x10, 2) - asked) // pages
        assert 3600 // in_step.MOVED_MIN_S - 1 <= compared <= 3600 // in_step.MOVED_MIN_S

    bench.run(story)


def test_a_node_that_is_where_it_is_known_to_be_is_no_news() -> None:
    """Each meter that comes back after a failure of power would have the whole table read."""
    bench = bench_of()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await asyncio.sleep(in_step.MOVED_MIN_S)
        asked = bench.module.asked(0x10, 1)
        await bench.module.report(0x06, 1, {"count": 1, "nodes": [{"addr": ONE, "protocol": 2, "index": 1}]})
        await asyncio.sleep(in_step.MOVED_MIN_S)
        assert asked == bench.module.asked(0x10, 1)

    bench.run(story)
