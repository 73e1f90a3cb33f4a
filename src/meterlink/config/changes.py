"""What differs between two configurations, sorted by what it concerns: nothing here acts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from meterlink.config.settings import Settings

FIXED: Final = (
    "gateway.id",
    "gateway.site",
    "gateway.data_dir",
    "gateway.zone",
    "gateway.clock_trusted",
    "gateway.event_loop",
    "control",
    "billing",
    "security_providers",
    "monitoring",
    "web",
)
"""Keys that a daemon keeps from its start: names under which everything stands, and what orders rest on."""

DELIVERY: Final = ("mqtt", "embedded_broker", "influx", "files", "ingest")
"""Tables of the way from the log to the database."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What differs.

    Args:
        fixed: keys that differ and cannot be changed while a daemon runs.
        plans: whether what is read differs.
        delivery: whether the way to the database differs.
        retention: whether the days that rows stay differ.
        log: whether what we say differs.
        alarms: whether the figures of collection's alarms differ.

    """

    fixed: tuple[str, ...] = ()
    plans: bool = False
    delivery: bool = False
    retention: bool = False
    log: bool = False
    alarms: bool = False

    def __bool__(self) -> bool:
        """Whether anything differs."""
        return self != Changes()


def changes(old: Settings, new: Settings) -> Changes:
    """What differs between what holds and what was read, but for the lines and their meters.

    Those are for ``roster.lines``, and profiles are files of their own: who asks compares them.
    """
    return Changes(
        fixed=(*(key for key in FIXED if _value(old, key) != _value(new, key)), *_ports(old, new)),
        plans=old.plans != new.plans,
        delivery=any(_value(old, table) != _value(new, table) for table in DELIVERY),
        retention=old.retention != new.retention,
        log=old.log != new.log,
        alarms=old.alarms != new.alarms,
    )


def _ports(old: Settings, new: Settings) -> tuple[str, ...]:
    """Who dials in, and where: ports are opened at the start, with those whom they let in."""
    if old.terminals_by_endpoint() != new.terminals_by_endpoint():
        return ("lines of listen://",)
    return ()


def _value(settings: Settings, key: str) -> object:
    value: object = settings
    for name in key.split("."):
        value = getattr(value, name)
    return value
