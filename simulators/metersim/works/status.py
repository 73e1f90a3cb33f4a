"""The seven status words of a meter: each bit says something true of it.

Bit 0 is the lowest one, as DL/T 645 has it. What only the switch and the wallet know (command, alarm,
guarantee, kind of account) they say themselves, by their bits of word 3.
Source: DL/T 645-2007, 04 00 05 01 to 07; spec section 7.1.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final

from metersim.works.events import EventLog
from metersim.works.moments import to_us
from metersim.works.plate import PHASES

WORDS: Final = 7

_OF_PHASE: Final = (
    "voltage_loss",
    "under_voltage",
    "over_voltage",
    "current_loss",
    "over_current",
    "overload",
    "flow_reversal",
    "phase_loss",
    "current_cut",
)
"""Bits 0 to 8 of words 4, 5 and 6."""
_OF_ALL: Final = {
    0: "voltage_sequence",
    1: "current_sequence",
    2: "voltage_unbalance",
    3: "current_unbalance",
    5: "power_down",
    7: "low_power_factor",
    8: "severe_current_unbalance",
    9: "total_flow_reversal",
    10: "all_voltage_loss",
}
"""Bits of word 7."""


class StatusWords:
    """Works out status words.

    Args:
        events: of the meter.
        of_control: true time -> bits of word 3 that switch and wallet know.

    """

    def __init__(self, events: EventLog, of_control: Callable[[datetime], int]) -> None:
        self._events = events
        self._of_control = of_control

    def word(self, number: int, at: datetime) -> str | None:
        """A status word as four hexadecimal digits; ``None`` when there is none of that number.

        Args:
            number: 1 to 7.
            at: true time, aware.

        """
        if not 1 <= number <= WORDS:
            return None
        if number in {4, 5, 6}:
            phase = PHASES[number - 4]
            bits = {bit: self._events.lasts(f"{name}.{phase}", at) for bit, name in enumerate(_OF_PHASE)}
        elif number == WORDS:
            bits = {bit: self._events.lasts(name, at) for bit, name in _OF_ALL.items()}
        else:
            bits = {1: self._of_meter, 2: self._directions, 3: self._of_state}[number](at)
        return f"{sum(1 << bit for bit, is_set in bits.items() if is_set):04X}"

    def _of_meter(self, at: datetime) -> dict[int, bool]:
        scene = self._events.scene(to_us(at))
        measured = scene.flow.measured
        return {
            2: scene.conditions.clock_battery_low,
            4: sum(phasor.active for phasor in measured) < 0,
            5: sum(phasor.reactive for phasor in measured) < 0,
        }

    def _directions(self, at: datetime) -> dict[int, bool]:
        measured = self._events.scene(to_us(at)).flow.measured
        active = {bit: phasor.active < 0 for bit, phasor in enumerate(measured)}
        return active | {4 + bit: phasor.reactive < 0 for bit, phasor in enumerate(measured)}

    def _of_state(self, at: datetime) -> dict[int, bool]:
        scene = self._events.scene(to_us(at))
        known = self._of_control(at)
        return {
            **{bit: bool(known >> bit & 1) for bit in range(16)},
            2: not scene.flow.powered,  # on its battery
            # Whoever knows the switch sets bit 4 of a model that shows its contact the wrong way round.
            4: scene.conditions.contact_open != bool(known >> 4 & 1),
        }
