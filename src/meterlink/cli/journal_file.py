"""Where the journal is that a command looks into while the daemon runs, or without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from meterlink.cli.explained import explained

if TYPE_CHECKING:
    from meterlink.journal.reader import JournalReader

JOURNAL_ARGUMENT: Final = typer.Argument(
    help="The journal's file, or a copy of it; without it that of the configuration.", show_default=False
)


def folder_of(config: Path) -> Path:
    """The data directory of a configuration; ends the command where that is wrong."""
    from meterlink.config import data_dir, load_settings

    with explained():
        return data_dir(load_settings(config))


def journal_of(journal: Path | None, config: Path) -> Path:
    """The file that is meant: the one given, else that of the configuration."""
    from meterlink.daemon.audited import JOURNAL_FILE

    return journal or folder_of(config) / JOURNAL_FILE


@contextmanager
def looking_into(journal: Path | None, config: Path) -> Iterator[JournalReader]:
    """A reader of a journal; ends the command where there is none, or it cannot be read.

    Args:
        journal: the file; ``None``: that of the configuration.
        config: the configuration.

    """
    from meterlink.journal.reader import JournalReader

    with explained(), JournalReader(journal_of(journal, config)) as reader:
        reader.check()
        yield reader
