"""The archive of a concentrator of DL/T 698.45 and the roster: compared, and entered when somebody asks."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from itertools import pairwise
from pathlib import Path

import pytest

from meterlink.cli.language import Lang
from meterlink.cli.terminal_ask import TerminalAsking
from meterlink.daemon.control_socket import owners
from meterlink.drivers.behind698.archive import Archivist698
from meterlink.drivers.behind698.watch import RETRY_S
from meterlink.drivers.terminal_archive import TerminalArchive
from meterlink.errors import BadRequest, MeterlinkError, NotAllowed, Unknown
from meterlink.model.event import Event
from meterlink.model.event_kinds import ARCHIVE_DIFFERS
from metersim import Meter, Station
from metersim.dlt698 import Meter698
from metersim.terminals.archive import ADD_SEVERAL, DELETE
from metersim.terminals.ways import Ways
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.concentrator import ArchiveEntry, archive_data
from tests.support.behind698 import BehindGateway, lines_to
from tests.support.concentrator import ADDRESS, SELDOM
from tests.support.simulated import SimulatedGateway

A645, B698, C698 = "000000000401", "000000000402", "000000000403"
STRANGER = "000000000999"
[ME, *_] = sorted(owners())


class _Town:
    def __init__(self, folder: Path, **plan: object) -> None:
        stations = [
            Station(meter=Meter(A645, seed=1)),
            Station(meter=Meter698(B698, seed=2, password="00000000")),
            Station(meter=Meter698(C698, seed=3)),
        ]
        self.gateway = SimulatedGateway(
            folder, stations, every_s=3600, protocols={B698: "dlt698.45", C698: "dlt698.45"}, more=lines_to()
        )
        self.plant = BehindGateway(self.gateway, stations, **{"ways": Ways(call=SELDOM), **plan})

    def run(self, story: Callable[[], Awaitable[None]], seconds: float = 600) -> None:
        async def after_a_while() -> None:
            await self.gateway.desk_opened.wait()
            await asyncio.sleep(10)
            await story()

        self.plant.run(seconds=seconds, story=after_a_while)


def test_what_agrees_is_said_to_agree(tmp_path: Path) -> None:
    """Nobody would trust a list that always finds something."""
    town = _Town(tmp_path)

    async def story() -> None:
        for named in ("line1", ADDRESS):
            told = await town.gateway.ask(ME, "terminal.archive", line=named)
            assert told["agrees"], told
            assert [A645, B698, C698] == [one["address"] for one in told["meters"]]
            assert ["dlt645-2007", "dlt698.45", "dlt698.45"] == [one["protocol"] for one in told["meters"]]
            assert f"m{A645}" == told["meters"][0]["meter"]

    town.run(story)


def _disarrange(town: _Town) -> None:
    """One is not there, one is said to speak 645, and one more is there."""
    archive = town.plant.concentrator.archive
    numbers = {entry.address: entry.number for entry in archive.entries}
    archive.act(DELETE, Data("long-unsigned", numbers[C698]))
    wrong = ArchiveEntry(number=numbers[B698], address=B698, protocol=2, tariffs=3)
    archive.act(ADD_SEVERAL, archive_data([wrong, ArchiveEntry(number=77, address=STRANGER)]))


def test_what_differs_is_named_and_entered_on_demand(tmp_path: Path) -> None:
    """A meter that its concentrator does not know has no nights, and nobody sees why."""
    town = _Town(tmp_path)
    _disarrange(town)

    async def story() -> None:
        told = await town.gateway.ask(ME, "terminal.archive", line="line1")
        assert not told["agrees"]
        assert [{"address": C698, "meter": f"m{C698}"}] == told["missing"]
        assert [STRANGER] == told["strange"]
        assert [B698] == [one["address"] for one in told["other_protocol"]]
        before = town.plant.concentrator.archive.entries
        dry = await town.gateway.ask(ME, "terminal.download", line="line1", dry_run=True)
        assert sorted([B698, C698]) == dry["to_enter"]
        assert [] == dry["entered"]
        assert before == town.plant.concentrator.archive.entries, "a dry run changes nothing"
        done = await town.gateway.ask(ME, "terminal.download", line="line1", dry_run=False)
        assert sorted([B698, C698]) == done["entered"]
        assert [] == done["missing"] == done["other_protocol"]
        assert [STRANGER] == done["strange"], "nobody asked to throw it out"

    town.run(story)
    found = {entry.address: entry for entry in town.plant.concentrator.archive.entries}
    assert 3 == found[C698].protocol == found[B698].protocol
    assert 3 == found[B698].tariffs, "what the roster does not say stays"
    assert {A645, B698, C698, STRANGER} == set(found)


def test_a_terminal_that_takes_nothing_says_so(tmp_path: Path) -> None:
    """Somebody would drive home in the belief that the new meter is collected."""
    town = _Town(tmp_path, ways=Ways(call=SELDOM, password="12345678"))
    _disarrange(town)

    async def story() -> None:
        with pytest.raises(MeterlinkError, match="dar 15"):
            await town.gateway.ask(ME, "terminal.download", line="line1", dry_run=False)

    town.run(story)


def test_who_may_not_read_may_not_look(tmp_path: Path) -> None:
    """Anybody in the group would write into concentrators."""
    town = _Town(tmp_path)

    async def story() -> None:
        for op in ("terminal.archive", "terminal.download"):
            with pytest.raises(NotAllowed):
                await town.gateway.ask("somebody", op, line="line1")
        with pytest.raises(Unknown):
            await town.gateway.ask(ME, "terminal.archive", line="line7")

    town.run(story)


def test_a_cable_has_no_archive(tmp_path: Path) -> None:
    """An error of ours would be shown in the place of a plain no."""
    gateway = SimulatedGateway(tmp_path, [Station(meter=Meter(A645, seed=1))])

    async def story() -> None:
        await gateway.desk_opened.wait()
        with pytest.raises(BadRequest, match="no concentrator"):
            await gateway.ask(ME, "terminal.archive", line="line1")

    gateway.run(seconds=10, meanwhile=story)


def _differing(town: _Town) -> list[Event]:
    records = [row.record for row in town.gateway.rows()]
    return [one for one in records if isinstance(one, Event) and one.kind == ARCHIVE_DIFFERS]


def test_what_differs_is_told_once_without_being_asked(tmp_path: Path) -> None:
    """A meter that its concentrator does not know would have no nights until somebody thinks of looking."""
    town = _Town(tmp_path)
    _disarrange(town)

    async def story() -> None:
        await asyncio.sleep(60)

    town.run(story, seconds=3 * 86_400)
    [event] = _differing(town)
    told = {value.item: value.content for value in event.values}
    assert {"missing": C698, "strange": STRANGER, "other_protocol": B698} == told
    assert (f"terminal-{ADDRESS}", f"terminal {ADDRESS}") == (event.meter, event.route)


def test_what_comes_to_differ_later_is_told(tmp_path: Path) -> None:
    """Somebody takes a meter out at the terminal, and the archive was looked at for good at the start."""
    town = _Town(tmp_path)

    async def story() -> None:
        await asyncio.sleep(7_200)
        assert [] == _differing(town), "nothing is told of what agrees"
        _disarrange(town)
        await asyncio.sleep(7_200)
        town.plant.concentrator.reset(300)
        await asyncio.sleep(60)

    town.run(story, seconds=6 * 3600)
    assert 1 == len(_differing(town))


def test_an_archive_that_is_empty_lacks_all(tmp_path: Path) -> None:
    """A concentrator that was exchanged knows nobody, and nobody would hear of it."""
    town = _Town(tmp_path, archive=False)

    async def story() -> None:
        await asyncio.sleep(60)

    town.run(story, seconds=7_200)
    [event] = _differing(town)
    [value] = event.values
    assert ("missing", ", ".join((A645, B698, C698))) == (value.item, value.content)


def test_a_terminal_that_logs_in_again_and_again_is_not_asked_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bad connection would be filled with the archive: it may be long."""
    town = _Town(tmp_path)
    looks: list[float] = []
    read = Archivist698.read

    async def noted(archivist: Archivist698) -> TerminalArchive:
        looks.append(town.gateway.sim.clock.monotonic_s())
        return await read(archivist)

    monkeypatch.setattr(Archivist698, "read", noted)

    async def story() -> None:
        for _ in range(36):
            await asyncio.sleep(300)
            town.plant.concentrator.reset(30)

    town.run(story, seconds=3 * 3600)
    assert len(looks) in {3, 4}, "again after each hour, for it may be another terminal"
    assert all(later - earlier >= RETRY_S for earlier, later in pairwise(looks))


@pytest.mark.parametrize(
    ("lang", "told"),
    [
        (Lang.EN, "m2: stands there as not read, and becomes dlt645-2007"),
        (Lang.ZH, "m2: 原为 不采集,改为 dlt645-2007"),
    ],
)
def test_where_each_meter_would_go_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], lang: Lang, told: str
) -> None:
    """Who fills an archive could not see beforehand what becomes of it."""
    place = {
        "address": A645,
        "meter": "m1",
        "protocol": "dlt645-2007",
        "number": 3,
        "point": 12,
        "stood_as": None,
    }
    changed = {**place, "address": B698, "meter": "m2", "number": 5, "point": None, "stood_as": "-"}
    kinds: dict[str, list[str]] = {
        "missing": [],
        "strange": [],
        "doubled": [],
        "other_protocol": [],
        "meters": [],
    }
    result = {"terminal": ADDRESS, "line": "l", "unreadable": 0, "agrees": False, **kinds}
    asking = TerminalAsking(tmp_path, as_json=False, lang=lang)
    asking._tell_archive({**result, "dry_run": True, "to_enter": [A645, B698], "places": [place, changed]})
    *_, new, other = capsys.readouterr().out.splitlines()
    assert f"     3  {A645}  pn 12  m1: " in new
    assert other.startswith(f"     5  {B698}  {told}")
