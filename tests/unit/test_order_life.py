"""The life of an order: guards, marks, and that the log alone tells all of it."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from meterlink.drivers.control import Cause, SwitchRecord, Verdict
from meterlink.errors import NotAllowed
from meterlink.model.act import Act, KeptAct, canonical
from meterlink.model.order import BELIEVED_NO, TRANSMISSIONS_MAX, OrderKind, OrderState, Origin
from meterlink.orders.life.guards import (
    APPROVALS_MAX,
    EVIDENCE_OCTETS_MAX,
    LOOKS_MAX,
    POSTPONED_MAX,
    TOP_UP_POSTPONED_MAX,
)
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import BEFORE_SENDING, ENDS, TRANSITIONS, Signal
from tests.support.orders import (
    NOON,
    TO_READBACK,
    TO_SENDING,
    History,
    answered,
    at_state,
    body_of,
    order,
    purse,
    standing,
    transmission,
)


def _why(history: History, signal: Signal, **step: Any) -> str:
    with pytest.raises(NotAllowed) as refused:
        history.take(signal, **step)
    return refused.value.why


def test_an_arm_holds_for_a_minute_and_for_who_armed() -> None:
    """A trip that somebody thought about an hour ago, or somebody else, would go out."""
    history = at_state(OrderState.AUTHORISED)
    assert "not_armed" == _why(history, Signal.OPERATE)
    history.take(Signal.ARM, actor="anna")
    assert "armed_by_another" == _why(history, Signal.OPERATE, actor="bert")
    assert "arm_lapsed" == _why(history, Signal.OPERATE, actor="anna", after_s=59)
    assert OrderState.AUTHORISED is history.life.state
    history.take(Signal.ARM, actor="bert")
    assert OrderState.QUEUED is history.take(Signal.OPERATE, actor="bert", after_s=59).state


@pytest.mark.parametrize("origin", [Origin.POLICY, Origin.PAYMENT])
def test_what_no_person_sends_is_not_armed(origin: Origin) -> None:
    """A reconnection after a payment would wait for somebody."""
    history = at_state(OrderState.AUTHORISED, origin=origin)
    assert "not_for_arming" == _why(history, Signal.ARM)
    assert OrderState.QUEUED is history.take(Signal.OPERATE, actor="meterlink").state


@pytest.mark.parametrize("signal", [Signal.AUTHORISE, Signal.ARM, Signal.OPERATE, Signal.TAKE, Signal.INTEND])
def test_nothing_goes_on_after_the_deadline(signal: Signal) -> None:
    """An old trip would be sent late (F48)."""
    before = {TO_SENDING[n]: TO_SENDING[:n] for n in range(len(TO_SENDING))}
    history = History(order(deadline_at=NOON + timedelta(seconds=10)))
    history.take_all(before[signal])
    history.at = NOON + timedelta(seconds=9)
    assert "deadline" == _why(history, signal)
    assert OrderState.EXPIRED is history.take(Signal.EXPIRE).state


@pytest.mark.parametrize(
    ("kind", "pauses_min"),
    [(OrderKind.TRIP, (30, 30, 30)), (OrderKind.PERMIT_CLOSE, (1, 5, 15))],
)
def test_an_order_is_postponed_three_times(kind: OrderKind, pauses_min: tuple[int, ...]) -> None:
    """It would knock at a meter for ever, or without a pause; and nobody would be asked again."""
    history = at_state(OrderState.AUTHORISED, kind)
    assert POSTPONED_MAX == len(pauses_min)
    for minutes in pauses_min:
        history.take_all(TO_SENDING[1:4])
        assert OrderState.AUTHORISED is history.take(Signal.POSTPONE).state
        assert "too_early" == _why(history, Signal.ARM, after_s=minutes * 60 - 1)
        assert "not_armed" == _why(history, Signal.OPERATE)
    history.take_all(TO_SENDING[1:4])
    assert "postponed_often" == _why(history, Signal.POSTPONE)
    assert OrderState.REFUSED is history.take(Signal.REFUSE).state


def test_money_waits_for_its_meter_for_a_day() -> None:
    """A payment would be a person's affair after 20 minutes of a line that is down, or knock for ever."""
    deadline_at = NOON + timedelta(days=3)
    history = at_state(OrderState.AUTHORISED, OrderKind.TOP_UP, deadline_at=deadline_at)
    pauses_min = [1, 5, *[15] * (TOP_UP_POSTPONED_MAX - 2)]
    assert timedelta(minutes=sum(pauses_min)) > timedelta(hours=24)
    for minutes in pauses_min:
        history.take_all(TO_SENDING[1:4])
        assert OrderState.AUTHORISED is history.take(Signal.POSTPONE).state
        assert "too_early" == _why(history, Signal.ARM, after_s=minutes * 60 - 1)
    history.take_all(TO_SENDING[1:4])
    assert "postponed_often" == _why(history, Signal.POSTPONE)


def test_a_frame_is_sent_three_times_at_most() -> None:
    """A meter could be sent one order for ever."""
    history = at_state(OrderState.PRECHECK)
    for _ in range(TRANSMISSIONS_MAX):
        assert history.life.state is OrderState.PRECHECK or history.life.may_repeat
        history.take_all([Signal.INTEND, Signal.LOSE, Signal.READ_BACK, Signal.PROVE_NOT])
    assert TRANSMISSIONS_MAX == history.life.transmissions
    assert not history.life.is_open
    assert "sent_often" == _why(history, Signal.INTEND)


def test_a_frame_that_never_left_counts_as_sent() -> None:
    """A line that is down would be tried without an end, and nobody would go there (CTRL-17)."""
    history = at_state(OrderState.PRECHECK)
    for _ in range(TRANSMISSIONS_MAX):
        life = history.take_all([Signal.INTEND, Signal.UNSENT])
        assert ("unsent", OrderState.NOT_DONE) == (life.proof, life.state)
    assert "sent_often" == _why(history, Signal.INTEND)


def test_not_done_needs_a_proof() -> None:
    """A repeat would rest on nothing (decision 22)."""
    history = at_state(OrderState.READBACK)
    assert "unproved" == _why(history, Signal.PROVE_NOT, proof="")
    history.take(Signal.PROVE_NOT)
    without = dataclasses.replace(history.acts[-1], body={**history.acts[-1].body, "proof": ""})
    history.acts[-1] = without
    assert not history.life.may_repeat
    assert "unproved" == _why(history, Signal.INTEND)


def test_a_proof_is_good_for_one_frame() -> None:
    """The proof about the first frame would allow a third, whatever became of the second."""
    history = at_state(OrderState.NOT_DONE)
    assert "unchanged" == history.life.proof
    assert "" == history.take(Signal.INTEND).proof


def test_an_authentication_that_timed_out_allows_one_more() -> None:
    """A meter that says no would be asked on and on, up to its lockout."""
    history = at_state(OrderState.REJECTED)
    assert history.life.is_open
    history.take(Signal.INTEND)
    life = history.refused()
    assert (2, True, False) == (life.transmissions, life.reauthenticated, life.is_open)
    assert "reauthenticated" == _why(history, Signal.INTEND)


@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.AUTHENTICATION_TIMEOUT])
def test_every_other_no_is_the_end(cause: Cause) -> None:
    """A MAC failure would be repeated, and the meter would lock itself."""
    history = at_state(OrderState.SENDING)
    assert not history.refused(cause).is_open
    assert "rejected" == _why(history, Signal.INTEND)


def test_a_no_to_money_counts_once_the_purse_agrees() -> None:
    """A meter that credited what it refused would be topped up again by hand."""
    history = at_state(OrderState.SENDING, OrderKind.TOP_UP)
    assert "unread" == _why(history, Signal.REJECT)
    history.take(Signal.LOSE, **answered(Verdict.REJECTED, Cause.HOARDING))
    history.take(Signal.READ_BACK)
    life = history.take(Signal.REJECT)
    assert (OrderState.REJECTED, False) == (life.state, life.is_open)
    assert life.sent is not None
    assert life.sent.answer is not None
    assert Cause.HOARDING is life.sent.answer.cause
    assert "rejected" == _why(history, Signal.INTEND)


def test_a_read_back_rejects_nothing_that_was_not_refused() -> None:
    """Silence would be filed as the meter's no; a switch's answer would be judged by another's rule."""
    lost = at_state(OrderState.READBACK, OrderKind.TOP_UP)
    assert "not_refused" == _why(lost, Signal.REJECT)


@pytest.mark.parametrize("kind", [kind for kind in OrderKind if kind not in BELIEVED_NO])
def test_a_no_is_not_taken_at_its_word(kind: OrderKind) -> None:
    """A contact that opened although its meter said no would be filed as closed."""
    assert "unread" == _why(at_state(OrderState.SENDING, kind), Signal.REJECT)


@pytest.mark.parametrize(("proof", "may_have_cut"), [("unchanged", False), ("", True)])
def test_a_no_that_nothing_proves_may_have_cut(proof: str, may_have_cut: bool) -> None:
    """Who pays after a refused trip that opened late would stay in the dark, and no clock would run."""
    history = at_state(OrderState.SENDING)
    history.take(Signal.LOSE, **answered(Verdict.REJECTED))
    history.take_all([Signal.READ_BACK, Signal.PAYMENT])
    life = history.take(Signal.REJECT, proof=proof)
    assert (may_have_cut, may_have_cut) == (life.may_have_cut, life.is_to_be_reversed)


def test_a_repeated_purchase_bears_the_same_count() -> None:
    """The meter could not tell that it has the money already (decision 22, c)."""
    history = at_state(OrderState.NOT_DONE, OrderKind.TOP_UP)
    other = transmission(OrderKind.TOP_UP, purchase_count=6)
    assert "purchase" == _why(history, Signal.INTEND, sent=other.body)
    richer = transmission(OrderKind.TOP_UP, purchase_count=6, before=purse(purchase_count=5))
    assert "other_purchase" == _why(history, Signal.INTEND, sent=richer.body)
    assert OrderState.SENDING is history.take(Signal.INTEND).state


@pytest.mark.parametrize("kind", OrderKind)
@pytest.mark.parametrize("count", [None, 4, 6])
def test_a_purchase_bears_the_next_count_and_nothing_else_bears_one(
    kind: OrderKind, count: int | None
) -> None:
    """A top-up would go out with nothing to tell it from another."""
    history = at_state(OrderState.PRECHECK, kind)
    told = transmission(kind, purchase_count=count)
    if kind is OrderKind.TOP_UP or count is not None:
        assert "purchase" == _why(history, Signal.INTEND, sent=told.body)
    else:
        assert OrderState.SENDING is history.take(Signal.INTEND, sent=told.body).state


def test_what_was_accepted_is_not_sent_again() -> None:
    """A meter that says yes and shows nothing would be told three times."""
    history = at_state(OrderState.ACCEPTED)
    life = history.take_all([Signal.READ_BACK, Signal.PROVE_NOT])
    assert (OrderState.NOT_DONE, False) == (life.state, life.is_open)
    assert "accepted" == _why(history, Signal.INTEND)


@pytest.mark.parametrize("state", [OrderState.NOT_DONE, OrderState.REJECTED])
def test_what_changed_since_is_not_sent_again(state: OrderState) -> None:
    """The proof of yesterday would send a trip to a meter that has opened meanwhile."""
    history = at_state(state)
    opened = transmission(before=standing(command_open=True))
    assert "changed" == _why(history, Signal.INTEND, sent=opened.body)


def test_a_meter_without_counters_may_be_asked_again_after_its_own_no() -> None:
    """An authentication that timed out would end every order of such a meter."""
    plain = standing(trips=SwitchRecord(), closes=SwitchRecord())
    history = at_state(OrderState.PRECHECK)
    history.take(Signal.INTEND, sent=transmission(before=plain).body)
    history.refused()
    assert OrderState.SENDING is history.take(Signal.INTEND, sent=transmission(before=plain).body).state


@pytest.mark.parametrize("state", [OrderState.NOT_DONE, OrderState.REJECTED])
@pytest.mark.parametrize("last", [Signal.PAYMENT, Signal.LEAVE])
def test_what_was_paid_or_left_is_not_sent_again(state: OrderState, last: Signal) -> None:
    """A customer who has paid would be cut off by the repeat."""
    history = at_state(state)
    assert history.life.is_open
    life = history.take(last)
    assert (state, False, False) == (life.state, life.is_open, life.may_repeat)
    assert ("paid" if last is Signal.PAYMENT else "left") == _why(history, Signal.INTEND)


@pytest.mark.parametrize("kind", [kind for kind in OrderKind if kind is not OrderKind.ALARM_ON])
@pytest.mark.parametrize("state", [OrderState.NOT_DONE, OrderState.REJECTED])
def test_what_waits_to_be_sent_again_is_taken_back(state: OrderState, kind: OrderKind) -> None:
    """A trip of which it is proved that nothing happened would go out again, whoever has seen the error."""
    history = at_state(state, kind) if state is OrderState.NOT_DONE else at_state(OrderState.SENDING, kind)
    if state is OrderState.REJECTED:
        history.refused()
    assert (state, Signal.CANCEL) == (history.life.state, history.life.withdrawal)
    life = history.take(Signal.CANCEL)
    assert (OrderState.CANCELLED, False, 1) == (life.state, life.is_open, life.transmissions)
    assert not (life.may_have_cut or life.locks_meter)


@pytest.mark.parametrize(
    "state", [state for state in OrderState if state not in BEFORE_SENDING | {OrderState.NOT_DONE}]
)
def test_nobody_takes_back_a_frame_that_is_out(state: OrderState) -> None:
    """A trip that may still open, or has opened, would be called cancelled."""
    history = at_state(state)
    if state is OrderState.REJECTED:
        history.take(Signal.INTEND)  # behind the one more that a timed out authentication allows
        history.refused()
    assert history.life.withdrawal is None
    assert ("ended" if state is OrderState.REJECTED else "state") == _why(history, Signal.CANCEL)


def test_what_is_sent_no_more_is_not_cancelled_afterwards() -> None:
    """An order that ended as not done would be told to have been withdrawn, by whom nothing depended on."""
    history = at_state(OrderState.NOT_DONE)
    history.take(Signal.LEAVE)
    assert "ended" == _why(history, Signal.CANCEL)
    accepted = at_state(OrderState.ACCEPTED)
    accepted.take_all([Signal.READ_BACK, Signal.PROVE_NOT])
    assert ("ended", None) == (_why(accepted, Signal.CANCEL), accepted.life.withdrawal)


def test_a_no_without_a_proof_is_left_and_not_cancelled() -> None:
    """A trip that the meter refused and may obey late would be called cancelled, and nobody would look."""
    history = at_state(OrderState.SENDING)
    history.take(Signal.LOSE, **answered(Verdict.REJECTED, Cause.AUTHENTICATION_TIMEOUT))
    life = history.take_all([Signal.READ_BACK])
    life = history.take(Signal.REJECT, proof="")
    assert (True, True, Signal.LEAVE) == (life.is_open, life.is_unclear, life.withdrawal)
    assert "unclear" == _why(history, Signal.CANCEL)
    unsent = at_state(OrderState.SENDING)
    unsent.acts[:] = history.acts
    unsent.at = history.at
    life = unsent.take_all([Signal.INTEND, Signal.UNSENT])
    assert (OrderState.NOT_DONE, "unsent", True) == (life.state, life.proof, life.is_unclear)
    assert (Signal.LEAVE, True) == (life.withdrawal, life.may_have_cut)
    assert "unclear" == _why(unsent, Signal.CANCEL)
    life = history.take_all([Signal.INTEND, Signal.LOSE, Signal.READ_BACK, Signal.PROVE_NOT])
    assert (False, False, Signal.CANCEL) == (life.is_unclear, life.may_have_cut, life.withdrawal)
    left = unsent.take(Signal.LEAVE)
    assert (OrderState.NOT_DONE, False, None) == (left.state, left.is_open, left.withdrawal)


def test_who_cannot_take_a_frame_back_is_told_why() -> None:
    """A clerk who cancels too late would read "not in this state", and wait for nothing."""
    life = at_state(OrderState.READBACK).life
    with pytest.raises(NotAllowed, match="a frame is out that the meter may still obey") as told:
        life.next(Signal.CANCEL, at=NOON, actor="anna")
    assert "须先回读结果" in told.value.zh


@pytest.mark.parametrize("state", [state for state, row in TRANSITIONS.items() if Signal.PAYMENT in row])
def test_a_payment_is_remembered_once(state: OrderState) -> None:
    """The reconnection would be opened twice, or not at all."""
    history = at_state(state)
    life = history.take(Signal.PAYMENT, payment="p-7")
    reversed_ = state in (OrderState.DONE, OrderState.UNKNOWN, OrderState.RELAY_FAULT)
    assert ("p-7", reversed_) == (life.payment, life.is_to_be_reversed)
    if life.state is not OrderState.CANCELLED:
        assert "paid" == _why(history, Signal.PAYMENT)


@pytest.mark.parametrize("kind", OrderKind)
def test_payments_are_the_business_of_what_is_for_want_of_money(kind: OrderKind) -> None:
    """A payment would cancel the very reconnection that it leads to, or leave a warning on."""
    history = at_state(OrderState.AUTHORISED, kind)
    if kind in (OrderKind.TRIP, OrderKind.ALARM_ON):
        assert OrderState.CANCELLED is history.take(Signal.PAYMENT).state
    else:
        assert "kind" == _why(history, Signal.PAYMENT)


def test_only_a_permit_waits_for_a_key_and_only_relays_contradict() -> None:
    """A trip would wait for a key; a purse would have a relay fault."""
    assert "kind" == _why(at_state(OrderState.READBACK), Signal.WAIT_FOR_KEY)
    assert "kind" == _why(at_state(OrderState.READBACK, OrderKind.TOP_UP), Signal.CONTRADICT)


def test_a_key_may_be_pressed_after_everybody_left() -> None:
    """The meter would be energised, and its order would say for ever that it waits."""
    history = at_state(OrderState.WAITING_FOR_KEY)
    assert history.life.is_open
    assert not history.take(Signal.LEAVE).is_open
    assert "left" == _why(history, Signal.LOOK)
    assert OrderState.DONE is history.take(Signal.CLOSED_BY_KEY).state


def test_a_finding_takes_two_persons() -> None:
    """One person could unlock a meter whose trip may still come (decision 21)."""
    history = at_state(OrderState.UNKNOWN)
    assert (False, True) == (history.life.is_open, history.life.locks_meter)
    assert "not_found" == _why(history, Signal.CONFIRM)
    history.take(Signal.FIND, actor="anna", finding="done")
    seen: dict[str, Any] = {"finding": "done", "found_step": history.life.found_step}
    assert "same_person" == _why(history, Signal.CONFIRM, actor="anna", **seen)
    history.take(Signal.FIND, actor="bert", finding="not_done", instead="done")
    assert ("", True) == (history.life.finding_of_two, history.life.locks_meter)
    seen = {"finding": "not_done", "found_step": history.life.found_step}
    life = history.take(Signal.CONFIRM, actor="anna", **seen)
    assert (OrderState.UNKNOWN, "not_done", False) == (life.state, life.finding_of_two, life.locks_meter)
    assert "found" == _why(history, Signal.FIND)
    assert "found" == _why(history, Signal.CONFIRM, actor="carl")


def test_what_forbids_a_step_is_told_in_words() -> None:
    """A person would read "same_person", and not know that a colleague has to come."""
    history = at_state(OrderState.UNKNOWN)
    found = history.take(Signal.FIND, actor="anna", finding="done")
    body = {"finding": "done", "found_step": found.found_step}
    with pytest.raises(NotAllowed, match="another person does") as told:
        history.life.next(Signal.CONFIRM, at=NOON, actor="anna", body=body)
    assert ("same_person", True) == (told.value.why, "须由他人确认" in told.value.zh)
    with pytest.raises(NotAllowed, match="takes no approve: not in this state") as told:
        history.life.next(Signal.APPROVE, at=NOON, actor="anna")
    assert "该状态下不能" in told.value.zh


def test_nobody_confirms_a_finding_that_he_has_not_seen() -> None:
    """Two persons would have found what only one did: the other had looked before it was told anew."""
    history = at_state(OrderState.UNKNOWN)
    first = history.take(Signal.FIND, actor="anna", finding="done")
    seen: dict[str, Any] = {"finding": "done", "found_step": first.found_step}
    assert "other_finding" == _why(history, Signal.CONFIRM, actor="carl", **{**seen, "finding": "not_done"})
    history.take(Signal.FIND, actor="bert", finding="done", evidence="the other house", instead="done")
    assert "other_finding" == _why(history, Signal.CONFIRM, actor="carl", **seen)
    seen["found_step"] = history.life.found_step
    assert "done" == history.take(Signal.CONFIRM, actor="carl", **seen).finding_of_two


@pytest.mark.parametrize("instead", ["", "not_done"])
def test_a_finding_goes_only_for_who_names_it(instead: str) -> None:
    """What one person saw on the spot would be gone without anybody having meant that."""
    history = at_state(OrderState.UNKNOWN)
    assert "other_finding" == _why(history, Signal.FIND, instead="done")
    history.take(Signal.FIND, actor="anna", finding="done")
    assert "other_finding" == _why(
        history, Signal.FIND, actor="bert", finding="not_done", **({"instead": instead} if instead else {})
    )


def test_a_trip_that_was_found_not_done_needs_no_reversal() -> None:
    """A meter that never opened would be closed."""
    history = at_state(OrderState.UNKNOWN)
    history.take(Signal.PAYMENT)
    history.take(Signal.FIND, actor="anna", finding="not_done")
    assert history.life.is_to_be_reversed
    seen: dict[str, Any] = {"finding": "not_done", "found_step": history.life.found_step}
    assert not history.take(Signal.CONFIRM, actor="bert", **seen).is_to_be_reversed


@pytest.mark.parametrize("octets", [0, EVIDENCE_OCTETS_MAX + 1])
def test_a_finding_has_evidence_of_bounded_length(octets: int) -> None:
    """A finding would rest on nothing, or fill the log."""
    history = at_state(OrderState.UNKNOWN)
    assert "no_finding" == _why(history, Signal.FIND, evidence="x" * octets)
    history.take(Signal.FIND, evidence="x" * EVIDENCE_OCTETS_MAX)


@pytest.mark.parametrize("told", [{"finding": "perhaps"}, {"evidence": 3}])
def test_a_finding_of_another_kind_is_a_bug(told: dict[str, Any]) -> None:
    """A word that nobody knows would unlock a meter."""
    with pytest.raises(ValueError, match="done or not_done"):
        at_state(OrderState.UNKNOWN).take(Signal.FIND, **told)


@pytest.mark.parametrize("state", [OrderState.READBACK, OrderState.WAITING_FOR_KEY])
def test_read_backs_have_an_end(state: OrderState) -> None:
    """The log would grow for as long as a meter stays undecided."""
    life = at_state(state).life
    life = dataclasses.replace(life, looks=LOOKS_MAX - 1)
    last = life.next(Signal.LOOK, at=NOON, actor="meterlink")
    with pytest.raises(NotAllowed) as refused:
        life.then(last).next(Signal.LOOK, at=NOON, actor="meterlink")
    assert "looked_often" == refused.value.why


def test_approvals_are_of_different_persons_and_bounded() -> None:
    """One person would count twice."""
    history = at_state(OrderState.CREATED)
    for n in range(APPROVALS_MAX):
        history.take(Signal.APPROVE, actor=f"person{n}")
        assert "approved_before" == _why(history, Signal.APPROVE, actor=f"person{n}")
    assert APPROVALS_MAX == len(history.life.approvals)
    assert "approved_often" == _why(history, Signal.APPROVE, actor="one too many")


def test_what_came_back_and_when_is_kept_with_what_was_sent() -> None:
    """The proof would compare with another transmission, or begin too early."""
    history = at_state(OrderState.SENDING)
    sent = history.life.sent
    assert (transmission(), None) == (sent, sent and sent.left_by)
    history.take(Signal.LOSE, after_s=7, **answered(Verdict.NONE))
    sent = history.life.sent
    assert sent is not None
    assert sent.answer is not None
    assert (Verdict.NONE, history.at) == (sent.answer.verdict, sent.left_by)


def test_a_crash_leaves_no_answer() -> None:
    """An answer that nobody saw would be made up at the start."""
    history = at_state(OrderState.SENDING)
    history.take(Signal.LOSE, answer=None)
    assert history.life.sent is not None
    assert (None, history.at) == (history.life.sent.answer, history.life.sent.left_by)


@pytest.mark.parametrize("state", OrderState)
def test_the_log_says_itself_whether_an_order_is_open(state: OrderState) -> None:
    """After a crash an order would not be found, or be carried on for ever."""
    history = at_state(state)
    assert history.acts[-1].is_open == history.life.is_open
    assert history.life.is_open == (state not in ENDS)


def _damaged(acts: list[Act]) -> list[list[Act]]:
    sent = next(n for n, act in enumerate(acts) if act.verb == Signal.INTEND)
    broken = dataclasses.replace(acts[sent], body={**acts[sent].body, "sent": {}})
    return [
        [],
        acts[1:],
        [*acts[:2], *acts[3:]],
        [acts[0], acts[0]],
        [*acts[:sent], broken],
        [acts[0], dataclasses.replace(acts[1], subject="o-2")],
        [acts[0], dataclasses.replace(acts[1], verb="wish")],
    ]


@pytest.mark.parametrize("number", range(7))
def test_what_is_no_life_is_refused_as_a_whole(number: int) -> None:
    """A gap in the log would be carried over, and an order go on from a state that it never had."""
    with pytest.raises(ValueError, match=r".") as refused:
        Life.of(_damaged(at_state(OrderState.READBACK).acts)[number])
    assert type(refused.value) is ValueError


def test_the_same_order_told_again_is_known() -> None:
    """A second call with one id would do something else under its name."""
    life = at_state(OrderState.READBACK).life
    assert life.wants_the_same(order())
    assert not life.wants_the_same(order(reason="another"))


class Lives(RuleBasedStateMachine):
    """Any reachable history: what the fold gives is what the steps gave, after a way through JSON too."""

    @initialize(kind=st.sampled_from(OrderKind), origin=st.sampled_from(Origin))
    def begin(self, kind: OrderKind, origin: Origin) -> None:
        self.at = NOON
        first = Life.begin(order(kind, origin=origin), at=self.at, actor="clerk")
        self.acts, self.life = [first], Life.of([first])

    @rule(
        signal=st.sampled_from(Signal),
        actor=st.sampled_from(["anna", "bert"]),
        after_s=st.sampled_from([0, 1, 61, 1_800]),
        cause=st.sampled_from(Cause),
    )
    def something_happens(self, signal: Signal, actor: str, after_s: int, cause: Cause) -> None:
        self.at += timedelta(seconds=after_s)
        body = body_of(signal, self.life.order.kind)
        if signal is Signal.REJECT or (signal is Signal.LOSE and cause is not Cause.UNTOLD):
            body = answered(Verdict.REJECTED, cause)
        try:
            act = self.life.next(signal, at=self.at, actor=actor, body=body)
        except NotAllowed as refused:
            assert refused.why == self.life.objection(signal, at=self.at, actor=actor, body=body)
            return
        self.life = self.life.then(act)
        self.acts.append(act)

    @rule()
    def it_goes_on(self) -> None:
        """The next step of the usual way, so that far states are met often."""
        for signal in TO_READBACK:
            body = body_of(signal, self.life.order.kind)
            if not self.life.objection(signal, at=self.at, actor="anna", body=body):
                self.something_happens(signal, "anna", 0, Cause.UNTOLD)

    @invariant()
    def the_log_tells_all(self) -> None:
        read = [dataclasses.replace(act, body=json.loads(json.dumps(dict(act.body)))) for act in self.acts]
        kept = [KeptAct(number=n, hash="0" * 64, act=act) for n, act in enumerate(read, start=1)]
        assert Life.of(kept) == self.life
        assert self.acts[-1].is_open == self.life.is_open
        assert canonical(self.acts[-1], 1)

    @invariant()
    def frames_are_few_and_follow_a_proof(self) -> None:
        verbs = [act.verb for act in self.acts]
        assert TRANSMISSIONS_MAX >= verbs.count(Signal.INTEND)
        before = {verbs[n - 1] for n, verb in enumerate(verbs) if verb == Signal.INTEND}
        assert {Signal.TAKE, Signal.PROVE_NOT, Signal.UNSENT, Signal.REJECT} >= before


Lives.TestCase.settings = settings(max_examples=60, stateful_step_count=30)
TestLives = Lives.TestCase
