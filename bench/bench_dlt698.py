"""The DL/T 698.45 codec beside PyPI ``dlt698`` (C++), in one run: ``python -m bench.bench_dlt698``.

Prints one JSON object: for each piece of work the median microseconds of ours and of the peer, the
ratio, and the goals of the performance page. The two take turns, so that a noisy machine slows both.
From octets to Python values means: frame, check sequences, APDU, and every value as a Python object.
Then the parts of ours are measured alone, in the same run, and told with the largest first.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable
from typing import Any

from dlt698 import _native as peer
from dlt698 import codec

from bench.beside import Work, compare, microseconds, show
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.get import (
    GetRequestNormal,
    GetRequestRecord,
    GetResponseNormal,
    GetResponseNormalList,
    GetResponseRecord,
)
from meterwire.dlt698.apdus.parts import AttributeResult, Piid, RecordRequest
from meterwire.dlt698.axdr.data import decode_data, encode_data
from meterwire.dlt698.axdr.selection import Oad, SelectNthLast
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress

_NORMAL = bytes.fromhex(
    "68 34 00 C3 05 01 00 00 00 00 00 10 C8 2E 85 01 06 00 10 02 00 01 01 05 06 00 00 BC 61 06 00 00 27 10"
    "06 00 00 27 10 06 00 00 4E 20 06 00 00 36 D1 00 00 00 DC 16"
)
_METER = ServerAddress("000000000001")
_PART_ROUNDS = 9


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


def _request() -> Apdu:
    return GetRequestNormal(piid=Piid(6), oad=Oad(0x0010, 2, 0))


def _our_request() -> bytes:
    request = _request()
    return link.encode(link.Frame(_METER, 16, encode_apdu(request), False, True))


_PEER_METER = codec.decode_frame(_NORMAL).server


def _peer_framed(apdu: Any) -> bytes:
    frame = peer.Frame(control=0x43, server=_PEER_METER, client=16, payload=codec.encode_apdu(apdu))
    return bytes(codec.encode_frame(frame))


def _peer_request() -> bytes:
    return _peer_framed(peer.GetRequest(piid=6, attributes=[peer.Oad(oi=0x0010, attribute=2, index=0)]))


def _record_request() -> Apdu:
    columns = (Oad(0x2021, 2, 0), Oad(0x0010, 2, 0))
    record = RecordRequest(Oad(0x5004, 2, 0), SelectNthLast(1), columns)
    return GetRequestRecord(piid=Piid(10), record=record)


def _our_record_request() -> bytes:
    request = _record_request()
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


# --- where our time goes -----------------------------------------------------------------------------


def _data_of(apdu: Apdu) -> list[bytes]:
    """Every Data of an answer, as octets."""
    if isinstance(apdu, GetResponseNormal) and isinstance(apdu.result.result, Data):
        return [encode_data(apdu.result.result, 0)]
    if isinstance(apdu, GetResponseNormalList):
        return [encode_data(one.result, 0) for one in apdu.results if isinstance(one.result, Data)]
    assert isinstance(apdu, GetResponseRecord)
    assert isinstance(apdu.record.result, tuple)
    return [encode_data(cell, 0) for row in apdu.record.result for cell in row]


def _decode_each(datas: list[bytes]) -> None:
    for octets in datas:
        decode_data(octets, 0, 0)


def _answer_parts(octets: bytes) -> dict[str, Callable[[], object]]:
    user_data = link.decode(octets).user_data
    datas = _data_of(decode_apdu(user_data))
    return {
        "link": functools.partial(link.decode, octets),
        "apdu": functools.partial(decode_apdu, user_data),
        "data": functools.partial(_decode_each, datas),
    }


def _request_parts(make: Callable[[], Apdu]) -> dict[str, Callable[[], object]]:
    request = make()
    frame = link.Frame(_METER, 16, encode_apdu(request), False, True)
    return {
        "link": functools.partial(link.encode, frame),
        "service": functools.partial(encode_apdu, request),
        "objects": make,
    }


def _costs(parts: dict[str, Callable[[], object]]) -> list[tuple[float, str]]:
    """Microseconds of each part, the largest first; data is a part of the APDU and taken out of it.

    The parts take turns, so that a machine whose speed drifts slows what is taken out, too.
    """
    rounds = [{key: microseconds(part) for key, part in parts.items()} for _ in range(_PART_ROUNDS)]
    for costs in rounds:
        if "data" in costs:
            costs["apdu"] -= costs["data"]
    return sorted(((statistics.median(costs[key] for costs in rounds), key) for key in parts), reverse=True)


_WORDS = {
    "en": {
        "normal": "GET-Response-Normal",
        "list": "list of 10",
        "record": "record",
        "request": "GET-Request-Normal",
        "record_request": "GET-Request-Record",
        "link": "link frame",
        "apdu": "APDU without its data",
        "data": "data",
        "service": "APDU",
        "objects": "request objects",
    },
    "zh": {
        "normal": "GET-Response-Normal",
        "list": "10 个对象",
        "record": "记录",
        "request": "GET-Request-Normal",
        "record_request": "GET-Request-Record",
        "link": "链路帧",
        "apdu": "APDU（数据除外）",
        "data": "数据",
        "service": "APDU",
        "objects": "请求对象",
    },
}
_SIDES = {
    "en": "698.45: both sides get the same octets and end with each descriptor and value as a Python object; "
    "`dlt698` decodes in C++ and hands each value over to Python, ours is Python throughout. Requests begin "
    "with their descriptors and end as the same octets.",
    "zh": "698.45：两边输入相同的字节，描述符和数值都成为 Python 对象；"
    "`dlt698` 用 C++ 解码并逐个交给 Python，我方全部用 Python。请求从描述符开始，得到相同的字节。",
}
_COSTS = {
    "en": "Where our time goes for 698.45 (microseconds): {}.",
    "zh": "我方 698.45 耗时分布（微秒）：{}。",
}
_WHY = {
    "en": "What is left for 698.45: of the link frame, two check sequences over its octets and a frame that "
    "deframer and sessions hold; of the APDU, one named object for each member of the service, because "
    "sessions and the object model decide by them; of the data, one typed value each, because the type says "
    "how the value goes back to the same octets. Rows of one type are taken in one stroke; whole requests "
    "and answers are not cached, as a service number is new each time.",
    "zh": "698.45 余下的开销：链路帧须算两个校验并成为解帧器和会话所用的帧；"
    "APDU 的每个成员是一个有名称的对象，供会话和对象模型判断；"
    "每个数据是带类型的值，因为编码回相同的字节要靠类型。同类型的一串数据一次取出；"
    "整条请求和应答不做缓存，因为服务序号每次不同。",
}


def _notes() -> dict[str, list[str]]:
    """What stands on either side, and our costs, the largest first."""
    answers = {"normal": _NORMAL, "list": _LIST, "record": _RECORD}
    costs = {name: _costs(_answer_parts(octets)) for name, octets in answers.items()}
    costs["request"] = _costs(_request_parts(_request))
    costs["record_request"] = _costs(_request_parts(_record_request))
    notes = {}
    for language, words in _WORDS.items():
        shown = "; ".join(
            f"{words[name]}: " + ", ".join(f"{words[key]} {cost:.2f}" for cost, key in largest)
            for name, largest in costs.items()
        )
        notes[language] = [_SIDES[language], _COSTS[language].format(shown), _WHY[language]]
    return notes


def main() -> None:
    """Measure and print."""
    assert _our_request() == _peer_request()
    assert _our_record_request() == _peer_record_request()
    document = compare("698.45 codec beside dlt698 1.0.1", "dlt698", _WORKS)
    show(document | {"notes": _notes()})


if __name__ == "__main__":
    main()
