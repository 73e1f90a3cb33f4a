"""Looking at a meter for an order: who is there, what time it has, how it stands; never more than reads."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from meterlink.bus.line import Exchanging
from meterlink.drivers.control import ClockLook, Identity, Opening, Purse, Standing
from meterlink.drivers.proving import Security
from meterlink.errors import BadAnswer, BusFull, LineError, Refused, ReplyTimeout
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_in, time_out
from meterlink.orders.dispatch.reach import Reach
from meterlink.orders.life.look import Look
from meterlink.orders.life.proof import contradiction
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.switch_proof import LOOKS_APART
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.life.written import Seen, clock_in, clock_out, seen_in, seen_out
from meterlink.orders.limits.trips import CUTS
from meterlink.orders.qualification.facts import firmware_of
from meterlink.orders.rules.facts import Live

UNSEEN = (ReplyTimeout, LineError, BusFull, BadAnswer, Refused)
"""Ways in which a look can fail; nothing was changed by it, and it may be repeated."""


async def look_before(held: Exchanging, reach: Reach, kind: OrderKind, security: Security) -> Live:
    """All that the rules look at before a control leaves.

    Raises:
        SecurityFailed: the money is told only to whom the meter knows, and it does not know us.
        ReplyTimeout, LineError, BusFull, BadAnswer, Refused: it cannot be seen.

    """
    driver, address = reach.driver, reach.meter.address
    identity: Identity = await driver.identity(held, address)
    firmware = firmware_of(await driver.firmware(held, address))
    try:
        clock: ClockLook | None = await driver.clock(held, address)
    except (Refused, BadAnswer):
        clock = None  # it has none, or shows what is no time: the rules know what that means
    facts = await reach.facts(firmware)
    standing = await look_twice(held, reach, facts)
    purse: Purse | None = None
    if kind is OrderKind.TOP_UP or (kind is OrderKind.GUARANTEE_OFF and reach.meter.world == "local"):
        purse = await driver.purse(held, address, security)
    return Live(
        identity=identity,
        standing=standing,
        clock=clock,
        purse=purse,
        opening=await driver.opening(held, address) if kind in CUTS else Opening(),
        firmware=firmware,
        facts=facts,
    )


async def look_twice(held: Exchanging, reach: Reach, facts: SwitchFacts) -> Standing:
    """How a switch stands; one that contradicts itself is looked at once more.

    It is not read in one instant, and a contact may move between two answers, as behind a key that is pressed
    just then (``proof``).

    Raises:
        ReplyTimeout, LineError, BusFull, BadAnswer, Refused: it cannot be seen.

    """
    driver, address = reach.driver, reach.meter.address
    standing: Standing = await driver.standing(held, address, facts.known)
    if contradiction(standing, facts):
        await asyncio.sleep(LOOKS_APART.total_seconds())
        standing = await driver.standing(held, address, facts.known)
    return standing


async def look_after(
    held: Exchanging, reach: Reach, kind: OrderKind, facts: SwitchFacts, timeline: Timeline
) -> Look:
    """What tells whether a control was obeyed.

    Where a line may still hold the frame, the meter's own clock tells whether it has become worthless: not if
    ours, with which it was compared, was set meanwhile.

    Raises:
        SecurityFailed: as of ``look_before``.
        ReplyTimeout, LineError, BusFull, BadAnswer, Refused: it cannot be seen.

    """
    driver, address = reach.driver, reach.meter.address
    shown: ClockLook | None = None
    ahead = timeline.ahead
    if not reach.meter.line_is_ours:
        with suppress(Refused, BadAnswer):
            shown = await driver.clock(held, address)
    started_at = timeline.stamp()
    if timeline.is_set_since(ahead):
        shown = None
    if kind is OrderKind.TOP_UP:
        seen = await driver.purse(held, address, reach.security())
        return Look(started_at=started_at, seen=seen, clock=shown)
    return Look(started_at=started_at, seen=await driver.standing(held, address, facts.known), clock=shown)


def before_of(live: Live, kind: OrderKind) -> Seen:
    """What a later look is compared with."""
    if kind is OrderKind.TOP_UP:
        assert live.purse is not None, "a top-up looks at the purse"
        return live.purse
    return live.standing


def look_out(look: Look) -> dict[str, Any]:
    """A look as an act keeps it."""
    return {
        "started_at": time_out(look.started_at),
        "seen": seen_out(look.seen),
        "clock": None if look.clock is None else clock_out(look.clock),
    }


def look_in(body: Mapping[str, Any]) -> Look:
    """Undo ``look_out``.

    Raises:
        ValueError, TypeError, KeyError, ArithmeticError: that is none.

    """
    clock = body["clock"]
    return Look(
        started_at=time_in(body["started_at"]),
        seen=seen_in(body["seen"]),
        clock=None if clock is None else clock_in(clock),
    )
