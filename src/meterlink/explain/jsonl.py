"""Vector lines in, answers out: the machine's side of ``meterlink decode``.

A line asks ``{"id", "protocol", "direction", "hex"}``; the answer is ``{"id", "protocol", "error",
"decoded"}``. Whatever the line holds, one answer comes back. Source: tests/vectors/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from meterlink.explain import dlt645, dlt698
from meterlink.explain.explain import DLT698
from meterlink.explain.hexadecimal import NotHexadecimal, octets_of
from meterlink.explain.parts import Explanation
from meterwire.dlt645.link.functions import EDITIONS
from meterwire.errors import RemoteProtocolError

LINE_CHARACTERS_MAX: Final = 1_000_000
"""Longest line that is looked at."""


def answers(lines: Iterable[str]) -> Iterator[str]:
    """One JSON line for each line that is not blank; never raises for what a line holds."""
    for line in lines:
        if line.strip():
            yield json.dumps(answer(line), ensure_ascii=False)


def answer(line: str) -> dict[str, Any]:
    """The answer to one line, as a JSON object."""
    if len(line) > LINE_CHARACTERS_MAX:
        return _refused({}, "bad-line", f"the line is longer than {LINE_CHARACTERS_MAX} characters")
    try:
        asked = json.loads(line)
    except (ValueError, RecursionError):
        return _refused({}, "bad-line", "the line is no JSON")
    if not isinstance(asked, dict):
        return _refused({}, "bad-line", "the line is no JSON object")
    try:
        octets = octets_of(asked.get("hex"))
    except NotHexadecimal as error:
        return _refused(asked, "bad-line", str(error))
    return _explained(asked, octets)


def _explained(asked: dict[str, Any], octets: bytes) -> dict[str, Any]:
    protocol = asked.get("protocol")
    if protocol == DLT698:
        return _answered(asked, dlt698.explain(octets, single=asked.get("direction") != "stream"))
    if protocol not in EDITIONS:
        return _refused(asked, "unsupported", f"the protocol {protocol!r} is not known")
    return _answered(asked, dlt645.explain(octets, protocol))


def _answered(asked: dict[str, Any], explanation: Explanation) -> dict[str, Any]:
    if explanation.fault is not None:
        return _fault(asked, explanation.fault)
    decoded = [frame.decoded for frame in explanation.frames]
    whole = {} if asked.get("direction") == "stream" else decoded[0]
    if asked.get("direction") == "stream" or len(decoded) > 1:
        whole = whole | {"frames": decoded}
    joined = explanation.joined or ()
    whole = whole | {"skipped": explanation.skipped}
    if explanation.joined is not None and asked.get("direction") == "stream":
        whole = whole | {"reassembled": [one.decoded for one in joined]}
    if explanation.faults:
        return _fault(asked, explanation.faults[0], whole)
    return _head(asked) | {"error": None, "decoded": whole}


def _head(asked: dict[str, Any]) -> dict[str, Any]:
    return {"id": asked.get("id"), "protocol": asked.get("protocol")}


def _fault(
    asked: dict[str, Any], fault: RemoteProtocolError, decoded: dict[str, Any] | None = None
) -> dict[str, Any]:
    error = {"kind": fault.kind, "sentence": str(fault), "offset": fault.offset}
    return _head(asked) | {"error": error, "decoded": decoded}


def _refused(asked: dict[str, Any], kind: str, sentence: str) -> dict[str, Any]:
    return _head(asked) | {"error": {"kind": kind, "sentence": sentence}, "decoded": None}
