"""The owner of a carrier module: window, denials, late answers, resets at every step, rubbish, floods."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import pytest

from meterlink.drivers.carrier import owner as owning
from meterlink.drivers.carrier.asking import ASK_TRIES
from meterlink.drivers.carrier.window import WINDOW_FIRST
from meterlink.errors import LineError, LineLost, ReplyTimeout
from meterlink.model.event import EventValue
from meterlink.model.event_kinds import MODULE_RESET, NODE_JOINED, NODE_POWER_FAIL, NODE_STRANGE
from meterwire import dlt645
from meterwire.gdw1376.messages.module import Message, denial
from tests.support.scripted_module import (
    MAIN,
    Bench,
    Said,
    ScriptedModule,
    asked_for_energy,
    at_once,
    energy,
    read_answer,
)

METERS = [f"{number:012d}" for number in range(1, 41)]
ONE = METERS[0]
TRIP = dlt645.encode(dlt645.Frame(ONE, 0x1C, bytes([2, 0x11, 0x22, 0x33]) + bytes(12)))


def _bench(
    reading: Callable[[ScriptedModule, Message], Awaitable[Said]] = at_once,
    *,
    settings: Mapping[str, Any] | None = None,
    nodes: list[str] | None = None,
    meters: list[str] | None = None,
    **more: Any,
) -> Bench:
    module = ScriptedModule(list(METERS) if nodes is None else nodes, reading=reading, **more)
    return Bench(module, METERS if meters is None else meters, settings)


def _told(kind: str, bench: Bench) -> list[str]:
    return [part.address for report in bench.reports for part in report.parts if part.kind == kind]  # type: ignore[union-attr]


# --- the start -----------------------------------------------------------------------------------


def test_the_start_keeps_its_order_and_changes_nothing_that_is_right() -> None:
    """A module would be told things in an order that it does not take, or lose its routes for nothing."""
    bench = _bench()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        asked = [one[:2] for one in bench.module.requests]
        pages = [(0x10, 2)] * 2
        expected = [(0x03, 10), (0x03, 4), (0x03, 11), (0x10, 1), *pages, (0x05, 2)]
        assert expected == asked
        assert ("F1-F1", MAIN, "ZW01") == (
            bench.owner.way,
            bench.owner.facts and bench.owner.facts.main_node,
            bench.owner.facts and bench.owner.facts.vendor,
        )

    bench.run(story)


def test_missing_meters_are_added_in_groups_and_strangers_stay() -> None:
    """A meter that the module lacks is never read; a stranger that is removed may be somebody's."""
    strange = "000000000777"
    bench = _bench(nodes=[strange, *METERS[:5]])

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        added = [len(one[2]["nodes"]) for one in bench.module.requests if one[:2] == (0x11, 1)]
        assert [10, 10, 10, 5] == added
        assert 0 == bench.module.asked(0x11, 2)
        assert 1 == bench.module.asked(0x12, 1), "the list changed"
        assert bench.owner.table is not None
        assert ((), (strange,)) == (
            bench.owner.table.difference.missing,
            bench.owner.table.difference.strangers,
        )
        assert [strange] == _told(NODE_STRANGE, bench)

    bench.run(story)


def test_strangers_go_where_the_line_says_so() -> None:
    """Whoever asked for it would find them there for ever."""
    bench = _bench(nodes=["000000000777", *METERS], settings={"strangers": "remove"})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert METERS == bench.module.nodes
        assert 1 == bench.module.asked(0x12, 1)

    bench.run(story)


def test_a_group_that_is_denied_as_repeated_is_added_one_by_one() -> None:
    """One meter that is there already would keep nine others out (deny 6)."""
    hidden = METERS[3]

    class Forgetful(ScriptedModule):
        def _page(self, start: int, count: int) -> Mapping[str, Any]:
            known, self.nodes = self.nodes, [one for one in self.nodes if one != hidden]
            page = super()._page(start, count)
            self.nodes = known
            return page

    module = Forgetful([hidden])
    bench = Bench(module, METERS[:8])

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert set(METERS[:8]) == set(module.nodes)

    bench.run(story)


def test_our_main_node_is_written_and_read_back() -> None:
    """The module would speak under another's address."""
    bench = _bench(settings={"main_node": "000000000555"})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert bench.owner.facts is not None
        assert "000000000555" == bench.owner.facts.main_node
        asked = [one[:2] for one in bench.module.requests]
        at = asked.index((0x05, 1))
        assert [(0x03, 4), (0x05, 1), (0x03, 4)] == asked[at - 1 : at + 2]

    bench.run(story)


def test_a_module_that_denies_all_it_may_deny_is_used_all_the_same() -> None:
    """An old module without a list, capability query or reports would never be read."""
    bench = _bench()
    for key in [(0x03, 4), (0x03, 11), (0x10, 1), (0x05, 2)]:
        bench.module.denies[key] = 10

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert "13-F1" == bench.owner.way
        assert energy(ONE) == await bench.octets(ONE)

    bench.run(story)


def test_a_silent_module_says_why_and_is_opened_again() -> None:
    """People would see a line that hangs; and a module that comes back would stay away."""
    bench = _bench()
    bench.module.silent = True

    async def story(bench: Bench) -> None:
        with pytest.raises(LineLost, match="being started: asking who it is"):
            await bench.owner.until_ready()
        await asyncio.sleep(10)
        assert ASK_TRIES <= bench.module.asked(0x03, 10)
        with pytest.raises(LineLost, match="does not answer 03-F10"):
            await bench.owner.until_ready()
        bench.module.silent = False
        await asyncio.sleep(120)
        assert energy(ONE) == await bench.octets(ONE)
        assert 2 <= bench.module.opened

    bench.run(story)


@pytest.mark.parametrize("step", range(1, 9))
def test_a_reset_at_every_step_begins_the_start_again(step: int) -> None:
    """A module that fails amid its start would be left half started, or never used."""
    bench = _bench(nodes=METERS[:35])

    class Failing(ScriptedModule):
        left = step

        def _take(self, asked: Message) -> None:
            self.left -= 1
            if self.left == 0:
                self.requests.append((asked.frame.afn, asked.frame.fn, asked.values))
                self._spawn(self.begin_anew())
            else:
                super()._take(asked)

    module = bench.module = Failing(METERS[:35])

    async def story(bench: Bench) -> None:
        begun = asyncio.get_running_loop().time()
        await bench.owner.until_ready()
        assert asyncio.get_running_loop().time() - begun < 30
        assert (1, 2) == (bench.owner.counts.resets, bench.owner.counts.starts)
        assert METERS == module.nodes
        assert energy(ONE) == await bench.octets(ONE)
        assert [MAIN] == _told(MODULE_RESET, bench)

    bench.run(story)


def test_what_was_under_way_at_a_reset_is_lost_at_once_and_not_sent_again() -> None:
    """A caller would wait two minutes for an answer that cannot come; an order might leave twice."""

    async def never(_module: ScriptedModule, _asked: Message) -> Said:
        return None

    bench = _bench(never, settings={"window": 1})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        async with asyncio.TaskGroup() as group:
            under_way = group.create_task(_fate(bench.octets(ONE, 0, TRIP)))
            waiting = group.create_task(_fate(bench.octets(METERS[1], 1)))
            await asyncio.sleep(1)
            await bench.module.begin_anew()
            await asyncio.sleep(1)
            assert under_way.done()
            assert waiting.done()
        assert (LineLost, LineLost) == (type(under_way.result()), type(waiting.result()))
        await asyncio.sleep(300)
        assert [TRIP] == bench.module.frames

    bench.run(story)


def test_a_repeated_report_of_a_reset_is_confirmed_and_does_not_begin_again() -> None:
    """A confirmation that is lost would start the module over and over."""
    bench = _bench()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.begin_anew()
        await asyncio.sleep(2)
        before = bench.owner.counts.starts
        await bench.module.begin_anew()  # the same octets
        await asyncio.sleep(2)
        assert before == bench.owner.counts.starts
        assert 0 == bench.module.server.open_reports
        await asyncio.sleep(owning.RESET_REPEAT_S)
        await bench.module.begin_anew()
        await asyncio.sleep(2)
        assert before + 1 == bench.owner.counts.starts

    bench.run(story)


# --- reading -------------------------------------------------------------------------------------


def test_the_window_grows_while_all_is_well_and_halves_when_the_module_denies() -> None:
    """The module would be read slower than it can, or flooded with what it denies."""
    limit = 9

    async def limited(module: ScriptedModule, asked: Message) -> Said:
        if module.open_reads > limit:
            return denial(asked.frame, 109)
        await asyncio.sleep(1)
        return await at_once(module, asked)

    bench = _bench(limited)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        window = bench.owner.window
        assert window is not None
        assert WINDOW_FIRST == window.places
        widest = 0

        async def read(lane: int) -> None:
            nonlocal widest
            for address in METERS[lane::20] * 10:
                assert energy(address) == await bench.octets(address, lane)
                widest = max(widest, window.places)

        async with asyncio.TaskGroup() as group:
            for lane in range(20):
                group.create_task(read(lane))
        assert limit <= widest <= limit + 1
        assert bench.owner.counts.denied[109]
        assert bench.module.most_reads <= limit + 1

    bench.run(story)


def test_the_window_never_passes_the_limit_of_the_line() -> None:
    """A module that never denies would be given all meters at once."""

    async def slow(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(1)
        return await at_once(module, asked)

    bench = _bench(slow, settings={"window": 7})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        async with asyncio.TaskGroup() as group:
            for lane in range(20):
                group.create_task(_several(bench, lane))
        assert 7 == bench.module.most_reads

    bench.run(story)


@pytest.mark.parametrize(("has_f1", "routes", "afn"), [(False, 1, 0x13), (False, 0, 0x02)])
def test_without_concurrent_reading_one_meter_is_read_at_a_time(has_f1: bool, routes: int, afn: int) -> None:
    """An old module would be given what it does not know, or two reads at once."""

    async def slow(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(1)
        return await at_once(module, asked)

    bench = _bench(slow, has_f1=has_f1, mode={"route_mgmt": routes})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        async with asyncio.TaskGroup() as group:
            for lane in range(10):
                group.create_task(_several(bench, lane))
        assert 1 == bench.module.most_reads
        assert 20 == bench.module.asked(afn, 1)

    bench.run(story)


def test_a_module_that_reads_not_concurrently_after_all_is_read_one_by_one() -> None:
    """A module that promises what it denies would never be read."""

    async def denies_f1(module: ScriptedModule, asked: Message) -> Said:
        return denial(asked.frame, 10) if asked.frame.afn == 0xF1 else await at_once(module, asked)

    bench = _bench(denies_f1)

    async def story(bench: Bench) -> None:
        assert energy(ONE) == await bench.octets(ONE)
        assert ("13-F1", 1) == (bench.owner.way, bench.module.asked(0xF1, 1))
        assert energy(ONE) == await bench.octets(ONE)
        assert 1 == bench.module.asked(0xF1, 1)

    bench.run(story)


@pytest.mark.parametrize("code", [0, 8, 11, 12, 0x13])
def test_a_denial_that_means_silence_ends_the_exchange_at_once(code: int) -> None:
    """A silent meter would cost its neighbours two minutes each time."""

    async def denies(_module: ScriptedModule, asked: Message) -> Said:
        return denial(asked.frame, code)

    bench = _bench(denies)

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        begun = asyncio.get_running_loop().time()
        with pytest.raises(ReplyTimeout, match=f"denies F1-F1 of meter {ONE}: {code} "):
            await bench.octets(ONE)
        assert asyncio.get_running_loop().time() - begun < 1
        assert 1 == bench.module.asked(0xF1, 1)

    bench.run(story)


def test_an_empty_answer_is_a_silent_meter() -> None:
    """Length 0 would be waited out, or taken for an answer."""

    async def empty(_module: ScriptedModule, asked: Message) -> Said:
        return read_answer(asked, b"")

    bench = _bench(empty)

    async def story(bench: Bench) -> None:
        with pytest.raises(ReplyTimeout, match="does not answer the carrier module"):
            await bench.octets(ONE)

    bench.run(story)


def test_a_meter_that_is_being_read_is_waited_for() -> None:
    """A meter that the module still asks for an earlier request would count as silent (111)."""

    async def busy_first(module: ScriptedModule, asked: Message) -> Said:
        first = module.asked(0xF1, 1) <= 2
        return denial(asked.frame, 111) if first else await at_once(module, asked)

    bench = _bench(busy_first)

    async def story(bench: Bench) -> None:
        assert energy(ONE) == await bench.octets(ONE)
        assert 3 == bench.module.asked(0xF1, 1)

    bench.run(story)


@pytest.mark.parametrize("code", [3, 9, 10, 109, 110, 111])
def test_what_is_no_read_is_given_to_the_module_once(code: int) -> None:
    """An order that the module denied, and carried out all the same, would be sent twice (decision 22)."""

    async def denies(_module: ScriptedModule, asked: Message) -> Said:
        return denial(asked.frame, code)

    bench = _bench(denies)

    async def story(bench: Bench) -> None:
        with pytest.raises(ReplyTimeout):
            await bench.octets(ONE, 0, TRIP)
        await asyncio.sleep(200)
        assert [TRIP] == bench.module.frames

    bench.run(story)


def test_an_order_goes_before_reads_that_wait() -> None:
    """An order would wait behind twenty slow meters."""

    async def slow(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(5)
        return await at_once(module, asked)

    bench = _bench(slow, settings={"window": 1})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        async with asyncio.TaskGroup() as group:
            for lane in range(1, 6):
                group.create_task(bench.octets(METERS[lane], lane))
            await asyncio.sleep(1)
            group.create_task(bench.octets(ONE, 0, TRIP))
        assert TRIP == bench.module.frames[1]

    bench.run(story)


def test_a_late_answer_is_dropped_counted_and_teaches_patience() -> None:
    """A late answer would be taken for that of the next question, or its node would be silent for ever."""

    async def late(module: ScriptedModule, asked: Message) -> Said:
        await asyncio.sleep(40 if module.asked(0xF1, 1) == 1 else 35)
        return await at_once(module, asked)

    bench = _bench(late)

    async def story(bench: Bench) -> None:
        with pytest.raises(ReplyTimeout, match="within 30 s"):
            await bench.octets(ONE)
        await asyncio.sleep(15)
        assert (1, 0) == (bench.owner.counts.strays.late, bench.owner.counts.strays.other)
        assert 62 == round(bench.owner.latencies.timeout_s(ONE))
        assert energy(ONE) == await bench.octets(ONE)

    bench.run(story)


def test_a_second_answer_is_dropped() -> None:
    """A double answer would be the answer to the next question."""

    async def twice(module: ScriptedModule, asked: Message) -> Said:
        said = await at_once(module, asked)
        assert said is not None
        await module.give(said)
        return said

    bench = _bench(twice)

    async def story(bench: Bench) -> None:
        for _ in range(3):
            assert energy(ONE) == await bench.octets(ONE)
        await asyncio.sleep(1)
        assert 3 == bench.owner.counts.strays.double

    bench.run(story)


def test_an_answer_of_another_meter_is_nobodys() -> None:
    """Another meter's values would be kept as this one's."""

    async def another(module: ScriptedModule, asked: Message) -> Said:
        said = read_answer(asked, energy(METERS[1]))
        assert said.addresses is not None
        return said._replace(addresses=said.addresses._replace(source=METERS[1]))

    bench = _bench(another)

    async def story(bench: Bench) -> None:
        with pytest.raises(ReplyTimeout):
            await bench.octets(ONE)
        assert 1 == bench.owner.counts.strays.other

    bench.run(story)


def test_f16_answers_may_come_in_any_order() -> None:
    """A fast meter's answer would be given to a slow one."""

    async def backwards(module: ScriptedModule, asked: Message) -> Said:
        assert asked.frame.addresses is not None
        await asyncio.sleep(30 - 2 * int(asked.frame.addresses.destination))
        return await at_once(module, asked)

    bench = _bench(backwards)

    async def story(bench: Bench) -> None:
        async with asyncio.TaskGroup() as group:
            tasks = {one: group.create_task(bench.octets(one, n)) for n, one in enumerate(METERS[:5])}
        assert {one: energy(one) for one in METERS[:5]} == {one: task.result() for one, task in tasks.items()}

    bench.run(story)


def test_wrapping_around_an_answer_is_taken_off() -> None:
    """FEH, an octet of rubbish and several frames in a row would not be understood by a driver."""
    frame = energy(ONE)

    async def wrapped(_module: ScriptedModule, asked: Message) -> Said:
        return read_answer(asked, b"\x86\xfe\xfe\xfe" + frame + b"\xfe\xfe" + frame)

    bench = _bench(wrapped)

    async def story(bench: Bench) -> None:
        assert frame + frame == await bench.octets(ONE)

    bench.run(story)


def test_rubbish_on_the_port_costs_nothing() -> None:
    """A line of noise, or half a frame that announces 64 KB, would hold up the meters."""

    async def noisy(module: ScriptedModule, asked: Message) -> Said:
        await module.say(b"\x68\xff\xff\x83" + bytes(range(256)) * 4)
        return await at_once(module, asked)

    bench = _bench(noisy)

    async def story(bench: Bench) -> None:
        for address in METERS[:5]:
            assert energy(address) == await bench.octets(address)

    bench.run(story)


def test_a_port_that_breaks_is_opened_again_and_the_module_started_again() -> None:
    """A serial server that reboots would end the line."""
    bench = _bench()

    async def story(bench: Bench) -> None:
        assert energy(ONE) == await bench.octets(ONE)
        bench.module.cut()
        await asyncio.sleep(20)
        assert energy(ONE) == await bench.octets(ONE)
        assert (2, 2) == (bench.module.opened, bench.owner.counts.starts)

    bench.run(story)


def test_a_module_that_forgot_its_list_is_given_it_again() -> None:
    """After a silent reset every meter would be unknown to the module until somebody restarts us (7)."""

    async def knows(module: ScriptedModule, asked: Message) -> Said:
        assert asked.frame.addresses is not None
        known = asked.frame.addresses.destination in module.nodes
        return await at_once(module, asked) if known else denial(asked.frame, 7)

    bench = _bench(knows)

    async def story(bench: Bench) -> None:
        assert energy(ONE) == await bench.octets(ONE)
        bench.module.nodes.clear()
        with pytest.raises(ReplyTimeout, match="no such meter address"):
            await bench.octets(ONE)
        assert not bench.module.nodes, "not more often than once an hour"
        await asyncio.sleep(owning.RESYNC_MIN_S)
        with pytest.raises(ReplyTimeout):
            await bench.octets(ONE)
        await asyncio.sleep(10)
        assert METERS == bench.module.nodes
        assert energy(ONE) == await bench.octets(ONE)

    bench.run(story)


# --- a module that leads, and what it begins -----------------------------------------------------


def test_a_module_that_leads_is_paused_around_our_reads() -> None:
    """Its own reading and ours would disturb each other."""
    bench = _bench(mode={"read_mode": 2})

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        assert (0, 1) == (bench.module.asked(0x12, 2), bench.module.asked(0x12, 3))
        for address in METERS[:4]:
            assert energy(address) == await bench.octets(address)
        assert (1, 1) == (bench.module.asked(0x12, 2), bench.module.asked(0x12, 3))
        await asyncio.sleep(owning.RESUME_AFTER_S + 5)
        assert (1, 2) == (bench.module.asked(0x12, 2), bench.module.asked(0x12, 3))

    bench.run(story)


def test_a_module_that_was_paused_goes_on_when_we_leave() -> None:
    """A module that leads would stand still for as long as the daemon is away."""
    bench = _bench(mode={"read_mode": 2})

    async def story(bench: Bench) -> None:
        await bench.octets(ONE)
        await bench.owner.leave()
        assert (1, 2) == (bench.module.asked(0x12, 2), bench.module.asked(0x12, 3))
        await bench.owner.leave()
        assert 2 == bench.module.asked(0x12, 3)

    bench.run(story)


def test_what_the_module_asks_is_answered_at_once() -> None:
    """A module that leads would stand still."""
    bench = _bench()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.report(0x14, 1, {"phase": 1, "addr": ONE, "index": 1})
        await bench.module.report(0x14, 2)
        await bench.module.report(0x14, 3, {"addr": ONE, "delay_s": 1, "len": 1, "payload": b"\0"})
        await asyncio.sleep(1)
        skip, time, give_up = (one.values for one in bench.module.server.answers())
        assert (1, 0) == (skip["read_flag"], skip["len"])
        local = bench.sim.clock.utc_now().astimezone(bench.owner._zone)
        assert time["time"].startswith(f"{local:%y%m%d%H%M}")
        assert 0 == give_up["len"]

    bench.run(story)


def test_a_report_is_confirmed_only_when_it_has_been_kept() -> None:
    """A module forgets what is confirmed: a report would be lost with the journal's disk."""
    bench = _bench()
    nodes = {"count": 1, "nodes": [{"addr": ONE, "protocol": 2, "index": 1}]}

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.report(0x06, 1, nodes)
        await asyncio.sleep(1)
        assert 1 == bench.module.server.open_reports
        assert [ONE] == _told(NODE_JOINED, bench)
        for _ in range(5):  # told again, while the journal is slow
            bench.module.server.repeat()
            await bench.module.say(bench.module.server.octets_to_send())
        await asyncio.sleep(1)
        assert (1, 5) == (len(bench.reports), bench.owner.counts.repeated)
        bench.reports[0].acknowledge()
        await asyncio.sleep(1)
        assert 0 == bench.module.server.open_reports

    bench.run(story)


def test_a_flood_of_reports_is_bounded_and_costs_the_reads_nothing() -> None:
    """A module gone mad would eat our memory, or its line."""
    bench = _bench()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        for number in range(3_000):
            bench.module.server.give_up()
            values = {
                "device_type": 1,
                "protocol": 4,
                "len": 7,
                "payload": b"\x01" + number.to_bytes(6, "big"),
            }
            await bench.module.report(0x06, 5, values)
        assert energy(ONE) == await bench.octets(ONE)
        assert owning.CALLS_KEPT >= len(bench.reports)

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
        ({"device_type": 1, "protocol": 5, "payload": "01 010000000000"}, "passed_on_frames", [MAIN]),
        ({"device_type": 1, "protocol": 2, "payload": energy(ONE).hex()}, "reported_values", [ONE]),
        ({"device_type": 1, "protocol": 2, "payload": TRIP.hex()}, "passed_on_frames", [MAIN]),
    ],
)
def test_events_of_slaves_are_told_by_node(values: dict[str, Any], kind: str, addresses: list[str]) -> None:
    """Power that failed would be octets that nobody reads, or told of the wrong meter."""
    bench = _bench()
    payload = bytes.fromhex(values["payload"])

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        await bench.module.report(0x06, 5, {**values, "payload": payload, "len": len(payload)})
        await asyncio.sleep(1)
        assert addresses == _told(kind, bench)

    bench.run(story)


def test_what_a_meter_told_its_module_stands_beside_its_frame() -> None:
    """A reading that the module made would be octets, or a value that nobody can check."""
    bench = _bench()
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


def test_a_password_in_a_meters_frame_stays_hidden() -> None:
    """The journal would hold the password of a meter."""
    bench = _bench()

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
    bench = _bench()

    async def story(bench: Bench) -> None:
        await bench.owner.until_ready()
        for address in ("AAAAAAAAAAAA", "999999999999"):
            with pytest.raises(ReplyTimeout, match="not that of one meter"):
                await bench.octets(ONE, 0, asked_for_energy(address))
        assert not bench.module.frames

    bench.run(story)


async def _fate(waiting: Awaitable[bytes]) -> object:
    try:
        return await waiting
    except LineError as error:
        return error


async def _several(bench: Bench, lane: int) -> None:
    for address in METERS[lane::20]:
        assert energy(address) == await bench.octets(address, lane)
