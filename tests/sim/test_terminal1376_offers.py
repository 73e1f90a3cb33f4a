"""What only a terminal of Q/GDW 1376.1 has of a meter: nights that it freezes not, values it cannot say."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.gdw1376.driver import Gdw1376Driver
from meterlink.errors import Refused, UnknownItem
from meterlink.model.data_classes import DAILY_FREEZE
from meterprofiles import generic
from meterwire.gdw1376.formats.times import Moment
from tests.support.stocked_terminal import StockedTerminal, entry
from tests.support.terminal_world import ADDRESS, DAY, FIVE, MIDNIGHT, World, freeze, run

_ENERGY, _POWER = "forward_active_energy", "apparent_power"
_AT = Moment(year=26, month=11, day=23, hour=8, minute=50)


def _old(world: World) -> Gdw1376Driver:
    """The driver of a meter of DL/T 645-1997, which freezes nothing."""
    own = Dlt645Driver(world.clock, profile=generic("dlt645-1997"))
    world.driver = Gdw1376Driver(own, world.station, world.upper)
    assert DAILY_FREEZE not in own.stored
    return world.driver


def test_the_night_of_a_meter_that_freezes_none_is_that_of_its_terminal() -> None:
    """Meters of 1997 would have no bill, although their terminal reads them each midnight."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze(FIVE))

    async def body(world: World) -> None:
        driver = _old(world)
        driver.check_stored(DAILY_FREEZE, _ENERGY)
        answer = await world.stored([_ENERGY], [MIDNIGHT])
        [record] = answer.records
        assert [("1234.5600", "terminal 0171-2082 store")] == [
            (str(one.value), one.route) for one in record.values if one.item == _ENERGY
        ]

    run(body, terminal)


def test_a_night_that_the_terminal_lacks_may_come_yet() -> None:
    """A night that the terminal fetches a day late would be closed as one that nobody ever has."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)], store=freeze(FIVE))

    async def body(world: World) -> None:
        _old(world)
        answer = await world.stored([_ENERGY], [MIDNIGHT, MIDNIGHT - DAY])
        assert [MIDNIGHT] == [record.slot for record in answer.records]
        assert ([MIDNIGHT - DAY], {}, {}) == (list(answer.unfit_slots), answer.refused, answer.gone)
        assert not answer.heard, "nobody asked the meter"
        assert [] == terminal.forwarded

    run(body, terminal)


def test_what_the_terminal_never_had_of_any_meter_is_refused() -> None:
    """It would be asked for again all day, and each answer say the same."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])

    async def body(world: World) -> None:
        _old(world)
        answer = await world.stored([_ENERGY], [MIDNIGHT])
        assert ({_ENERGY}, ()) == (set(answer.refused), answer.records)

    run(body, terminal)


def test_a_value_that_only_the_terminal_tells_is_read_while_it_is_fresh() -> None:
    """A question would go to the meter in words that it does not have, or its plan break over it."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])
    terminal.store[0x0C, 25, 1, None] = {
        "read_time": _AT,
        "p_kw": [Decimal(4)] * 4,
        "q_kvar": [Decimal(3)] * 4,
        "pf_pct": [Decimal(80)] * 4,
        "u_v": [Decimal(220)] * 3,
        "i_a": [Decimal(5)] * 4,
        "s_kva": [Decimal(5)] * 4,
    }

    async def body(world: World) -> None:
        driver = _old(world)
        driver.check_instant(_POWER)
        told = await driver.read(world.line, ADDRESS, _POWER, priority=Priority.CURVE)
        assert [(_POWER, Decimal(5))] == [(one.item, one.value) for one in told.values]
        assert MIDNIGHT + timedelta(hours=8, minutes=50) == told.taken_at
        await asyncio.sleep(1000)
        with pytest.raises(Refused, match="has not read apparent_power") as refused:
            await driver.read(world.line, ADDRESS, _POWER, priority=Priority.CURVE)
        assert not refused.value.no_such, "it may have it in a moment"
        assert [] == terminal.forwarded

    run(body, terminal)


def test_what_meters_are_always_asked_themselves_is_in_their_own_words() -> None:
    """With ``fresh_min = 0`` a plan would wait for values that nobody asks the terminal for."""
    terminal = StockedTerminal(archive=[entry(1, 1, ADDRESS)])

    async def body(world: World) -> None:
        driver = _old(world)
        for check in (driver.check_instant, driver.check_item):
            with pytest.raises(UnknownItem):
                check(_POWER)

    run(body, terminal, fresh_s=0.0)
