"""The parts of the documentation that are made from the code are up to date."""

from __future__ import annotations

import pytest
from docs.generate import DOCS, PARTS, pages, renewed


@pytest.mark.parametrize("page", [str(path.relative_to(DOCS)) for path in pages()])
def test_a_page_says_what_the_code_says(page: str) -> None:
    """A key, a state or an identifier that the page does not know: `make docs` renews it."""
    text = (DOCS / page).read_text(encoding="utf-8")
    assert renewed(text) == text, "run `make docs` and commit what it changed"


def test_every_generated_part_stands_on_a_page() -> None:
    """A part that no page holds, or a marker misspelt, would leave a reader without it."""
    text = "".join(path.read_text(encoding="utf-8") for path in pages())
    assert [] == [name for name in PARTS if f"<!-- generated: {name} -->\n" not in text]


def test_a_stale_part_is_noticed() -> None:
    """A check that could not fail would let the pages rot."""
    stale = "<!-- generated: dlt645-read-session -->\nold\n<!-- end -->"
    assert renewed(stale) != stale
    assert renewed(renewed(stale)) == renewed(stale)
