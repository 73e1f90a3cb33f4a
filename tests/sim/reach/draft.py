"""What a seed says of a gateway that reaches its meters by every way, half of them through something.

Cables, serial servers that dial in, carrier modules of 1376.2, and concentrators of 1376.1 and of DL/T 698.45
that dial in; what befalls them:
loss, latency of 0.5 to 30 s and so answers in another order (F16), slaves that leave, modules that are reset,
concentrators that are reset in a block transfer (F15) or dial again from another address, connections that
are cut, meters that are silent for hours or for ever, and a daemon that is started again.
A draft is a value: the same seed, days and meters give the same one. Times are seconds since the start.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Literal

from meterprofiles import generic
from metersim.carrier.ways import CarrierWays
from metersim.plant.at import At
from metersim.plant.concentrator_row import ConcentratorRow
from metersim.plant.plant import Plant
from metersim.plant.rows import LineRow, MeterRow
from metersim.plant.terminal_row import TerminalRow
from metersim.works.moments import PLANT_TIME
from tests.sim.soak.spans import Span

START: Final = datetime(2026, 12, 1, tzinfo=PLANT_TIME)
DAY_S: Final = 86_400.0
HOUR_S: Final = 3_600.0
TAIL_S: Final = 14 * HOUR_S
"""Quiet time at the end, in which everything that can still be had is fetched: the last curves are gathered
at 08:00, and a meter that did not answer is asked again an hour later."""
SETTLING_S: Final = 2 * HOUR_S
METERS_MIN: Final = 40
CABLE_METERS: Final = 32
CARRIER_METERS: Final = 100
BEHIND_METERS: Final = 60
"""Meters behind one concentrator: as many as it can read in a quarter of an hour."""
SINGLE_METERS: Final = 12
"""Meters behind a module that reads one at a time."""
CALLS_698: Final = 9698
CALLS_1376: Final = 9376
CALLS_SERIAL: Final = 9645
SERIAL_SHARE: Final = 4
"""One in so many of the meters that are behind nothing that stores or routes hangs on a serial server."""

Way = Literal["cable", "serial", "carrier", "1376.1", "698.45"]
PROTOCOLS: Final = ("dlt645-2007", "dlt698.45")
ITEMS: Final[Mapping[str, tuple[str, ...]]] = {
    "daily_freeze": (
        "forward_active_energy",
        *(f"forward_active_energy.t{tariff}" for tariff in range(1, 5)),
    ),
    "curve": ("forward_active_energy",),
}
CURVE_S: Final = 3_600
GATHER_S: Final = 43_200


@dataclass(frozen=True, slots=True)
class MeterDraft:
    """One meter.

    Args:
        address: 12 digits.
        line: name of its line.
        way: how it is reached.
        protocol: what it speaks.
        away: when it hears nothing.

    """

    address: str
    line: str
    way: Way
    protocol: str
    away: tuple[Span, ...] = ()

    @property
    def id(self) -> str:
        """Ours."""
        return f"m{int(self.address):05d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineDraft:
    """One line.

    Args:
        name: of it.
        way: how its meters are reached.
        url: as the configuration has it.
        table: what the configuration says beside it.
        carrier: its module.
        caller: address of the concentrator, or what the serial server registers with.
        cuts: when its connection ends, and can be made again at once.
        gone: when it cannot be had.

    """

    name: str
    way: Way
    url: str
    table: Mapping[str, object]
    carrier: CarrierWays | None = None
    caller: str = ""
    cuts: tuple[float, ...] = ()
    gone: tuple[Span, ...] = ()


class Draft:
    """All that a seed says.

    Args:
        seed: 0 or more.
        days: of which the slots are looked at, 1 or more.
        meters: 40 or more.

    Attributes:
        lines: of the gateway.
        meters: of all lines.
        lives: runs of the daemon.
        ends_at: the end of all.

    """

    def __init__(self, seed: int, *, days: int, meters: int) -> None:
        assert days >= 1, "a day has slots"
        assert meters >= METERS_MIN, "there is one line of each way"
        self.seed = seed
        self.days = days
        self.ends_at = days * DAY_S + TAIL_S
        self._busy_until = days * DAY_S
        cables = meters // 2
        through = meters - cables
        single = SINGLE_METERS if through >= 100 else 2
        carriers = through * 2 // 5 - single
        rest = through - carriers - single
        sizes: list[tuple[Way, int, int]] = [
            ("cable", cables - cables // SERIAL_SHARE, CABLE_METERS),
            ("serial", cables // SERIAL_SHARE, CABLE_METERS),
            ("carrier", single, single),
            ("carrier", carriers, CARRIER_METERS),
            ("1376.1", rest // 2, BEHIND_METERS),
            ("698.45", rest - rest // 2, BEHIND_METERS),
        ]
        shares = [(way, part) for way, count, most in sizes for part in _parts(count, most)]
        singles = [way for way, _ in shares].index("carrier")
        self.lines = tuple(
            self._line(number, way, single=number == singles) for number, (way, _) in enumerate(shares)
        )
        addresses = iter(range(1, meters + 1))
        self.meters = tuple(
            self._meter(next(addresses), line)
            for line, (_, count) in zip(self.lines, shares, strict=True)
            for _ in range(count)
        )
        self.lives = self._lives()

    # --- as metersim and meterlink are told -----------------------------------------------------

    @property
    def plant(self) -> Plant:
        """The simulated plant."""
        rows = {line.name: tuple(self._row(one) for one in self.behind(line)) for line in self.lines}
        inside = At(kind="listen")
        direct = [line for line in self.lines if line.way in {"cable", "serial", "carrier"}]
        return Plant(
            plant="reach",
            seed=self.seed + 1,
            start=START,
            lines=tuple(
                LineRow(name=line.name, at=inside, carrier=line.carrier, meters=rows[line.name])
                for line in direct
            ),
            concentrators=tuple(
                self._concentrator(line, rows[line.name]) for line in self.lines if line.way == "698.45"
            ),
            terminals=tuple(
                self._terminal(line, rows[line.name]) for line in self.lines if line.way == "1376.1"
            ),
        )

    def behind(self, line: LineDraft) -> list[MeterDraft]:
        """The meters of a line."""
        return [one for one in self.meters if one.line == line.name]

    @property
    def configuration(self) -> dict[str, Any]:
        """What the gateway is told of lines, meters and plans."""
        return {
            "gateway": {"id": "gw", "site": "sim"},
            "mqtt": {"url": "mqtt://127.0.0.1:1883"},  # the one in memory is given
            "ingest": {"in_daemon": False},
            "lines": [{"name": line.name, "url": line.url, **line.table} for line in self.lines],
            "meters": [
                {"id": one.id, "address": one.address, "line": one.line, "protocol": one.protocol}
                for one in self.meters
            ],
            "plans": [
                {"class": "daily_freeze", "every_s": 3_600, "items": ["forward_active_energy.*"]},
                {
                    "class": "curve",
                    "every_s": CURVE_S,
                    "items": ["forward_active_energy"],
                    "gather_s": GATHER_S,
                },
            ],
        }

    # --- what is drawn --------------------------------------------------------------------------

    def _chance(self, what: str) -> random.Random:
        return random.Random(f"reach/{self.seed}/{what}")  # repeatable is what it has to be

    def _moment(self, chance: random.Random) -> float:
        return chance.uniform(SETTLING_S, self._busy_until)

    def _spans(self, chance: random.Random, count: int, longest_s: float) -> tuple[Span, ...]:
        begins = sorted(self._moment(chance) for _ in range(count))
        return tuple(
            Span(begin, min(begin + chance.uniform(0.1, 1) * longest_s, self._busy_until)) for begin in begins
        )

    def _line(self, number: int, way: Way, single: bool) -> LineDraft:
        name = f"{way.replace('.', '-')}-{number}"
        chance = self._chance(name)
        days = max(1, self.days // 2)
        line = LineDraft(
            name=name,
            way=way,
            url=f"tcp://127.0.0.1:{20_000 + number}",
            table={},
            cuts=tuple(sorted(self._moment(chance) for _ in range(chance.randint(0, 2 * days)))),
            gone=self._spans(chance, chance.choice((0, 0, 1)), 3 * HOUR_S),
        )
        if way == "carrier":
            return replace(
                line, table={"carrier": {"read_timeout_s": 90}}, carrier=self._module(number, chance, single)
            )
        if way == "serial":
            caller = f"DTU-{number:04d}"
            return replace(line, url=f"listen://127.0.0.1:{CALLS_SERIAL}?device={caller}", caller=caller)
        if way == "1376.1":
            caller = f"0171-{2000 + number}"
            url = f"listen://127.0.0.1:{CALLS_1376}?terminal={caller}"
            return replace(line, url=url, caller=caller, table={"terminal": {"heartbeat_min": 15}})
        if way == "698.45":
            caller = f"{20_000_000_000 + number:012d}"
            url = f"listen://127.0.0.1:{CALLS_698}?terminal={caller}"
            return replace(line, url=url, caller=caller, table={"terminal": {"meter_timeout_s": 60}})
        return line

    def _module(self, number: int, chance: random.Random, single: bool) -> CarrierWays:
        """Modules differ as makes do; the first of them reads one meter at a time."""
        return CarrierWays(
            seed=number + 1,
            main_node=f"{number:012d}",
            archive=chance.random() < 0.5,
            leads=chance.choice(("concentrator", "module", "both")),
            window=0 if single else chance.choice((8, 12, 20)),
            shortest_s=0.5,
            longest_s=8.0 if single else 30.0,
            monitor_s=60,
            loss=0.03,
            silent_reply=chance.choice(("empty", "denied")),
            late=0.005,
            late_s=100.0,
            doubled=0.02,
            rubbish=0.2,
            stray_octet=0.1,
            leaves_a_day=0.5,
            away_s=1_200.0,
            power_events=True,
            reset_every=chance.choice((60, 150)),
            page=chance.choice((10, 32)),
        )

    def _meter(self, number: int, line: LineDraft) -> MeterDraft:
        chance = self._chance(f"meter{number}")
        nature = chance.random()
        away: tuple[Span, ...] = ()
        if nature < 0.03:
            away = (Span(self._moment(chance), self.ends_at + DAY_S),)
        elif nature < 0.08:
            away = self._spans(chance, 1, 8 * HOUR_S)
        return MeterDraft(f"{number:012d}", line.name, line.way, chance.choice(PROTOCOLS), away)

    def _row(self, one: MeterDraft) -> MeterRow:
        kw = Decimal(self._chance(f"load{one.address}").randint(5, 90)) / 10
        return MeterRow(address=one.address, profile=generic(one.protocol), mean_kw=kw)

    def _concentrator(self, line: LineDraft, meters: tuple[MeterRow, ...]) -> ConcentratorRow:
        chance = self._chance(f"concentrator{line.name}")
        return ConcentratorRow(
            address=line.caller,
            at=At(kind="listen"),
            heartbeat_s=600,
            longest_s=30.0,
            loss=0.03,
            apdu_octets=chance.choice((256, 512)),
            reset_at_block=2,
            meters=meters,
        )

    def _terminal(self, line: LineDraft, meters: tuple[MeterRow, ...]) -> TerminalRow:
        chance = self._chance(f"terminal{line.name}")
        return TerminalRow(
            address=line.caller,
            at=At(kind="listen"),
            roam_s=chance.choice((7_200.0, 20_000.0)),
            longest_s=30.0,
            loss=0.03,
            quirks="any",
            frame_octets=chance.choice((64, 128)),
            reset_at_frame=2,
            lacks=chance.choice(("deny", "fill")),
            silent_reply=chance.choice(("empty", "deny")),
            meters=meters,
        )

    def _lives(self) -> tuple[Span, ...]:
        """The daemon is started again, once in three days and once at least."""
        chance = self._chance("lives")
        ends = sorted(self._moment(chance) for _ in range(1 + self.days // 3))
        begins = [0.0, *(end + chance.choice((1.0, 600.0, 3_600.0)) for end in ends)]
        return tuple(
            Span(begin, end) for begin, end in zip(begins, [*ends, self.ends_at], strict=True) if end > begin
        )


def _parts(count: int, most: int) -> list[int]:
    """A number in equal parts, each of so many at most."""
    lines = max(1, -(-count // most))
    return [count // lines + (number < count % lines) for number in range(lines)]


def at(seconds: float) -> datetime:
    """The true time so many seconds after the start."""
    return START + timedelta(seconds=seconds)
