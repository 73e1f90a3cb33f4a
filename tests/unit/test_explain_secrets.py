"""What ``meterlink decode`` shows of damaged frames that hold a password, a key or a MAC."""

from __future__ import annotations

import io
from collections.abc import Callable
from random import Random

import pytest
from rich.console import Console

from meterlink.explain import dlt645
from meterlink.explain.tree import render
from meterwire.dlt645 import Message, decode, encode, to_frame
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.clears_and_freezes import ClearDemandRequest
from meterwire.dlt645.messages.secrets import secret_spans
from meterwire.errors import RemoteProtocolError
from tests.support.secret_messages import messages

_SECRET = messages(Random(1))
_IDS = [f"{of[-4:]}-{type(message).__name__}-{n}" for n, (of, message) in enumerate(_SECRET)]
_every_secret = pytest.mark.parametrize(("edition", "message"), _SECRET, ids=_IDS)

_Placed = list[tuple[int, int]]
"""Octets with the place where each stood before the damage; -1: nowhere."""
_DAMAGES: list[Callable[[_Placed, int], _Placed]] = [
    lambda octets, at: octets[:at],
    lambda octets, at: octets[at:],
    lambda octets, at: octets[:at] + octets[at + 1 :],
    lambda octets, at: [*octets[:at], (-1, 0x68), *octets[at:]],
    *(
        (lambda octets, at, bit=bit: [(one[0], one[1] ^ (one[0] == at) << bit) for one in octets])
        for bit in range(8)
    ),
]


def _shown(octets: bytes, edition: Edition) -> set[int]:
    """Places of the octets that the human form of a refused frame shows without being asked to."""
    parts = dlt645.explain(octets, edition).refused
    return {part.start + index for part in parts if not part.secret for index in range(len(part.octets))}


def _drawn(octets: bytes, edition: Edition) -> str:
    console = Console(width=1000, file=io.StringIO())
    for tree in render(dlt645.explain(octets, edition), "en"):
        console.print(tree)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@_every_secret
def test_a_damaged_frame_shows_no_secret(edition: Edition, message: Message) -> None:
    """A flipped bit of C, or two octets lost in front, would bring a password onto a screenshot."""
    octets = encode(to_frame(message, edition))
    spans = secret_spans(decode(octets), edition)
    secret = {place for first, after in spans for place in range(10 + first, 10 + after)} | {len(octets) - 2}
    for at in range(len(octets)):
        for damage in _DAMAGES:
            placed = damage(list(enumerate(octets)), at)
            stream = bytes(octet for _, octet in placed)
            if dlt645.explain(stream, edition).frames:
                continue  # the whole frame, or one that a reader of the line would take for one
            assert not secret & {placed[one][0] for one in _shown(stream, edition)}, (at, stream.hex())


@pytest.mark.parametrize(("control", "flipped"), [(0x19, 0x11), (0x1A, 0x12), (0x18, 0x08)])
def test_a_flipped_control_octet_brings_nothing_to_light(control: int, flipped: int) -> None:
    """The frame says that it is a read; its checksum says that nothing in it can be believed."""
    clear = ClearDemandRequest(address="000000000161", level=2, password="123456", operator_code="44332211")
    octets = bytearray(encode(to_frame(clear)))
    octets[-2] = (octets[-2] + control - octets[8]) & 0xFF
    octets[8] = flipped
    drawn = _drawn(bytes(octets), "dlt645-2007")
    assert "89 67 45" not in drawn
    assert "add up to" not in drawn, "the sum over a password narrows it down"
    assert "** ** **" in drawn
    assert "61 01 00 00 00 00" in drawn


def test_a_header_that_begins_at_its_second_start_is_no_header() -> None:
    """The password would stand where the address does, as the operator's code gives a third 68H."""
    clear = ClearDemandRequest(address="000000000161", level=2, password="123456", operator_code="22110035")
    octets = encode(to_frame(clear))[7:]
    assert 0x68 == octets[7]
    drawn = _drawn(octets, "dlt645-2007")
    assert "89 67 45" not in drawn
    assert "octets that cannot be told apart" in drawn


_GOOD = bytes.fromhex("6861010000000068910833333433593333338A16")
_REFUSED = [
    _GOOD[:-2] + b"\x00\x16",
    _GOOD[:-1] + b"\x00",
    _GOOD[:5],
    b"\x01\x02" + _GOOD[:-1],
    _GOOD[1:],
    _GOOD[:9] + b"\x02" + _GOOD[10:],
]


@pytest.mark.parametrize("octets", _REFUSED, ids=bytes.hex)
def test_every_octet_of_a_refused_frame_has_its_place(octets: bytes) -> None:
    """Octets would be missing from what somebody compares with a capture."""
    explanation = dlt645.explain(octets)
    assert isinstance(explanation.fault, RemoteProtocolError)
    assert octets == b"".join(part.octets for part in explanation.refused)
    at = 0
    for part in explanation.refused:
        assert at == part.start
        assert part.name.en
        assert part.name.zh
        at += len(part.octets)
