"""Envelopes as line protocol: exact names, right times, and a clear no to what it cannot carry."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.errors import EnvelopeError
from meterlink.ingest.line_protocol import lines_of
from meterlink.model.envelope import Envelope
from meterlink.model.marks import Marks
from meterlink.model.reading import Reading, Record
from tests.support.line_protocol import read_line
from tests.support.records import EPOCH, reading

_TIMES = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001
    max_value=datetime(2199, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))


def _envelope(*readings: Reading, data_class: str = "instant", gateway: str = "g") -> Envelope:
    record = Record(meter=readings[0].meter, data_class=data_class, readings=readings)
    return Envelope(gateway=gateway, boot=1, seq=1, record=record)


def _can_be_carried(text: str) -> bool:
    return bool(text) and text.isprintable() and "\\" not in text


@given(
    site=st.text(max_size=8),
    gateway=st.text(max_size=8),
    meter=st.text(max_size=8),
    area=st.none() | st.text(max_size=8),
    data_class=st.text(max_size=8),
    item=st.text(max_size=8),
    value=st.none() | st.decimals(allow_nan=False, allow_infinity=False),
    marks=st.sampled_from([Marks(0), Marks.ABSENT, Marks.ABSENT | Marks.INVALID_DIGITS]),
    slot=_TIMES,
)
def test_a_line_says_what_the_envelope_said_or_is_refused(
    site: str,
    gateway: str,
    meter: str,
    area: str | None,
    data_class: str,
    item: str,
    value: Decimal | None,
    marks: Marks,
    slot: datetime,
) -> None:
    """A name that is altered on the way is another series: its readings would be found nowhere."""
    given_reading = replace(reading(meter, item, value, slot, marks))
    texts = [site, gateway, meter, data_class, *([area] if area is not None else [])]
    good = all(map(_can_be_carried, texts)) and not data_class.startswith("#")
    good = (
        good and _can_be_carried(item) and not item.replace(".", "_").endswith("_marks") and item != "marks"
    )
    if value is not None:
        good = good and abs(float(value)) != float("inf")
    envelope = _envelope(given_reading, data_class=data_class, gateway=gateway)
    if not good:
        with pytest.raises(EnvelopeError):
            lines_of(envelope, site=site, area=area)
        return
    if value is None and not marks:
        assert [] == lines_of(envelope, site=site, area=area)
        return
    (text,) = lines_of(envelope, site=site, area=area)
    line = read_line(text)
    tags = {"gateway": gateway, "meter": meter, "site": site} | ({"area": area} if area is not None else {})
    assert (data_class, tags, int(slot.timestamp())) == (line.measurement, line.tags, line.time_s)
    fields = {} if value is None else {item.replace(".", "_"): float(value)}
    name = item.replace(".", "_")
    if marks:
        assert f"{int(marks)}i" == line.fields.pop("marks") == line.fields.pop(f"{name}_marks")
    assert fields == {name: float(number) for name, number in line.fields.items()}


def test_a_point_is_a_meter_and_a_slot() -> None:
    """A block belongs into one point; a curve of three slots is three points."""
    later = EPOCH + timedelta(minutes=15)
    lines = lines_of(
        _envelope(
            reading(item="forward_active_energy", value=Decimal("12.30")),
            reading(item="forward_active_energy.t1", value=Decimal("7")),
            reading(item="voltage.a", value=None, marks=Marks.ABSENT),
            reading(item="forward_active_energy", value=Decimal("12.40"), slot=later),
        ),
        site="s",
    )
    tags = "instant,gateway=g,meter=m1,site=s"
    assert [
        f"{tags} forward_active_energy=12.30,forward_active_energy_t1=7.0,"
        "voltage_a_marks=2i,marks=2i 1795305600",
        f"{tags} forward_active_energy=12.40 1795306500",
    ] == lines


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("123456789012345.10", "123456789012345.10"),
        ("1234567890123456.10", "1234567890123456.0"),
        ("1.5E+3", "1500.0"),
        ("230", "230.0"),
    ],
)
def test_a_number_is_written_as_each_server_reads_it(value: str, written: str) -> None:
    """A server that reads longer digits, or an exponent, in its own way would hold another value."""
    (line,) = lines_of(_envelope(reading(value=Decimal(value))), site="s")
    assert {written} == set(read_line(line).fields.values())


@pytest.mark.parametrize("value", ["1e400", "-1e400"])
def test_a_value_beyond_a_float_is_refused(value: str) -> None:
    """Infinity in a database spoils every sum over it."""
    with pytest.raises(EnvelopeError, match="beyond the range"):
        lines_of(_envelope(reading(value=Decimal(value))), site="s")


@pytest.mark.parametrize("item", ["marks", "voltage.a.marks", "x_marks"])
def test_the_fields_of_the_marks_are_ours(item: str) -> None:
    """Two fields of one name are refused by some servers and mixed up by others."""
    with pytest.raises(EnvelopeError, match="field of the marks"):
        lines_of(_envelope(reading(item=item)), site="s")


def test_a_sound_item_does_not_erase_the_mark_of_another() -> None:
    """Items of one slot come in own messages and make one point: the last written would win."""
    (marked,) = lines_of(
        _envelope(reading(item="voltage.a", value=None, marks=Marks.INVALID_DIGITS)), site="s"
    )
    (sound,) = lines_of(_envelope(reading(item="current.a")), site="s")
    assert {"voltage_a_marks": "1i", "marks": "1i"} == read_line(marked).fields
    assert {"current_a"} == set(read_line(sound).fields)
