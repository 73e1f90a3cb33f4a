"""The clock of a terminal of Q/GDW 1376.1 in a whole gateway: read, set by who may, and told in the chain."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.cli.language import Lang
from meterlink.cli.terminal_ask import TerminalAsking
from meterlink.errors import BadRequest, BusFull, LineLost, NotAllowed, Refused, Unknown
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.zone import CHINA_TIME
from metersim import Meter, Station
from metersim.gdw1376.commands import Commands
from metersim.gdw1376.ways import Ways1376
from metersim.terminals.port import Route
from tests.support.terminal_gateway import NAME, TerminalGateway

ADDRESS = "000000000161"
MORNING = datetime(2026, 11, 24, 10, 20, tzinfo=CHINA_TIME)
DAVID, CLARA = "david", "clara"
"""A dispatcher, and a clerk."""
SET: dict[str, Any] = {"line": NAME, "may_be_far": False, "dry_run": False}


class _Town:
    """A gateway with one terminal whose clock is ahead by so much."""

    def __init__(self, folder: Path, ahead_s: float, *, trusted: bool = True, **more: Any) -> None:
        self.gateway = TerminalGateway(
            folder,
            [Station(meter=Meter(ADDRESS, seed=1))],
            start=more.pop("start", MORNING),
            clock_ahead=timedelta(seconds=ahead_s),
            ways=Ways1376(curve_minutes=0),
            model="",
            keys={ADDRESS: {"meter_number": ADDRESS}},
            tables={"gateway": {"id": "gw", "clock_trusted": trusted}},
            **more,
        )

    def run(self, story: Callable[[], Awaitable[None]], *, seconds: float = 300) -> None:
        async def after_a_while() -> None:
            await self.gateway.desk_opened.wait()
            await asyncio.sleep(20)
            await story()

        self.gateway.run(seconds=seconds, meanwhile=after_a_while)

    async def ask(self, op: str, user: str = DAVID, **args: Any) -> Any:
        return await self.gateway.ask(user, op, **args)

    @property
    def ahead_s(self) -> float:
        """What is true of the terminal's clock."""
        terminal = self.gateway.terminal
        assert terminal is not None
        now = self.gateway.sim.clock.utc_now()
        return (terminal.clock.shows(now).astimezone(CHINA_TIME) - now).total_seconds()

    def acts(self) -> list[Act]:
        return [
            row.record.act
            for row in self.gateway.rows()
            if isinstance(row.record, KeptAct) and row.record.act.topic is Topic.TERMINAL
        ]


@pytest.mark.parametrize("ahead_s", [200, -700])
def test_a_clock_is_shown_and_set_and_shown_again(
    tmp_path: Path, ahead_s: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its nights would be filed by a wrong clock until somebody drives there."""
    town = _Town(tmp_path, ahead_s)

    def said(result: Any, lang: Lang) -> str:
        capsys.readouterr()
        TerminalAsking(tmp_path, as_json=False, lang=lang)._tell_clock(result)
        return capsys.readouterr().out

    async def story() -> None:
        told = await town.ask("terminal.clock", line=NAME)
        assert abs(told["ahead_s"] - ahead_s) <= 1
        assert f"shows {told['shows']}, {told['ahead_s']:+d} s" in said(told, Lang.EN)
        assert ([], 0, False) == (told["against"], told["settings"], told["is_broken"])
        dry = await town.ask("terminal.set_clock", **{**SET, "dry_run": True})
        assert (True, False, []) == (dry["dry_run"], dry["is_set"], dry["against"])
        assert "加 --do" in said(dry, Lang.ZH)
        assert abs(town.ahead_s - ahead_s) < 2, "a dry run sets nothing"
        done = await town.ask("terminal.set_clock", **SET)
        assert (True, 1) == (done["is_set"], done["settings"])
        assert abs(done["ahead_s"]) <= 1
        assert abs(town.ahead_s) <= 1.5
        again = await town.ask("terminal.set_clock", **SET)
        assert (False, ["right"]) == (again["is_set"], again["against"])
        assert "已设置时钟" in said(done, Lang.ZH)
        assert "there is nothing to set" in said(again, Lang.EN)

    town.run(story)
    before, after = town.acts()
    assert (("set_clock", DAVID, NAME, 1), ("clock_set", DAVID, NAME, 2)) == tuple(
        (one.verb, one.actor, one.subject, one.step) for one in (before, after)
    )
    assert ["dispatcher"] == before.body["roles"]
    assert abs(before.body["ahead_s"] - ahead_s) <= 1
    assert abs(after.body["ahead_s"]) <= 1


@pytest.mark.parametrize(
    ("more", "ahead_s", "against"),
    [
        ({"trusted": False}, 200, "ours"),
        ({}, 2000, "far"),
        ({"start": MORNING.replace(minute=57)}, 200, "near_hour"),
        ({"start": MORNING.replace(hour=23, minute=50)}, 200, "near_midnight"),
    ],
)
def test_what_speaks_against_it_leaves_it_as_it_is(
    tmp_path: Path, more: dict[str, Any], ahead_s: int, against: str
) -> None:
    """A freeze would be lost, or a gateway whose clock is wrong take its terminals along."""
    town = _Town(tmp_path, ahead_s, **more)

    async def story() -> None:
        told = await town.ask("terminal.set_clock", **SET)
        assert (False, [against]) == (told["is_set"], told["against"])
        assert abs(town.ahead_s - ahead_s) < 2

    town.run(story)
    assert [] == town.acts()


def test_a_clock_that_lost_its_time_is_set_when_somebody_says_so(tmp_path: Path) -> None:
    """A terminal that stood without power for a year could only be set on the spot."""
    town = _Town(tmp_path, -400 * 86_400)

    async def story() -> None:
        done = await town.ask("terminal.set_clock", **{**SET, "may_be_far": True})
        assert done["is_set"]
        assert abs(town.ahead_s) <= 1.5

    town.run(story)


def test_who_is_no_dispatcher_sets_no_clock(tmp_path: Path) -> None:
    """Whoever is in the group could move the nights of an area."""
    town = _Town(tmp_path, 200)

    async def story() -> None:
        for user in (CLARA, "sam", "somebody"):
            with pytest.raises(NotAllowed):
                await town.ask("terminal.set_clock", user, **SET)
        with pytest.raises(NotAllowed):
            await town.ask("terminal.clock", "somebody", line=NAME)
        with pytest.raises(Unknown):
            await town.ask("terminal.set_clock", **{**SET, "line": "nowhere"})
        with pytest.raises(BadRequest):
            await town.ask("terminal.set_clock", **{**SET, "dry_run": "no"})

    town.run(story)
    assert [] == town.acts()
    assert town.ahead_s > 190


def test_a_terminal_that_does_not_take_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody would believe that the nights are right from now on."""
    monkeypatch.setattr(Commands, "_controlled", lambda self, asked: False)
    town = _Town(tmp_path, 200)

    async def story() -> None:
        with pytest.raises(Refused, match="does not let its clock be set"):
            await town.ask("terminal.set_clock", **SET)

    town.run(story)
    assert ["set_clock", "clock_not_set"] == [one.verb for one in town.acts()]


def test_a_command_leaves_once_whatever_comes_back(tmp_path: Path) -> None:
    """A time that is sent again is a time of before."""
    town = _Town(tmp_path, 200)
    heard: list[Any] = []

    async def story() -> None:
        terminal = town.gateway.terminal
        assert terminal is not None
        set_clock = terminal.clock.set

        def set_and_fall_over(*args: Any) -> None:
            heard.append(args)
            set_clock(*args)
            terminal.reset(60)

        terminal.clock.set = set_and_fall_over  # type: ignore[assignment]
        with pytest.raises(LineLost):
            await town.ask("terminal.set_clock", **SET)

    town.run(story)
    assert 1 == len(heard)
    assert ["set_clock", "clock_not_set"] == [one.verb for one in town.acts()]


def test_a_line_that_is_at_a_slow_meter_is_told_as_busy_and_nothing_is_sent(tmp_path: Path) -> None:
    """Nobody would know whether the clock was set; or the wait would be taken for the way there."""
    town = _Town(tmp_path, 200, route=Route(shortest_s=40.0, longest_s=45.0))

    async def story() -> None:
        how: dict[str, Any] = {"count": 0, "tries": 1, "timeout_s": 120}
        await town.ask("read.begin", meter=f"m{ADDRESS}", items=["meter_number"], **how)
        await asyncio.sleep(3)
        with pytest.raises(BusFull, match="nothing was sent"):
            await town.ask("terminal.set_clock", **SET)
        assert town.ahead_s > 190
        done = await town.ask("terminal.set_clock", **SET)
        assert done["is_set"]
        assert abs(town.ahead_s) <= 1.5

    town.run(story)
    assert ["set_clock", "clock_set"] == [one.verb for one in town.acts()]
