"""A plant out of a handful of figures: lines of meters of one kind, the last ones of each line broken."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from meterprofiles import Profile, generic
from meterprofiles.schema import DLT698
from metersim.dlt645.following import PIECE_OCTETS_MAX
from metersim.dlt698.terminal import HEARTBEAT_S, HEARTBEAT_S_MAX
from metersim.line.faults import Faults
from metersim.line.line import REPLY_DELAY_MS_MAX
from metersim.plant.at import At
from metersim.plant.plant import LINES_MAX, Plant
from metersim.plant.rows import ADDRESS_MAX, METERS_MAX, LineRow, MeterRow
from metersim.works.load import MEAN_KW, MEAN_KW_MAX
from meterwire.dlt645.link.functions import EDITIONS

FEED_IN_SHARE: Final = Decimal("0.1")
"""What phase c of three feeds back, so that every register moves."""
PROTOCOLS: Final = (*EDITIONS, DLT698)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """How many of what.

    Args:
        lines: number of lines, 1 to 256.
        meters: meters on each line, 1 or more; in all 10,000 at most.
        seed: seed of everything that looks random.
        growth_kw: mean power of each meter, 0 to 10,000 kW.
        first_address: address of the first meter; the others follow it, line by line.
        reply_delay_ms: response delay Td of each meter, 0 to 60,000 ms; ``None``: its profile's.
        garbage: how many meters of each line, the last ones, are garbage meters (`Faults.garbage`).
        protocol: what the meters speak: an edition of DL/T 645 (the generic profile of it), or ``dlt698.45``.
        profile: which model the meters are, in place of ``protocol``.
        piece_octets: most data octets that a meter of DL/T 645 puts into a frame, 1 to 195.
        first_block: number of the first block of an answer of DL/T 698.45, 0 or 1.

    Raises:
        ValueError: a figure out of its range; the message names it.

    """

    lines: int = 1
    meters: int = 1
    seed: int = 1
    growth_kw: Decimal = MEAN_KW
    first_address: int = 1
    reply_delay_ms: int | None = None
    garbage: int = 0
    protocol: str = "dlt645-2007"
    profile: Profile | None = None
    piece_octets: int = PIECE_OCTETS_MAX
    first_block: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        _check("lines", self.lines, 1, LINES_MAX)
        _check("meters on a line", self.meters, 1, METERS_MAX)
        _check("meters in all", self.lines * self.meters, 1, METERS_MAX)
        _check("growth in kW", self.growth_kw, 0, MEAN_KW_MAX)
        _check("first address", self.first_address, 0, ADDRESS_MAX)
        _check("last address", self.first_address + self.lines * self.meters - 1, 0, ADDRESS_MAX)
        _check("reply delay in ms", self.reply_delay_ms or 0, 0, REPLY_DELAY_MS_MAX)
        _check("garbage meters on a line", self.garbage, 0, self.meters)
        _check("octets in a piece", self.piece_octets, 1, PIECE_OCTETS_MAX)
        if self.first_block not in {0, 1}:
            raise ValueError(f"blocks that begin with number {self.first_block}: 0 or 1")
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"protocol {self.protocol!r}: write one of {', '.join(PROTOCOLS)}")

    @property
    def model(self) -> Profile:
        """The profile of every meter."""
        return self.profile or generic(self.protocol)

    def plant(self, at: tuple[At, ...] = (), *, login: bool = False, heartbeat_s: int = HEARTBEAT_S) -> Plant:
        """The same as a plant.

        Args:
            at: where each line is reached; empty: at any port of loopback.
            login: of lines at a TCP port: their first meter logs in.
            heartbeat_s: of lines that log in, 1 to 65,535 s.

        Raises:
            ValueError: ``heartbeat_s`` is out of range.

        """
        _check("heartbeat in s", heartbeat_s, 1, HEARTBEAT_S_MAX)
        places = at or (At(),) * self.lines
        lines = tuple(
            LineRow(at=place, login=login, heartbeat_s=heartbeat_s, meters=self._rows(number))
            for number, place in enumerate(places)
        )
        return Plant(seed=self.seed, lines=lines)

    def _rows(self, line: int) -> tuple[MeterRow, ...]:
        first, sound = self.first_address + line * self.meters, self.meters - self.garbage
        rows = [self._row(first, sound, Faults())] if sound else []
        if self.garbage:
            rows.append(self._row(first + sound, self.garbage, Faults.garbage(self.seed)))
        return tuple(rows)

    def _row(self, first: int, count: int, faults: Faults) -> MeterRow:
        speaks_698 = self.model.protocol == DLT698
        return MeterRow(
            count=count,
            address=str(first),
            profile=self.model,
            mean_kw=self.growth_kw,
            feed_in_share=FEED_IN_SHARE,
            sums="by_phase",
            reply_delay_ms=self.reply_delay_ms,
            piece_octets=PIECE_OCTETS_MAX if speaks_698 else self.piece_octets,
            first_block=self.first_block if speaks_698 else 1,
            faults=faults,
        )


def _check(what: str, figure: Decimal | int, low: int, high: Decimal | int) -> None:
    if not low <= figure <= high:
        raise ValueError(f"{what}: {figure} is outside {low}..{high}")
