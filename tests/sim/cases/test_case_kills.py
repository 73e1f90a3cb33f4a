"""The program is killed at each commit of a case, and now and then behind: there is one trip.

Behind the case it is an order like every other, whose crash points are enumerated in ``crash_points``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import NotAllowed
from meterlink.model.act import Topic
from tests.sim.cases.bench import CaseBench
from tests.sim.crash_points.fates import Some, Tally
from tests.sim.soak.playing import quiet
from tests.support.case_stories import CASE, M, agreed, announced, begun, record, statement, warned
from tests.support.scratch import in_memory

SHARES = 4
"""Tests that the points of one story are dealt to."""
BEHIND = 6
"""Of so many points behind the case one is tried."""


async def by_policy(bench: CaseBench) -> None:
    """All that senders tell of a customer who has agreed to policies, until the lights are out."""
    agreement, policy = agreed(bench)
    await bench.told(agreement)
    await bench.meant(policy)
    await warned(bench)
    await statement(bench, "s1")
    await _brought_on(bench)


async def by_persons(bench: CaseBench) -> None:
    """A clerk begins it, an approver approves, a dispatcher operates; each does it again after a crash."""
    await warned(bench)
    await begun(bench)
    case = await _the_case(bench)
    if case["state"] == "pending_approval":
        await bench.ask("anna", "case.approve", id=CASE)
    await _brought_on(bench)


async def _the_case(bench: CaseBench) -> Mapping[str, Any]:
    (case,) = (await bench.ask("clara", "case.list", meter=M, all=True))["cases"]
    return dict(case)


async def _brought_on(bench: CaseBench) -> None:
    """The last notice goes out when it may, and people do what is theirs, until the order has ended."""
    while not (case := await _the_case(bench))["order"]:
        if case["state"] == "approved":
            await announced(bench, f"f{bench.now():%H%M%S}")
        await asyncio.sleep(60)
    bench.ordered_at = bench.ordered_at or bench.passed
    while (order := await bench.ask("clara", "order.show", id=case["order"]))["is_open"]:
        if (order["state"], order["origin"]) == ("authorised", "person"):
            with contextlib.suppress(NotAllowed):
                await bench.ask("david", "order.arm", id=order["id"])
                await bench.ask("david", "order.operate", id=order["id"])
        await asyncio.sleep(5)
    assert "done" == order["state"]


STORIES = {"policy": by_policy, "persons": by_persons}


@pytest.fixture(scope="module")
def apart() -> Iterator[ProcessPoolExecutor]:
    """A small process: to copy that of thousands of tests takes as long as the life that a copy plays."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=quiet) as process:
        yield process


@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("story", STORIES)
def test_killed_at_each_point_there_is_one_trip(
    apart: ProcessPoolExecutor, story: str, share: int, tmp_path: Path
) -> None:
    """Somebody would be cut off twice for one case, or a case end without its order."""
    kills, tally = apart.submit(_share, story, share, tmp_path).result()
    assert [] == tally.wrong
    assert 5 < len(kills) == tally.played == tally.kills


def _share(story: str, share: int, folder: Path) -> tuple[list[int], Tally]:
    """The points of a share, and what became of the worlds in which the program died at one of them."""
    kills = _kills_of(story)[share::SHARES]
    fate = Some(0, kills)
    bench = _played(folder, story, None)
    try:
        bench.live(STORIES[story], fate=fate)
        if fate.is_copy:
            _check_killed(bench, story, fate.kills[0])
    except BaseException as error:
        if not fate.is_copy:
            raise
        fate.tell((), ["".join(traceback.format_exception(error))])
    if fate.is_copy:
        fate.tell((), [])
    return kills, fate.tally


@functools.cache
def _kills_of(story: str) -> list[int]:
    with tempfile.TemporaryDirectory(dir=in_memory()) as folder:
        whole = _played(Path(folder), story, None)
        points = whole.live(STORIES[story]).count
    assert 20 < whole.ordered_at <= points
    return [*range(1, whole.ordered_at + 1), *range(whole.ordered_at + 1, points + 1, BEHIND)]


def _check_killed(bench: CaseBench, story: str, kill_at: int) -> None:
    _check_pairs(bench, kill_at)
    bench.live(STORIES[story])
    _check_pairs(bench, kill_at)
    created = [kept.act for kept in bench.acts(Topic.ORDER) if kept.act.verb == "create"]
    cases = {kept.act.subject for kept in bench.acts(Topic.CASE)}
    assert cases == {act.body["order"]["case"] for act in created}, kill_at
    assert (1, ["trip"]) == (len(created), bench.obeyed()), kill_at


def _check_pairs(bench: CaseBench, kill_at: int) -> None:
    """On the disk stand the end of a case and its order, or neither."""
    ended = [kept.act.body["order"] for kept in bench.acts(Topic.CASE) if kept.act.verb == "order"]
    created = [kept.act.subject for kept in bench.acts(Topic.ORDER) if kept.act.verb == "create"]
    assert ended == created, kill_at


def _played(folder: Path, story: str, kill_at: int | None) -> CaseBench:
    (place := folder / f"k{kill_at}").mkdir()
    return CaseBench(place, by_policy=story == "policy")


def test_a_payment_that_died_with_the_program_ends_the_case(tmp_path: Path) -> None:
    """Somebody paid, the program died before the case was told, and he is cut off all the same."""

    async def paid(bench: CaseBench) -> None:
        await warned(bench)
        await begun(bench)
        await bench.ask("anna", "case.approve", id=CASE)
        await announced(bench)
        payment = record(bench, "payment", "p1", amount_cents=100, settles=False)
        await bench.told(payment)

    async def looked(bench: CaseBench) -> None:
        await asyncio.sleep(3 * 3600)
        case = await _the_case(bench)
        assert ("cancelled", "payment") == (case["state"], _last_verb(bench))

    whole = _played(tmp_path, "persons", None)
    points = whole.live(paid).count
    kept_at = None
    for kill_at in range(points - 3, points + 1):
        bench = _played(tmp_path, "persons", kill_at)
        bench.live(paid, kill_at=kill_at)
        if not any(kept.act.body["kind"] == "payment" for kept in bench.acts(Topic.EVIDENCE)):
            continue
        kept_at = kill_at
        bench.live(looked)
        assert [] == bench.acts(Topic.ORDER)
    assert kept_at is not None


def _last_verb(bench: CaseBench) -> str:
    return bench.acts(Topic.CASE)[-1].act.verb
