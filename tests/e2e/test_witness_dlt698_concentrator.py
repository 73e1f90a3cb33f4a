"""PyPI's ``dlt698``, unchanged, before our simulated concentrator over TCP: archive, records, PROXY.

Its client reads the archive and collected records and calls methods; for PROXY it has no call, so its codec
builds the requests and reads the answers. The disagreements of the client before a meter hold here too:
addresses in the order of the wire, and blocks from 0.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from dlt698 import _native as native
from dlt698.app.async_client import AsyncClient

from metersim import Line, Meter, Station
from metersim.dlt698 import Limits, Meter698
from metersim.dlt698.terminal import open_dialling
from metersim.line.language import Speaker
from metersim.serving.served import SystemClock
from metersim.serving.tcp import open_tcp
from metersim.terminals.concentrator import Concentrator
from metersim.terminals.plan import CARRIER, FIRST_RS485, ConcentratorPlan
from metersim.terminals.port import Route
from metersim.terminals.store import EVERY
from metersim.terminals.ways import Ways
from metersim.works.moments import PLANT_TIME
from meterwire import dlt645
from meterwire.dlt698.axdr.syntax import syntax_of
from meterwire.dlt698.axdr.values import DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from meterwire.dlt698.link.frame import Frame
from tests.support.processes import LOOPBACK

ADDRESS, METER_698, METER_645 = "020000000001", "000000000101", "000000000102"
SILENT = "000000000999"
TIMEOUT_S = 10.0
METERS: dict[str, Speaker] = {METER_698: Meter698(METER_698, seed=1), METER_645: Meter(METER_645, seed=1)}
ENERGY, FROZEN_AT, TSA, STORED_AT = (0x0010, 2, 0), (0x2021, 2, 0), (0x202A, 2, 0), (0x6042, 2, 0)


def oad(key: tuple[int, int, int]) -> Any:
    """Its descriptor."""
    oi, attribute, index = key
    return native.Oad(oi=oi, attribute=attribute, index=index)


def tsa(address: str) -> Any:
    """Its address in data."""
    return native.Tsa(value=bytes.fromhex(f"05{address}"))


def time_of(moment: datetime) -> Any:
    """Its date_time_s."""
    return native.DateTimeS(value=list(syntax_of(DateTimeS).encode(DateTimeS.of(moment), 0)))


@asynccontextmanager
async def _running() -> AsyncIterator[Concentrator]:
    """A concentrator that has collected the freeze of last night."""
    clock = SystemClock()
    lines = {
        port: Line([Station(meter=METERS[address], reply_delay_ms=0)], clock=clock, record=lambda _: None)
        for port, address in ((FIRST_RS485, METER_698), (CARRIER, METER_645))
    }
    ways = Ways(limits=Limits(first_block=0))
    concentrator = ConcentratorPlan(address=ADDRESS, carrier=Route(), ways=ways).build(lines, clock=clock)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(concentrator.run(), name="concentrator")
        async with asyncio.timeout(TIMEOUT_S):
            while len(concentrator.store) < len(METERS):  # noqa: ASYNC110  # it tells nobody
                await asyncio.sleep(0.01)
            yield concentrator
        running.cancel()


@asynccontextmanager
async def _client(concentrator: Concentrator) -> AsyncIterator[Any]:
    """Its client, that the concentrator has logged in to."""
    server = native.ServerAddress(bytes=bytes.fromhex(ADDRESS)[::-1], type=native.AddressType.single)
    session = native.SessionOptions(server=server, request_timeout=5.0)
    client = AsyncClient(native.ClientOptions(protocol=session))
    async with open_tcp(concentrator.terminal, LOOPBACK, 0) as url:
        try:
            await client.connect_tcp(
                LOOPBACK, int(url.rpartition(":")[2]), native.ConnectionProfile.remote_public
            )
            yield client
        finally:
            await client.aclose()


def test_its_client_reads_the_archive_and_what_was_collected() -> None:
    """Other people's heads-end would not understand our concentrator."""

    async def main() -> None:
        async with _running() as concentrator, _client(concentrator) as client:
            entries = native.GetRecord(
                attribute=oad((0x6000, 2, 0)), rows=native.SelectAll(), columns=[oad((0x6001, 2, 0))]
            )
            rows = (await client.get_record(entries)).result
            addresses = [bytes(row[0].value[1].value[0].value)[1:].hex() for row in rows]
            assert [METER_698, METER_645] == addresses
            whole = (await client.get(oad((0x6000, 2, 0)))).require_data()
            assert 2 == len(whole.value)
            await _reads_records(client, concentrator)

    asyncio.run(main())


async def _reads_records(client: Any, concentrator: Concentrator) -> None:
    """By each selector for collected records, of one meter and of all."""
    midnight = concentrator.collector.shown().replace(hour=0, minute=0, second=0, microsecond=0)
    every = native.Ti(unit=EVERY.unit, interval=EVERY.value)
    of_one = native.MeterAddresses(values=[tsa(METER_645)])
    end = time_of(midnight + timedelta(days=1))
    daily = native.Road(attribute=oad((0x5004, 2, 0)), associated=[oad(FROZEN_AT), oad(ENERGY)])
    for rows, meters in (
        (native.Selector5(time=time_of(midnight), meters=native.AllMeters()), [METER_698, METER_645]),
        (native.Selector5(time=time_of(midnight), meters=of_one), [METER_645]),
        (native.Selector7(begin=time_of(midnight), end=end, interval=every, meters=of_one), [METER_645]),
        (native.Selector8(begin=time_of(midnight), end=end, interval=every, meters=of_one), [METER_645]),
        (native.Selector9(previous=1), [METER_698, METER_645]),
        (native.Selector10(latest=3, meters=native.MeterNumbers(values=[1])), [METER_698]),
    ):
        wanted = native.GetRecord(
            attribute=oad((0x6012, 3, 0)), rows=rows, columns=[oad(TSA), oad(STORED_AT), daily]
        )
        found = (await client.get_record(wanted)).result
        assert meters == [bytes(row[0].value)[1:].hex() for row in found], rows
        for address, row in zip(meters, found, strict=True):
            assert bytes(time_of(midnight).value) == bytes(row[1].value)
            energies = row[2].value[1].value
            at = midnight.replace(tzinfo=PLANT_TIME)
            assert METERS[address].value("forward_active_energy", at) == Decimal(energies[0].value).scaleb(-2)


def test_its_client_changes_the_archive() -> None:
    """A method of somebody else's head-end would be refused, or misread."""

    async def main() -> None:
        async with _running() as concentrator, _client(concentrator) as client:
            delete = native.Omd(oi=0x6000, method=131, mode=0)
            assert 0 == (await client.action(delete, native.Data.uint16(2))).dar
            assert [METER_698] == [entry.address for entry in concentrator.archive.entries]
            assert 8 == (await client.action(delete, native.Data.uint16(2))).dar

    asyncio.run(main())


def test_its_codec_reads_through_our_concentrator() -> None:
    """PROXY of somebody else's head-end would be misread, or its answer would."""

    async def main() -> None:
        async with _running() as concentrator, _connected(concentrator) as (reader, writer):
            targets = [
                native.ProxyGetTarget(server=tsa(address), timeout_seconds=3, items=[oad(ENERGY)])
                for address in (METER_698, METER_645, SILENT)
            ]
            request = native.ProxyRequest(piid=1, timeout_seconds=9, payload=targets)
            answer = await _asked(reader, writer, request)
            found = {bytes(one.server.value)[1:].hex(): one.items[0].result for one in answer.payload}
            assert 6 == int(found.pop(SILENT))
            assert {METER_698, METER_645} == set(found)
            for address, data in found.items():
                now = METERS[address].value("forward_active_energy", SystemClock().utc_now())
                assert now is not None
                assert abs(now - Decimal(data.value[0].value).scaleb(-2)) <= Decimal("0.01"), address

    asyncio.run(main())


def test_its_codec_reads_a_freeze_and_a_frame_through_our_concentrator() -> None:
    """Records and frames that it passes on would be misread, or their answers would."""

    async def main() -> None:
        async with _running() as concentrator, _connected(concentrator) as (reader, writer):
            freeze = native.GetRecord(
                attribute=oad((0x5004, 2, 0)),
                rows=native.Selector9(previous=1),
                columns=[oad(FROZEN_AT), oad(ENERGY)],
            )
            record = native.ProxyRecordRequest(server=tsa(METER_645), record=freeze)
            request = native.ProxyRequest(piid=2, timeout_seconds=9, payload=record)
            answer = await _asked(reader, writer, request)
            assert 1 == len(answer.payload.record.result)
            frame = dlt645.encode(dlt645.to_frame(dlt645.ReadRequest(address=METER_645, di=0x00010000)))
            command = native.ProxyTransRequest(
                port=oad((0xF209, 2, 1)),
                response_timeout_seconds=3,
                byte_timeout_milliseconds=100,
                command=frame,
            )
            answer = await _asked(reader, writer, native.ProxyRequest(piid=3, payload=command))
            [reply] = dlt645.Deframer().feed(bytes(answer.payload.result))
            assert METER_645 == reply.address

    asyncio.run(main())


@asynccontextmanager
async def _connected(
    concentrator: Concentrator,
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with open_tcp(concentrator, LOOPBACK, 0) as url:
        reader, writer = await asyncio.open_connection(LOOPBACK, int(url.rpartition(":")[2]))
        try:
            yield reader, writer
        finally:
            writer.close()


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, request: Any) -> Any:
    """Its APDU in our frame, and what it reads in the answer."""
    octets = bytes(native.encode_apdu(request))
    writer.write(link.encode(Frame(ServerAddress(ADDRESS), 0x10, octets, False, True)))
    ear, frames = Deframer(), list[Frame]()
    while not frames:
        heard = await reader.read(4096)
        assert heard, "the concentrator hung up"
        frames = ear.feed(heard)
    return native.decode_apdu(frames[0].user_data)


def test_it_dials_over_a_socket() -> None:
    """It would only work in simulated time."""

    async def main() -> bytes:
        heard: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            heard.set_result(await reader.read(4096))
            writer.close()

        async with _running() as concentrator:
            server = await asyncio.start_server(accept, LOOPBACK, 0)
            port = server.sockets[0].getsockname()[1]
            async with server, open_dialling(concentrator.terminal, LOOPBACK, port, redial_s=60):
                return await heard

    [frame] = Deframer().feed(asyncio.run(main()))
    assert (ADDRESS, 0x81) == (frame.server.digits, frame.control)
