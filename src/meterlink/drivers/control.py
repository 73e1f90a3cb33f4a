"""What the orders know of a protocol: who is there, how the meter stands, and one control sent once.

A driver looks and sends; it decides nothing, repeats nothing and remembers nothing. Sending is in two steps.
``prepare`` does whatever must go before (authentication, proof, an association) and ends with octets that are
ready and have not left. Then the order commits its intent. ``send`` lets them leave, once, and tells what
came back, which for a control is more than "it failed".
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final, Protocol

from meterlink.bus.line import Exchanging
from meterlink.drivers.proving import Security
from meterlink.model.order import OrderKind

OPENING_LIMIT_MAX_A: Final = Decimal(1_000)
"""A meter that tells more tells nothing: no contact in a meter opens so much."""
OPENS_WITHIN_MAX: Final = timedelta(hours=24)
"""A meter that waits longer before it opens tells nothing: no proof is waited for so long."""

_MINUTE: Final = timedelta(minutes=1)

Known = Mapping[str, str]
"""What is known of how a model shows its switch: value by fact. What is not there is unknown, and nothing is
read by it. Source: decision 33."""
NOTHING_KNOWN: Final = MappingProxyType[str, str]({})
SHOWN_BY: Final = ("command_bit", "attr5_bits", "bit_order")
"""The facts by which words are read."""


def opening_limit(told_a: Decimal | None) -> Decimal | None:
    """A limit of current that a meter tells, where it can be one."""
    return told_a if told_a is not None and 0 < told_a <= OPENING_LIMIT_MAX_A else None


def opens_within(*told_min: Decimal | None) -> timedelta | None:
    """The longest that an obeyed trip takes, of all the minutes that it may wait; each must be told."""
    minutes = [told for told in told_min if told is not None and told >= 0]
    if len(minutes) < len(told_min) or sum(minutes) > OPENS_WITHIN_MAX / _MINUTE:
        return None
    return int(sum(minutes)) * _MINUTE


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who answers under an address. Source: control-and-prepayment, fact 6.

    Args:
        address: that it says it has, 12 digits.
        meter_number: 12 digits; what keys are derived from and customers are billed by.

    """

    address: str
    meter_number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLook:
    """What the meter's clock shows against ours.

    Args:
        offset: meter minus system, at the instant of the answer.
        error: how wrong that can be: half the exchange and the second that the clock shows in.

    """

    offset: timedelta
    error: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """How a meter is set to open its contact; ``None`` is what it does not tell, or cannot mean.

    Args:
        limit_a: amperes above which the contact must not open, above 0 and at most ``OPENING_LIMIT_MAX_A``;
            0 says that none was set.
        within: longest that an obeyed trip takes: its delay, and its wait for a lower current. At most
            ``OPENS_WITHIN_MAX``, whole minutes.

    """

    limit_a: Decimal | None = None
    within: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchRecord:
    """The newest trip or close as the meter recorded it.

    Args:
        count: how many there were since the meter was made; ``None``: it does not tell.
        occurred_at: of the newest, by its clock; aware; ``None``: it has none, or does not tell.
        operator_code: 8 hexadecimal digits as in ``Command``, ``00000000`` for a local cause; empty: it does
            not tell.

    """

    count: int | None = None
    occurred_at: datetime | None = None
    operator_code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a meter stood; ``None`` is what it does not tell, or its profile cannot read.

    Args:
        taken_at: when the last answer came; aware, UTC.
        contact_open: where the contact is. Source: fact 3.
        command_open: what was commanded last.
        alarm: whether the alarm for want of money is on.
        guarantee: whether the power guarantee is on.
        currents_a: a phase each.
        voltages_v: a phase each.
        power_w: total, active.
        trips: of trips.
        closes: of closings.
        raw: the words as they came, hexadecimal, by the item's name: kept as evidence.

    """

    taken_at: datetime
    contact_open: bool | None = None
    command_open: bool | None = None
    alarm: bool | None = None
    guarantee: bool | None = None
    currents_a: tuple[Decimal, ...] | None = None
    voltages_v: tuple[Decimal, ...] | None = None
    power_w: Decimal | None = None
    trips: SwitchRecord = SwitchRecord()
    closes: SwitchRecord = SwitchRecord()
    raw: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """The money in a meter.

    Args:
        taken_at: when the answer came; aware, UTC.
        remaining_cents: what is left; below 0: overdrawn.
        purchase_count: how often it was topped up.
        customer_number: 12 digits; empty: it does not tell.
        hoarding_limit_cents: most that it takes; ``None``: it does not tell.
        proven: whether the answer bore a proof that was checked.

    """

    taken_at: datetime
    remaining_cents: int
    purchase_count: int
    customer_number: str = ""
    hoarding_limit_cents: int | None = None
    proven: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One control as it will stand in a frame.

    Args:
        kind: what is to be done.
        expires_at: the meter's own time after which it must not obey, whole seconds: the deadline corrected
            by the offset of its clock. Source: decision 23.
        valid_for: of a time tag: how long after its sending time the meter may still obey.
        operator_code: 8 hexadecimal digits; the meter keeps it in its record.
        meter_number: of the meter that is meant; keys are derived from it.
        amount_cents: of a top-up.
        purchase_count: of a top-up: the one that the meter shall have afterwards.
        customer_number: of a top-up, 12 digits.

    """

    kind: OrderKind
    expires_at: datetime
    valid_for: timedelta
    operator_code: str
    meter_number: str
    amount_cents: int | None = None
    purchase_count: int | None = None
    customer_number: str = ""


class Verdict(enum.StrEnum):
    """What came back for a control."""

    ACCEPTED = "accepted"
    """Received; not more (fact 4)."""
    REJECTED = "rejected"
    """The meter says that it did nothing."""
    NONE = "none"
    """The octets may have left, and nothing came that answers them."""
    UNSENT = "unsent"
    """No octet has left: the line was down, or its queue was full."""


class Cause(enum.StrEnum):
    """Why a meter said no, as far as it tells."""

    UNTOLD = "untold"
    AUTHENTICATION_TIMEOUT = "authentication_timeout"
    MAC = "mac"
    POSSIBLY_MAC = "possibly_mac"
    """A refusal of what was proved that does not tell why: a wrong MAC may hide behind it."""
    PASSWORD = "password"  # noqa: S105 - a word, no secret
    EXPIRED = "expired"
    GUARANTEE = "guarantee"
    SUSPENDED = "suspended"
    REPEATED = "repeated"
    PURCHASE_COUNT = "purchase_count"
    CUSTOMER = "customer"
    HOARDING = "hoarding"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlAnswer:
    """The end of one sending.

    Args:
        verdict: what is known.
        cause: of ``REJECTED``.
        word: execution word, error word or DAR that the meter sent, hexadecimal, highest digit first; empty:
            none came.
        told: one sentence for people.

    """

    verdict: Verdict
    cause: Cause = Cause.UNTOLD
    word: str = ""
    told: str = ""


class Prepared(Protocol):
    """A control that is ready and has not left; good for one ``send``, and only while the line is held."""

    @property
    def frame_hash(self) -> str:
        """64 hexadecimal digits over the frame with its secrets blanked. Source: decision 7."""


class ControlDriver(Protocol):
    """One protocol's way to look at a switch and to move it.

    Every method but ``send`` and ``finish`` raises, beside what it says: ``ReplyTimeout``, ``LineLost``,
    ``LineBusy``, ``LineClosed``, ``HoldEnded``, ``BusFull`` from the line, ``BadAnswer`` for an answer that
    does not fit, ``Refused`` for a meter that does not give what was asked, and ``NoControl`` for an address
    that is not of one meter (CTRL-23).
    """

    async def identity(self, line: Exchanging, address: str) -> Identity:
        """Ask who is there, by single address."""

    async def firmware(self, line: Exchanging, address: str) -> tuple[str, ...]:
        """Maker and versions, in a fixed order; what the meter does not tell is empty."""

    async def clock(self, line: Exchanging, address: str) -> ClockLook:
        """Look at the meter's clock."""

    async def standing(self, line: Exchanging, address: str, known: Known = NOTHING_KNOWN) -> Standing:
        """Look at contact, command, guarantee, alarm, current, voltage and the newest records.

        What the meter refuses is ``None`` in the answer, and what nobody can read of what it tells.

        Args:
            line: running, or held.
            address: of the meter, 12 digits.
            known: of the model and firmware that answers there; see ``SHOWN_BY``.

        """

    async def opening(self, line: Exchanging, address: str) -> Opening:
        """Ask above which current the contact must not open (CTRL-14), and how long a trip waits (CTRL-20).

        What the meter refuses, or answers with what does not fit, is ``None`` in the answer.
        """

    async def purse(self, line: Exchanging, address: str, security: Security | None = None) -> Purse:
        """Look at the money.

        Args:
            line: running, or held.
            address: of the meter.
            security: where the meter tells its purchase count only to whom it knows, and for a proof of it: a
                provider; a session of its own is begun and ended. ``None`` and ``Plain``: by plain reads.

        Raises:
            SecurityFailed: there is no such session, or the proof is wrong.

        """

    async def prepare(self, line: Exchanging, address: str, command: Command, security: Security) -> Prepared:
        """Do what goes before a control; nothing is switched and no money moves.

        Raises:
            SecurityFailed: there is no proof: the provider is away, slow, or says no; or the meter refused
                the authentication. The order must not be sent; whatever was begun has been ended.

        """

    async def send(self, line: Exchanging, prepared: Prepared) -> ControlAnswer:
        """Let the octets leave, once; what becomes of that, the line's failures too, is in the answer.

        Cancelled while waiting, they may have left; if they have not, they never will.

        Raises:
            ValueError: it was sent before: a bug.

        """

    async def finish(self, line: Exchanging, prepared: Prepared) -> None:
        """End the authentication or association that ``prepare`` began; raises nothing from the line."""
