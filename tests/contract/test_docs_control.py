"""The page for the person who presses the button explains every word that meterlink says to him."""

from __future__ import annotations

import re

import pytest
from docs.generate import DOCS

from meterlink.model.order import OrderState

_PAGES = ("control.md", "control.zh-CN.md")


def _page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


@pytest.mark.parametrize("page", _PAGES)
def test_every_state_is_explained(page: str) -> None:
    """Somebody would read a word at night that nobody has told him."""
    told = {
        state
        for row in re.findall(r"^\| (`\w+`(?:, `\w+`)*) \|.*\|.*\|$", _page(page), re.MULTILINE)
        for state in re.findall(r"`(\w+)`", row)
    }
    assert {state.value for state in OrderState} <= told


def test_both_languages_have_the_same_chapters() -> None:
    """What can go wrong would be told in one language only."""
    english, chinese = (re.findall(r"^(#+) ", _page(page), re.MULTILINE) for page in _PAGES)
    assert english == chinese
