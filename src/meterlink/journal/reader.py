"""Reading the log from another process, without a lock and without a chance to change it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import quote

from meterlink.errors import JournalError
from meterlink.journal import rows
from meterlink.model.reading import LogRow


class JournalReader:
    """The rows of a journal that a daemon may have open.

    Args:
        path: the journal's file.

    Raises:
        JournalError: there is no journal, or it cannot be read.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._db = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)
        except sqlite3.Error as error:
            raise JournalError(f"{path}: cannot be opened for reading ({error})") from None

    def rows_after(self, last_id: int, limit: int) -> list[LogRow]:
        """The rows after ``last_id`` in order, at most ``limit``.

        Raises:
            JournalError: the file cannot be read.

        """
        try:
            return rows.select_after(self._db, last_id, limit)
        except sqlite3.Error as error:
            raise JournalError(f"{self._path}: cannot be read ({error})") from None

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Self:
        """The reader itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()
