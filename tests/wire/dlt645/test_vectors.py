"""The conformance vectors at the link layer: whole, octet by octet, and with octets behind them."""

from __future__ import annotations

from typing import Any

import pytest

from meterwire.dlt645 import Deframer, Frame, decode, dictionary, from_frame
from meterwire.errors import RemoteProtocolError
from tests.support.batches import in_batches
from tests.support.vectors import octets, vectors

_ALL = vectors("dlt645.jsonl", "dlt645") + vectors("control.jsonl", "dlt645") + vectors("own-dlt645.jsonl")
_GOOD = [vector for vector in _ALL if "expect" in vector]
_BAD_FRAMES = [vector for vector in _ALL if vector.get("error") not in {None, "invalid_expiry"}]

# A total energy, a voltage, a current or a power (single phases and blocks too), or a refusal.
_FIRST_READINGS_MIN = 49


def _ids(chosen: list[dict[str, Any]]) -> list[str]:
    return [vector["id"] for vector in chosen]


def _expected(vector: dict[str, Any]) -> list[tuple[str, int]]:
    frames = vector["expect"].get("frames") or [vector["expect"]]
    return [(frame.get("address", "").upper(), int(frame["control"], 16)) for frame in frames]


def _fed(stream: bytes, size: int) -> list[Frame]:
    deframer = Deframer()
    return [frame for at in range(0, len(stream), size) for frame in deframer.feed(stream[at : at + size])]


def _seen(vector: dict[str, Any], frames: list[Frame]) -> list[tuple[str, int]]:
    """As ``_expected``: without the addresses of frames whose address the vector does not give."""
    unnamed = {number for number, (address, _) in enumerate(_expected(vector)) if not address}
    return [
        ("" if number in unnamed else frame.address, frame.control) for number, frame in enumerate(frames)
    ]


@in_batches(_GOOD, _ids(_GOOD))
def test_good_frames_come_out_whole_and_octet_by_octet(vector: dict[str, Any]) -> None:
    """A frame that somebody recorded would not be found in its stream."""
    stream = octets(vector)
    whole, singly = _fed(stream, len(stream)), _fed(stream, 1)
    assert _expected(vector) == _seen(vector, whole)
    assert whole == singly


@in_batches(_GOOD, _ids(_GOOD))
def test_octets_behind_a_frame_stay_behind_it(vector: dict[str, Any]) -> None:
    """The beginning of the next answer would be eaten with this one."""
    behind = bytes.fromhex("FEFE68")
    deframer = Deframer()
    assert _expected(vector) == _seen(vector, deframer.feed(octets(vector) + behind))
    following = decode(bytes.fromhex("6861010000000068910833333433593333338A16"))
    assert [following] == deframer.feed(bytes.fromhex("61010000000068910833333433593333338A16"))


@pytest.mark.parametrize("vector", _BAD_FRAMES, ids=_ids(_BAD_FRAMES))
def test_bad_frames_are_refused(vector: dict[str, Any]) -> None:
    """A damaged answer would become a reading."""
    stream = octets(vector)
    assert _fed(stream, len(stream)) == _fed(stream, 1) == []
    with pytest.raises(RemoteProtocolError):
        decode(stream)


def _is_first_reading(vector: dict[str, Any]) -> bool:
    expect = vector.get("expect", {})
    if vector.get("kind") != "published" or vector["protocol"] != "dlt645-2007" or "frames" in expect:
        return False
    control, di = int(expect.get("control", "0"), 16), expect.get("di", "")
    total_energy = di[:2] == "00" and di[:4] <= "0008" and di[4:] == "0000"
    return control == 0xD1 or (control in {0x11, 0x91} and (total_energy or "02010000" <= di <= "0205FF00"))


def test_published_first_readings_decode(capsys: pytest.CaptureFixture[str]) -> None:
    """Totals, voltages, currents and powers of real meters could no longer be read."""
    chosen = [vector for vector in vectors("dlt645.jsonl") if _is_first_reading(vector)]
    decoded = sum(_decodes(vector) for vector in chosen)
    with capsys.disabled():
        print(f"\n{decoded} of {len(chosen)} published first readings decode")
    assert len(chosen) == decoded
    assert decoded >= _FIRST_READINGS_MIN


def _decodes(vector: dict[str, Any]) -> bool:
    (frame,) = _fed(octets(vector), 1)
    message, expect = from_frame(frame), vector["expect"]
    di = getattr(message, "di", None)
    assert expect.get("di") == (None if di is None else f"{di:08X}")
    if "values" not in expect:
        return True
    entry = dictionary().by_di(int(expect["di"], 16))
    assert entry is not None
    values = entry.decode(bytes.fromhex(expect["raw"]))
    shown = [value.problem if value.problem == "invalid-bcd" else value.text for value in values]
    assert [value["value"] for value in expect["values"]] == shown
    assert [value["unit"] for value in expect["values"]] == [value.unit for value in values]
    return True
