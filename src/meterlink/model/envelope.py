"""The contract between gateway and ingest: one JSON document a message, versioned.

``{"v":1,"gateway","boot","seq","meter","class","readings":[{"item","value","unit","slot","taken_at",
"marks","route"}]}``: values are decimal strings or null, times ISO 8601 in UTC, marks their names.
``seq`` is the log's id: it grows within a gateway, and a repeated message carries the same one.
Source: decision 15.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from meterlink.errors import EnvelopeError
from meterlink.model.marks import Marks
from meterlink.model.reading import Reading, Record

VERSION = 1
READINGS_MAX = 2_000
"""Readings one envelope may hold; more is refused, so that a hostile payload costs nothing."""
TIMES_KEPT = 256
"""Times kept with their text: the readings of a record share theirs, and so do meters read together."""
COUNT_MAX = 2**63 - 1
"""Largest ``seq`` and ``boot``: what every database takes as an integer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """One message: a record and where in which gateway's log it stands."""

    gateway: str
    boot: int
    seq: int
    record: Record

    def to_json(self) -> bytes:
        """The payload as UTF-8 JSON."""
        document = {
            "v": VERSION,
            "gateway": self.gateway,
            "boot": self.boot,
            "seq": self.seq,
            "meter": self.record.meter,
            "class": self.record.data_class,
            "readings": [_reading_out(reading) for reading in self.record.readings],
        }
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, payload: bytes) -> Envelope:
        """Undo ``to_json``.

        Raises:
            EnvelopeError: not JSON, another version, a field missing or of the wrong kind.

        """
        try:
            document = json.loads(payload)
        except (ValueError, RecursionError) as error:
            raise EnvelopeError(f"not JSON: {error}") from None
        if not isinstance(document, dict) or document.get("v") != VERSION:
            raise EnvelopeError(f"no envelope of version {VERSION}")
        try:
            return _envelope_in(document)
        except (KeyError, TypeError, ValueError, InvalidOperation, OverflowError) as error:
            raise EnvelopeError(f"a field is missing or wrong: {type(error).__name__}: {error}") from None


def _envelope_in(document: dict[str, Any]) -> Envelope:
    meter, rows = _text(document["meter"]), document["readings"]
    if not isinstance(rows, list) or not 1 <= len(rows) <= READINGS_MAX:
        raise ValueError(f"readings must be a list of 1 to {READINGS_MAX}")
    readings = tuple(_reading_in(meter, row) for row in rows)
    record = Record(meter=meter, data_class=_text(document["class"]), readings=readings)
    return Envelope(
        gateway=_text(document["gateway"]),
        boot=_count(document["boot"]),
        seq=_count(document["seq"]),
        record=record,
    )


def _reading_out(reading: Reading) -> dict[str, Any]:
    return {
        "item": reading.item,
        "value": None if reading.value is None else format(reading.value, "f"),
        "unit": reading.unit,
        "slot": _time_out(reading.slot),
        "taken_at": _time_out(reading.taken_at),
        "marks": list(reading.marks.names),
        "route": reading.route,
    }


def _reading_in(meter: str, row: dict[str, Any]) -> Reading:
    value = row["value"]
    number = None if value is None else Decimal(_text(value))
    if number is not None and not number.is_finite():
        raise ValueError("a value must be a finite decimal number")
    return Reading(
        meter=meter,
        item=_text(row["item"]),
        value=number,
        unit=_text(row["unit"]),
        slot=_time_in(row["slot"]),
        taken_at=_time_in(row["taken_at"]),
        marks=Marks.from_names(row["marks"]),
        route=_text(row["route"]),
    )


@lru_cache(maxsize=TIMES_KEPT)
def _time_out(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


@lru_cache(maxsize=TIMES_KEPT)
def _time_in(text: object) -> datetime:
    instant = datetime.fromisoformat(_text(text))
    if instant.tzinfo is None:
        raise ValueError("a time needs a zone")
    return instant.astimezone(UTC)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("expected text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= COUNT_MAX:
        raise TypeError("expected a whole number of at most 63 bits")
    return value
