"""Polls a second that the simulator answers on one core, and how well a paced line keeps its time.

The server runs in a process of its own, beside PyPI's ``dlt645`` (its asyncio server) and the echo floor;
32 connections ask it, each again as soon as it has its answer. What counts is the time of a core that the
server's process used, so that others on the machine, and the client, do not. What a paced line takes for an
exchange is held against the formula of the wire on the wall clock. The peer has one meter, so one of ours
is asked as often; beside it stands what a plant of many gives.

Usage: ``python -m bench.bench_simulator`` prints one JSON object.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from bench.answering import PEER_ADDRESS, SIMULATED_LINES, SIMULATED_METERS, Server, running
from bench.beside import microseconds
from metersim import Line, Meter, Station
from metersim.line.port import Port
from metersim.plant.built import BuiltPlant
from metersim.plant.figures import Figures
from metersim.serving.served import SystemClock
from metersim.serving.tcp import open_tcp
from meterwire.dlt645 import Deframer, ReadRequest, encode, to_frame

ROUNDS = 7
CONNECTIONS = SIMULATED_LINES
POLLS = 12_000
PEER_POLLS = 6_000
ANSWER_OCTETS = 20
EXCHANGES = 30
BAUDS = (2400, 9600)
REPLY_DELAY_MS = 20
_PART_ROUNDS = 9
_ENERGY = "forward_active_energy"

_WORDS = {
    "en": {
        "hear": "find the request",
        "value": "work out the value",
        "word": "decide what to say, as message and frame",
        "encode": "octets of the answer",
        "watch": "count and hash what passes",
    },
    "zh": {
        "hear": "找出请求帧",
        "value": "计算数值",
        "word": "决定应答内容（报文和帧）",
        "encode": "应答字节",
        "watch": "计数并散列经过的字节",
    },
}
_COSTS = {
    "en": "Where the simulator's time for a poll goes, but the socket's (microseconds): {}.",
    "zh": "模拟器每次轮询的耗时分布，不含套接字（微秒）：{}。",
}
_WHY = {
    "en": "What is largest there stays: a meter decides each time by what may have changed since (power, "
    "contact, long answer, dialect), and says it in the codec's own message and frame, so that simulator and "
    "daemon keep one reading of the standard; the request is found by the daemon's deframer, which trusts no "
    "octet; the value is worked out for the instant of the question, exact to the tick, so no answer is kept "
    "for the next question. A plant of many is slower, as each meter's state comes from memory anew.",
    "zh": "其中最大的几项予以保留：电表每次都按可能已变的状态（电源、触点、后续帧、方言）决定应答，"
    "并用编解码库自己的报文和帧表达，使模拟器与采集程序对标准只有一种解读；"
    "请求由采集程序同一个解帧器找出，它不信任任何字节；"
    "数值按提问时刻精确计算，因此不为下一次提问保留应答。电表多时较慢，因为每块表的状态都要重新从内存取。",
}


def _request(address: str) -> bytes:
    return encode(to_frame(ReadRequest(address=address, di=0x00010000)))


class _Poller(asyncio.Protocol):
    """Sends the next request as soon as the answer to the last one is whole."""

    def __init__(self, requests: Sequence[bytes], answer_octets: int, polls: int) -> None:
        self._requests = itertools.cycle(requests)
        self._answer_octets = answer_octets
        self._left = polls
        self._heard = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._transport.write(next(self._requests))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._heard += len(data)
        if self._heard < self._answer_octets:
            return
        self._heard = 0
        self._left -= 1
        if self._left:
            self._ask()
        else:
            self._transport.close()
            self.done.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.done.done():
            self.done.set_exception(exc or ConnectionResetError("the server hung up"))


def _same(poller: _Poller) -> _Poller:
    return poller


async def _rate(server: Server, requests: list[list[bytes]], answer_octets: int, polls: int) -> float:
    """Polls that the server answers with one second of a core."""
    loop, ports = asyncio.get_running_loop(), server.ports
    each = polls // CONNECTIONS
    begun_s = server.cpu_s()
    pollers = []
    for number in range(CONNECTIONS):
        poller = _Poller(requests[number % len(requests)], answer_octets, each)
        await loop.create_connection(partial(_same, poller), "127.0.0.1", ports[number % len(ports)])
        pollers.append(poller.done)
    await asyncio.gather(*pollers)
    return each * CONNECTIONS / (server.cpu_s() - begun_s)


def _simulated_requests() -> list[list[bytes]]:
    addresses = [f"{number:012d}" for number in range(1, SIMULATED_LINES * SIMULATED_METERS + 1)]
    return [
        [_request(address) for address in addresses[first : first + SIMULATED_METERS]]
        for first in range(0, len(addresses), SIMULATED_METERS)
    ]


def _rates() -> dict[str, float]:
    many = f"metersim, {SIMULATED_LINES * SIMULATED_METERS} meters"
    rates: dict[str, list[float]] = {"echo_floor": [], "metersim": [], many: [], "dlt645": []}
    simulated, one = _simulated_requests(), [[_request(PEER_ADDRESS)]]
    with running("echo") as echo, running("simulator") as ours, running("dlt645") as theirs:
        for _ in range(ROUNDS):
            rates["echo_floor"].append(asyncio.run(_rate(echo, [[bytes(30)]], 30, POLLS)))
            alone = ours._replace(ports=ours.ports[:1])  # where the meter with the peer's address is
            rates["metersim"].append(asyncio.run(_rate(alone, one, ANSWER_OCTETS, POLLS)))
            rates[many].append(asyncio.run(_rate(ours, simulated, ANSWER_OCTETS, POLLS)))
            rates["dlt645"].append(asyncio.run(_rate(theirs, one, ANSWER_OCTETS, PEER_POLLS)))
    return {name: statistics.median(values) for name, values in rates.items()}


async def _paced_ms(baud: int) -> float:
    """Median of what an exchange over TCP takes with a paced line."""
    port = Port(baud)
    station = Station(meter=Meter(PEER_ADDRESS, seed=1), reply_delay_ms=REPLY_DELAY_MS, port=port)
    line = Line([station], clock=SystemClock(), client=port, paced=True)
    took = []
    async with open_tcp(line, "127.0.0.1", 0) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        for _ in range(EXCHANGES):
            begun = time.perf_counter()
            writer.write(_request(PEER_ADDRESS))
            await reader.readexactly(ANSWER_OCTETS)
            took.append((time.perf_counter() - begun) * 1000)
        writer.close()
        await writer.wait_closed()
    return statistics.median(took)


def _formula_ms(baud: int) -> float:
    return (len(_request(PEER_ADDRESS)) + ANSWER_OCTETS) * 11 / baud * 1000 + REPLY_DELAY_MS


def _parts() -> dict[str, Callable[[], object]]:
    """The pieces of a poll that can be had by themselves; ``word`` with ``value`` in it."""
    built = BuiltPlant(Figures(lines=1, meters=1).plant(), clock=SystemClock())
    [line], [meter] = built.lines.values(), built.meters.values()
    request, at, ear = _request(meter.address), datetime.now(UTC), Deframer()
    [frame] = ear.feed(request)
    answer = meter.speaker.answer(frame, at)
    assert answer is not None, "a meter answers a read"
    octets, works, traffic = answer.wording.encode(), meter.works, line.traffic
    assert len(octets) == ANSWER_OCTETS, "that is what pollers wait for"
    return {
        "hear": lambda: ear.feed(request),
        "value": lambda: works.content(_ENERGY, at),
        "word": lambda: meter.speaker.answer(frame, at),
        "encode": answer.wording.encode,
        "watch": lambda: traffic.answered(octets, traffic.asked(request)),
    }


def _notes() -> dict[str, list[str]]:
    """Our costs, the largest first, and why they stay."""
    costs = {
        key: statistics.median(microseconds(part) for _ in range(_PART_ROUNDS))
        for key, part in _parts().items()
    }
    costs["word"] -= costs["value"]
    largest = sorted(costs, key=lambda key: costs[key], reverse=True)
    notes = {}
    for language, words in _WORDS.items():
        shown = ", ".join(f"{words[key]} {costs[key]:.2f}" for key in largest)
        notes[language] = [_COSTS[language].format(shown), _WHY[language]]
    return notes


def main() -> None:
    """Measure and print."""
    medians = {name: round(rate) for name, rate in _rates().items()}
    paced = {baud: asyncio.run(_paced_ms(baud)) for baud in BAUDS}
    ours = medians["metersim"]
    document = {
        "bench": "simulator, 32 connections; paced line",
        "unit": "polls a second of a core; ms an exchange",
        "rounds": ROUNDS,
        "medians": {
            **medians,
            **{f"paced at {baud}": round(took, 2) for baud, took in paced.items()},
            **{f"formula at {baud}": round(_formula_ms(baud), 2) for baud in BAUDS},
        },
        "ratios": {
            "metersim / echo floor": round(ours / medians["echo_floor"], 2),
            "metersim / dlt645": round(ours / medians["dlt645"], 1),
            **{f"paced / formula at {baud}": round(paced[baud] / _formula_ms(baud), 3) for baud in BAUDS},
        },
        "goals": {
            "metersim / echo floor": "goal 0.4",
            "metersim / dlt645": "must 2",
            "paced / formula": "must 0.95 to 1.05",
        },
    }
    print(json.dumps(document | {"notes": _notes()}, indent=2))


if __name__ == "__main__":
    main()
