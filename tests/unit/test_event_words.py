"""What people call kinds of events, whoever tells them."""

from __future__ import annotations

import re

import pytest

from meterlink.drivers.dlt698.event_rows import kind_of as kind_698
from meterlink.drivers.event_words import told_by_terminals, words_of
from meterlink.drivers.gdw1376.told import kind_of as kind_1376
from meterlink.model import event_kinds as model
from meterwire.dlt698.objects.requests import event_tables
from meterwire.gdw1376.functions.events import event_kinds as ercs

_CHINESE = re.compile("[\u4e00-\u9fff]")


def test_every_event_that_a_standard_names_has_words_in_both_languages() -> None:
    """An operator would read ``reading_fell`` at two in the morning, and look for it in an English page."""
    kinds = {kind_1376(erc) for erc in ercs()} | {kind_698(table) for table in event_tables().values()}
    assert len(kinds) > 80
    for kind in kinds:
        assert _CHINESE.search(words_of(kind, "zh")), kind
        assert not _CHINESE.search(words_of(kind, "en")), kind


def test_every_kind_of_our_own_has_words() -> None:
    """The alarms that this program tells of terminals would stand there as names of its code."""
    own = [
        getattr(model, name)
        for name in vars(model)
        if name.isupper() and isinstance(getattr(model, name), str) and not name.startswith("_")
    ]
    assert {"terminal_archive_differs", "terminal_clock_off", "module_reset"} <= set(own)
    for kind in own:
        assert _CHINESE.search(words_of(kind, "zh")), kind


@pytest.mark.parametrize(
    ("kind", "zh", "en"),
    [
        ("reading_fell", "电能表示度下降", "reading fell"),
        ("terminal_power", "终端停/上电事件", "terminal power"),
        ("reading_failure", "终端抄表失败", "reading failure"),
        ("voltage_loss.a", "A相失压", "voltage loss phase A"),
        ("terminal_event_36", "厂家自定义事件 ERC36", "maker's own event ERC36"),
        ("terminal_event_", "terminal_event_", "terminal_event_"),
        ("never_heard_of", "never_heard_of", "never_heard_of"),
    ],
)
def test_the_words_of_a_kind(kind: str, zh: str, en: str) -> None:
    """A kind would have the words of another, or break the list that it stands in."""
    assert (zh, en) == (words_of(kind, "zh"), words_of(kind, "en"))


def test_what_meters_record_keeps_its_words() -> None:
    """The same event would be called otherwise when a terminal tells it."""
    assert not set(told_by_terminals()) & {*model.EVENT_KINDS}
