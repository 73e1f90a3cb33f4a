"""Which meters stood before a meter: what was told of them, and done to them, follows the customer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from meterlink.config.meters import MeterSettings
from meterlink.model.slot import Departure
from meterlink.roster.entries import Meters, is_gone

PREDECESSORS_MAX: Final = 100
"""Meters before one that are looked at: those of its place first, then those that went last."""


def departures(meters: Meters, at: datetime) -> dict[str, Departure]:
    """By id of each meter that has gone: when, and whether another one replaces it.

    Args:
        meters: all, with those out of service.
        at: now.

    """
    replaced = {meter.replaces for meter in meters.values() if meter.replaces}
    return {
        meter.id: Departure(meter.in_service_until, meter.id in replaced)
        for meter in meters.values()
        if meter.in_service_until is not None and is_gone(meter, at)
    }


def predecessors(meters: Meters, at: datetime) -> dict[str, tuple[str, ...]]:
    """By id of each meter that has some: the ids of those before it, the one that it replaced last.

    Before a meter stood those that it replaced, and those they had replaced; and meters of its customer that
    have gone and nobody replaced: who changes ids without an exchange makes nobody forgotten by it.

    Args:
        meters: all, with those out of service.
        at: now.

    """
    replaced = {meter.replaces for meter in meters.values() if meter.replaces}
    left: dict[str, list[MeterSettings]] = {}
    for meter in meters.values():
        if meter.customer_number and meter.id not in replaced and is_gone(meter, at):
            left.setdefault(meter.customer_number, []).append(meter)
    found: dict[str, tuple[str, ...]] = {}
    for meter in meters.values():
        chain = _chain(meters, meter)
        others = sorted(
            (one for one in left.get(meter.customer_number, []) if one.id not in {meter.id, *chain}),
            key=_went_at,
        )
        if before := [*(one.id for one in others), *chain][-PREDECESSORS_MAX:]:
            found[meter.id] = tuple(before)
    return found


def _chain(meters: Mapping[str, MeterSettings], meter: MeterSettings) -> list[str]:
    """Those that it replaced, the oldest first; what the roster does not know ends it."""
    chain: list[str] = []
    one = meters.get(meter.replaces or "")
    while one is not None and one.id not in {meter.id, *chain}:
        chain.append(one.id)
        one = meters.get(one.replaces or "")
    return chain[::-1]


def _went_at(meter: MeterSettings) -> datetime:
    assert meter.in_service_until is not None, "it is out of service"
    return meter.in_service_until
