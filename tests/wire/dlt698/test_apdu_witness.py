"""Somebody else's DL/T 698.45 (PyPI ``dlt698``) and ours on the same APDUs, both ways.

Everything that one side builds, the other reads to the same values and writes with the same octets. It is
stricter than we are; each reason for which it refuses what we take is listed below with an APDU that shows
it, and why we take it. An unlisted reason fails, and so does a listed one that no longer happens. No
disagreement about a *value* is tolerated: none is known.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.link.deframer import Deframer
from tests.support.vectors import octets, vectors
from tests.wire.dlt698 import peer
from tests.wire.dlt698.apdu_strategies import BY_SERVICE, CAREFUL, WITH_LIBERTY

IT_REFUSES = {
    "PIID reserved bit": ("0501 41 40010200 00", "a test bench sets bit 6 in requests"),
    "TI unit": ("0501 01 40010200 01 07E20801092E27 06 000A", "a unit is a number until somebody waits"),
    "TSA length": ("8903 00 01 00 00 00 00", "an empty address stands for none"),
    "TSA address length": (
        "850100 202A0200 01 55 02 05 11 00 00",
        "AF that contradicts the length: shown as it is",
    ),
    "GET count": ("0502 00 00 00", "an empty list asks for nothing"),
    "mutation count": ("0602 00 00 00", "an empty list writes nothing"),
    "CONNECT result": (
        "82 00" + "30" * 32 + "0016" + "00" * 24 + "0200 0200 01 07D0 00001C20 06 00 00 00",
        "a result of another edition is a refusal all the same",
    ),
    "LINK type": ("01 00 03 00B4 07E9040B 05 090C28 0000", "a type of another edition"),
    "LINK result": (
        "81 00 04 07E9040B 05 090C28 0000 07E9040B 05 090C27 01B8 07E9040B 05 090C27 01BC",
        "a result of another edition is a refusal all the same",
    ),
    "ERROR type": ("EE 06 03 00 00", "an error of another kind is an error"),
    "RELEASE result": ("83 00 01 00 00", "a result of another edition"),
    "COMDCB": ("850100 F2010200 01 5F 0B 02 08 01 00 00 00", "port settings are shown as they are"),
    "bit-string padding": ("850100 20140200 01 04 01 FF 00 00", "unused bits have no meaning"),
    "visible-string character": (
        "850100 40030200 01 0A 02 C7EB 00 00",
        "meters write Chinese into visible-strings",
    ),
    "A-XDR length limit": (
        "850600 40010200 01 11" + "00" * 17 + "00 00",
        "the MD5 of another length is shown, not used",
    ),
    "MD5 length": ("850600 40010200 01 01 00 00 00", "the MD5 of another length is shown, not used"),
    "proxy single TSA": (
        "0901 00 0078 01 07 45 AAAAAAAAAAAA 003C 01 00100200 00",
        "whom a concentrator asks is its affair",
    ),
    "zero proxy timeout": (
        "0901 00 0000 01 07 05 201601200001 003C 01 00100200 00",
        "0 leaves it to the concentrator (spec section 3.9)",
    ),
    "nonfinal DAR block": ("8505 00 00 0001 00 09 00 00", "some firmware does not set the last flag"),
    "MS Region type/boundary": (
        "0503 00 60120300 0A 01 05 01 04 11 01 11 05 01 00 00100200 00",
        "kinds and types of regions are shown as they are",
    ),
    "password visible-string": (
        "02 00 0016" + "00" * 24 + "0200 0200 01 07D0 00001C20 01 01 C7 00",
        "whatever the password is, the meter decides",
    ),
}
"""Its reason -> an APDU that shows it, and why we take it."""
_COMPARED_MIN = 3
"""Fewest messages of a service that both must have read, of some 30 of any kind that are tried."""
_CAREFUL_MIN = 5
"""The same of 25 that devices send; of the service that it refuses most often it reads some 14."""


def _its_reading(apdu: bytes) -> tuple[Any, str]:
    """Its message, or why it refuses."""
    try:
        return peer.decode(apdu), ""
    except peer.Refusal as error:
        return None, str(getattr(error, "context", error))


def _agree(ours: Any, apdu: bytes) -> str:
    """Both read and write the same; its reason when it refuses."""
    theirs, reason = _its_reading(apdu)
    if not reason:
        assert peer.our_row(ours) == peer.its_row(theirs)
        assert apdu == peer.encode(theirs, apdu)
        assert ours == decode_apdu(peer.encode(theirs, apdu))
    return reason


def _compared(messages: st.SearchStrategy[Any], examples: int) -> int:
    """How many of so many messages both read and wrote alike; the others it refused for a known reason."""
    compared = 0

    @settings(max_examples=examples)
    @given(ours=messages)
    def compare(ours: Any) -> None:
        nonlocal compared
        reason = _agree(ours, encode_apdu(ours))
        event(reason or "accepted")
        assert not reason or reason in IT_REFUSES, reason
        compared += not reason

    compare()
    return compared


@pytest.mark.parametrize("name", sorted(CAREFUL))
def test_what_devices_send_both_read_and_write_alike(name: str) -> None:
    """A foreign meter would read other values than we sent, or we others than it sent."""
    assert _compared(CAREFUL[name], 25) >= _CAREFUL_MIN


@pytest.mark.parametrize("name", sorted(BY_SERVICE))
def test_anything_that_it_takes_it_reads_as_we_do(name: str) -> None:
    """The same beyond what the standard lists; what it refuses is known, reason by reason."""
    kinds = [BY_SERVICE[name], *WITH_LIBERTY[name].values()]  # some services it refuses in each wide form
    assert sum(_compared(messages, 4) for messages in kinds) >= _COMPARED_MIN


@pytest.mark.parametrize(("reason", "example"), IT_REFUSES.items(), ids=IT_REFUSES)
def test_each_tolerated_disagreement_still_happens(reason: str, example: tuple[str, str]) -> None:
    """The list would hide a disagreement that is no longer there, and one day a new one."""
    apdu = bytes.fromhex(example[0])
    assert apdu == encode_apdu(decode_apdu(apdu))
    assert reason == _its_reading(apdu)[1]


_VECTORS = [
    (vector["id"], apdu)
    for vector in vectors("dlt698.jsonl", "dlt698") + vectors("control.jsonl", "dlt698")
    if "error" not in vector
    for apdu in (frame.user_data for frame in Deframer().feed(octets(vector)) if not frame.segmented)
]


_VECTORS_IT_REFUSES = {
    "real-getresponsenormal-03": "non-minimal length",
    "real-getresponsenormal-05": "non-minimal length",
    "PAY698-004": "TimeTag presence",  # type tags inside a SID_MAC shift what follows
}
"""Frames of the field that we take all the same, and its reason."""


@pytest.mark.parametrize(("name", "apdu"), _VECTORS, ids=[name for name, _ in _VECTORS])
def test_published_frames_both_read_alike(name: str, apdu: bytes) -> None:
    """One of us would misread a real device."""
    reason = _agree(decode_apdu(apdu), apdu)
    if reason not in IT_REFUSES:
        assert _VECTORS_IT_REFUSES.get(name, "") == reason
