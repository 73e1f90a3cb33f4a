"""The DL/T 645 codec beside PyPI ``dlt645``, in one run: ``python -m bench.bench_dlt645``.

Prints one JSON object: for each piece of work the median microseconds of ours and of the peer, the
ratio, and the goals of the performance page. The two take turns, so that a noisy machine slows both.
"""

from __future__ import annotations

import json
import statistics
import struct
import time
from collections.abc import Callable

from dlt645.common.transform import bcd_to_float, bytes_to_int
from dlt645.model.data import data_handler
from dlt645.protocol.protocol import DLT645Protocol

from meterwire.dlt645 import ReadReply, ReadRequest, decode, dictionary, encode, from_frame, to_frame

_ENERGY = bytes.fromhex("FEFEFEFE6861010000000068910833333433593333338A16")
_BLOCK = bytes.fromhex("68120000001020689118333234335C343333953333339333333336333333353333337416")
_ADDRESS = bytes.fromhex("610100000000")
_ROUNDS, _CALLS = 25, 2_000


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


_WORK: dict[str, tuple[Callable[[], object], Callable[[], object], float, float]] = {
    "energy answer to value": (lambda: _our_values(_ENERGY), _peer_value, 3.0, 8.0),
    "block answer to values": (
        lambda: _our_values(_BLOCK),
        lambda: DLT645Protocol.deserialize(_BLOCK),
        1.5,
        3.0,
    ),
    "encode a read request": (_our_request, _peer_request, 1.5, 4.0),
}


def _seconds(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter() - start) / _CALLS


def main() -> None:
    """Measure and print."""
    medians: dict[str, float] = {}
    ratios: dict[str, float] = {}
    goals: dict[str, str] = {}
    for name, (ours, peer, must, goal) in _WORK.items():
        pairs = [(_seconds(ours), _seconds(peer)) for _ in range(_ROUNDS)]
        our_us, peer_us = (statistics.median(side) * 1e6 for side in zip(*pairs, strict=True))
        medians |= {f"{name}, meterlink": round(our_us, 2), f"{name}, dlt645": round(peer_us, 2)}
        ratios[name] = round(statistics.median(peer_s / our_s for our_s, peer_s in pairs), 2)
        goals[name] = f"must {must:g}, goal {goal:g}"
    document = {
        "bench": "645 codec beside dlt645 3.2.0",
        "unit": "microseconds",
        "rounds": _ROUNDS,
        "medians": medians,
        "ratios": ratios,
        "goals": goals,
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
