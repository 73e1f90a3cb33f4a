"""Ways that lead a case into each of its open states."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from meterlink.model.payload import time_out
from meterlink.orders.cases.machine import CaseState
from tests.sim.cases.bench import CaseBench
from tests.support.case_stories import CASE, M, announced, begun, case_of, record, warned
from tests.support.order_gateway import document
from tests.support.rules import chain, without


async def owed(bench: CaseBench, name: str = "owed") -> None:
    """A statement of this moment: overdue for two months."""
    since = time_out(bench.now() - timedelta(days=60))
    told = record(bench, "balance_statement", name, balance_cents=-12_000, overdue_since=since)
    await bench.told(told)


async def _chain_without(bench: CaseBench, *names: str) -> None:
    kept = without(chain(bench.now()), "f1", *names)
    await bench.told(*(document(one.record.body, M, bench.number_of(M)) for one in kept))


async def draft(bench: CaseBench) -> None:
    """Somebody owes; nobody was warned."""
    await owed(bench)
    await begun(bench)


async def was_warned(bench: CaseBench) -> None:
    """Warnings came there; there is no notice."""
    await _chain_without(bench, "n1", "n1r")
    await begun(bench)


async def noticed(bench: CaseBench) -> None:
    """The notice was served this minute."""
    await _chain_without(bench, "n1r")
    await bench.told(record(bench, "receipt", f"{M}-n1r", of=f"{M}-n1", outcome="delivered"))
    await begun(bench)


async def pending(bench: CaseBench) -> None:
    """Another person is to decide."""
    await warned(bench)
    await begun(bench)


async def approved(bench: CaseBench) -> None:
    """Another person has approved."""
    await pending(bench)
    await bench.ask("anna", "case.approve", id=CASE)


async def final_notice(bench: CaseBench) -> None:
    """The last notice went out this minute."""
    await approved(bench)
    await announced(bench)


WAYS: Final[Mapping[CaseState, Callable[[CaseBench], Awaitable[None]]]] = {
    CaseState.DRAFT: draft,
    CaseState.WARNED: was_warned,
    CaseState.NOTICED: noticed,
    CaseState.PENDING_APPROVAL: pending,
    CaseState.APPROVED: approved,
    CaseState.FINAL_NOTICE: final_notice,
}


async def brought_to(bench: CaseBench, state: CaseState) -> None:
    """The case, in a state."""
    await WAYS[state](bench)
    assert state == (await case_of(bench))["state"]


async def state_in(bench: CaseBench, wait: timedelta) -> str:
    """Where it stands some time later."""
    await asyncio.sleep(wait.total_seconds())
    return str((await case_of(bench))["state"])


def told_of(bench: CaseBench, kind: str) -> dict[str, Any]:
    """A record that ends every case."""
    fields: dict[str, dict[str, Any]] = {
        "payment": {"amount_cents": 1, "settles": False},
        "dispute": {"dispute": "d1", "state": "opened"},
        "protection": {"protection": "life_support", "state": "set"},
        "balance_statement": {"balance_cents": 0},
    }
    return record(bench, kind, f"end-{kind}", **fields[kind])
