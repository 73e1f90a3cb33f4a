"""Octets in any pieces, with anything around the frames: every good frame comes out, and only those."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire import dlt645
from meterwire.dlt698.link.address import ANY, ServerAddress
from meterwire.dlt698.link.deframer import Deframer, Found
from meterwire.dlt698.link.frame import FRAME_OCTETS_MAX, Frame, encode
from meterwire.primitives.fcs16 import check_octets, register
from tests.support.damage import DAMAGES
from tests.wire.dlt698 import strategies as of

_METER, _TERMINAL = ServerAddress("000000000001"), ServerAddress("12345678")
_READ = bytes.fromhex("0501010010020000")
_LEFT = Frame(server=ANY, client=16, user_data=_READ, from_server=False, started_by_client=True)
_RIGHT = Frame(
    server=_METER,
    client=16,
    user_data=bytes.fromhex("85010100100200010106000000010000"),
    from_server=True,
    started_by_client=True,
)
_AWKWARD = _RIGHT._replace(
    server=ServerAddress("681616681668"), user_data=bytes.fromhex("6817004345AAAAAA166868FE16") * 3
)
_CARRIED_645 = bytes.fromhex("FEFEFEFE6812907856341268910833333433AB896745CC16")


def _proxied(payload: bytes) -> Frame:
    """A terminal's answer with a frame in its payload."""
    data = bytes.fromhex("890705F201020100 01") + bytes((len(payload),)) + payload + b"\x00\x00"
    return Frame(server=_TERMINAL, client=16, user_data=data, from_server=True, started_by_client=True)


def _fed(octets: bytes, size: int) -> list[Frame]:
    deframer = Deframer()
    found = []
    for index in range(0, len(octets), size):
        found += deframer.feed(octets[index : index + size])
    return found


@given(frames=st.lists(of.frames, max_size=4), preamble=st.integers(0, 9))
def test_frames_in_a_row_all_come_out(frames: list[Frame], preamble: int) -> None:
    """An echo and the answer, or two answers, would become one or none."""
    octets = b"".join(b"\xfe" * preamble + encode(frame) for frame in frames)
    assert frames == _fed(octets, len(octets) or 1)


_pieces = st.lists(of.frames.map(encode) | of.noise, max_size=5).map(b"".join)


@given(pieces=_pieces, size=st.integers(1, 40))
def test_how_the_octets_are_cut_changes_nothing(pieces: bytes, size: int) -> None:
    """The same line would give other readings through another serial server."""
    assert _fed(pieces, len(pieces) or 1) == _fed(pieces, size) == _fed(pieces, 1)


@given(
    inner=st.binary(max_size=3).map(lambda data: _LEFT._replace(server=ServerAddress("01"), user_data=data))
)
def test_a_frame_inside_a_header_is_cut_in_no_two_ways(inner: Frame) -> None:
    """Frames in the address of another one would come out or not as the line happens to cut them."""
    outer = _RIGHT._replace(server=ServerAddress((encode(inner) + bytes(16))[15::-1].hex().upper()))
    octets = encode(outer) + encode(_LEFT)
    whole = _fed(octets, len(octets))
    assert whole == _fed(octets, 1)
    assert _LEFT == whole[-1]


@given(octets=of.noise)
def test_rubbish_never_raises_and_never_piles_up(octets: bytes) -> None:
    """A noisy line would stop its reader, or eat the memory of the gateway."""
    deframer = Deframer()
    for octet in octets * 3:
        deframer.feed(bytes((octet,)))
        assert deframer.pending < FRAME_OCTETS_MAX
    deframer.feed(octets * 50)
    assert deframer.pending < FRAME_OCTETS_MAX
    deframer.give_up()
    assert 0 == deframer.pending
    assert len(octets) * 53 - octets.count(0xFE) * 53 >= deframer.skipped


def _header(length: int) -> bytes:
    octets = length.to_bytes(2, "little") + bytes.fromhex("C305010000000000 10")
    return b"h" + octets + check_octets(register(octets))


def test_memory_is_bounded_at_the_limit() -> None:
    """The longest frame that may still come is kept, one octet of rubbish more is not."""
    deframer = Deframer()
    start = _header(FRAME_OCTETS_MAX - 2)
    deframer.feed(start + bytes(FRAME_OCTETS_MAX - 1 - len(start)))
    assert FRAME_OCTETS_MAX - 1 == deframer.pending
    deframer.feed(b"\x00")
    assert 0 == deframer.pending
    assert FRAME_OCTETS_MAX == deframer.skipped


def test_a_frame_longer_than_was_agreed_is_not_waited_for() -> None:
    """A meter that promises 512 octets could hold up its line with a length of 16 000."""
    longest = _RIGHT._replace(user_data=bytes(512 - 17))
    deframer = Deframer(frame_octets_max=512)
    assert [longest] == deframer.feed(encode(longest))
    assert [] == deframer.feed(encode(longest._replace(user_data=bytes(512 - 16))))
    assert 0 == deframer.pending


def test_a_wrong_header_is_not_waited_for() -> None:
    """A false start with a great length would hold back the answer behind it until the deadline."""
    wrong = bytearray(_header(9000))
    wrong[-1] ^= 1
    deframer = Deframer()
    assert [_RIGHT] == deframer.feed(bytes(wrong) + encode(_RIGHT))
    assert len(wrong) == deframer.skipped


@pytest.mark.parametrize("stray", [b"h", b"hh", b"hhhhh", b"h\x10\x00\xc3\x0f", b"\x16h\x00"])
def test_a_stray_start_delays_nothing(stray: bytes) -> None:
    """An answer would stay unseen until more octets come, which never do."""
    short = _LEFT._replace(server=ServerAddress("01"), user_data=b"")
    for size in (1, 100):
        assert [short] == _fed(stray + encode(short), size)


@pytest.mark.parametrize("frame", [_LEFT, _RIGHT, _AWKWARD, _proxied(_CARRIED_645), _proxied(encode(_RIGHT))])
def test_what_travels_inside_a_good_frame_stays_inside(frame: Frame) -> None:
    """A meter's answer that a terminal passes on would be counted twice, or as the terminal's."""
    octets = b"\xfe\xfe" + encode(frame)
    deframer = Deframer()
    assert [Found(frame, octets[2:], 2)] == [
        found for octet in octets for found in deframer.feed_found(bytes((octet,)))
    ]
    assert [frame, _LEFT] == _fed(octets + encode(_LEFT), 1)
    assert 0 == deframer.skipped


@pytest.mark.parametrize("fault_at", [-1, -2, -5])
def test_a_frame_inside_a_damaged_one_comes_out_under_its_own_address(fault_at: int) -> None:
    """A receiver that trusts position instead of address would take it for the terminal's answer."""
    damaged = bytearray(encode(_proxied(encode(_RIGHT))))
    damaged[fault_at] ^= 1
    assert [_RIGHT] == _fed(bytes(damaged), 1)
    damaged = bytearray(encode(_proxied(_CARRIED_645)))
    damaged[fault_at] ^= 1
    assert [_LEFT] == _fed(bytes(damaged) + encode(_LEFT), 1)


def test_frames_of_645_around_ours_are_dropped() -> None:
    """A line with meters of both kinds could not be read."""
    foreign = dlt645.encode(
        dlt645.Frame(address="123456789012", function=0x11, data=encode(_RIGHT)), preamble=4
    )
    between = _CARRIED_645 + encode(_LEFT) + _CARRIED_645 + encode(_RIGHT) + foreign
    assert [_LEFT, _RIGHT] == _fed(between, 1) == _fed(between, len(between))


@pytest.mark.parametrize("size", [FRAME_OCTETS_MAX, 1], ids=["whole", "octet by octet"])
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda one: one.__name__)
@pytest.mark.parametrize("frame", [_LEFT, _RIGHT, _AWKWARD, _proxied(_CARRIED_645), _proxied(encode(_LEFT))])
def test_a_damaged_frame_never_costs_its_neighbours(
    frame: Frame, damage: Callable[[bytes], Iterator[bytes]], size: int
) -> None:
    """Delete, flip and insert each octet between two good frames: a good answer would be lost."""
    left, right, octets = encode(_LEFT), encode(_RIGHT, preamble=4), encode(frame)
    tried = 0
    for damaged in damage(octets):
        found = _fed(left + damaged + right, size)
        assert (_LEFT, _RIGHT) == (found[0], found[-1]), damaged.hex()
        tried += 1
    assert tried >= len(octets)


def test_every_cut_end_leaves_the_next_frames_alone() -> None:
    """A frame cut short would swallow the answers that follow it."""
    octets = encode(_AWKWARD)
    for size in range(len(octets)):
        deframer = Deframer()
        found = deframer.feed(octets[:size] + encode(_RIGHT)) + deframer.feed(encode(_LEFT))
        assert [_RIGHT, _LEFT] == found + deframer.give_up(), size


def test_giving_up_gives_what_stood_behind_the_false_start() -> None:
    """After a silence, the whole answer behind half a frame would still be waited for."""
    deframer = Deframer()
    half = _header(400)
    assert [] == deframer.feed(half + encode(_RIGHT))
    assert [_RIGHT] == deframer.give_up()
    assert (0, len(half)) == (deframer.pending, deframer.skipped)
    assert [] == deframer.feed(encode(_LEFT)[:11])
    assert [] == deframer.give_up()
    assert [] == deframer.feed(encode(_LEFT)[11:])
    assert [_LEFT] == deframer.feed(encode(_LEFT))


def test_preambles_are_counted_for_each_frame() -> None:
    """The explanation of a capture would show another frame than the one on the line."""
    octets = b"\xfe" * 4 + encode(_LEFT) + b"\x00\xfe\xfe\x00\xfe" + encode(_RIGHT) + encode(_LEFT)
    whole = Deframer()
    assert [4, 1, 0] == [found.preamble for found in whole.feed_found(octets)]
    single = Deframer()
    found = [found for octet in octets for found in single.feed_found(bytes((octet,)))]
    assert [4, 1, 0] == [one.preamble for one in found]
    assert 2 == whole.skipped == single.skipped


def test_kilobytes_are_found_by_option() -> None:
    """A device that counts in kilobytes could not be heard even where the configuration allows it."""
    header = bytes.fromhex("0140C30501000000000010")
    header += check_octets(register(header))
    body = header + bytes(1024 - len(header) - 2)
    octets = b"h" + body + check_octets(register(body)) + b"\x16"
    assert [] == Deframer().feed(octets)
    assert [1024 - 15] == [len(frame.user_data) for frame in Deframer(kilobytes=True).feed(octets)]
