"""What ``meterlink evidence import`` does: lines of a file to the daemon, and what became of each."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Final

import typer

from meterlink.cli.asking import Asking
from meterlink.cli.desk import Desk
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.saying import say
from meterlink.orders.evidence.lines import Line, read_lines

AT_ONCE: Final = 50
"""Records in one request: together they stay below its longest."""
AT_ONCE_OCTETS: Final = 40_000


class EvidenceAsking(Asking):
    """One command's way of giving records and showing what became of them."""

    def imported(self, file: Path) -> int:
        """Take all records of a file in; the exit code."""
        told: list[dict[str, Any]] = []
        with self._at_desk() as desk, _opened(file) as lines:
            for piece in _pieces(read_lines(lines)):
                told += self._taken_in(desk, piece)
        self._show({"records": told}, partial(self._counts, file))
        return ExitCode.FAILURE if _refused(told) else ExitCode.OK

    def _counts(self, file: Path, result: Mapping[str, Any]) -> None:
        """Each line that was refused, and how many were not."""
        told = result["records"]
        refused = _refused(told)
        for one in refused:
            say(f"{file}:{one['line']}: {one['refused']}", err=True)
        for one in told:
            for standing in one.get("standing", ()):
                say(f"{file}:{one['line']}: {standing[self._lang]}", err=True)
        new = sum(one.get("is_new", False) for one in told)
        words = (len(told), new, len(refused))
        if self._lang == "zh":
            say("共{}条记录，新增{}条，拒绝{}条".format(*words))
        else:
            say("{} records: {} new, {} refused".format(*words))

    def _taken_in(self, desk: Desk, piece: list[Line]) -> list[dict[str, Any]]:
        """What became of each line."""
        good = [line for line in piece if line.document is not None]
        records = [line.document for line in good]
        answers = self._of(desk, "evidence.add", records=records)["records"] if good else []
        told = {line.number: {"line": line.number, "refused": line.fault} for line in piece}
        told |= {line.number: {"line": line.number, **one} for line, one in zip(good, answers, strict=True)}
        return [told[line.number] for line in piece]


def _refused(told: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [one for one in told if "refused" in one]


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    if str(file) == "-":
        yield sys.stdin.buffer
        return
    try:
        with file.open("rb") as lines:
            yield lines
    except OSError as error:
        say(f"{file}: cannot be read: {error.strerror}", err=True)
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
