"""What the service asks of the rules, and how their verdicts are written down."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from meterlink.errors import MeterlinkError
from meterlink.model.act import Basis, Topic
from meterlink.model.order import Order
from meterlink.orders.life.life import Life
from meterlink.orders.limits.trips import CUTS
from meterlink.orders.people import Actor
from meterlink.orders.rules.facts import Live
from meterlink.orders.rules.verdict import Stage, Verdict


class Judge(Protocol):
    """Gathers the facts of an order and asks every rule of a stage."""

    async def judge(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None = None
    ) -> Sequence[Verdict]:
        """What the rules say; a trip that passes at ``LIVE`` counts as sent from now on.

        Args:
            stage: what is about to happen.
            order: which order.
            life: how it stands; ``None``: it is being created.
            actor: who does it.
            live: what the meter said; at ``LIVE`` and only there.

        Raises:
            JournalError, EvidenceRefused: the facts cannot be read.

        """


class Holder(Protocol):
    """Keeps orders back until a person of another post has looked at them."""

    async def hold(self, life: Life, actor: Actor, verdicts: Sequence[Verdict]) -> bool:
        """See ``Brakes.hold``."""


class Stopped(MeterlinkError):
    """A rule stops what somebody asked for; nothing was done.

    Args:
        verdicts: of all the rules that were asked.

    """

    def __init__(self, verdicts: Sequence[Verdict]) -> None:
        stopping = [verdict for verdict in verdicts if not verdict.passed]
        super().__init__("; ".join(f"{verdict.rule}: {verdict.en}" for verdict in stopping))
        self.zh = "；".join(f"{verdict.rule}：{verdict.zh}" for verdict in stopping)
        self.verdicts = tuple(verdicts)


def basis_of(order: Order, number: int) -> Basis:
    """What the rules read of the log, so that it is known whether their verdict still holds.

    Brakes, holds, qualifications and changes of the roster are few, and count wherever they are. Evidence and
    orders count at the meter, and evidence of no meter; of a trip also how the others end, because they may
    brake its batch. How many trips go at once needs no log: who passes is counted before anybody waits.

    Args:
        order: that is judged.
        number: of the newest act when the judging begins.

    """
    return Basis(
        number=number,
        meter=order.meter,
        here=frozenset({Topic.EVIDENCE, Topic.ORDER}),
        anywhere=frozenset({Topic.POLICY, Topic.QUALIFICATION, Topic.ROSTER}),
        ends=frozenset({Topic.ORDER} if order.kind in CUTS else ()),
    )


def told(verdict: Verdict) -> dict[str, Any]:
    """A verdict for people and programs."""
    return {**verdict.body, "en": verdict.en, "zh": verdict.zh}


def written(verdicts: Iterable[Verdict]) -> list[dict[str, Any]]:
    """Verdicts as an act keeps them: the figures of all, and the words of those that stopped it."""
    return [dict(verdict.body) if verdict.passed else told(verdict) for verdict in verdicts]
