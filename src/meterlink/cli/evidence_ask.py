"""What ``meterlink evidence import`` does: lines of a file to the daemon, and what became of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import typer

from meterlink.cli.desk import DaemonAway, Desk, Refusal, desk_of, leave
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import Lang, chosen
from meterlink.orders.evidence_lines import Line, read_lines

AT_ONCE: Final = 50
"""Records in one request: together they stay below its longest."""
AT_ONCE_OCTETS: Final = 40_000


def import_all(file: Path, config: Path, *, as_json: bool, lang: Lang | None) -> int:
    """Take all records of a file in; the exit code."""
    told: list[dict[str, Any]] = []
    with desk_of(config) as desk, _opened(file) as lines:
        for piece in _pieces(read_lines(lines)):
            try:
                told += _taken_in(desk, piece)
            except (Refusal, DaemonAway) as error:
                leave(error, as_json=as_json, lang=chosen(lang))
    refused = [one for one in told if "refused" in one]
    if as_json:
        typer.echo(json.dumps({"records": told}, ensure_ascii=False))
    else:
        for one in refused:
            typer.echo(f"{file}:{one['line']}: {one['refused']}", err=True)
        new = sum(one.get("is_new", False) for one in told)
        words = (len(told), new, len(refused))
        if chosen(lang) == "zh":
            typer.echo("共{}条记录，新增{}条，拒绝{}条".format(*words))
        else:
            typer.echo("{} records: {} new, {} refused".format(*words))
    return ExitCode.FAILURE if refused else ExitCode.OK


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        with file.open("rb") as lines:
            yield lines
    except OSError as error:
        typer.echo(f"{file}: cannot be read: {error.strerror}", err=True)
        raise typer.Exit(ExitCode.USAGE) from None


def _pieces(lines: Iterable[Line]) -> Iterator[list[Line]]:
    """As many lines as go into one request."""
    rest = iter(lines)
    while piece := list(islice(rest, AT_ONCE)):
        start, octets = 0, 0
        for number, line in enumerate(piece):
            size = len(json.dumps(line.document))
            if octets and octets + size > AT_ONCE_OCTETS:
                yield piece[start:number]
                start, octets = number, 0
            octets += size
        yield piece[start:]


def _taken_in(desk: Desk, piece: list[Line]) -> list[dict[str, Any]]:
    """What became of each line."""
    good = [line for line in piece if line.document is not None]
    answers = desk.ask("evidence.add", records=[line.document for line in good])["records"] if good else []
    told = {line.number: {"line": line.number, "refused": line.fault} for line in piece}
    told |= {line.number: {"line": line.number, **one} for line, one in zip(good, answers, strict=True)}
    return [told[line.number] for line in piece]
