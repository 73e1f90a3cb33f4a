"""Entries of the journal as settings of meters, both ways: the same keys, checked by the same rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from meterlink.config.fault import first_of
from meterlink.config.meters import MeterSettings
from meterlink.errors import ConfigError
from meterlink.model.roster_change import Entry

Meters = Mapping[str, MeterSettings]
"""By our ids of them."""


def entry_of(meter: MeterSettings) -> dict[str, Any]:
    """What was told of a meter, as the journal keeps it."""
    return meter.model_dump(mode="json", exclude_defaults=True)


def meter_of(entry: Entry) -> MeterSettings:
    """Undo ``entry_of``.

    Raises:
        ConfigError: the entry is not as this version knows one.

    """
    try:
        return MeterSettings.model_validate(dict(entry))
    except ValidationError as error:
        place, said = first_of(error)
        who = entry.get("id")
        raise ConfigError(
            f"meter {who!r} of the roster: {place}: {said.en}: mend it with `meterlink roster apply`",
            f"档案中的电表 {who!r}:{place}:{said.zh}:请用 `meterlink roster apply` 更正",
        ) from None


def meters_of(entries: Iterable[Entry]) -> dict[str, MeterSettings]:
    """All meters of a roster.

    Raises:
        ConfigError: an entry is not as this version knows one.

    """
    meters = map(meter_of, entries)
    return {meter.id: meter for meter in meters}


def is_gone(meter: MeterSettings, at: datetime) -> bool:
    """Whether a meter was out of service for good at a time; one that comes later is not."""
    return meter.in_service_until is not None and meter.in_service_until <= at


def in_service(meters: Iterable[MeterSettings], at: datetime) -> tuple[MeterSettings, ...]:
    """Those that stand at a customer's at a time."""
    return tuple(meter for meter in meters if meter.in_service(at))


def next_turn(meters: Iterable[MeterSettings], at: datetime) -> datetime | None:
    """When the next one comes into service or goes out of it; ``None``: none will."""
    turns = (
        turn
        for meter in meters
        for turn in (meter.in_service_since, meter.in_service_until)
        if turn is not None and turn > at
    )
    return min(turns, default=None)
