"""What a customer draws: a shape in time that many meters share, and a power for each phase.

A shape is a cycle of four weeks in quarters of an hour, each with a whole weight, and the sums of them; so
the energy up to any moment is a product, and nothing is added up. Power is constant in a quarter. Each meter
picks by its key a shape of its kind, and from where in the cycle it begins, so that hardly two meters
have the same days. The weights of a cycle add up to the same sum in every shape. Power is counted in such
parts of a deciwatt that one of them a weight is one tick (0.01 kWh) in a cycle: so each register counts whole
ticks in a cycle. A load is of whole deciwatts; the parts are for a small share that somebody takes of it.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from itertools import accumulate
from math import isqrt
from typing import Final, Literal, NamedTuple

from metersim.works.draw import draw
from metersim.works.moments import DAY_US, DAYS_OF_WEEK, QUARTER_US
from metersim.works.plate import Plate

LoadKind = Literal["household", "shop", "factory", "photovoltaic"]
KINDS: Final[tuple[LoadKind, ...]] = ("household", "shop", "factory", "photovoltaic")
MEAN_KW: Final = Decimal("0.5")
"""A household's."""
MEAN_KW_MAX: Final = Decimal(10_000)

QUARTERS_A_DAY: Final = DAY_US // QUARTER_US
CYCLE_DAYS: Final = 28
CYCLE_QUARTERS: Final = CYCLE_DAYS * QUARTERS_A_DAY
MEAN_WEIGHT: Final = 25
CYCLE_WEIGHT: Final = CYCLE_QUARTERS * MEAN_WEIGHT
TICK_QUARTERS: Final = 400
"""0.01 kWh in quarters of an hour of a deciwatt."""
PARTS: Final = CYCLE_WEIGHT // TICK_QUARTERS
"""Parts of a deciwatt in which power is counted."""
VARIANTS: Final = 32
"""Shapes of each kind; with the four weeks and a few quarters to begin at, hundreds of different days."""

# Percent of the mean load, one figure a half-hour from 00:00, on working days and on Saturday and Sunday.
# fmt: off
_HOUSEHOLD = (
    50, 48, 46, 45, 45, 45, 45, 45, 48, 50, 55, 62,
    80, 100, 118, 118, 100, 90, 85, 85, 85, 90, 105, 120,
    125, 115, 100, 90, 90, 90, 90, 95, 100, 110, 130, 150,
    175, 190, 200, 205, 205, 200, 185, 165, 135, 105, 80, 60,
)
_HOUSEHOLD_REST = (
    60, 55, 50, 46, 45, 45, 45, 45, 45, 48, 52, 55,
    62, 75, 90, 105, 120, 125, 130, 130, 130, 135, 145, 155,
    155, 145, 130, 125, 120, 120, 120, 120, 125, 130, 145, 160,
    175, 185, 195, 200, 200, 195, 185, 170, 145, 115, 90, 70,
)
_SHOP = (
    40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40, 40,
    42, 45, 50, 70, 110, 150, 165, 170, 170, 170, 170, 170,
    165, 165, 165, 165, 165, 165, 165, 165, 165, 165, 170, 175,
    180, 180, 180, 175, 160, 130, 90, 60, 45, 40, 40, 40,
)
_FACTORY = (
    50, 50, 50, 50, 50, 50, 50, 50, 50, 50, 52, 55,
    65, 90, 130, 160, 175, 178, 180, 180, 180, 175, 160, 120,
    110, 150, 175, 180, 180, 180, 178, 175, 160, 130, 110, 105,
    105, 105, 105, 105, 100, 95, 85, 75, 65, 55, 52, 50,
)
_FACTORY_REST = (48,) * 14 + (60,) * 20 + (50,) * 14
_SUN = (
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    5, 25, 65, 115, 165, 215, 260, 300, 330, 350, 360, 365,
    365, 355, 340, 315, 280, 240, 195, 145, 100, 55, 20, 5,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
)
# fmt: on
_FIGURES: Final[dict[LoadKind, tuple[tuple[int, ...], tuple[int, ...]]]] = {
    "household": (_HOUSEHOLD, _HOUSEHOLD_REST),
    "shop": (_SHOP, _SHOP),
    "factory": (_FACTORY, _FACTORY_REST),
    "photovoltaic": (_SUN, _SUN),
}
_DAYS_DIFFER_PERCENT: Final[dict[LoadKind, int]] = {
    "household": 20,
    "shop": 10,
    "factory": 8,
    "photovoltaic": 60,  # clouds
}
_QUARTERS_DIFFER_PERCENT: Final = 12
_SHIFT_QUARTERS_MAX: Final = 3
COS_PERCENT: Final[dict[LoadKind, tuple[int, int]]] = {
    "household": (91, 98),
    "shop": (88, 96),
    "factory": (82, 93),
    "photovoltaic": (97, 99),
}
"""Lowest and highest power factor of a phase."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What stands behind a meter.

    Args:
        kind: household, shop or factory draw; photovoltaic exports.
        mean_kw: mean of its power, primary, 0 to 10,000 kW.
        feed_in_share: what phase c of three feeds back, as a part of ``mean_kw``, 0 to 1; 0: nothing, it
            draws like the others.

    Raises:
        ValueError: a figure out of its range; the message names it.

    """

    kind: LoadKind = "household"
    mean_kw: Decimal = MEAN_KW
    feed_in_share: Decimal = Decimal(0)

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.kind not in KINDS:
            raise ValueError(f"load {self.kind!r}: write one of {', '.join(KINDS)}")
        if not 0 <= self.mean_kw <= MEAN_KW_MAX:
            raise ValueError(f"a mean load of {self.mean_kw} kW is outside 0..{MEAN_KW_MAX} kW")
        if not 0 <= self.feed_in_share <= 1:
            raise ValueError(f"a share of {self.feed_in_share} that is fed in is outside 0..1")


class Phasor(NamedTuple):
    """Power of one phase for each unit of weight.

    Args:
        active: in parts (`PARTS`) of 0.1 W; negative: export.
        reactive: in parts of 0.1 var.

    """

    active: int
    reactive: int

    @property
    def apparent(self) -> int:
        """In parts of 0.1 VA, rounded to the nearest."""
        square = self.active**2 + self.reactive**2
        root = isqrt(square)
        return root + (square > root * (root + 1))


class Shape:
    """One cycle of weights.

    Args:
        weights: one a quarter, in all `CYCLE_WEIGHT`.

    """

    def __init__(self, weights: array[int]) -> None:
        assert sum(weights) == CYCLE_WEIGHT, "registers would not count whole ticks in a cycle"
        self.weights = weights
        self.sums = array("q", accumulate(weights, initial=0))


class Course:
    """A shape as one meter runs through it.

    Args:
        shape: which.
        shift: quarters by which it is ahead in the cycle.

    """

    __slots__ = ("_shift", "_sums", "_weights")

    def __init__(self, shape: Shape, shift: int) -> None:
        self._weights, self._sums, self._shift = shape.weights, shape.sums, shift

    def weight(self, us: int) -> int:
        """What is in force at that moment."""
        return self._weights[(us // QUARTER_US + self._shift) % CYCLE_QUARTERS]

    def weights_before(self, us: int) -> int:
        """Sum of the weights of all quarters before that of the moment; only differences mean something."""
        return self.integral(us // QUARTER_US * QUARTER_US) // QUARTER_US

    def integral(self, us: int) -> int:
        """Weight times microseconds up to that moment; only differences mean something."""
        quarter, rest = divmod(us, QUARTER_US)
        cycles, quarter = divmod(quarter + self._shift, CYCLE_QUARTERS)
        return (cycles * CYCLE_WEIGHT + self._sums[quarter]) * QUARTER_US + self._weights[quarter] * rest

    def heaviest(self, first: int, end: int) -> tuple[int, int]:
        """The largest weight of quarters, and the number of the first one that has it.

        Args:
            first: number of a quarter since `INSTALLED_AT`.
            end: exclusive, beyond ``first``.

        """
        end = min(end, first + CYCLE_QUARTERS)
        best, found, quarter = -1, first, first
        while quarter < end:
            start = (quarter + self._shift) % CYCLE_QUARTERS
            piece = self._weights[start : start + min(end - quarter, CYCLE_QUARTERS - start)]
            if (largest := max(piece)) > best:
                best, found = largest, quarter + piece.index(largest)
            quarter += len(piece)
        return best, found


def course(load: Load, key: str) -> Course:
    """The course of a meter's load.

    Args:
        load: what stands behind it.
        key: tells this meter from every other.

    """
    weeks = draw(f"{key}/weeks", 0, CYCLE_DAYS // DAYS_OF_WEEK)
    shift = weeks * DAYS_OF_WEEK * QUARTERS_A_DAY
    if load.kind != "photovoltaic":  # the sun is the same for all
        shift += draw(f"{key}/shift", 0, 2 * _SHIFT_QUARTERS_MAX + 1) - _SHIFT_QUARTERS_MAX
    return Course(_shape(load.kind, draw(f"{key}/variant", 0, VARIANTS)), shift)


def phasors(load: Load, plate: Plate, key: str) -> tuple[Phasor, ...]:
    """Secondary power of each phase for each unit of weight."""
    units = int(load.mean_kw * 10_000 / (MEAN_WEIGHT * plate.ct_ratio * plate.pt_ratio))
    if plate.phases == 1:
        return (_phasor(load.kind, units, key, "a"),)
    share_a = 30 + draw(f"{key}/share.a", 0, 7)  # percent
    share_b = 30 + draw(f"{key}/share.b", 0, 7)
    if load.feed_in_share:
        a = units * (40 + draw(f"{key}/share.a", 0, 21)) // 100
        parts = (a, units - a, -int(units * load.feed_in_share))
    else:
        a, b = units * share_a // 100, units * share_b // 100
        parts = (a, b, units - a - b)
    return tuple(_phasor(load.kind, part, key, phase) for part, phase in zip(parts, "abc", strict=True))


def _phasor(kind: LoadKind, active: int, key: str, phase: str) -> Phasor:
    low, high = COS_PERCENT[kind]
    cos = low + draw(f"{key}/cos.{phase}", 0, high - low + 1)
    reactive = isqrt(active * active * (10_000 - cos * cos)) // cos
    return Phasor((-active if kind == "photovoltaic" else active) * PARTS, reactive * PARTS)


@lru_cache(maxsize=VARIANTS * len(KINDS))
def _shape(kind: LoadKind, variant: int) -> Shape:
    key = f"{kind}/{variant}"
    figures = [_figure(kind, key, quarter) for quarter in range(CYCLE_QUARTERS)]
    scale = sum(figures)
    weights = [figure * CYCLE_WEIGHT // scale for figure in figures]
    spare = CYCLE_WEIGHT - sum(weights)
    drawing = [quarter for quarter, figure in enumerate(figures) if figure]
    for number in range(spare):  # what the rounding left over, spread over the cycle
        weights[drawing[number * len(drawing) // spare]] += 1
    return Shape(array("H", weights))


def _figure(kind: LoadKind, key: str, quarter: int) -> int:
    day, quarter_of_day = divmod(quarter, QUARTERS_A_DAY)
    rest_day = day % DAYS_OF_WEEK >= 5
    percent = _FIGURES[kind][rest_day][quarter_of_day // 2]
    return (
        percent
        * _around(key + "/day", day, _DAYS_DIFFER_PERCENT[kind])
        * _around(key, quarter, _QUARTERS_DIFFER_PERCENT)
    )


def _around(key: str, index: int, percent: int) -> int:
    """100 and up to so many percent more or less."""
    return 100 - percent + draw(key, index, 2 * percent + 1)
