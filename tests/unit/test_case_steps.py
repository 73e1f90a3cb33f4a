"""What evidence makes of a case, one thing at a time: what keeps each step back, and what lets it go."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from meterlink.model.payload import time_out
from meterlink.orders.cases.machine import Case, CaseSignal, CaseState
from meterlink.orders.cases.steps import Advice, advise, order_id_of, order_of, proposed_id_of
from meterlink.orders.evidence.told import Kept
from tests.support.orders import NOON
from tests.support.rules import (
    CUSTOMER,
    DAYS,
    HOUR,
    MINUTE,
    SECOND,
    chain,
    facts,
    policy,
    record,
    told_at,
    without,
)

DRAFT, WARNED, NOTICED = CaseState.DRAFT, CaseState.WARNED, CaseState.NOTICED
PENDING, APPROVED, FINAL = CaseState.PENDING_APPROVAL, CaseState.APPROVED, CaseState.FINAL_NOTICE
SEEN = int((NOON - 3 * HOUR).timestamp())
"""The end of the log when it was opened."""
FORWARD = {
    DRAFT: CaseSignal.WARN,
    WARNED: CaseSignal.NOTICE,
    NOTICED: CaseSignal.SUBMIT,
    APPROVED: CaseSignal.ANNOUNCE,
    FINAL: CaseSignal.ORDER,
}


def a_case(state: CaseState, **fields: Any) -> Case:
    """A case for which the chain of evidence of these tests is ready."""
    told: dict[str, Any] = {
        "id": "c-1",
        "meter": "m1",
        "state": state,
        "step": 4,
        "opened_by": "clara",
        "opened_at": NOON - 3 * HOUR,
        "seen": SEEN,
        "since": NOON - 2 * HOUR,
        "noticed_at": NOON - DAYS[8],
        "earliest_at": NOON - MINUTE,
        "reason": "arrears",
        "customer": CUSTOMER,
        "approved_by": "anna",
        "approved_at": NOON - 2 * HOUR,
        "announced_at": NOON - HOUR,
    }
    return Case(**{**told, **fields})


def advised(case: Case, kept: list[Kept] | None = None, **more: Any) -> Advice:
    """What is to become of it at noon."""
    return advise(case, facts(kept=chain() if kept is None else kept, **more))


@pytest.mark.parametrize(("state", "signal"), FORWARD.items())
def test_with_all_evidence_it_goes_on(state: CaseState, signal: CaseSignal) -> None:
    """A rule of these tests would keep back what every other one lets go, and they would show nothing."""
    assert signal is advised(a_case(state)).signal


@pytest.mark.parametrize(
    ("state", "missing", "rule"),
    [
        *((state, ("b1",), "CTRL-01") for state in FORWARD),
        (DRAFT, ("w2r",), "CTRL-02"),
        (DRAFT, ("w1",), "CTRL-03"),
        (WARNED, ("w2r",), "CTRL-02"),
        (NOTICED, ("n1r",), "CTRL-04"),
        (FINAL, ("f1",), "CTRL-06"),
    ],
)
def test_without_its_evidence_it_stays(state: CaseState, missing: tuple[str, ...], rule: str) -> None:
    """Somebody would be brought a step nearer to the dark for whom a link of the chain is missing."""
    advice = advised(a_case(state), without(chain(), *missing))
    assert (None, True) == (advice.signal, rule in _stopping(advice))


@pytest.mark.parametrize(("state", "missing"), [(WARNED, "n1r"), (APPROVED, "f1")])
def test_what_has_not_happened_is_waited_for(state: CaseState, missing: str) -> None:
    """A step would be written down of which nobody has told."""
    advice = advised(a_case(state), without(chain(), missing))
    assert (None, []) == (advice.signal, _stopping(advice))


@pytest.mark.parametrize("state", FORWARD)
def test_an_account_that_is_even_goes_no_further(state: CaseState) -> None:
    """Somebody who owes nothing would be warned, noticed and cut off (CTRL-11)."""
    even = record("balance_statement", "b2", NOON - 4 * HOUR, balance_cents=0)
    advice = advised(a_case(state), [*without(chain(), "b1"), even])
    assert (None, True) == (advice.signal, "CTRL-11" in _stopping(advice))


@pytest.mark.parametrize("state", [*FORWARD, PENDING])
@pytest.mark.parametrize("kept_at", [NOON - DAYS[30], NOON - 3 * HOUR, NOON])
@pytest.mark.parametrize("kind", ["payment", "balance_statement"])
def test_what_pays_behind_what_its_opening_saw_ends_it(state: CaseState, kept_at: Any, kind: str) -> None:
    """A payment would be passed over because a clock was set, or it came while the case was opened."""
    paid = {"amount_cents": 1, "settles": False} if kind == "payment" else {"balance_cents": 0}
    told = record(kind, "p1", NOON - DAYS[1], **paid)
    behind = dataclasses.replace(told, kept_at=kept_at, number=SEEN + 1)
    assert CaseSignal.PAYMENT is advised(a_case(state), [*chain(), behind]).signal


def test_a_payment_that_its_opening_saw_does_not_end_it() -> None:
    """Who paid a year ago could never be cut off, wherever the clock was then."""
    payment = record("payment", "p1", NOON - DAYS[1], amount_cents=1, settles=False)
    told = [*chain(), dataclasses.replace(payment, kept_at=NOON, number=SEEN)]
    assert CaseSignal.WARN is advised(a_case(DRAFT), told).signal


@pytest.mark.parametrize("state", [*FORWARD, PENDING])
def test_another_customer_ends_it(state: CaseState) -> None:
    """Who moves in would be cut off for the debt of who moved out (CTRL-12)."""
    advice = advised(a_case(state, customer="000099999999"))
    told = advice.body["told"] if advice.body else ""
    assert (CaseSignal.CANCEL, "the meter has another customer now") == (advice.signal, told)


def test_what_cancels_comes_before_what_lapses() -> None:
    """A case that somebody has paid for would come back to life as approved."""
    case = a_case(FINAL, since=NOON - 5 * HOUR)
    assert CaseSignal.LAPSE is advised(case).signal
    payment = record("payment", "p1", NOON, amount_cents=1, settles=False)
    assert CaseSignal.PAYMENT is advised(case, [*chain(), payment]).signal


@pytest.mark.parametrize(("changed", "goes"), [(MINUTE, False), (timedelta(), True)])
def test_the_last_notice_is_of_after_the_approval(changed: timedelta, goes: bool) -> None:
    """Somebody would be told that he is cut off before anybody had decided it."""
    advice = advised(a_case(APPROVED, since=NOON - HOUR + changed))
    assert goes == (advice.signal is CaseSignal.ANNOUNCE)


@pytest.mark.parametrize("state", [APPROVED, FINAL])
@pytest.mark.parametrize(("ago", "goes"), [(8 * HOUR, False), (8 * HOUR - SECOND, True)])
def test_an_approval_lasts_eight_hours(state: CaseState, ago: timedelta, goes: bool) -> None:
    """An approval would grow old in the case and be new in the order (CTRL-10)."""
    assert goes == (advised(a_case(state, approved_at=NOON - ago)).signal is not None)


def test_a_last_notice_that_failed_is_none() -> None:
    """An older one would stand in for it."""
    failed = record("receipt", "f2r", NOON, of="f2", outcome="failed")
    told = [*chain(), record("final_notice", "f2", NOON - 40 * MINUTE, channel="sms"), failed]
    assert advised(a_case(FINAL, announced_at=NOON - 40 * MINUTE), told).signal is None


@pytest.mark.parametrize(("case_policy", "signal"), [("", None), ("billing:v7", CaseSignal.APPROVE)])
def test_only_a_policy_approves_by_itself(case_policy: str, signal: CaseSignal | None) -> None:
    """What a clerk began would be approved by nobody (CTRL-10, AUD-02)."""
    meant = policy()
    agreement = record("agreement", "a1", NOON - DAYS[20], automatic_trips=True)
    balance = record(
        "balance_statement", "b1", NOON - HOUR, balance_cents=-9_000, readings_until=time_out(NOON - DAYS[1])
    )
    told = [*without(chain(), "b1"), balance, agreement, meant]
    more: dict[str, Any] = {"meter": {"agreement": "billing:a1"}}
    if case_policy:
        more |= {"order_origin": "policy", "order_reference": case_policy}
    advice = advised(a_case(PENDING, policy=case_policy, opened_by="meterlink"), told, **more)
    assert signal is advice.signal


def test_the_order_is_the_same_for_the_same_case() -> None:
    """A crash would leave two orders of one case."""
    case = a_case(FINAL)
    first, later = order_of(case, facts()), order_of(case, facts(now=NOON + MINUTE, kept=chain()))
    assert order_id_of("c-1") == first.id == later.id
    assert ("c-1", "arrears") == (first.case, first.reason)
    assert NOON - HOUR + 4 * HOUR == first.deadline_at == later.deadline_at
    assert order_id_of("c-1") != order_id_of("c-2")
    assert proposed_id_of("m1", "billing:s1") != proposed_id_of("m1", "billing:s2")


def _stopping(advice: Advice) -> list[str]:
    return [one.rule for one in advice.verdicts if not one.passed]


def test_a_last_notice_told_before_the_approval_is_none_after_it() -> None:
    """A sender whose clock is ahead would let the notice be sent before anybody had agreed."""
    case = a_case(APPROVED, since=NOON - HOUR)
    ahead = record("final_notice", "f1", NOON - HOUR + MINUTE, channel="phone")
    early = told_at(NOON - HOUR - SECOND, ahead)
    assert CaseSignal.ANNOUNCE is advised(case, [*without(chain(), "f1"), ahead]).signal
    assert advised(case, [*without(chain(), "f1"), early]).signal is None


def test_a_statement_told_since_a_case_began_ends_it() -> None:
    """Nothing would be owed, and the case go on, because the statement bears an earlier time."""
    clear = record("balance_statement", "b0", NOON - 4 * HOUR, balance_cents=0)
    case = a_case(NOTICED)
    assert CaseSignal.PAYMENT is advised(case, [*chain(), told_at(NOON - HOUR, clear)]).signal
    assert CaseSignal.PAYMENT is not advised(case, [*chain(), clear]).signal
