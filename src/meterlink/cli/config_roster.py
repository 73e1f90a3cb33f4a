"""Which meters ``meterlink config check`` holds the configuration against: those that a daemon would have."""

from __future__ import annotations

from meterlink.clock import SystemClock
from meterlink.config import Settings, data_dir
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.enrolment import differences, no_meters, with_roster
from meterlink.errors import JournalError
from meterlink.journal.reader import JournalReader
from meterlink.roster.book import Held


def rostered(settings: Settings) -> tuple[Settings, str]:
    """The configuration with the meters that a daemon would work with, and where they come from, in words.

    Raises:
        ConfigError: there are no meters, or those of the journal do not fit the configuration.

    """
    path = data_dir(settings) / JOURNAL_FILE
    told = "[[meters]], which the first start takes over into the journal"
    if path.exists():
        try:
            with JournalReader(path) as reader:
                reader.check()
                held = Held.of(reader.roster())
        except JournalError as error:
            told = f"[[meters]]: the journal was not looked at: {error}"
        else:
            if held.revision:
                return _of_journal(settings, held)
    if not settings.meters:
        raise no_meters()
    return settings, told


def _of_journal(settings: Settings, held: Held) -> tuple[Settings, str]:
    now = SystemClock().utc_now()
    told = f"the journal's, revision {held.revision}"
    if found := differences(settings, held.meters, now):
        told += (
            f"; [[meters]] says otherwise of {len(found.added)} new, {len(found.changed)} changed and "
            f"{len(found.retired)} missing meters, and is not used: see `meterlink roster plan` of this file"
        )
    return with_roster(settings, held.meters, now), told
