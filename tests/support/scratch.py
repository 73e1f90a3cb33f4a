"""Where tests and soaks keep their files: in the machine's memory, where it has room for them.

A commit waits until the disk has it, and tests commit by the hundred thousand. What a killed program leaves
behind is the same: what was written before is there, in memory as on a disk.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

MEMORY: Final = Path("/dev/shm")
"""Where Linux keeps files in memory."""
ROOM_OCTETS_MIN: Final = 2 * 1024**3
"""A container often has a smaller one, which one run would fill."""


def in_memory() -> Path | None:
    """The folder in memory; ``None``: there is none, or it has little room, and the usual one serves."""
    roomy = (
        MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= ROOM_OCTETS_MIN
    )
    return MEMORY if roomy else None


def settle_in_memory() -> None:
    """Let temporary files of this process and of those that it starts be there, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and (folder := in_memory()):
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)
