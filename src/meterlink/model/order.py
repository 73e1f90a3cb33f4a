"""What somebody wants done at one meter, and where such an order can stand."""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from meterlink.model.act import written
from meterlink.model.payload import time_in, time_out

ORDER_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""What a caller may call an order: 1 to 64 characters, nothing that a path or topic takes for its own."""
OWN_IDS: Final = ("pay-", "case-", "probe-")
"""How ids begin that the daemon gives to orders of payments, cases and probes; no caller may use one."""
REASON_MAX: Final = 500
"""Characters of a reason."""
NAME_MAX: Final = 200
"""Characters of each other name in an order: of a meter, a record, a case; ``SENDER:ID`` has 129."""
AMOUNT_MAX_CENTS: Final = 100_000_000_000
"""Above a thousand million yuan somebody has mistaken a unit; the rules allow far less."""
TRANSMISSIONS_MAX: Final = 3
"""Frames of control that one order may cost, ever. Source: decision 21."""


class OrderKind(enum.StrEnum):
    """What is to be done. Source: control-and-prepayment, sections 1.2, 2.2, 4.1, 4.2 and 4.7."""

    TRIP = "trip"
    PERMIT_CLOSE = "permit_close"
    DIRECT_CLOSE = "direct_close"
    TOP_UP = "top_up"
    GUARANTEE_ON = "guarantee_on"
    GUARANTEE_OFF = "guarantee_off"
    ALARM_ON = "alarm_on"
    ALARM_OFF = "alarm_off"

    @classmethod
    def _missing_(cls, value: object) -> OrderKind | None:
        """Say why what meters know is no order here.

        Raises:
            ValueError: one of ``NOT_ORDERED``.

        """
        if isinstance(value, str) and value in NOT_ORDERED:
            raise ValueError(f"{value} is not ordered by this program: {NOT_ORDERED[value]}")
        return None


NOT_ORDERED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "trip_auto_direct_close": "a trip that closes by itself (1DH) closes early after a power cut, and "
        "closes although nobody has looked; order a trip and a closing",
        "trip_auto_permit_close": "a trip that permits closing by itself (1EH) does so early after a power "
        "cut; order a trip and a closing",
        "open_account": "opening a wallet (070101FF; F100 method 6, operation 0) is commissioning (TOP-10), "
        "and no role or procedure of it is given",
        "initialise_wallet": "070103FF and F100 method 10 erase the money in a meter, with test keys only: "
        "commissioning (TOP-10)",
        "update_keys": "a wrong key ends every later order; its key blocks are the utility's (TOP-10)",
        "refund": "no source tells how in DL/T 645, and one alone what F100 method 6, operation 2, checks in "
        "DL/T 698.45 (TOP-09); refund outside the meter",
    }
)
"""What meters know and nothing here sends, and why. Source: control-and-prepayment, 1.2, 2.2 and 4.7."""

CLOSES: Final = frozenset({OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE})
"""What lets current flow again."""
SWITCHING: Final = frozenset({OrderKind.TRIP, OrderKind.GUARANTEE_ON, OrderKind.GUARANTEE_OFF}) | CLOSES
"""What may move a contact. Source: CTRL-22."""
BELIEVED_NO: Final = frozenset({OrderKind.ALARM_ON, OrderKind.ALARM_OFF})
"""Of which a meter's no is taken at its word: they move neither contact nor money."""


class OrderState(enum.StrEnum):
    """Where an order stands. Source: decision 21."""

    CREATED = "created"
    AUTHORISED = "authorised"
    QUEUED = "queued"
    PRECHECK = "precheck"
    SENDING = "sending"
    ACCEPTED = "accepted"
    UNCONFIRMED = "unconfirmed"
    READBACK = "readback"
    DONE = "done"
    WAITING_FOR_KEY = "waiting_for_key"
    NOT_DONE = "not_done"
    UNKNOWN = "unknown"
    RELAY_FAULT = "relay_fault"
    REJECTED = "rejected"
    REFUSED = "refused"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class Origin(enum.StrEnum):
    """Who began an order; arming is for persons alone. Source: decision 24."""

    PERSON = "person"
    POLICY = "policy"
    PAYMENT = "payment"
    PROBE = "probe"
    """A person at the meter, who finds out what its model does. Source: decision 33."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One order, as its caller gave it; nothing in it ever changes.

    Args:
        id: made by the caller, matches ``ORDER_ID``; the same id with the same body is the same order.
        kind: what is to be done.
        meter: our id of the meter.
        reason: why, for people; 1 to ``REASON_MAX`` characters.
        deadline_at: no octet leaves after this, and no meter obeys after this; aware, UTC, whole seconds.
        origin: a person, a policy, or a payment.
        amount_cents: money of a top-up, 1 to ``AMOUNT_MAX_CENTS``; ``None`` for everything else.
        payment: id of the payment record that a top-up or a reconnection comes from; empty: none.
        case: id of the disconnect case that a trip ends; empty: none.
        reference: id of the consent, filing, dispute or work order that a rule asks for; empty: none.

    """

    id: str
    kind: OrderKind
    meter: str
    reason: str
    deadline_at: datetime
    origin: Origin = Origin.PERSON
    amount_cents: int | None = None
    payment: str = ""
    case: str = ""
    reference: str = ""

    def __post_init__(self) -> None:
        """Refuse what could be no order of anybody's.

        Raises:
            ValueError: an id, text or amount out of bounds or of another kind, a time without zone, money
                where none belongs.

        """
        if not ORDER_ID.fullmatch(self.id):
            raise ValueError(
                "an order's id has 1 to 64 of A-Z a-z 0-9 . _ : - and begins with a letter or digit"
            )
        self._check_texts()
        if self.deadline_at.tzinfo is None or self.deadline_at.microsecond:
            raise ValueError("a deadline has a zone and whole seconds")
        self._check_amount()

    def _check_texts(self) -> None:
        for name in ("meter", "reason", "payment", "case", "reference"):
            value: object = getattr(self, name)
            if not isinstance(value, str):
                raise ValueError(f"{name} is a text, in quotes")
            if name != "reason" and len(value) > NAME_MAX:
                raise ValueError(f"{name} has at most {NAME_MAX} characters")
        if not 1 <= len(self.reason.strip()) <= len(self.reason) <= REASON_MAX:
            raise ValueError(f"an order needs a reason of 1 to {REASON_MAX} characters")

    def _check_amount(self) -> None:
        cents: object = self.amount_cents
        if (cents is not None) != (self.kind is OrderKind.TOP_UP):
            raise ValueError("a top-up has an amount, and nothing else has")
        if cents is None:
            return
        if not isinstance(cents, int) or isinstance(cents, bool):
            raise ValueError("an amount is a whole number of cents")
        if not 1 <= cents <= AMOUNT_MAX_CENTS:
            raise ValueError(f"a top-up is of at least one cent, and of at most {AMOUNT_MAX_CENTS}")

    @property
    def body(self) -> dict[str, Any]:
        """All of it but the id, as JSON; orders of the same body want the same."""
        return {
            "kind": self.kind.value,
            "meter": self.meter,
            "reason": self.reason,
            "deadline_at": time_out(self.deadline_at),
            "origin": self.origin.value,
            "amount_cents": self.amount_cents,
            "payment": self.payment,
            "case": self.case,
            "reference": self.reference,
        }

    @property
    def digest(self) -> str:
        """64 hexadecimal digits over the body."""
        return hashlib.sha256(written(self.body)).hexdigest()

    @classmethod
    def of(cls, order_id: str, body: Mapping[str, Any]) -> Order:
        """The order of an id and a body.

        Raises:
            ValueError, TypeError, KeyError: that is no order.

        """
        fields = dict(body)
        return cls(
            id=order_id,
            kind=OrderKind(fields.pop("kind")),
            origin=Origin(fields.pop("origin")),
            deadline_at=time_in(fields.pop("deadline_at")),
            **fields,
        )
