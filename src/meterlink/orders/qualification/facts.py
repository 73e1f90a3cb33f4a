"""What was proven of a model and its firmware, who signed for it, and which orders depend on which facts.

A qualification is an act of its own, signed with the gateway's key. It stands until something contradicts it:
then all firmware versions of that model fall with it. What a profile says fills in what a qualification left
open; where both say something else, the fact is not proven. Source: decisions 33 and 34.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from meterlink.audit.keys import GatewayKey, is_signed
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_in, time_out
from meterprofiles.facts import FACTS
from meterprofiles.schema import DLT698, Profile

PURPOSE: Final = "qualification"
"""What a signature of one is for."""
FIRMWARE_MAX: Final = 120
"""Characters of a firmware's version, its maker among them."""
MODELS_MAX: Final = 10_000
"""Qualifications that stand at one time."""
Facts = Mapping[str, str]
"""Value by fact; what is not there is unknown."""
_CONTACT: Final = ("contact_bit", "expiry", "answers_late")

NEEDS: Final[Mapping[OrderKind, tuple[str, ...]]] = {
    OrderKind.TRIP: _CONTACT,
    OrderKind.PERMIT_CLOSE: (*_CONTACT, "permit_waits_for_key"),
    OrderKind.DIRECT_CLOSE: _CONTACT,
    OrderKind.GUARANTEE_ON: (*_CONTACT, "guarantee_on"),
    OrderKind.GUARANTEE_OFF: (*_CONTACT, "guarantee_off"),
    OrderKind.ALARM_ON: ("alarm_is_breaker", "expiry", "answers_late"),
    OrderKind.ALARM_OFF: ("alarm_is_breaker", "expiry", "answers_late"),
    OrderKind.TOP_UP: (),
}
"""Facts that each kind of order depends on, whatever the meter speaks. Money moves no contact."""
_SWITCHED: Final = frozenset({OrderKind.TRIP, OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE})
_NEEDS_BY_PROTOCOL: Final[Mapping[str, Mapping[OrderKind, tuple[str, ...]]]] = {
    DLT698: {
        OrderKind.TRIP: ("attr5_bits",),
        OrderKind.PERMIT_CLOSE: ("attr5_bits", "close_numbers"),
        OrderKind.DIRECT_CLOSE: ("attr5_bits", "close_numbers"),
    },
    "dlt645-2007": dict.fromkeys(_SWITCHED, ("command_bit",)),
}
HARMFUL: Final[Mapping[str, str]] = {
    "contact_bit": "open_is_zero",
    "close_numbers": "direct_permit",
    "answers_late": "yes",
    "alarm_is_breaker": "yes",
    "guarantee_off": "opens",
}
"""Values that no order of ours is made for: known or not, what depends on such a fact is refused."""
_ENDLESS: Final = frozenset({"ignored", "no_clock"})
"""Values of ``expiry`` with which a frame may be obeyed for ever: only where nothing stores frames."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Qualification:
    """What was proven of one model and firmware.

    Args:
        protocol: what it speaks.
        model: as the configuration names it.
        firmware: maker and versions, as the meter tells them.
        facts: value by fact; what is not there is unknown.
        by: who stood at the meter.
        at: when it ended; aware, UTC.
        meter: our id of the meter at which it was done.
        session: id of the walk through the probes.

    """

    protocol: str
    model: str
    firmware: str
    facts: Mapping[str, str]
    by: str
    at: datetime
    meter: str
    session: str

    @property
    def subject(self) -> str:
        """What its acts are about."""
        return subject_of(self.protocol, self.model, self.firmware)

    @property
    def document(self) -> dict[str, Any]:
        """What is signed."""
        return {
            "protocol": self.protocol,
            "model": self.model,
            "firmware": self.firmware,
            "facts": dict(self.facts),
            "by": self.by,
            "at": time_out(self.at),
            "meter": self.meter,
            "session": self.session,
        }

    def act(self, key: GatewayKey, *, step: int) -> Act:
        """The act that keeps it, signed."""
        return Act(
            topic=Topic.QUALIFICATION,
            subject=self.subject,
            step=step,
            verb="qualify",
            at=self.at,
            actor=self.by,
            meter=self.meter,
            body={
                **self.document,
                "key": key.public_hex,
                "signature": key.sign(PURPOSE, self.document),
            },
            is_open=True,
        )

    @classmethod
    def of(cls, kept: KeptAct, public_hex: str) -> Qualification:
        """The qualification of an act.

        Args:
            kept: its act.
            public_hex: the gateway's key.

        Raises:
            ValueError: another key signed it, or nobody did.
            KeyError, TypeError: that is none.

        """
        body = kept.act.body
        found = cls.of_body(body)
        if found.subject != kept.act.subject or any(key not in FACTS for key in found.facts):
            raise ValueError(f"{kept.act.subject}: the qualification is of something else")
        if not is_signed(public_hex, str(body["signature"]), PURPOSE, found.document):
            raise ValueError(f"{kept.act.subject}: this gateway's key has not signed the qualification")
        return found

    @classmethod
    def of_body(cls, body: Mapping[str, Any]) -> Qualification:
        """The qualification of a body that is known to be ours.

        Raises:
            ValueError, KeyError, TypeError: that is none.

        """
        return cls(
            protocol=body["protocol"],
            model=body["model"],
            firmware=body["firmware"],
            facts=dict(body["facts"]),
            by=body["by"],
            at=time_in(body["at"]),
            meter=body["meter"],
            session=body["session"],
        )


def subject_of(protocol: str, model: str, firmware: str) -> str:
    """What the acts of a qualification are about."""
    return f"{protocol}/{model}/{firmware}"


def firmware_of(texts: Iterable[str]) -> str:
    """Maker and versions as one text; empty: the meter tells none of them.

    Args:
        texts: as the meter tells them, in a fixed order; empty where it does not.

    """
    said = ["".join(c if c.isascii() and c.isprintable() else "?" for c in text).strip() for text in texts]
    return "|".join(said)[:FIRMWARE_MAX] if any(said) else ""


def combined(profile: Profile, proven: Facts) -> tuple[dict[str, str], tuple[str, ...]]:
    """What is known of a model, and the facts of which profile and qualification say something else.

    Args:
        profile: of the model.
        proven: what a qualification found.

    """
    told = dict(profile.control.known)
    clash = tuple(key for key, value in told.items() if proven.get(key, value) != value)
    known = {key: value for key, value in {**told, **proven}.items() if key not in clash}
    return known, clash


def needs_of(protocol: str, kind: OrderKind) -> tuple[str, ...]:
    """The facts that such an order depends on."""
    return (*NEEDS[kind], *_NEEDS_BY_PROTOCOL.get(protocol, {}).get(kind, ()))


def unproven(protocol: str, kind: OrderKind, known: Facts, *, line_is_ours: bool) -> tuple[str, ...]:
    """The facts that forbid such an order: unknown, or of a value that no order of ours is made for.

    Args:
        protocol: of the meter.
        kind: of the order.
        known: value by fact.
        line_is_ours: whether nothing on its line keeps frames.

    """
    found = []
    for key in needs_of(protocol, kind):
        value = known.get(key)
        if value is None:
            found.append(key)
        elif HARMFUL.get(key) == value or (key == "expiry" and value in _ENDLESS and not line_is_ours):
            found.append(f"{key}={value}")
    return tuple(found)


def agreed(qualifications: Iterable[Qualification]) -> dict[str, str]:
    """The facts on which all agree."""
    found: dict[str, str] | None = None
    for one in qualifications:
        same = dict(one.facts) if found is None else found
        found = {key: value for key, value in same.items() if one.facts.get(key) == value}
    return found or {}
