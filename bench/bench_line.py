"""What a line's time goes to, in simulated time: 32 paced meters, and 15,000 meters behind 30 lines.

Simulated time is exact: the ratio to the formula of the wire is the same on any machine, loaded or not. The
daily freeze of each meter is collected by the parts that do it in the daemon, into a journal; in the first
night meters are strangers, in the next one they are known. A freeze of DL/T 645 takes three exchanges: its
time, its values, and its time again, which proves that no new freeze was taken in between; that of
DL/T 698.45 is one record, and of a stranger it is also asked whether its clock is right.

The 15,000 meters are canned, so that what is used of a core is ours: seconds of it for a second of the lines'
time are what the gateway would take at the real rate.

Usage: ``python -m bench.bench_line`` prints one JSON object.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import structlog

from bench.canned import CannedLine, exchange_s, frozen
from bench.simulated import MORNING, Gateway, Serve, wired
from meterlink.clock import Clock
from metersim import Line, Meter, Station
from metersim.dlt698 import Meter698
from metersim.line.port import Port

BAUDS = (2400, 9600)
METERS = 32
REPLY_DELAY_MS = 20
MANY_LINES = 30
MANY_METERS = 15_000
MANY_BAUD = 9600
NO_PAUSES: Mapping[str, int] = {"preamble": 0, "turnaround_ms": 0}
EXCHANGES: Mapping[str, tuple[int, ...]] = {
    "dlt645-2007": (16 + 21, 16 + 36, 16 + 21),
    "dlt698.45": (49 + 74,),
}
"""Octets of the exchanges that a daily freeze takes. Source: field practice, section 1, frame sizes."""
_NEXT_DUE_S = 86_400 - 25 * 60.0
"""From the begin until the freeze of the next night is due: five minutes past midnight."""
_NOTES = {
    "en": [
        "Line: the formula takes what is needed of a freeze, and no pause. Of DL/T 645 that is its time, its "
        "values and its time again: 2.4 times the values alone, because a meter may take a new freeze "
        "between two exchanges. A request of DL/T 698.45 names a span of time, 9 octets more than a point of "
        "time, and a stranger is asked twice more to see whether its clock is right. "
        "By default a serial line has 4 FEH before each request and is left quiet for 20 ms; `preamble` and "
        "`turnaround_ms` of a line say otherwise.",
    ],
    "zh": [
        "线路：公式只计冻结数据所必需的交换，不计间歇。DL/T 645 为冻结时间、数值、再读冻结时间，"
        "是只读数值的 2.4 倍，因为电表可能在两次交换之间产生新的冻结。DL/T 698.45 的请求给出时间区间，"
        "比时间点多 9 字节。串口线路默认每次请求前有 4 个 FEH 并静默 20 ms，可由线路的 `preamble` 和 "
        "`turnaround_ms` 更改。",
    ],
}


def _settings(lines: int, meters: int, baud: int, protocol: str, more: Mapping[str, int]) -> dict[str, Any]:
    return {
        "lines": [
            {"name": f"line{n}", "url": f"serial:///dev/ttyS{n}?baud={baud}&parity=even", **more}
            for n in range(lines)
        ],
        "meters": [
            {"id": f"m{address}", "address": address, "line": f"line{n}", "protocol": protocol}
            for n in range(lines)
            for address in _addresses(n, meters)
        ],
        "plans": [{"class": "daily_freeze", "items": ["forward_active_energy.*"]}],
    }


def _addresses(line: int, meters: int) -> Sequence[str]:
    return [f"{line * meters + number:012d}" for number in range(1, meters + 1)]


def _paced_s(baud: int, protocol: str, more: Mapping[str, int]) -> tuple[float, float]:
    """Seconds in which the freezes of a line of meters are collected, in the first night and the next."""
    port, make = Port(baud), {"dlt645-2007": Meter, "dlt698.45": Meter698}[protocol]

    def ends(clock: Clock) -> dict[str, Serve]:
        stations = [
            Station(meter=make(address, seed=1), reply_delay_ms=REPLY_DELAY_MS, port=port)
            for address in _addresses(0, METERS)
        ]
        return {"line0": wired(Line(stations, clock=clock, client=port, paced=True))}

    gateway = Gateway(ends, _settings(1, METERS, baud, protocol, more))
    first_s, next_s = gateway.collect(METERS, 2 * METERS)
    return first_s, next_s - _NEXT_DUE_S


def _floor_s(baud: int, meters: int, octets: Sequence[int]) -> float:
    return meters * sum(exchange_s(count, baud) for count in octets)


def _paced() -> tuple[dict[str, float], dict[str, float]]:
    """Medians and ratios of one line."""
    medians: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for protocol, octets in EXCHANGES.items():
        for baud in BAUDS:
            name, floor_s = f"{protocol} at {baud}", _floor_s(baud, METERS, octets)
            first_s, next_s = _paced_s(baud, protocol, NO_PAUSES)
            usual_s = _paced_s(baud, protocol, {})[1]
            medians |= {f"{name}, s": round(next_s, 2), f"{name}, formula, s": round(floor_s, 2)}
            ratios[f"{name} / formula"] = round(next_s / floor_s, 3)
            ratios[f"{name}, strangers / formula"] = round(first_s / floor_s, 3)
            ratios[f"{name}, 4 FEH and 20 ms of quiet / formula"] = round(usual_s / floor_s, 3)
    return medians, ratios


class _Many(NamedTuple):
    """15,000 meters behind 30 lines.

    Args:
        took_s: of the lines' time.
        used_s: of a core.
        kb_a_meter: resident memory that each meter took.

    """

    took_s: float
    used_s: float
    kb_a_meter: float


def _many() -> _Many:
    """In a process of its own, so that nothing else is in its memory."""
    run = subprocess.run([sys.executable, "-m", __spec__.name, "many"], stdout=subprocess.PIPE, check=True)
    return _Many(*json.loads(run.stdout))


def _collect_many() -> _Many:
    midnight = MORNING.replace(hour=0, minute=0)
    lines = {f"line{n}": CannedLine(frozen(midnight), MANY_BAUD) for n in range(MANY_LINES)}
    warm = Gateway(lambda _: {"line0": lines["line0"].serve}, _settings(1, 2, MANY_BAUD, "dlt645-2007", {}))
    warm.collect(2)  # dictionaries and modules are there however few meters there are
    before_kb = _resident_kb()
    settings = _settings(MANY_LINES, MANY_METERS // MANY_LINES, MANY_BAUD, "dlt645-2007", NO_PAUSES)
    gateway = Gateway(lambda _: {name: line.serve for name, line in lines.items()}, settings)
    del settings
    begun_s = time.process_time()
    [took_s] = gateway.collect(MANY_METERS)
    used_s = time.process_time() - begun_s
    return _Many(took_s, used_s, (_resident_kb() - before_kb) / MANY_METERS)


def _resident_kb() -> int:
    [line] = [row for row in Path("/proc/self/status").read_text().splitlines() if row.startswith("VmRSS:")]
    return int(line.split()[1])


def main() -> None:
    """Measure and print."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    if sys.argv[1:] == ["many"]:
        print(json.dumps(_collect_many()))
        return
    medians, ratios = _paced()
    many, floor_s = _many(), _floor_s(MANY_BAUD, MANY_METERS // MANY_LINES, EXCHANGES["dlt645-2007"])
    document = {
        "bench": "daily freezes of 32 meters on a paced line; of 15,000 meters behind 30 lines at 9600",
        "unit": "simulated s; of a core; KB",
        "rounds": 1,
        "medians": {
            **medians,
            "15,000 meters, s": round(many.took_s, 2),
            "15,000 meters, formula, s": round(floor_s, 2),
            "15,000 meters, seconds of a core": round(many.used_s, 1),
            "15,000 meters, KB a meter": round(many.kb_a_meter, 1),
        },
        "ratios": {
            **ratios,
            "15,000 meters / formula": round(many.took_s / floor_s, 3),
            "15,000 meters, share of a core": round(many.used_s / many.took_s, 3),
        },
        "goals": {
            "a line / formula": "must 1.10, goal 1.03",
            "15,000 meters / formula": "must 1.3, goal 1.1",
            "KB a meter": "must 50, goal 5",
        },
        "notes": _NOTES,
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
