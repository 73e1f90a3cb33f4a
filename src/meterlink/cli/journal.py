"""``meterlink journal``: how much it holds, whether it is sound, a copy of it, and a smaller one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.journal_file import JOURNAL_ARGUMENT, journal_of, looking_into
from meterlink.cli.language import chosen
from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language
from meterlink.cli.saying import say

app = typer.Typer(
    no_args_is_help=True, help="Look after the journal: its size, soundness and copies. 日志库。"
)

_JOURNAL = Annotated[Path | None, JOURNAL_ARGUMENT]


@app.command()
def status(
    journal: _JOURNAL = None,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """How much the journal holds, how far each sink is, and for how long there is room. 状态。

    Works while the daemon runs, and on a copy. The days that are left are an estimate: the free room of the
    disk divided by what the last day brought, as if no sink took anything and nothing were removed.

    \b
    Examples:
      meterlink journal status
      meterlink journal status copy.sqlite3 --json

    \b
    Exit codes: 0 told; 2 wrong configuration; 7 the journal cannot be read.
    """
    from meterlink.cli.journal_status import document, lines, look

    with looking_into(journal, config) as reader:
        seen = look(reader, journal_of(journal, config))
    if as_json:
        say(json.dumps(document(seen), ensure_ascii=False))
    else:
        for line in lines(seen, chosen(lang)):
            say(line)


@app.command()
def check(
    journal: _JOURNAL = None,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Look at every page, reference, act and boundary of the journal. 检查。

    Works while the daemon runs, which it does not hold up; while all pages are read the write-ahead log
    cannot be folded into the file, so of a large journal check a backup.

    \b
    Examples:
      meterlink journal check
      meterlink journal check copy.sqlite3 --json

    \b
    Exit codes: 0 sound; 2 wrong configuration; 7 it is damaged or cannot be read; 11 rows are missing, or the
    chain of acts or what guards it was changed.
    """
    from meterlink.cli.journal_check import look, tell

    with looking_into(journal, config) as reader:
        found = look(reader)
    tell(found, as_json=as_json, lang=chosen(lang))
    raise typer.Exit(found.exit_code)


@app.command()
def backup(
    target: Annotated[Path, typer.Argument(help="The file to write; it must not exist.", show_default=False)],
    journal: Annotated[
        Path | None,
        typer.Option(help="The journal's file; without it that of the configuration.", show_default=False),
    ] = None,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Copy the journal into one file while the daemon runs. 备份。

    The copy is the journal as it was when the command began. It is read back and checked before it takes its
    name, so a file of that name is whole; only its owner can read it.

    \b
    Example:
      meterlink journal backup /backup/journal-2026-11-22.sqlite3

    \b
    Exit codes: 0 written; 2 wrong configuration; 7 the journal cannot be read, or the copy not be written.
    """
    from meterlink.cli.journal_copy import backed_up

    with looking_into(journal, config) as reader:
        written = backed_up(reader, target)
    if as_json:
        say(json.dumps(written, ensure_ascii=False))
    else:
        say("{file}: {octets} octets, up to row {newest_id}; read back whole".format(**written))


@app.command()
def compact(
    journal: _JOURNAL = None,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Write the journal anew without the room of removed rows. Stop the daemon before. 压缩。

    Only with the daemon stopped: it refuses a journal that one has open. There must be room on the disk for a
    second one. It is not needed for the daemon, which uses that room before the file grows.

    \b
    Example:
      systemctl stop meterlink && meterlink journal compact && systemctl start meterlink

    \b
    Exit codes: 0 done; 2 wrong configuration; 7 a daemon has it, it is damaged, or there is no room.
    """
    from meterlink.cli.journal_copy import compacted

    done = compacted(journal_of(journal, config))
    if as_json:
        say(json.dumps(done, ensure_ascii=False))
    else:
        say(f"{done['file']}: {done['octets_before']} octets before, {done['octets']} now")
