"""Whether the meters of a configuration have what it asks of them: looked at before a port opens."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from typing import NamedTuple

from meterlink.acquisition.plans import Plan, StoredPlan
from meterlink.clock import Clock
from meterlink.config import MeterSettings, PlanSettings, Settings
from meterlink.daemon.planned import plans_of
from meterlink.daemon.terminal_line import terminal_settings
from meterlink.drivers.base import Offer
from meterlink.drivers.choose import driver_for
from meterlink.drivers.gdw1376.offer import TerminalOffer
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError, UnknownItem
from meterlink.model.data_classes import EVENT, STATUS, DataClass
from meterlink.model.slot import PASSING
from meterlink.roster.fits import Misfit, dial_in_misfit, heartbeat_misfit, password_misfit
from meterlink.security.choose import check_security
from meterprofiles import Profile


def profiles_of(settings: Settings) -> MeterProfiles:
    """The profiles of a configuration, each meter of which has one.

    Raises:
        ConfigError: a profile is wrong, or a meter has none or several; the message names it.

    """
    profiles = MeterProfiles(settings.gateway.profiles)
    for number, meter in enumerate(settings.meters, start=1):
        try:
            profiles.find(meter.protocol, meter.model)
        except ConfigError as error:
            raise error.behind(
                f"[[meters]] number {number} ({meter.id}): ", f"[[meters]] 第 {number} 项({meter.id}):"
            ) from None
    return profiles


def _reads(driver: Offer, data_class: DataClass) -> bool:
    """Whether meters of a profile have data of a class; a plan passes by those that have not."""
    if data_class == EVENT:
        return driver.has_events
    return data_class in PASSING or data_class in driver.stored


def has(driver: Offer, data_class: DataClass, item: str) -> bool:
    """Whether meters of a profile have an item in a class; a plan passes by those that have not."""
    if not _reads(driver, data_class):
        return False
    try:
        _check_item(driver, data_class, item)
    except UnknownItem:
        return False
    return True


def check_items(settings: Settings, clock: Clock, profiles: MeterProfiles) -> None:
    """Refuse what a meter's protocol has not or what cannot be kept, before a port opens.

    Raises:
        ConfigError: a meter cannot be read by its line, or not be ordered about as it says.
        UnknownItem: no meter has it; the message names the plan, and near items.

    """
    plans_of(settings.plans, settings.gateway.plant_time)
    _check_dial_in(settings)
    _check_passwords(settings, profiles)
    check_security(settings, profiles)
    served = set(_served(settings, profiles).values())
    by_name = sorted(served, key=lambda one: (one.profile.name, one.is_behind, one.tells_now))
    drivers = [_planned(one, clock) for one in by_name]
    for plan in settings.plans:
        able = [driver for driver in drivers if _reads(driver, plan.data_class)]
        if drivers and not able:
            raise _kept_by_none(plan, served)
        for item in plan.items if able else ():
            if not any(has(driver, plan.data_class, item) for driver in able):
                try:
                    _check_item(able[0], plan.data_class, item)
                except UnknownItem as error:
                    where = f"[[plans]] {plan.name!r}: "
                    raise UnknownItem(f"{where}{error}", where + error.said("zh")) from None


def _kept_by_none(plan: PlanSettings, served: Collection[_Served]) -> UnknownItem:
    spoken = sorted({_spoken(one.profile) for one in served})
    where = f"[[plans]] {plan.name!r}: "
    return UnknownItem(
        f"{where}none of the meters keeps a {plan.data_class}; they speak {', '.join(spoken)}",
        f"{where}没有电表保存 {plan.data_class} 类数据;现有电表的规约为 {'、'.join(spoken)}",
    )


def _check_dial_in(settings: Settings) -> None:
    for line, meters in settings.meters_by_line():
        for meter in meters:
            _refuse(meter, dial_in_misfit(meter, line) or heartbeat_misfit(meter, line))


def _check_passwords(settings: Settings, profiles: MeterProfiles) -> None:
    for meter in settings.meters:
        _refuse(meter, password_misfit(meter, profiles.find(meter.protocol, meter.model)))


def _refuse(meter: MeterSettings, misfit: Misfit | None) -> None:
    if misfit is not None:
        who = f"[[meters]] {meter.id!r}: "
        raise ConfigError(who + misfit.words.en, who + misfit.words.zh)


def passed_by(settings: Settings, plan: PlanSettings, clock: Clock, profiles: MeterProfiles) -> list[str]:
    """The meters that a plan does not read, because their protocol has no such data; by id."""
    served = _served(settings, profiles)
    drivers = {one: _planned(one, clock) for one in set(served.values())}
    able = {
        one
        for one, driver in drivers.items()
        if any(has(driver, plan.data_class, item) for item in plan.items)
    }
    return [meter for meter, one in served.items() if one not in able]


def lacking(
    settings: Settings, meter: MeterSettings, plans: Sequence[Plan | StoredPlan], clock: Clock
) -> list[Plan | StoredPlan]:
    """Of some plans those that pass a meter by, because its protocol has no such data.

    Args:
        settings: with its line.
        meter: may have left its place.
        plans: any.
        clock: wall time.

    Raises:
        ConfigError: nothing is known of its model.

    """
    alone = settings.model_copy(update={"meters": (meter,)})
    profiles = MeterProfiles(settings.gateway.profiles)
    served = _Served(profiles.find(meter.protocol, meter.model))
    with contextlib.suppress(ValueError):  # its line may have gone from the configuration, and with it this
        served = _served(alone, profiles)[meter.id]
    driver = _planned(served, clock)
    return [plan for plan in plans if not any(has(driver, plan.data_class, item) for item in plan.items)]


class _Served(NamedTuple):
    """Meters that have the same.

    Args:
        profile: of them.
        is_behind: whether a terminal of Q/GDW 1376.1 stands before them.
        tells_now: whether that one tells what it has read lately.

    """

    profile: Profile
    is_behind: bool = False
    tells_now: bool = False


def _served(settings: Settings, profiles: MeterProfiles) -> dict[str, _Served]:
    """What each meter is, by id."""
    found = {meter.id: _Served(profiles.find(meter.protocol, meter.model)) for meter in settings.meters}
    for line, meters in settings.meters_by_line():
        if line.terminal_1376 is not None:
            tells_now = terminal_settings(line).fresh_s > 0
            found |= {one.id: _Served(found[one.id].profile, True, tells_now) for one in meters}
    return found


def _planned(served: _Served, clock: Clock) -> Offer:
    """What meters have, of those that talk and of those that stand behind a terminal."""
    driver = driver_for(served.profile, clock, random_octets=bytes)
    return TerminalOffer(driver, tells_now=served.tells_now) if served.is_behind else driver


def _spoken(profile: Profile) -> str:
    dialect = profile.spoken
    return dialect if dialect == profile.protocol else f"{profile.protocol} ({dialect})"


def _check_item(driver: Offer, data_class: DataClass, item: str) -> None:
    if data_class == EVENT:
        driver.event_kinds(item)
    elif data_class == STATUS:
        driver.check_status(item)
    elif data_class in PASSING:
        driver.check_instant(item)
    else:
        driver.check_stored(data_class, item)
