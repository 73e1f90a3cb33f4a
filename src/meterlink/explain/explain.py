"""Octets -> explanation, whatever the protocol."""

from __future__ import annotations

from typing import Final, Literal

from meterlink.explain import dlt645, dlt698
from meterlink.explain.parts import Explanation

Protocol = Literal["dlt645-2007", "dlt645-1997", "dlt698.45"]
DLT698: Final = "dlt698.45"


def explain(octets: bytes, protocol: Protocol | None = None) -> Explanation:
    """Find and explain every frame in ``octets``.

    Args:
        octets: a frame, or a stream with anything in it.
        protocol: whose frames; ``None``: DL/T 645-2007 or 698.45, whichever leaves fewer octets over.

    """
    if protocol == DLT698:
        return dlt698.explain(octets)
    if protocol is not None:
        return dlt645.explain(octets, protocol)
    later, earlier = dlt698.explain(octets), dlt645.explain(octets)
    return later if later.frames and later.skipped < _left_over(earlier) else earlier


def _left_over(explanation: Explanation) -> int:
    return explanation.skipped if explanation.frames else len(explanation.octets)
