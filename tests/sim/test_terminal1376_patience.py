"""What a dead meter behind a terminal of Q/GDW 1376.1 costs its neighbours."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.gdw1376.patience import (
    ANSWERS_MIN,
    SHORTEST_S,
    SILENCES_BELIEVED,
    SILENT_MAX,
    WHOLE_EVERY_S,
    Patience,
)
from meterlink.drivers.gdw1376.tunnel import is_read
from meterlink.errors import ReplyTimeout
from metersim import Meter
from meterwire.dlt645.link.deframer import Deframer
from meterwire.dlt645.link.frame import Frame, encode
from tests.support.stocked_terminal import StockedTerminal, entry
from tests.support.terminal_world import ADDRESS, World, run

_WHOLE_S = 60
_DEAD, _OTHER = "000000000009", "000000000008"


class _Time:
    now_s = 0.0


def _patience(answers_s: float = 2.0) -> tuple[Patience, _Time]:
    time = _Time()
    patience = Patience(_WHOLE_S, lambda: time.now_s)
    for _ in range(ANSWERS_MIN):
        patience.answered(_OTHER, answers_s)
    return patience, time


def _silent(patience: Patience, times: int) -> None:
    for _ in range(times):
        patience.silent(_DEAD, patience.wait_s(_DEAD))


def test_one_silence_costs_no_meter_its_wait() -> None:
    """A far meter that lost one answer would never be given the time to send another."""
    patience, _ = _patience()
    _silent(patience, SILENCES_BELIEVED - 1)
    assert _WHOLE_S == patience.wait_s(_DEAD)
    _silent(patience, 1)
    assert SHORTEST_S == patience.wait_s(_DEAD)
    assert _WHOLE_S == patience.wait_s(_OTHER) == patience.wait_s(None)
    patience.answered(_DEAD, 1.0)
    assert _WHOLE_S == patience.wait_s(_DEAD)


@pytest.mark.parametrize(("slowest_s", "waits_s"), [(2.0, SHORTEST_S), (12.3, 25), (40.0, _WHOLE_S)])
def test_it_is_waited_for_as_the_slowest_neighbour_and_more(slowest_s: float, waits_s: int) -> None:
    """Behind a slow carrier everybody who was away for an hour would be given up too soon."""
    patience, _ = _patience(slowest_s)
    _silent(patience, SILENCES_BELIEVED)
    assert waits_s == patience.wait_s(_DEAD)


def test_once_an_hour_it_has_the_whole_wait() -> None:
    """A meter that is slower than all of its neighbours would never be heard again."""
    patience, time = _patience()
    _silent(patience, SILENCES_BELIEVED)
    time.now_s += WHOLE_EVERY_S - 1
    _silent(patience, 1)
    assert SHORTEST_S == patience.wait_s(_DEAD)
    time.now_s += 1
    assert _WHOLE_S == patience.wait_s(_DEAD)
    _silent(patience, 1)
    assert SHORTEST_S == patience.wait_s(_DEAD)


def test_where_nobody_answers_nobody_knows_how_long_that_takes() -> None:
    """A carrier that was down for a night would come back to meters that are given no time."""
    patience = Patience(_WHOLE_S, lambda: 0.0)
    _silent(patience, 5)
    assert _WHOLE_S == patience.wait_s(_DEAD)


def test_a_terminal_that_waits_on_is_given_its_time() -> None:
    """It would be at the frame of the dead meter still, and deny those of the living ones."""
    patience, _ = _patience()
    patience.nothing_said(_DEAD, _WHOLE_S)
    patience.nothing_said(_DEAD, _WHOLE_S)
    assert SHORTEST_S == patience.wait_s(_DEAD)
    patience.nothing_said(_DEAD, SHORTEST_S)
    assert _WHOLE_S == patience.wait_s(_DEAD)


def test_the_memory_of_dead_meters_has_an_end() -> None:
    """An archive of any length would be memory of any size."""
    patience, _ = _patience()
    for number in range(SILENT_MAX + 1):
        for _ in range(SILENCES_BELIEVED):
            patience.silent(f"{number:012d}", _WHOLE_S)
    assert [_WHOLE_S, SHORTEST_S] == [patience.wait_s(f"{number:012d}") for number in (0, 1)]


@pytest.mark.parametrize(
    ("function", "reads"),
    [(0x11, True), (0x12, True), (0x01, True), (0x14, False), (0x1C, False), (0x03, False)],
)
def test_a_command_has_the_whole_wait(function: int, reads: bool) -> None:
    """An order would be called unconfirmed while the meter is still about to obey it."""
    octets = encode(Frame(address=ADDRESS, function=function, data=b"\x00\x00\x01\x00"))
    assert reads == is_read(octets)
    assert not is_read(octets[:-1]), "what nobody can see is none"


def _forwarding(world: World, meter: Meter) -> Callable[[bytes], bytes]:
    def answer(octets: bytes) -> bytes:
        [frame] = Deframer().feed(octets)
        said = meter.answer(frame, world.clock.utc_now()) if frame.address == ADDRESS else None
        return b"" if said is None else encode(said.frame)

    return answer


def test_a_dead_meter_costs_its_terminal_less_each_time() -> None:
    """A terminal with three dead meters would have no time for those that live."""
    archive = [entry(1, 1, ADDRESS), entry(2, 2, _DEAD)]
    terminal = StockedTerminal(archive=archive)
    waits_s: list[int] = []

    async def body(world: World) -> None:
        terminal.forward = _forwarding(world, Meter(ADDRESS, seed=7))
        for _ in range(ANSWERS_MIN):
            await world.driver.read(world.line, ADDRESS, "frequency", priority=Priority.CURVE)
        for _ in range(SILENCES_BELIEVED + 2):
            await asyncio.sleep(300)
            with suppress(ReplyTimeout):
                await world.driver.read(world.line, _DEAD, "frequency", priority=Priority.CURVE)
        waits_s.extend(one["frame_timeout_ms"] // 1000 for one in terminal.forwarded[ANSWERS_MIN:])

    run(body, terminal)
    assert [_WHOLE_S] * SILENCES_BELIEVED + [SHORTEST_S] * 2 == waits_s
