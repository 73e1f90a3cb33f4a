"""A whole gateway whose meters are behind a terminal of Q/GDW 1376.1: readings and orders through it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

import pytest
import typer

from meterlink.cli import asking as asking_of_the_daemon
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.terminal_ask import TerminalAsking
from meterlink.drivers.gdw1376.archivist import Archivist1376
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.terminal_archive import TerminalArchive
from meterlink.errors import OutOfTime
from meterlink.model.event import Event
from meterlink.model.payload import time_out
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.roster import Roster
from metersim import Meter, Station
from metersim.gdw1376.archive import PointEntry
from metersim.gdw1376.ways import Ways1376
from metersim.terminals.port import Route
from tests.support.agreement import readings_of
from tests.support.control_bench import a_meter
from tests.support.order_gateway import OPEN_TO_ALL
from tests.support.terminal_gateway import NAME, TerminalGateway

EVENING = datetime(2026, 11, 23, 23, 30, tzinfo=CHINA_TIME)
MIDNIGHT = datetime(2026, 11, 24, tzinfo=CHINA_TIME)
ITEMS = ["forward_active_energy.*"]
SETTLED_S = 300.0
"""The terminal has collected what it lacked, and asks no meter of its own accord."""
ADDRESSES = [f"00000000016{last}" for last in range(1, 4)]
FREEZES: dict[str, Any] = {"name": "night", "class": "daily_freeze", "items": ITEMS}
PLAIN: dict[str, Any] = {
    "plans": [FREEZES],
    "start": EVENING,
    "model": "",
    "keys": {address: {"meter_number": address} for address in ADDRESSES},
}


def _stations() -> list[Station]:
    return [Station(meter=Meter(address, seed=number)) for number, address in enumerate(ADDRESSES, start=7)]


@pytest.mark.parametrize("dials", [True, False], ids=["dials in", "is dialled"])
@pytest.mark.parametrize("quirks", [(), ("fir_zero", "c4_calls", "keeps_master", "four_zeros", "port_zero")])
def test_a_night_behind_a_terminal(tmp_path: Path, dials: bool, quirks: tuple[Any, ...]) -> None:
    """The night of a whole area would be missing, or stand under another day, or under another meter."""
    gateway = TerminalGateway(
        tmp_path,
        _stations(),
        dials=dials,
        ways=Ways1376(quirks=frozenset(quirks), curve_minutes=0),
        **PLAIN,
    )
    gateway.run(seconds=5400)
    kept = {
        (one.meter, one.item, one.slot): one
        for row in gateway.rows()
        if getattr(row.record, "data_class", "") == "daily_freeze"
        for one in readings_of([row])
    }
    for number, address in enumerate(ADDRESSES):
        meter = gateway.meters[address]
        for item in ("forward_active_energy", "forward_active_energy.t1"):
            reading = kept[f"m{address}", item, MIDNIGHT]
            assert meter.value(item, MIDNIGHT) == reading.value, (number, item)
            assert f"terminal {NAME} store" == reading.route


def test_a_meter_that_the_archive_lacks_is_told_and_read_through_the_terminal(tmp_path: Path) -> None:
    """Nobody would know why a new meter is never in the terminal's store."""
    gateway = TerminalGateway(tmp_path, _stations(), archived=False, ways=Ways1376(curve_minutes=0), **PLAIN)
    gateway.run(seconds=5400)
    readings = [one for row in gateway.rows() for one in readings_of([row]) if one.slot == MIDNIGHT]
    assert {f"m{address}" for address in ADDRESSES} == {one.meter for one in readings}
    assert {f"terminal {NAME} forward"} == {one.route for one in readings}
    events = [row.record for row in gateway.rows() if isinstance(row.record, Event)]
    [event] = [event for event in events if event.kind == "terminal_archive_differs"]
    assert f"terminal-{NAME}" == event.meter
    assert ", ".join(ADDRESSES) == next(one.content for one in event.values if one.item == "missing")


@pytest.mark.parametrize("days", [1, -1])
def test_a_terminal_a_day_off_gives_no_night_to_another_day(tmp_path: Path, days: int) -> None:
    """It reads the last freeze and files it by its own clock: the night before would be billed."""
    gateway = TerminalGateway(
        tmp_path,
        _stations(),
        clock_ahead=timedelta(days=days),
        ways=Ways1376(curve_minutes=0, files_last=True),
        **PLAIN,
    )
    gateway.run(seconds=9000)
    kept = [
        one
        for row in gateway.rows()
        if getattr(row.record, "data_class", "") == "daily_freeze"
        for one in readings_of([row])
    ]
    assert {f"m{address}" for address in ADDRESSES} == {one.meter for one in kept if one.slot == MIDNIGHT}
    for one in kept:
        assert one.slot is not None
        assert gateway.meters[one.meter[1:]].value(one.item, one.slot) == one.value, one


def test_events_and_a_clock_that_is_off_are_told_once(tmp_path: Path) -> None:
    """A terminal's reset and its clock decide what its store is worth; told each time, they hide all else."""
    gateway = TerminalGateway(
        tmp_path,
        _stations(),
        clock_ahead=timedelta(minutes=9),
        ways=Ways1376(reports=True, curve_minutes=0),
        **PLAIN,
    )

    async def meanwhile() -> None:
        await asyncio.sleep(600)
        assert gateway.terminal is not None
        gateway.terminal.reset()
        await asyncio.sleep(600)
        gateway.terminal.reset()

    gateway.run(seconds=3600, meanwhile=meanwhile)
    events = [row.record for row in gateway.rows() if isinstance(row.record, Event)]
    kinds = [event.kind for event in events]
    assert 2 == kinds.count("terminal_power"), kinds
    assert "terminal_clock_off" in kinds


def _orders(folder: Path, **more: Any) -> TerminalGateway:
    more.setdefault("ways", Ways1376(curve_minutes=0))
    return TerminalGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))], **more)


def test_a_trip_through_a_terminal_is_obeyed_once_and_proved(tmp_path: Path) -> None:
    """Nobody behind a concentrator could be cut off, or reconnected."""
    gateway = _orders(tmp_path)
    [meter] = gateway.addresses

    async def meanwhile() -> None:
        await gateway.up()
        await gateway.told_for_trip(meter)
        await gateway.trip("t-1", meter)
        order = await gateway.until("t-1")
        assert "done" == order["state"], order

    gateway.run(seconds=1800, meanwhile=meanwhile)
    assert ["trip"] == gateway.obeyed()
    assert 1 == len(gateway.strikes.controls)


def _tripped(gateway: TerminalGateway, **fields: Any) -> Mapping[str, Any]:
    """A trip of the one meter, to its end."""
    [meter] = gateway.addresses
    found: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await gateway.up()
        await asyncio.sleep(SETTLED_S)
        await gateway.told_for_trip(meter)
        await gateway.trip("t-1", meter, **fields)
        found.append(await gateway.until("t-1"))

    gateway.run(seconds=7200, meanwhile=meanwhile)
    return found[0]


def test_a_trip_whose_answer_is_lost_is_found_done_and_not_sent_again(tmp_path: Path) -> None:
    """The terminal says that the meter said nothing; who believes that it did nothing cuts off twice."""
    gateway = _orders(tmp_path)
    gateway.strikes.add("silence")
    order = _tripped(gateway)
    assert "done" == order["state"]
    assert ["trip"] == gateway.obeyed()
    assert 1 == len(gateway.strikes.controls)


def test_a_trip_that_no_meter_heard_is_sent_again_only_when_the_first_can_no_longer_be_obeyed(
    tmp_path: Path,
) -> None:
    """What a concentrator has stored it may send any time: two frames would be on their way at once."""
    gateway = _orders(tmp_path)
    gateway.strikes.add("loss")
    sent_at: list[datetime] = []
    for _ in range(2):
        gateway.strikes.then(lambda: sent_at.append(gateway.now()))
    order = _tripped(gateway)
    assert "done" == order["state"]
    assert ["trip"] == gateway.obeyed()
    assert 2 == len(sent_at)
    expired_at = datetime.fromisoformat(_sent(order)["expires_at"])
    assert sent_at[1] > expired_at, "the first frame was good when the second left"


def _sent(order: Mapping[str, Any]) -> Mapping[str, Any]:
    """The first transmission, as the log has it."""
    return next(step["body"]["sent"] for step in order["steps"] if "sent" in step.get("body", {}))


def test_a_terminal_that_dies_with_the_frame_in_its_hands(tmp_path: Path) -> None:
    """Nobody knows whether it was forwarded; the order may neither fail nor be sent again for that."""
    gateway = _orders(tmp_path)

    def dies() -> None:
        assert gateway.terminal is not None
        gateway.terminal.reset()

    gateway.strikes.then(dies)
    order = _tripped(gateway)
    assert "done" == order["state"]
    assert ["trip"] == gateway.obeyed()


def test_a_trip_whose_deadline_passes_while_the_terminal_is_away_is_never_sent(tmp_path: Path) -> None:
    """A household would be cut off hours after the order, when somebody has paid."""
    gateway = _orders(tmp_path)
    [meter] = gateway.addresses
    found: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await gateway.up()
        await gateway.told_for_trip(meter)
        assert gateway.terminal is not None
        gateway.terminal.reset(1800)
        await asyncio.sleep(1)
        deadline = gateway.now().replace(microsecond=0) + timedelta(minutes=20)
        await gateway.trip("t-1", meter, deadline_at=time_out(deadline))
        found.append(await gateway.until("t-1"))

    gateway.run(seconds=7200, meanwhile=meanwhile)
    assert "expired" == found[0]["state"]
    assert [] == gateway.obeyed()
    assert [] == gateway.strikes.controls


def test_a_line_of_a_terminal_is_not_ours(tmp_path: Path) -> None:
    """Orders would be repeated as on a cable, where what was not answered is lost. Source: decision 22 b."""
    for dials in (True, False):
        settings = _orders(tmp_path, dials=dials)._settings()
        roster = Roster.of(settings, MeterProfiles(None))
        assert [False] == [meter.line_is_ours for meter in roster]


def test_the_archive_is_shown_compared_and_filled_on_demand(tmp_path: Path) -> None:
    """Nobody could see why a meter is missing in the store, or mend it from here."""
    gateway = TerminalGateway(tmp_path, _stations(), ways=Ways1376(curve_minutes=0), **PLAIN)
    gateway.employ("otto", "operator")
    gone, left = ADDRESSES[0], ADDRESSES[1:]

    async def meanwhile() -> None:
        await gateway.up()
        told = await gateway.ask("otto", "terminal.archive", line="line1")
        assert told["agrees"], told
        assert ADDRESSES == [one["address"] for one in told["meters"]]
        assert [1, 2, 3] == [one["point"] for one in told["meters"]]
        assert {"31"} == {one["port"] for one in told["meters"]}
        assert gateway.terminal is not None
        gateway.terminal.archive.put(PointEntry(index=1, point=0, addr=gone, port=31, protocol=0))
        told = await gateway.ask("otto", "terminal.archive", line=NAME)
        assert [gone] == [one["address"] for one in told["missing"]]
        assert left == [one["address"] for one in told["meters"]]
        told = await gateway.ask("otto", "terminal.download", line=NAME, dry_run=True)
        assert [gone] == told["to_enter"]
        assert [(gone, 1, 1, None)] == [
            (one["address"], one["number"], one["point"], one["stood_as"]) for one in told["places"]
        ]
        assert gone not in {entry.addr for entry in gateway.terminal.archive.entries}
        told = await gateway.ask("otto", "terminal.download", line=NAME, dry_run=False)
        assert told["agrees"], told
        [entry] = [entry for entry in gateway.terminal.archive.entries if entry.addr == gone]
        assert (1, 1, 30, 31) == (entry.index, entry.point, entry.protocol, entry.port)

    gateway.run(seconds=120, meanwhile=meanwhile)


@pytest.mark.parametrize("op", ["terminal.archive", "terminal.download"])
def test_an_archive_is_shown_though_the_terminal_waits_for_a_silent_meter(tmp_path: Path, op: str) -> None:
    """With one dead meter that is read again and again, the command would fail again and again."""
    gateway = TerminalGateway(
        tmp_path,
        _stations(),
        route=Route(loss=1.0),
        ways=Ways1376(curve_minutes=0, answer_timeout_s=100.0),
        terminal={"frame_timeout_s": 110},
        **PLAIN,
    )
    gateway.employ("otto", "operator")

    async def meanwhile() -> None:
        await gateway.up()
        how: dict[str, Any] = {"count": 0, "tries": 3, "timeout_s": 600}
        await gateway.ask("otto", "read.begin", meter=f"m{ADDRESSES[0]}", items=["meter_number"], **how)
        await asyncio.sleep(3)
        begun = gateway.now()
        told = await gateway.ask("otto", op, line=NAME)
        assert told["agrees"], told
        assert gateway.now() - begun > timedelta(seconds=60), "the meter was silent all the time"

    gateway.run(seconds=900, meanwhile=meanwhile)


def test_an_archive_that_takes_without_end_is_given_up_before_who_asks_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command would hang, or say that the daemon is gone."""
    gateway = TerminalGateway(tmp_path, _stations(), ways=Ways1376(curve_minutes=0), **PLAIN)
    gateway.employ("otto", "operator")
    patience_s: list[float] = []

    async def endless(_: Archivist1376, *, whole: bool = False) -> TerminalArchive:
        await asyncio.sleep(86_400)
        raise AssertionError(whole)

    def desk_of(*_: Any, answer_s: float, **__: Any) -> NoReturn:
        patience_s.append(answer_s)
        raise typer.Exit(ExitCode.DAEMON)

    async def meanwhile() -> None:
        await gateway.up()
        begun = gateway.now()
        with pytest.raises(OutOfTime, match="was not done in 600 s"):
            await gateway.ask("otto", "terminal.archive", line=NAME)
        took_s = (gateway.now() - begun).total_seconds()
        asking = TerminalAsking(tmp_path, as_json=True, lang=None)
        for command in (asking.archive, partial(asking.download, is_dry=True)):
            with pytest.raises(typer.Exit):
                command(NAME)
        assert all(one > took_s for one in patience_s), patience_s
        assert 2 == len(patience_s)

    monkeypatch.setattr(Archivist1376, "read", endless)
    monkeypatch.setattr(asking_of_the_daemon, "desk_of", desk_of)
    gateway.run(seconds=900, meanwhile=meanwhile)


def _nights(gateway: TerminalGateway) -> dict[tuple[str, datetime], Any]:
    """The kept total of each meter and night."""
    return {
        (one.meter, one.slot): one
        for row in gateway.rows()
        if getattr(row.record, "data_class", "") == "daily_freeze"
        for one in readings_of([row])
        if one.item == "forward_active_energy"
    }


@pytest.mark.parametrize("frame", [1, 2])
def test_f15_a_terminal_that_restarts_amid_an_answer_of_several_frames(tmp_path: Path, frame: int) -> None:
    """Half of an archive or of a night would be taken for the whole."""
    gateway = TerminalGateway(
        tmp_path,
        _stations(),
        ways=Ways1376(curve_minutes=0, frame_octets=64, reset_at_frame=frame),
        **PLAIN,
    )
    gateway.run(seconds=5400)
    assert gateway.terminal is not None
    assert 1 == gateway.terminal.resets
    kept = _nights(gateway)
    for address in ADDRESSES:
        truth = gateway.meters[address].value("forward_active_energy", MIDNIGHT)
        assert truth == kept[f"m{address}", MIDNIGHT].value
    assert all(
        one.value == gateway.meters[meter[1:]].value(one.item, slot) for (meter, slot), one in kept.items()
    )


def test_f16_a_carrier_of_half_a_second_to_half_a_minute_behind_a_terminal(tmp_path: Path) -> None:
    """Late answers would be a neighbour's, or a slow carrier cost the whole area its night."""
    gateway = TerminalGateway(
        tmp_path,
        _stations(),
        route=Route(shortest_s=0.5, longest_s=30.0, loss=0.1),
        archived=False,
        ways=Ways1376(curve_minutes=0),
        **PLAIN,
    )
    gateway.run(seconds=4 * 3600)
    kept = _nights(gateway)
    assert {f"m{address}" for address in ADDRESSES} == {meter for meter, _ in kept}
    assert all(
        one.value == gateway.meters[meter[1:]].value(one.item, slot) for (meter, slot), one in kept.items()
    )
    assert {f"terminal {NAME} forward"} == {one.route for one in kept.values()}


def test_a_second_login_takes_the_place_of_the_first(tmp_path: Path) -> None:
    """A terminal whose network has forgotten us would be away until its old connection has died."""
    gateway = TerminalGateway(tmp_path, _stations(), ways=Ways1376(curve_minutes=0), **PLAIN)

    async def meanwhile() -> None:
        await gateway.up()
        for _ in range(3):
            await gateway.dial_again()
            await asyncio.sleep(60)

    gateway.run(seconds=5400, meanwhile=meanwhile)
    assert {f"m{address}" for address in ADDRESSES} == {
        meter for meter, slot in _nights(gateway) if slot == MIDNIGHT
    }
    assert 3 <= gateway.halls[0].counts.replaced
