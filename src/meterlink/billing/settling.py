"""Settling: sealing a day, and the act in the chain that binds the seal's hash to all that was done before.

First the folder gets its name, then the act is kept. A seal without an act is one after which the process
ended; it is made up for before anything else is done with that day.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from meterlink.billing.manifest import Manifest
from meterlink.billing.sealing import Sealer
from meterlink.billing.settlements import Sealed
from meterlink.billing.source import Freezes
from meterlink.clock import Clock
from meterlink.errors import SettlementBroken, StepTaken
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic

BY_ITSELF: Final = "meterlink"
"""Who seals what nobody asked for."""
MANIFEST_SHA256: Final = "manifest_sha256"

OpenFreezes = Callable[[], AbstractContextManager[Freezes]]
"""Opens the journal for reading, on a thread of its own, for as long as a day takes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What became of a day of an area.

    Args:
        manifest: of the seal or supplement that was written, or would be; ``None``: nothing was new.
        newest: what is sealed last; ``None``: nothing is.

    """

    manifest: Manifest | None
    newest: Sealed | None

    def as_json(self) -> dict[str, Any]:
        """For programs: without the list of the missing, which may be long."""
        told = self.manifest or (self.newest.manifest if self.newest else None)
        found = {} if told is None else told.as_json()
        found.pop("missing", None)
        folder = str(self.newest.folder) if self.newest else ""
        return {**found, "is_new": self.manifest is not None, "folder": folder}


class Settler:
    """Settles days of one gateway, one after another.

    Args:
        sealer: writes the files.
        open_freezes: of the journal.
        acts: of the same journal.
        clock: of the acts.

    """

    def __init__(self, sealer: Sealer, open_freezes: OpenFreezes, acts: ActLog, clock: Clock) -> None:
        self._sealer = sealer
        self._open = open_freezes
        self._acts = acts
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()

    async def areas(self, day: date) -> list[str]:
        """The transformer areas of which a day can be sealed, sorted.

        Raises:
            JournalError: the journal cannot be read.

        """
        return await asyncio.to_thread(self._areas, day)

    async def first_day(self) -> date | None:
        """The first day of which there can be something; ``None``: there is no roster yet.

        Raises:
            JournalError: the journal cannot be read.

        """
        return await asyncio.to_thread(self._first_day)

    async def last_day(self) -> date | None:
        """The newest day of which a meter has told a freeze that is not rejected; ``None``: none ever did.

        Raises:
            JournalError: the journal cannot be read.

        """
        return await asyncio.to_thread(self._last_day)

    async def complete(self, day: date) -> list[str]:
        """The areas of a day that are not sealed, and of whose meters in service none lacks its freeze.

        Raises:
            JournalError: the journal cannot be read.
            SettlementBroken: a manifest cannot be read.

        """
        return await asyncio.to_thread(self._complete, day)

    async def settle(self, day: date, area: str, *, actor: str = BY_ITSELF) -> Settled:
        """Seal a day of an area, or what has come since; nothing is written where nothing is new.

        Raises:
            BadRequest: there is no such area, or the day is not over.
            JournalError: the journal cannot be read, or the act not be kept; the next time makes up for it.
            SettlementBroken: the files cannot be written, or are not as they were sealed.
            ConfigError: a format needs an extra that is not installed.

        """
        async with self._one_at_a_time:
            await self._bind(day, area)
            made = await asyncio.to_thread(self._seal, day, area)
            if made is not None:
                await self._bind(day, area, actor)
            sealed = self._sealer.settlements.of(day, area)
        return Settled(manifest=made.manifest if made else None, newest=sealed[-1] if sealed else None)

    async def preview(self, day: date, area: str) -> Settled:
        """What ``settle`` would do; the same errors."""
        manifest = await asyncio.to_thread(self._preview, day, area)
        sealed = self._sealer.settlements.of(day, area)
        return Settled(manifest=manifest, newest=sealed[-1] if sealed else None)

    async def make_up(self) -> int:
        """Make the acts of all seals that have none; how many there were.

        Raises:
            JournalError: the journal cannot be read or written.
            SettlementBroken: a manifest cannot be read, is not the one that was sealed, or is of another
                journal; the acts of the others are made all the same.

        """
        settlements, made, broken = self._sealer.settlements, 0, ""
        for day in await asyncio.to_thread(settlements.days):
            sealed = await asyncio.to_thread(settlements.list, day)
            for area in sorted({one.area for one in sealed}):
                async with self._one_at_a_time:
                    try:
                        made += await self._bind(day, area)
                    except SettlementBroken as error:
                        broken = broken or str(error)
        if broken:
            raise SettlementBroken(broken)
        return made

    async def _bind(self, day: date, area: str, actor: str = BY_ITSELF) -> int:
        """Make the acts of a day that are not there; how many there were."""
        sealed = await asyncio.to_thread(self._sealer.settlements.of, day, area)
        acts = await self._acts.of_subject(Topic.SETTLEMENT, subject_of(day, area))
        bound = acts[-1].act.step if acts else 0
        for kept in acts:
            number = kept.act.step
            _check(sealed[number - 1] if number <= len(sealed) else None, kept.act, day, area)
        if sealed[bound:]:
            await asyncio.to_thread(self._check_origin, day, area)
        for one in sealed[bound:]:
            try:
                await self._acts.append(act_of(one, self._clock, actor))
            except StepTaken as error:
                raise SettlementBroken(str(error)) from None
        return len(sealed) - bound

    def _areas(self, day: date) -> list[str]:
        with self._open() as freezes:
            sealed = {one.area for one in self._sealer.settlements.list(day)}
            return sorted(freezes.areas(day) | sealed)

    def _first_day(self) -> date | None:
        with self._open() as freezes:
            return freezes.first_day()

    def _last_day(self) -> date | None:
        with self._open() as freezes:
            return freezes.last_day()

    def _complete(self, day: date) -> list[str]:
        with self._open() as freezes:
            read, at = freezes.read_on(day), freezes.end_of(day)
            sealed = {one.area for one in self._sealer.settlements.list(day)}
            return [
                area
                for area in freezes.points.areas(at)
                if area not in sealed and read.issuperset(freezes.points.in_service(at, area))
            ]

    def _check_origin(self, day: date, area: str) -> None:
        with self._open() as freezes:
            self._sealer.check(freezes, day, area)

    def _seal(self, day: date, area: str) -> Sealed | None:
        with self._open() as freezes:
            return self._sealer.seal(freezes, day, area)

    def _preview(self, day: date, area: str) -> Manifest | None:
        with self._open() as freezes:
            return self._sealer.preview(freezes, day, area)


def subject_of(day: date, area: str) -> str:
    """Of the acts that tell of a day of an area."""
    return f"{day.isoformat()}/{area}"


def act_of(sealed: Sealed, clock: Clock, actor: str) -> Act:
    """The act that binds a seal or supplement into the chain."""
    manifest = sealed.manifest
    return Act(
        topic=Topic.SETTLEMENT,
        subject=subject_of(manifest.day, manifest.area),
        step=manifest.number,
        verb=manifest.kind,
        at=clock.utc_now(),
        actor=actor,
        body={
            MANIFEST_SHA256: sealed.sha256,
            "from_seq": manifest.from_seq,
            "to_seq": manifest.to_seq,
            "freezes": manifest.freezes,
            "in_service": manifest.counts.in_service,
            "missing": manifest.counts.missing,
        },
    )


def _check(sealed: Sealed | None, act: Act, day: date, area: str) -> None:
    """See that a seal that the chain tells of is there, and is that one."""
    if sealed is None:
        raise SettlementBroken(
            f"{day} {area!r}: number {act.step} was sealed, and its folder is gone; put it back from a copy "
            "/ 已封存的文件夹丢失,请从副本恢复"
        )
    if sealed.sha256 != act.body.get(MANIFEST_SHA256):
        raise SettlementBroken(
            f"{sealed.folder}: its manifest is another than the one that was sealed; put it back from a copy "
            "/ 清单与封存时不一致,请从副本恢复"
        )
