"""What each part of a look says about an order: it speaks for it, against it, or is silent.

A meter tells of its switch in three ways that can fail apart from each other: the status word (command and
contact), what flows (current, voltage, power), and the records that it counts. None alone is believed
(fact 4). What a meter does not tell is silence, never a no.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from decimal import Decimal
from typing import Final

from meterlink.drivers.control import Standing, SwitchRecord
from meterlink.model.order import OrderKind

NO_CURRENT_PER_MILLE: Final = 5
"""Of the basic current: less is no current. Source: CTRL-19, 0.5 % Ib."""
NO_POWER_W: Final = Decimal(10)
"""Less is no power. Source: CTRL-19."""
VOLTAGE_V: Final = Decimal(30)
"""So much on one phase is voltage; the lowest rated one is 57.7 V."""
LOCAL_CAUSE: Final = "00000000"
"""Operator code of what nobody ordered, e.g. the key. Source: control-and-prepayment, 1.5."""


class Word(enum.StrEnum):
    """What a witness says of an order."""

    FOR = "for"
    AGAINST = "against"
    SILENT = "silent"


def wanted_open(kind: OrderKind) -> bool:
    """Whether an order wants command and contact open."""
    return kind is OrderKind.TRIP


def of_status(kind: OrderKind, after: Standing) -> Word:
    """Command and contact together: both are as ordered, or one is not."""
    told = [bit for bit in (after.command_open, after.contact_open) if bit is not None]
    if any(bit is not wanted_open(kind) for bit in told):
        return Word.AGAINST
    return Word.FOR if len(told) == 2 else Word.SILENT


def of_flow(kind: OrderKind, after: Standing, basic_current_a: Decimal) -> Word:
    """A trip: nothing flows any more. A close: there is something that could flow."""
    loaded = is_loaded(after, basic_current_a)
    if kind is OrderKind.TRIP:
        if loaded is None:
            return Word.SILENT
        return Word.AGAINST if loaded else Word.FOR
    if loaded:
        return Word.FOR
    if after.voltages_v is None:
        return Word.SILENT
    return Word.FOR if any(volts >= VOLTAGE_V for volts in after.voltages_v) else Word.AGAINST


def of_record(kind: OrderKind, before: Standing, after: Standing, operator_code: str) -> Word:
    """A new record, with our operator code where the meter tells one.

    That of a permitted close is the key's, so it tells of no operator; everybody else's is against us. The
    contact moved and no record is there: that is against us too.
    """
    old, new = _own(kind, before), _own(kind, after)
    appeared = _is_new(old, new)
    if appeared is None:
        return Word.SILENT
    if not appeared:
        return Word.AGAINST if has_moved(kind, before, after) else Word.SILENT
    if new.operator_code in ("", operator_code):
        return Word.FOR
    by_key = kind is OrderKind.PERMIT_CLOSE and new.operator_code == LOCAL_CAUSE
    return Word.SILENT if by_key else Word.AGAINST


def is_recorded(kind: OrderKind, before: Standing, after: Standing) -> bool | None:
    """Whether there is a record that was not there before; ``None``: the meter does not tell."""
    return _is_new(_own(kind, before), _own(kind, after))


def has_moved(kind: OrderKind, before: Standing, after: Standing) -> bool:
    """Whether the contact went where it was ordered."""
    return before.contact_open is (not wanted_open(kind)) and after.contact_open is wanted_open(kind)


def is_loaded(standing: Standing, basic_current_a: Decimal) -> bool | None:
    """Whether something flows through a meter; ``None``: it does not tell.

    Args:
        standing: how it stands.
        basic_current_a: its basic current Ib, in A.

    """
    least_a = basic_current_a * NO_CURRENT_PER_MILLE / 1000
    told: list[bool] = []
    if standing.currents_a is not None:
        told.append(any(abs(amperes) >= least_a for amperes in standing.currents_a))
    if standing.power_w is not None:
        told.append(abs(standing.power_w) >= NO_POWER_W)
    return all(told) if told else None


def is_dead(standing: Standing) -> bool:
    """Whether a meter tells that no phase has voltage, whatever else it shows."""
    volts = standing.voltages_v
    return volts is not None and not any(each >= VOLTAGE_V for each in volts)


def is_unchanged(kind: OrderKind, before: Standing, after: Standing) -> bool:
    """Whether a look shows that nothing of an order happened: it would have changed what is as it was.

    Source: decision 22, a.
    """
    if kind in _BITS:
        return _is_bit_unchanged(kind, before, after)
    wanted = wanted_open(kind)
    return (
        before.command_open is (not wanted)
        and after.command_open is (not wanted)
        and before.contact_open is after.contact_open
        and _own(kind, before).count is not None
        and before.trips.count == after.trips.count
        and before.closes.count == after.closes.count
    )


def stands_as_before(before: Standing, after: Standing) -> bool:
    """Whether nothing that a meter tells of its switch has changed; what it does not tell is no change."""
    return _told(before) == _told(after)


def bit_of(kind: OrderKind, standing: Standing) -> bool | None:
    """The one bit that tells of an order which moves no contact; ``None``: the meter does not tell it."""
    value: bool | None = getattr(standing, _BITS[kind][0])
    return value


def is_bit_as_ordered(kind: OrderKind, after: Standing) -> bool:
    """Whether that bit stands as ordered."""
    return bit_of(kind, after) is _BITS[kind][1]


def has_bit_turned(kind: OrderKind, before: Standing, after: Standing) -> bool:
    """Whether that bit stands as ordered, and stood the other way; nothing else may have turned it."""
    if bit_of(kind, before) is not (not _BITS[kind][1]) or not is_bit_as_ordered(kind, after):
        return False
    return kind is not OrderKind.ALARM_ON or not _may_delay(after)


def has_one_bit(kind: OrderKind) -> bool:
    """Whether an order is told by one bit alone: guarantee and alarm."""
    return kind in _BITS


_BITS: Final[Mapping[OrderKind, tuple[str, bool]]] = {
    OrderKind.GUARANTEE_ON: ("guarantee", True),
    OrderKind.GUARANTEE_OFF: ("guarantee", False),
    OrderKind.ALARM_ON: ("alarm", True),
    OrderKind.ALARM_OFF: ("alarm", False),
}


def has_opened_apart(before: Standing, after: Standing, operator_code: str) -> bool:
    """Whether a contact opened, was told to, or a trip was recorded, at an order that should open none.

    Not if a trip was under way before, or if the new record names another one as its cause: a wallet that ran
    dry, or a hand-held unit.
    """
    if before.command_open is True or _is_of_another(before.trips, after.trips, operator_code):
        return False
    turned = before.command_open is False and after.command_open is True
    opened = before.contact_open is False and after.contact_open is True
    return turned or opened or _is_new(before.trips, after.trips) is True


def has_closed_apart(before: Standing, after: Standing, operator_code: str) -> bool:
    """The same of a contact that closed, and that nobody had permitted to.

    Of a meter that does not tell what it is commanded nobody knows whether the key could close it.
    """
    if before.command_open is not True or _is_of_another(before.closes, after.closes, operator_code):
        return False
    return before.contact_open is True and after.contact_open is False


def _is_of_another(old: SwitchRecord, new: SwitchRecord, operator_code: str) -> bool:
    return _is_new(old, new) is True and new.operator_code not in ("", operator_code)


def _is_bit_unchanged(kind: OrderKind, before: Standing, after: Standing) -> bool:
    wanted = _BITS[kind][1]
    if bit_of(kind, before) is not (not wanted) or bit_of(kind, after) is not (not wanted):
        return False
    return kind is not OrderKind.ALARM_OFF or not (_may_delay(before) or _may_delay(after))


def _may_delay(standing: Standing) -> bool:
    """Whether the delay of a trip may be running: it shows as an alarm, whatever was ordered about that."""
    return standing.command_open is not False and standing.contact_open is not True


def _told(standing: Standing) -> tuple[object, ...]:
    counts = (standing.trips.count, standing.closes.count)
    return (standing.command_open, standing.contact_open, standing.guarantee, *counts)


def _own(kind: OrderKind, standing: Standing) -> SwitchRecord:
    return standing.trips if kind is OrderKind.TRIP else standing.closes


def _is_new(old: SwitchRecord, new: SwitchRecord) -> bool | None:
    if old.count is not None and new.count is not None:
        return new.count > old.count
    if old.occurred_at is not None and new.occurred_at is not None:
        return new.occurred_at > old.occurred_at
    return None
