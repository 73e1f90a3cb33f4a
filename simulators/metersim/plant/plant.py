"""A plant: lines of meters, made from a handful of figures; the same figures give the same meters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from meterprofiles import LineTraits, Profile, generic
from metersim.dlt645.following import PIECE_OCTETS_MAX
from metersim.dlt645.meter import Meter
from metersim.dlt698 import Limits, Meter698
from metersim.line.answers import Recorder
from metersim.line.fault_rules import FaultRules
from metersim.line.faults import NO_FAULTS, Faults
from metersim.line.language import Speaker
from metersim.line.line import REPLY_DELAY_MS_MAX, Clock, Line, Station
from metersim.works.load import MEAN_KW, MEAN_KW_MAX
from meterwire.dlt645.link.functions import EDITIONS

METERS_MAX = 10_000  # in all, in one process
LINES_MAX = 256
ADDRESS_MAX = 999_999_999_998
DLT698: Final = "dlt698.45"
PROTOCOLS: Final = (*EDITIONS, DLT698)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plant:
    """What stands where.

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
        limits: sizes and block numbers of meters of DL/T 698.45.

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
    limits: Limits = field(default_factory=Limits)

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
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"protocol {self.protocol!r}: write one of {', '.join(PROTOCOLS)}")

    @property
    def port(self) -> LineTraits:
        """How the port of every meter is set."""
        return self.model.line

    @property
    def model(self) -> Profile:
        """The profile of every meter."""
        return self.profile or generic(self.protocol)

    def addresses(self, line: int) -> list[str]:
        """Addresses of the meters on the line of that number, from 0."""
        first = self.first_address + line * self.meters
        return [f"{address:012d}" for address in range(first, first + self.meters)]

    def garbage_addresses(self, line: int) -> list[str]:
        """Which of them are garbage meters."""
        return self.addresses(line)[self.meters - self.garbage :]

    def build(
        self, *, clock: Clock, record: Recorder | None = None, rules: FaultRules | None = None
    ) -> list[Line]:
        """The lines with their meters; they are called ``line0``, ``line1``, ...

        Args:
            clock: asked for the moment of every answer.
            record: gets every answer; ``None``: nobody does.
            rules: faults that strike where they are told to.

        """
        return [
            Line(
                tuple(self._stations(number)),
                clock=clock,
                record=record,
                rules=rules,
                name=line_name(number),
            )
            for number in range(self.lines)
        ]

    def _stations(self, line: int) -> Iterator[Station]:
        garbage = frozenset(self.garbage_addresses(line))
        for address in self.addresses(line):
            yield Station(
                meter=self._meter(address),
                reply_delay_ms=self._delay_ms,
                preamble=self.port.answer_preamble,
                faults=Faults.garbage(self.seed) if address in garbage else NO_FAULTS,
            )

    @property
    def _delay_ms(self) -> int:
        return self.model.timing.reply_delay_ms if self.reply_delay_ms is None else self.reply_delay_ms

    def _meter(self, address: str) -> Speaker:
        if self.model.protocol == DLT698:
            return Meter698(address, seed=self.seed, growth_kw=self.growth_kw, limits=self.limits)
        return Meter(
            address,
            seed=self.seed,
            growth_kw=self.growth_kw,
            profile=self.model,
            piece_octets=self.piece_octets,
        )


def line_name(number: int) -> str:
    """What rules and happenings call the line of that number, from 0."""
    return f"line{number}"


def _check(what: str, figure: Decimal | int, low: int, high: Decimal | int) -> None:
    if not low <= figure <= high:
        raise ValueError(f"{what}: {figure} is outside {low}..{high}")
