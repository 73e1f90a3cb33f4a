"""The coverage tables of DL/T 645: whatever the code knows, a vector shows it."""

from __future__ import annotations

from docs import generate_dlt645_coverage as coverage

from meterwire.dlt645.link.functions import function_name

_NO_SUCH_FRAME = {
    ("2007", "08H"): {"more follows"},
    ("2007", "13H"): {"more follows", "refusal"},
    ("2007", "15H"): {"more follows", "refusal"},
    ("1997", "08H"): {"answer", "more follows", "refusal"},
    ("1997", "0AH"): {"more follows", "refusal"},
}
"""What nobody sends: an answer to the time, a refusal of an address."""
_IN_PIECES = {"03H", "11H", "12H", "01H", "02H"}
"""Functions whose answers may have more to follow."""


def test_every_function_is_shown_in_each_direction() -> None:
    """A code could be laid out wrong, and nothing would be there to compare it with."""
    for edition, code, _, _, messages, *vectors in coverage.function_rows():
        assert messages, (edition, code)
        shown = dict(zip(("request", "answer", "more follows", "refusal"), vectors, strict=True))
        without = {kind for kind, vector in shown.items() if not vector}
        usual = set() if code in _IN_PIECES else {"more follows"}
        assert _NO_SUCH_FRAME.get((edition, code), usual) == without, (edition, code)


def test_every_function_that_has_a_name_is_in_the_table() -> None:
    """A code could be named in a frame and be absent from what the page promises."""
    listed = {(edition, int(code[:-1], 16)) for edition, code, *_ in coverage.function_rows()}
    named = {
        (edition, code)
        for edition in ("2007", "1997")
        for code in range(32)
        if function_name(code, "dlt645-2007" if edition == "2007" else "dlt645-1997").en != "unknown function"
    }
    assert named == listed


def test_every_class_and_every_format_is_shown() -> None:
    """A format could be decoded wrong, and no frame would say so."""
    rows = [*coverage.class_rows(), *coverage.format_rows()]
    assert [] == [row for row in rows if not row[-1]]
    assert 80 < len(rows)
