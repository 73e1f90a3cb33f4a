"""Several items of the moment of a meter behind a terminal of Q/GDW 1376.1: how many requests that takes."""

from __future__ import annotations

from typing import Any

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer
from meterlink.errors import BadAnswer, ReplyTimeout
from metersim import Meter
from meterwire.dlt645.link.deframer import Deframer
from meterwire.dlt645.link.frame import encode
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from tests.support.stocked_terminal import StockedTerminal, entry
from tests.support.terminal_world import ADDRESS, FIVE, World, run

_LATELY = Moment(year=26, month=11, day=23, hour=8, minute=50)
_LONG_AGO = Moment(year=26, month=11, day=22, hour=8, minute=50)
_FORWARD, _REVERSE = "forward_active_energy", "reverse_active_energy"
_PHASES = ("voltage.a", "voltage.b", "voltage.c")
_STORE, _METER = "terminal 0171-2082 store", "terminal 0171-2082 forward"


def _terminal(read_at: Moment) -> StockedTerminal:
    energies = {**FIVE, "read_time": read_at}
    store = {(table.CLASS_1, fn, 1, None): energies for fn in (129, 131)}
    return StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=store)


def _meter_answers(world: World, terminal: StockedTerminal, *, is_dead: bool = False) -> None:
    meter = Meter(ADDRESS, seed=7)

    def forward(octets: bytes) -> bytes:
        [frame] = Deframer().feed(octets)
        answer = None if is_dead else meter.answer(frame, world.clock.utc_now())
        return b"" if answer is None else encode(answer.frame)

    terminal.forward = forward


async def _read(world: World, *items: str) -> dict[str, Any]:
    """As plans and reads on demand do, as long as nothing is silent."""
    found: dict[str, Any] = {}
    while left := [item for item in items if item not in found]:
        group = world.driver.group(ADDRESS, left)
        assert left[0] == group[0]
        found |= await world.driver.read_group(
            world.line, ADDRESS, group, as_status=False, priority=Priority.CURVE
        )
    return found


def _class_1(terminal: StockedTerminal) -> int:
    return sum(message.head.afn == table.CLASS_1 for message in terminal.asked)


def _routes(found: dict[str, Any]) -> dict[str, str]:
    assert all(isinstance(one, MeterAnswer) for one in found.values()), found
    return {item: one.values[0].route for item, one in found.items()}


def test_what_the_terminal_has_read_lately_comes_in_one_request() -> None:
    """Each item would be a request to a terminal that is asked over a mobile network."""
    terminal = _terminal(_LATELY)

    async def body(world: World) -> None:
        _meter_answers(world, terminal)
        found = await _read(world, _FORWARD, _REVERSE)
        assert {_FORWARD: _STORE, _REVERSE: _STORE} == _routes(found)
        assert (1, 0) == (_class_1(terminal), len(terminal.forwarded))

    run(body, terminal)


def test_what_it_lacks_is_asked_of_the_meter_as_the_meter_takes_it() -> None:
    """Three phases would be three frames through the terminal, which takes up to a minute for each."""
    terminal = _terminal(_LATELY)

    async def body(world: World) -> None:
        _meter_answers(world, terminal)
        found = await _read(world, _FORWARD, *_PHASES, "frequency", _REVERSE)
        expected = {_FORWARD: _STORE, _REVERSE: _STORE, **dict.fromkeys((*_PHASES, "frequency"), _METER)}
        assert expected == _routes(found)
        assert (1, 2) == (_class_1(terminal), len(terminal.forwarded)), "one block, and the frequency"

    run(body, terminal)


def test_what_it_has_read_long_ago_is_no_value_of_now() -> None:
    """A voltage of yesterday would stand in the slot of this minute."""
    terminal = _terminal(_LONG_AGO)

    async def body(world: World) -> None:
        _meter_answers(world, terminal)
        found = await _read(world, _FORWARD, _REVERSE)
        assert {_FORWARD: _METER, _REVERSE: _METER} == _routes(found)
        assert 1 == _class_1(terminal)

    run(body, terminal)


def test_a_silent_meter_takes_nothing_from_what_the_terminal_has() -> None:
    """What is there would be thrown away for what is not, each time; or a silence be asked about twice."""
    terminal = _terminal(_LATELY)

    async def body(world: World) -> None:
        _meter_answers(world, terminal, is_dead=True)
        found = await _read(world, _FORWARD, *_PHASES, "current.a")
        assert {_FORWARD: _STORE} == _routes({_FORWARD: found[_FORWARD]})
        assert {BadAnswer} == {type(found[item]) for item in (*_PHASES, "current.a")}
        assert 1 == len(terminal.forwarded)
        with pytest.raises(ReplyTimeout):
            await _read(world, *_PHASES)

    run(body, terminal)
