"""Registers that were read -> measured values, by the rows of a map."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from meterlink.drivers.base import Measured
from meterlink.errors import BadAnswer
from meterlink.model.marks import NO_MARKS, Marks
from meterprofiles.registers import RegisterRow
from meterwire.catalogue import quantity
from meterwire.modbus.pdus import registers
from meterwire.modbus.pdus.registers import REGISTER_OCTETS, WordOrder

SCALE_MAX: Final = 10
"""Largest power of ten, up or down, that a scale register may say. Source: SunSpec, type sunssf."""
_NO_SCALE: Final = -0x8000


class Image:
    """Registers by address, as far as they were read."""

    def __init__(self) -> None:
        self._registers: dict[int, bytes] = {}

    def put(self, start: int, octets: bytes) -> None:
        """Note what a block brought.

        Args:
            start: address of its first register.
            octets: of its registers.

        """
        for at in range(0, len(octets), REGISTER_OCTETS):
            self._registers[start + at // REGISTER_OCTETS] = octets[at : at + REGISTER_OCTETS]

    def octets(self, start: int, count: int) -> bytes:
        """Octets of registers that were read.

        Args:
            start: address of the first one.
            count: how many.

        """
        return b"".join(self._registers[address] for address in range(start, start + count))


def measured(row: RegisterRow, image: Image, words: WordOrder, who: str) -> Measured:
    """What a row tells.

    Args:
        row: of the map.
        image: with its registers.
        words: their order.
        who: told it, for messages.

    Raises:
        BadAnswer: its scale register holds no power of ten.

    """
    octets = image.octets(row.address, row.registers)
    if row.type == "text":
        value, text = None, registers.text(octets) or None
    else:
        value = _number(row, octets, image, words, who)
        text = None if value is None else format(value, "f")
    return Measured(
        item=row.item,
        period="",
        value=value,
        text=text,
        unit=quantity(row.item.partition(".")[0]).unit,
        marks=Marks.ABSENT if text is None else NO_MARKS,
    )


def _number(row: RegisterRow, octets: bytes, image: Image, words: WordOrder, who: str) -> Decimal | None:
    """The number in the catalogue's unit; ``None``: the meter does not have it."""
    assert row.type != "text", "of a number"
    found = registers.number(octets, row.type, words)
    if found is None or int.from_bytes(registers.in_order(octets, words), "big") == row.absent:
        return None
    if row.scale_at is None:
        return found * row.scale
    power = registers.number(image.octets(row.scale_at, 1), "int16")
    assert power is not None, "a whole number always is one"
    if power == _NO_SCALE:
        return None
    if abs(power) > SCALE_MAX:
        raise BadAnswer(
            f"{who} scales {row.item} by ten to the power of {power}; {SCALE_MAX} at most makes sense"
        )
    return (found * row.scale).scaleb(int(power))
