"""Which octets of the wire are blanked before anybody writes them down."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given

from meterwire.dlt698.apdus.apdu import encode_apdu
from meterwire.dlt698.apdus.association import PasswordSecurity
from meterwire.dlt698.apdus.secret_ranges import secret_ranges
from meterwire.dlt698.apdus.security import Mac, PlainUnit, SecurityResponse
from meterwire.dlt698.link.frame import Frame, encode
from meterwire.dlt698.link.segments import Segment, SegmentKind
from tests.wire.dlt698 import plant
from tests.wire.dlt698 import strategies as of
from tests.wire.dlt698.plant import ANSWER, sent

_PASSWORD = b"pass word"
_CONNECT = dataclasses.replace(plant.connect(), auth=PasswordSecurity(_PASSWORD.decode()))


def _blanked(octets: bytes) -> bytes:
    left = bytearray(octets)
    for first, after in secret_ranges(octets):
        left[first:after] = b"*" * (after - first)
    return bytes(left)


def test_a_read_is_shown_whole() -> None:
    """Nobody could look into a fault."""
    octets = sent(ANSWER) + sent(plant.REQUEST, from_server=False)
    assert () == secret_ranges(octets)
    acknowledgement = plant.piece(Segment(SegmentKind.ACK, 0))
    assert () == secret_ranges(acknowledgement)


def test_a_password_is_not_shown_and_its_check_neither() -> None:
    """A password would stand in the log, or be guessed from the sum over it."""
    octets = sent(_CONNECT, from_server=False)
    shown = _blanked(octets)
    assert _PASSWORD not in shown
    assert shown.endswith(b"\x00**\x16")
    assert octets[:40] == shown[:40]


def test_a_mac_is_not_shown() -> None:
    """Who reads the log could answer in the meter's name."""
    octets = sent(SecurityResponse(unit=PlainUnit(encode_apdu(ANSWER)), verify=Mac(b"1234")))
    shown = _blanked(octets)
    assert b"1234" not in shown
    assert encode_apdu(ANSWER) in shown


@pytest.mark.parametrize(
    "octets",
    [
        sent(_CONNECT, from_server=False)[:-1],
        sent(_CONNECT, from_server=False)[9:],
        plant.piece(Segment(SegmentKind.FIRST, 0, encode_apdu(_CONNECT))),
        plant.piece(Segment(SegmentKind.MIDDLE, 1, _PASSWORD)),
        sent(_PASSWORD),
        sent(_PASSWORD, segmented=True),
    ],
)
def test_what_cannot_be_told_is_not_shown(octets: bytes) -> None:
    """Half a frame would show the password that a whole one hides."""
    assert _PASSWORD not in _blanked(octets)
    assert sent(ANSWER) in _blanked(octets + sent(ANSWER))


@given(octets=of.noise, frame=of.frames)
def test_ranges_are_in_order_and_inside(octets: bytes, frame: Frame) -> None:
    """The trace would fail at the first noise, and with it the line."""
    stream = octets + encode(frame, preamble=1) + octets
    places = [place for span in secret_ranges(stream) for place in span]
    assert sorted(places) == places
    assert len(set(places)) == len(places)
    assert all(0 <= place <= len(stream) for place in places)
