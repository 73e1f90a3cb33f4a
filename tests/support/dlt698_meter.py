"""A meter of DL/T 698.45 for tests of the client: meterwire's server session over contents by name."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.clock import Clock
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.errors import LineClosed, LineLost, MeterlinkError
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import AssociationTraits, generic
from metersim.loop import Simulation
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.association import (
    FUNCTION_CONFORMANCE_OCTETS,
    PROTOCOL_CONFORMANCE_OCTETS,
    ConnectRequest,
    ConnectResponse,
    FactoryVersion,
    PasswordSecurity,
)
from meterwire.dlt698.apdus.get import (
    GetRequestNormal,
    GetRequestNormalList,
    GetRequestRecord,
    GetResponseNormal,
    GetResponseNormalList,
    GetResponseRecord,
)
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, RecordRequest, RecordResult, Row
from meterwire.dlt698.axdr.selection import Oad, Rcsd, SelectEqual, SelectLast, SelectNthLast, SelectRange
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.item_values import Contents
from meterwire.dlt698.objects.records import encode_row
from meterwire.dlt698.sessions.server import Request, ServerSession
from meterwire.dlt698.sessions.transfer import Sizes

ADDRESS = "000000000161"
UNDEFINED = Dar(4)
_FACTORY = FactoryVersion("TEST", "0001", "261101", "0001", "261101", " " * 8)


@dataclass(slots=True)
class ScriptedMeter:
    """What the meter holds, and how it behaves.

    Args:
        contents: of attributes by key.
        raw: attributes whose Data is given as it is.
        records: of the daily freeze: when each was taken by the meter's clock, and its contents.
        refused_columns: a record read that names one is refused as a whole.
        record_dar: every record read is refused so.
        null_row: where there is no record, a row of nothing but NULL is sent.
        cells: columns of records whose Data is given as it is.
        password: CONNECT needs this; empty: any CONNECT is allowed.
        needs_connect: nothing else is answered before.
        connects_once: a CONNECT in an open association is refused.
        wants_envelope: record reads outside an envelope are refused (DAR 20).
        lists: what it does with a list of attributes: answers it, refuses it as a whole, or is silent.
        sizes: what clients take before sizes are agreed on.
        damage: what becomes of the octets of each APDU that it sends, outside of envelopes.

    Attributes:
        asked: every request, out of its envelope.
        enveloped: of each request whether it came in an envelope.
        session: its end of the line.

    """

    contents: Contents = field(default_factory=dict)
    raw: Mapping[Oad, Data] = field(default_factory=dict)
    records: list[tuple[datetime, Contents]] = field(default_factory=list)
    refused_columns: frozenset[Oad] = frozenset()
    record_dar: Dar | None = None
    null_row: bool = False
    cells: Mapping[Oad, Data] = field(default_factory=dict)
    password: str = ""
    needs_connect: bool = False
    connects_once: bool = False
    wants_envelope: bool = False
    lists: Literal["answered", "refused", "silent"] = "answered"
    sizes: Sizes | None = None
    damage: Callable[[bytes], bytes] | None = None
    asked: list[Apdu] = field(default_factory=list)
    enveloped: list[bool] = field(default_factory=list)
    session: ServerSession = field(init=False)

    def __post_init__(self) -> None:
        """Take its place on the line."""
        self.session = ServerSession(
            ServerAddress(ADDRESS), needs_connect=self.needs_connect, preset=self.sizes
        )

    @property
    def kinds(self) -> list[str]:
        """What it was asked, by name."""
        return [type(apdu).__name__ for apdu in self.asked]

    async def serve(self, stream: ByteStream) -> None:
        """Answer until the line ends."""
        with contextlib.suppress(LineClosed, LineLost):
            while True:
                octets = await stream.receive()
                for request in self.session.feed(octets):
                    self.asked.append(request.apdu)
                    self.enveloped.append(request.envelope is not None)
                    if self.lists != "silent" or not isinstance(request.apdu, GetRequestNormalList):
                        self.session.answer(request, self._answer(request))
                while due := self.session.octets_to_send():
                    await stream.send(due if self.damage is None else _damaged(due, self.damage))

    def _answer(self, request: Request) -> Apdu:
        apdu: Any = request.apdu
        match apdu:
            case ConnectRequest():
                return self._connect(apdu)
            case GetRequestNormal():
                return GetResponseNormal(piid=apdu.piid, result=self._attribute(apdu.oad))
            case GetRequestNormalList() if self.lists == "answered":
                return GetResponseNormalList(
                    piid=apdu.piid, results=tuple(self._attribute(oad) for oad in apdu.oads)
                )
            case GetRequestRecord():
                sealed = request.envelope is not None
                return GetResponseRecord(piid=apdu.piid, record=self._record(apdu.record, sealed=sealed))
            case _:
                return ServerErrorResponse(piid=apdu.piid, error=2)

    def _connect(self, request: ConnectRequest) -> ConnectResponse:
        auth = request.auth
        given = auth.password if isinstance(auth, PasswordSecurity) else ""
        return ConnectResponse(
            piid=request.piid,
            factory=_FACTORY,
            version=request.version,
            protocol_conformance=bytes(PROTOCOL_CONFORMANCE_OCTETS),
            function_conformance=bytes(FUNCTION_CONFORMANCE_OCTETS),
            tx_max=512,
            rx_max=512,
            rx_window=1,
            apdu_max=512,
            timeout_s=1800,
            result=self._connect_result(given),
        )

    def _connect_result(self, password: str) -> int:
        if self.connects_once and self.session.connected:
            return 255
        return 0 if password == self.password else 1

    def _attribute(self, oad: Oad) -> AttributeResult:
        if oad in self.raw:
            return AttributeResult(oad, self.raw[oad])
        entry = dictionary().entry(oad)
        found = entry.node.encode(self.contents, "bit0_first") if entry else None
        return AttributeResult(oad, UNDEFINED if found is None else found)

    def _record(self, asked: RecordRequest, *, sealed: bool) -> RecordResult:
        columns = asked.rcsd
        if self.wants_envelope and not sealed:
            return RecordResult(asked.oad, columns, Dar(20))
        if self.record_dar is not None:
            return RecordResult(asked.oad, columns, self.record_dar)
        if self.refused_columns.intersection(columns):
            return RecordResult(asked.oad, columns, UNDEFINED)
        rows = tuple(self._row(columns, at, contents) for at, contents in self._selected(asked.rsd))
        if not rows and self.null_row:
            rows = ((NULL,) * len(columns),)
        return RecordResult(asked.oad, columns, rows)

    def _row(self, columns: Rcsd, at: datetime, contents: Contents) -> Row:
        row = encode_row(columns, {"frozen_at": f"{at:%Y-%m-%d %H:%M:%S}", **contents})
        return tuple(
            self.cells.get(column, cell) if isinstance(column, Oad) else cell
            for column, cell in zip(columns, row, strict=True)
        )

    def _selected(self, rsd: object) -> list[tuple[datetime, Contents]]:
        match rsd:
            case SelectNthLast():
                return self.records[-rsd.nth_last :][:1] if rsd.nth_last <= len(self.records) else []
            case SelectLast():
                return self.records[-rsd.last_n :]
            case SelectEqual():
                return [row for row in self.records if row[0] == rsd.value.value.civil()]
            case SelectRange():
                first, last = rsd.start.value.civil(), rsd.end.value.civil()
                return [row for row in self.records if first <= row[0] < last]
            case _:
                raise AssertionError(f"nobody asks by {rsd}")


def _damaged(octets: bytes, damage: Callable[[bytes], bytes]) -> bytes:
    """A good frame around something else."""
    frame = link.decode(octets.lstrip(b"\xfe"))
    return link.encode(frame._replace(user_data=damage(frame.user_data)))


Program = Callable[[Dlt698Driver, Line], Awaitable[Any]]


def converse(
    meter: ScriptedMeter,
    program: Program,
    *,
    traits: AssociationTraits | None = None,
    password_of: Callable[[str], str] | None = None,
    seed: int = 1,
) -> Any:
    """What a program with a driver brings, that talks to a meter over a line of memory.

    Raises:
        MeterlinkError: what the program raised.

    """
    simulation = Simulation()
    profile = replace(generic("dlt698.45"), association=traits or AssociationTraits())

    async def main() -> Any:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        rng = random.Random(seed)
        line = Line("line1", opener=opener, timing=Timing(), rng=rng)
        driver = _driver(simulation.clock, profile, rng, password_of)
        failure: MeterlinkError | None = None
        result: Any = None
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(line.run(), name="owner"),
                group.create_task(meter.serve(far), name="meter"),
            ]
            try:
                result = await program(driver, line)
            except MeterlinkError as error:
                failure = error
            for task in tasks:
                task.cancel()
        if failure is not None:
            raise failure
        return result

    return simulation.run(main())


def _driver(
    clock: Clock, profile: Any, rng: random.Random, password_of: Callable[[str], str] | None
) -> Dlt698Driver:
    if password_of is None:
        return Dlt698Driver(clock, profile=profile, random_octets=rng.randbytes)
    return Dlt698Driver(clock, profile=profile, random_octets=rng.randbytes, password_of=password_of)
