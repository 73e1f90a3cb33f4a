"""A load curve that can be asked for any moment: (key, time) -> register ticks and power, exact integers.

A day is cut into half-hours. Each half-hour of the day has a fixed whole number of ticks (0.01 kWh), by the
shape of a household's day, so that whole days are a multiplication and no history has to be added up.
Inside a half-hour the first quarter draws more or less than the second one, by a swing drawn from the key.
Power is the slope of the registers, so its integral *is* the energy; each half-hour belongs to one tariff,
so the tariffs add up to the total at every instant, and each only ever grows.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from itertools import accumulate, pairwise

TARIFFS = (1, 2, 3, 4)  # sharp, peak, flat, valley
GROWTH_KW_MAX = Decimal(10_000)

_HALF_HOURS = 48
_HALF_HOUR = timedelta(minutes=30)
_QUARTER_US = 900_000_000
_MICROSECOND = timedelta(microseconds=1)
_TICKS_PER_KWH = 100
_FIRST_TICKS_MAX = 100_000
_DECIWATTS_PER_TICK_A_QUARTER = 400  # 0.01 kWh in 900 s are 40 W

# Percent of the mean load, one figure a half-hour from 00:00: asleep, breakfast, lunch, evening.
# fmt: off
_SHAPE = (
    45, 40, 40, 35, 35, 35, 35, 35, 40, 40, 50, 60,               # 00:00 to 06:00
    80, 100, 120, 120, 100, 90, 85, 85, 85, 90, 105, 120,         # to 12:00
    125, 115, 100, 90, 90, 90, 90, 95, 100, 110, 130, 150,        # to 18:00
    175, 190, 200, 205, 205, 200, 185, 165, 135, 105, 80, 60,     # to 24:00
)
# fmt: on
# Tariff in force, one digit a half-hour from 00:00.
_TARIFF_OF = tuple(map(int, "4" * 16 + "2" * 6 + "3" * 12 + "2" * 4 + "1" * 4 + "2" * 2 + "3" * 4))


def draw(key: str, index: int, below: int) -> int:
    """A number that looks random and is always the same one for the same arguments.

    Args:
        key: what the number is for.
        index: which one of them, e.g. the number of a second.
        below: exclusive upper limit, 1 or more.

    """
    digest = blake2b(f"{key}#{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % below


class LoadCurve:
    """The energy that one register counts, and the power at which it does.

    Args:
        key: tells this curve from every other, e.g. ``"1/000000000161/forward"``.
        mean_kw: mean load, 0 to `GROWTH_KW_MAX`; a day's energy is rounded to whole ticks.
        since: start of a local day; until then each tariff stands at its first value, 0 to 1,000 kWh.

    Raises:
        ValueError: ``mean_kw`` is out of range.

    """

    def __init__(self, key: str, *, mean_kw: Decimal, since: datetime) -> None:
        if not 0 <= mean_kw <= GROWTH_KW_MAX:
            raise ValueError(f"a mean load of {mean_kw} kW is outside 0..{GROWTH_KW_MAX} kW")
        self._key = key
        self._since = since
        per_day = int((mean_kw * 24 * _TICKS_PER_KWH).to_integral_value())
        weights = list(accumulate(_SHAPE, initial=0))
        bounds = [per_day * weight // weights[-1] for weight in weights]
        self._steps = tuple(after - before for before, after in pairwise(bounds))
        self._first = {tariff: draw(f"{key}/first", tariff, _FIRST_TICKS_MAX) for tariff in TARIFFS}
        self._day = {tariff: self._ticks_before(tariff, _HALF_HOURS) for tariff in TARIFFS}

    def ticks(self, at: datetime) -> dict[int, int]:
        """What the registers of the tariffs show at ``at``; their sum is the total."""
        half_hour, offset_us = self._position(at)
        days, today = divmod(half_hour, _HALF_HOURS)
        counted = {
            tariff: self._first[tariff] + days * self._day[tariff] + self._ticks_before(tariff, today)
            for tariff in TARIFFS
        }
        counted[_TARIFF_OF[today]] += self._ticks_inside(half_hour, offset_us)
        return counted

    def deciwatts(self, at: datetime) -> int:
        """Power at ``at`` in units of 0.1 W."""
        half_hour, offset_us = self._position(at)
        swing = self._swing(half_hour)
        weight = 1000 + swing if offset_us < _QUARTER_US else 1000 - swing
        return self._steps[half_hour % _HALF_HOURS] * weight * _DECIWATTS_PER_TICK_A_QUARTER // 2000

    def _position(self, at: datetime) -> tuple[int, int]:
        """Number of the half-hour since the start, and microseconds into it."""
        half_hour, offset = divmod(max(at - self._since, timedelta()), _HALF_HOUR)
        return half_hour, offset // _MICROSECOND

    def _swing(self, half_hour: int) -> int:
        """What the first quarter draws above the mean, per mille; tens, so that power stays whole."""
        return (draw(self._key, half_hour, 61) - 30) * 10

    def _ticks_before(self, tariff: int, half_hour_of_day: int) -> int:
        return sum(
            step
            for step, in_force in zip(
                self._steps[:half_hour_of_day], _TARIFF_OF[:half_hour_of_day], strict=True
            )
            if in_force == tariff
        )

    def _ticks_inside(self, half_hour: int, offset_us: int) -> int:
        swing = self._swing(half_hour)
        first_us = min(offset_us, _QUARTER_US)
        weighted = (1000 + swing) * first_us + (1000 - swing) * (offset_us - first_us)
        return self._steps[half_hour % _HALF_HOURS] * weighted // (2000 * _QUARTER_US)
