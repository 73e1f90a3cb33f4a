"""The contract between gateway and ingest."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.errors import EnvelopeError
from meterlink.model.envelope import READINGS_MAX, Envelope
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record

_TIMES = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def _reading(value: Decimal | None = Decimal("0.26"), marks: Marks = NO_MARKS) -> Reading:
    now = datetime(2026, 11, 22, 0, 0, tzinfo=UTC)
    return Reading(
        meter="m1",
        item="voltage.a",
        value=value,
        unit="V",
        slot=now,
        taken_at=now,
        marks=marks,
        route="line1",
    )


def _envelope(*readings: Reading) -> Envelope:
    return Envelope(
        gateway="gw", boot=3, seq=7, record=Record(meter="m1", data_class="instant", readings=readings)
    )


@given(
    value=st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=4),
    slot=_TIMES,
    taken_at=_TIMES,
    marks=st.sampled_from([Marks(0), Marks.ABSENT, Marks.ABSENT | Marks.INVALID_DIGITS]),
)
def test_an_envelope_survives_the_wire(
    value: Decimal | None, slot: datetime, taken_at: datetime, marks: Marks
) -> None:
    """Digits, times and marks that changed between gateway and database would be wrong bills."""
    reading = Reading(
        meter="表1", item="x.t1", value=value, unit="kWh", slot=slot, taken_at=taken_at, marks=marks
    )
    envelope = Envelope(
        gateway="gw", boot=1, seq=2, record=Record(meter="表1", data_class="instant", readings=(reading,))
    )
    back = Envelope.from_json(envelope.to_json())
    assert envelope == back
    assert str(value) == str(back.record.readings[0].value) or "E" in str(value)


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_any_octets_give_an_envelope_or_a_refusal(payload: bytes) -> None:
    """A foreign message on our topic must cost a dead letter, never the ingest."""
    with pytest.raises(EnvelopeError):
        Envelope.from_json(payload)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"v":1', b'"v":2'),
        (b'"0.26"', b"0.26"),
        (b'"0.26"', b'"NaN"'),
        (b'"seq":7', b'"seq":-1'),
        (b'"seq":7', b'"seq":true'),
        (b'"seq":7', b'"seq":9223372036854775808'),
        (b'+00:00","taken_at"', b'","taken_at"'),
        (b'"marks":[]', b'"marks":["nonsense"]'),
        (b'"marks":[]', b'"marks":null'),
        (b'"readings":[', b'"readings":[[],'),
    ],
)
def test_a_damaged_field_is_refused(old: bytes, new: bytes) -> None:
    """A field of the wrong kind must not slip through as a number."""
    payload = _envelope(_reading()).to_json().replace(b"Z", b"+00:00")
    assert old in payload
    with pytest.raises(EnvelopeError):
        Envelope.from_json(payload.replace(old, new))


def test_the_number_of_readings_has_a_limit() -> None:
    """A hostile payload must be refused before it costs memory downstream."""
    full = _envelope(*[_reading()] * READINGS_MAX)
    assert full == Envelope.from_json(full.to_json())
    with pytest.raises(EnvelopeError):
        Envelope.from_json(_envelope(*[_reading()] * (READINGS_MAX + 1)).to_json())
