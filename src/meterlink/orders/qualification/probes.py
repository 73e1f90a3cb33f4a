"""How a person at a meter finds out the ten facts that could hurt somebody: probes, in one fixed order.

Each probe is a row of ``PROBES``: what must be so before it, what is sent, and what the looks at the meter
before and after it mean. Harmless ones come first. What is sent is an order like every other, and goes
through the same machine; nothing here does anything. A probe finds values of facts, or a *stop*: something
that cannot be if the program understands this model. After a stop the model is not qualified.

A contact that was left open by a qualification that has ended is closed in the same way, by ``CLOSINGS``: the
person says yes to an order, and the looks tell whether the load is back. Nothing is found out by it.

What is not told stays unknown and stops nothing: a fact that nobody found refuses the orders that depend on
it. Never sent is what would show whether a meter obeys everybody (fact 6).
Source: decision 33; control-and-prepayment, "The ten facts that could hurt a person if wrong".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from meterlink.drivers.control import Standing
from meterlink.model.order import OrderKind
from meterlink.orders.qualification import judges
from meterlink.orders.qualification.looks import Facts, Found, Shown, Words

SHOWN_AFTER: Final = timedelta(seconds=15)
"""After its frame a contact that moved is believed."""
UNMOVED_AFTER: Final = timedelta(seconds=60)
"""After its frame an order that shows nothing is taken for one that does nothing."""
TRIP_UNMOVED_AFTER: Final = timedelta(minutes=12)
"""The same of a trip, which may have been told to wait: the usual longest delay and two minutes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe.

    Args:
        name: of it; an order's id ends with it.
        kind: of the order that is sent.
        judge: what the looks mean.
        needs: whether it is done at all, by what is known and what the newest look shows.
        says: what happens, for the person at the meter.
        is_stale: it goes out with an expiry that is over by the meter's clock.

    """

    name: str
    kind: OrderKind
    judge: Callable[[Shown], Found]
    needs: Callable[[Facts, Standing, str], bool]
    says: Words
    is_stale: bool = False


def next_probe(
    probes: Sequence[Probe], done: Sequence[str], known: Facts, standing: Standing, protocol: str
) -> Probe | None:
    """The next one to be done; ``None``: all are.

    Args:
        probes: all that there are, in their order.
        done: names of those that were.
        known: what was found.
        standing: how the meter stands now.
        protocol: of the meter.

    """
    last = max((place for place, probe in enumerate(probes) if probe.name in done), default=-1)
    waiting = (probe for probe in probes[last + 1 :] if probe.needs(known, standing, protocol))
    return next(waiting, None)


def is_shown(kind: OrderKind, *, is_over: bool, before: Standing, after: Standing, age: timedelta) -> bool:
    """Whether a look tells what became of an order, or nothing more will.

    Args:
        kind: of the order.
        is_over: whether the order has come to its end, or waits for the key.
        before: how the meter stood.
        after: how it stands.
        age: of the frame when this look began.

    """
    if is_over or age >= (TRIP_UNMOVED_AFTER if kind is OrderKind.TRIP else UNMOVED_AFTER):
        return True
    return before.contact_open is not after.contact_open and age >= SHOWN_AFTER


def _always(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, standing, protocol
    return True


def _is_alarm(known: Facts, standing: Standing, protocol: str) -> bool:
    del standing, protocol
    return known.get("alarm_is_breaker") == "no"


def _may_be_stale(known: Facts, standing: Standing, protocol: str) -> bool:
    return _is_alarm(known, standing, protocol) and "expiry" not in known


def _was_stale(known: Facts, standing: Standing, protocol: str) -> bool:
    return _is_alarm(known, standing, protocol) and known.get("expiry") == "ignored"


def _is_guaranteed(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, protocol
    return standing.guarantee is True


def _is_closed(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, protocol
    return standing.contact_open is False


def _is_open(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, protocol
    return standing.contact_open is True


def _is_not_closed(known: Facts, standing: Standing, protocol: str) -> bool:
    del known, protocol
    return standing.contact_open is not False


def _is_open_by_command(known: Facts, standing: Standing, protocol: str) -> bool:
    return _is_open(known, standing, protocol) and standing.command_open is not False


_TRIPS: Final = Words(en="The contact opens: the load goes out.", zh="开关断开,负荷失电。")
_GUARDS: Final = Words(en="A power guarantee begins.", zh="投入保电。")
_ENDS: Final = Words(en="The power guarantee ends.", zh="解除保电。")
_WARNS_NOT: Final = Words(en="The alarm goes off.", zh="报警解除。")

PROBES: Final[tuple[Probe, ...]] = (
    Probe(
        name="alarm_on",
        kind=OrderKind.ALARM_ON,
        judge=judges.of_alarm,
        needs=_always,
        says=Words(
            en="The alarm goes on; on some models this opens the contact.",
            zh="投入报警;某些型号会因此断开开关。",
        ),
    ),
    Probe(
        name="alarm_off",
        kind=OrderKind.ALARM_OFF,
        judge=judges.of_alarm_off,
        needs=_is_alarm,
        says=_WARNS_NOT,
    ),
    Probe(
        name="stale_alarm",
        kind=OrderKind.ALARM_ON,
        judge=judges.of_stale,
        needs=_may_be_stale,
        is_stale=True,
        says=Words(
            en="An alarm command whose time is over is sent: the meter should refuse it.",
            zh="发送已过期的报警命令:电表应当拒绝。",
        ),
    ),
    Probe(
        name="stale_alarm_off",
        kind=OrderKind.ALARM_OFF,
        judge=judges.of_clean_up,
        needs=_was_stale,
        says=_WARNS_NOT,
    ),
    Probe(
        name="guarantee_on",
        kind=OrderKind.GUARANTEE_ON,
        judge=judges.of_guarantee,
        needs=_is_closed,
        says=_GUARDS,
    ),
    Probe(
        name="guarantee_off",
        kind=OrderKind.GUARANTEE_OFF,
        judge=judges.of_guarantee_end,
        needs=_is_guaranteed,
        says=Words(
            en="The power guarantee ends; some models open the contact by that.",
            zh="解除保电;某些型号会因此断开开关。",
        ),
    ),
    Probe(name="trip", kind=OrderKind.TRIP, judge=judges.of_trip, needs=_is_closed, says=_TRIPS),
    Probe(
        name="guarantee_over_open",
        kind=OrderKind.GUARANTEE_ON,
        judge=judges.of_guarantee_over_open,
        needs=_is_open_by_command,
        says=Words(
            en="A power guarantee begins; some models close the contact by that.",
            zh="投入保电;某些型号会因此合闸。",
        ),
    ),
    Probe(
        name="guarantee_end",
        kind=OrderKind.GUARANTEE_OFF,
        judge=judges.of_clean_up,
        needs=_is_guaranteed,
        says=_ENDS,
    ),
    Probe(
        name="trip_for_permit",
        kind=OrderKind.TRIP,
        judge=judges.of_trip_again,
        needs=lambda _known, standing, _: standing.contact_open is False or standing.command_open is False,
        says=_TRIPS,
    ),
    Probe(
        name="permit",
        kind=OrderKind.PERMIT_CLOSE,
        judge=judges.of_permit,
        needs=_is_open,
        says=Words(
            en="Closing is permitted: do not touch the key yet. Some models close at once.",
            zh="发送合闸允许:请先勿按键。某些型号会立即合闸。",
        ),
    ),
    Probe(
        name="trip_for_direct",
        kind=OrderKind.TRIP,
        judge=judges.of_trip_again,
        needs=lambda known, standing, _: standing.contact_open is False or "permit_waits_for_key" in known,
        says=Words(
            en="The contact opens, or stays open: the load goes out.", zh="开关断开或保持断开,负荷失电。"
        ),
    ),
    Probe(
        name="direct",
        kind=OrderKind.DIRECT_CLOSE,
        judge=judges.of_direct,
        needs=_is_open,
        says=Words(en="The contact closes at once: the load comes back.", zh="立即合闸,负荷得电。"),
    ),
)
"""Every probe, in the order in which they are done."""

CLOSINGS: Final[tuple[Probe, ...]] = (
    Probe(
        name="close",
        kind=OrderKind.DIRECT_CLOSE,
        judge=judges.of_clean_up,
        needs=_is_not_closed,
        says=Words(
            en="The contact closes at once, or when the key is pressed: the load comes back.",
            zh="立即合闸,或按键后合闸,负荷得电。",
        ),
    ),
    Probe(
        name="close_by_permit",
        kind=OrderKind.PERMIT_CLOSE,
        judge=judges.of_clean_up,
        needs=_is_not_closed,
        says=Words(
            en="Closing is permitted: the load comes back at once, or when the key is pressed.",
            zh="发送合闸允许:立即得电,或按键后得电。",
        ),
    ),
)
"""What closes a contact that was left open: on some models the two mean each other."""
