"""Who judges the readings in tests of the rooms around it: the real judge."""

from __future__ import annotations

from meterlink.clock import Clock
from meterlink.config import Settings
from meterlink.daemon.judging import Judging
from meterlink.daemon.settings_check import profiles_of
from meterlink.journal.journal import Journal
from meterlink.validation.judge import Judge
from meterlink.validation.validator import Validator
from tests.support.kept import FACTS, METER


def judging_of(settings: Settings, journal: Journal, clock: Clock) -> Judging:
    """The judging of a daemon with these settings."""
    profiles = profiles_of(settings)
    return Judging(journal, lambda: settings, lambda: profiles, clock)


def judge() -> Judge:
    """One who knows the meter ``METER`` alone, of which nothing was seen beside its values."""
    return Judge(Validator({METER: FACTS}), {})
