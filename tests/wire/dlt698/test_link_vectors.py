"""The conformance vectors at the link layer: whole, octet by octet, and with octets behind them."""

from __future__ import annotations

from typing import Any

import pytest

from meterwire.dlt698.link.deframer import Deframer, Found
from meterwire.dlt698.link.frame import Frame, checks, decode, encode
from meterwire.dlt698.link.frame_declaration import reference_decode
from meterwire.dlt698.link.segments import Segment, SegmentKind, SegmentReceiver, decode_segment
from meterwire.errors import RemoteProtocolError
from tests.support.batches import in_batches
from tests.support.vectors import octets, vectors

_ALL = vectors("dlt698.jsonl", "dlt698") + vectors("control.jsonl", "dlt698")
_GOOD_LINK = [vector for vector in _ALL if "expect" in vector or vector.get("error") == "apdu"]
_WITH_LINK = [vector for vector in _ALL if "link" in vector.get("expect", {})]
_STREAMS = [vector for vector in _ALL if vector["direction"] == "stream"]
_BAD_LINK = [vector for vector in _ALL if vector.get("error") not in {None, "apdu"}]
_BEHIND = bytes.fromhex("FEFE68")
_NEXT = bytes.fromhex("68170043050100000000001026F60501010010020000FE1916")


def _ids(chosen: list[dict[str, Any]]) -> list[str]:
    return [vector["id"] for vector in chosen]


def _fed(stream: bytes, size: int) -> tuple[list[Found], int]:
    deframer = Deframer()
    found = [one for at in range(0, len(stream), size) for one in deframer.feed_found(stream[at : at + size])]
    assert [] == deframer.give_up()
    return found, deframer.skipped


def _segment_link(frame: Frame) -> dict[str, object]:
    if not frame.segmented:
        return {}
    segment = decode_segment(frame.user_data)
    kind = segment.kind.name.lower()
    return {
        "apdu_hex": segment.piece.hex().upper(),
        "segment": {"kind": kind, "number": segment.number, "reserved": segment.reserved},
    }


def _link(found: Found) -> dict[str, object]:
    frame, server = found.frame, found.frame.server
    said = checks(b"\xfe" * found.preamble + found.octets)
    assert found.preamble == said.preamble
    return {
        "preamble": said.preamble,
        "length": said.length,
        "length_unit": "kilobyte" if said.in_kilobytes else "byte",
        "control": f"{frame.control:02X}",
        "dir": int(frame.from_server),
        "prm": int(frame.started_by_client),
        "split": int(frame.segmented),
        "sc": int(frame.scrambled),
        "func": frame.function,
        "sa": {"type": server.kind.name.lower(), "logical": server.logical, "addr": server.digits},
        "ca": frame.client,
        "hcs": f"{said.hcs:04X}",
        "fcs": f"{said.fcs:04X}",
        **_segment_link(frame),
    }


@in_batches(_WITH_LINK, _ids(_WITH_LINK))
def test_each_field_of_the_link_is_read(vector: dict[str, Any]) -> None:
    """A frame that somebody recorded would be read with another address, length or control field."""
    stream = octets(vector)
    for size in (len(stream), 1):
        (found,), skipped = _fed(stream, size)
        assert vector["expect"]["link"] == _link(found)
        assert 0 == skipped


@in_batches(_GOOD_LINK, _ids(_GOOD_LINK))
def test_good_frames_come_out_and_go_back(vector: dict[str, Any]) -> None:
    """A recorded frame would be refused, or built in another way than its sender did."""
    stream = octets(vector)
    whole, _ = _fed(stream, len(stream))
    assert whole == _fed(stream, 1)[0]
    assert whole
    for frame, raw, _ in whole:
        assert frame == decode(raw) == reference_decode(raw)
        assert raw == encode(frame)


@in_batches(_GOOD_LINK, _ids(_GOOD_LINK))
def test_octets_behind_a_frame_stay_behind_it(vector: dict[str, Any]) -> None:
    """The beginning of the next answer would be eaten with this one."""
    stream = octets(vector)
    deframer = Deframer()
    assert [found.frame for found in _fed(stream, len(stream))[0]] == deframer.feed(stream + _BEHIND)
    assert [decode(_NEXT)] == deframer.feed(_NEXT[1:])


@pytest.mark.parametrize("vector", _BAD_LINK, ids=_ids(_BAD_LINK))
def test_bad_frames_are_refused_for_the_right_reason(vector: dict[str, Any]) -> None:
    """A damaged answer would become a reading, or the operator be told another fault."""
    stream = octets(vector)
    assert [] == _fed(stream, len(stream))[0] == _fed(stream, 1)[0]
    with pytest.raises(RemoteProtocolError) as refusal:
        decode(stream)
    assert vector["error"] == refusal.value.kind


def test_a_segment_without_header_is_refused() -> None:
    """One octet of user data would be taken for a piece of an APDU."""
    (vector,) = (vector for vector in _ALL if vector["id"] == "bad-seg-header-missing")
    with pytest.raises(RemoteProtocolError):
        decode_segment(decode(octets(vector)).user_data)


def _reassembled(found: list[Found]) -> list[dict[str, object]]:
    """Join segments as both sides would; acknowledgements belong to the other direction."""
    receivers: dict[tuple[object, ...], tuple[SegmentReceiver, list[int]]] = {}
    out: list[dict[str, object]] = []
    for at, (frame, _, _) in enumerate(found):
        if not frame.segmented or (segment := decode_segment(frame.user_data)).kind is SegmentKind.ACK:
            continue
        key = (frame.server, frame.client, frame.from_server, frame.started_by_client)
        receiver, used = receivers.setdefault(key, (SegmentReceiver(), []))
        joined = receiver.feed(segment)
        if joined.signal.name in {"FIRST", "MIDDLE", "LAST"}:
            used[:] = [at] if joined.signal.name == "FIRST" else [*used, at]
        if joined.apdu is not None:
            out.append({"frames": list(used), "apdu_hex": joined.apdu.hex().upper()})
    return out


@pytest.mark.parametrize("vector", _STREAMS, ids=_ids(_STREAMS))
def test_streams_give_their_frames_and_whole_series(vector: dict[str, Any]) -> None:
    """A recorded exchange would lose a frame, count rubbish wrongly, or join what has a gap."""
    stream, expect = octets(vector), vector["expect"]
    for size in (len(stream), 1, 7):
        found, skipped = _fed(stream, size)
        assert [frame["link"] for frame in expect["frames"]] == [_link(one) for one in found]
        assert expect["skipped"] == skipped
        series = [{key: one[key] for key in ("frames", "apdu_hex")} for one in expect["reassembled"]]
        assert series == _reassembled(found)


def test_recorded_acknowledgements_are_what_we_would_send() -> None:
    """A meter that cuts its answers would wait for an acknowledgement it knows."""
    (vector,) = (vector for vector in _ALL if vector["id"] == "real-stream-02")
    found, _ = _fed(octets(vector), 1)
    frames = [one.frame for one in found]
    first, acknowledgement = frames[0], frames[1]
    joined = SegmentReceiver().feed(decode_segment(first.user_data))
    assert Segment(SegmentKind.ACK, 0) == joined.acknowledgement
    ours = first._replace(user_data=joined.acknowledgement.octets, from_server=False)
    assert acknowledgement == ours
    assert found[1].octets == encode(ours)
