"""Lists of cases: the newest are shown, and it is said how many are not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from meterlink.daemon import case_requests
from tests.sim.cases.bench import CaseBench
from tests.sim.cases.states import owed
from tests.support.case_stories import M


def test_the_newest_of_all_cases_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever looks for what was just begun would see the cases whose ids come first, as if they were all."""
    monkeypatch.setattr(case_requests, "LISTED_MAX", 3)
    bench = CaseBench(tmp_path)

    async def listed(**args: Any) -> tuple[list[str], int]:
        told = await bench.ask("clara", "case.list", **args)
        return [one["id"] for one in told["cases"]], told["left_out"]

    async def script(_: CaseBench) -> None:
        await owed(bench)
        for name in ("e", "d", "c", "b", "a", "z"):
            await bench.ask("clara", "case.create", id=name, meter=M, reason="arrears of May")
            await bench.ask("clara", "case.cancel", id=name, reason="pays by instalments")
            await asyncio.sleep(1)
        assert (["b", "a", "z"], 3) == await listed(all=True)
        assert (["b", "a", "z"], 3) == await listed(all=True, meter=M)
        assert ([], 0) == await listed()

    bench.live(script)
