"""The link frame: fast path against declaration, round trips, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import Frame, decode, encode
from meterwire.dlt645.link.frame import (
    DATA_OCTETS_MAX,
    FRAME_OCTETS_MAX,
    PREAMBLE_MAX,
    reference_decode,
    reference_encode,
)
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from tests.support.damage import replaced
from tests.wire.dlt645 import strategies as of

_ENERGY = bytes.fromhex("FEFEFEFE6812907856341268910833333433AB896745CC16")


def test_a_published_shape_is_read_field_by_field() -> None:
    """The simplest answer of all would be misread."""
    expected = Frame(
        address="123456789012", function=0x11, data=bytes.fromhex("0000010078563412"), from_meter=True
    )
    assert expected == decode(_ENERGY)
    assert _ENERGY == encode(expected, preamble=4)


@given(frame=of.frames, preamble=st.integers(0, PREAMBLE_MAX))
def test_what_is_sent_is_what_is_received(frame: Frame, preamble: int) -> None:
    """One codec plays both roles: a field that does not survive would differ between them."""
    assert frame == decode(encode(frame, preamble=preamble))


@given(frame=of.frames, preamble=st.integers(0, PREAMBLE_MAX))
def test_the_fast_path_builds_what_the_declaration_builds(frame: Frame, preamble: int) -> None:
    """The fast path would send something the declared frame is not."""
    assert reference_encode(frame, preamble=preamble) == encode(frame, preamble=preamble)


def _frame_or_none(octets: bytes, *, reference: bool) -> Frame | None:
    try:
        return (reference_decode if reference else decode)(octets)
    except RemoteProtocolError:
        return None


@given(frame=of.frames, place=st.integers(0, FRAME_OCTETS_MAX), octet=st.integers(0, 255))
def test_the_fast_path_accepts_what_the_declaration_accepts(frame: Frame, place: int, octet: int) -> None:
    """A damaged frame would pass one of the two and not the other."""
    damaged = replaced(encode(frame, preamble=2), place, octet)
    assert _frame_or_none(damaged, reference=True) == _frame_or_none(damaged, reference=False)


@given(of.noise)
def test_any_octets_give_a_frame_or_a_refusal(octets: bytes) -> None:
    """Rubbish from the line must never raise anything else."""
    assert _frame_or_none(octets, reference=True) == _frame_or_none(octets, reference=False)


@pytest.mark.parametrize(
    ("octets", "kind", "offset"),
    [
        ("", "no-frame", 0),
        ("FEFE", "truncated", 2),
        ("6912907856341268910833333433AB896745CC16", "no-frame", 0),
        ("6812907856341267910833333433AB896745CC16", "second-start", 7),
        ("681290785634126891", "truncated", 9),
        ("6812907856341268910833333433AB8967", "truncated", 17),
        ("6812907856341268910833333433AB896745CC17", "end", 19),
        ("6812907856341268910833333433AB8967450016", "checksum", 18),
        ("6812907856341268910833333433AB896745CC1600", "length", 20),
    ],
)
def test_a_refusal_says_what_and_where(octets: str, kind: str, offset: int) -> None:
    """An operator would be sent looking in the wrong place."""
    with pytest.raises(RemoteProtocolError) as refusal:
        decode(bytes.fromhex(octets))
    assert (kind, offset) == (refusal.value.kind, refusal.value.offset)
    assert bytes.fromhex(octets) == refusal.value.octets


@pytest.mark.parametrize(
    ("frame", "preamble"),
    [
        (Frame(address="12345678901", function=0x11), 0),
        (Frame(address="12345678901G", function=0x11), 0),
        (Frame(address="12345678901a", function=0x11), 0),
        (Frame(address="1234567890 1", function=0x11), 0),
        (Frame(address="１23456789012", function=0x11), 0),
        (Frame(address="123456789012", function=32), 0),
        (Frame(address="123456789012", function=-1), 0),
        (Frame(address="123456789012", function=0x11, data=bytes(DATA_OCTETS_MAX + 1)), 0),
        (Frame(address="123456789012", function=0x11), PREAMBLE_MAX + 1),
        (Frame(address="123456789012", function=0x11), -1),
    ],
)
def test_an_illegal_frame_is_not_built(frame: Frame, preamble: int) -> None:
    """A mistake of ours would reach the line instead of our log."""
    with pytest.raises(LocalProtocolError):
        encode(frame, preamble=preamble)
    with pytest.raises(LocalProtocolError):
        reference_encode(frame, preamble=preamble)


def test_the_longest_frame_is_received() -> None:
    """Meters that answer more than the 200 octets of the standard would be lost."""
    body = b"\x68\x12\x90\x78\x56\x34\x12\x68\x91\xff" + bytes(255)
    octets = body + bytes((sum(body) & 0xFF, 0x16))
    assert FRAME_OCTETS_MAX == len(octets)
    assert b"\xcd" * 255 == decode(octets).data
