"""Unit identifiers DA and DT <-> points and functions.

DA is bits and a group, from 1: point = 8 x (DA2 - 1) + bit + 1; ``00 00`` is point 0, the terminal itself,
and ``FF 00`` every point. DT is bits and a group, from 0: Fn = 8 x DT2 + bit + 1. Several bits name several
points or functions. Source: spec sections A2 and B2.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from meterwire.errors import LocalProtocolError

ID_OCTETS: Final = 4
"""DA and DT."""
POINT_MAX: Final = 2040
FN_MAX: Final = 248
TERMINAL: Final = 0
"""Point 0: the terminal itself."""
EVERY_POINT: Final = 0xFFFF
"""What ``FF 00`` is told as."""
_EVERY_POINT_DA: Final = b"\xff\x00"


def points_of(da: bytes) -> tuple[int, ...]:
    """The points that DA names, rising; none where it is no DA."""
    bits, group = da
    if group == 0:
        if da == _EVERY_POINT_DA:
            return (EVERY_POINT,)
        return () if bits else (TERMINAL,)
    return tuple(8 * (group - 1) + bit + 1 for bit in range(8) if bits >> bit & 1)


def functions_of(dt: bytes) -> tuple[int, ...]:
    """The functions that DT names, rising; none where it is no DT."""
    bits, group = dt
    return tuple(8 * group + bit + 1 for bit in range(8) if bits >> bit & 1) if group < FN_MAX // 8 else ()


def da_of(points: Iterable[int]) -> bytes:
    """DA of points.

    Args:
        points: one, or several of one group of eight; 0 and ``EVERY_POINT`` stand alone.

    Raises:
        LocalProtocolError: points that one DA cannot name.

    """
    given = tuple(points)
    if given == (TERMINAL,):
        return b"\x00\x00"
    if given == (EVERY_POINT,):
        return _EVERY_POINT_DA
    bits, group = _bits(given, POINT_MAX, "points")
    return bytes((bits, group + 1))


def dt_of(functions: Iterable[int]) -> bytes:
    """DT of functions.

    Args:
        functions: one, or several of one group of eight.

    Raises:
        LocalProtocolError: functions that one DT cannot name.

    """
    return bytes(_bits(tuple(functions), FN_MAX, "functions"))


def _bits(numbers: tuple[int, ...], most: int, what: str) -> tuple[int, int]:
    groups = {(number - 1) // 8 for number in numbers}
    if len(groups) != 1 or not all(1 <= number <= most for number in numbers):
        raise LocalProtocolError(f"{what} {list(numbers)} are not of one group of eight from 1 to {most}")
    (group,) = groups
    return sum(1 << (number - 1) % 8 for number in set(numbers)), group
