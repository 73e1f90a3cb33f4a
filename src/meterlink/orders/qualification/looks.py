"""What a probe sees and what it finds: the nouns of a qualification."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from meterlink.drivers.control import ClockLook, Identity, Standing, Verdict
from meterlink.model.order import OrderState

Facts = Mapping[str, str]
"""Value by fact; what is not there is unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A sentence for people.

    Args:
        en: in English.
        zh: in Chinese.

    """

    en: str
    zh: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a probe found.

    Args:
        facts: values of facts.
        stop: why the qualification ends here.
        is_contradiction: whether that speaks against the model, and not only against this walk.
        again: something at the meter has to be done first; the probe is repeated.

    """

    facts: Facts = field(default_factory=dict)
    stop: Words | None = None
    is_contradiction: bool = True
    again: Words | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What a meter says before anything is sent.

    Args:
        identity: who it says to be, at the beginning and at the end.
        expected: what the file says: address and number of the meter.
        firmware: maker and versions; empty: it does not tell.
        clocks: its clock, ``CLOCK_WATCHED`` apart; ``None``: it refuses, or shows no time.
        standing: how it stands.

    """

    identity: tuple[Identity, Identity]
    expected: Identity
    firmware: str
    clocks: tuple[ClockLook | None, ClockLook | None]
    standing: Standing


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What an order of a probe led to.

    Args:
        protocol: of the meter.
        state: where the order stands.
        verdict: what came back for its frame; ``None``: none left, or nobody saw an answer.
        told: what the order's end says, for people.
        before: how the meter stood; ``None``: no frame left.
        after: how it stood in the newest look; ``None``: nobody could look.
        known: what was found before.
        basic_current_a: of the meter, in A.

    """

    protocol: str
    state: OrderState
    verdict: Verdict | None
    told: str
    before: Standing | None
    after: Standing | None
    known: Facts
    basic_current_a: Decimal
