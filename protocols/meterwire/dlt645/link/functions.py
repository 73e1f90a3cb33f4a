"""The function codes of both editions (D4..D0 of the control octet), and their names.

Source: DL/T 645-2007, 7.1; DL/T 645-1997, 6.
"""

from __future__ import annotations

import csv
import functools
from collections.abc import Mapping
from importlib import resources
from typing import Final, Literal, NamedTuple, get_args

READ: Final = 0x11
READ_FOLLOWING: Final = 0x12
CONTROL: Final = 0x1C
SECURITY: Final = 0x03
READ_1997: Final = 0x01
READ_FOLLOWING_1997: Final = 0x02
READ_AGAIN_1997: Final = 0x03
WRITES: Final = frozenset({0x14, 0x04})
READS: Final = frozenset({READ, READ_FOLLOWING, READ_1997, READ_FOLLOWING_1997})


Edition = Literal["dlt645-2007", "dlt645-1997"]
DI_OCTETS: Final[dict[Edition, int]] = {"dlt645-2007": 4, "dlt645-1997": 2}
EDITIONS: Final[tuple[Edition, ...]] = get_args(Edition)

_CODES_OF_1997 = frozenset({0x01, 0x02, 0x04, 0x0A, 0x0C, 0x0F, 0x10})
_CODES_OF_BOTH = frozenset({0x03, 0x08})


def edition(function: int, hint: Edition = "dlt645-2007") -> Edition:
    """Which edition of the standard a function code belongs to; no field of a frame says it.

    Args:
        function: 0 to 31.
        hint: the edition of a code that both have.

    """
    if function in _CODES_OF_BOTH:
        return hint
    return "dlt645-1997" if function in _CODES_OF_1997 else "dlt645-2007"


_FROM_METER, _ABNORMAL, _FOLLOWING = 0x80, 0x40, 0x20


def is_control(octet: int) -> bool:
    """Whether either edition has such a control octet: a known function, and bits that go together.

    Args:
        octet: C, 0 to 255.

    """
    known = {function for _, function in _names()}
    bits = octet & (_FROM_METER | _ABNORMAL | _FOLLOWING)
    return octet & 0x1F in known and bits in {
        0,
        _FROM_METER,
        _FROM_METER | _ABNORMAL,
        _FROM_METER | _FOLLOWING,
    }


class FunctionName(NamedTuple):
    """What a function is called."""

    en: str
    zh: str


_UNKNOWN = FunctionName("unknown function", "未知功能")


def function_name(function: int, protocol: Edition = "dlt645-2007") -> FunctionName:
    """The name of a function code of one edition.

    Args:
        function: 0 to 31.
        protocol: ``dlt645-2007`` or ``dlt645-1997``.

    """
    return _names().get((protocol[-4:], function), _UNKNOWN)


@functools.cache
def _names() -> Mapping[tuple[str, int], FunctionName]:
    rows = resources.files("meterwire.dlt645.link").joinpath("functions.csv")
    with rows.open(encoding="utf-8") as file:
        return {
            (row["edition"], int(row["code"], 16)): FunctionName(row["en"], row["zh"])
            for row in csv.DictReader(file)
        }
