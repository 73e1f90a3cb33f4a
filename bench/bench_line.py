"""What a line's time goes to, in simulated time: 32 paced meters, and 15,000 meters behind 30 lines.

Simulated time is exact: the ratio to the formula of the wire is the same on any machine, loaded or not. The
daily freeze of each meter is collected by the parts that do it in the daemon, into a journal; in the first
night meters are strangers, in the next one they are known.

Two things are measured, each beside the formula over the frames that it takes (``NIGHTS``): the block of the
daily freeze alone, which is the plan without the look at the meter: the values, and of DL/T 645 the time of
the freeze before and after them, as the identifier of the values names none; and the whole night, which also
asks each meter for its clock and status word, by which the freeze is judged.

The 15,000 meters are canned, so that what is used of a core is ours: seconds of it for a second of the lines'
time are what the gateway would take at the real rate.

Usage: ``python -m bench.bench_line`` prints one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import logging
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import structlog

from bench.canned import CannedLine, exchange_s, meters
from bench.simulated import MORNING, Gateway, Serve, wired
from meterlink.acquisition.looks import Looks
from meterlink.clock import Clock
from meterlink.model.data_classes import DataClass
from meterlink.model.zone import CHINA_TIME
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


class Night(NamedTuple):
    """Octets of each exchange that a night takes of one meter, question and answer.

    Args:
        values: of the freeze.
        proof: of the instant at which these were frozen.
        look: at the meter's clock and status word.

    """

    values: int
    proof: tuple[int, ...]
    look: tuple[int, ...]

    @property
    def freeze(self) -> tuple[int, ...]:
        """What the freeze itself takes."""
        return (self.values, *self.proof)

    @property
    def whole(self) -> tuple[int, ...]:
        """What the night takes."""
        return (*self.freeze, *self.look)


NIGHTS: Mapping[str, Night] = {
    "dlt645-2007": Night(values=16 + 36, proof=(16 + 21, 16 + 21), look=(16 + 20, 16 + 19, 16 + 18)),
    "dlt698.45": Night(values=49 + 74, proof=(), look=(25 + 35, 25 + 57)),
}
"""Source: field practice, section 1, frame sizes; of date, time and status word 1: DL/T 645-2007, annex A.5;
of the clock 4000 and the seven words of 2014: DL/T 698.45."""
NUMBER_OCTETS = 16 + 22
"""The meter number, of a stranger of DL/T 645."""
_NEXT_DUE_S = 86_400 - 25 * 60.0
"""From the begin until the freeze of the next night is due: five minutes past midnight."""
_NOTES = {
    "en": [
        "Line: a formula takes the octets of each exchange that is asked of a meter, and no pause. "
        'The "freeze block" is the plan of the daily freeze and nothing else: of DL/T 645 its time, '
        "its values and its time again (a meter may take a freeze between any two exchanges, and the "
        "identifier of the values names no time, so nothing less is certain), of DL/T 698.45 the record, "
        'which holds its time. The "whole night" asks each meter for its clock and status word 1 as well '
        "(DL/T 645: date, time, word; DL/T 698.45: clock, words), by which the freeze is judged, once a day. "
        '"The values alone" is the formula of their one exchange, which no gateway reaches on DL/T 645 that '
        "proves what it keeps. A request of DL/T 698.45 names a "
        "span of time, 9 octets more than a point of time; a stranger is asked for its number too "
        "(its settlement day waits for a quiet moment), and of DL/T 698.45 twice more to see whether its "
        "clock is right. By default a "
        "serial line has 4 FEH before each request and is left quiet for 20 ms; `preamble` and "
        "`turnaround_ms` of a line say otherwise.",
    ],
    "zh": [
        "线路：公式计入向一块电表发起的每次交换的字节，不计间歇。“freeze block”只是日冻结方案本身："
        "DL/T 645 为冻结时间、数值、再读冻结时间（电表可能在任意两次交换之间产生新的冻结，"
        "而数值的数据标识不含时间，少读一次就不能确定）；DL/T 698.45 为自带时间的一条记录。"
        "“whole night”每天还向每块电表读一次时钟和状态字 1（DL/T 645 为日期、时间、状态字；"
        "DL/T 698.45 为时钟、状态字），用以判断冻结。“values alone”是只读数值一次交换的公式；"
        "DL/T 645 凡要证明所存数据的采集都达不到它。"
        "DL/T 698.45 的请求给出时间区间，比时间点多 9 字节；对初次接触的电表还要读表号"
        "（结算日待线路空闲时再读），"
        "DL/T 698.45 另有两次交换核对时钟。串口线路默认每次请求前有 4 个 FEH 并静默 20 ms，"
        "可由线路的 `preamble` 和 `turnaround_ms` 更改。",
    ],
}


def _settings(lines: int, meters: int, baud: int, protocol: str, more: Mapping[str, int]) -> dict[str, Any]:
    return {
        "lines": [
            {"name": f"line{n}", "url": f"serial:///dev/ttyS{n}?baud={baud}&parity=even", **more}
            for n in range(lines)
        ],
        "meters": [
            {
                "id": f"m{address}",
                "address": address,
                "meter_number": address,
                "line": f"line{n}",
                "protocol": protocol,
            }
            for n in range(lines)
            for address in _addresses(n, meters)
        ],
        "plans": [{"class": "daily_freeze", "items": ["forward_active_energy.*"]}],
    }


def _addresses(line: int, meters: int) -> Sequence[str]:
    return [f"{line * meters + number:012d}" for number in range(1, meters + 1)]


async def _nobody_looks(_looks: Looks, _meter: str, _data_class: DataClass) -> None:
    """In the place of ``Looks.renew``: the plan alone."""


def _paced_s(baud: int, protocol: str, more: Mapping[str, int], *, looks: bool = True) -> tuple[float, float]:
    """Seconds in which the freezes of a line of meters are collected, in the first night and the next."""
    port, make = Port(baud), {"dlt645-2007": Meter, "dlt698.45": Meter698}[protocol]

    def ends(clock: Clock) -> dict[str, Serve]:
        stations = [
            Station(meter=make(address, seed=1), reply_delay_ms=REPLY_DELAY_MS, port=port)
            for address in _addresses(0, METERS)
        ]
        return {"line0": wired(Line(stations, clock=clock, client=port, paced=True))}

    gateway = Gateway(ends, _settings(1, METERS, baud, protocol, more))
    with contextlib.nullcontext() if looks else mock.patch.object(Looks, "renew", _nobody_looks):
        first_s, next_s = gateway.collect(METERS, 2 * METERS)
    return first_s, next_s - _NEXT_DUE_S


def _floor_s(baud: int, meters: int, octets: Sequence[int]) -> float:
    return meters * sum(exchange_s(count, baud) for count in octets)


def _paced() -> tuple[dict[str, float], dict[str, float]]:
    """Medians and ratios of one line."""
    medians: dict[str, float] = {}
    ratios: dict[str, float] = {}
    for protocol, night in NIGHTS.items():
        for baud in BAUDS:
            name, floor_s = f"{protocol} at {baud}", _floor_s(baud, METERS, night.whole)
            freeze_s = _floor_s(baud, METERS, night.freeze)
            values_s = _floor_s(baud, METERS, [night.values])
            first_s, next_s = _paced_s(baud, protocol, NO_PAUSES)
            usual_s = _paced_s(baud, protocol, {})[1]
            alone_s = _paced_s(baud, protocol, NO_PAUSES, looks=False)[1]
            medians |= {
                f"{name}, freeze block, s": round(alone_s, 2),
                f"{name}, freeze block, formula, s": round(freeze_s, 2),
                f"{name}, whole night, s": round(next_s, 2),
                f"{name}, whole night, formula, s": round(floor_s, 2),
                f"{name}, values alone, formula, s": round(values_s, 2),
            }
            ratios[f"{name}, freeze block / formula"] = round(alone_s / freeze_s, 3)
            ratios[f"{name}, freeze block / formula of the values alone"] = round(alone_s / values_s, 3)
            ratios[f"{name}, whole night / formula"] = round(next_s / floor_s, 3)
            ratios[f"{name}, whole night / formula of the values alone"] = round(next_s / values_s, 3)
            ratios[f"{name}, whole night of strangers / formula"] = round(first_s / floor_s, 3)
            ratios[f"{name}, whole night, 4 FEH and 20 ms of quiet / formula"] = round(usual_s / floor_s, 3)
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


def canned(count: int, meters_each: int) -> tuple[Gateway, Mapping[str, CannedLine]]:
    """A gateway, and at the far ends of its lines meters that cost nothing."""
    lines: dict[str, CannedLine] = {}

    def ends(clock: Clock) -> Mapping[str, Serve]:
        answers = meters(MORNING.replace(hour=0, minute=0), clock=clock, zone=CHINA_TIME)
        lines.update({f"line{n}": CannedLine(answers, MANY_BAUD) for n in range(count)})
        return {name: line.serve for name, line in lines.items()}

    return Gateway(ends, _settings(count, meters_each, MANY_BAUD, "dlt645-2007", NO_PAUSES)), lines


def _collect_many() -> _Many:
    warm, _ = canned(1, 2)
    warm.collect(2)  # dictionaries and modules are there however few meters there are
    before_kb = _resident_kb()
    gateway, lines = canned(MANY_LINES, MANY_METERS // MANY_LINES)
    begun_s = time.process_time()
    [took_s] = gateway.collect(MANY_METERS)
    used_s = time.process_time() - begun_s
    for line in lines.values():
        line.check()
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
    many, each = _many(), MANY_METERS // MANY_LINES
    floor_s = _floor_s(MANY_BAUD, each, (*NIGHTS["dlt645-2007"].whole, NUMBER_OCTETS))
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
            "freeze block / formula": "must 1.10, goal 1.03",
            "15,000 meters / formula": "must 1.3, goal 1.1",
            "KB a meter": "must 50, goal 5",
        },
        "notes": _NOTES,
    }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
