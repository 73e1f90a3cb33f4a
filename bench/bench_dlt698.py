"""The DL/T 698.45 codec beside PyPI ``dlt698`` (C++), in one run: ``python -m bench.bench_dlt698``.

Prints one JSON object: for each piece of work the median microseconds of ours and of the peer, the
ratio, and the goals of the performance page. The two take turns, so that a noisy machine slows both.
From octets to Python values means: frame, check sequences, APDU, and every value as a Python object.
"""

from __future__ import annotations

from typing import Any

from dlt698 import _native as peer
from dlt698 import codec

from bench.beside import Work, compare, show
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import GetRequestNormal, GetRequestRecord, GetResponseNormalList
from meterwire.dlt698.apdus.parts import AttributeResult, Piid, RecordRequest
from meterwire.dlt698.axdr.selection import Oad, SelectNthLast
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress

_NORMAL = bytes.fromhex(
    "68 34 00 C3 05 01 00 00 00 00 00 10 C8 2E 85 01 06 00 10 02 00 01 01 05 06 00 00 BC 61 06 00 00 27 10"
    "06 00 00 27 10 06 00 00 4E 20 06 00 00 36 D1 00 00 00 DC 16"
)
_METER = ServerAddress("000000000001")


def _frame(apdu: bytes) -> bytes:
    return link.encode(link.Frame(_METER, 16, apdu, True, True))


def _ten() -> bytes:
    voltages = Data("array", tuple(Data("long-unsigned", 2200 + phase) for phase in range(3)))
    results = tuple(AttributeResult(Oad(0x2000 + at, 2, 0), voltages) for at in range(10))
    return _frame(encode_apdu(GetResponseNormalList(piid=Piid(1), results=results)))


def _record() -> bytes:
    energies = "0105" + "060000BC61" * 5
    cells = "1C07E90A1F000000" + energies * 4
    columns = "05" + "0020210200" + "".join(f"0000{oi:02X}0200" for oi in (0x10, 0x20, 0x30, 0x40))
    return _frame(bytes.fromhex(f"85030A50040200{columns}0101{cells}0000"))


_LIST, _RECORD = _ten(), _record()


def _our_values(octets: bytes) -> object:
    return decode_apdu(link.decode(octets).user_data)


def _plain(data: Any) -> object:
    value = data.value
    return (
        [_plain(element) for element in value] if isinstance(value, list) and data.type in _NESTED else value
    )


_NESTED = (peer.DataType.array, peer.DataType.structure)


def _peer_attributes(octets: bytes) -> object:
    apdu: Any = codec.decode_apdu(codec.decode_frame(octets).payload)
    return [(one.attribute, _plain(one.result)) for one in apdu.attributes]


def _peer_record(octets: bytes) -> object:
    apdu: Any = codec.decode_apdu(codec.decode_frame(octets).payload)
    return [
        (one.attribute, one.columns, [[_plain(cell) for cell in row] for row in one.result])
        for one in apdu.records
    ]


def _our_request() -> bytes:
    request = GetRequestNormal(piid=Piid(6), oad=Oad(0x0010, 2, 0))
    return link.encode(link.Frame(_METER, 16, encode_apdu(request), False, True))


_PEER_METER = codec.decode_frame(_NORMAL).server


def _peer_framed(apdu: Any) -> bytes:
    frame = peer.Frame(control=0x43, server=_PEER_METER, client=16, payload=codec.encode_apdu(apdu))
    return bytes(codec.encode_frame(frame))


def _peer_request() -> bytes:
    return _peer_framed(peer.GetRequest(piid=6, attributes=[peer.Oad(oi=0x0010, attribute=2, index=0)]))


def _our_record_request() -> bytes:
    columns = (Oad(0x2021, 2, 0), Oad(0x0010, 2, 0))
    record = RecordRequest(Oad(0x5004, 2, 0), SelectNthLast(1), columns)
    request = GetRequestRecord(piid=Piid(10), record=record)
    return link.encode(link.Frame(_METER, 16, encode_apdu(request), False, True))


def _peer_record_request() -> bytes:
    columns: list[Any] = [
        peer.Oad(oi=0x2021, attribute=2, index=0),
        peer.Oad(oi=0x0010, attribute=2, index=0),
    ]
    record = peer.GetRecord(
        attribute=peer.Oad(oi=0x5004, attribute=2, index=0),
        rows=peer.Selector9(previous=1),
        columns=columns,
    )
    return _peer_framed(peer.GetRecordRequest(piid=10, records=[record]))


_WORKS = {
    "GET-Response-Normal to values": Work(
        lambda: _our_values(_NORMAL),
        lambda: _peer_attributes(_NORMAL),
        0.5,
        1.5,
    ),
    "list of 10 to values": Work(lambda: _our_values(_LIST), lambda: _peer_attributes(_LIST), 0.7, 1.5),
    "record of 5 columns to values": Work(
        lambda: _our_values(_RECORD), lambda: _peer_record(_RECORD), 0.7, 1.5
    ),
    "encode a GET-Request-Normal": Work(_our_request, _peer_request, 1.0, 2.0),
    "encode a GET-Request-Record": Work(_our_record_request, _peer_record_request, 1.0, 2.0),
}


def main() -> None:
    """Measure and print."""
    assert _our_request() == _peer_request()
    assert _our_record_request() == _peer_record_request()
    show(compare("698.45 codec beside dlt698 1.0.1", "dlt698", _WORKS))


if __name__ == "__main__":
    main()
