"""``meterlink decode`` names each octet: every vector and every kind of message, in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from meterlink.explain import dlt645
from meterlink.explain.parts import Part
from meterwire.dlt645 import AbnormalReply, ReadReply, decode, encode, from_frame, to_frame
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.command_codec import COMMANDS
from meterwire.dlt645.messages.messages import (
    ReadAgainReply,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadRequest,
)
from meterwire.errors import RemoteProtocolError
from meterwire.primitives.checksum import sum8
from tests.support.batches import in_batches
from tests.support.vectors import octets, vectors

_ALL = [
    vector
    for vector in vectors("dlt645.jsonl", "dlt645")
    + vectors("control.jsonl", "dlt645")
    + vectors("own-dlt645.jsonl")
    if "expect" in vector
]
_HAN = re.compile("[\u4e00-\u9fff]")
_BLOBS = {"data", "enciphered data and MAC", "octets that a read does not have", "octets of no record"}
"""Leaves that may hold several fields; each must say why they cannot be told apart."""
_SAME_IN_CHINESE = {"MAC", "MAC1", "MAC2"}


def _leaves(parts: tuple[Part, ...]) -> Iterator[Part]:
    """The parts that have octets and no fields within; bits of a word have none."""
    for part in parts:
        if any(inner.octets for inner in part.parts):
            yield from _leaves(part.parts)
        else:
            yield part


def _names(stream: bytes, protocol: Edition) -> list[str]:
    """English names of the leaves of the first frame's DATA."""
    (frame, *_) = dlt645.explain(stream, protocol).frames
    return [part.name.en for part in _leaves(frame.parts)][5:-2]


@in_batches(_ALL, [vector["id"] for vector in _ALL])
def test_every_octet_belongs_to_one_named_leaf(vector: dict[str, Any]) -> None:
    """An octet that nobody explains could be the one that is wrong."""
    stream = octets(vector)
    frames = dlt645.explain(stream, vector["protocol"]).frames
    assert frames
    for frame in frames:
        at = frame.start
        for leaf in _leaves(frame.parts):
            assert at == leaf.start
            assert leaf.octets == stream[at : at + len(leaf.octets)]
            assert re.search("[A-Za-z]", leaf.name.en)
            assert _HAN.search(leaf.name.zh) or leaf.name.zh in _SAME_IN_CHINESE, leaf.name
            if leaf.name.en in _BLOBS:
                assert leaf.problem.en, "a blob of several fields"
                assert _HAN.search(leaf.problem.zh)
            at += len(leaf.octets)
        assert frame.end == at


def test_every_kind_of_message_is_among_the_vectors() -> None:
    """A kind of message could be explained as one blob, and no test would see it."""
    shown = {
        (vector["protocol"], type(from_frame(decode(octets(vector)), vector["protocol"])))
        for vector in _ALL
        if _is_one_frame(octets(vector))
    }
    kinds: set[tuple[str, type]] = {(of, kind) for kind in COMMANDS for of, _ in kind.LAYOUTS}
    reads = (ReadRequest, ReadReply, ReadFollowingRequest, ReadFollowingReply, AbnormalReply)
    editions: tuple[Edition, ...] = ("dlt645-2007", "dlt645-1997")
    kinds |= {(of, kind) for of in editions for kind in reads} | {("dlt645-1997", ReadAgainReply)}
    assert set() == kinds - shown


def _is_one_frame(stream: bytes) -> bool:
    try:
        decode(stream)
    except RemoteProtocolError:
        return False
    return True


_ACCESS = ["password level", "password", "operator code"]


def _vector(what: str) -> dict[str, Any]:
    (found,) = [vector for vector in _ALL if vector["source"].endswith(what)]
    return found


_WRITE = ["data identifier", *_ACCESS]
_READ_FLAG = ["length to read", "first octet to read", "file to read", "directory to read"]
_NAMED = {
    "reference, function 1B: one kind of event": [*_ACCESS, "event to clear"],
    "reference, function 1A: enciphered": [*_ACCESS, "cipher block", "MAC"],
    "reference, function 14 with a MAC": [*_WRITE, "alarm money 1", "MAC"],
    "reference, function 14 enciphered": [*_WRITE, "cipher block", "MAC"],
    "reference, function 11: two load records from a time on": [
        "data identifier",
        "number of records",
        "from the time",
    ],
    "reference, function 12: with the parameters of one make": [
        "data identifier",
        "number of records",
        "from the time",
        "sequence number",
    ],
    "reference, function 03: update of two keys": [
        "data identifier",
        "operator code",
        *("key information 1", "enciphered key 1", "key information 2", "enciphered key 2"),
        "MAC",
    ],
    "reference, function 03: data of the security chip": ["data identifier", "operator code", *_READ_FLAG],
    "reference, function 03: data of the security chip, answer": [
        "data identifier",
        *_READ_FLAG,
        "data of the security chip",
        "MAC",
    ],
    "reference, 1997, function 0F": ["password level", "password", "new password level", "new password"],
}


@pytest.mark.parametrize(("what", "names"), _NAMED.items())
def test_the_fields_that_the_reference_names_are_leaves(what: str, names: list[str]) -> None:
    """An amount, a count or a MAC would be somewhere in a row of octets."""
    vector = _vector(what)
    assert names == _names(octets(vector), vector["protocol"])


def test_a_top_up_names_its_fields_and_hides_its_macs() -> None:
    """Whoever looks for a lost payment needs amount, count and customer, and nobody the MACs."""
    (vector,) = [one for one in _ALL if one["id"] == "PAY645-001"]
    (frame,) = dlt645.explain(octets(vector)).frames
    leaves = list(_leaves(frame.parts))[7:-2]
    assert [
        ("purchased amount", "100.00 yuan", "购电金额", "100.00 元", False),
        ("purchase count", "5", "购电次数", "5", False),
        ("MAC 1", "F0B5276F", "MAC1", "F0B5276F", True),
        ("customer number", "000012345678", "客户编号", "000012345678", False),
        ("MAC 2", "0D687851", "MAC2", "0D687851", True),
    ] == [(leaf.name.en, leaf.says.en, leaf.name.zh, leaf.says.zh, leaf.secret) for leaf in leaves]


# --- load records ---------------------------------------------------------------------------------

_TIME, _VALUES = bytes.fromhex("0012310125"), bytes.fromhex("162216221622341280341280341280" + "0250")


def _record(values: bytes, *, mark: str = "A0A0", good: bool = True) -> bytes:
    """A record of class 1 alone."""
    body = _TIME + values + b"\xaa" * 6
    record = bytes.fromhex(mark) + bytes((len(body),)) + body
    return record + bytes((sum8(record) ^ (not good), 0xE5))


def _record_names(data: bytes) -> list[tuple[int, str]]:
    stream = encode(to_frame(ReadReply(address="000000000161", di=0x06010000, data=data)))
    (frame,) = dlt645.explain(stream).frames
    return [(part.start - 14, part.name.en) for part in _leaves(frame.parts)][6:-2]


def test_a_load_record_is_named_octet_by_octet() -> None:
    """Mark, count, checksum and end would all be delimiters."""
    names = _record_names(_record(_VALUES))
    assert [(0, "begin of a record"), (2, "octets up to the last delimiter")] == names[:2]
    assert 3 == names[2][0]
    assert [(place, "delimiter AAH") for place in range(25, 31)] == names[10:-2]
    assert [(31, "checksum of the record"), (32, "end of the record")] == names[-2:]


@pytest.mark.parametrize("mark", ["A0A0", "E0E0"])
def test_a_value_stands_in_its_own_record(mark: str) -> None:
    """The time of a good record would be shown inside the damaged one before it, which has the same."""
    damaged, good = _record(_VALUES, mark=mark, good=mark == "E0E0"), _record(_VALUES)
    names = _record_names(damaged + good)
    assert [
        (0, "begin of a record"),
        (2, "octets up to the last delimiter"),
        (3, "content of a record"),
        (31, "checksum of the record"),
        (32, "end of the record"),
        (33, "begin of a record"),
    ] == names[:6]
    assert [(place + 33, name) for place, name in _record_names(good)] == names[5:]


@pytest.mark.parametrize("gaps", [0, 1, 2])
def test_delimiters_of_a_freeze_stand_where_they_are(gaps: int) -> None:
    """Each register behind a delimiter that is not there would be shown one octet too late."""
    time, register = bytes.fromhex("0000090926"), bytes.fromhex("78563412") * 5
    data = [time + register, time + register + b"\xaa", time + b"\xaa" + register + b"\xaa"][gaps]
    stream = encode(to_frame(ReadReply(address="000000000161", di=0x0506FF01, data=data)))
    (frame,) = dlt645.explain(stream).frames
    leaves = list(_leaves(frame.parts))[6:-2]
    delimiters = [leaf.start - 14 for leaf in leaves if leaf.name.en == "delimiter AAH"]
    assert [[], [25], [5, 26]][gaps] == delimiters
    assert 6 + gaps == len(leaves)


def test_records_without_any_good_one_are_named_too() -> None:
    """Somebody with a faulty meter would see one row of octets."""
    names = [name for _, name in _record_names(_record(_VALUES, good=False) + b"\xff\xff")]
    assert ["content of a record", "octets of no record"] == [names[2], names[-1]]
