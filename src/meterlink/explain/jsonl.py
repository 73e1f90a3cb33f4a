"""Vector lines in, answers out: the machine's side of ``meterlink decode``.

A line asks ``{"id", "protocol", "direction", "hex"}``; the answer is ``{"id", "protocol", "error",
"decoded"}``. Whatever the line holds, one answer comes back. In a stream the error of a frame, or of what
several carried, stands with it; the stream's own is that nothing was found. Source: tests/vectors/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

from meterlink.explain import dlt645, dlt698
from meterlink.explain.explain import DLT698, EXPLAINERS
from meterlink.explain.hexadecimal import NotHexadecimal, octets_of
from meterlink.explain.parts import ExplainedApdu, ExplainedFrame, Explanation
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
    if protocol in EXPLAINERS and protocol not in EDITIONS:
        return _answered(asked, EXPLAINERS[protocol](octets))
    if protocol not in EDITIONS:
        return _refused(asked, "unsupported", f"the protocol {protocol!r} is not known")
    return _answered(asked, dlt645.explain(octets, protocol))


def _answered(asked: dict[str, Any], explanation: Explanation) -> dict[str, Any]:
    if explanation.fault is not None:
        return _fault(asked, explanation.fault)
    if asked.get("direction") == "stream":
        return _head(asked) | {"error": None, "decoded": _stream(explanation)}
    decoded = [frame.decoded for frame in explanation.frames]
    whole = decoded[0] | ({"frames": decoded} if len(decoded) > 1 else {}) | {"skipped": explanation.skipped}
    if explanation.faults:
        return _fault(asked, explanation.faults[0], whole)
    return _head(asked) | {"error": None, "decoded": whole}


def _stream(explanation: Explanation) -> dict[str, Any]:
    """Each frame for itself: one that is refused for what it says takes nothing from the others."""
    found: dict[str, Any] = {"frames": [_part(frame) for frame in explanation.frames]}
    found["skipped"] = explanation.skipped
    if explanation.joined is not None:
        found["reassembled"] = [_part(apdu) for apdu in explanation.joined]
    return found


def _part(explained: ExplainedFrame | ExplainedApdu) -> dict[str, Any]:
    return explained.decoded | ({} if explained.fault is None else {"error": _error(explained.fault)})


def _head(asked: dict[str, Any]) -> dict[str, Any]:
    return {"id": asked.get("id"), "protocol": asked.get("protocol")}


def _fault(
    asked: dict[str, Any], fault: RemoteProtocolError, decoded: dict[str, Any] | None = None
) -> dict[str, Any]:
    return _head(asked) | {"error": _error(fault), "decoded": decoded}


def _error(fault: RemoteProtocolError) -> dict[str, Any]:
    return {"kind": fault.kind, "sentence": str(fault), "offset": fault.offset}


def _refused(asked: dict[str, Any], kind: str, sentence: str) -> dict[str, Any]:
    return _head(asked) | {"error": {"kind": kind, "sentence": sentence}, "decoded": None}
