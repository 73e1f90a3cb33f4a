"""What sealing does to a file system, and no more: so that a test can end it at each step."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, Protocol

_FOLDER_MODE = 0o750


class Disk(Protocol):
    """The operations of sealing; each may raise ``OSError``."""

    def make_folder(self, path: Path) -> None:
        """Make a folder in one that is there; one that is there already stays as it is."""

    def create(self, path: Path) -> BinaryIO:
        """A new file, open for writing; ``FileExistsError`` where there is one."""

    def sync(self, file: BinaryIO) -> None:
        """Wait until what was written is on the disk."""

    def sync_folder(self, path: Path) -> None:
        """Wait until the names in a folder are on the disk."""

    def rename(self, old: Path, new: Path) -> None:
        """Give a folder its name, in one step; ``OSError`` where there is a folder that is not empty."""

    def remove(self, path: Path) -> None:
        """Remove a folder with all that is in it; one that is not there is removed."""


class RealDisk:
    """The operations of the operating system."""

    def make_folder(self, path: Path) -> None:
        """See ``Disk``."""
        try:
            path.mkdir(mode=_FOLDER_MODE)
        except FileExistsError:
            if not path.is_dir():
                raise
        else:
            _give_away(path)

    def create(self, path: Path) -> BinaryIO:
        """See ``Disk``."""
        file = path.open("xb")
        _give_away(path)
        return file

    def sync(self, file: BinaryIO) -> None:
        """See ``Disk``."""
        file.flush()
        os.fsync(file.fileno())

    def sync_folder(self, path: Path) -> None:
        """See ``Disk``."""
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """See ``Disk``."""
        old.rename(new)

    def remove(self, path: Path) -> None:
        """See ``Disk``."""
        if path.exists():
            shutil.rmtree(path)


def _give_away(path: Path) -> None:
    """Let what root has made belong to whoever has the folder around it: the daemon has to go on with it.

    Where a file system knows no owners, or root may not change them, it stays root's.
    """
    if os.geteuid() == 0:
        owner = path.parent.stat()
        with suppress(PermissionError):
            os.chown(path, owner.st_uid, owner.st_gid)
