"""One read-back, what is known of the meter's model, and what both prove: the nouns of every proof."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from meterlink.drivers.control import ClockLook, Verdict
from meterlink.model.order import OrderKind
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.transmission import Transmission
from meterlink.orders.life.written import Seen


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One read-back.

    Args:
        started_at: when its first question about switch or purse left; aware, UTC.
        seen: what came.
        clock: the meter's clock, read before that in the same holding of the line; ``None``: not read.

    """

    started_at: datetime
    seen: Seen
    clock: ClockLook | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conclusion:
    """What the looks at a meter prove.

    Args:
        signal: what happened to the order; ``None``: nothing is proved yet.
        proof: of ``PROVE_NOT``: why the frame had no effect, for the body of its act.
        inputs: what was compared, for the log.

    """

    signal: Signal | None
    proof: str = ""
    inputs: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What there is to judge: one frame, and the looks since it left.

    Args:
        kind: what was ordered.
        amount_cents: of a top-up; otherwise 0.
        sent: the frame.
        left_by: when its octets had left, if they ever did.
        looks: oldest first, at least one.
        facts: of the meter's model.
        reply_timeout: longest that the meter may take to answer on this line.
        is_probe: whether it was sent to find out what the meter does.

    """

    kind: OrderKind
    amount_cents: int
    sent: Transmission
    left_by: datetime
    looks: Sequence[Look]
    facts: SwitchFacts
    reply_timeout: timedelta
    is_probe: bool = False

    @property
    def look(self) -> Look:
        """The newest."""
        return self.looks[-1]

    @property
    def age(self) -> timedelta:
        """How long the frame was gone when the newest look began."""
        return self.look.started_at - self.left_by

    @property
    def was_accepted(self) -> bool:
        """Whether the meter said "received"."""
        return self.sent.answer is not None and self.sent.answer.verdict is Verdict.ACCEPTED

    @property
    def was_rejected(self) -> bool:
        """Whether the meter said no."""
        return self.sent.answer is not None and self.sent.answer.verdict is Verdict.REJECTED
