"""What ``meterlink export daily`` does: one pass through a day of the journal into one file."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import BinaryIO

from meterlink.acquisition.explaining import near_areas
from meterlink.billing import days
from meterlink.billing.formats import FORMATS, Format, writer_of
from meterlink.billing.opening import open_freezes
from meterlink.billing.sealing import size_and_hash
from meterlink.billing.source import Freezes
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.explained import explained
from meterlink.cli.saying import say
from meterlink.cli.waiting import waiting_bar
from meterlink.config import data_dir, load_settings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import BadRequest

_TELL_EVERY = 500
"""Freezes between two words about how far it is."""


def export_daily(
    config: Path, day_text: str, area: str | None, kind: str, out: Path | None, *, as_json: bool = False
) -> int:
    """Write the freezes of a day; the exit code.

    Args:
        config: path of the configuration.
        day_text: which day.
        area: only of this transformer area; ``None``: of all.
        kind: one of ``FORMATS``.
        out: the file; ``None``: standard output.
        as_json: tell on standard output what was written into the file.

    """
    if as_json and out is None:
        return _told("--json tells what was written into a file: give --out", ExitCode.USAGE)
    try:
        with explained():
            day = days.parsed(day_text)
            written = _export(config, day, area, kind, out)
        if as_json and out is not None:
            octets, found = size_and_hash(out)
            told = {"day": day.isoformat(), "area": area, "format": kind, "file": str(out), **written}
            say(json.dumps({**told, "octets": octets, "sha256": found}, ensure_ascii=False))
    except ArithmeticError as error:
        return _told(error, ExitCode.FAILURE)
    except OSError as error:
        return _told(f"{out or 'standard output'}: cannot be written: {error.strerror}", ExitCode.FAILURE)
    return ExitCode.OK


def _export(config: Path, day: date, area: str | None, kind: str, out: Path | None) -> dict[str, int]:
    """Write them; how many freezes, and rows of the file."""
    settings = load_settings(config)
    profiles = MeterProfiles(settings.gateway.profiles)
    wanted = next(one for one in FORMATS if one == kind)
    path = data_dir(settings) / JOURNAL_FILE
    with open_freezes(path, profiles, settings.gateway.plant_time) as freezes:
        _check_area(freezes, day, area)
        return _written(freezes, day, area, wanted, out)


def _check_area(freezes: Freezes, day: date, area: str | None) -> None:
    """A slip of the pen would be a file without rows, and pass for a day on which nobody was read.

    Raises:
        BadRequest: there is no such area.

    """
    if area is None or area in (there := freezes.areas(day)):
        return
    near = near_areas(area, there)
    raise BadRequest(f"there is no meter in area {area!r} on {day} / 该日该台区没有电能表{near}")


def _written(
    freezes: Freezes, day: date, area: str | None, wanted: Format, out: Path | None
) -> dict[str, int]:
    with _file(out) as file:
        writer, number = writer_of(wanted, file), 0
        with waiting_bar("export") as tell:
            rows = freezes.all_after(0, until=freezes.newest(), day=day, area=area)
            for number, row in enumerate(rows, start=1):
                writer.add(row)
                if number % _TELL_EVERY == 0:
                    tell(number, 0)
        writer.close()
    return {"freezes": number, "rows": writer.rows}


@contextmanager
def _file(out: Path | None) -> Iterator[BinaryIO]:
    """Where the rows go: the file gets its name when it is whole, so that nobody takes half of it."""
    if out is None:
        # A workbook is written back and forth; standard output may be a pipe.
        with tempfile.TemporaryFile() as held:
            yield held
            held.seek(0)
            while part := held.read(1 << 20):
                sys.stdout.buffer.write(part)
            sys.stdout.buffer.flush()
        return
    # Of two who write the same file at once each has his own, and the last one's stays.
    draft = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def _told(error: object, code: ExitCode) -> ExitCode:
    say(str(error), err=True)
    return code
