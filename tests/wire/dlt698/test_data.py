"""Data: the fast path against its construct declaration, and what typed values promise."""

from __future__ import annotations

import datetime
import struct

import construct
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt698.axdr import data_reference
from meterwire.dlt698.axdr.data import TAGS, data_from_octets, data_to_octets, decode_data
from meterwire.dlt698.axdr.selection import Oad, Omd, SidMac, Tsa
from meterwire.dlt698.axdr.syntax import decoded
from meterwire.dlt698.axdr.values import BitString, Data, Date, DateTime, DateTimeS, Time
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from tests.wire.dlt698.apdu_strategies import datas, descriptors

_any_data = datas | descriptors


@given(data=_any_data)
def test_both_build_the_same_octets(data: Data) -> None:
    """The fast path would send something else than is declared."""
    assert data_reference.build(data) == data_to_octets(data)


@given(data=_any_data)
def test_both_read_the_same_value(data: Data) -> None:
    """The fast path would read something else than is declared."""
    octets = data_to_octets(data)
    assert data == data_from_octets(octets)
    assert (data, len(octets)) == data_reference.parse(octets)


_octets = st.binary(max_size=60) | st.lists(
    st.sampled_from(
        [0, 1, 2, 3, 4, 6, 9, 0x0A, 0x12, 0x1C, 0x51, 0x5A, 0x5C, 0x80, 0x81, 0x82, *TAGS.values()]
    ),
    max_size=40,
).map(bytes)


@given(octets=_octets)
def test_both_take_and_refuse_the_same_octets(octets: bytes) -> None:
    """Octets of a meter would be refused by one and taken by the other, and nobody know which is right."""
    if b"\x5e\x5d\x06" in octets:
        return  # a tool's way to write a SID_MAC, which only the fast path knows
    try:
        data, end = decode_data(octets, 0, 0)
    except (IndexError, struct.error, RemoteProtocolError):
        with pytest.raises((construct.ConstructError, UnicodeError)):
            data_reference.parse(octets)
        return
    theirs, their_end = data_reference.parse(octets)
    assert end == their_end
    assert repr(data) == repr(theirs)  # nan is not equal to itself


def test_every_type_of_the_table_is_there() -> None:
    """A type of the standard would be refused as unknown."""
    wanted = {0, 1, 2, 3, 4, 5, 6, 9, 10, 12, 15, 16, 17, 18, *range(20, 29), *range(80, 97)}
    assert wanted == set(TAGS.values())
    for tag in range(256):
        if tag not in wanted:
            with pytest.raises(RemoteProtocolError) as refused:
                data_from_octets(bytes((tag,)) + bytes(12))
            assert (refused.value.kind, refused.value.offset) == ("type", 0)


@pytest.mark.parametrize(
    ("octets", "again"),
    [
        ("0A 8200 03 414243", "0A 03 414243"),
        ("09 81 01 FF", "09 01 FF"),
        ("01 88 0000000000000001 00", "01 01 00"),
        ("04 81 08 A5", "04 08 A5"),
        ("03 FF", "03 01"),
        ("5E 5D 06 81420000 09 03 002530 56 04 C6056F9C", "5E 81420000 03 002530 04 C6056F9C"),
    ],
)
def test_what_is_longer_than_it_need_be_is_taken_and_not_sent(octets: str, again: str) -> None:
    """A real terminal's lengths would be refused, or we would imitate them."""
    assert bytes.fromhex(again) == data_to_octets(data_from_octets(bytes.fromhex(octets)))


def test_an_untagged_sid_mac_that_begins_like_tags_is_taken_as_it_stands() -> None:
    """A security identifier 5D06xxxxH would be misread as type tags."""
    value = SidMac(0x5D060102, b"\x01\x02", b"\x01\x02\x03\x04")
    assert Data("SID_MAC", value) == data_from_octets(data_to_octets(Data("SID_MAC", value)))


@pytest.mark.parametrize("first", [0x80, 0x89, 0xFF])
def test_lengths_that_cannot_be_are_refused(first: int) -> None:
    """An indefinite or absurd length would be read as something."""
    with pytest.raises(RemoteProtocolError) as refused:
        data_from_octets(bytes((9, first)) + bytes(300))
    assert ("length", 1) == (refused.value.kind, refused.value.offset)


def test_dates_keep_what_they_leave_open() -> None:
    """An open part would come back as a day that nobody meant."""
    assert "*-*-01 w*" == str(data_from_octets(bytes.fromhex("1A FFFF FF 01 FF")).value)
    assert "00:*:*" == str(Time(0, 0xFF, 0xFF))
    assert "*-11-22T*:00:00" == str(DateTimeS(0xFFFF, 11, 22, 0xFF, 0, 0))
    assert "2025-10-31T23:59:59.* w*" == str(DateTime(2025, 10, 31, 0xFF, 23, 59, 59, 0xFFFF))
    assert "2025-10-31 w5" == str(Date(2025, 10, 31, 5))


def test_a_date_becomes_a_moment_only_where_a_calendar_has_it() -> None:
    """A meter's month 17 would end a task instead of being marked."""
    moment = datetime.datetime(2025, 10, 31, 23, 59, 59, 999_000)  # noqa: DTZ001 - civil time
    assert moment == DateTime.of(moment).civil()
    assert DateTime.of(moment).weekday == 5
    assert moment.replace(microsecond=0) == DateTimeS.of(moment).civil()
    for broken in (
        DateTimeS(2025, 17, 1, 0, 0, 0),
        DateTimeS(0xFFFF, 1, 1, 0, 0, 0),
        DateTimeS(0, 0, 0, 0, 0, 0),
    ):
        assert broken.civil() is None
    assert DateTime(2025, 2, 29, 0, 0, 0, 0, 0).civil() is None


def test_bits_are_counted_from_the_first() -> None:
    """A status bit would be read at the wrong end: a closed relay as open."""
    bits = BitString.of("0001000000000000")
    assert b"\x10\x00" == bits.octets
    assert [3] == [number for number in range(20) if bits.bit(number)]
    assert "0001000000000000" == str(bits)
    assert BitString(b"\xa5\xf0", 12) == BitString.of("101001011111")
    with pytest.raises(LocalProtocolError):
        data_to_octets(Data("bit-string", BitString(b"\x00", 9)))


def test_text_of_any_octets_survives() -> None:
    """A Chinese message of a meter could not be passed on as it was."""
    octets = bytes.fromhex("0A 0A C7EBBCB0CAB1BDBBB7D1")
    assert octets == data_to_octets(data_from_octets(octets))


def test_descriptors_are_written_as_people_write_them() -> None:
    """An OAD typed by an operator would become another one."""
    assert Oad(0x0010, 0x22, 1) == Oad.of("00102201")
    assert "00102201" == str(Oad.of("00102201"))
    assert "80008200" == str(Omd.of("80008200"))
    assert Omd(0x8000, 130) == Omd.of("80008200")
    for wrong in ("0010220", "001022010", "0010zz01", ""):
        with pytest.raises(LocalProtocolError):
            Oad.of(wrong)


def test_addresses_in_data_stand_in_reading_order() -> None:
    """The reverse order of the link layer would ask another meter."""
    tsa = Tsa.of("123456789012")
    assert bytes.fromhex("55 07 05 123456789012") == data_to_octets(Data("TSA", tsa))
    assert ("123456789012", "single", 0) == (tsa.digits, tsa.kind, tsa.logical)
    assert ("AABB", "single", 3) == (
        Tsa(b"\x31\xaa\xbb").digits,
        Tsa(b"\x31\xaa\xbb").kind,
        Tsa(b"\x31").logical,
    )
    assert "" == Tsa().digits


@given(octets=st.binary(max_size=30))
def test_octets_around_a_value_are_never_read(octets: bytes) -> None:
    """A value would depend on what stands behind it."""
    try:
        data, end = decode_data(octets, 0, 0)
    except (IndexError, struct.error, RemoteProtocolError):
        return
    assert repr(data) == repr(decoded(decode_data, octets[:end]))
