"""Freezes as files that go over HTTP: step by step through the writers that seal days.

CSV, JSON lines and Parquet go while they are made. A workbook is a zip archive that is known at its end only:
it is made on the disk, in the same steps, and goes when it is whole.
"""

from __future__ import annotations

import asyncio
import io
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, BinaryIO, Final, cast

import structlog

from meterlink.billing.formats import Format, RowWriter, writer_of
from meterlink.billing.freezes import FreezeRow
from meterlink.errors import ConfigError
from meterlink.web.answers import Packer
from meterlink.web.problems import BUSY_RETRY_S, Problem
from meterlink.web.readers import Look, Readers

PIECE_ROWS: Final = 1_000
"""Rows that a step reads: some tenths of a second, some megabytes."""
WORKBOOK_FREEZES_MAX: Final = 20_000
"""Freezes of one workbook, some megabytes on the disk; what is more is behind its cursor."""
WORKBOOKS_AT_ONCE: Final = 1
"""Workbooks that are made at a time: each takes a hundred megabytes of the disk until it is packed."""
_FILE_OCTETS: Final = 256 * 1024
"""Octets of a file that are read at once."""

_log = structlog.get_logger(__name__)

Found = Callable[[Look, int, int], tuple[list[FreezeRow], int]]
"""The rows behind a row of the log, so many at most, and where they end; see ``Freezes.after``."""


class Outlet(io.RawIOBase):
    """Takes what a writer writes until it is sent; there is no way back in it."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._octets = 0

    def writable(self) -> bool:
        """It is."""
        return True

    def write(self, octets: Any, /) -> int:
        """Take octets, all of them."""
        self._parts.append(bytes(octets))
        self._octets += len(self._parts[-1])
        return len(self._parts[-1])

    def tell(self) -> int:
        """Octets that were ever written."""
        return self._octets

    def taken(self) -> bytes:
        """What was written since the last time."""
        found = b"".join(self._parts)
        self._parts.clear()
        return found


class FreezeStream:
    """All rows up to the newest one, as a file that goes while it is made.

    Args:
        found: finds rows.
        kind: of the file; no workbook.
        after: row of the log to begin behind.
        until: row of the log to end at.

    Raises:
        Problem: the format cannot be written here.

    """

    def __init__(self, found: Found, kind: Format, *, after: int, until: int) -> None:
        self._found = found
        self._outlet = Outlet()
        self._writer = _writer(kind, cast("BinaryIO", self._outlet))
        self._at = after
        self._until = until
        self._is_over = False

    def step(self, packer: Packer | None, look: Look) -> bytes | None:
        """The next octets, may be none yet; ``None``: that was all.

        Raises:
            JournalError: the journal cannot be read.
            ArithmeticError: a number is too long for the format.

        """
        if self._is_over:
            return None
        rows, self._at = self._found(look, self._at, PIECE_ROWS)
        for row in rows:
            self._writer.add(row)
        if self._at >= self._until:
            self._writer.close()
            self._is_over = True
        made = self._outlet.taken()
        return made if packer is None else packer.packed(made)


class Workbooks:
    """Makes workbooks, one after another."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(WORKBOOKS_AT_ONCE)

    async def made(
        self, readers: Readers, found: Found, *, after: int, until: int, limit: int | None
    ) -> tuple[BinaryIO, int]:
        """A workbook, open at its beginning and to be closed, and the row of the log that it ends at.

        Args:
            readers: of the journal.
            found: finds rows.
            after: row of the log to begin behind.
            until: row of the log to end at, if there is room.
            limit: freezes at most; ``None``: as many as a workbook takes.

        Raises:
            Problem: workbooks cannot be written here, or there is no room for one.
            JournalError: the journal cannot be read.

        """
        room = min(limit or WORKBOOK_FREEZES_MAX, WORKBOOK_FREEZES_MAX)
        async with self._free:
            try:
                return await _made(readers, found, after=after, until=until, room=room)
            except OSError as error:
                raise _no_room(error) from None


async def _made(readers: Readers, found: Found, *, after: int, until: int, room: int) -> tuple[BinaryIO, int]:
    """A workbook, and where it ends; ``OSError``: the disk does not take it."""
    file = cast("BinaryIO", await readers.beside(tempfile.TemporaryFile))
    try:
        writer = await readers.beside(partial(_writer, "xlsx", file))
        try:
            end = await _filled(readers, writer, found, after=after, until=until, room=room)
        finally:
            await readers.beside(writer.close)  # else its drafts stay on the disk
        file.seek(0)
    except BaseException:
        with suppress(OSError):  # what it held back has no room either
            file.close()
        raise
    return file, end


def _no_room(error: OSError) -> Problem:
    _log.error("web.no_room", folder=tempfile.gettempdir(), reason=str(error))
    return Problem(
        "no-room",
        f"a workbook cannot be written on the gateway: {error.strerror or error}",
        "Ask for csv, ndjson or parquet, which take no room there, or come again when there is some.",
        {"Retry-After": str(BUSY_RETRY_S)},
    )


async def _filled(
    readers: Readers, writer: RowWriter, found: Found, *, after: int, until: int, room: int
) -> int:
    """Write rows until there are no more, or no room; the row of the log that they end at."""

    def step(look: Look) -> tuple[int, int]:
        rows, end = found(look, after, min(PIECE_ROWS, room))
        for row in rows:
            writer.add(row)
        return len(rows), end

    is_first = True
    while room and (is_first or after < until):
        count, after = await readers.run(step)
        room -= count
        is_first = False
    return after


async def pieces_of(file: BinaryIO, readers: Readers) -> AsyncIterator[bytes]:
    """The octets of a file, which is closed at the end."""
    try:
        while piece := await readers.beside(partial(file.read, _FILE_OCTETS)):
            yield piece
    finally:
        file.close()


async def pieces_made(step: Callable[[], Awaitable[bytes | None]]) -> AsyncIterator[bytes]:
    """The octets that steps make."""
    while (made := await step()) is not None:
        if made:
            yield made


def written(rows: list[FreezeRow], kind: Format) -> bytes:
    """Some rows as a whole file.

    Raises:
        Problem: the format cannot be written here.
        ArithmeticError: a number is too long for the format.

    """
    file = io.BytesIO()
    out = _writer(kind, file)
    for row in rows:
        out.add(row)
    out.close()
    return file.getvalue()


def _writer(kind: Format, file: BinaryIO) -> RowWriter:
    try:
        return writer_of(kind, file)
    except ConfigError as error:
        remedy = "Ask for csv or ndjson, or let the gateway's admin install it."
        raise Problem("not-acceptable", str(error), remedy) from None
