"""A freeze as an object of JSON for programs; decimals and times are text.

A night of a gateway is a hundred thousand registers, and making a mapping of each, only to have it written,
is most of what a pull costs. So the text is put together here: what nearly all registers have alike is kept,
and whatever comes from people or meters goes through the encoder.
"""

from __future__ import annotations

import json
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from meterlink.billing.freezes import FreezeRow
from meterlink.model.marks import Marks
from meterlink.model.payload import time_out
from meterlink.model.register import Register

_FRAMES_KEPT: Final = 1_024
"""Registers, with their marks, that are kept as they are written but for the numbers."""
_written: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class _Frame(NamedTuple):
    """A register as it is written: what stands before its value, between the two numbers, and behind."""

    before: str
    between: str
    behind: str


def json_of(row: FreezeRow) -> str:
    """A freeze as an object, on one line."""
    place, multiplier = row.place, row.place.multiplier
    registers = ",".join([_register(one, multiplier) for one in row.registers])
    supersedes = "null" if row.supersedes is None else row.supersedes
    return (
        f'{{"seq":{row.seq},"supersedes":{supersedes},"meter":{_written(row.meter)},'
        f'"meter_number":{_written(place.meter_number)},'
        f'"customer_number":{_written(place.customer_number)},"area":{_written(place.area)},'
        f'"day":"{row.day}","frozen_at":"{time_out(row.frozen_at)}","multiplier":"{multiplier:f}",'
        f'"quality":"{row.quality}","source":"{row.source}","taken_at":"{time_out(row.taken_at)}",'
        f'"kept_at":"{time_out(row.kept_at)}","route":{_written(row.route)},"registers":[{registers}]}}'
    )


def _register(one: Register, multiplier: Decimal) -> str:
    before, between, behind = _frame(one.item, one.unit, one.marks)
    multiplied = one.times(multiplier)
    if multiplied is None:
        return f"{before}null{between}null{behind}"
    return f'{before}"{one.value:f}"{between}"{multiplied:f}"{behind}'


@lru_cache(maxsize=_FRAMES_KEPT)
def _frame(item: str, unit: str, marks: Marks) -> _Frame:
    quality = Register(item, None, unit, marks).quality
    return _Frame(
        before=f'{{"item":{_written(item)},"value":',
        between=f',"unit":{_written(unit)},"multiplied":',
        behind=f',"quality":"{quality}","marks":{_written(marks.names)}}}',
    )
