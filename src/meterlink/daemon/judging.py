"""Who judges the readings of some meters: their facts, from the roster and their profiles."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import tzinfo
from functools import partial

from meterlink.config import MeterSettings
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.registers import capacities
from meterlink.validation.facts import MeterFacts
from meterlink.validation.validator import Validator


def validator_of(meters: Iterable[MeterSettings], profiles: MeterProfiles, zone: tzinfo) -> Validator:
    """Who marks the readings of these meters.

    Args:
        meters: entries of the roster, each of which has a profile.
        profiles: of their models.
        zone: what their clocks show.

    """
    return Validator({meter.id: _facts(meter, profiles, zone) for meter in meters})


def _facts(meter: MeterSettings, profiles: MeterProfiles, zone: tzinfo) -> MeterFacts:
    profile = profiles.find(meter.protocol, meter.model)
    return MeterFacts.of(meter, profile, capacities=partial(capacities, meter.protocol), zone=zone)
