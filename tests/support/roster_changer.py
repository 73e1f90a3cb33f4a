"""A program that changes a roster back and forth, and prints each revision once it is kept; tests kill it.

``python -m tests.support.roster_changer FOLDER``: an odd revision has all meters in area ``odd``, an even one
in ``even``.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Final

from tests.support.rosters import a_book, meter

METERS: Final = 200


async def change_for_ever(folder: Path) -> None:
    """Change and print until killed."""
    async with a_book(folder) as book:
        revision = (await book.held()).revision
        while True:
            area = "even" if revision % 2 else "odd"
            touched = [meter(n, area=area) for n in range(METERS)]
            applied = await book.apply(touched, revision=revision, actor="li")
            revision = applied.revision
            print(revision, flush=True)


if __name__ == "__main__":
    asyncio.run(change_for_ever(Path(sys.argv[1])))
