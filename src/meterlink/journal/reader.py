"""Reading the log from another process, without a lock and without a chance to change it."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar
from urllib.parse import quote

from meterlink.errors import JournalError
from meterlink.journal import act_rows, chain_rows, checkpoint_rows, roster_rows, rows
from meterlink.journal.acts import READ_MAX
from meterlink.journal.event_log import LOOK_MAX, select_events
from meterlink.journal.migrations import check_current
from meterlink.journal.roster_log import HISTORY_MAX
from meterlink.model.act import KeptAct, Topic
from meterlink.model.checkpoint import Checkpoint
from meterlink.model.event import Event
from meterlink.model.reading import LogRow
from meterlink.model.roster_change import KeptChange, KeptRoster

_T = TypeVar("_T")
_NO_UNICODE = "Could not decode to UTF-8"
"""What SQLite says of a text that is none; it ends the whole look."""


class JournalReader:
    """The rows of a journal that a daemon may have open.

    Args:
        path: the journal's file.

    Raises:
        JournalError: there is no journal, or it cannot be read.

    """

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.is_dir():
            raise JournalError(f"{path} is a folder: name the journal's file in it")
        # Nothing can be written beside a file on a read-only medium; then nobody else writes it either.
        written = path.with_name(f"{path.name}-wal").exists() or os.access(path.parent, os.W_OK)
        mode = "mode=ro" if written else "mode=ro&immutable=1"
        try:
            self._db = sqlite3.connect(f"file:{quote(str(path))}?{mode}", uri=True)
        except sqlite3.Error as error:
            raise JournalError(f"{path}: cannot be opened for reading ({error})") from None

    def check(self) -> None:
        """See whether it is a journal of the schema that we know; a reader does not migrate.

        Raises:
            JournalError: it is not; the message says what to do.

        """
        try:
            self.look(check_current)
        except JournalError as error:
            raise JournalError(f"{self._path}: {error}") from None

    def rows_after(self, last_id: int, limit: int) -> list[LogRow]:
        """The rows after ``last_id`` in order, at most ``limit``.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(partial(rows.select_after, last_id=last_id, limit=limit))

    def acts_of_subject(self, topic: Topic, subject: str) -> list[KeptAct]:
        """As ``ActLog.of_subject``.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(partial(act_rows.of_subject, topic=topic, subject=subject))

    def last_act_of(self, topic: Topic, subject: str) -> KeptAct | None:
        """As ``ActLog.last_of``.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(partial(act_rows.last_of, topic=topic, subject=subject))

    def subjects(self, topic: Topic, *, only_open: bool, after: str = "", limit: int = READ_MAX) -> list[str]:
        """As ``ActLog.subjects``.

        Raises:
            JournalError: the file cannot be read.

        """
        look = partial(act_rows.subjects, topic=topic, only_open=only_open, after_subject=after)
        return self.look(partial(look, limit=min(limit, READ_MAX)))

    def events(
        self, *, meter: str = "", kind: str = "", since: datetime | None = None, limit: int = LOOK_MAX
    ) -> list[Event]:
        """The newest events, in the order of their times; see ``select_events``.

        Raises:
            JournalError: the file cannot be read.
            ValueError, ArithmeticError: a row is damaged.

        """
        look = partial(select_events, meter=meter, kind=kind, since=since, limit=limit)
        return self.look(look)

    def checkpoints(self) -> list[Checkpoint]:
        """The signed places of the chain, in order.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(checkpoint_rows.select)

    def last_checkpoint(self) -> Checkpoint | None:
        """The newest signed place of the chain.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(checkpoint_rows.last)

    def newest_number(self) -> int:
        """Number of the newest act; 0: there is none.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(act_rows.newest_number)

    def damage(self) -> str:
        """What is wrong with the tables of the chain as such: damaged, or their guards are gone.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(chain_rows.damage)

    def links(self, after: int, limit: int) -> list[chain_rows.Link]:
        """The rows of the chain behind a number, also those that cannot be read.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(partial(chain_rows.links, after=after, limit=min(limit, READ_MAX)))

    def stray(self) -> tuple[int, str] | None:
        """Where something beside the chain does not fit it: a row of the log (or 0), and what.

        Raises:
            JournalError: the file cannot be read.

        """
        return self.look(chain_rows.stray)

    def roster(self) -> KeptRoster:
        """As ``RosterLog.kept``.

        Raises:
            JournalError: the file cannot be read, or an entry is damaged.

        """
        return self.look(roster_rows.roster)

    def roster_changes_of(self, meter: str, *, limit: int = HISTORY_MAX) -> list[KeptChange]:
        """As ``RosterLog.changes_of``.

        Raises:
            JournalError: the file cannot be read, or a change is damaged.

        """
        return self.look(partial(roster_rows.changes_of, meter=meter, limit=min(limit, HISTORY_MAX)))

    def roster_changes_in(self, revision: int) -> list[KeptChange]:
        """All changes of a revision of the roster, in their order.

        Raises:
            JournalError: the file cannot be read, or a change is damaged.

        """
        return self.look(partial(roster_rows.changes_in, revision=revision))

    def look(self, query: Callable[[sqlite3.Connection], _T]) -> _T:
        """Ask for what the other modules of this room know to ask for.

        Raises:
            JournalError: the file cannot be read.

        """
        try:
            return query(self._db)
        except sqlite3.OperationalError as error:
            if self._db.text_factory is _text or _NO_UNICODE not in str(error):
                raise self._unreadable(error) from None
        except sqlite3.Error as error:
            raise self._unreadable(error) from None
        self._db.text_factory = _text  # a call for each text, so only where it is needed
        return self.look(query)

    def _unreadable(self, error: sqlite3.Error) -> JournalError:
        return JournalError(f"{self._path}: cannot be read ({error})")

    @contextmanager
    def one_state(self) -> Iterator[None]:
        """Until the end of the block all looks see the journal as it was at the first of them.

        The write-ahead log cannot be cut behind that state meanwhile: for what ends by itself, and soon.

        Raises:
            JournalError: the file cannot be read.

        """
        self.look(lambda db: db.execute("BEGIN"))
        try:
            yield
        finally:
            self._db.rollback()

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


def _text(octets: bytes) -> str:
    """Text that is not Unicode is a matter of its row; SQLite would end the whole look."""
    return octets.decode(errors="surrogateescape")
