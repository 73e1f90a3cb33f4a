"""When a case goes on, and when it has lain too long: to the second, also over a restart."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import BusFull
from meterlink.model.act import Topic
from meterlink.model.payload import time_in
from meterlink.orders.cases import book as case_book
from meterlink.orders.cases.machine import LAPSES_AFTER, CaseState
from meterlink.orders.judging.judge import Stopped
from tests.sim.cases.bench import CaseBench
from tests.sim.cases.states import brought_to, owed, pending, state_in
from tests.support.case_stories import CASE, M, announced, begun, case_of, record, until, warned
from tests.support.order_gateway import TUESDAY

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
BACK = {CaseState.APPROVED: "pending_approval", CaseState.FINAL_NOTICE: "approved"}


async def _left(bench: CaseBench, state: CaseState) -> None:
    """A case in a state in which nothing will bring it on."""
    await brought_to(bench, state)
    if state is CaseState.FINAL_NOTICE:  # and did not get there
        await bench.told(record(bench, "receipt", "f1r", of="f1", outcome="failed"))


@pytest.mark.parametrize("state", LAPSES_AFTER)
def test_a_case_lapses_at_its_second(state: CaseState, tmp_path: Path) -> None:
    """A case would lie about for ever, or be taken away from people who still have time."""
    bench = CaseBench(tmp_path)
    bench.live(lambda _: _left(bench, state))
    bench.pass_by(LAPSES_AFTER[state] - MINUTE)

    async def script(_: CaseBench) -> None:
        assert state == await state_in(bench, MINUTE - SECOND)
        assert BACK.get(state, "expired") == await state_in(bench, 2 * SECOND)

    bench.live(script)


@pytest.mark.parametrize("state", LAPSES_AFTER)
def test_a_case_lapses_while_no_program_runs(state: CaseState, tmp_path: Path) -> None:
    """An approval of the week before would cut somebody off after a long stop."""
    bench = CaseBench(tmp_path)
    bench.live(lambda _: _left(bench, state))
    bench.pass_by(LAPSES_AFTER[state])

    async def script(_: CaseBench) -> None:
        assert BACK.get(state, "expired") == await state_in(bench, SECOND)

    bench.live(script)
    assert [] == bench.acts(Topic.ORDER)


def test_a_case_goes_on_after_a_restart(tmp_path: Path) -> None:
    """What was open when the program stopped would never become an order."""
    bench = CaseBench(tmp_path)
    bench.live(lambda _: brought_to(bench, CaseState.FINAL_NOTICE))
    bench.pass_by(40 * MINUTE)

    async def script(_: CaseBench) -> None:
        assert "ordered" == await state_in(bench, SECOND)

    bench.live(script)


@pytest.mark.parametrize(("is_residential", "minutes"), [(True, 30), (False, 60)])
def test_the_window_opens_to_the_second(is_residential: bool, minutes: int, tmp_path: Path) -> None:
    """The last notice would come when the lights are out (CTRL-06)."""
    control = {"final_notice_minutes_other": 60}
    bench = CaseBench(tmp_path, control=control, meter_keys={"residential": is_residential})

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.FINAL_NOTICE)
        sent_at = bench.now()
        assert "final_notice" == await state_in(bench, minutes * MINUTE - SECOND)
        assert "ordered" == await state_in(bench, 2 * SECOND)
        order = await bench.ask("clara", "order.show", id=(await case_of(bench))["order"])
        assert sent_at.replace(microsecond=0) + 4 * HOUR == time_in(order["deadline_at"])

    bench.live(script)


@pytest.mark.parametrize(("is_residential", "days"), [(True, 7), (False, 3)])
def test_the_notice_is_over_to_the_second(is_residential: bool, days: int, tmp_path: Path) -> None:
    """A notice would be shorter than the rules say (CTRL-04)."""
    bench = CaseBench(tmp_path, meter_keys={"residential": is_residential})

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.NOTICED)
        await asyncio.sleep(((days - 1) * DAY).total_seconds())
        await owed(bench)
        assert "noticed" == await state_in(bench, DAY - SECOND)
        assert "pending_approval" == await state_in(bench, 2 * SECOND)

    bench.live(script)


def test_a_notice_that_is_served_again_begins_anew(tmp_path: Path) -> None:
    """The period of an old notice would count for the newer one."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.NOTICED)
        await asyncio.sleep((6 * DAY).total_seconds())
        await owed(bench)
        await bench.told(
            record(bench, "notice", "n2", owed_cents=12_000),
            record(bench, "receipt", "n2r", of="n2", outcome="delivered"),
        )
        assert "noticed" == await state_in(bench, DAY)
        await asyncio.sleep((5 * DAY).total_seconds())
        await owed(bench, "later")
        assert "noticed" == await state_in(bench, DAY - SECOND)
        assert "pending_approval" == await state_in(bench, 2 * SECOND)

    bench.live(script)


def test_a_statement_of_two_days_brings_nothing_on(tmp_path: Path) -> None:
    """Somebody would be cut off for what he owed the day before yesterday (ARR-05)."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await pending(bench)
        await asyncio.sleep((47 * HOUR).total_seconds())  # it was an hour old
        await bench.ask("anna", "case.approve", id=CASE)
        await asyncio.sleep(1)
        await announced(bench)
        case = await case_of(bench)
        assert ("approved", "CTRL-01") == (case["state"], case["waits_for"][0]["rule"])
        alarms = [kept.act for kept in bench.acts(Topic.ALARM)]
        assert [("STALE_BALANCE", M)] == [(act.subject.split(":")[0], act.meter) for act in alarms]
        await owed(bench)
        assert "final_notice" == (await case_of(bench))["state"]

    bench.live(script)


def test_nothing_is_approved_by_an_old_statement(tmp_path: Path) -> None:
    """The same, for who approves."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await pending(bench)
        await asyncio.sleep((47 * HOUR + SECOND).total_seconds())
        with pytest.raises(Stopped, match="CTRL-01"):
            await bench.ask("anna", "case.approve", id=CASE)

    bench.live(script)


def test_a_last_notice_from_before_the_approval_does_not_count(tmp_path: Path) -> None:
    """Somebody would be told of the day before anybody had decided (CTRL-01, CTRL-06)."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await pending(bench)
        await announced(bench, "early")
        await asyncio.sleep(1)
        await bench.ask("anna", "case.approve", id=CASE)
        assert "approved" == await state_in(bench, HOUR)
        await announced(bench)
        assert "final_notice" == await state_in(bench, MINUTE)

    bench.live(script)


def test_a_last_notice_that_lapsed_is_used_up(tmp_path: Path) -> None:
    """A window would open again that had closed (CTRL-06)."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.FINAL_NOTICE)
        await bench.ask("clara", "control.stop", reason="a storm")
        await bench.ask("clara", "control.freeze", area="east", reason="a storm")
        assert "final_notice" == await state_in(bench, 4 * HOUR - SECOND)
        assert "approved" == await state_in(bench, 2 * SECOND)
        for user in ("sam", "steve"):
            await bench.ask(user, "control.resume", reason="over")
        await bench.ask("sam", "control.lift", area="east", reason="over")
        assert "approved" == await state_in(bench, HOUR)

    bench.live(script)
    assert [] == bench.acts(Topic.ORDER)


@pytest.mark.parametrize(("too_late", "state"), [(5 * SECOND, "ordered"), (timedelta(), "final_notice")])
def test_an_approval_lasts_eight_hours_over_case_and_order(
    too_late: timedelta, state: str, tmp_path: Path
) -> None:
    """An approval of the morning would cut somebody off in the evening, by way of the case (CTRL-10)."""
    bench = CaseBench(tmp_path, start=TUESDAY - 2 * HOUR)  # 08:00 in the plant

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.APPROVED)
        approved_at = bench.now()
        await asyncio.sleep((8 * HOUR - 30 * MINUTE - too_late).total_seconds())
        await announced(bench)
        assert state == await state_in(bench, 30 * MINUTE + SECOND)
        for order in (await bench.ask("clara", "order.list"))["orders"]:
            assert approved_at.replace(microsecond=0) + 8 * HOUR == time_in(order["deadline_at"])

    bench.live(script)


@pytest.mark.parametrize("failing", [True, False])
def test_who_cannot_be_reached_is_a_matter_for_people(failing: bool, tmp_path: Path) -> None:
    """Nobody would look for the number of somebody who then sits in the dark (CTRL-02)."""
    bench = CaseBench(tmp_path)

    async def script(_: CaseBench) -> None:
        await brought_to(bench, CaseState.DRAFT)
        if failing:
            await bench.told(
                record(bench, "warning", "w1", channel="sms"),
                record(bench, "receipt", "w1r", of="w1", outcome="failed"),
            )
        assert "expired" == await state_in(bench, DAY + SECOND)

    bench.live(script)
    kinds = [kept.act.body["kind"] for kept in bench.acts(Topic.WORK)]
    assert (["contact"] if failing else []) == kinds


@pytest.mark.parametrize("change", [{"customer_number": "000099999999"}, {"id": "m-other"}])
def test_another_customer_or_no_meter_ends_it(change: dict[str, Any], tmp_path: Path) -> None:
    """Who moved in yesterday would be cut off for the debt of who moved out."""
    bench = CaseBench(tmp_path)
    bench.live(lambda _: brought_to(bench, CaseState.APPROVED))
    bench.configured(**change)

    async def script(_: CaseBench) -> None:
        assert "cancelled" == await state_in(bench, SECOND)

    bench.live(script)


def test_an_important_customer_s_order_names_the_filing(tmp_path: Path) -> None:
    """The order would be refused, or go out unfiled (CTRL-07)."""
    bench = CaseBench(tmp_path, meter_keys={"important": True})

    async def script(_: CaseBench) -> None:
        await pending(bench)
        filing = record(bench, "filing", "g1", of=f"{M}-n1", authority="the bureau", number="2026-17")
        await bench.told(filing)
        await bench.ask("anna", "case.approve", id=CASE)
        await announced(bench)
        order = await bench.ask("clara", "order.show", id=(await until(bench, "ordered"))["order"])
        assert "billing:g1" == order["reference"]

    bench.live(script)


def test_no_more_cases_are_open_than_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cases would grow without a limit."""
    bench = CaseBench(tmp_path)
    monkeypatch.setattr(case_book, "OPEN_MAX", 0)

    async def script(_: CaseBench) -> None:
        await warned(bench)
        with pytest.raises(BusFull, match="0 cases are open"):
            await begun(bench)

    bench.live(script)
