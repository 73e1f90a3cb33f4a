"""The newest act of the journal that somebody relies on, kept beside the journal in its own file.

A copy of the journal that somebody puts back has forgotten what was done since, and would have it done again;
it has forgotten as well who paid, was protected or stopped everything. The mark is not part of any copy:
it names an act that such a journal does not have. It stands at an order's intent before its frame leaves, and
follows the log before anybody is answered. It is one short line, overwritten where it stands, so that a full
disk stops no reconnection; a torn one is no mark, which is told.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from meterlink.errors import JournalError
from meterlink.journal import act_rows
from meterlink.journal.acts import ActLog
from meterlink.journal.store import sync_folder
from meterlink.model.act import FIRST_HASH, KeptAct, Topic

SUFFIX: Final = ".mark"
"""In place of the journal's: who removes the journal and what SQLite keeps beside it leaves it there."""
_LINE: Final = re.compile(rb"([0-9]{20}) ([0-9a-f]{64})\n")
_LEAD_TO_ORDERS: Final = (Topic.ORDER, Topic.CASE, Topic.EVIDENCE)
"""A log that has none of these has never sent anything, nor will it by what it holds."""

_NOBODY_KNOWS: Final = "nobody can say whether this is the newest journal"


class SentMark:
    """The mark of one journal.

    Args:
        journal: the journal's file.
        acts: of the journal, on whose thread the file is read and written.

    """

    def __init__(self, journal: Path, acts: ActLog) -> None:
        self._path = journal.with_suffix(SUFFIX)
        self._acts = acts
        self._number = 0
        self._is_doubted = False
        self._followed: int | None = None

    async def doubt(self) -> str:
        """Why the journal may be older than its mark; empty: nothing speaks for that.

        While it is doubted the mark stays where it is, so that a restart doubts it as well.

        Raises:
            JournalError: the journal or the mark cannot be read, or the first mark cannot be written.

        """
        doubt = await self._doubt()
        self._is_doubted = bool(doubt)
        return doubt

    async def _doubt(self) -> str:
        octets = await self._acts.read(lambda _: self._octets())
        if octets is None:
            for topic in _LEAD_TO_ORDERS:
                if await self._acts.subjects(topic, only_open=False, limit=1):
                    return f"{self._path.name} is missing: {_NOBODY_KNOWS}"
            await self._acts.read(lambda _: self._write(0, FIRST_HASH))
            return ""
        found = _LINE.fullmatch(octets)
        if found is None:
            return f"{self._path.name} is damaged: {_NOBODY_KNOWS}"
        number, hashed = int(found[1]), found[2].decode()
        page = await self._acts.after(number - 1, limit=1) if number else []
        if number and not page:
            return f"the journal lacks act {number}, which was in it when the mark was set"
        if page and page[0].number == number and page[0].hash != hashed:
            return f"act {number} of the journal is another than when the mark was set"
        self._number = number
        return ""

    async def set(self, kept: KeptAct) -> None:
        """Note that the journal held this act, and is not doubted any more; an older one changes nothing.

        Raises:
            JournalError: it is not on disk.

        """
        await self._acts.read(lambda _: self._move(kept.number, kept.hash))
        self._is_doubted = False

    async def follow(self) -> None:
        """Note the newest act of the journal, if any was appended since the last time and nobody doubts it.

        Those who call it at the same time cost one write.

        Raises:
            JournalError: it is not on disk.

        """
        grown = self._acts.growth.count
        if self._is_doubted or grown == self._followed:
            return
        await self._acts.read(lambda store: self._move(*store.look(act_rows.head)))
        self._followed = grown

    def _move(self, number: int, hashed: str) -> None:
        if number > self._number:
            self._write(number, hashed)
            self._number = number

    def _octets(self) -> bytes | None:
        try:
            return self._path.read_bytes()[: 2 * len(FIRST_HASH)]
        except FileNotFoundError:
            return None
        except OSError as error:
            raise JournalError(f"{self._path}: cannot be read: {error.strerror}") from error

    def _write(self, number: int, hashed: str) -> None:
        line = f"{number:020} {hashed}\n".encode()
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                if os.pwrite(file, line, 0) != len(line):
                    raise JournalError(f"{self._path}: the disk is full")
                os.ftruncate(file, len(line))
                os.fsync(file)
            finally:
                os.close(file)
            if not self._number:
                sync_folder(self._path)
        except OSError as error:
            raise JournalError(f"{self._path}: cannot be written: {error.strerror}") from error
