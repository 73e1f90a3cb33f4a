"""Sealed days where they lie: ``DAY/AREA/NUMBER/`` with data files, a manifest and its signature.

A folder with a number is whole: it was written under another name, synced, and renamed. What begins with a
dot is a draft, and nobody reads it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import BinaryIO, Final
from urllib.parse import quote

from meterlink.billing.manifest import MANIFEST, MANIFEST_OCTETS_MAX, SIGNATURE, Manifest, hash_of
from meterlink.errors import SettlementBroken, Unknown

NUMBERS_MAX: Final = 9_999
"""The seal of a day and its supplements, at most."""
_NAME_OCTETS_MAX: Final = 200
"""Of a folder: file systems take 255."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """One seal, or one supplement.

    Args:
        folder: in which its files are.
        manifest: what it says of itself.
        sha256: of the manifest as it stands in its file.

    """

    folder: Path
    manifest: Manifest
    sha256: str

    @property
    def day(self) -> date:
        """Which ended at the freezes."""
        return self.manifest.day

    @property
    def area(self) -> str:
        """Transformer area; may be empty."""
        return self.manifest.area

    @property
    def number(self) -> int:
        """1 is the seal, 2 its first supplement."""
        return self.manifest.number


class Settlements:
    """The sealed days of a folder.

    Args:
        folder: need not be there yet.

    """

    def __init__(self, folder: Path) -> None:
        self.folder: Final = folder

    def days(self) -> Sequence[date]:
        """The days of which something is sealed, in order.

        Raises:
            SettlementBroken: a folder cannot be read.

        """
        with _readable(self.folder):
            return sorted(
                day
                for day, path in _days_in(self.folder)
                if any(_numbers_in(area) for area in path.iterdir() if area.is_dir())
            )

    def list(self, day: date | None = None) -> Sequence[Sealed]:
        """Everything that is sealed, or all of one day; by day, area and number.

        Raises:
            SettlementBroken: a folder or manifest cannot be read.

        """
        days = self.days() if day is None else [day]
        with _readable(self.folder):
            found = [
                sealed(area / name)
                for one in days
                for area in self._areas(one)
                for name in map(folder_of_number, _numbers_in(area))
            ]
        return sorted(found, key=lambda one: (one.day, one.area, one.number))

    def of(self, day: date, area: str) -> Sequence[Sealed]:
        """The seal of a day of an area and its supplements, in order; empty: it is not sealed.

        Raises:
            SettlementBroken: its folder or a manifest cannot be read.

        """
        path = self.place(day, area)
        with _readable(path):
            return [sealed(path / folder_of_number(number)) for number in _numbers_in(path)]

    def open_file(self, day: date, area: str, number: int, name: str) -> BinaryIO:
        """A file of a seal or supplement, to be closed: one of the data, the manifest, the signature.

        Raises:
            Unknown: there is none of this name.
            SettlementBroken: the manifest cannot be read, or the file is gone.

        """
        path = self.place(day, area) / folder_of_number(number)
        with _readable(path / name):
            if not path.is_dir():
                raise Unknown(f"{day} {area!r} {number}: nothing is sealed under this number")
            if name not in {MANIFEST, SIGNATURE, *(one.name for one in sealed(path).manifest.files)}:
                raise Unknown(f"{day} {area!r} {number}: there is no file {name[:64]!r}")
            return (path / name).open("rb")

    def place(self, day: date, area: str) -> Path:
        """The folder of a day and an area."""
        return self.folder / day.isoformat() / folder_of_area(area)

    def _areas(self, day: date) -> Iterator[Path]:
        path = self.folder / day.isoformat()
        if path.is_dir():
            yield from (one for one in path.iterdir() if one.is_dir() and not one.name.startswith("."))


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """What the system says of a folder or file, as an error of ours."""
    try:
        yield
    except OSError as error:
        raise SettlementBroken(f"{error.filename or path}: cannot be read: {error.strerror}") from None


def sealed(folder: Path) -> Sealed:
    """The seal or supplement of a folder.

    Raises:
        SettlementBroken: its manifest cannot be read.

    """
    path = folder / MANIFEST
    with _readable(path), path.open("rb") as file:
        octets = file.read(MANIFEST_OCTETS_MAX + 1)
    try:
        if len(octets) > MANIFEST_OCTETS_MAX:
            raise SettlementBroken(f"a manifest has at most {MANIFEST_OCTETS_MAX} octets")
        return Sealed(folder=folder, manifest=Manifest.parsed(octets), sha256=hash_of(octets))
    except SettlementBroken as error:
        raise SettlementBroken(f"{path}: {error}") from None


def folder_of_area(area: str) -> str:
    """Name of the folder of an area: itself, where it is made of letters, digits and hyphens.

    Another one is written with percent signs, and a very long one as a hash; no two have the same.
    """
    name = "".join(
        one if one.isalnum() or one in "-_" else quote(one, safe="", encoding="utf-8") for one in area
    )
    name = name.replace(".", "%2E").replace("~", "%7E")  # which quote leaves as they are
    if len(name.encode()) > _NAME_OCTETS_MAX:
        return f"={hashlib.sha256(area.encode()).hexdigest()[:32]}"
    return name or "="


def folder_of_number(number: int) -> str:
    """Name of the folder of a seal or supplement."""
    return f"{number:04d}"


def _days_in(folder: Path) -> Iterator[tuple[date, Path]]:
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        try:
            day = date.fromisoformat(path.name)
        except ValueError:
            continue
        if path.name == day.isoformat() and path.is_dir():
            yield day, path


def _numbers_in(path: Path) -> list[int]:
    """Numbers of what is sealed in the folder of a day and an area."""
    if not path.is_dir():
        return []
    names = (one.name for one in path.iterdir() if one.is_dir())
    return sorted(int(name) for name in names if name.isdecimal() and name == folder_of_number(int(name)))
