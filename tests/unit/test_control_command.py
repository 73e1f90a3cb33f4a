"""``meterlink control status``: what keeps orders back, and what people do about it."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from meterlink.cli.control_ask import limits_in_words

_TOLD: dict[str, Any] = {
    "stopped_by": "",
    "log_doubt": "",
    "trust_asked_by": "",
    "resume_asked_by": "",
    "frozen": [],
    "shut_meters": [],
    "held": [],
}


@pytest.mark.parametrize(("lang", "waits"), [("en", "a second person must agree"), ("zh", "等待第二人")])
def test_a_doubted_journal_says_what_to_do(lang: Literal["en", "zh"], waits: str) -> None:
    """Whoever finds no order going would restart the daemon, and not look at the meters."""
    told = {**_TOLD, "log_doubt": "journal.mark is missing", "trust_asked_by": "sam"}
    lines = list(limits_in_words(told, lang))
    assert lines[1].endswith("journal.mark is missing")
    assert "meterlink control trust --reason" in lines[2]
    assert waits in lines[3]


def test_without_a_doubt_nothing_is_asked_of_people() -> None:
    """Two people would compare a whole plant for nothing."""
    assert ["trips are not stopped"] == list(limits_in_words(_TOLD, "en"))
