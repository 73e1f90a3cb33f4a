"""Reading what a master downloads: a structure with other members is refused whole (DAR 7)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from metersim.dlt698.selecting import MONTHS, SPANS
from meterwire.dlt698.axdr.selection import Ti
from meterwire.dlt698.axdr.values import Data, DateTimeS

T = TypeVar("T")


class Malformed(ValueError):
    """A download that is no task or scheme."""


def all_of(data: Data, make: Callable[[Data], T]) -> list[T]:
    """Every element of an array.

    Raises:
        Malformed: one is not what it should be.

    """
    return [make(one) for one in value_of(data, "array")]


def numbers_of(data: Data) -> list[int]:
    """The numbers in an array of unsigned.

    Raises:
        Malformed: it is none.

    """
    return [value_of(one, "unsigned") for one in value_of(data, "array")]


def pair_of(data: Data) -> tuple[Data, Data]:
    """The two members of a structure.

    Raises:
        Malformed: it is none.

    """
    first, second = parts_of(data, 2)
    return first, second


def structure(*members: Data) -> Data:
    """A structure of these."""
    return Data("structure", members)


def parts_of(data: Data, count: int) -> Sequence[Data]:
    """The members of a structure of so many.

    Raises:
        Malformed: it is none.

    """
    members: Sequence[Data] = value_of(data, "structure")
    if len(members) != count:
        raise Malformed(f"a structure of {len(members)} members, not {count}")
    return members


def value_of(data: Data, *types: str) -> Any:
    """The value of one of these types.

    Raises:
        Malformed: it is of another type.

    """
    if data.type not in types:
        raise Malformed(f"{data.type}, not {' or '.join(types)}")
    return data.value


def moment_of(data: Data) -> DateTimeS:
    """A time that the calendar has.

    Raises:
        Malformed: it is none.

    """
    found: DateTimeS = value_of(data, "date_time_s")
    if found.civil() is None:
        raise Malformed(f"{found} is no time")
    return found


def interval_of(data: Data, *, none: bool = False) -> Ti:
    """An interval.

    Args:
        data: what was sent.
        none: it may be of no length.

    Raises:
        Malformed: it is none.

    """
    found: Ti = value_of(data, "TI")
    if found.unit not in SPANS | MONTHS or (not found.value and not none):
        raise Malformed(f"{found} is no interval")
    return found
