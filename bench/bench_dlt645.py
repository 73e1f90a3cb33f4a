"""The DL/T 645 codec beside PyPI ``dlt645``, in one run: ``python -m bench.bench_dlt645``.

Prints one JSON object: for each piece of work the median microseconds of ours and of the peer, the
ratio, and the goals of the performance page. The two take turns, so that a noisy machine slows both.

Both sides get the same octets and begin with them. Ours ends with exact decimals that carry item, unit and
their own octets; ``dlt645``'s with a float in its item, for a block (which it cannot decode) with the frame,
and for a request with its octets. Nothing is cached between two turns but what the package itself keeps:
its dictionary entry, and the digits of an address. Then the parts of ours are measured alone, largest first.
"""

from __future__ import annotations

import functools
import statistics
import struct
from collections.abc import Callable

from dlt645.common.transform import bcd_to_float, bytes_to_int
from dlt645.model.data import data_handler
from dlt645.protocol.protocol import DLT645Protocol

from bench.beside import Work, compare, microseconds, show
from meterwire.dlt645 import ReadReply, ReadRequest, decode, dictionary, encode, from_frame, to_frame

_ENERGY = bytes.fromhex("FEFEFEFE6861010000000068910833333433593333338A16")
_BLOCK = bytes.fromhex("68120000001020689118333234335C343333953333339333333336333333353333337416")
_ADDRESS = bytes.fromhex("610100000000")
_PART_ROUNDS = 9


def _our_values(octets: bytes) -> object:
    message = from_frame(decode(octets))
    assert isinstance(message, ReadReply)
    entry = dictionary().by_di(message.di)
    assert entry is not None
    return entry.decode(message.data)


def _peer_value() -> object:
    frame = DLT645Protocol.deserialize(_ENERGY)
    item = data_handler.get_data_item(bytes_to_int(frame.data[0:4]))
    item.value = bcd_to_float(frame.data[4:8], item.data_format, "little")
    return item


def _our_request() -> bytes:
    return encode(to_frame(ReadRequest(address="000000000161", di=0x00010000)), preamble=4)


def _peer_request() -> bytes:
    return bytes(DLT645Protocol.build_frame(_ADDRESS, 0x11, struct.pack("<I", 0x00010000)))


_WORKS = {
    "energy answer to value": Work(lambda: _our_values(_ENERGY), _peer_value, 3.0, 8.0),
    "block answer to values": Work(
        lambda: _our_values(_BLOCK),
        lambda: DLT645Protocol.deserialize(_BLOCK),
        1.5,
        3.0,
    ),
    "encode a read request": Work(_our_request, _peer_request, 1.5, 4.0),
}


def _parts() -> dict[str, dict[str, Callable[[], object]]]:
    """What ours is made of, each part alone."""
    parts: dict[str, dict[str, Callable[[], object]]] = {}
    for name, octets in (("energy", _ENERGY), ("block", _BLOCK)):
        frame = decode(octets)
        reply = from_frame(frame)
        assert isinstance(reply, ReadReply)
        entry, data = dictionary().by_di(reply.di), reply.data
        assert entry is not None
        parts[name] = {
            "link": functools.partial(decode, octets),
            "message": functools.partial(from_frame, frame),
            "value": functools.partial(entry.decode, data),
        }
    request = ReadRequest(address="000000000161", di=0x00010000)
    parts["request"] = {
        "link": functools.partial(encode, to_frame(request), preamble=4),
        "message": functools.partial(to_frame, request),
        "value": lambda: ReadRequest(address="000000000161", di=0x00010000),
    }
    return parts


_WORDS = {
    "en": {
        "energy": "energy answer",
        "block": "block answer",
        "request": "read request",
        "link": "link frame",
        "message": "message",
        "value": "value",
    },
    "zh": {
        "energy": "电能应答",
        "block": "数据块应答",
        "request": "读请求",
        "link": "链路帧",
        "message": "报文",
        "value": "数值",
    },
}
_SIDES = {
    "en": "645: both sides get the same octets; ours ends with exact decimals, item and unit, `dlt645` with "
    "a float, for a block with the frame alone.",
    "zh": "645：两边输入相同的字节；我方得到带数据项和单位的精确十进制数，"
    "`dlt645` 得到浮点数，数据块只得到帧。",
}
_COSTS = {"en": "Where our time goes for 645 (microseconds): {}.", "zh": "我方 645 耗时分布（微秒）：{}。"}
_WHY = {
    "en": "What is left for 645 is one Python object for each thing that the next layer holds: the frame is "
    "checked and kept by itself because deframer and sessions take it; the message because a session "
    "decides by it; each value because its decimal is exact and its octets stay with it. Whole requests and "
    "answers are not cached: a plant asks for each once an interval.",
    "zh": "645 余下的开销是各层各自需要的 Python 对象：帧须单独校验并交给解帧器和会话；报文供会话判断；"
    "每个数值是精确十进制数并保留其原始字节。整条请求和应答不做缓存：现场每个周期只问一次。",
}


def _notes() -> dict[str, list[str]]:
    """What is measured on either side, and our costs, the largest first."""
    costs = {
        name: sorted(
            (
                (statistics.median(microseconds(part) for _ in range(_PART_ROUNDS)), key)
                for key, part in parts.items()
            ),
            reverse=True,
        )
        for name, parts in _parts().items()
    }
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
    document = compare("645 codec beside dlt645 3.2.0", "dlt645", _WORKS)
    show(document | {"notes": _notes()})


if __name__ == "__main__":
    main()
