"""Ours beside a peer's, in one run: how both benchmarks of a codec measure and what they print."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from typing import Any, NamedTuple

_ROUNDS = 25
_CALLS = 2_000


class Work(NamedTuple):
    """The same piece of work on both sides.

    Args:
        ours: one turn of it.
        peers: one turn of the peer's.
        must: how many times as fast ours has to be.
        goal: how many times as fast it should be.

    """

    ours: Callable[[], object]
    peers: Callable[[], object]
    must: float
    goal: float


class Rate(NamedTuple):
    """How often something was done.

    Args:
        a_second: of the clock on the wall; whatever else this machine did has its part in it.
        a_core_second: of a core that this process used, so that others, and the server, do not count.

    """

    a_second: float
    a_core_second: float


class Stopwatch:
    """Runs from when it is made."""

    def __init__(self) -> None:
        self._begun_s, self._used_s = time.perf_counter(), time.process_time()

    def rate(self, count: int) -> Rate:
        """So often something was done since then."""
        return Rate(
            count / (time.perf_counter() - self._begun_s), count / (time.process_time() - self._used_s)
        )


def medians_of(rates: dict[str, list[Rate]]) -> dict[str, Rate]:
    """The middle of several rounds, each figure by itself."""
    return {
        name: Rate(
            statistics.median(rate.a_second for rate in found),
            statistics.median(rate.a_core_second for rate in found),
        )
        for name, found in rates.items()
    }


def told(medians: dict[str, Rate]) -> dict[str, int]:
    """Both figures, for people."""
    return {name: round(rate.a_second) for name, rate in medians.items()} | {
        f"{name}, of a core": round(rate.a_core_second) for name, rate in medians.items()
    }


def ratios_to(medians: dict[str, Rate], name: str, others: tuple[str, ...]) -> dict[str, float]:
    """One beside others, in both figures."""
    one = medians[name]
    return {
        f"{name} / {other}{kind}": round(ours / theirs, 2)
        for other in others
        for kind, ours, theirs in (
            ("", one.a_second, medians[other].a_second),
            (", of a core", one.a_core_second, medians[other].a_core_second),
        )
    }


def microseconds(call: Callable[[], object]) -> float:
    """What one of many calls in a row takes."""
    start = time.perf_counter()
    for _ in range(_CALLS):
        call()
    return (time.perf_counter() - start) / _CALLS * 1e6


def compare(title: str, peer: str, works: dict[str, Work]) -> dict[str, Any]:
    """The document of a benchmark; the two sides take turns, so that a noisy machine slows both.

    Args:
        title: its heading.
        peer: the peer's name.
        works: pieces of work by name.

    """
    medians: dict[str, float] = {}
    ratios: dict[str, float] = {}
    goals: dict[str, str] = {}
    for name, work in works.items():
        pairs = [(microseconds(work.ours), microseconds(work.peers)) for _ in range(_ROUNDS)]
        ours_us, peers_us = (statistics.median(side) for side in zip(*pairs, strict=True))
        medians |= {f"{name}, meterlink": round(ours_us, 2), f"{name}, {peer}": round(peers_us, 2)}
        ratios[name] = round(statistics.median(theirs / ours for ours, theirs in pairs), 2)
        goals[name] = f"must {work.must:g}, goal {work.goal:g}"
    return {
        "bench": title,
        "unit": "microseconds",
        "rounds": _ROUNDS,
        "medians": medians,
        "ratios": ratios,
        "goals": goals,
    }


def show(document: dict[str, Any]) -> None:
    """Print a document as JSON."""
    print(json.dumps(document, indent=2))
