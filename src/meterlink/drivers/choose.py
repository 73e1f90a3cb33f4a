"""Which driver serves a profile, and what of its protocol the line must allow for.

A driver is imported when the first meter wants it: a command that asks one meter would spend a quarter of its
time on the tables of protocols that the meter does not speak. The daemon imports all of them as it starts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from importlib import import_module
from typing import Final

from meterlink.bus.exchange import ANSWER_OCTETS_MAX
from meterlink.clock import Clock
from meterlink.drivers.base import Driver
from meterlink.drivers.control import ControlDriver
from meterlink.drivers.passwords import PasswordOf, no_password
from meterlink.drivers.reports import Report, nobody_keeps
from meterlink.errors import NoControl
from meterlink.model.zone import CHINA_TIME
from meterprofiles import Profile
from meterprofiles.schema import DLT698

LONG_ANSWER_OCTETS_MAX: Final = 2_100
"""Longest frame of DL/T 698.45 with preambles: meters send 512 or 1,024 octets, concentrators 2,048."""

_DRIVERS: Final = ("dlt645.control", "dlt645.driver", "dlt698.control", "dlt698.driver", "modbus.driver")
"""Modules beside this one."""


def import_all() -> None:
    """Import every driver now: in a daemon all lines would wait while the first meter's is imported."""
    for name in _DRIVERS:
        import_module(f"meterlink.drivers.{name}")


def driver_for(
    profile: Profile,
    clock: Clock,
    *,
    random_octets: Callable[[int], bytes],
    preamble: int | None = None,
    zone: tzinfo = CHINA_TIME,
    password_of: PasswordOf = no_password,
    report: Callable[[Report], None] = nobody_keeps,
) -> Driver:
    """The driver of the meters of a profile.

    Args:
        profile: what they speak, and how.
        clock: says when an answer was taken.
        random_octets: gives as many random octets as it is asked for.
        preamble: FEH octets before each request, 0 to 16, where it is not the profile's.
        zone: what the meters' clocks show.
        password_of: the password of a meter, where the profile wants one.
        report: where goes what meters tell along with their answers, where a protocol has that.

    """
    if profile.registers is not None:
        from meterlink.drivers.modbus.driver import ModbusDriver  # noqa: PLC0415

        return ModbusDriver(clock, profile=profile)
    if profile.protocol == DLT698:
        from meterlink.drivers.dlt698.driver import Dlt698Driver  # noqa: PLC0415

        return Dlt698Driver(
            clock,
            profile=profile,
            random_octets=random_octets,
            preamble=preamble,
            zone=zone,
            password_of=password_of,
            report=report,
        )
    from meterlink.drivers.dlt645.driver import Dlt645Driver  # noqa: PLC0415

    return Dlt645Driver(clock, profile=profile, preamble=preamble, zone=zone)


def control_driver_for(
    profile: Profile,
    clock: Clock,
    *,
    random_octets: Callable[[int], bytes],
    preamble: int | None = None,
    zone: tzinfo = CHINA_TIME,
    password_of: PasswordOf = no_password,
    association_lost: Callable[[str], None] = lambda _: None,
) -> ControlDriver:
    """The control driver of the meters of a profile.

    Args:
        profile: what they speak, and how.
        clock: says when an answer was taken.
        random_octets: gives as many random octets as it is asked for.
        preamble: FEH octets before each request, 0 to 16, where it is not the profile's.
        zone: what the meters' clocks show.
        password_of: the password of a meter, where the profile reads under one.
        association_lost: is told the address of a meter whose association with its reader was ended; see
            ``Driver.association_lost``.

    Raises:
        NoControl: this program controls no meters that speak so.

    """
    if profile.registers is not None:
        raise NoControl(f"no order goes to a meter of {profile.name}: nothing is written over Modbus")
    if profile.protocol == DLT698:
        from meterlink.drivers.dlt698.control import Dlt698ControlDriver  # noqa: PLC0415

        return Dlt698ControlDriver(
            clock,
            profile=profile,
            random_octets=random_octets,
            preamble=preamble,
            zone=zone,
            password_of=password_of,
            association_lost=association_lost,
        )
    from meterlink.drivers.dlt645.control import Dlt645ControlDriver  # noqa: PLC0415

    return Dlt645ControlDriver(clock, profile=profile, preamble=preamble, zone=zone)


def answer_octets_max(profile: Profile) -> int:
    """Longest frame that meters of a profile answer with."""
    return LONG_ANSWER_OCTETS_MAX if profile.protocol == DLT698 else ANSWER_OCTETS_MAX
