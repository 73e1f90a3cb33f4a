"""What would stop an order at its later steps, if nothing changed before they are taken.

A rehearsal of one step says nothing of the next ones: a clerk would prepare a day of trips while the kill
switch is thrown. So the later steps are imagined, each taken at once by whoever the posts ask for, and the
rules of their stages are asked in the same way as for an order that stands there. Whose hand it will be
nobody knows yet, so what depends on the person is not foretold; nor is what the meter itself will show.
Nothing is written.

Source: CTRL-10; decisions 24 and 27.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from meterlink.errors import NotAllowed
from meterlink.model.order import Order, OrderState, Origin
from meterlink.orders.judging.judge import Judge
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import THE_DAEMON, Actor, Role
from meterlink.orders.rules import Stage, Verdict
from meterlink.orders.rules.persons import needs_approval

_APPROVER: Final = Actor(name="(an approver)", roles=frozenset({Role.APPROVER}))
_DISPATCHER: Final = Actor(name="(a dispatcher)", roles=frozenset({Role.DISPATCHER}))
"""Stand for whoever will do it: nobody's name has a blank in it."""
_SIGNALS: Final = {
    Stage.APPROVE: (Signal.APPROVE, Signal.AUTHORISE),
    Stage.OPERATE: (Signal.ARM, Signal.OPERATE),
}
"""By which an order comes behind a step; behind the last one the meter is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """A rule that would stop an order later.

    Args:
        stage: at which step first.
        verdict: what it says.

    """

    stage: Stage
    verdict: Verdict


async def foreseen(
    judge: Judge, life: Life, *, now: datetime, said: Sequence[Verdict], behind: Stage | None = None
) -> list[Later]:
    """What would stop an order at the steps that follow, each sentence once.

    Args:
        judge: the rules.
        life: the order as it stands, or would.
        now: aware, UTC.
        said: verdicts of the step that is rehearsed; what they stop is not told again.
        behind: the step that is rehearsed, imagined as taken; ``None``: it is the creation.

    Raises:
        JournalError, EvidenceRefused: the facts cannot be read.

    """
    told = {(one.rule, one.en) for one in said if not one.passed}
    found: list[Later] = []
    stages = list(_stages(life.order))
    if behind is not None:
        ahead = stages.index(behind) + 1 if behind in stages else len(stages)
        stages, passed = stages[ahead:], stages[:ahead]
        if (taken := _taken(life, passed[-1:], now)) is None:
            return []
        life = taken
    for stage in stages:
        for verdict in await judge.judge(stage, life.order, life, _actor(stage, life.order)):
            if not verdict.passed and (verdict.rule, verdict.en) not in told:
                told.add((verdict.rule, verdict.en))
                found.append(Later(stage=stage, verdict=verdict))
        if (taken := _taken(life, [stage], now)) is None:
            break  # its deadline is over: that stops it, and stands there already
        life = taken
    return found


def _stages(order: Order) -> Iterator[Stage]:
    """The steps behind the creation at which rules are asked, but for the meter's own words."""
    if needs_approval(order.kind, order.origin):
        yield Stage.APPROVE
    yield Stage.OPERATE
    yield Stage.PAPER


def _actor(stage: Stage, order: Order) -> Actor:
    if stage is Stage.PAPER or order.origin is not Origin.PERSON:
        return THE_DAEMON
    return _APPROVER if stage is Stage.APPROVE else _DISPATCHER


def _taken(life: Life, stages: Sequence[Stage], now: datetime) -> Life | None:
    """An order behind some steps, as if they were taken now; ``None``: the machine takes them not."""
    try:
        for stage in stages:
            for signal in _signals(life, stage, now):
                is_operated = signal is Signal.OPERATE and life.armed_by
                actor = life.armed_by if is_operated else _actor(stage, life.order).name
                life = life.then(life.next(signal, at=now, actor=actor))
    except NotAllowed:
        return None
    return life


def _signals(life: Life, stage: Stage, now: datetime) -> Iterator[Signal]:
    """What is still to happen to an order until it stands behind a step."""
    if stage is Stage.OPERATE and life.state is OrderState.CREATED:
        yield Signal.AUTHORISE
    is_armed = life.armed_until is not None and now < life.armed_until
    for signal in _SIGNALS.get(stage, ()):
        if signal is not Signal.ARM or (life.order.origin is Origin.PERSON and not is_armed):
            yield signal
