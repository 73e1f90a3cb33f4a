"""Which driver serves a profile, and what of its protocol the line must allow for."""

from __future__ import annotations

from collections.abc import Callable
from datetime import tzinfo
from typing import Final

from meterlink.bus.exchange import ANSWER_OCTETS_MAX
from meterlink.clock import Clock
from meterlink.drivers.base import Driver
from meterlink.drivers.control import ControlDriver
from meterlink.drivers.dlt645.control import Dlt645ControlDriver
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.drivers.dlt698.control import Dlt698ControlDriver
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.drivers.dlt698.items import PROTOCOL as DLT698
from meterlink.drivers.dlt698.talk import PasswordOf, no_password
from meterlink.drivers.modbus.driver import ModbusDriver
from meterlink.drivers.reports import Report, nobody_keeps
from meterlink.errors import NoControl
from meterlink.model.zone import CHINA_TIME
from meterprofiles import Profile

LONG_ANSWER_OCTETS_MAX: Final = 2_100
"""Longest frame of DL/T 698.45 with preambles: meters send 512 or 1,024 octets, concentrators 2,048."""


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
        return ModbusDriver(clock, profile=profile)
    if profile.protocol == DLT698:
        return Dlt698Driver(
            clock,
            profile=profile,
            random_octets=random_octets,
            preamble=preamble,
            zone=zone,
            password_of=password_of,
            report=report,
        )
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
        return Dlt698ControlDriver(
            clock,
            profile=profile,
            random_octets=random_octets,
            preamble=preamble,
            zone=zone,
            password_of=password_of,
            association_lost=association_lost,
        )
    return Dlt645ControlDriver(clock, profile=profile, preamble=preamble, zone=zone)


def answer_octets_max(profile: Profile) -> int:
    """Longest frame that meters of a profile answer with."""
    return LONG_ANSWER_OCTETS_MAX if profile.protocol == DLT698 else ANSWER_OCTETS_MAX
