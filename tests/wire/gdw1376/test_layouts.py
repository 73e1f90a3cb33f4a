"""Every function of the tables both ways, and the notation in which layouts are written."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterwire.catalogue import quantity
from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.functions import module, terminal
from meterwire.gdw1376.functions.events import event_kinds
from meterwire.gdw1376.functions.function import Function
from meterwire.gdw1376.functions.words import field_words
from meterwire.gdw1376.layouts import nodes
from meterwire.gdw1376.layouts.notation import Layout, parse
from tests.wire.gdw1376.made import layout_values

_FUNCTIONS = [one for one in (*terminal.functions(), *module.functions()) if one.layout is not None]
_LAYOUTS: list[Layout] = [one.layout for one in _FUNCTIONS if one.layout is not None]
_DISTINCT = list({str(layout): layout for layout in _LAYOUTS}.values())


def _names(layout: Any) -> set[str]:
    found: set[str] = set()
    for node in layout:
        if isinstance(node, nodes.Many):
            found |= {node.name} | (_names(node.element) if node.named else set())
        elif isinstance(node, nodes.MayEnd):
            found |= _names(node.nodes)
        else:
            found |= set(node.names)
    return found


@settings(max_examples=30)
@given(st.integers(0, 2**32))
def test_every_content_comes_back(seed: int) -> None:
    """What one side sends would not be what the other side reads."""
    random = Random(seed)
    for layout in _DISTINCT:
        values = layout_values(random, layout)
        content = layout.build(values)
        fields = layout.read(content)
        assert fields is not None
        assert values == {field.name: field.value for field in fields}
        assert len(content) == (fields[-1].end if fields else 0)


@settings(max_examples=300)
@given(st.sampled_from(_DISTINCT), st.binary(max_size=120))
def test_any_content_is_read_or_refused(layout: Layout, content: bytes) -> None:
    """Rubbish in one frame would end the daemon."""
    fields = layout.read(content)
    ends = [0, *(field.end for field in fields or ())]
    assert ends == sorted(ends)
    assert ends[-1] <= len(content)


def test_every_row_of_the_tables_can_be_sent_and_read() -> None:
    """A layout could be a row that nobody ever reads."""
    broken = []
    for one in _FUNCTIONS:
        assert one.layout is not None
        blank = one.layout.read(bytes(600))
        if blank is None or (not blank and one.layout.alternatives != ((),)):
            broken.append((one.afn, one.fn, one.way))
    alternatives = [(0x00, 1), (0x04, 34), (0x0A, 34), (0x06, 4), (0x11, 4)]  # told apart by length
    assert [one for one in broken if one[:2] not in alternatives] == []


def test_every_field_has_words() -> None:
    """A field would be shown by its name in the code, in no language."""
    layouts = [*_LAYOUTS, *(kind.layout for kind in event_kinds().values())]
    names = {name for layout in layouts for one in layout.alternatives for name in _names(one)}
    assert names - set(field_words()) == set()
    assert [words for words in field_words().values() if not words.en or not words.zh] == []


def test_every_function_and_event_has_words_in_both_languages() -> None:
    """A line of an explanation would be empty for half of its readers."""
    words = [(one.en, one.zh) for one in (*terminal.functions(), *module.functions())]
    words += [(one.en, one.zh) for one in event_kinds().values()]
    assert [one for one in words if not all(one)] == []


def test_every_item_is_a_quantity_of_the_catalogue_and_its_field_exists() -> None:
    """A reading would land in a series of its own."""
    wrong = []
    for one in terminal.functions():
        names = set() if one.layout is None else _names(one.layout.alternatives[0])
        for rule in one.items:
            name = rule.item.partition(".")[0].removesuffix("_at")
            try:
                quantity(name)
            except LocalProtocolError:
                wrong.append((one.fn, rule.item))
            wrong += [] if rule.field in names else [(one.fn, rule.field)]
    assert wrong == []


@pytest.mark.parametrize(
    ("afn", "fn", "octets"),
    [(0x0C, 26, 57), (0x0C, 27, 60), (0x0C, 28, 33), (0x0C, 31, 59), (0x0C, 49, 12), (0x0C, 167, 41),
     (0x0C, 165, 19), (0x0D, 25, 35), (0x0D, 26, 27), (0x0D, 27, 69), (0x0D, 28, 17), (0x0D, 29, 41),
     (0x0D, 30, 7), (0x0D, 31, 13), (0x0D, 36, 18), (0x0D, 39, 14), (0x09, 1, 41), (0x0A, 1, 6),
     (0x0A, 3, 28), (0x0A, 4, 16), (0x0A, 5, 3), (0x0A, 7, 64), (0x0A, 8, 8), (0x0A, 9, 16), (0x0A, 25, 11)],
)  # fmt: skip
def test_a_layout_is_as_long_as_the_firmware_says(afn: int, fn: int, octets: int) -> None:
    """A field too many or too few would shift every value behind it."""
    found = terminal.function(afn, fn, "up")
    assert found is not None
    assert found.layout is not None
    fields = found.layout.read(bytes(200))
    assert fields is not None
    assert octets == fields[-1].end


_BROKEN = ["a", "a:", "a:A28", "a:u8[", "a:u8[b-]", "b8(a:4)", "b8(a:x,b:7)", "+unknown", "a:{b:u8", "a:u8 )"]


@pytest.mark.parametrize("text", _BROKEN)
def test_a_broken_layout_is_refused(text: str) -> None:
    """A slip in a table would be found in the field."""
    with pytest.raises(LocalProtocolError):
        parse(text)


_CURVE = "count:u8 values:A7[count]"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({}, "'count' is missing"),
        ({"count": 1, "values": []}, "count says 1, there are 0"),
        ({"count": 0, "values": [], "more": 1}, "no field 'more'"),
        ({"count": 256, "values": []}, "from 0 to 255"),
        ({"count": 1, "values": ["x"]}, "values"),
        ({"count": 1, "values": 7}, "a list is wanted"),
    ],
)
def test_values_that_do_not_fit_a_layout_are_refused(values: dict[str, Any], words: str) -> None:
    """A terminal would be sent something else than was asked for."""
    with pytest.raises(LocalProtocolError, match=words):
        parse(_CURVE).build(values)


def test_no_error_shows_a_password() -> None:
    """A password of the wrong length would stand in the log."""
    with pytest.raises(LocalProtocolError) as refused:
        parse("password:h[6]").build({"password": b"secret!"})
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("count", ["u8", "u16"])
def test_a_count_beyond_the_octets_costs_nothing(count: str) -> None:
    """Two octets of a hostile frame would fill the memory."""
    layout = parse(f"count:{count} nodes:{{addr:A12 more:u8[count]}}[count]")
    assert layout.read(b"\xff" * 100) is None


def test_an_unknown_function_has_no_row() -> None:
    """A maker's own function would be read by another's layout."""
    found: list[Function | None] = [
        terminal.function(0x0C, 248, "up"),
        terminal.function(0x0D, 240, "down"),
        module.function(0xF0, 1, "up"),
    ]
    assert found == [None, None, None]
