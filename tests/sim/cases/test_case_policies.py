"""When a policy begins a case by itself, and when it must not. Source: ARR-04, ARR-05, CTRL-10."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.act import Topic
from meterlink.model.payload import time_out
from tests.sim.cases.bench import CaseBench
from tests.support.case_stories import M, agreed, announced, case_of, record, statement, until, warned
from tests.support.order_gateway import TUESDAY, document
from tests.support.rules import chain, without

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)


async def _agreed(bench: CaseBench, **policy: Any) -> None:
    agreement, meant = agreed(bench)
    await bench.told(agreement)
    await bench.meant({**meant, **policy})


async def _proposed(bench: CaseBench, **said: Any) -> list[Mapping[str, Any]]:
    await statement(bench, "s1", **said)
    return list((await bench.ask("clara", "case.list"))["cases"])


@pytest.mark.parametrize(("cents", "cases"), [(-5_000, 0), (-5_001, 1)])
def test_a_case_begins_beyond_the_overdraft(cents: int, cases: int, tmp_path: Path) -> None:
    """Somebody would be cut off within what was agreed (ARR-04)."""
    bench = CaseBench(tmp_path, by_policy=True)

    async def script(_: CaseBench) -> None:
        await _agreed(bench)
        await warned(bench)
        assert cases == len(await _proposed(bench, cents=cents))

    bench.live(script)


@pytest.mark.parametrize(("late", "cases"), [(timedelta(), 1), (SECOND, 0)])
def test_a_balance_by_old_readings_never_escalates(late: timedelta, cases: int, tmp_path: Path) -> None:
    """Somebody would be cut off for an estimate; or nobody be told that readings are missing (ARR-05)."""
    bench = CaseBench(tmp_path, by_policy=True)

    async def script(_: CaseBench) -> None:
        await warned(bench)
        await _agreed(bench)
        await asyncio.sleep(1)
        assert cases == len(await _proposed(bench, read_ago=48 * HOUR + late))

    bench.live(script)
    stale = [kept.act for kept in bench.acts(Topic.ALARM) if kept.act.subject.startswith("STALE_BALANCE")]
    assert [M] * (1 - cases) == [act.meter for act in stale]


@pytest.mark.parametrize(
    "policy",
    [
        {"areas": ["west"]},
        {"until": time_out(TUESDAY - SECOND)},
        {"at": time_out(TUESDAY + timedelta(minutes=4))},
    ],
)
def test_a_policy_is_for_its_area_and_time(policy: dict[str, Any], tmp_path: Path) -> None:
    """A policy would cut off whom it is not for."""
    bench = CaseBench(tmp_path, by_policy=True)

    async def script(_: CaseBench) -> None:
        await _agreed(bench, **policy)
        await warned(bench)
        assert [] == await _proposed(bench)

    bench.live(script)


@pytest.mark.parametrize("by_policy", [True, False])
def test_a_policy_that_one_person_means_begins_nothing(by_policy: bool, tmp_path: Path) -> None:
    """One person alone could have a street cut off (CTRL-10); or somebody who never agreed."""
    bench = CaseBench(tmp_path, by_policy=by_policy)

    async def script(_: CaseBench) -> None:
        agreement, policy = agreed(bench)
        await bench.told(agreement)
        if by_policy:
            await bench.ask("anna", "evidence.add", records=[policy])
        else:
            await bench.meant(policy)  # and the configuration names no agreement
        await warned(bench)
        assert [] == await _proposed(bench)

    bench.live(script)


def test_a_notice_that_runs_begins_nothing_and_the_next_statement_does(tmp_path: Path) -> None:
    """A policy would not wait for the end of the notice, or never come back to it."""
    bench = CaseBench(tmp_path, by_policy=True)

    async def script(_: CaseBench) -> None:
        await _agreed(bench)
        kept = without(chain(bench.now()), "f1", "n1r")
        await bench.told(*(document(one.record.body, M, bench.number_of(M)) for one in kept))
        await bench.told(record(bench, "receipt", f"{M}-n1r", of=f"{M}-n1", outcome="delivered"))
        assert [] == await _proposed(bench)
        await asyncio.sleep((7 * 24 * HOUR).total_seconds())
        (told,) = [await statement(bench, "s8")]
        assert 1 == len(told["cases"])

    bench.live(script)


def test_at_night_the_policy_waits_for_the_morning(tmp_path: Path) -> None:
    """A case would be approved at an hour at which nobody is cut off (CTRL-09), or be forgotten."""
    bench = CaseBench(tmp_path, by_policy=True, start=TUESDAY + 10 * HOUR)  # 20:00 in the plant

    async def script(_: CaseBench) -> None:
        await _agreed(bench)
        await warned(bench)
        (case,) = await _proposed(bench)
        assert "pending_approval" == case["state"]
        await asyncio.sleep((12 * HOUR - SECOND).total_seconds())
        assert "pending_approval" == (await case_of(bench, case["id"]))["state"]
        await asyncio.sleep(61)
        assert "approved" == (await case_of(bench, case["id"]))["state"]

    bench.live(script)


def test_the_kill_switch_holds_the_case_before_its_order(tmp_path: Path) -> None:
    """An order would be made and refused, and the case be lost, while trips are stopped (CTRL-10)."""
    bench = CaseBench(tmp_path, by_policy=True)

    async def script(_: CaseBench) -> None:
        await _agreed(bench)
        await warned(bench)
        (case,) = await _proposed(bench)
        await announced(bench)
        await bench.ask("clara", "control.stop", reason="wrong list")
        await asyncio.sleep(HOUR.total_seconds())
        assert "final_notice" == (await case_of(bench, case["id"]))["state"]
        for user in ("sam", "steve"):
            await bench.ask(user, "control.resume", reason="over")
        ordered = await until(bench, "ordered", case["id"])
        assert "policy" == (await bench.ask("clara", "order.show", id=ordered["order"]))["origin"]

    bench.live(script)


def test_one_statement_begins_one_case(tmp_path: Path) -> None:
    """A case that a person has withdrawn would come back when billing repeats itself, or at a restart."""
    bench = CaseBench(tmp_path, by_policy=True)

    async def script(_: CaseBench) -> None:
        await _agreed(bench)
        await warned(bench)
        (case,) = await _proposed(bench)
        await bench.ask("clara", "case.cancel", id=case["id"], reason="pays by instalments")
        assert [] == await _proposed(bench)

    bench.live(script)

    async def again(_: CaseBench) -> None:
        await asyncio.sleep(60)
        assert [] == (await bench.ask("clara", "case.list"))["cases"]

    bench.live(again)


def test_a_statement_that_died_with_the_program_begins_its_case(tmp_path: Path) -> None:
    """What was told just before a crash would wait for the statement of the next day."""
    bench = CaseBench(tmp_path, by_policy=True)
    bench.configured(by_policy=False)  # nobody looks at it

    async def script(_: CaseBench) -> None:
        await _agreed(bench)
        await warned(bench)
        assert [] == await _proposed(bench)

    bench.live(script)
    bench.configured(by_policy=True)

    async def again(_: CaseBench) -> None:
        await asyncio.sleep(1)
        (case,) = (await bench.ask("clara", "case.list"))["cases"]
        assert "approved" == case["state"]

    bench.live(again)


def test_a_person_withdraws_what_a_policy_began(tmp_path: Path) -> None:
    """Nobody could stop a policy for one customer."""
    bench = CaseBench(tmp_path, by_policy=True)

    async def script(_: CaseBench) -> None:
        await _agreed(bench)
        await warned(bench)
        (case,) = await _proposed(bench)
        await announced(bench)
        await bench.ask("clara", "case.cancel", id=case["id"], reason="a child is ill")
        await asyncio.sleep(HOUR.total_seconds())
        assert "cancelled" == (await case_of(bench, case["id"]))["state"]

    bench.live(script)
    assert ([], []) == (bench.obeyed(), bench.acts(Topic.ORDER))
