"""What comes from outside: JSON that says each thing once, in UTF-8, and text in which nothing hides."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meterlink.daemon.order_requests import order_in
from meterlink.errors import BadRequest, JournalError
from meterlink.journal.reader import JournalReader
from meterlink.model.plain import hidden_in, read_json, texts_in
from meterlink.orders.evidence.lines import read_lines

_TWICE = b'{"kind": "payment", "settles": false, "more": {"a": 1, "a": 2}, "settles": true}'


def test_a_key_that_is_there_twice_is_refused() -> None:
    """Whoever looks at the file would read `false`, and the customer be reconnected by `true`."""
    with pytest.raises(ValueError, match="'a' is there twice"):
        read_json(_TWICE)
    (line,) = read_lines([_TWICE])
    assert "there twice" in line.fault
    assert {"a": [{"b": 1}, {"b": 2}]} == read_json(b'{"a": [{"b": 1}, {"b": 2}]}')


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "gbk"])
def test_other_octets_than_utf8_are_refused(encoding: str) -> None:
    """A file would be read otherwise than every tool that people look at it with shows it."""
    (line,) = read_lines([json.dumps({"channel": "\u94f6"}, ensure_ascii=False).encode(encoding)])
    assert "not JSON" in line.fault


@pytest.mark.parametrize(
    ("text", "hidden"),
    [("a\x1b[2J", "U+001B"), ("a\x00", "U+0000"), ("a\u202eb", "U+202E"), ("\u94f6\u3000\u884c", "")],
)
def test_characters_that_do_not_show_are_found(text: str, hidden: str) -> None:
    """A reason could wipe the screen of whoever reads it, or turn a number round."""
    assert hidden == hidden_in(texts_in({"x": [{"y": text}], "z": 1}))
    order = {
        "id": "o-1",
        "kind": "alarm_on",
        "meter": "m1",
        "reason": text,
        "deadline_at": "2026-11-22T10:00:00Z",
    }
    if hidden:
        with pytest.raises(BadRequest, match=hidden.replace("+", r"\+")):
            order_in({"order": order})
    else:
        assert text == order_in({"order": order}).reason


def test_a_folder_is_no_journal(tmp_path: Path) -> None:
    """The words would be `disk I/O error`, and somebody change a disk."""
    with pytest.raises(JournalError, match="is a folder"):
        JournalReader(tmp_path)
