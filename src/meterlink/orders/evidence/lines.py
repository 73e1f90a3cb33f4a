"""Lines of JSON as records of evidence: which line is which record, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from meterlink.errors import EvidenceRefused
from meterlink.model.plain import read_json
from meterlink.orders.evidence.records import parse

LINE_OCTETS_MAX: Final = 65_536
"""A longer line is refused before it is read as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a file.

    Args:
        number: from 1.
        document: the record as it was written; ``None``: it is none.
        fault: what is wrong with it, and what to do; empty: nothing.

    """

    number: int
    document: dict[str, Any] | None = None
    fault: str = ""


def read_lines(lines: Iterable[bytes]) -> Iterator[Line]:
    """Every line that is not blank, one after the other; a wrong one does not hinder those behind it.

    What is found here needs no roster and no log: whether the meter exists, and whether the record is new,
    the daemon says.

    Args:
        lines: of the file, with or without their ends.

    """
    for number, octets in enumerate(lines, start=1):
        if octets.strip():
            yield _line(number, octets)


def _line(number: int, octets: bytes) -> Line:
    if len(octets) > LINE_OCTETS_MAX:
        return Line(number=number, fault=f"longer than {LINE_OCTETS_MAX} octets: one record a line")
    try:
        document = read_json(octets)
    except (ValueError, RecursionError) as error:
        return Line(number=number, fault=f"not JSON in UTF-8 with each key once: {error}")
    try:
        parse(document)
    except EvidenceRefused as error:
        return Line(number=number, fault=str(error))
    return Line(number=number, document=document)
