"""What a meter measures: (item, time) -> value, a pure function of seed, address and time.

It can be asked again for any moment, so a test knows what the register showed when a reading was taken.
A three-phase meter that counts each phase by its own direction: phases a and b consume (forward registers),
phase c feeds a small generator's power back (reverse registers, negative power and current). In every phase
U · I · cosφ = P within the last digit, and the slope of the registers is the power.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from math import isqrt

from metersim.works.curve import TARIFFS, LoadCurve, draw

INSTALLED_AT = datetime(2024, 1, 1, tzinfo=timezone(timedelta(hours=8)))  # 00:00 of the plant's local time
GROWTH_KW = Decimal("0.5")  # a household's mean load
PHASES = ("a", "b", "c")

_REGISTER_TICKS = 10**8  # 999999.99 kWh, then 0 again
_SIGNED_REGISTER_TICKS = 8 * 10**7  # combined energy has a sign bit: 799999.99 kWh
_POWER_MAX = 799_999  # 79.9999 kW, kvar, kVA
_CURRENT_MAX = 799_999  # 799.999 A
_FEED_IN_PART = 10  # phase c feeds back a tenth of what the others take
_SECOND = timedelta(seconds=1)
_QUARTER = timedelta(minutes=15)

CONSTANTS = {"demand_period": Decimal(15), "slide_time": Decimal(1), "holiday_count": Decimal(7)}
HARMONICS = ("voltage_harmonic", "current_harmonic", "voltage_harmonic_value", "current_harmonic_value")
"""As parts of the fundamental, or in volts and amperes: which of them a meter has says its dictionary."""
ENERGIES = ("combined_active_energy", "forward_active_energy", "reverse_active_energy")
POWERS = ("active_power", "reactive_power", "apparent_power", "power_factor")
QUANTITIES = (
    *ENERGIES,
    *POWERS,
    "voltage",
    "current",
    "frequency",
    "neutral_current",
    *HARMONICS,
    *CONSTANTS,
)
"""All that a meter here measures or has as a parameter."""
_ORDERS = (3, 5, 7)


def items_of(quantity: str) -> tuple[str, ...]:
    """The items of ``quantity`` that a meter here has, in the order of a block.

    Args:
        quantity: e.g. ``"voltage"``; one that it does not measure has no items.

    """
    if quantity in ENERGIES:
        return (quantity, *(f"{quantity}.t{tariff}" for tariff in TARIFFS))
    if quantity in POWERS:
        return (quantity, *(f"{quantity}.{phase}" for phase in PHASES))
    if quantity in {"voltage", "current"}:
        return tuple(f"{quantity}.{phase}" for phase in PHASES)
    if quantity in HARMONICS:
        return tuple(f"{quantity}.{phase}.h{order}" for phase in PHASES for order in _ORDERS)
    return (quantity,) if quantity in QUANTITIES else ()


class Readings:
    """The measuring half of a meter.

    Args:
        address: the meter's address, 12 digits.
        seed: seed of the plant.
        growth_kw: mean power that the forward registers count, 0 to 10,000 kW. Beyond some 100 kW the
            powers and currents show the largest value they can, while the registers keep counting.

    Raises:
        ValueError: ``growth_kw`` is out of range.

    """

    def __init__(self, address: str, *, seed: int, growth_kw: Decimal = GROWTH_KW) -> None:
        self._key = f"{seed}/{address}"
        self._forward = LoadCurve(f"{self._key}/forward", mean_kw=growth_kw, since=INSTALLED_AT)
        feed_in_kw = growth_kw / _FEED_IN_PART
        self._reverse = LoadCurve(f"{self._key}/reverse", mean_kw=feed_in_kw, since=INSTALLED_AT)
        self._quantities: dict[str, Callable[[str, datetime], Decimal]] = {
            "combined_active_energy": self._combined_energy,
            "forward_active_energy": partial(_energy, self._forward),
            "reverse_active_energy": partial(_energy, self._reverse),
            "voltage": self._voltage,
            "current": self._current,
            "active_power": partial(self._power, self._active),
            "reactive_power": partial(self._power, self._reactive),
            "apparent_power": partial(self._power, self._apparent),
            "power_factor": self._power_factor,
            "frequency": self._frequency,
            "neutral_current": self._neutral_current,
            **{name: partial(self._harmonic, name) for name in HARMONICS},
            **{name: partial(_constant, value) for name, value in CONSTANTS.items()},
        }

    def value(self, item: str, at: datetime) -> Decimal | None:
        """What the meter shows for ``item`` at ``at``; ``None`` when it has no such item.

        Args:
            item: e.g. ``"forward_active_energy.t1"`` or ``"voltage.a"``.
            at: aware; before `INSTALLED_AT` the registers stand at their first value.

        """
        name, _, suffix = item.partition(".")
        return self._quantities[name](suffix, at) if item in items_of(name) else None

    def _combined_energy(self, tariff: str, at: datetime) -> Decimal:
        both = _ticks(self._forward, tariff, at) + _ticks(self._reverse, tariff, at)
        return _scaled(both % _SIGNED_REGISTER_TICKS, 2)

    def _voltage(self, phase: str, at: datetime) -> Decimal:
        return _scaled(self._decivolts(phase, at), 1)

    def _power(self, of_phase: Callable[[str, datetime], int], phase: str, at: datetime) -> Decimal:
        deciwatts = _total(of_phase, phase, at)
        return _scaled(max(-_POWER_MAX, min(deciwatts, _POWER_MAX)), 4)

    def _current(self, phase: str, at: datetime) -> Decimal:
        milliamperes = _divided(self._apparent(phase, at) * 1000, self._decivolts(phase, at))
        shown = min(milliamperes, _CURRENT_MAX)
        return _scaled(-shown if self._active(phase, at) < 0 else shown, 3)

    def _power_factor(self, phase: str, at: datetime) -> Decimal:
        active = _total(self._active, phase, at)
        apparent = _total(self._apparent, phase, at)
        shown = _divided(abs(active) * 1000, apparent) if apparent else 1000
        return _scaled(-shown if active < 0 else shown, 3)

    def _frequency(self, _: str, at: datetime) -> Decimal:
        return _scaled(4990 + draw(f"{self._key}/frequency", (at - INSTALLED_AT) // _SECOND, 21), 2)

    def _neutral_current(self, _: str, at: datetime) -> Decimal:
        """Roughly what an unbalanced load sends back: the largest phase current less the smallest."""
        currents = [abs(self._current(phase, at)) for phase in PHASES]
        return max(currents) - min(currents)

    def _harmonic(self, name: str, suffix: str, at: datetime) -> Decimal:
        phase, _, order = suffix.partition(".h")
        part = 50 + draw(f"{self._key}/{name[:7]}.{suffix}", (at - INSTALLED_AT) // _QUARTER, 200)
        percent = _scaled(part // int(order), 2)
        if not name.endswith("_value"):
            return percent
        whole = self._voltage(phase, at) if name.startswith("voltage") else abs(self._current(phase, at))
        return (whole * percent / 100).quantize(Decimal("0.01"))

    def _decivolts(self, phase: str, at: datetime) -> int:
        return 2140 + draw(f"{self._key}/voltage.{phase}", (at - INSTALLED_AT) // _SECOND, 121)

    def _per_mille_factor(self, phase: str, at: datetime) -> int:
        return 900 + draw(f"{self._key}/cos.{phase}", (at - INSTALLED_AT) // _QUARTER, 100)

    def _active(self, phase: str, at: datetime) -> int:
        """Power of a phase in 0.1 W; a takes 40 to 60 % of what is consumed, b the rest."""
        if phase == "c":
            return -self._reverse.deciwatts(at)
        consumed = self._forward.deciwatts(at)
        share = 40 + draw(f"{self._key}/share", (at - INSTALLED_AT) // _QUARTER, 21)
        part_a = consumed * share // 100
        return part_a if phase == "a" else consumed - part_a

    def _apparent(self, phase: str, at: datetime) -> int:
        return _divided(abs(self._active(phase, at)) * 1000, self._per_mille_factor(phase, at))

    def _reactive(self, phase: str, at: datetime) -> int:
        return isqrt(self._apparent(phase, at) ** 2 - self._active(phase, at) ** 2)


def _constant(value: Decimal, _: str, __: datetime) -> Decimal:
    return value


def _energy(curve: LoadCurve, tariff: str, at: datetime) -> Decimal:
    return _scaled(_ticks(curve, tariff, at) % _REGISTER_TICKS, 2)


def _ticks(curve: LoadCurve, tariff: str, at: datetime) -> int:
    """The tariff's own register (``"t1"``), or the total when none is named."""
    ticks = curve.ticks(at)
    return ticks[int(tariff[1:])] if tariff else sum(ticks.values())


def _total(of_phase: Callable[[str, datetime], int], phase: str, at: datetime) -> int:
    """The phase's own figure, or the sum of the three when none is named."""
    return of_phase(phase, at) if phase else sum(of_phase(each, at) for each in PHASES)


def _divided(dividend: int, divisor: int) -> int:
    """Rounded to the nearest whole; neither is negative."""
    return (2 * dividend + divisor) // (2 * divisor)


def _scaled(number: int, decimals: int) -> Decimal:
    return Decimal(number).scaleb(-decimals)
