"""A meter and its answers, for tests of sessions."""

from __future__ import annotations

from meterwire.dlt698.apdus.apdu import Apdu, encode_apdu
from meterwire.dlt698.apdus.association import (
    ConnectRequest,
    ConnectResponse,
    FactoryVersion,
    NullSecurity,
    ReleaseNotification,
)
from meterwire.dlt698.apdus.get import (
    GetRequestNormal,
    GetRequestRecord,
    GetResponseNext,
    GetResponseNormal,
    GetResponseRecord,
)
from meterwire.dlt698.apdus.parts import (
    AttributeResult,
    AttributeResults,
    Dar,
    Piid,
    RecordRequest,
    RecordResult,
    RecordResults,
    Row,
)
from meterwire.dlt698.axdr.selection import Oad, SelectNthLast
from meterwire.dlt698.axdr.values import Data, DateTime, DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.frame import Frame
from meterwire.dlt698.link.segments import Segment

METER, OTHER = ServerAddress("000000000161"), ServerAddress("000000000162")
CLIENT = 16
ENERGY, VOLTAGE, FREEZE = Oad.of("00100200"), Oad.of("20000200"), Oad.of("50040200")
PIID = Piid.of(5)
KWH = Data("double-long-unsigned", 1234)
NOW = DateTime(2026, 10, 1, 4, 12, 0, 0, 0)
REQUEST = GetRequestNormal(piid=PIID, oad=ENERGY)
ANSWER = GetResponseNormal(piid=PIID, result=AttributeResult(ENERGY, KWH))
TIMED_OUT = ReleaseNotification(
    piid=Piid(0),
    connected_at=DateTimeS(2026, 10, 1, 0, 0, 0),
    server_time=DateTimeS(2026, 10, 1, 2, 0, 0),
)


def sent(
    apdu: Apdu | bytes,
    *,
    server: ServerAddress = METER,
    client: int = CLIENT,
    from_server: bool = True,
    by_client: bool = True,
    function: int = 3,
    segmented: bool = False,
) -> bytes:
    """Octets of a frame with an APDU."""
    frame = Frame(
        server=server,
        client=client,
        user_data=apdu if isinstance(apdu, bytes) else encode_apdu(apdu),
        from_server=from_server,
        started_by_client=by_client,
        function=function,
        segmented=segmented,
    )
    return link.encode(frame, preamble=2)


def piece(segment: Segment, *, from_server: bool = True, by_client: bool = True) -> bytes:
    """Octets of a segment frame."""
    return sent(segment.octets, from_server=from_server, by_client=by_client, segmented=True)


def energy(oad: Oad = ENERGY, piid: Piid = PIID) -> GetResponseNormal:
    """A meter's answer."""
    return GetResponseNormal(piid=piid, result=AttributeResult(oad, KWH))


RECORDS = GetRequestRecord(piid=PIID, record=RecordRequest(FREEZE, SelectNthLast(1), (ENERGY,)))


def rows(*numbers: int) -> tuple[Row, ...]:
    """Rows of one column."""
    return tuple((Data("double-long-unsigned", number),) for number in numbers)


def freezes(*numbers: int) -> GetResponseRecord:
    """A meter's answer with rows."""
    return GetResponseRecord(piid=PIID, record=RecordResult(FREEZE, (ENERGY,), rows(*numbers)))


def block(
    number: int, *numbers: int, last: bool = False, piid: Piid = PIID, oad: Oad = FREEZE
) -> GetResponseNext:
    """One block of rows."""
    result = RecordResults((RecordResult(oad, (ENERGY,), rows(*numbers)),))
    return GetResponseNext(piid=piid, last=last, block=number, result=result)


def attribute_block(number: int, *oads: Oad, last: bool = False) -> GetResponseNext:
    """One block of attributes."""
    result = AttributeResults(tuple(AttributeResult(oad, KWH) for oad in oads))
    return GetResponseNext(piid=PIID, last=last, block=number, result=result)


def refused_block(number: int, dar: int) -> GetResponseNext:
    """A block that says why there is none."""
    return GetResponseNext(piid=PIID, last=True, block=number, result=Dar(dar))


def connected(request: ConnectRequest, *, result: int = 0, rx_max: int = 200) -> ConnectResponse:
    """A meter's answer to a CONNECT."""
    return ConnectResponse(
        piid=request.piid,
        factory=FactoryVersion("MAKR", "0001", "260101", "0001", "260101", " " * 8),
        version=request.version,
        protocol_conformance=request.protocol_conformance,
        function_conformance=request.function_conformance,
        tx_max=200,
        rx_max=rx_max,
        rx_window=1,
        apdu_max=1000,
        timeout_s=60,
        result=result,
        time_tag=request.time_tag,
    )


def connect(piid: Piid = PIID, *, rx_max: int = 200, apdu_max: int = 1000) -> ConnectRequest:
    """A client's CONNECT."""
    return ConnectRequest(
        piid=piid,
        version=0x16,
        protocol_conformance=bytes(8),
        function_conformance=bytes(16),
        tx_max=200,
        rx_max=rx_max,
        rx_window=1,
        apdu_max=apdu_max,
        timeout_s=60,
        auth=NullSecurity(),
    )
