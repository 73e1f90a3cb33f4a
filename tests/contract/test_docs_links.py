"""Links between the project's pages lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.project import ROOT, project_files

_PAGES = [path for path in project_files() if path.suffix == ".md"]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    """A page that was moved leaves readers at a dead end."""
    targets = _LINK.findall(page.read_text(encoding="utf-8"))
    assert [] == [target for target in targets if not (page.parent / target).exists()]


def test_there_are_links() -> None:
    """A pattern that finds none would pass for ever."""
    assert any(_LINK.findall(page.read_text(encoding="utf-8")) for page in _PAGES)
