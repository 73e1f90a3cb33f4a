"""The plant that an API serves, and how its endpoints come to it and to its meters."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Final

from fastapi import Depends, Path, Request

from metersim.api.exchanges import Exchanges
from metersim.api.problems import Problem
from metersim.plant.built import BuiltPlant
from metersim.plant.built_line import BuiltMeter

NEAR_MAX: Final = 3
ADDRESS_DIGITS: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """What an API serves.

    Args:
        built: the plant.
        exchanges: what passed on its lines.
        urls: where its lines are reached from outside, by name.

    """

    built: BuiltPlant
    exchanges: Exchanges
    urls: Mapping[str, str] = field(default_factory=dict)

    def now(self) -> datetime:
        """The plant's true time, and everything that was due by then has happened."""
        now = self.built.clock.utc_now()
        self.built.happenings.advance(now)
        return now

    def meter(self, address: str) -> BuiltMeter:
        """The meter of an address, with everything due done.

        Raises:
            Problem: there is none.

        """
        meter = self.built.meters.get(address)
        if meter is None:
            near = near_addresses(address, self.built.meters)
            raise Problem(
                "no-such-meter",
                f"{address[:40]!r}: no meter has this address",
                f"Did you mean {' or '.join(near)}? GET /v1/meters lists all.",
                near=near,
            )
        meter.works.advance(self.now())
        return meter


def near_addresses(wanted: str, meters: Mapping[str, object]) -> list[str]:
    """Which addresses may have been meant: zeros in front, octets turned round, then the nearest ones."""
    if not (wanted.isascii() and wanted.isdigit()) or len(wanted) > ADDRESS_DIGITS:
        return list(meters)[:NEAR_MAX]
    padded = wanted.zfill(ADDRESS_DIGITS)
    turned = bytes.fromhex(padded)[::-1].hex()
    likely = [one for one in dict.fromkeys((padded, turned)) if one in meters]
    number = int(wanted)
    others = heapq.nsmallest(NEAR_MAX, meters, key=lambda address: abs(int(address) - number))
    return list(dict.fromkeys((*likely, *others)))[:NEAR_MAX]


def near_words(word: str, words: list[str]) -> list[str]:
    """The nearest of some words."""
    return difflib.get_close_matches(word[:100], words, n=NEAR_MAX)


def _served(request: Request) -> Served:
    found: Served = request.app.state.served
    found.now()
    return found


Plant = Annotated[Served, Depends(_served)]
"""The plant, for an endpoint."""


def _meter(address: Annotated[str, Path(description="12 digits", max_length=40)], plant: Plant) -> BuiltMeter:
    return plant.meter(address)


Meter = Annotated[BuiltMeter, Depends(_meter)]
"""The meter that a path names, for an endpoint."""
