"""Sealing a day of an area: its files are written beside their place, synced, and renamed.

The rename is the seal. Whatever ends the process before it leaves a draft that nobody reads and that the next
attempt removes; whatever ends it after leaves a whole seal, of which the next start makes the act.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final

from meterlink.audit.keys import GatewayKey
from meterlink.billing.disk import Disk, RealDisk
from meterlink.billing.formats import SUFFIXES, Format, RowWriter, writer_of
from meterlink.billing.freezes import FreezeRow
from meterlink.billing.manifest import MANIFEST, SIGNATURE, DataFile, Manifest, signature
from meterlink.billing.settlements import NUMBERS_MAX, Sealed, Settlements, folder_of_number, sealed
from meterlink.billing.source import Freezes
from meterlink.billing.standing import DayStanding
from meterlink.clock import Clock
from meterlink.errors import BadRequest, SettlementBroken

NAME: Final = "daily-freeze"
"""Of the data files, before the ending."""
_READ_OCTETS: Final = 1 << 20
_FIRST_ROWS: Final = 20
"""Of which one is enough to know that there is something new."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Draft:
    """What is to be sealed.

    Args:
        before: what is sealed already, in order.
        until: the row of the log up to which it goes.
        rows: the freezes of the day up to there.

    """

    day: date
    area: str
    before: Sequence[Sealed]
    until: int
    rows: Iterator[FreezeRow]

    @property
    def since(self) -> int:
        return self.before[-1].manifest.to_seq if self.before else 0

    @property
    def number(self) -> int:
        return len(self.before) + 1


class Sealer:
    """Seals days.

    Args:
        settlements: where they lie.
        key: of the gateway.
        gateway: its id.
        formats: of the data files, each once.
        clock: gives ``sealed_at``.
        disk: what is done to the file system.

    """

    def __init__(
        self,
        settlements: Settlements,
        key: GatewayKey,
        *,
        gateway: str,
        formats: Sequence[Format],
        clock: Clock,
        disk: Disk | None = None,
    ) -> None:
        self.settlements: Final = settlements
        self._key = key
        self._gateway = gateway
        self._formats = formats
        self._clock = clock
        self._disk = disk or RealDisk()
        self._lock = threading.Lock()

    def preview(self, freezes: Freezes, day: date, area: str) -> Manifest | None:
        """What ``seal`` would write, without files; ``None``: nothing is new.

        Raises:
            BadRequest: there is no such area, or the day is not over.
            JournalError: the journal cannot be read.
            SettlementBroken: what is sealed cannot be read.

        """
        draft = self._draft(freezes, day, area)
        return None if draft is None else self._written(freezes, draft, [], ())

    def seal(self, freezes: Freezes, day: date, area: str) -> Sealed | None:
        """Seal a day, or what has come since as a supplement; ``None``: nothing is new, nothing was written.

        Args:
            freezes: of the journal.
            day: which ended at the freezes.
            area: transformer area; empty: of the meters without one.

        Raises:
            BadRequest: there is no such area, or the day is not over.
            JournalError: the journal cannot be read.
            SettlementBroken: the files cannot be written, or what is sealed cannot be read.
            ConfigError: a format needs an extra that is not installed.

        """
        with self._lock:
            draft = self._draft(freezes, day, area)
            if draft is None:
                return None
            place = self.settlements.place(day, area)
            try:
                return self._sealed(freezes, draft, place)
            except (OSError, ArithmeticError) as error:
                raise SettlementBroken(f"{place}: cannot be sealed: {error}") from None

    def check(self, freezes: Freezes, day: date, area: str) -> None:
        """See that what is sealed of a day is of this journal.

        Raises:
            JournalError: the journal cannot be read.
            SettlementBroken: it is of another, or this one was put back from a copy and lacks what it has;
                or it cannot be read.

        """
        _check_origin(freezes, self.settlements.of(day, area))

    def _draft(self, freezes: Freezes, day: date, area: str) -> _Draft | None:
        if self._clock.utc_now() < freezes.end_of(day):
            raise BadRequest(f"{day} is not over yet: its freeze is taken at midnight / 该日尚未结束")
        before = self.settlements.of(day, area)
        if [one.number for one in before] != list(range(1, len(before) + 1)):
            raise SettlementBroken(
                f"{self.settlements.place(day, area)}: a seal or supplement is gone; put it back from a copy"
            )
        if len(before) >= NUMBERS_MAX:
            raise SettlementBroken(f"{day} {area!r}: at most {NUMBERS_MAX} supplements")
        _check_origin(freezes, before)
        until = freezes.newest()
        since = before[-1].manifest.to_seq if before else 0
        news = freezes.all_after(since, until=until, day=day, area=area, at_once=_FIRST_ROWS)
        is_new = next(news, None) is not None
        if before and not is_new:
            return None
        if not is_new and not freezes.points.in_service(freezes.end_of(day), area):
            raise BadRequest(f"there is no meter in area {area!r} on {day} / 该日该台区没有电能表")
        rows = freezes.all_after(0, until=until, day=day, area=area)
        return _Draft(day=day, area=area, before=before, until=until, rows=rows)

    def _sealed(self, freezes: Freezes, draft: _Draft, place: Path) -> Sealed:
        disk = self._disk
        self._make_place(place)
        folder, hidden = place / folder_of_number(draft.number), place / f".{folder_of_number(draft.number)}"
        disk.remove(hidden)
        disk.make_folder(hidden)
        try:
            manifest = self._in_files(freezes, draft, hidden).octets()
            self._put(hidden / MANIFEST, manifest)
            self._put(hidden / SIGNATURE, signature(self._key, manifest))
            disk.sync_folder(hidden)
        except Exception:
            with suppress(OSError):  # the next attempt removes it; till then a full disk would stay full
                disk.remove(hidden)
            raise
        disk.rename(hidden, folder)
        disk.sync_folder(place)
        return sealed(folder)

    def _make_place(self, place: Path) -> None:
        """The folder of the day and area, each on the disk before anything is in it."""
        root = self.settlements.folder
        for folder in (root, place.parent, place):
            self._disk.make_folder(folder)
            self._disk.sync_folder(folder.parent)

    def _in_files(self, freezes: Freezes, draft: _Draft, hidden: Path) -> Manifest:
        """Write the data, all formats in one pass through the journal."""
        paths = [hidden / f"{NAME}.{SUFFIXES[kind]}" for kind in self._formats]
        with ExitStack() as stack:
            opened: list[BinaryIO] = []
            for path in paths:
                opened.append(stack.enter_context(self._disk.create(path)))
            pairs = zip(self._formats, opened, strict=True)
            writers = [writer_of(kind, file) for kind, file in pairs]
            return self._written(freezes, draft, writers, paths, opened)

    def _written(
        self,
        freezes: Freezes,
        draft: _Draft,
        writers: Sequence[RowWriter],
        paths: Sequence[Path],
        opened: Sequence[BinaryIO] = (),
    ) -> Manifest:
        standing, count = DayStanding(draft.day, draft.area), 0
        for row in draft.rows:
            standing.add(row)
            if row.seq <= draft.since:
                continue
            count += 1
            for writer in writers:
                writer.add(row)
        for writer in writers:
            writer.close()
        for file in opened:
            self._disk.sync(file)
        in_service = freezes.points.in_service(freezes.end_of(draft.day), draft.area)
        return Manifest(
            gateway=self._gateway,
            day=draft.day,
            area=draft.area,
            sealed_at=self._clock.utc_now(),
            number=draft.number,
            from_seq=draft.since,
            to_seq=draft.until,
            freezes=count,
            counts=standing.counts(in_service),
            missing=standing.missing(in_service, freezes),
            files=tuple(_described(path, one.rows) for path, one in zip(paths, writers, strict=True)),
            before=draft.before[-1].sha256 if draft.before else "",
            origin=freezes.origin(draft.until),
        )

    def _put(self, path: Path, octets: bytes) -> None:
        with self._disk.create(path) as file:
            file.write(octets)
            self._disk.sync(file)


def _check_origin(freezes: Freezes, sealed_before: Sequence[Sealed]) -> None:
    """See that the journal has all that was sealed: going on behind other rows would pass over some."""
    for one in sealed_before:
        manifest = one.manifest
        if manifest.to_seq > freezes.newest() or manifest.origin != freezes.origin(manifest.to_seq):
            raise SettlementBroken(
                f"{one.folder}: was sealed out of another journal, or this one was put back from a copy and "
                "lacks rows that are sealed there: put the newest journal back, or move this folder and "
                "those after it to another place, keep them, and settle again "
                "/ 该封存数据来自其他日志,或日志已从副本恢复:请恢复最新日志;"
                "或将该文件夹及其后续移出并保留,再重新封存"
            )


def _described(path: Path, rows: int) -> DataFile:
    octets, found = size_and_hash(path)
    return DataFile(name=path.name, rows=rows, octets=octets, sha256=found)


def size_and_hash(path: Path) -> tuple[int, str]:
    """Octets of a file, and SHA-256 over them.

    Raises:
        OSError: it cannot be read.

    """
    digest, octets = hashlib.sha256(), 0
    with path.open("rb") as file:
        while part := file.read(_READ_OCTETS):
            digest.update(part)
            octets += len(part)
    return octets, digest.hexdigest()
