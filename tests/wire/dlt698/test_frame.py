"""The link frame: fast path against declaration, round trips, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt698.link.address import ANY, ServerAddress
from meterwire.dlt698.link.frame import (
    FRAME_OCTETS_MAX,
    LENGTH_MAX,
    PREAMBLE_MAX,
    Frame,
    checks,
    decode,
    encode,
    overhead_octets,
)
from meterwire.dlt698.link.frame_declaration import reference_decode, reference_encode
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.primitives.fcs16 import check_octets, register
from tests.support.damage import replaced
from tests.wire.dlt698 import strategies as of

_METER = ServerAddress("000000000001")
_READ = bytes.fromhex("6817004345AAAAAAAAAAAA005B4F050125400102 00000A9216")
_ENERGY = bytes.fromhex("68170043050100000000001026F60501010010020000FE1916")
_SCRAMBLED = bytes.fromhex("6817004B050200000000001082213834487333353333387816")


def _request(user_data: bytes = b"", *, server: ServerAddress = _METER, client: int = 0) -> Frame:
    return Frame(server=server, client=client, user_data=user_data, from_server=False, started_by_client=True)


def test_a_published_frame_is_read_field_by_field() -> None:
    """The simplest request of all would be misread."""
    expected = _request(bytes.fromhex("0501254001020000"), server=ANY)
    assert expected == decode(b"\xfe\xfe" + _READ)
    assert b"\xfe\xfe" + _READ == encode(expected, preamble=2)
    assert expected.control == 0x43


def test_a_published_scrambled_frame_is_read_in_the_clear() -> None:
    """Traffic of carrier modules would be nonsense."""
    frame = decode(_SCRAMBLED)
    assert frame.scrambled
    assert bytes.fromhex("0501154000020000") == frame.user_data
    assert _SCRAMBLED == encode(frame)


@given(frame=of.frames, preamble=st.integers(0, PREAMBLE_MAX))
def test_what_is_sent_is_what_is_received(frame: Frame, preamble: int) -> None:
    """One codec plays both roles: a field that does not survive would differ between them."""
    octets = encode(frame, preamble=preamble)
    assert frame == decode(octets)
    assert preamble + overhead_octets(frame.server) + len(frame.user_data) == len(octets)


@given(frame=of.frames, preamble=st.integers(0, PREAMBLE_MAX))
def test_the_fast_path_builds_what_the_declaration_builds(frame: Frame, preamble: int) -> None:
    """The fast path would send something the declared frame is not."""
    assert reference_encode(frame, preamble=preamble) == encode(frame, preamble=preamble)


def _frame_or_none(octets: bytes, *, reference: bool) -> Frame | None:
    try:
        return reference_decode(octets) if reference else decode(octets)
    except RemoteProtocolError:
        return None


@given(frame=of.frames, place=st.integers(0, 400), octet=st.integers(0, 255))
def test_the_fast_path_accepts_what_the_declaration_accepts(frame: Frame, place: int, octet: int) -> None:
    """A damaged frame would pass one of the two and not the other."""
    damaged = replaced(encode(frame, preamble=2), place, octet)
    assert _frame_or_none(damaged, reference=True) == _frame_or_none(damaged, reference=False)


@given(of.noise)
def test_any_octets_give_a_frame_or_a_refusal(octets: bytes) -> None:
    """Rubbish from the line must never raise anything else."""
    assert _frame_or_none(octets, reference=True) == _frame_or_none(octets, reference=False)
    with pytest.raises(RemoteProtocolError):
        decode(b"\x00" + octets)


@given(header=st.binary(min_size=3, max_size=22), data=st.binary(max_size=30))
def test_good_checks_around_anything_give_a_frame_or_a_refusal(header: bytes, data: bytes) -> None:
    """A header that contradicts itself, with right checks, would pass one path and not the other."""
    header = (len(header) + len(data) + 6).to_bytes(2, "little") + header
    header += check_octets(register(header))
    octets = b"h" + header + data + check_octets(register(header + data)) + b"\x16"
    assert _frame_or_none(octets, reference=True) == _frame_or_none(octets, reference=False)


@pytest.mark.parametrize(
    ("octets", "kind", "offset"),
    [
        ("", "short", 0),
        ("FEFE", "short", 2),
        ("69170043050100000000001026F60501010010020000FE1916", "start", 0),
        ("681700", "short", 3),
        ("FE68170043050100000000001026F60501", "length", 2),
        ("68174043050100000000001026F60501010010020000FE1916", "length", 1),
        ("68178043050100000000001026F60501010010020000FE1916", "length", 1),
        ("681700430F0100000000001026F60501010010020000FE1916", "length", 4),
        ("68170043050100000000001026F60501010010020000FE1915", "end", 24),
        ("68170043050100000000001026F60501010010020000FE191600", "trailing", 25),
        ("68170043050100000000001027F60501010010020000FE1916", "hcs", 12),
        ("68170043050100000000001126F60501010010020000FE1916", "hcs", 12),
        ("68170043050100000000001026F60501010010020000FF1916", "fcs", 22),
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
        (_request(server=ServerAddress("1")), 0),
        (_request(server=ServerAddress("")), 0),
        (_request(server=ServerAddress("0G")), 0),
        (_request(server=ServerAddress("00" * 17)), 0),
        (_request(server=ServerAddress("01", logical=4)), 0),
        (_request(client=256), 0),
        (_request(client=-1), 0),
        (_request()._replace(function=8), 0),
        (_request()._replace(function=-1), 0),
        (_request(bytes(LENGTH_MAX - 14)), 0),
        (_request(), PREAMBLE_MAX + 1),
        (_request(), -1),
    ],
)
def test_an_illegal_frame_is_not_built(frame: Frame, preamble: int) -> None:
    """A mistake of ours would reach the line instead of our log."""
    with pytest.raises(LocalProtocolError):
        encode(frame, preamble=preamble)


def test_the_longest_frame_goes_both_ways() -> None:
    """The frame at the limit of L would be cut or refused."""
    frame = _request(bytes(LENGTH_MAX - 15))
    octets = encode(frame)
    assert FRAME_OCTETS_MAX == len(octets)
    assert frame == decode(octets) == reference_decode(octets)
    assert octets == reference_encode(frame)


def _in_kilobytes(count: int, unit: int = 0x4000) -> bytes:
    header = (count | unit).to_bytes(2, "little") + bytes.fromhex("43050100000000001 0".replace(" ", ""))
    header += check_octets(register(header))
    body = header + bytes(count * 1024 - len(header) - 2)
    return b"h" + body + check_octets(register(body)) + b"\x16"


def test_kilobytes_are_taken_by_option_only_and_never_sent() -> None:
    """A unit nobody is sure of would change the length of frames unasked."""
    octets = _in_kilobytes(2)
    with pytest.raises(RemoteProtocolError, match="bits 14 and 15"):
        decode(octets)
    frame = decode(octets, kilobytes=True)
    assert bytes(2 * 1024 - 15) == frame.user_data
    assert 2050 == len(encode(frame))
    assert frame == decode(encode(frame))
    assert checks(octets).in_kilobytes
    for refused in (_in_kilobytes(2, 0x8000), _in_kilobytes(16), octets + b"\x00", octets[:-1]):
        with pytest.raises(RemoteProtocolError):
            decode(refused, kilobytes=True)


def test_the_remaining_fields_are_told() -> None:
    """People who look at a frame could not see its checks."""
    assert (2, 23, False, 0xF626, 0x19FE, 16) == checks(b"\xfe\xfe" + _ENERGY)
