"""What stands on a meter's nameplate, and how it is connected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

PHASES: Final = ("a", "b", "c")
RATIO_MAX: Final = Decimal(10_000)
DEPTH_MAX: Final = 65_535
"""Most freezes of a table: what DL/T 698.45 can say of its depth."""

_NUMBER = re.compile("[0-9]{12}").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Plate:
    """Who and what a meter is.

    Args:
        address: its communication address, 12 digits.
        meter_number: 12 digits; empty: its address.
        customer_number: 12 digits; empty: its address.
        phases: 1 or 3; a meter of one phase measures phase a and the neutral.
        ct_ratio: of its current transformers, 1 to 10,000; 1: none.
        pt_ratio: of its voltage transformers, 1 to 10,000; 1: none. Registers and everything else that it
            shows are secondary.
        voltage_v: nominal voltage between a phase and the neutral, secondary, 1 to 400 V.
        basic_current_a: Ib (or In), secondary, over 0 A.
        max_current_a: Imax, secondary, at least Ib.
        sums: how it makes one energy of three phases: ``algebraic`` by the sign of their sum, as the standard
            has it; ``by_phase`` each by its own direction.
        settlement_day: 1 to 28; it settles at 00:00 of that day.
        depths: how many freezes of a table it keeps, where it is not the usual number; 0: none. Tables by
            name: ``daily_freeze``, ``curve``, ``settlement``, ...

    Raises:
        ValueError: a figure out of its range; the message names it.

    """

    address: str
    meter_number: str = ""
    customer_number: str = ""
    phases: Literal[1, 3] = 3
    ct_ratio: Decimal = Decimal(1)
    pt_ratio: Decimal = Decimal(1)
    voltage_v: Decimal = Decimal(220)
    basic_current_a: Decimal = Decimal(5)
    max_current_a: Decimal = Decimal(60)
    sums: Literal["algebraic", "by_phase"] = "algebraic"
    settlement_day: int = 1
    depths: tuple[tuple[str, int], ...] = ()

    def __post_init__(self) -> None:
        """Check the ranges, and give the two numbers that were left out."""
        object.__setattr__(self, "meter_number", self.meter_number or self.address)
        object.__setattr__(self, "customer_number", self.customer_number or self.address)
        for what in ("address", "meter_number", "customer_number"):
            if not _NUMBER(number := getattr(self, what)):
                raise ValueError(f"{what.replace('_', ' ')} {number!r}: write 12 digits")
        if self.phases not in {1, 3}:
            raise ValueError(f"{self.phases} phases: write 1 or 3")
        _check("CT ratio", self.ct_ratio, 1, RATIO_MAX)
        _check("PT ratio", self.pt_ratio, 1, RATIO_MAX)
        _check("nominal voltage in V", self.voltage_v, 1, 400)
        _check("basic current in A", self.basic_current_a, Decimal("0.01"), self.max_current_a)
        _check("settlement day", self.settlement_day, 1, 28)
        for table, depth in self.depths:
            _check(f"depth of {table}", depth, 0, DEPTH_MAX)

    def depth(self, table: str, usual: int) -> int:
        """How many freezes of a table it keeps.

        Args:
            table: its name.
            usual: where nothing else was said.

        """
        return dict(self.depths).get(table, usual)

    @property
    def phase_names(self) -> tuple[str, ...]:
        """The phases that it measures."""
        return PHASES[: self.phases]


def _check(what: str, figure: Decimal | int, low: Decimal | int, high: Decimal | int) -> None:
    if not low <= figure <= high:
        raise ValueError(f"{what}: {figure} is outside {low}..{high}")
