"""The link layers of 1376.1 and 1376.2: frames both ways, their limits, and why octets are refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.link import declarations, module_frame, terminal_frame, unit_ids
from meterwire.gdw1376.link.auxiliary import Auxiliary, TimeTag, joined, split
from meterwire.gdw1376.link.module_frame import Addresses, DownInfo, UpInfo
from meterwire.gdw1376.link.terminal_frame import Address, Frame
from tests.wire.gdw1376 import made

_seeds = st.integers(0, 2**32)
_LOGIN = bytes.fromhex("683200320068C903440400000271000001008816")
_QUERY = bytes.fromhex("680F0043000000B00400030100FB16")
_TERMINAL = Frame(
    address=Address("4403", 4), afn=0x0C, from_terminal=False, started=True, function=11, sequence=1
)
_MODULE = module_frame.Frame(info=DownInfo(1), afn=3, dt=b"\x01\x00")


@given(_seeds)
def test_a_frame_of_a_terminal_comes_back(seed: int) -> None:
    """A field would arrive as another one."""
    frame = made.terminal(Random(seed))
    octets = terminal_frame.encode(frame)
    assert frame == terminal_frame.decode(octets, wide=frame.address.is_wide)
    assert terminal_frame.user_octets(octets) + terminal_frame.OVERHEAD_OCTETS == len(octets)


@given(_seeds)
def test_a_frame_of_a_module_comes_back(seed: int) -> None:
    """A field would arrive as another one."""
    frame = made.module(Random(seed))
    octets = module_frame.encode(frame)
    assert frame == module_frame.decode(octets)
    assert frame.data == octets[module_frame.data_at(octets, 0) : -2]


@given(_seeds)
def test_the_fast_path_of_a_terminal_is_what_is_declared(seed: int) -> None:
    """It would send or read something that the declared frame is not."""
    frame = made.terminal(Random(seed))
    octets = terminal_frame.encode(frame)
    assert declarations.terminal_octets(frame) == octets
    assert frame == declarations.terminal_frame_of(octets, wide=frame.address.is_wide)


@given(_seeds)
def test_the_fast_path_of_a_module_is_what_is_declared(seed: int) -> None:
    """It would send or read something that the declared frame is not."""
    frame = made.module(Random(seed))
    octets = module_frame.encode(frame)
    assert declarations.module_octets(frame) == octets
    assert frame == declarations.module_frame_of(octets)


def _or_none(decode: Callable[[bytes], object], octets: bytes) -> object:
    try:
        return decode(octets)
    except RemoteProtocolError:
        return None


@given(st.binary(max_size=60))
def test_both_paths_take_the_same_octets_between_a_right_head_and_tail(octets: bytes) -> None:
    """A damaged frame, or one with reserved bits, would pass one of the two and not the other."""
    of_module, of_terminal = _framed(octets, True), _framed(octets, False)
    assert _or_none(declarations.module_frame_of, of_module) == _or_none(module_frame.decode, of_module)
    for wide in (False, True):
        declared = partial(declarations.terminal_frame_of, wide=wide)
        by_hand = partial(terminal_frame.decode, wide=wide)
        assert _or_none(declared, of_terminal) == _or_none(by_hand, of_terminal)


@given(st.binary(max_size=60), st.booleans())
def test_any_octets_are_a_frame_or_refused(octets: bytes, behind_a_head: bool) -> None:
    """Rubbish on the line would end the daemon."""
    for decode in (terminal_frame.decode, module_frame.decode):
        whole = _framed(octets, decode is module_frame.decode) if behind_a_head else octets
        try:
            decode(whole)
        except RemoteProtocolError as error:
            assert error.kind
            assert error.offset is not None
            assert 0 <= error.offset <= len(whole)


def _framed(octets: bytes, of_module: bool) -> bytes:
    """The octets between a right head and a right tail."""
    tail = bytes((sum(octets) & 0xFF, 0x16))
    if of_module:
        return b"h" + (len(octets) + 5).to_bytes(2, "little") + octets + tail
    return b"h" + (len(octets) << 2 | 2).to_bytes(2, "little") * 2 + b"h" + octets + tail


_FAULTS = {
    "": "no-frame",
    "00": "no-frame",
    "6832": "truncated",
    "683200320000C903440400000271000001008816": "second-start",
    "683200360068C903440400000271000001008816": "length",
    "683300330068C903440400000271000001008816": "length",
    "681A001A0068C90344040000E416": "length",
    "683200320068C90344040000027100": "truncated",
    "683200320068C903440400000271000001008817": "end",
    "683200320068C903440400000271000001008916": "checksum",
    "683200320068C90344040000027100000100881600": "length",
}


_MODULE_FAULTS = {
    "": "no-frame",
    "680F": "truncated",
    "680E0043000000B00400030100FB16": "length",
    "68100043000000B00400030100FB16": "truncated",
    "680F0043000000B00400030100FB17": "end",
    "680F0043000000B00400030100FC16": "checksum",
    "680F0043000000B00400030100FB1600": "length",
    "680F0043040000B00400030100FF16": "length",
}


@pytest.mark.parametrize(
    ("decode", "text", "kind"),
    [
        *((terminal_frame.decode, *fault) for fault in _FAULTS.items()),
        *((module_frame.decode, *fault) for fault in _MODULE_FAULTS.items()),
    ],
)
def test_a_refused_frame_says_why(decode: Callable[[bytes], object], text: str, kind: str) -> None:
    """An operator would look for the fault at the wrong end of the line."""
    with pytest.raises(RemoteProtocolError) as refused:
        decode(bytes.fromhex(text))
    assert kind == refused.value.kind


def test_the_longest_frames_can_be_sent_and_longer_ones_not() -> None:
    """A length would wrap around and the frame be read as another."""
    longest = _TERMINAL._replace(body=bytes(terminal_frame.BODY_OCTETS_MAX))
    assert terminal_frame.FRAME_OCTETS_MAX == len(terminal_frame.encode(longest))
    with pytest.raises(LocalProtocolError, match="the limit is 16383"):
        terminal_frame.encode(longest._replace(body=longest.body + b"\0"))
    room = module_frame.FRAME_OCTETS_MAX - module_frame.OVERHEAD_OCTETS
    assert module_frame.FRAME_OCTETS_MAX == len(module_frame.encode(_MODULE._replace(data=bytes(room))))
    with pytest.raises(LocalProtocolError, match="the limit is 65535"):
        module_frame.encode(_MODULE._replace(data=bytes(room + 1)))


@pytest.mark.parametrize(
    "change",
    [
        {"address": Address("44", 4)},
        {"address": Address("44G3", 4)},
        {"address": Address("4403", 65536)},
        {"address": Address("4403", 4, 128)},
        {"address": Address("440300", 4, 0, True)},
        {"afn": 256},
        {"function": 16},
        {"sequence": 16},
        {"protocol_id": 3},
    ],
)
def test_a_field_out_of_range_is_not_sent_to_a_terminal(change: dict[str, object]) -> None:
    """The next field would be changed with it."""
    with pytest.raises(LocalProtocolError):
        terminal_frame.encode(_TERMINAL._replace(**change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        {"info": DownInfo(256)},
        {"info": DownInfo(0, rate=0x8000)},
        {"info": DownInfo(0, relay_level=16)},
        {"info": UpInfo(0, answer_quality=16)},
        {"mode": 64},
        {"dt": b"\x01"},
        {"addresses": Addresses("1", "0" * 12)},
        {"addresses": Addresses("0" * 12, "0" * 12, ("0" * 12,) * 16)},
        {"info": UpInfo(0), "addresses": Addresses("0" * 12, "0" * 12, ("0" * 12,))},
    ],
)
def test_a_field_out_of_range_is_not_sent_to_a_module(change: dict[str, object]) -> None:
    """The next field would be changed with it."""
    with pytest.raises(LocalProtocolError):
        module_frame.encode(_MODULE._replace(**change))  # type: ignore[arg-type]


def test_reserved_bits_of_r_are_not_compared() -> None:
    """Modules that put rubbish there could not be read."""
    captured = bytes.fromhex("68130083F8F00000FE00031000210100009E16")
    info = module_frame.decode(captured).info
    assert UpInfo(0, relay_level=15) == info


_DT = {1: "0100", 4: "0800", 10: "0201", 16: "8001", 21: "1002", 111: "400D", 161: "0114", 248: "801E"}
_DA = {0: "0000", 1: "0101", 8: "8001", 9: "0102", 2040: "80FF", 65535: "FF00"}


@pytest.mark.parametrize(("fn", "text"), _DT.items())
def test_functions_are_named_as_the_spec_does(fn: int, text: str) -> None:
    """Another function would be asked for."""
    assert bytes.fromhex(text) == unit_ids.dt_of((fn,))
    assert (fn,) == unit_ids.functions_of(bytes.fromhex(text))


@pytest.mark.parametrize(("point", "text"), _DA.items())
def test_points_are_named_as_the_spec_does(point: int, text: str) -> None:
    """Another meter would be read, or tripped."""
    assert bytes.fromhex(text) == unit_ids.da_of((point,))
    assert (point,) == unit_ids.points_of(bytes.fromhex(text))


@given(st.binary(min_size=2, max_size=2))
def test_every_identifier_comes_back(octets: bytes) -> None:
    """An answer would be sent for other points than were asked."""
    if points := unit_ids.points_of(octets):
        assert octets == unit_ids.da_of(points)
    if functions := unit_ids.functions_of(octets):
        assert octets == unit_ids.dt_of(functions)


@pytest.mark.parametrize("points", [(), (0, 1), (1, 9), (2041,), (-1,)])
def test_points_that_one_identifier_cannot_name_are_refused(points: tuple[int, ...]) -> None:
    """A command would go to the wrong turn."""
    with pytest.raises(LocalProtocolError):
        unit_ids.da_of(points)


def test_auxiliary_fields_stand_where_the_head_says() -> None:
    """A password would be read as data, and data as a password."""
    tag = TimeTag(3, Moment(day=7, hour=13, minute=53, second=28), 5)
    down = _TERMINAL._replace(afn=0x05, has_time=True)
    fields = Auxiliary(bytes(16), None, tag)
    body = joined(down, b"data", fields)
    assert 4 + 16 + 6 == len(body)
    assert (b"data", fields) == split(down._replace(body=body))
    old = down._replace(protocol_id=1)
    assert 4 + 2 + 6 == len(joined(old, b"data", fields._replace(password=b"\x98\x0a")))
    up = _TERMINAL._replace(from_terminal=True, attention=True)
    counted = Auxiliary(event_counts=(79, 0))
    assert (b"data", counted) == split(up._replace(body=joined(up, b"data", counted)))


@pytest.mark.parametrize(
    ("change", "fields"),
    [
        ({"afn": 0x05}, Auxiliary()),
        ({}, Auxiliary(bytes(16))),
        ({"has_time": True}, Auxiliary()),
        ({"from_terminal": True, "attention": True}, Auxiliary()),
        ({"from_terminal": True, "attention": True}, Auxiliary(event_counts=(256, 0))),
    ],
)
def test_auxiliary_fields_that_the_head_does_not_announce_are_refused(
    change: dict[str, object], fields: Auxiliary
) -> None:
    """A command without its password would be misread by the terminal."""
    with pytest.raises(LocalProtocolError):
        joined(_TERMINAL._replace(**change), b"", fields)  # type: ignore[arg-type]


def test_a_body_shorter_than_its_auxiliary_fields_is_refused() -> None:
    """The octets of the address would be taken for a password."""
    with pytest.raises(RemoteProtocolError) as refused:
        split(_TERMINAL._replace(afn=0x05, body=bytes(15)))
    assert refused.value.kind == "auxiliary"


@pytest.mark.parametrize("frame", [_TERMINAL, _MODULE])
def test_no_frame_shows_its_body_when_printed(frame: Frame | module_frame.Frame) -> None:
    """A password would stand in a log line."""
    field = "body" if isinstance(frame, Frame) else "data"
    assert "secret" not in repr(frame._replace(**{field: b"secret"}))  # type: ignore[arg-type]
    assert "6 octets" in repr(frame._replace(**{field: b"secret"}))  # type: ignore[arg-type]
    assert "secret" not in repr(Auxiliary(b"secret"))
