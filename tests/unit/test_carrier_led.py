"""Reads that a carrier module leads: what it is given when it asks, and whose its reports are."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from meterlink.drivers.carrier import leading, led
from meterlink.drivers.events import ReportedEvent
from meterlink.errors import LineBusy, LineLost, ReplyTimeout
from meterlink.model.event_kinds import REPORTED_VALUES
from meterwire.dlt698.link import frame as frame698
from meterwire.dlt698.link.address import ServerAddress
from tests.support.scripted_module import METERS, ONE, TRIP, Bench, asked_for_energy, bench_of, energy

TWO = METERS[1]
STRANGER = "000000000777"


def _led(story: Callable[[Bench], Awaitable[None]]) -> None:
    """Tell a story with a module that leads our reads, once it is ready."""

    async def told(bench: Bench) -> None:
        await bench.owner.until_ready()
        await story(bench)

    few = METERS[:4]
    bench_of(settings={"read_by": "14-F1"}, mode={"read_mode": 2}, meters=few, nodes=few).run(told)


async def _asks(bench: Bench, address: str) -> dict[str, Any]:
    """The module asks whose turn it is, and is told."""
    await bench.module.report(0x14, 1, {"phase": 1, "addr": address, "index": 1})
    await asyncio.sleep(0.1)
    *_, last = [one.values for one in bench.module.server.answers()] or [{}]
    return last


def _values(payload: bytes) -> dict[str, Any]:
    return {"index": 1, "protocol": 2, "uplink_s": 1, "len": len(payload), "payload": payload}


async def _reports(bench: Bench, payload: bytes) -> None:
    await bench.module.report(0x06, 2, _values(payload))


def _reading(bench: Bench, address: str, lane: int = 0) -> asyncio.Task[bytes]:
    return asyncio.get_running_loop().create_task(bench.octets(address, lane))


async def _given(bench: Bench, address: str) -> asyncio.Task[bytes]:
    """A read that the module was given, and has not answered."""
    reading = _reading(bench, address)
    await asyncio.sleep(0.1)
    assert 2 == (await _asks(bench, address))["read_flag"]
    return reading


def test_a_read_waits_until_the_module_asks_for_its_meter() -> None:
    """The module would be paused for each read, or the frame go to another meter."""

    async def story(bench: Bench) -> None:
        reading = _reading(bench, ONE)
        await asyncio.sleep(30)
        assert 0 == (await _asks(bench, TWO))["read_flag"], "nothing is due of that one now"
        given = await _asks(bench, ONE)
        assert (2, 0, asked_for_energy(ONE)) == (
            given["read_flag"],
            given["delay_related"],
            given["payload"],
        )
        await asyncio.sleep(3)
        assert not reading.done()
        await _reports(bench, b"\xfe\xfe" + energy(ONE))
        assert energy(ONE) == await reading
        await asyncio.sleep(0.1)
        assert 0 == bench.module.server.open_reports, "it is confirmed at once"
        assert [] == bench.reports
        assert [] == bench.module.frames
        assert 0 == bench.module.asked(0x12, 2)

    _led(story)


def test_a_report_that_is_told_again_is_confirmed_again_and_is_nothing_new(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lost confirmation would make an event of a reading, or be missed for ever."""

    async def story(bench: Bench) -> None:
        reading = await _given(bench, ONE)
        with monkeypatch.context() as deaf:
            deaf.setattr(bench.module.server, "feed", lambda octets: None)
            await _reports(bench, energy(ONE))
            assert energy(ONE) == await reading
            await asyncio.sleep(0.1)
        assert 1 == bench.module.server.open_reports, "the confirmation is lost"
        bench.module.server.repeat()
        await bench.module.say(bench.module.server.octets_to_send())
        await asyncio.sleep(1)
        assert (0, []) == (bench.module.server.open_reports, bench.reports)

    _led(story)


def test_so_many_reports_are_remembered_as_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line that stands for a year would remember each reading of it."""
    monkeypatch.setattr(led, "TOLD_KEPT", 1)

    async def story(bench: Bench) -> None:
        told = []
        for address in (ONE, TWO):
            reading = await _given(bench, address)
            bench.module.server.report(0x06, 2, _values(energy(address)))
            told.append(bench.module.server.octets_to_send())
            await bench.module.say(told[-1])
            await reading
        for octets, events in reversed([*zip(told, (1, 0), strict=True)]):
            await bench.module.say(octets)
            await asyncio.sleep(1)
            assert events == len(bench.reports), "the last one is known, and that before it is not"

    _led(story)


def test_a_frame_that_is_too_long_for_its_answer_is_not_left_to_the_module() -> None:
    """Its length has one octet: the module would carry another frame, or none."""
    server, head = ServerAddress(ONE), bytes((5, 2))
    short, long = (
        frame698.encode(
            frame698.Frame(server, 0x10, head + bytes(octets), from_server=False, started_by_client=True)
        )
        for octets in (led.FRAME_OCTETS_MAX - 19, led.FRAME_OCTETS_MAX - 18)
    )
    assert (led.FRAME_OCTETS_MAX, led.FRAME_OCTETS_MAX + 1) == (len(short), len(long))

    async def story(bench: Bench) -> None:
        await _asks(bench, TWO)
        await bench.octets(ONE, request=long)
        assert [long] == bench.module.frames
        led_by_module = asyncio.get_running_loop().create_task(bench.octets(ONE, request=short))
        await asyncio.sleep(0.1)
        assert short == (await _asks(bench, ONE))["payload"]
        led_by_module.cancel()

    _led(story)


def test_what_nobody_asked_the_module_for_stays_a_report() -> None:
    """What a meter tells of its own accord would be confirmed and thrown away."""

    async def story(bench: Bench) -> None:
        reading = await _given(bench, ONE)
        await _reports(bench, energy(TWO))
        await asyncio.sleep(1)
        assert (1, False) == (len(bench.reports), reading.done())
        await _reports(bench, energy(ONE))
        assert energy(ONE) == await reading

    _led(story)


def test_a_meter_that_does_not_answer_the_module_is_silent_and_its_late_answer_nobodys() -> None:
    """A read would wait for ever, or the next question get the answer to this one."""

    async def story(bench: Bench) -> None:
        reading = await _given(bench, ONE)
        with pytest.raises(ReplyTimeout, match="does not answer"):
            await reading
        late = bench.owner.counts.strays.late
        again = _reading(bench, ONE)
        await asyncio.sleep(1)
        await _reports(bench, energy(ONE))
        await asyncio.sleep(1)
        assert (late + 1, [], False) == (bench.owner.counts.strays.late, bench.reports, again.done())
        again.cancel()

    _led(story)


def test_the_next_thing_of_a_meter_goes_at_once() -> None:
    """Each value of a meter would take a whole round of the module."""

    async def story(bench: Bench) -> None:
        first = await _given(bench, ONE)
        await _reports(bench, energy(ONE))
        await first
        await bench.module.report(0x14, 1, {"phase": 1, "addr": ONE, "index": 1})
        await asyncio.sleep(led.NEXT_S / 2)
        assert not bench.module.server.answers()[1:], "the module is kept waiting"
        second = _reading(bench, ONE)
        await asyncio.sleep(0.1)
        assert 2 == bench.module.server.answers()[-1].values["read_flag"]
        await _reports(bench, energy(ONE))
        await second
        await bench.module.report(0x14, 1, {"phase": 1, "addr": ONE, "index": 1})
        await asyncio.sleep(led.NEXT_S + 0.1)
        assert 0 == bench.module.server.answers()[-1].values["read_flag"], "but not for long"

    _led(story)


def test_a_stranger_is_not_asked_for_again() -> None:
    """The module would come back to a meter of somebody else for ever."""

    async def story(bench: Bench) -> None:
        assert 1 == (await _asks(bench, STRANGER))["read_flag"]

    _led(story)


def test_an_order_is_not_left_to_the_module() -> None:
    """An order would go out when the module comes to its meter, which may be in an hour."""

    async def story(bench: Bench) -> None:
        await _asks(bench, TWO)
        began_s = bench.sim.clock.monotonic_s()
        await bench.octets(ONE, request=TRIP)
        assert bench.sim.clock.monotonic_s() - began_s < 1
        assert ([TRIP], 1) == (bench.module.frames, bench.module.asked(0x12, 2))
        await asyncio.sleep(leading.RESUME_AFTER_S + 5)
        assert 2 == bench.module.asked(0x12, 3), "once at the start, and once afterwards"

    _led(story)


def test_a_module_that_asks_for_nobody_does_not_lead() -> None:
    """A module at the end of its round would leave everything unread until the next one."""

    async def story(bench: Bench) -> None:
        began_s = bench.sim.clock.monotonic_s()
        assert energy(ONE) == await bench.octets(ONE)
        assert bench.sim.clock.monotonic_s() - began_s <= led.IDLE_S + led.LOOK_S + 1
        assert energy(TWO) == await bench.octets(TWO)
        assert bench.sim.clock.monotonic_s() - began_s <= led.IDLE_S + led.LOOK_S + 2, "not each time anew"

    _led(story)


def test_who_waits_too_long_for_his_turn_gives_it_up() -> None:
    """A line would stand for an hour, and its watch take it for dead."""

    async def story(bench: Bench) -> None:
        reading = _reading(bench, ONE)
        began_s = bench.sim.clock.monotonic_s()
        while not reading.done():
            assert 0 == (await _asks(bench, TWO))["read_flag"]
            await asyncio.sleep(20)
        with pytest.raises(LineBusy):
            await reading
        waited_s = bench.sim.clock.monotonic_s() - began_s
        assert led.WAIT_MAX_S <= waited_s <= led.WAIT_MAX_S + 30
        assert 0 == (await _asks(bench, ONE))["read_flag"], "and nothing of it is left"

    _led(story)


def test_a_read_that_was_given_up_is_not_given_to_the_module() -> None:
    """The answer would come when nobody wants it, and be an event of a value."""

    async def story(bench: Bench) -> None:
        await _asks(bench, TWO)
        reading = _reading(bench, ONE)
        await asyncio.sleep(1)
        reading.cancel()
        await asyncio.sleep(led.LOOK_S + 0.1)
        await asyncio.sleep(led.NEXT_S)
        assert 0 == (await _asks(bench, ONE))["read_flag"]

    _led(story)


def test_what_comes_of_a_read_before_the_module_began_anew_is_nobodys() -> None:
    """A value of a meter would be told as an event that it reported."""

    async def story(bench: Bench) -> None:
        reading = await _given(bench, ONE)
        await bench.module.begin_anew()
        with pytest.raises(LineLost):
            await reading
        await bench.owner.until_ready()
        await _reports(bench, energy(ONE))
        await asyncio.sleep(1)
        assert not [
            part
            for report in bench.reports
            for part in report.parts
            if isinstance(part, ReportedEvent) and part.kind == REPORTED_VALUES
        ]
        assert 0 == bench.module.server.open_reports

    _led(story)


def test_what_a_module_asks_for_all_day_fills_no_memory() -> None:
    """A module asks some thousand times a day, of strangers too: a line that stands for a year would grow."""

    async def story(bench: Bench) -> None:
        async def ask(first: int, count: int) -> None:
            for number in range(first, first + count):
                await bench.module.report(0x14, 1, {"phase": 1, "addr": f"{number:012d}", "index": 1})
                await bench.module.report(0x14, 1, {"phase": 1, "addr": ONE, "index": 1})
                await asyncio.sleep(0.05)

        await ask(1_000, 50)  # what is made once is there
        tracemalloc.start()
        try:
            await ask(2_000, 200)
            await asyncio.sleep(led.NEXT_S + 1)
            gc.collect()
            kept = tracemalloc.take_snapshot().filter_traces([tracemalloc.Filter(True, led.__file__)])
        finally:
            tracemalloc.stop()
        assert sum(one.size for one in kept.traces) < 4_096

    _led(story)
