"""Somebody else's DL/T 645 (PyPI ``dlt645``) and ours on the same octets.

Disagreements that are tolerated, one by one; anything else fails:

1. *Address order*: it keeps the address as it stands on the wire, lowest pair first.
2. *A frame behind an incomplete one*: it waits for the octets that a false start asks for; we give the
   frame that is complete first (``test_where_it_waits_we_may_be_ahead``).
3. *Numbers are floats*: compared as the nearest float.
4. *The sign of unsigned items*: it takes the top bit of every item for a sign; we only where the
   standard has one (an energy of 800000.00 kWh and more is a negative one to it).
5. *Digits that are none*: it makes a number of them where Python can read one; we say invalid.

Its meter is asked in ``test_witness_meter.py`` (6 to 9), its client is answered in
``test_witness_client.py`` (10 to 18); the second witness is in ``test_witness_python_dlt645.py``.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from dlt645.common.transform import bcd_to_float, float_to_bcd
from dlt645.protocol.protocol import DLT645Protocol
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import Deframer, Frame, decode, dictionary, encode
from tests.wire.dlt645 import strategies as of

_SIGNED = {"XX.XXXX": 0x02030000, "XXX.XXX": 0x02020100, "XXXXXX.XX": 0x00000000}
_UNSIGNED = {"XXXXXX.XX": 0x00010000, "XXX.X": 0x02010100, "XX.XX": 0x02800002}


def _theirs(octets: bytes) -> Frame | None:
    """Their first frame, as one of ours (disagreement 1 is undone here)."""
    _, found = DLT645Protocol.deserialize_with_remaining(octets)
    if found is None:
        return None
    control = found.ctrl_code
    return Frame(
        address=bytes(found.addr)[::-1].hex().upper(),
        function=control & 0x1F,
        data=bytes(found.data),
        from_meter=control & 0x80 != 0,
        abnormal=control & 0x40 != 0,
        has_following=control & 0x20 != 0,
    )


@given(frame=of.frames, preamble=st.integers(0, 9))
def test_it_reads_what_we_send(frame: Frame, preamble: int) -> None:
    """A foreign meter would not understand our requests."""
    assert frame == _theirs(encode(frame, preamble=preamble))


@given(frame=of.frames, preamble=st.integers(0, 4))
def test_we_read_what_it_sends(frame: Frame, preamble: int) -> None:
    """We would not understand a foreign meter's answers."""
    address = bytes.fromhex(frame.address)[::-1]
    octets = bytes(DLT645Protocol.build_frame(address, frame.control, frame.data, preamble))
    assert frame == decode(octets)
    assert encode(frame, preamble=preamble) == octets


@given(before=of.noise, frame=of.frames)
def test_we_agree_on_what_comes_out_of_noise(before: bytes, frame: Frame) -> None:
    """One of the two would see a frame that is none, or miss one that is."""
    octets = before + encode(frame)
    ours, theirs = Deframer().feed(octets), _theirs(octets)
    if theirs is None:
        return  # disagreement 2; what we give then is checked below
    assert theirs == ours[0] or len(ours) > 1, "it may have taken an outer frame: disagreement 2"


def test_where_it_waits_we_may_be_ahead() -> None:
    """Disagreement 2 is real, and ours is the useful side of it."""
    frame = Frame(address="000000000161", function=0x11, data=bytes(4))
    octets = bytes.fromhex("68121212121212 68 91 C8") + encode(frame)
    assert _theirs(octets) is None
    assert [frame] == Deframer().feed(octets)


def _ours(di: int, raw: bytes) -> tuple[Decimal | None, str | None]:
    entry = dictionary().by_di(di)
    assert entry is not None
    (value,) = entry.decode(raw)
    return value.value, value.problem


@given(shape=st.sampled_from(sorted(_SIGNED)), raw=st.binary(min_size=4, max_size=4))
def test_signed_numbers_agree(shape: str, raw: bytes) -> None:
    """Either of us would be wrong by a digit, a point or a sign."""
    octets = raw[: shape.count("X") // 2]
    value, problem = _ours(_SIGNED[shape], octets)
    if problem is None:
        assert float(str(value)) == bcd_to_float(octets, shape, "little")


@given(shape=st.sampled_from(sorted(_UNSIGNED)), digits=st.integers(0, 99_999_999))
def test_unsigned_numbers_agree_below_the_sign_bit(shape: str, digits: int) -> None:
    """Either of us would be wrong by a digit or a point."""
    size = shape.count("X") // 2
    number = digits % 10 ** (2 * size)
    raw = bytes.fromhex(f"{number:0{2 * size}d}")[::-1]
    value, problem = _ours(_UNSIGNED[shape], raw)
    assert problem is None
    if raw[-1] < 0x80:  # disagreement 4
        assert float(str(value)) == bcd_to_float(raw, shape, "little")
        assert raw == bytes(float_to_bcd(float(str(value)), shape, "little"))


def test_a_large_energy_is_not_negative() -> None:
    """Disagreement 4: the standard gives this item no sign, and the decided reading is ours."""
    raw = bytes.fromhex("00000080")
    assert (Decimal("800000.00"), None) == _ours(0x00010000, raw)
    assert bcd_to_float(raw, "XXXXXX.XX", "little") <= 0


@pytest.mark.parametrize("raw", ["1600009A", "00000E00"])
def test_digits_that_are_none_are_no_number(raw: str) -> None:
    """Disagreement 5: it gives something (or fails); we say that there is no number."""
    assert _ours(0x00010000, bytes.fromhex(raw)) == (None, "invalid-bcd")
