"""Somebody else's DL/T 645 (PyPI ``dlt645``) and ours on the same octets.

Disagreements that are tolerated, one by one; anything else fails:

1. *Address order*: it keeps the address as it stands on the wire, lowest pair first.
2. *A frame behind an incomplete one*: it waits for the octets that a false start asks for; we give the
   frame that is complete first (``test_where_it_waits_we_may_be_ahead``).
3. *Numbers are floats*: compared as the nearest float.
4. *The sign of unsigned items*: it takes the top bit of every item for a sign; we only where the
   standard has one (an energy of 800000.00 kWh and more is a negative one to it).
5. *Digits that are none*: it makes a number of them where Python can read one; we say invalid.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from dlt645.common.transform import bcd_to_float, float_to_bcd
from dlt645.model.data.define import DIMap
from dlt645.model.types.dlt645_type import Demand
from dlt645.protocol.protocol import DLT645Protocol
from dlt645.service.clientsvc.client_service import MeterClientService
from dlt645.service.serversvc.server_service import MeterServerService
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import (
    AbnormalReply,
    Deframer,
    Frame,
    ReadReply,
    ReadRequest,
    ReadSession,
    decode,
    dictionary,
    encode,
    to_frame,
)
from meterwire.errors import RemoteProtocolError
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


# --- its meter, asked by our session ------------------------------------------------------------
#
# More disagreements that are tolerated:
#
# 6. *Coefficients and limits* (04 00 0D, 04 00 0E): it sends the point as an octet of its own.
# 7. *Event records* of the kinds in RECORDS_APART: other lengths than the reference gives;
#    the holidays' record (03 30 08) it does not answer at all.

_METER = "000000000161"
_POINT_SENT = {*range(0x04000D01, 0x04000D0D), *range(0x04000E01, 0x04000E05)}
RECORDS_APART = {
    (0x01, -1),
    (0x02, -1),
    (0x03, -1),
    (0x04, -1),
    (0x05, -1),
    (0x07, -1),
    (0x08, -1),
    (0x09, -1),
    (0x0A, -1),
    (0x0B, -1),
    (0x0C, -1),
    (0x0D, -1),
    (0x0E, -1),
    (0x0F, -1),
    (0x10, -1),
    (0x12, -1),
    (0x30, 0x01),
    (0x30, 0x08),
    (0x30, 0x0D),
    (0x30, 0x0E),
}


def _asked(server: MeterServerService, di: int) -> ReadReply | AbnormalReply | None:
    session = ReadSession(ReadRequest(address=_METER, di=di))
    answer = server.handle_request(DLT645Protocol.deserialize(session.octets_to_send()))
    session.feed(bytes(answer))
    return session.reply


@pytest.fixture(scope="module")
def server() -> MeterServerService:
    return MeterServerService(None, bytearray.fromhex("610100000000"))


def _within(shape: str) -> Decimal:
    """A value that fits any item of that format (a power factor is at most 1)."""
    return Decimal("0.1234").quantize(Decimal(1).scaleb(-len(shape.partition(".")[2])))


@pytest.mark.parametrize("first", [0x00, 0x02])
def test_its_registers_and_variables_are_read_as_it_keeps_them(
    server: MeterServerService, first: int
) -> None:
    """A whole class of identifiers would be read wrongly, all the same way in meter and head-end of ours."""
    items = {di: item for di, item in DIMap.items() if di >> 24 == first}
    for di, item in items.items():
        kept = _within(item.data_format)
        assert (server.set_00 if first == 0 else server.set_02)(di, float(kept))
        reply, entry = _asked(server, di), dictionary().by_di(di)
        assert entry is not None, f"{di:08X}"
        assert isinstance(reply, ReadReply), f"{di:08X}"
        assert [kept] == [value.value for value in entry.decode(reply.data)], f"{di:08X}"
    assert len(items) > 150


def test_its_demands_are_read_as_it_keeps_them(server: MeterServerService) -> None:
    """A demand or its time would be read from the wrong octets."""
    items = [di for di in DIMap if di >> 24 == 0x01 and di & 0xFF in {0, 1, 12}]
    for di in items:
        server.set_01(di, Demand(value=1.2345, time=datetime(2026, 9, 8, 14, 25)))  # noqa: DTZ001
        reply, entry = _asked(server, di), dictionary().by_di(di)
        assert entry is not None, f"{di:08X}"
        assert isinstance(reply, ReadReply), f"{di:08X}"
        assert ["1.2345", "2026-09-08 14:25"] == [value.text for value in entry.decode(reply.data)]
    assert len(items) > 1500


@pytest.mark.parametrize("first", [0x03, 0x04])
def test_its_parameters_and_events_have_our_lengths(server: MeterServerService, first: int) -> None:
    """A parameter or a record would be refused for its length, or taken for another."""
    apart = set()
    for di in DIMap:
        if di >> 24 != first:
            continue
        reply, entry = _asked(server, di), dictionary().by_di(di)
        assert entry is not None, f"{di:08X}"
        try:
            entry.decode(reply.data if isinstance(reply, ReadReply) else b"")
        except RemoteProtocolError:
            apart.add(di)
    if first == 0x04:
        assert apart == _POINT_SENT
    else:
        assert {
            (di >> 16 & 0xFF, di >> 8 & 0xFF if di >> 16 & 0xFF == 0x30 else -1) for di in apart
        } == RECORDS_APART


def test_its_client_reads_our_meter() -> None:
    """Other people's head-ends would not understand our simulated meter."""
    client = MeterClientService(None)
    client.address = bytearray.fromhex("610100000000")
    for item, value in (
        ("forward_active_energy", "123456.78"),
        ("voltage.a", "220.1"),
        ("active_power", "-0.3412"),
    ):
        entry = dictionary().by_name(item)
        assert entry is not None
        reply = ReadReply(address=_METER, di=entry.di, data=entry.encode([Decimal(value)]))
        octets = encode(to_frame(reply), preamble=4)
        assert float(value) == client.handle_response(DLT645Protocol.deserialize(octets)).value
