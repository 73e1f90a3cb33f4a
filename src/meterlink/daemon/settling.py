"""Sealing days as a configuration says: where they lie, who seals them, and who may ask for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Final

from meterlink.audit.keys import GatewayKey
from meterlink.billing import days
from meterlink.billing.opening import FreezesOf
from meterlink.billing.schedule import Schedule
from meterlink.billing.sealing import Sealer
from meterlink.billing.settlements import Settlements
from meterlink.billing.settling import Settled, Settler
from meterlink.clock import Clock
from meterlink.config import Settings
from meterlink.config.billing import BillingSettings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import Handler
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import BadRequest, NotAllowed
from meterlink.journal.acts import ActLog
from meterlink.orders.people import Deed, People

FOLDER: Final = "settlements"
"""In the data directory, unless the configuration names another."""
AREAS: Final = "settlement.areas"
SETTLE: Final = "settlement.settle"


def billing_of(settings: Settings) -> BillingSettings:
    """What a configuration says of billing, or what holds without."""
    return settings.billing or BillingSettings.model_validate({})


def settlements_of(settings: Settings, folder: Path) -> Settlements:
    """Where the sealed days of a configuration lie.

    Args:
        settings: checked.
        folder: the data directory.

    """
    told = billing_of(settings).folder
    return Settlements(folder / FOLDER if told is None else told.expanduser())


def settler_of(
    settings: Settings, profiles: MeterProfiles, folder: Path, *, acts: ActLog, key: GatewayKey, clock: Clock
) -> Settler:
    """Whoever seals days as a configuration says.

    Args:
        settings: checked.
        profiles: of the meters.
        folder: the data directory.
        acts: of its journal.
        key: of the gateway.
        clock: wall time.

    """
    sealer = Sealer(
        settlements_of(settings, folder),
        key,
        gateway=settings.gateway.id,
        formats=billing_of(settings).formats,
        clock=clock,
    )
    opener = FreezesOf(folder / JOURNAL_FILE, profiles, settings.gateway.plant_time)
    return Settler(sealer, opener, acts, clock)


def schedule_of(settings: Settings, told: BillingSettings, settler: Settler, clock: Clock) -> Schedule:
    """When the days of a configuration are sealed."""
    return Schedule(
        settler,
        clock,
        zone=settings.gateway.plant_time,
        seal_at=told.seal_time,
        areas=told.areas,
        when_complete=told.when_complete,
    )


class SettlementRequests:
    """The requests about sealed days, in front of all others.

    Args:
        settler: seals.
        people: who may be what; ``None``: nobody orders anything here, and who can use the socket may do it.
        others: answers everything else.

    """

    def __init__(self, settler: Settler, people: People | None, others: Handler) -> None:
        self._settler = settler
        self._people = people
        self._others = others
        self._table: dict[str, Callable[[str, Mapping[str, Any]], Awaitable[Mapping[str, Any]]]] = {
            AREAS: self._areas,
            SETTLE: self._settle,
        }

    async def answer(self, user: str, op: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        """What a local user asks; see ``control_socket.Handler``.

        Raises:
            BadRequest: the arguments are wrong, or there is no such area.
            NotAllowed: he may not.
            JournalError, SettlementBroken: it was not done.
            MeterlinkError: whatever the others say.

        """
        if op in self._table:
            return await self._table[op](user, args)
        return await self._others(user, op, args)

    async def _areas(self, user: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        del user
        match args:
            case {"day": str(day), **rest} if not rest:
                return {"areas": await self._settler.areas(days.parsed(day))}
        raise BadRequest("day must be a text, and nothing else is taken")

    async def _settle(self, user: str, args: Mapping[str, Any]) -> Mapping[str, Any]:
        match args:
            case {"day": str(day), "area": str(area), "dry_run": bool(dry_run), **rest} if not rest:
                pass
            case _:
                raise BadRequest("day and area must be texts, dry_run true or false, and nothing else")
        check_may_bill(self._people, user)
        return (await settled(self._settler, day, area, actor=user, dry_run=dry_run)).as_json()


async def settled(settler: Settler, day: str, area: str, *, actor: str, dry_run: bool) -> Settled:
    """Seal a day of an area, or look what would be sealed; errors as of ``Settler.settle``."""
    if dry_run:
        return await settler.preview(days.parsed(day), area)
    return await settler.settle(days.parsed(day), area, actor=actor)


def check_may_bill(people: People | None, user: str) -> None:
    """Whether somebody may seal days, or make estimates for them. Source: decision 27.

    Raises:
        NotAllowed: he may not.

    """
    if people is not None and not people.actor(user).may(Deed.SETTLE):
        raise NotAllowed(
            f"{user} may not seal days or make estimates: it takes the role of billing or operator "
            "/ 需要 billing 或 operator 角色",
            why="role",
        )
