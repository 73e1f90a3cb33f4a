"""Evidence: what other systems and people tell us, as typed records; the rules read nothing else.

meterlink computes no bill and sends no message. That somebody owes, was warned, was told, paid or agreed is
the word of a sender, who has an own id for it and says when it happened. A record never changes. One that
says of another what became of it (a receipt, a lifting) is a record too. Source: decision 25.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictBool,
    StrictInt,
    TypeAdapter,
    ValidationError,
)

from meterlink.config.meters import ProtectedKind, TwelveDigits
from meterlink.config.table import Table
from meterlink.errors import EvidenceRefused
from meterlink.model.payload import time_in, time_out
from meterlink.orders.people import Sender

RECORD_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
"""What a sender may call a record: 1 to 64 characters."""
MONEY_MAX_CENTS: Final = 100_000_000_000
"""Above a thousand million yuan somebody has mistaken a unit."""
DAYS_MAX: Final = 30


def _record_id(text: str) -> str:
    if not RECORD_ID.fullmatch(text):
        raise ValueError("write 1 to 64 of A-Z a-z 0-9 . _ : - beginning with a letter or digit")
    return text


def _instant(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        return time_in(value)
    except (ValueError, TypeError, OverflowError):
        raise ValueError('write a time with its zone, e.g. "2026-11-22T09:30:00+08:00"') from None


Instant = Annotated[datetime, BeforeValidator(_instant), PlainSerializer(time_out)]
RecordId = Annotated[str, AfterValidator(_record_id)]
Owed = Annotated[StrictInt, Field(ge=1, le=MONEY_MAX_CENTS)]
Words = Annotated[str, Field(min_length=1, max_length=200)]


def full_id_of(text: str) -> str:
    """A full id with its sender in small letters; older logs have other ones."""
    sender, colon, name = text.partition(":")
    return f"{sender.lower()}{colon}{name}"


class Record(Table):
    """What all have in common.

    Its full id is ``SENDER:ID``: that is how an order, or another record, refers to it.
    """

    is_personal: ClassVar[bool] = True
    """Whether it concerns one meter; else it concerns areas."""

    id: RecordId = Field(description="The sender's own id; the same id is the same record.")
    sender: Sender = Field(description="Which system or person says so; kept in small letters.")
    at: Instant = Field(description="When it happened, with a zone.")
    meter: str = Field("", max_length=64, description="Our id of the meter; or name the customer.")
    customer: TwelveDigits = Field("", description="12 digits; enough where the customer has one meter.")

    @property
    def full_id(self) -> str:
        """``SENDER:ID``."""
        return f"{self.sender}:{self.id}"

    @property
    def body(self) -> dict[str, Any]:
        """All of it as JSON; records of the same body say the same."""
        return self.model_dump(mode="json")


class BalanceStatement(Record):
    """How an account stands: what is left, or below 0 what is owed."""

    kind: Literal["balance_statement"] = "balance_statement"
    balance_cents: Annotated[StrictInt, Field(ge=-MONEY_MAX_CENTS, le=MONEY_MAX_CENTS)] = Field(
        description="Without fees in dispute; below 0: owed."
    )
    overdue_since: Instant | None = Field(
        None, description="Since when the oldest debt is due; none: nothing is."
    )
    readings_until: Instant | None = Field(
        None, description="Of a balance by readings: time of the newest one."
    )
    readings: tuple[RecordId, ...] = Field(
        (), max_length=16, description="Ids of the readings it was made of."
    )


class Warning_(Record):  # noqa: N801 - Python has a Warning
    """An attempt to warn somebody; whether it came there a receipt says."""

    kind: Literal["warning"] = "warning"
    channel: Literal["sms", "app", "phone", "paper", "meter_alarm"] = Field(description="How.")


class Notice(Record):
    """The notice that supply will be cut off; it counts from the receipt of its delivery."""

    kind: Literal["notice"] = "notice"
    owed_cents: Owed = Field(description="What it says is owed.")


class FinalNotice(Record):
    """The last notice, on the day itself."""

    kind: Literal["final_notice"] = "final_notice"
    channel: Literal["sms", "app", "phone", "paper", "in_person"] = Field(description="How.")


class Receipt(Record):
    """What became of a warning or notice of the same sender."""

    kind: Literal["receipt"] = "receipt"
    of: RecordId = Field(description="Its id.")
    outcome: Literal["delivered", "failed"] = Field(description="Whether it came there.")
    why: str = Field("", max_length=200, description="Of a failure: no number on file, rejected, ...")


class Payment(Record):
    """Money that came in."""

    kind: Literal["payment"] = "payment"
    amount_cents: Owed = Field(description="How much.")
    settles: StrictBool = Field(description="Whether nothing is owed any more.")
    channel: str = Field("", max_length=32, description="Counter, bank, app, ...")
    transfer: str = Field(
        "", max_length=64, description="The bank's or app's own number of it, the same whoever tells it."
    )


class Consent(Record):
    """The customer wants supply back without pressing a key."""

    kind: Literal["consent"] = "consent"
    form: Literal["written", "recorded"] = Field(description="On paper, or now, by a recorded channel.")
    until: Instant | None = Field(
        None, description="Last moment that it holds; none: of a written one, for ever."
    )


class Filing(Record):
    """A notice was filed with the authority."""

    kind: Literal["filing"] = "filing"
    of: RecordId = Field(description="Id of the notice, of the same sender.")
    authority: Words = Field(description="With whom.")
    number: Words = Field(description="Its reference there.")


class Dispute(Record):
    """The customer contests the debt, or that ended."""

    kind: Literal["dispute"] = "dispute"
    dispute: RecordId = Field(description="The dispute's own id, the same in all its records.")
    state: Literal["opened", "upheld", "rejected"] = Field(description="Where it stands.")


class SafetyHold(Record):
    """An inspector forbids that supply comes back, or allows it again."""

    kind: Literal["safety_hold"] = "safety_hold"
    hold: RecordId = Field(description="The hold's own id, the same in all its records.")
    state: Literal["set", "released"] = Field(description="Where it stands.")
    why: Words = Field(description="Theft, danger, contract ended, ...")


class Protection(Record):
    """Somebody became a protected customer, or is none any more, beside what the roster says."""

    kind: Literal["protection"] = "protection"
    protection: ProtectedKind = Field(description="Which kind.")
    state: Literal["set", "lifted"] = Field(description="Where it stands.")


class Agreement(Record):
    """What a customer signed: prepayment, and what may happen without a person."""

    kind: Literal["agreement"] = "agreement"
    automatic_trips: StrictBool = Field(description="Whether supply may be cut off by a policy.")
    overdraft_cents: Annotated[StrictInt, Field(ge=0, le=MONEY_MAX_CENTS)] = Field(
        0, description="How far below 0 the balance may go."
    )
    notice_days: Annotated[StrictInt, Field(ge=1, le=DAYS_MAX)] | None = Field(
        None, description="A shorter notice that was agreed explicitly."
    )
    warnings: Annotated[StrictInt, Field(ge=1, le=10)] | None = Field(
        None, description="Fewer warnings that were agreed explicitly."
    )
    until: Instant | None = Field(None, description="Last moment that it holds.")


class WorkOrder(Record):
    """Somebody may reconnect without a payment: a repair, a change of tenant, ..."""

    kind: Literal["work_order"] = "work_order"
    until: Instant = Field(description="Last moment that it holds.")
    why: Words = Field(description="What for.")


class ProbeOrder(Record):
    """Somebody may try a customer's meter out: its supply goes off and comes back while he stands there."""

    kind: Literal["probe_order"] = "probe_order"
    until: Instant = Field(description="Last moment that it holds.")
    premises: Words = Field(description="Why the premises may be switched, and who there agreed.")


class Policy(Record):
    """A version of the policy by which supply is cut off without a person; it needs a second one's word."""

    is_personal: ClassVar[bool] = False

    kind: Literal["policy"] = "policy"
    areas: tuple[Annotated[str, Field(max_length=64)], ...] = Field(
        min_length=1, max_length=1_000, description="Transformer areas that it is for."
    )
    until: Instant = Field(description="Last moment that it holds.")
    trips_per_area_day: Annotated[StrictInt, Field(ge=1, le=200)] = Field(
        200, description="Most trips of an area in 24 hours."
    )


Evidence = (
    BalanceStatement
    | Warning_
    | Notice
    | FinalNotice
    | Receipt
    | Payment
    | Consent
    | Filing
    | Dispute
    | SafetyHold
    | Protection
    | Agreement
    | WorkOrder
    | ProbeOrder
    | Policy
)
_STANDING: Final = frozenset({"set", "opened", "upheld"})


def keeps_from_harm(record: Evidence) -> bool:
    """Whether a record stands against a disconnection or a danger: money, a dispute, a protection, a hold."""
    if isinstance(record, Dispute | SafetyHold | Protection):
        return record.state in _STANDING
    return isinstance(record, Payment)


_ANY: Final[TypeAdapter[Evidence]] = TypeAdapter(Annotated[Evidence, Field(discriminator="kind")])
KINDS: Final = tuple(sorted(kind.model_fields["kind"].default for kind in Record.__subclasses__()))
"""Every kind of record."""
SAYINGS: Final[Mapping[str, str]] = {
    "union_tag_invalid": "is no kind of evidence; there are: " + ", ".join(KINDS),
    "union_tag_not_found": "kind is missing; there are: " + ", ".join(KINDS),
    "model_attributes_type": "a record is a table (JSON: {...})",
    "extra_forbidden": "is unknown here: take it away, or see the list of keys in docs/evidence.md",
    "missing": "is missing",
    "int_type": "must be a whole number, without quotes (money: cents)",
    "bool_type": "must be true or false",
    "string_type": 'must be text, in quotes: "..."',
}


def parse(document: object) -> Evidence:
    """The record of a document.

    Args:
        document: what came as JSON.

    Raises:
        EvidenceRefused: it is none; the message says each key, what is wrong with it, and what to do.

    """
    try:
        record = _ANY.validate_python(document)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise EvidenceRefused(
            "; ".join(_told(fault["loc"], fault["type"], fault["msg"]) for fault in faults)
        ) from None
    if record.is_personal and not record.meter and not record.customer:
        raise EvidenceRefused("meter: name the meter (our id) or the customer (12 digits)")
    if not record.is_personal and (record.meter or record.customer):
        raise EvidenceRefused("meter: a policy is for areas, not for one meter: take meter and customer away")
    return record


def _told(place: tuple[int | str, ...], kind: str, message: str) -> str:
    where = ".".join(str(part) for part in place[1:])
    said = SAYINGS.get(kind, message.removeprefix("Value error, "))
    return f"{where}: {said}" if where else said
