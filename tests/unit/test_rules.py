"""Each rule stops what it must, at its limit, and nothing else does: without it the order would go."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.config.control import ControlSettings
from meterlink.model.order import SWITCHING, OrderKind, OrderState, Origin
from meterlink.orders.evidence.told import Kept
from meterlink.orders.limits.caps import Limited, Over
from meterlink.orders.rules import (
    RULES,
    Facts,
    OnStop,
    Stage,
    Steps,
    judge,
    outcome,
)
from meterlink.orders.rules.closing import late, mode
from meterlink.orders.rules.hands import NAMED_MAX, named
from meterlink.orders.rules.persons import needs_approval
from tests.support.orders import NOON
from tests.support.rule_cases import CASES, Case
from tests.support.rule_cases.case import (
    ALARM_OFF,
    APPROVE,
    CREATE,
    DIRECT,
    GUARANTEE_OFF,
    GUARANTEE_ON,
    LIVE,
    OPERATE,
    PAPER,
    PERMIT,
    TRIP,
    made,
    other,
    seen,
    trip,
)
from tests.support.rules import (
    DAYS,
    HOUR,
    MINUTE,
    NUMBER,
    SECOND,
    by_hand,
    chain,
    facts,
    live,
    policy,
    record,
)

_IDS = [f"{case.rule} {case.what}" for case in CASES]


@pytest.mark.parametrize(
    ("kind", "stage"),
    [
        (kind, stage)
        for kind in OrderKind
        for stage in Stage
        if stage is not APPROVE or needs_approval(kind, Origin.PERSON)
    ],
)
def test_an_order_that_breaks_no_rule_goes(kind: OrderKind, stage: Stage) -> None:
    """A rule that stops everything would look like a safe one."""
    assert [] == _stopping(facts(kind, stage), stage)


@pytest.mark.parametrize("case", CASES, ids=_IDS)
def test_a_rule_stops_what_it_must(case: Case) -> None:
    """Somebody is cut off, or a machine starts, or money comes twice, because a rule was silent."""
    assert case.rule in _stopping(case.stopped(), case.stage)


@pytest.mark.parametrize("case", CASES, ids=_IDS)
def test_without_the_rule_the_order_goes(case: Case) -> None:
    """Whoever takes the rule out sees this: the table's other rules do not hide that it is gone."""
    rules = {name: rule for name, rule in RULES.items() if name != case.rule}
    left = [one.rule for one in judge(case.stage, case.stopped(), rules) if not one.passed]
    assert list(case.also) == left


@pytest.mark.parametrize(
    "case",
    [case for case in CASES if case.allowed],
    ids=[i for c, i in zip(CASES, _IDS, strict=True) if c.allowed],
)
def test_a_rule_stops_nothing_short_of_its_limit(case: Case) -> None:
    """An order at the very limit would be refused, and somebody would loosen the rule to help himself."""
    assert case.allowed
    assert [] == _stopping(case.allowed(), case.stage)


def test_every_rule_is_tried_or_says_where_it_is_checked() -> None:
    """A rule that nothing tries could be taken out unseen."""
    tried = {case.rule for case in CASES}
    assert set() == {name for name, rule in RULES.items() if rule.checks} - tried
    assert [] == [name for name, rule in RULES.items() if not rule.checks and not rule.elsewhere]


def test_every_id_of_the_business_rules_is_in_the_table() -> None:
    """A rule that was forgotten would not even be missed."""
    wanted = [f"CTRL-{n:02}" for n in range(1, 26)] + [f"TOP-{n:02}" for n in range(1, 11)]
    assert [] == [name for name in (*wanted, "AUD-01", "AUD-02", "AUD-04") if name not in RULES]


def test_every_look_of_the_table_is_one_that_a_case_reaches() -> None:
    """A look in the wrong stage, or of the wrong kind, would never be asked."""
    asked: set[object] = set()
    for case in CASES:
        for facts_of in filter(None, (case.stopped, case.allowed)):
            judged = facts_of()
            for rule in RULES.values():
                for check in rule.checks:
                    if case.stage in check.stages and judged.order.kind in check.kinds:
                        finding = check.look(judged)
                        if finding is not None and not finding.passed:
                            asked.add(check.look)
    every = {check.look for rule in RULES.values() for check in rule.checks}
    assert set() == every - asked


@pytest.mark.parametrize("case", CASES, ids=_IDS)
def test_a_verdict_is_told_in_both_languages_with_its_figures(case: Case) -> None:
    """The person who pressed the button would learn that a rule said no, and not why."""
    stopped = [one for one in judge(case.stage, case.stopped()) if not one.passed]
    for verdict in stopped:
        assert verdict.en and verdict.zh and verdict.en != verdict.zh
        assert "{" not in verdict.en + verdict.zh
        assert any("\u4e00" <= character <= "\u9fff" for character in verdict.told("zh"))
        assert verdict.told("en") == verdict.en
        assert all(isinstance(value, str) for value in verdict.inputs.values())
        assert {"rule": verdict.rule, "passed": False, "inputs": dict(verdict.inputs)} == verdict.body


_EVERY = "CTRL-12 CTRL-21 CTRL-23 CTRL-25 LOG-01 PEOPLE-01 QUAL-01 TIME-01"
_SWITCHES = f"{_EVERY} CTRL-13 CTRL-20 NEED-01 RELAY-01"
_CUTS = f"{_SWITCHES} AUD-02 CAP-01 CTRL-08 CTRL-09 CTRL-10 CTRL-11 CTRL-14 CTRL-24"
_CLOSES = f"{_SWITCHES} CTRL-15 CTRL-16 CTRL-17 HOLD-01"
_LAST: dict[OrderKind, str] = {
    TRIP: f"{_CUTS} CTRL-01 CTRL-02 CTRL-03 CTRL-04 CTRL-05 CTRL-06",
    PERMIT: _CLOSES,
    DIRECT: _CLOSES,
    OrderKind.TOP_UP: f"{_EVERY} TOP-01 TOP-02 TOP-03 TOP-04 TOP-05 WORLD-01",
    GUARANTEE_OFF: f"{_CUTS} CTRL-22",
    GUARANTEE_ON: f"{_SWITCHES} AUD-02 CTRL-22 HOLD-01",
}
"""What is asked again when the meter has been read and octets leave next; CTRL-07 of important customers."""


@pytest.mark.parametrize("kind", _LAST)
def test_every_rule_is_asked_again_at_the_last_moment(kind: OrderKind) -> None:
    """What changed since somebody pressed the button would be seen by no rule (CTRL-11, CTRL-21)."""
    asked = {verdict.rule for verdict in judge(LIVE, facts(kind, LIVE))}
    assert {*_LAST[kind].split()} == asked


def test_what_becomes_of_an_order_is_the_gravest_word() -> None:
    """A postponement would hide a refusal, and the order would be tried again."""
    both = facts(LIVE_TRIP.order.kind, LIVE, live=live(TRIP, clock=None, provider="lab"))
    assert OnStop.REFUSE is outcome(judge(LIVE, both))
    assert OnStop.POSTPONE is outcome(judge(LIVE, seen(TRIP, clock=None)()))
    assert OnStop.HOLD is outcome(judge(PAPER, trip(limited=Limited(is_blind=True))()))
    assert OnStop.FIELD is outcome(judge(PAPER, made(PERMIT, steps={"sent_at": (NOON - HOUR,)})()))
    assert None is outcome(judge(PAPER, facts()))


LIVE_TRIP = facts(TRIP, LIVE)


def test_of_what_was_taken_back_the_newest_is_named() -> None:
    """A verdict would be as long as somebody likes, or hide what he took back last."""
    back = [
        dataclasses.replace(
            record("notice", f"n{number}", NOON, owed_cents=1), is_withdrawn=True, withdrawn_by="carl"
        )
        for number in range(NAMED_MAX + 2)
    ]
    assert "" == named([])
    assert "+" not in named(back[:NAMED_MAX])
    *told, left = named(back).split("; ")
    assert [f"notice {one.record.full_id} (carl, -)" for one in back[-NAMED_MAX:]] == told
    assert "+2" == left


def test_a_full_quarantine_refuses() -> None:
    """Orders would be held without end, and memory would grow with them."""
    over = Over(cap="trips_per_line_10_min", count=20, limit=20)
    held = facts(limited=Limited(over=(over,), is_quarantine_full=True))
    assert OnStop.REFUSE is outcome(judge(PAPER, held))


def test_facts_of_another_stage_are_a_bug() -> None:
    """The last check would be done without the meter."""
    with pytest.raises(ValueError, match="last stage"):
        judge(LIVE, facts(TRIP, PAPER))
    with pytest.raises(ValueError, match="last stage"):
        judge(PAPER, facts(TRIP, LIVE))


@pytest.mark.parametrize("kind", sorted(SWITCHING))
def test_f51_a_protected_meter_is_never_cut_off_by_anything(kind: OrderKind) -> None:
    """F51: a hospital would go dark by an order of another name."""
    stops = _stopping(facts(kind, PAPER, meter={"protected": ("hospital",)}), PAPER)
    assert (["CTRL-08"] if kind in (TRIP, GUARANTEE_OFF) else []) == stops


def test_a_closing_may_be_created_while_a_trip_is_in_flight() -> None:
    """F52: a payment during the trip would be refused instead of undoing it."""
    for state in (OrderState.QUEUED, OrderState.SENDING, OrderState.READBACK, OrderState.UNKNOWN):
        assert [] == _stopping(facts(PERMIT, CREATE, others=other(TRIP, state)), CREATE)


def test_an_alarm_does_not_wait_for_somebody_at_the_key() -> None:
    """Who paid would see the alarm until he has pressed the key, or for a day."""
    waiting = other(PERMIT, OrderState.WAITING_FOR_KEY)
    assert [] == _stopping(facts(ALARM_OFF, CREATE, others=waiting), CREATE)
    assert [] == _stopping(facts(TRIP, CREATE, others=other(ALARM_OFF, OrderState.QUEUED)), CREATE)


@pytest.mark.parametrize(
    ("sent", "energised", "now", "alarm"),
    [
        (None, None, 5 * MINUTE, ""),
        (None, None, 5 * MINUTE + SECOND, "RECONNECT_LATE_1"),
        (5 * MINUTE, None, 24 * HOUR, ""),
        (5 * MINUTE + SECOND, None, 24 * HOUR, "RECONNECT_LATE_1"),
        (MINUTE, None, 24 * HOUR + SECOND, "RECONNECT_LATE_2"),
        (MINUTE, 2 * HOUR, 48 * HOUR, ""),
    ],
)
def test_a_late_reconnection_has_its_alarm(
    sent: timedelta | None, energised: timedelta | None, now: timedelta, alarm: str
) -> None:
    """Who paid would sit in the dark and nobody would be told."""
    at = [None if span is None else NOON + span for span in (sent, energised)]
    assert alarm == late(NOON, at[0], at[1], NOON + now)


def test_a_payment_gets_the_closing_that_hurts_nobody() -> None:
    """A machine would start because somebody paid."""
    assert DIRECT is mode(facts(DIRECT))
    assert PERMIT is mode(facts(DIRECT, meter={"is_motor_load": None}))
    assert PERMIT is mode(facts(PERMIT))
    paid, agreed = facts(DIRECT).told.kept
    assert DIRECT is mode(facts(DIRECT, kept=[paid, *by_hand("carl", agreed)]))
    assert PERMIT is mode(facts(DIRECT, kept=by_hand("carl", paid, agreed)))


def test_limits_only_move_to_the_safe_side() -> None:
    """A configuration could allow what the rules forbid."""
    safe = {"people": "p", "operator_code": "20261122"}
    unsafe: dict[str, Any] = {
        "warning_attempts": 1,
        "notice_days_residential": 6,
        "notice_days_other": 2,
        "notice_age_max_days": 31,
        "arrears_days": 29,
        "final_notice_minutes": 29,
        "final_notice_minutes_other": 29,
        "window_hours": 5,
        "calm_from_hour": 18,
        "calm_until_hour": 7,
        "approval_hours": 9,
        "field_hours": 5,
        "evidence_age_max_hours": 49,
        "reading_age_max_hours": 49,
        "clock_error_max_s": 121,
        "opening_limit_a": 61,
        "top_up_max_cents": 1_000_001,
        "trips_per_meter_day": 2,
        "trips_per_line_10_min": 21,
        "trips_per_area_hour_percent": "0.51",
        "trips_per_area_day_percent": "2.01",
        "policy_trips_per_area_day": 201,
        "brake_percent": 6,
        "brake_failures_min": 6,
    }
    limits = set(ControlSettings.model_fields) - {"people", "holidays", "operator_code", "seasons"}
    assert limits == set(unsafe)
    for key, value in unsafe.items():
        with pytest.raises(ValueError, match=key):
            ControlSettings.model_validate({**safe, key: value})


def test_only_trips_and_guarantees_wait_for_a_second_person() -> None:
    """A reconnection would wait for an approver who is asleep, or a trip for nobody."""
    asked = {kind for kind in OrderKind if needs_approval(kind, Origin.PERSON)}
    assert {TRIP, GUARANTEE_ON, GUARANTEE_OFF} == asked
    assert not any(
        needs_approval(kind, origin) for kind in OrderKind for origin in (Origin.POLICY, Origin.PAYMENT)
    )


def test_nobody_is_in_the_way_of_himself() -> None:
    """AUD-02 would forbid that who created an order also operates it, which the posts do not divide."""
    same = Steps(created_by="david", approved_by=("anna",), approved_at=NOON - HOUR, armed_by="david")
    assert [] == _stopping(facts(TRIP, OPERATE, steps=same), OPERATE)


def _stopping(judged: Facts, stage: Stage) -> list[str]:
    return [one.rule for one in judge(stage, judged) if not one.passed]


_RECORDS = (
    *chain(),
    record("payment", "p1", NOON - MINUTE, amount_cents=10_000, settles=False),
    record("consent", "c1", NOON + HOUR, form="recorded"),
    record("agreement", "a1", NOON - DAYS[20], automatic_trips=True, warnings=1),
    record("dispute", "d1", NOON, dispute="D", state="upheld"),
    record("protection", "x1", NOON, protection="water", state="lifted"),
    record("safety_hold", "h1", NOON, hold="H", state="released", why="x"),
    record("receipt", "r9", NOON, of="n9", outcome="delivered"),
    policy(),
)
_SWITCH = st.sampled_from([None, True, False])


@given(
    kind=st.sampled_from(OrderKind),
    stage=st.sampled_from(Stage),
    origin=st.sampled_from(Origin),
    kept=st.lists(st.sampled_from(_RECORDS), unique_by=lambda one: one.record.full_id),
    names=st.tuples(st.sampled_from(["", "billing:p1", "billing:n1"]), st.sampled_from(["", "billing:v7"])),
    meter=st.fixed_dictionaries(
        {
            "world": st.sampled_from(["none", "remote", "local"]),
            "agreement": st.sampled_from(["", "billing:a1", "billing:x"]),
            "meter_number": st.sampled_from(["", NUMBER]),
            "is_important": st.booleans(),
            "line_is_ours": st.booleans(),
        }
    ),
    standing=st.fixed_dictionaries(
        {
            "contact_open": _SWITCH,
            "command_open": _SWITCH,
            "guarantee": _SWITCH,
            "alarm": _SWITCH,
            "currents_a": st.sampled_from([None, (), (Decimal(1),)]),
        }
    ),
    is_blind=st.booleans(),
)
def test_whatever_is_missing_a_rule_speaks_and_never_falls(
    *,
    kind: OrderKind,
    stage: Stage,
    origin: Origin,
    kept: list[Kept],
    names: tuple[str, str],
    meter: dict[str, Any],
    standing: dict[str, Any],
    is_blind: bool,
) -> None:
    """A rule that fell over an absent figure would take the line's worker with it."""
    said = live(kind) if stage is LIVE else None
    if said and is_blind:
        said = dataclasses.replace(said, clock=None, purse=None, provider="")
    if said:
        said = dataclasses.replace(said, standing=dataclasses.replace(said.standing, **standing))
    judged = facts(
        kind,
        stage,
        order_origin=origin,
        order_payment=names[0],
        order_reference=names[1],
        kept=kept,
        meter=meter,
        live=said,
        steps=Steps() if is_blind else {},
        last_read_at=None,
    )
    for verdict in judge(stage, judged):
        assert "{" not in verdict.en + verdict.zh
        assert verdict.passed or verdict.on_stop in OnStop
