"""The conformance vectors at the link and message layers: in any pieces, and back."""

from __future__ import annotations

from typing import Any

import pytest

from meterwire.errors import RemoteProtocolError
from meterwire.gdw1376.link import module_frame, terminal_frame
from meterwire.gdw1376.link.deframer import MODULE, TERMINAL, Deframer, Grammar
from meterwire.gdw1376.messages import module, terminal
from tests.support.vectors import octets, vectors

_ALL = vectors("gdw1376.jsonl")
_GOOD = [vector for vector in _ALL if "expect" in vector]
_BAD = [vector for vector in _ALL if "error" in vector]


def _of(protocol: str) -> list[dict[str, Any]]:
    """The good ones of a protocol."""
    return [vector for vector in _GOOD if vector["protocol"] == protocol]


def _grammar(vector: dict[str, Any]) -> Grammar:
    return TERMINAL if vector["protocol"] == "gdw1376.1" else MODULE


def _fed(vector: dict[str, Any], stream: bytes, size: int) -> list[bytes]:
    deframer = Deframer(_grammar(vector))
    places = range(0, len(stream), size)
    return [one.octets for at in places for one in deframer.feed(stream[at : at + size])]


def _lengths(vector: dict[str, Any]) -> list[int]:
    frames = vector["expect"].get("frames") or [vector["expect"]]
    overhead = terminal_frame.OVERHEAD_OCTETS
    return [frame["user_len"] + overhead if "user_len" in frame else frame["length"] for frame in frames]


def test_every_good_vector_is_found_in_its_stream() -> None:
    """A frame that somebody recorded would be missed, whole or octet by octet."""
    assert all(len(_of(protocol)) > 100 for protocol in ("gdw1376.1", "gdw1376.2"))
    for vector in _GOOD:
        stream = octets(vector)
        whole = _fed(vector, stream, len(stream))
        assert _lengths(vector) == [len(one) for one in whole], vector["id"]
        assert whole == _fed(vector, stream, 1), vector["id"]
        assert whole == _fed(vector, stream + stream[:7], len(stream) + 7), vector["id"]


def test_every_message_of_a_terminal_goes_out_as_it_came() -> None:
    """What one side reads would not be what the other side sends."""
    for vector in _of("gdw1376.1"):
        for frame in _fed(vector, octets(vector), 4096):
            assert frame == terminal.encode(terminal.decode(frame)), vector["id"]


def test_every_message_of_a_module_goes_out_as_it_came_but_for_reserved_bits() -> None:
    """What one side reads would not be what the other side sends."""
    for vector in _of("gdw1376.2"):
        for octets_ in _fed(vector, octets(vector), 4096):
            frame = module_frame.decode(octets_)
            message = module.from_frame(frame)
            assert frame == module_frame.decode(module_frame.encode(message.frame)), vector["id"]
            assert message.fields is not None, vector["id"]
            values = message.values
            known = message.function
            if values and known and known.layout:
                built = known.layout.build(values)
                assert frame.data == built + message.rest, vector["id"]


@pytest.mark.parametrize("vector", _BAD, ids=[vector["id"] for vector in _BAD])
def test_bad_frames_are_refused_for_the_reason_that_is_known(vector: dict[str, Any]) -> None:
    """A damaged answer would become a reading."""
    stream = octets(vector)
    assert _fed(vector, stream, len(stream)) == _fed(vector, stream, 1) == []
    decode = terminal_frame.decode if _grammar(vector) is TERMINAL else module_frame.decode
    with pytest.raises(RemoteProtocolError) as refused:
        decode(stream)
    assert vector["error"] == refused.value.kind
