"""The meters that a daemon works with: those of the journal, into which the configuration's go once.

At the first start ``[[meters]]`` is taken over. From then on the journal has the word: where the file says
something else, that is told at each start, and what to do; it is neither applied nor forgotten.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from typing import Final

import structlog

from meterlink.clock import Clock
from meterlink.config import Settings
from meterlink.daemon.turnover_alarms import raise_doubts
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError
from meterlink.journal.journal import Journal
from meterlink.orders.people import DAEMON
from meterlink.roster.book import IMPORT, RosterBook
from meterlink.roster.checks import Checks
from meterlink.roster.entries import Meters, in_service
from meterlink.roster.faults import RosterRefused
from meterlink.roster.lineage import predecessors
from meterlink.roster.plan import Plan, plan

_NO_METERS: Final = (
    "there are no meters: write [[meters]] into the configuration, or bring them with "
    "`meterlink roster apply FILE` (`meterlink roster template` prints a first file)",
    "没有电表:请在配置中写 [[meters]],或用 `meterlink roster apply 文件` 导入档案"
    "(`meterlink roster template` 给出一份模板)",
)
_NAMED_MAX: Final = 5
"""Meters that a line of the log names."""

_log = structlog.get_logger(__name__)


def book_of(settings: Settings, profiles: MeterProfiles, journal: Journal, clock: Clock) -> RosterBook:
    """The roster of a journal, held against a configuration."""
    zone = settings.gateway.plant_time
    doubted = partial(raise_doubts, acts=journal.acts, clock=clock, zone=zone)
    return RosterBook(journal.roster, Checks(settings, profiles), clock, doubted)


async def enrolled(settings: Settings, book: RosterBook, clock: Clock) -> Meters:
    """The roster of the journal; at the first start that of the file.

    Raises:
        ConfigError: there are no meters.
        JournalError: the roster cannot be read or kept.

    """
    held = await book.held()
    if held.revision == 0:
        return await _taken_over(settings, book)
    tell_differences(settings, held.meters, clock.utc_now())
    return held.meters


def with_roster(settings: Settings, meters: Meters, at: datetime) -> Settings:
    """A configuration with the meters of a roster that are in service.

    Raises:
        ConfigError: they do not fit the configuration.

    """
    return settings.with_meters(in_service(meters.values(), at), predecessors(meters, at))


def differences(settings: Settings, meters: Meters, at: datetime) -> Plan | None:
    """What ``[[meters]]`` says otherwise than the roster; ``None``: the file says nothing, or the same."""
    if not settings.meters:
        return None
    found = plan(meters, settings.meters, at)
    return None if found.is_empty else found


def no_meters() -> ConfigError:
    """A gateway has nothing to read."""
    return ConfigError(*_NO_METERS)


def _refused(refusal: RosterRefused) -> ConfigError:
    """What is wrong with [[meters]], one fault a line."""
    told = [(f"[[meters]] {one.meter!r}: {one.column}: ", one.words) for one in refusal.faults]
    return ConfigError(
        "\n".join(where + words.en for where, words in told),
        "\n".join(where + words.zh for where, words in told),
    )


async def _taken_over(settings: Settings, book: RosterBook) -> Meters:
    if not settings.meters:
        raise no_meters()
    try:
        applied = await book.apply(settings.meters, revision=0, actor=DAEMON, verb=IMPORT)
    except RosterRefused as refusal:
        raise _refused(refusal) from None
    _log.info(
        "roster_imported",
        meters=applied.added,
        told="[[meters]] of the configuration stand in the journal now, which has the word from here on; "
        "change them with `meterlink roster apply`",
    )
    return applied.meters


def tell_differences(settings: Settings, meters: Meters, at: datetime) -> None:
    """Log where ``[[meters]]`` says otherwise than the roster, and what to do."""
    if (found := differences(settings, meters, at)) is None:
        return
    _log.warning(
        "roster_differs_from_file",
        only_in_file=[meter.id for meter in found.added[:_NAMED_MAX]],
        other_in_file=[meter.id for meter in found.changed[:_NAMED_MAX]],
        only_in_journal=[meter.id for meter in found.retired[:_NAMED_MAX]],
        counts=[len(found.added), len(found.changed), len(found.retired)],
        told="the journal has the word, and [[meters]] was not applied: see `meterlink roster plan "
        "meterlink.toml`, then `meterlink roster apply meterlink.toml`, or take [[meters]] out of the file",
    )
