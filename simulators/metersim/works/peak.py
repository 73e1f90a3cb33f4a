"""Whether a meter can show what stands behind it at its heaviest, whatever its seed and its address.

A load is drawn for each meter: its shape, its factors, its shares of the phases. Each has its bound, and so
has the power that is made of them; what is beyond the digits of a meter it would show as those digits full.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final, NamedTuple

from metersim.works.load import COS_PERCENT, MEAN_WEIGHT, Load, LoadKind
from metersim.works.readings import CURRENT_MAX, POWER_MAX, VOLTAGE_LOW_PER_MILLE

HEAVIEST: Final[dict[LoadKind, int]] = {"household": 67, "shop": 51, "factory": 59, "photovoltaic": 173}
"""Largest weight in any shape of a kind."""
_PHASE_PERCENT: Final = Decimal(40)
"""Most of a load that one of three phases carries."""
_FED_PHASE_PERCENT: Final = Decimal(60)
"""The same where phase c feeds back: a and b carry the whole."""
_ROUNDED: Final = 4
"""By how much a phase's figures may be above the bound for each unit of weight, for they are whole."""


class Peak(NamedTuple):
    """The heaviest moment of a load.

    Args:
        kva: primary apparent power of all phases.
        room: what the meter can show, as a part of that; under 1: it cannot show it.

    """

    kva: Decimal
    room: Decimal


def peak(load: Load, *, phases: int, ratio: Decimal, voltage_v: Decimal) -> Peak | None:
    """The heaviest moment of a load, as a meter would see it; ``None`` when there is no load.

    Args:
        load: what stands behind it.
        phases: 1 or 3.
        ratio: of its transformers in all, 1 or more.
        voltage_v: nominal voltage of a phase, secondary, 1 V or more.

    """
    if not load.mean_kw:
        return None
    heaviest, cos_percent = HEAVIEST[load.kind], COS_PERCENT[load.kind][0]
    deciva = load.mean_kw * 10_000 * heaviest * 100 / (MEAN_WEIGHT * cos_percent)  # without what is fed back
    feed_in = load.feed_in_share if phases > 1 else Decimal(0)
    share = Decimal(100)
    if phases > 1:
        share = max(_FED_PHASE_PERCENT, 100 * feed_in) if feed_in else _PHASE_PERCENT
    whole = deciva * (1 + feed_in) / ratio
    fullest = deciva * share / 100 / ratio
    lowest_decivolts = int(voltage_v * 10) * VOLTAGE_LOW_PER_MILLE // 1000
    rounded = heaviest * _ROUNDED
    room = min(
        (POWER_MAX - rounded * phases) / whole,
        (Decimal(CURRENT_MAX - 1) * lowest_decivolts / 1000 - rounded) / fullest,
    )
    return Peak(whole * ratio / 10_000, room)
