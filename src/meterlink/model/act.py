"""One thing that somebody did or found: a row of the log that can be neither changed nor taken out unseen.

Orders, evidence, approvals, work items, alarms and qualifications are all told in acts. What they are about
is their subject, and the acts of one subject are counted: two who want to do the next step at once cannot
both have it. All acts together are one chain, in which each one's hash covers the one before it.
"""

from __future__ import annotations

import enum
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Final

BODY_OCTETS_MAX: Final = 65_536
"""Longest body of an act, written as JSON."""
NUMBER_MAX: Final = 2**63 - 1
"""Greatest place in a chain, and greatest step of a subject: what SQLite counts to."""
FIRST_HASH: Final = "0" * 64
"""What stands before the first act of a chain."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Topic(enum.StrEnum):
    """What an act is about."""

    ORDER = "order"
    CASE = "case"
    EVIDENCE = "evidence"
    WORK = "work"
    ALARM = "alarm"
    QUALIFICATION = "qualification"
    POLICY = "policy"
    ROSTER = "roster"
    ACCESS = "access"
    SETTLEMENT = "settlement"
    ESTIMATE = "estimate"
    TERMINAL = "terminal"
    SUPPLY = "supply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One step of one subject.

    Args:
        topic: what kind of thing it is about.
        subject: which one: the id of an order, of a payment, of a meter, ...
        step: 1 for the first act of a subject, then one more each time.
        verb: what was done or found; of an order the name of the signal.
        at: when, by the daemon's clock; aware, UTC.
        actor: who: the name of a person, or ``meterlink`` for what the daemon did by itself.
        meter: our id of the meter it concerns; empty where it concerns none.
        body: what else there is to say, as JSON without fractions: text, whole numbers, truth values, lists
            and tables; never a secret. Decimals and times are text.
        is_open: whether the subject still waits for something after this act.

    """

    topic: Topic
    subject: str
    step: int
    verb: str
    at: datetime
    actor: str
    meter: str = ""
    body: Mapping[str, Any] = field(default_factory=lambda: _NOTHING)
    is_open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAct:
    """An act as the log keeps it.

    Args:
        number: its place in the chain, from 1, without gaps.
        hash: 64 hexadecimal digits, over the act, its number and the hash before it.
        act: what was kept.

    """

    number: int
    hash: str
    act: Act

    @property
    def meter(self) -> str:
        """As of a record; empty where it concerns none."""
        return self.act.meter

    @property
    def data_class(self) -> str:
        """As of a record: its topic."""
        return self.act.topic.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Which acts a decision has looked at: any more of them, and it has to be made again.

    Args:
        number: of the newest act that was in the log when the look began.
        meter: our id of the meter that it is about.
        others: meters that stood in its place before it or do now: what is told of them counts the same.
        here: topics of which acts of those meters, or of none, count.
        anywhere: topics of which every act counts.
        ends: topics of which an act counts that ends its subject, wherever that is.

    """

    number: int
    meter: str
    others: frozenset[str] = frozenset()
    here: frozenset[Topic] = frozenset()
    anywhere: frozenset[Topic] = frozenset()
    ends: frozenset[Topic] = frozenset()


def canonical(act: Act, number: int) -> bytes:
    """An act and its place as octets; the same act gives the same octets for ever.

    Raises:
        ValueError: the body holds a fraction, something that is no JSON, or too much; a time without zone.

    """
    if act.at.utcoffset() is None:
        raise ValueError("a time needs a zone")
    told: dict[str, Any] = {
        "actor": act.actor,
        "at": act.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "body": act.body,
        "is_open": act.is_open,
        "meter": act.meter,
        "number": number,
        "step": act.step,
        "subject": act.subject,
        "topic": act.topic.value,
        "verb": act.verb,
    }
    return written(told)


def written(document: Mapping[str, Any]) -> bytes:
    """A document as canonical JSON: keys in order, nothing but ASCII, no blanks.

    Raises:
        ValueError: it holds what an act's body does not, or is longer than ``BODY_OCTETS_MAX``.

    """
    octets = json.dumps(
        plain(document), ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":")
    ).encode()
    if len(octets) > BODY_OCTETS_MAX:
        raise ValueError(f"an act of {len(octets)} octets: {BODY_OCTETS_MAX} are allowed")
    return octets


def link(before: str, act: Act, number: int) -> str:
    """The hash of an act behind another.

    Args:
        before: the hash of the act before it; ``FIRST_HASH`` for the first.
        act: the act.
        number: its place.

    Raises:
        ValueError: the act cannot be written, see ``canonical``.

    """
    return hashlib.sha256(bytes.fromhex(before) + canonical(act, number)).hexdigest()


def plain(value: object) -> Any:
    """What an act's body says, in dictionaries and lists of its own, as JSON can write it.

    Fractions have no one way of being written, so they are text; and a key is text.

    Raises:
        ValueError: something that an act's body does not hold.

    """
    match value:  # in the order of how often each is met: a long log is read through here
        case str():
            value.isascii() or value.encode()  # a lone surrogate could be kept and never be published
            return value
        case None | bool() | int():
            return value
        case dict() | Mapping():
            return {_key(key): plain(inner) for key, inner in value.items()}
        case list() | tuple():
            return [plain(inner) for inner in value]
        case _:
            raise ValueError(f"an act's body holds no {type(value).__name__}")


def _key(key: object) -> str:
    if not isinstance(key, str):
        raise ValueError(f"a key of an act's body is text, not {type(key).__name__}")
    return key
