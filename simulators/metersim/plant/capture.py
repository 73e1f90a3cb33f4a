"""What passed over lines, one JSON line a piece of octets: written here, and read for a replay.

::

    {"at":"2026-10-01T00:00:00.000000+00:00","line":"line-1","direction":"out","octets":"68610100..."}

``direction`` is the client's: ``out`` to the meters, ``in`` from them. So ``meterlink read --json --trace``
has it in its ``trace``, whose document is read too; there ``line`` is left out, and stands for one line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple

from meterprofiles.yaml_text import unreadable
from metersim.line.private_file import open_private
from metersim.line.wires import Clock
from metersim.line.written_lines import WrittenLines
from metersim.plant.watched import Direction

PIECES_MAX: Final = 200_000
"""Pieces of octets of a capture."""
FILE_OCTETS_MAX: Final = 64 * 1024 * 1024
OCTETS_MAX: Final = 65_536
"""Octets of one piece."""


class CaptureError(ValueError):
    """A capture that cannot be replayed; the message says file, line and remedy."""


class Piece(NamedTuple):
    """Octets that passed at once.

    Args:
        where: file and line, for errors.
        at: when, aware.
        line: name of the line; empty: nobody said.
        direction: which way.
        octets: as they were.

    """

    where: str
    at: datetime
    line: str
    direction: Direction
    octets: bytes


class CaptureFile(WrittenLines):
    """Appends what passes to a file; each line is with the operating system before the call returns.

    Args:
        path: the file, made for its owner alone if it is not there: passwords stand in it in clear.
        clock: of the client, whose time delays are; not that of a plant that is sped up.

    Raises:
        OSError: the file cannot be opened.

    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._clock = clock
        self._file = open_private(path, "a")

    def __call__(self, line: str, direction: Direction, octets: bytes) -> None:
        """Append one piece."""
        row = {
            "at": self._clock.utc_now().isoformat(timespec="microseconds"),
            "line": line,
            "direction": direction,
            "octets": octets.hex().upper(),
        }
        self._file.write(json.dumps(row, separators=(",", ":"), ensure_ascii=False) + "\n")


def read_capture(path: Path) -> list[Piece]:
    """The pieces of a capture, in their order.

    Args:
        path: lines as above, or a document of ``meterlink read --json --trace``.

    Raises:
        CaptureError: it cannot be read, or is wrong.

    """
    try:
        with path.open("rb") as file:
            octets = file.read(FILE_OCTETS_MAX + 1)  # a device has no end
        if len(octets) > FILE_OCTETS_MAX:
            raise CaptureError(f"{path}: longer than {FILE_OCTETS_MAX} octets; replay a part of it")
        text = octets.decode("utf-8")
    except OSError as error:
        raise CaptureError(f"{path}: {unreadable(error)}") from None
    except UnicodeDecodeError:
        raise CaptureError(f"{path}: is no UTF-8") from None
    pieces: list[Piece] = []
    for where, row in _rows(text, str(path)):
        if len(pieces) >= PIECES_MAX:
            raise CaptureError(f"{where}: more than {PIECES_MAX} pieces; replay a part of it")
        pieces.append(_piece(where, row))
    if not pieces:
        raise CaptureError(f"{path}:1: there is nothing in it")
    return pieces


def _rows(text: str, file: str) -> Iterator[tuple[str, Any]]:
    trace = _trace_in(text)
    if trace is not None:
        for number, row in enumerate(trace, start=1):
            yield f"{file}: trace[{number}]", row
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            try:
                yield f"{file}:{number}", json.loads(line)
            except ValueError as error:
                raise CaptureError(f"{file}:{number}: no JSON: {error}") from None


def _trace_in(text: str) -> list[Any] | None:
    """The trace of a document of ``meterlink read``; ``None`` when it is none."""
    try:
        document = json.loads(text)
    except ValueError:
        return None
    trace = document.get("trace") if isinstance(document, dict) else None
    return trace if isinstance(trace, list) else None


def _piece(where: str, row: Any) -> Piece:
    if not isinstance(row, dict):
        raise CaptureError(f"{where}: write an object with at, direction and octets")
    if "direction" not in row and "values" in row:
        raise CaptureError(
            f"{where}: a list of answers does not say what was asked; record with metersim run --capture"
        )
    if missing := [key for key in ("at", "direction", "octets") if not isinstance(row.get(key), str)]:
        raise CaptureError(f"{where}: {missing[0]} is missing, or no text")
    direction = row["direction"]
    if direction not in {"out", "in"}:
        raise CaptureError(f"{where}: direction {direction!r}: write out (to the meters) or in")
    octets = _octets(where, row["octets"])
    return Piece(where, _at(where, row["at"]), str(row.get("line", "")), direction, octets)


def _at(where: str, text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise CaptureError(f"{where}: at {text!r}: write a time as 2026-10-01T00:00:00.000+00:00") from None
    if at.tzinfo is None:
        raise CaptureError(f"{where}: at {text!r}: a time needs its zone")
    return at


def _octets(where: str, text: str) -> bytes:
    if "*" in text:
        raise CaptureError(f"{where}: secret octets are blanked (**), nobody can say them; leave it out")
    try:
        octets = bytes.fromhex(text)
    except ValueError:
        raise CaptureError(f"{where}: octets: write pairs of hexadecimal digits") from None
    if not 0 < len(octets) <= OCTETS_MAX:
        raise CaptureError(f"{where}: {len(octets)} octets: 1 to {OCTETS_MAX} in a piece")
    return octets
