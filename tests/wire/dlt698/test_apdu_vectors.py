"""The vectors at the level of the APDU: frames of real devices and of the standard's annex."""

from __future__ import annotations

from typing import Any

import pytest

from meterlink.explain.dlt698_plain import plain_apdu
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.link.deframer import Deframer
from meterwire.errors import RemoteProtocolError
from tests.support.batches import in_batches
from tests.support.vectors import octets, vectors

_NOT_CANONICAL = {
    "real-getresponsenormal-03": "a length in three octets where one does",
    "real-getresponsenormal-05": "a length in three octets where one does",
    "PAY698-004": "type tags inside a SID_MAC",
}
"""Vectors that are taken and not imitated, and why."""

_ALL = vectors("dlt698.jsonl", "dlt698") + vectors("control.jsonl", "dlt698")


def _apdus(vector: dict[str, Any]) -> list[bytes]:
    frames = Deframer().feed(octets(vector))
    return [frame.user_data for frame in frames if not frame.segmented]


_GOOD = [(vector, apdu) for vector in _ALL if "error" not in vector for apdu in _apdus(vector)]
_BAD = [(vector, apdu) for vector in _ALL if vector.get("error") == "apdu" for apdu in _apdus(vector)]
_JOINED = [
    (joined["apdu_hex"], joined["apdu"])
    for vector in _ALL
    if "error" not in vector
    for joined in vector["expect"].get("reassembled", [])
]


def _ids(pairs: list[tuple[dict[str, Any], bytes]]) -> list[str]:
    return [vector["id"] for vector, _ in pairs]


@in_batches(_GOOD, _ids(_GOOD))
def test_an_apdu_is_read_and_written_again(good: tuple[dict[str, Any], bytes]) -> None:
    """A published APDU would be refused, or sent with other octets."""
    vector, apdu = good
    again = encode_apdu(decode_apdu(apdu))
    if vector["id"] in _NOT_CANONICAL:
        assert apdu != again, "it is canonical after all: take it out of the list"
        assert encode_apdu(decode_apdu(again)) == again
    else:
        assert apdu == again


@in_batches(_GOOD, _ids(_GOOD))
def test_an_apdu_says_what_its_author_meant(good: tuple[dict[str, Any], bytes]) -> None:
    """A value would be read from another place, or as another type."""
    vector, apdu = good
    expected = vector["expect"].get("apdu")
    if expected is not None:
        said = plain_apdu(decode_apdu(apdu), apdu)
        assert expected == {key: said[key] for key in expected}


@in_batches(_GOOD, _ids(_GOOD))
def test_each_cut_of_an_apdu_is_refused(good: tuple[dict[str, Any], bytes]) -> None:
    """A frame that lost its end would be taken, or stop the program."""
    vector, apdu = good
    for end in range(len(apdu)):
        try:
            cut = decode_apdu(apdu[:end])
        except RemoteProtocolError as error:
            assert error.offset is not None
        else:
            assert encode_apdu(cut) == apdu[:end], vector["id"]


@pytest.mark.parametrize(("vector", "apdu"), _BAD, ids=_ids(_BAD))
def test_a_bad_apdu_is_refused_with_its_place(vector: dict[str, Any], apdu: bytes) -> None:
    """Wrong octets would become values; or nobody could find where they are wrong."""
    with pytest.raises(RemoteProtocolError) as refused:
        decode_apdu(apdu)
    assert refused.value.offset is not None, vector["id"]
    assert apdu == refused.value.octets


@pytest.mark.parametrize(("text", "expected"), _JOINED, ids=range(len(_JOINED)))
def test_an_apdu_put_together_says_what_its_author_meant(text: str, expected: dict[str, Any]) -> None:
    """A month of freezes in segments would be lost or shifted."""
    apdu = bytes.fromhex(text)
    said = plain_apdu(decode_apdu(apdu), apdu)
    assert expected == {key: said[key] for key in expected}
    assert apdu == encode_apdu(decode_apdu(apdu))
