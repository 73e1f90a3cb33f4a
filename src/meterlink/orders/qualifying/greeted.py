"""What a meter says of itself before a qualification sends anything: who it is, its time, how it stands.

Source: control-and-prepayment, facts 3, 6, 7 and 10.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from typing import Final

from meterlink.bus.line import Exchanging
from meterlink.drivers.control import ClockLook, Identity
from meterlink.errors import BadAnswer, Refused
from meterlink.orders.dispatch.looking import look_twice
from meterlink.orders.dispatch.reach import Reach
from meterlink.orders.qualification.facts import firmware_of
from meterlink.orders.qualification.looks import Greeting
from meterlink.roster.roster import RosterMeter

CLOCK_WATCHED: Final = timedelta(seconds=5)
"""Between two looks at a clock: a clock that shows seconds has moved in that time."""

AtMeter = Callable[[str], AbstractAsyncContextManager[tuple[Exchanging, Reach]]]
"""Has the line for looks at a meter, by our id."""


async def greeted(at_meter: AtMeter, meter: RosterMeter) -> Greeting:
    """Look at a meter, and at its clock and number once more after ``CLOCK_WATCHED``.

    Raises:
        ReplyTimeout, LineError, BusFull, BadAnswer, Refused: it cannot be seen.

    """
    async with at_meter(meter.id) as (held, reach):
        driver, address = reach.driver, meter.address
        first = await driver.identity(held, address)
        firmware = firmware_of(await driver.firmware(held, address))
        clock = await _clock(held, reach)
        standing = await look_twice(held, reach, await reach.facts(firmware))
    await asyncio.sleep(CLOCK_WATCHED.total_seconds())
    async with at_meter(meter.id) as (held, reach):
        later = await _clock(held, reach)
        second = await reach.driver.identity(held, meter.address)
    return Greeting(
        identity=(first, second),
        expected=Identity(address=meter.address, meter_number=meter.meter_number),
        firmware=firmware,
        clocks=(clock, later),
        standing=standing,
    )


async def _clock(held: Exchanging, reach: Reach) -> ClockLook | None:
    try:
        return await reach.driver.clock(held, reach.meter.address)
    except (Refused, BadAnswer):
        return None
