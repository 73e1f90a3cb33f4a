"""A concentrator of DL/T 698.45: it logs in to its master, and collects from the meters behind it.

To its master it is a terminal with an address, a clock and associations of its own, one a connection; to its
meters it is a master. Both go on at the same time, and for as long as `Concentrator.run` runs. What it keeps
survives when it is reset; connections, associations and transfers in blocks do not.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from metersim.dlt698.circumstances import NOT_AUTHORISED, Circumstances
from metersim.dlt698.terminal import Terminal
from metersim.line.line import Clock, Duplex
from metersim.terminals.archive import MeterArchive
from metersim.terminals.collector import Collector
from metersim.terminals.connection import Connection
from metersim.terminals.delivered import (
    CURVE_SCHEME,
    CURVE_TASK,
    DAILY_REPORT,
    DAILY_SCHEME,
    DAILY_TASK,
    REPORT_TASK,
)
from metersim.terminals.failures import COLUMNS, READING_FAILURE, Failures
from metersim.terminals.intervals import span
from metersim.terminals.meters import Meters
from metersim.terminals.port import MeterPort
from metersim.terminals.proxy import BUSY, Proxy
from metersim.terminals.reporter import Reporter
from metersim.terminals.schemes import ReportScheme
from metersim.terminals.services import ConcentratorRegisters, ConcentratorServices
from metersim.terminals.store import Store
from metersim.terminals.tables import ConcentratorTables
from metersim.terminals.tasks import REPORT, Task
from metersim.terminals.ways import RESET_S, Ways
from metersim.works.clock import MeterClock
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, Piid, RecordRequest, RecordResult
from meterwire.dlt698.apdus.report import ReportNotificationList
from meterwire.dlt698.apdus.security import SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.segments import SegmentKind, decode_segment
from meterwire.dlt698.sessions.report import Notification, ReportSession
from meterwire.dlt698.sessions.server import ERROR_OTHER, Request, ServerSession

NO_SECURITY_MODULE: Final = Dar(22)
EVENT_TRIES: Final = 3
EVENT_TIMEOUT_S: Final = 30.0

_ADDRESS = re.compile("[0-9]{12}").fullmatch
_SERVICE_NUMBERS: Final = 64
_BLOCK: Final = b"\x85\x05"


class Concentrator:
    """One concentrator.

    Args:
        address: 12 digits.
        clock: the true time.
        own: its own clock.
        archive: the meters that it knows at first.
        ports: where they hang.
        ways: how it does things.
        speed: how many seconds of the true time pass in a second of the program.

    Attributes:
        address: 12 digits.
        clock: its own.
        archive: the meters that it knows.
        collector: its tasks, and how they went.
        store: what it collected.
        failures: meters that it could not read.
        terminal: what is to be served over a connection: ``open_tcp(terminal, ...)``, ``open_dialling(...)``.
        reporter: what it tells by itself.
        resets: how often it was reset.

    Raises:
        ValueError: ``address`` is none, or two ports have the same descriptor.

    """

    def __init__(
        self,
        address: str,
        *,
        clock: Clock,
        own: MeterClock,
        archive: MeterArchive,
        ports: Sequence[MeterPort],
        ways: Ways | None = None,
        speed: Callable[[], float] = lambda: 1.0,
    ) -> None:
        if not _ADDRESS(address):
            raise ValueError(f"{address!r} is no address of a concentrator: 12 digits")
        self.address = address
        self.clock = own
        self.archive = archive
        self.resets = 0
        self.ways = ways or Ways()
        self.failures = Failures()
        self.store = Store(self.ways.rows_max)
        self.reports: dict[int, ReportScheme] = {}
        self.meters = Meters(archive, ports)
        self._true = clock
        self._server = ServerAddress(address)
        self.collector = self._made_collector(speed)
        self.terminal = _Terminal(self, clock=clock)
        self._registers = self._made_registers()
        self._tables = self._made_tables()
        self._services = self._made_services()
        self._proxy = Proxy(self.meters, self.ways.proxy)
        self.reporter = Reporter(
            self.terminal,
            allowed=lambda: self._registers.reports_allowed,
            octets_max=self.ways.sizes.apdu,
        )
        self._plan_as_delivered()
        self._on = True
        self._off = asyncio.Event()
        self._off_s = RESET_S
        self._blocks_until_reset = self.ways.mishap.reset_at_block
        self._reports_told = 0

    def _made_collector(self, speed: Callable[[], float]) -> Collector:
        return Collector(
            clock=self._true,
            own=self.clock,
            meters=self.meters,
            store=self.store,
            persistence=self.ways.persistence,
            failed=self._told_of_meter,
            report=self._report,
            speed=speed,
        )

    def _made_registers(self) -> ConcentratorRegisters:
        registers = ConcentratorRegisters(
            self.address,
            clock=self.clock,
            archive=self.archive,
            collector=self.collector,
            reports=self.reports,
            failures=self.failures,
        )
        registers.reports_allowed = self.ways.reports_allowed
        return registers

    def _made_tables(self) -> ConcentratorTables:
        return ConcentratorTables(
            archive=self.archive,
            collector=self.collector,
            store=self.store,
            failures=self.failures,
            nothing_found=self.ways.nothing_found,
        )

    def _made_services(self) -> ConcentratorServices:
        return ConcentratorServices(
            self._registers,
            self._tables,
            self.clock,
            archive=self.archive,
            collector=self.collector,
            store=self.store,
            reports=self.reports,
            password=self.ways.password,
            limits=self.ways.limits,
            reset=self.reset,
        )

    @property
    def on(self) -> bool:
        """Whether it has power, and has started."""
        return self._on

    async def run(self) -> None:
        """Collect, report and forward, until cancelled; it can be run again, also in another loop."""
        try:
            await self._work()
        finally:
            off = asyncio.Event()  # events are of one loop
            if self._off.is_set():
                off.set()
            self._off = off

    async def _work(self) -> None:
        async with asyncio.TaskGroup() as group:
            for port in self.meters.ports:
                group.create_task(port.run(), name=f"concentrator[{self.address}].port")
            group.create_task(self.reporter.run(), name=f"concentrator[{self.address}].reporter")
            while True:
                collecting = group.create_task(
                    self.collector.run(), name=f"concentrator[{self.address}].collector"
                )
                await self._off.wait()
                collecting.cancel()
                await asyncio.sleep(self._off_s)
                self._on = True
                self._off.clear()

    def reset(self, off_s: float = RESET_S) -> None:
        """Cut every connection, forget every association, and be there again later.

        Args:
            off_s: how long it is away, 0 to 3,600 s.

        """
        self.resets += 1
        self._off_s = off_s
        self._on = False
        self._off.set()

    async def serve(self, duplex: Duplex) -> None:
        """Answer what comes over ``duplex`` until the other side ends it, or it is reset.

        Serve `terminal` instead where it is to log in.

        Args:
            duplex: anything that carries octets; several may be served at once.

        """
        connection = Connection(self, duplex)
        async with asyncio.TaskGroup() as group:
            tasks = {
                group.create_task(connection.run(), name=f"concentrator[{self.address}].connection"),
                group.create_task(self._until_off(), name=f"concentrator[{self.address}].power"),
            }
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()

    # --- as one that logs in and reports ---

    def report(self, oads: Sequence[Oad], at: datetime) -> Notification:
        """A notification that nobody asked for, to be sent with ``telling``.

        Args:
            oads: what it tells, as of ``at``.
            at: true time, aware.

        """
        results = tuple(AttributeResult(oad, self._registers.read(oad, at)) for oad in oads)
        self._reports_told = (self._reports_told + 1) % _SERVICE_NUMBERS
        return ReportNotificationList(piid=Piid.of(self._reports_told), results=results)

    def telling(self, notification: Notification) -> ReportSession:
        """One try of telling the master something.

        Raises:
            LocalProtocolError: it cannot be built or sent.

        """
        return ReportSession(notification, server=self._server, sizes=self.ways.sizes)

    # --- what happens inside ---

    def session(self) -> ServerSession:
        """Its end of a new connection."""
        return ServerSession(
            self._server,
            tx_max=self.ways.limits.frame,
            first_block=self.ways.limits.first_block,
            preset=self.ways.sizes,
            seal=_refuse_envelope,
        )

    def now(self) -> datetime:
        """The true time."""
        return self._true.utc_now()

    def worked_out(self, request: Request, *, associated: bool) -> Apdu:
        """The answer to what does not reach through.

        Args:
            request: from a connection.
            associated: by password.

        """
        if request.envelope is not None or isinstance(request.apdu, SecurityRequest):
            # The session puts a refusal around whatever is said, so that nothing must be done.
            return ServerErrorResponse(piid=Piid(0), error=ERROR_OTHER)
        answer = self._services.answer(request.apdu, self._circumstances(request, associated))
        self.reporter.look()
        return self._with_acd(answer)

    async def passed_through(self, request: Request, *, associated: bool) -> Apdu:
        """The answer to what does."""
        apdu: Any = request.apdu
        late = self._services.late(apdu.time_tag, self.now())
        trusted = self._circumstances(request, associated).trusted
        if late is not None:
            answer = self._proxy.refused(apdu, late)
        elif self._proxy.changes(apdu) and not trusted:
            answer = self._proxy.refused(apdu, NOT_AUTHORISED)
        else:
            answer = await self._proxy.answer(apdu)
        return self._with_acd(answer)

    def too_busy(self, request: Request) -> Apdu:
        """The answer to one request for meters too many."""
        return self._with_acd(self._proxy.refused(request.apdu, BUSY))

    def mishap_at(self, octets: bytes) -> bool:
        """Whether what is about to be sent is the block at which it is reset; then it is."""
        if self._blocks_until_reset is None:
            return False
        self._blocks_until_reset -= _blocks_in(octets)
        if self._blocks_until_reset > 0:
            return False
        self._blocks_until_reset = None
        self.reset(self.ways.mishap.reset_s)
        return True

    async def _until_off(self) -> None:
        await self._off.wait()

    def _circumstances(self, request: Request, associated: bool) -> Circumstances:
        trusted = associated or self.ways.password is None
        return Circumstances(at=self.now(), trusted=trusted, broadcast=not request.expects_answer)

    def _with_acd(self, answer: Any) -> Apdu:
        """The answer, with ACD set while there are events to read."""
        piid = answer.piid
        acd = Piid.of(piid.number, high_priority=piid.high_priority, acd=self.failures.unread)
        flagged: Apdu = replace(answer, piid=acd)
        return flagged

    def _plan_as_delivered(self) -> None:
        for scheme in (DAILY_SCHEME, CURVE_SCHEME):
            self.collector.schemes[scheme.number] = scheme
        for task in (DAILY_TASK, CURVE_TASK):
            self.collector.tasks[task.number] = task
        if self.ways.report_daily:
            self.reports[DAILY_REPORT.number] = DAILY_REPORT
            self.collector.tasks[REPORT_TASK.number] = REPORT_TASK

    def _told_of_meter(self, address: str, failed: bool) -> None:
        found = self.failures.tell(address, self.collector.shown().replace(microsecond=0), failed=failed)
        if found is not None:
            event = RecordResult(Oad(READING_FAILURE, 2, 0), COLUMNS, (found.cells(COLUMNS),))
            self.reporter.tell_records(
                event, tries=EVENT_TRIES, timeout_s=EVENT_TIMEOUT_S, confirmed=self.failures.read
            )

    def _report(self, task: Task) -> None:
        scheme = self.reports.get(task.scheme) if task.kind == REPORT else None
        if scheme is None:
            return
        how: dict[str, Any] = {
            "tries": scheme.tries,
            "timeout_s": span(scheme.timeout) / timedelta(seconds=1),
        }
        if isinstance(scheme.content, RecordRequest):
            self.reporter.tell_records(self._tables.read(scheme.content, self.now()), **how)
        else:
            now = self.now()
            results = [AttributeResult(oad, self._registers.read(oad, now)) for oad in scheme.content]
            self.reporter.tell_attributes(results, **how)


class _Terminal(Terminal):
    """What logs in for a concentrator: nothing, while that is off."""

    def __init__(self, concentrator: Concentrator, *, clock: Clock) -> None:
        super().__init__(concentrator, clock=clock, habits=concentrator.ways.call, caller=concentrator)
        self._concentrator = concentrator

    async def serve(self, duplex: Duplex) -> None:
        if self._concentrator.on:
            await super().serve(duplex)


def _blocks_in(octets: bytes) -> int:
    """How many blocks of an answer begin in these octets."""
    count = 0
    for frame in Deframer().feed(octets):
        segment = decode_segment(frame.user_data) if frame.segmented else None
        if segment is None or segment.kind is SegmentKind.FIRST:
            count += (segment.piece if segment else frame.user_data).startswith(_BLOCK)
    return count


def _refuse_envelope(envelope: SecurityRequest, octets: bytes) -> SecurityResponse:
    del envelope, octets
    return SecurityResponse(unit=NO_SECURITY_MODULE)
