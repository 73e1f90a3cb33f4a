"""What readings are judged by beside their history: the meter as the roster and its profile tell it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import tzinfo
from decimal import Decimal
from typing import Final, Self

from meterlink.config.meters import MeterSettings
from meterprofiles import Profile

HOURS_A_DAY: Final = 24
W_A_KW: Final = 1_000
OVERLOAD: Final = Decimal("1.1")
"""What a meter counts at most, as a part of its nameplate. Source: VEE-06."""
_BATTERIES: Final = 1 << 2 | 1 << 3
_CONTROL_AND_ESAM: Final = 1 << 8 | 1 << 9
_CLOCK: Final = 1 << 15
FAULT_BITS: Final = _BATTERIES | _CONTROL_AND_ESAM | _CLOCK
"""Bits of status word 1 that tell of a fault: batteries of clock and of reading without supply, control
circuit, ESAM, clock. Source: VEE-18; DL/T 645-2007 and its supplements, status word 1."""

Capacities = Callable[[str], tuple[Decimal, ...]]
"""By quantity, where a register of it may begin again at 0, in its unit; none: it does not only count up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterFacts:
    """One meter.

    Args:
        meter_number: 12 digits; empty: not told.
        multiplier: of what the registers show: ratio of current times ratio of voltage transformers.
        plate_kva: what the meter may carry, in kVA, as it measures: behind transformers the secondary side.
        tariffs: registers beside each total.
        is_residential: a household.
        zone: what its clock shows.
        capacities: of its registers.

    """

    capacities: Capacities
    plate_kva: Decimal
    zone: tzinfo
    meter_number: str = ""
    multiplier: Decimal = Decimal(1)
    tariffs: int = 4
    is_residential: bool = True

    @classmethod
    def of(cls, meter: MeterSettings, profile: Profile, *, capacities: Capacities, zone: tzinfo) -> Self:
        """The facts of an entry of the roster.

        Args:
            meter: the entry.
            profile: of its model.
            capacities: of the registers of its protocol.
            zone: what its clock shows.

        """
        plate = profile.meter
        phases = meter.phases or plate.phases
        return cls(
            capacities=capacities,
            plate_kva=Decimal(phases * plate.voltage_v * plate.max_current_a) / W_A_KW,
            zone=zone,
            meter_number=meter.meter_number,
            multiplier=meter.ct * meter.pt,
            tariffs=plate.tariffs,
            is_residential=meter.residential,
        )

    @property
    def day_max(self) -> Decimal:
        """What a register can count in a day, in its unit. Source: VEE-06."""
        return HOURS_A_DAY * self.plate_kva * OVERLOAD
