"""A meter's frame that travels inside another protocol's: DL/T 645 or 698.45, as a subtree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

from meterlink.explain import dlt645, dlt698
from meterlink.explain.parts import Explanation, Part, Text


class Inner(NamedTuple):
    """What octets inside a frame hold.

    Args:
        parts: one for each frame, its fields within; empty where there is no good frame.
        decoded: the same for machines.

    """

    parts: tuple[Part, ...] = ()
    decoded: tuple[dict[str, Any], ...] = ()


def inner_frames(octets: bytes, start: int) -> Inner:
    """Find and explain meters' frames.

    Args:
        octets: a payload.
        start: index of its first octet in the whole stream.

    """
    later, earlier = dlt698.explain(octets), dlt645.explain(octets)
    is_later = bool(later.frames) and (not earlier.frames or later.skipped < earlier.skipped)
    found, name = (later, "DL/T 698.45") if is_later else (earlier, "DL/T 645")
    if not found.frames:
        return Inner()
    decoded = tuple({"protocol": name, **frame.decoded} for frame in found.frames)
    return Inner(tuple(_parts(found, name, start)), decoded)


def _parts(found: Explanation, name: str, start: int) -> list[Part]:
    """The frames one after the other, and what stands between them: it may hold anything."""
    parts, at = [], 0
    for frame in found.frames:
        parts += _between(found.octets, at, frame.start, start)
        parts.append(
            Part(
                start=start + frame.start,
                octets=found.octets[frame.start : frame.end],
                name=Text(f"{name} frame", f"{name} 帧"),
                parts=tuple(moved(part, start) for part in frame.parts),
            )
        )
        at = frame.end
    return parts + _between(found.octets, at, len(found.octets), start)


def _between(octets: bytes, first: int, end: int, start: int) -> list[Part]:
    if first == end:
        return []
    between = octets[first:end]
    name = Text("octets of no frame", "不属于任何帧")
    return [Part(start=start + first, octets=between, name=name, secret=bool(between.strip(b"\xfe")))]


def moved(part: Part, by: int) -> Part:
    """A part at its place in the whole stream."""
    inner = tuple(moved(one, by) for one in part.parts)
    return replace(part, start=part.start + by, parts=inner)
