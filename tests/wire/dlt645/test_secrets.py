"""Which octets of the wire are secret: whole frames, broken frames, many frames, rubbish."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import AbnormalReply, Frame, Message, ReadReply, ReadRequest, decode, encode, to_frame
from meterwire.dlt645.link.functions import EDITIONS, Edition
from meterwire.dlt645.messages.clears_and_freezes import FreezeRequest
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.messages import ReadFollowingReply
from meterwire.dlt645.messages.secrets import secret_ranges, secret_spans
from meterwire.errors import RemoteProtocolError
from tests.support.secret_messages import messages
from tests.wire.dlt645 import strategies as of

_ME, _OTHER = "000000000161", "000000000162"
_READING: dict[Edition, Frame] = {
    "dlt645-2007": to_frame(ReadRequest(address=_ME, di=0x00010000)),
    "dlt645-1997": to_frame(ReadRequest(address=_ME, di=0x9010), "dlt645-1997"),
}


_SECRET = messages(Random(1))
_IDS = [f"{of[-4:]}-{type(message).__name__}-{n}" for n, (of, message) in enumerate(_SECRET)]
_every_secret = pytest.mark.parametrize(("edition", "message"), _SECRET, ids=_IDS)


def _places(octets: bytes, edition: Edition) -> set[int]:
    """Where the secrets stand in one whole frame, by its fields; no preamble."""
    spans = secret_spans(decode(octets), edition)
    return {place for first, after in spans for place in range(10 + first, 10 + after)}


def _hidden(octets: bytes, edition: Edition, reading: Frame | None = None) -> set[int]:
    ranges = secret_ranges(octets, edition, reading=reading)
    end = 0
    for first, after in ranges:
        assert end <= first < after <= len(octets)
        end = after
    return {place for first, after in ranges for place in range(first, after)}


@_every_secret
def test_in_a_whole_frame_the_secrets_and_their_checksum_are_hidden(
    edition: Edition, message: Message
) -> None:
    """The trace would hold a password, or its sum; or hide what has to be seen."""
    octets = encode(to_frame(message, edition))
    secret = _places(octets, edition) | {len(octets) - 2}
    assert len(secret) >= 4
    for reading in (None, _READING[edition]):
        assert secret == _hidden(octets, edition, reading)
    shifted = {place + 4 for place in secret}
    assert shifted == _hidden(b"\xfe" * 4 + octets, edition, _READING[edition])
    assert shifted == _hidden(b"\xfe" * 4 + octets, "dlt645-2007") or edition == "dlt645-1997"


@_every_secret
def test_around_a_frame_others_change_nothing(edition: Edition, message: Message) -> None:
    """An echo, another master's frame or an answer behind it would bring the password to light."""
    octets = encode(to_frame(message, edition))
    answer = encode(to_frame(ReadReply(address=_ME, di=0x00010000, data=bytes(4))))
    ack = encode(to_frame(Acknowledgement(address=_OTHER, function=0x14)))
    before = answer + b"\xfe\xfe" + ack
    secret = {len(before) + place for place in _places(octets, edition) | {len(octets) - 2}}
    assert secret == _hidden(before + octets + ack + answer, edition, _READING[edition])
    twice = {place + len(before) + len(octets) for place in _places(octets, edition) | {len(octets) - 2}}
    assert secret | twice == _hidden(before + octets + octets, edition, _READING[edition])


_DAMAGES: list[Callable[[bytes, int], tuple[bytes, int]]] = [
    lambda octets, at: (octets[:at], 0),
    lambda octets, at: (octets[at:], -at),
    *(
        (lambda octets, at, bit=bit: (octets[:at] + bytes((octets[at] ^ 1 << bit,)) + octets[at + 1 :], 0))
        for bit in range(8)
    ),
]


@_every_secret
def test_a_broken_frame_hides_all_that_may_be_secret(edition: Edition, message: Message) -> None:
    """A lost or flipped octet would bring the password to light: cut at each octet, each bit flipped."""
    octets = encode(to_frame(message, edition))
    secret = _places(octets, edition)
    for at in range(len(octets)):
        for damage in _DAMAGES:
            stream, shift = damage(octets, at)
            left = {place + shift for place in secret if 0 <= place + shift < len(stream)}
            for before in (b"", b"\xfe\xfe", encode(to_frame(ReadRequest(address=_ME, di=1)))):
                moved = {len(before) + place for place in left}
                assert moved <= _hidden(before + stream, edition, _READING[edition]), (at, stream.hex())


@pytest.mark.parametrize(
    "message",
    [
        ReadRequest(address=_ME, di=0x00010000),
        ReadReply(address=_ME, di=0x00010000, data=bytes.fromhex("26000000")),
        ReadFollowingReply(address=_ME, di=0x0001FF00, data=b"hh", sequence=1, has_following=True),
        AbnormalReply(address=_ME, function=0x14, error_word=b"\x04"),
        FreezeRequest(address=_ME, pattern="99999999"),
        Acknowledgement(address=_ME, function=0x1C, execution_word=b"\x04\x00"),
    ],
    ids=lambda message: type(message).__name__,
)
def test_what_holds_no_secret_is_shown_whole(message: Message) -> None:
    """People who look into a fault would look at stars."""
    octets = b"\xfe\xfe" + encode(to_frame(message))
    assert () == secret_ranges(octets)
    assert () == secret_ranges(octets + octets, reading=_to(_ME))


def _to(address: str, di: int = 0x00010000) -> Frame:
    return to_frame(ReadRequest(address=address, di=di))


def test_a_damaged_answer_of_the_meter_that_is_read_is_shown_and_no_other() -> None:
    """The one frame that people want to look at would be hidden, or a neighbour's password shown."""
    answer = b"\xfe" + encode(to_frame(ReadReply(address=_ME, di=0x00010000, data=bytes(4))))
    for at in range(10, len(answer)):
        assert () == secret_ranges(answer[:at], reading=_to(_ME))
        assert (len(answer[:at]) and ((0, at),)) == secret_ranges(answer[:at], reading=_to(_OTHER))
    flipped = answer[:15] + b"\x00" + answer[16:]
    assert () == secret_ranges(flipped, reading=_to(_ME))
    assert ((len(answer), len(answer) + 3),) == secret_ranges(
        flipped + b"abc", reading=_READING["dlt645-2007"]
    )
    many = ("AAAAAAAAAAAA", "AAAAAAAA0161", "999999999999")
    others = [_to(_ME)._replace(address=address) for address in many]
    for reading in (*others, _to(_ME, 0x00020000), None):
        assert ((0, len(answer)),) == secret_ranges(flipped, reading=reading)
    password = encode(to_frame(ReadReply(address=_ME, di=0x04000C02, data=bytes(4))))
    assert ((0, len(password) - 1),) == secret_ranges(password[:-1], reading=_to(_ME, 0x04000C02))


@given(octets=of.noise, frame=of.frames, edition=st.sampled_from(EDITIONS), reading=of.frames)
def test_any_octets_have_ranges(octets: bytes, frame: Frame, edition: Edition, reading: Frame) -> None:
    """A foreign node's rubbish would stop the line, or be shown though nobody knows what it is."""
    stream = octets + encode(frame) + octets
    _hidden(stream, edition, reading)
    _hidden(octets, edition, _READING[edition])
    assert _hidden(b"rubbish", edition, _READING[edition]) == set(range(7))


@_every_secret
def test_errors_and_reprs_hold_no_secret(edition: Edition, message: Message) -> None:
    """A log line, a traceback or a debugger's view would hold the password."""
    octets = encode(to_frame(message, edition))
    frame = decode(octets)
    shown = [repr(message), repr(frame), str(frame)]
    for at in range(len(octets)):
        with pytest.raises(RemoteProtocolError) as refused:
            decode(octets[:at])
        shown += [
            str(refused.value),
            repr(refused.value),
            repr(vars(refused.value)),
            f"{refused.value.octets}",
        ]
    text = "\n".join(shown)
    for first, after in secret_spans(frame, edition):
        if not any(frame.data[first:after]):
            continue  # no password under level 98H
        for secret in (frame.data[first:after], octets[10 + first : 10 + after]):
            for form in (secret, secret[::-1]):
                assert form.hex() not in text.lower()
                assert repr(form)[2:-1] not in text
