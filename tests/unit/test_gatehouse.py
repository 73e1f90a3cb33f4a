"""From a terminal's socket to the journal: login, heartbeat and reports through the daemon's own parts."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.acquisition.on_demand import OnDemand
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.clock import SystemClock
from meterlink.config import Settings
from meterlink.daemon.dial_in import Gatehouse
from meterlink.daemon.lines import LinePart
from meterlink.daemon.settings_check import check_items, profiles_of
from meterlink.errors import ConfigError, JournalError, LineBusy
from meterlink.journal.journal import Journal
from meterlink.model.event import Event, EventValue
from meterlink.model.event_kinds import REPORTED_VALUES
from meterlink.model.line_url import ListenUrl
from meterlink.model.reading import LogRow, Record
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.tcp_server import listening
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.link_management import LinkRequest, LinkResponse
from meterwire.dlt698.apdus.parts import AttributeResult, Piid
from meterwire.dlt698.apdus.report import ReportNotificationList, ReportResponseList
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import Data, DateTime
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import Frame
from tests.support.judges import judging_of

TERMINALS = ("111111111111", "000000000161")


def _settings(port: int = 0) -> Settings:
    return Settings.model_validate(
        {
            "meters": [
                {"id": f"t{n}", "address": digits, "line": f"listen://127.0.0.1:{port}?terminal={digits}"}
                for n, digits in enumerate(TERMINALS)
            ]
        }
    )


class _Terminal:
    """The other end of a socket."""

    def __init__(self, digits: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._server = ServerAddress(digits)
        self._reader = reader
        self._writer = writer
        self._deframer = Deframer()

    async def call(self, kind: int) -> LinkResponse:
        """Log in (0), beat (1) or log out (2)."""
        time = DateTime.of(SystemClock().utc_now())
        apdu = encode_apdu(LinkRequest(piid=Piid(0), type=kind, heartbeat_s=180, time=time))
        await self._send(Frame(self._server, 0, apdu, True, False, link.FUNCTION_LINK))
        answer = decode_apdu((await self.next_frame()).user_data)
        assert isinstance(answer, LinkResponse)
        assert time == answer.request_time
        return answer

    async def report(self, value: int) -> None:
        """Tell the forward active energy, in 0.01 kWh."""
        energy = AttributeResult(Oad(0x0010, 2, 1), Data("double-long-unsigned", value))
        apdu = encode_apdu(ReportNotificationList(piid=Piid(5), results=(energy,)))
        await self._send(Frame(self._server, 0x10, apdu, True, False))

    async def next_frame(self) -> Frame:
        """The next frame that the head-end sends."""
        while True:
            octets = await self._reader.read(1)
            assert octets, "the connection ended"
            if frames := self._deframer.feed(octets):
                return frames[0]

    async def ended(self) -> bool:
        """Whether the head-end ends the connection and says no more."""
        return await self._reader.read() == b""

    async def close(self) -> None:
        self._writer.close()
        await self._writer.wait_closed()

    async def _send(self, frame: Frame) -> None:
        self._writer.write(link.encode(frame))
        await self._writer.drain()


class _FullJournal(Journal):
    """A journal whose disk is full until it is told otherwise."""

    full = True
    tried = 0

    async def keep_report(self, records: Sequence[Record | Event], *, key: str, repeat_s: float) -> bool:
        self.tried += 1
        if self.full:
            raise JournalError("disk full")
        return await super().keep_report(records, key=key, repeat_s=repeat_s)


@asynccontextmanager
async def _gatehouse(folder: Path) -> AsyncIterator[tuple[int, _FullJournal, Gatehouse]]:
    """The port, the journal, and the gatehouse, with an owner for each line."""
    settings, clock = _settings(), SystemClock()
    async with _FullJournal(folder / "journal", clock=clock) as journal:
        gatehouse = Gatehouse(settings, journal, clock)
        async with gatehouse.open(listening) as [where], asyncio.TaskGroup() as group:
            owners = []
            for line, _ in settings.meters_by_line():
                url = line.parsed_url
                assert isinstance(url, ListenUrl)
                door = gatehouse.door(url)
                owner = Line(line.name, opener=door, timing=Timing(), rng=random.Random(1))
                owners.append(group.create_task(owner.run()))
            yield int(where.rpartition(":")[2]), journal, gatehouse
            for running in owners:
                running.cancel()


async def _dial(port: int, digits: str) -> _Terminal:
    return _Terminal(digits, *await asyncio.open_connection("127.0.0.1", port))


@pytest.mark.asyncio
async def test_terminals_come_beat_report_and_go(tmp_path: Path) -> None:
    """The whole way: what a terminal reports is in the journal, under its meter, and then acknowledged."""
    async with _gatehouse(tmp_path) as (port, journal, gatehouse):
        journal.full = False
        for n, digits in enumerate(TERMINALS):
            terminal = await _dial(port, digits)
            assert [0, 0] == [(await terminal.call(kind)).result for kind in (0, 1)]
            await terminal.report(12_345 + n)
            answer = decode_apdu((await terminal.next_frame()).user_data)
            assert isinstance(answer, ReportResponseList)
            assert (Oad(0x0010, 2, 1),) == answer.oads
            assert 0 == (await terminal.call(2)).result
            assert await terminal.ended()
            await terminal.close()
        rows: list[LogRow] = await journal.rows_after(0, 10)
        assert [
            ("t0", "forward_active_energy", Decimal("123.45"), "kWh", f"terminal {TERMINALS[0]}"),
            ("t1", "forward_active_energy", Decimal("123.46"), "kWh", f"terminal {TERMINALS[1]}"),
        ] == [(r.meter, r.item, r.value, r.unit, r.route) for row in rows for r in row.readings]
        assert 2 == gatehouse.reports.kept


@pytest.mark.asyncio
async def test_no_journal_no_acknowledgement(tmp_path: Path) -> None:
    """What a full disk could not keep would be lost; the terminal must tell it again."""
    async with _gatehouse(tmp_path) as (port, journal, _):
        terminal = await _dial(port, TERMINALS[0])
        await terminal.call(0)
        await terminal.report(1)
        while not journal.tried:
            await terminal.call(1)  # heartbeats are answered meanwhile, and nothing else comes
        journal.full = False
        assert isinstance(decode_apdu((await terminal.next_frame()).user_data), ReportResponseList)
        assert 1 == len(await journal.rows_after(0, 10))
        await terminal.close()


@pytest.mark.asyncio
async def test_an_unknown_terminal_is_told_that_it_is_illegal(tmp_path: Path) -> None:
    """Somebody else's concentrator would be polled."""
    async with _gatehouse(tmp_path) as (port, _, _gate):
        terminal = await _dial(port, "000000000009")
        assert 2 == (await terminal.call(0)).result.code
        assert await terminal.ended()
        await terminal.close()


@pytest.mark.asyncio
async def test_a_report_of_no_meter_of_ours_is_an_event_of_its_terminal(tmp_path: Path) -> None:
    """Readings without a meter are nobody's; not kept, the terminal would tell them for ever."""
    async with _gatehouse(tmp_path) as (port, journal, gatehouse):
        journal.full = False
        gatehouse.reports.meters.pop((TERMINALS[0], TERMINALS[0]))
        terminal = await _dial(port, TERMINALS[0])
        await terminal.call(0)
        await terminal.report(1)
        assert isinstance(decode_apdu((await terminal.next_frame()).user_data), ReportResponseList)
        await terminal.close()
        [row] = await journal.rows_after(0, 10)
        assert isinstance(row.record, Event)
        assert (f"terminal-{TERMINALS[0]}", REPORTED_VALUES) == (row.record.meter, row.record.kind)
        energy = EventValue(item="forward_active_energy", content=Decimal("0.01"), unit="kWh")
        assert (energy,) == row.record.values


@pytest.mark.asyncio
async def test_a_line_without_plans_hears_its_terminal(tmp_path: Path) -> None:
    """A terminal that only reports would be let in by nobody."""
    settings = _settings()
    async with _FullJournal(tmp_path / "journal", clock=SystemClock()) as journal:
        gatehouse = Gatehouse(settings, journal, SystemClock())
        async with gatehouse.open(listening) as [where], asyncio.TaskGroup() as group:
            line, _ = settings.meters_by_line()[0]
            url = line.parsed_url
            assert isinstance(url, ListenUrl)
            part = LinePart(
                line,
                settings.meters[:1],
                [],
                profiles=profiles_of(settings),
                journal=journal,
                clock=SystemClock(),
                way=gatehouse.door(url),
                rng=random.Random(1),
                zone=CHINA_TIME,
                on_demand=OnDemand(SystemClock()),
                judging=judging_of(settings, journal, SystemClock()),
            )
            running = group.create_task(part.run())
            terminal = await _dial(int(where.rpartition(":")[2]), TERMINALS[0])
            assert [0, 0] == [(await terminal.call(kind)).result for kind in (0, 1)]
            part.stop()
            await asyncio.wait([running])
            assert await terminal.ended()
            await terminal.close()


@pytest.mark.asyncio
async def test_a_port_that_is_taken_ends_the_start(tmp_path: Path) -> None:
    """The daemon would run, deaf."""
    async with _gatehouse(tmp_path) as (port, journal, _):
        second = Gatehouse(_settings(port), journal, SystemClock())
        with pytest.raises(LineBusy):
            async with second.open(listening):
                pytest.fail("it listens")


def test_a_terminal_that_shall_speak_645_is_refused() -> None:
    """It would be asked for ever in a protocol that it does not understand."""
    settings = _settings()
    with pytest.raises(ConfigError, match="is asked in dlt698"):
        check_items(settings, SystemClock(), profiles_of(settings))
