"""Captured and published answers through the object model: each value has a name, and none a problem."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from meterwire.dlt698.apdus.apdu import decode_apdu, inner_apdu
from meterwire.dlt698.apdus.parts import ActionItem, AttributeResult, RecordResult, SetItem
from meterwire.dlt698.apdus.security import SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link import frame
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.item_values import ItemValue, contents_of
from meterwire.dlt698.objects.records import records
from meterwire.errors import RemoteProtocolError

_VECTORS = Path(__file__).parents[2] / "vectors" / "dlt698.jsonl"
_TOLERATED = {
    # The annex sets the heartbeat, a long-unsigned, as member 11; devices have it as member 12.
    "gen-annex-setget": "type",
    "gen-annex-setget-rsp": "type",
    # Made up to show blocks: an archive entry of two members.
    "gen-get-next-rsp-attr": "shape",
}
_SENT_AS_ARRAY = {"real-sec-getresponsenormal-01"}
"""Class 24 attribute 10 as an array of four, where the reference has a structure."""
_VALUES_LEAST = 500


def _apdus() -> Iterator[tuple[str, Any]]:
    for line in _VECTORS.read_text(encoding="utf-8").splitlines():
        vector = json.loads(line)
        if "hex" not in vector or "apdu" not in vector.get("expect", {}):
            continue
        try:
            apdu = decode_apdu(frame.decode(bytes.fromhex(vector["hex"]).lstrip(b"\xfe")).user_data)
            inner = inner_apdu(apdu) if isinstance(apdu, SecurityRequest | SecurityResponse) else None
            yield vector["id"], inner or apdu
        except RemoteProtocolError:
            continue  # a segment, or an APDU that other tests are about


def _results(part: Any) -> Iterator[RecordResult | AttributeResult | SetItem | ActionItem]:
    if isinstance(part, RecordResult | AttributeResult | SetItem | ActionItem):
        yield part
    elif hasattr(part, "__dataclass_fields__"):
        for name in part.__dataclass_fields__:
            yield from _results(getattr(part, name))
    elif isinstance(part, tuple) and not isinstance(part, Data):
        for one in part:
            yield from _results(one)


def _problems(values: Iterator[ItemValue] | tuple[ItemValue, ...]) -> set[str]:
    return {value.problem for value in values if value.problem not in {None, "absent", "empty"}}


def test_values_of_published_frames_have_names_and_no_problem() -> None:
    """A real device's answer would be refused, or named wrongly, by the object model."""
    seen = 0
    for vector, apdu in _apdus():
        for result in _results(apdu):
            if isinstance(result, RecordResult):
                values = tuple(value for row in records(result).rows for value in row.values)
            elif isinstance(result[1], Data) and (entry := dictionary().entry(result[0])) is not None:
                values = entry.decode(result[1])
            else:
                continue
            assert _problems(values) <= {_TOLERATED.get(vector, "")}, vector
            seen += len(values)
    assert seen >= _VALUES_LEAST


def test_published_values_encode_to_the_same_octets() -> None:
    """The simulator would answer in other types than devices do."""
    seen = 0
    for vector, apdu in _apdus():
        for result in _results(apdu):
            if isinstance(result, RecordResult) or not isinstance(result[1], Data):
                continue
            entry = dictionary().entry(result[0])
            if entry is None or vector in _TOLERATED or vector in _SENT_AS_ARRAY:
                continue
            assert result[1] == entry.encode(contents_of(entry.decode(result[1]))), vector
            seen += 1
    assert seen >= _VALUES_LEAST // 10


def test_descriptors_of_published_frames_are_known() -> None:
    """An object that devices really use would be missing from the dictionary."""
    unknown = {
        str(result[0])
        for _, apdu in _apdus()
        for result in _results(apdu)
        if isinstance(result[0], Oad | Omd) and dictionary().object(result[0].oi) is None
    }
    assert {"FF100200", "FFFF7F00", "FFFF8000", "FFFF0200", "FFFF0300", "FFF00100", "FF030200",
            "F3000400", "00F30004"} >= unknown  # makers' own, and test patterns  # fmt: skip
