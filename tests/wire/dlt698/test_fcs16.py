"""The check sequence: the trick with reversed bits against the loop of the standard."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meterwire.primitives.fcs16 import RESIDUE, check_octets, fcs16, register


def _bit_by_bit(octets: bytes) -> int:
    check = 0xFFFF
    for octet in octets:
        check ^= octet
        for _ in range(8):
            check = check >> 1 ^ 0x8408 if check & 1 else check >> 1
    return check ^ 0xFFFF


def test_the_published_check_value() -> None:
    """No frame of any other maker would be accepted."""
    assert fcs16(b"123456789") == 0x906E
    assert fcs16(bytes.fromhex("17004345AAAAAAAAAAAA00")) == 0x4F5B


@given(st.binary(max_size=300))
def test_it_is_the_loop_of_the_standard(octets: bytes) -> None:
    """Some octets would be checked wrongly, and their frames lost."""
    assert _bit_by_bit(octets) == fcs16(octets) == fcs16(bytearray(octets))


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_a_check_goes_on_from_the_one_that_it_covers(head: bytes, tail: bytes) -> None:
    """A frame's second check would have to be computed over all of it again, or be wrong."""
    guarded = head + check_octets(register(head))
    assert register(guarded) == RESIDUE
    assert register(guarded + tail) == register(tail, RESIDUE)
    assert fcs16(guarded + tail).to_bytes(2, "little") == check_octets(register(tail, RESIDUE))
