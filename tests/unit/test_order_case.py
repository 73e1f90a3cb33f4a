"""The case for a disconnection: its table, its times, and what stops it."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from meterlink.errors import NotAllowed
from meterlink.model.act import Act, KeptAct
from meterlink.model.payload import time_out
from meterlink.orders.cases.machine import (
    CASE_ENDS,
    LAPSES_AFTER,
    NOTICE_LASTS,
    NOTICES_MAX,
    TRANSITIONS,
    Case,
    CaseSignal,
    CaseState,
)
from tests.support.orders import NOON

SECOND = timedelta(seconds=1)
WEEK = timedelta(days=7)
HALF_HOUR = timedelta(minutes=30)
CANCELS = (CaseSignal.CANCEL, CaseSignal.PAYMENT, CaseSignal.DISPUTE, CaseSignal.PROTECT)
WAYS: dict[CaseState, tuple[CaseSignal, ...]] = {
    CaseState.DRAFT: (),
    CaseState.WARNED: (CaseSignal.WARN,),
    CaseState.NOTICED: (CaseSignal.WARN, CaseSignal.NOTICE),
}
WAYS[CaseState.PENDING_APPROVAL] = (*WAYS[CaseState.NOTICED], CaseSignal.SUBMIT)
WAYS[CaseState.APPROVED] = (*WAYS[CaseState.PENDING_APPROVAL], CaseSignal.APPROVE)
WAYS[CaseState.FINAL_NOTICE] = (*WAYS[CaseState.APPROVED], CaseSignal.ANNOUNCE)
WAYS[CaseState.ORDERED] = (*WAYS[CaseState.FINAL_NOTICE], CaseSignal.ORDER)
WAYS[CaseState.REJECTED] = (*WAYS[CaseState.PENDING_APPROVAL], CaseSignal.REJECT)
WAYS[CaseState.CANCELLED] = (CaseSignal.CANCEL,)
WAYS[CaseState.EXPIRED] = (CaseSignal.LAPSE,)


class _Story:
    """A case whose steps come as early as they may."""

    def __init__(self, state: CaseState = CaseState.DRAFT) -> None:
        self.at = NOON
        self.acts: list[Act] = [
            Case.begin("c-1", "m1", at=NOON, actor="clerk", body={"arrears_cents": 9_900, "seen": 7})
        ]
        for signal in WAYS[state]:
            self.take(signal)

    @property
    def case(self) -> Case:
        return Case.of(self.acts)

    def take(
        self, signal: CaseSignal, *, after: timedelta = SECOND, actor: str = "anna", **body: Any
    ) -> Case:
        case = self.case
        at = self.at + after
        if signal is CaseSignal.LAPSE and case.lapses_at is not None:
            at = max(at, case.lapses_at)
        elif signal in (CaseSignal.SUBMIT, CaseSignal.ORDER) and case.earliest_at and after == SECOND:
            at = max(at, case.earliest_at)
        told = {**_body(signal, at), **body}
        self.acts.append(case.next(signal, at=at, actor=actor, body=told))
        self.at = at
        return self.case

    def why(self, signal: CaseSignal, **step: Any) -> str:
        with pytest.raises(NotAllowed) as refused:
            self.take(signal, **step)
        return refused.value.why


def _body(signal: CaseSignal, at: Any) -> dict[str, Any]:
    if signal is CaseSignal.NOTICE:
        return {"delivered_at": time_out(at), "earliest_at": time_out(at + WEEK)}
    if signal is CaseSignal.ANNOUNCE:
        return {"sent_at": time_out(at), "earliest_at": time_out(at + HALF_HOUR)}
    return {"order": "o-1"} if signal is CaseSignal.ORDER else {}


@pytest.mark.parametrize(("state", "signal"), list(product(CaseState, CaseSignal)))
def test_each_state_takes_what_its_row_says_and_nothing_else(state: CaseState, signal: CaseSignal) -> None:
    """Somebody would be cut off who was not warned, or not asked."""
    story = _Story(state)
    assert state is story.case.state
    target = TRANSITIONS[state].get(signal)
    if target is None:
        assert "state" == story.why(signal)
        act = dataclasses.replace(story.acts[0], step=story.case.step + 1, verb=signal.value)
        with pytest.raises(ValueError, match="takes no"):
            story.case.then(act)
    else:
        assert target is story.take(signal).state
        assert story.acts[-1].is_open == (target not in CASE_ENDS) == story.case.is_open


def test_every_state_is_a_key_and_is_reached() -> None:
    """A state without a row would fail at the worst moment; one that is not reached is dead."""
    assert list(CaseState) == list(TRANSITIONS)
    reached = {target for row in TRANSITIONS.values() for target in row.values()}
    assert set(CaseState) - {CaseState.DRAFT} == reached


@pytest.mark.parametrize(
    ("state", "signal"), list(product(sorted(set(CaseState) - CASE_ENDS), sorted(CANCELS)))
)
def test_payment_dispute_and_protection_stop_it_everywhere(state: CaseState, signal: CaseSignal) -> None:
    """Somebody who has paid would be cut off, also when the case had lapsed unseen (CTRL-21)."""
    assert CaseState.CANCELLED is _Story(state).take(signal).state
    assert CaseState.CANCELLED is _Story(state).take(signal, after=timedelta(days=99)).state


@pytest.mark.parametrize("state", LAPSES_AFTER)
def test_a_case_that_was_left_lying_only_lapses(state: CaseState) -> None:
    """An approval of yesterday would cut off a house that is another one today."""
    story = _Story(state)
    limit = story.case.lapses_at
    assert limit is not None
    assert LAPSES_AFTER[state] == limit - story.at
    early = dataclasses.replace(story.case)
    with pytest.raises(NotAllowed) as refused:
        early.next(CaseSignal.LAPSE, at=limit - SECOND, actor="meterlink")
    assert "too_early" == refused.value.why
    forward = next(s for s in TRANSITIONS[state] if s not in (*CANCELS, CaseSignal.LAPSE))
    assert "lapsed" == story.why(forward, after=limit - story.at, actor="bert")
    after = story.take(CaseSignal.LAPSE, after=limit - story.at).state
    back = {CaseState.APPROVED: CaseState.PENDING_APPROVAL, CaseState.FINAL_NOTICE: CaseState.APPROVED}
    assert back.get(state, CaseState.EXPIRED) is after


def test_a_period_and_a_wait_are_waited_for() -> None:
    """The notice would be a formality, and the last one come when the lights are out (CTRL-04, CTRL-06)."""
    story = _Story(CaseState.NOTICED)
    assert "too_early" == story.why(CaseSignal.SUBMIT, after=WEEK - SECOND)
    story.take(CaseSignal.SUBMIT, after=WEEK)
    story.take(CaseSignal.APPROVE)
    story.take(CaseSignal.ANNOUNCE)
    assert "too_early" == story.why(CaseSignal.ORDER, after=HALF_HOUR - SECOND)
    assert "o-1" == story.take(CaseSignal.ORDER, after=HALF_HOUR).order


def test_nobody_decides_about_his_own_case() -> None:
    """One person alone could cut somebody off (CTRL-10)."""
    for signal in (CaseSignal.APPROVE, CaseSignal.REJECT):
        assert "own_case" == _Story(CaseState.PENDING_APPROVAL).why(signal, actor="clerk")


def test_an_approval_that_lapsed_is_asked_for_again() -> None:
    """The name of who approved yesterday would stand under what nobody looked at today."""
    story = _Story(CaseState.APPROVED)
    assert "anna" == story.case.approved_by
    assert "" == story.take(CaseSignal.LAPSE).approved_by
    assert "bert" == story.take(CaseSignal.APPROVE, actor="bert").approved_by


def test_an_old_notice_leads_nowhere_until_it_is_served_again() -> None:
    """Somebody would be cut off for a letter of last month (CTRL-04)."""
    story = _Story(CaseState.NOTICED)
    assert "notice_too_old" == story.why(CaseSignal.SUBMIT, after=NOTICE_LASTS)
    story.take(CaseSignal.NOTICE, after=NOTICE_LASTS)
    assert CaseState.PENDING_APPROVAL is story.take(CaseSignal.SUBMIT, after=WEEK).state
    story.at += NOTICE_LASTS - WEEK - timedelta(hours=1)
    assert CaseState.PENDING_APPROVAL is story.case.state
    held = dataclasses.replace(story.case, since=story.at)
    for state, signal in (
        (CaseState.PENDING_APPROVAL, CaseSignal.APPROVE),
        (CaseState.APPROVED, CaseSignal.ANNOUNCE),
        (CaseState.FINAL_NOTICE, CaseSignal.ORDER),
    ):
        with pytest.raises(NotAllowed) as refused:
            dataclasses.replace(held, state=state).next(
                signal, at=story.at + timedelta(hours=1), actor="bert", body=_body(signal, story.at)
            )
        assert "notice_too_old" == refused.value.why


def test_notices_have_an_end() -> None:
    """A case would be kept alive for years."""
    story = _Story(CaseState.NOTICED)
    for _ in range(NOTICES_MAX - 1):
        story.take(CaseSignal.NOTICE)
    assert "noticed_often" == story.why(CaseSignal.NOTICE)


@pytest.mark.parametrize("number", range(5))
def test_what_is_no_case_is_refused_as_a_whole(number: int) -> None:
    """A gap in the log would be carried over."""
    acts = _Story(CaseState.FINAL_NOTICE).acts
    damaged = [
        [],
        acts[1:],
        [*acts[:2], *acts[3:]],
        [acts[0], dataclasses.replace(acts[1], subject="c-2")],
        [*acts[:2], dataclasses.replace(acts[2], body={})],
    ][number]
    with pytest.raises(ValueError, match=r".") as refused:
        Case.of(damaged)
    assert type(refused.value) is ValueError


def test_the_log_tells_all_of_a_case() -> None:
    """After a restart a case would stand elsewhere."""
    story = _Story(CaseState.ORDERED)
    kept = [KeptAct(number=n, hash="0" * 64, act=act) for n, act in enumerate(story.acts, start=1)]
    assert (story.case, 7) == (Case.of(kept), story.case.seen)
    case = Case.of(story.acts[:1])
    for act in story.acts[1:]:
        case = case.then(act)
    assert story.case == case


def test_a_case_that_does_not_tell_what_was_seen_counts_from_its_opening() -> None:
    """What a gateway of before has opened would be ended by a payment of long ago, or could not be read."""
    (opening,) = _Story().acts
    bare = dataclasses.replace(opening, body={"to": "draft"})
    assert 12 == Case.of([KeptAct(number=12, hash="0" * 64, act=bare)]).seen
    with pytest.raises(ValueError, match="no place in the log"):
        Case.of([dataclasses.replace(opening, body={"to": "draft", "seen": "7"})])
