"""Server addresses: what goes out, what is read, who answers whom."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt698.link.address import (
    ADDRESS_OCTETS_MAX,
    ANY,
    BROADCAST,
    AddressKind,
    ServerAddress,
    from_octets,
    parse,
)
from meterwire.errors import LocalProtocolError
from tests.wire.dlt698 import strategies as of

_METER = ServerAddress("123456789012")


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("123456789012", "05129078563412"),
        ("12345678", "0378563412"),
        ("AAAAAAAAAAAA", "45AAAAAAAAAAAA"),
        ("000000000001/1", "15010000000000"),
        ("group:04030201", "8301020304"),
        ("broadcast:AA", "C0AA"),
        ("11111111111103/2", "2603111111111111"),
    ],
)
def test_an_address_goes_out_lowest_octet_first(text: str, octets: str) -> None:
    """The wrong meter would be spoken to."""
    assert bytes.fromhex(octets) == parse(text).octets
    assert parse(text) == from_octets(bytes.fromhex(octets))
    assert text == str(parse(text))


@given(of.addresses)
def test_whatever_the_flag_says_is_kept(address: ServerAddress) -> None:
    """An address of a later edition would come back changed, or not at all."""
    assert address == from_octets(address.octets)


@given(flag=st.integers(0, 255), octets=st.binary(min_size=16, max_size=16))
def test_every_flag_is_read(flag: int, octets: bytes) -> None:
    """A flag that some device sends would be refused, and its readings lost."""
    raw = bytes((flag,)) + octets[: (flag & 15) + 1]
    assert (flag, raw) == (from_octets(raw).flag, from_octets(raw).octets)


def test_the_extended_logical_address_is_read_the_later_way() -> None:
    """A meter behind an extended logical address would be looked for under a number of 14 digits."""
    extended = from_octets(bytes.fromhex("2603111111111111"))
    assert (3, "111111111111") == (extended.extended_logical, extended.device_digits)
    assert (None, "123456789012") == (_METER.extended_logical, _METER.device_digits)


@pytest.mark.parametrize(
    ("asked", "answers", "expected"),
    [
        ("123456789012", "123456789012", True),
        ("123456789012", "123456789013", False),
        ("123456789012", "123456789012/1", False),
        ("123456789012/1", "123456789012/1", True),
        ("123456789012", "0000123456789012", False),
        ("AAAAAAAAAAAA", "123456789012", True),
        ("AAAAAAAAAAAA", "12345678", True),
        ("AAAAAAAA9012", "123456789012", True),
        ("AAAAAAAA9012", "123456789013", False),
        ("AAAAAAAA9012", "9012", False),
        ("group:123456789012", "123456789012", False),
        ("broadcast:AA", "123456789012", False),
    ],
)
def test_who_can_have_answered(asked: str, answers: str, expected: bool) -> None:
    """A neighbour's value would be taken for this meter's, or a wildcard never be answered."""
    assert expected == parse(asked).is_answered_by(parse(answers))


def test_open_digits_count_also_under_kind_single() -> None:
    """Tools that send AF 05H with AA..AA would find no meter."""
    lazy = ServerAddress("AAAAAAAAAAAA")
    assert lazy.is_wildcard
    assert lazy.is_answered_by(_METER)
    assert lazy.means(_METER)


@pytest.mark.parametrize(
    ("address", "means", "answers"),
    [
        (_METER, True, True),
        (ANY, True, True),
        (BROADCAST, True, False),
        (ServerAddress("123456789012", AddressKind.GROUP), False, False),
        (ServerAddress("123456789013"), False, True),
    ],
)
def test_whom_an_address_means(address: ServerAddress, means: bool, answers: bool) -> None:
    """A meter would answer for another one, or everybody answer a broadcast at once."""
    assert (means, answers) == (address.means(_METER), address.expects_answer)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1",
        "123",
        "12345678901G",
        "12345678901a",
        "１２",
        "00" * (ADDRESS_OCTETS_MAX + 1),
        "01/4",
        "01/",
        "01/1/1",
        "single:01",
        "all:01",
        "group:",
    ],
)
def test_what_is_no_address_is_refused(text: str) -> None:
    """A slip in a roster would reach the line as another meter's address."""
    with pytest.raises(LocalProtocolError):
        parse(text)


def test_the_longest_address_is_taken() -> None:
    """An address at the limit of AF could not be reached."""
    longest = ServerAddress("01" * ADDRESS_OCTETS_MAX)
    assert ADDRESS_OCTETS_MAX + 1 == len(longest.octets)
    assert longest == from_octets(longest.octets)
    with pytest.raises(LocalProtocolError):
        _ = ServerAddress("01", logical=4).octets
