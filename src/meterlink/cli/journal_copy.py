"""What ``meterlink journal backup`` and ``compact`` do, with a bar for somebody who waits at a terminal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from meterlink.cli.explained import explained
from meterlink.cli.waiting import waiting_bar
from meterlink.journal import copying
from meterlink.journal.figures import ends
from meterlink.journal.reader import JournalReader


def backed_up(reader: JournalReader, target: Path) -> dict[str, Any]:
    """Write a backup; what was written.

    Raises:
        JournalError: it was not.

    """
    with waiting_bar("backup") as bar:
        copying.backup(reader, target, progress=bar)
    with JournalReader(target) as copy:
        _, newest_id = copy.look(ends)
    return {"ok": True, "file": str(target), "octets": target.stat().st_size, "newest_id": newest_id}


def compacted(journal: Path) -> dict[str, Any]:
    """Write a journal anew; ends the command where that cannot be."""
    with explained(), waiting_bar("compact") as bar:
        before, after = copying.compact(journal, progress=bar)
    return {"ok": True, "file": str(journal), "octets_before": before, "octets": after}
