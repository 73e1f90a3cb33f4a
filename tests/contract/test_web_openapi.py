"""The API does what its OpenAPI says, and refuses the rest, whatever it is asked."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from meterlink.billing import cursors, days
from meterlink.errors import BadRequest
from meterlink.web.app import bare_application
from meterlink.web.texts import Cursor, CursorOfAll, Day, SealsCursor
from tests.support.check_api import check

EXAMPLES = 280
"""Of each operation, and walks: some 7,000 cases, a minute; ``make check-api`` has 2,000 examples of each."""


@pytest.mark.timeout(300)
def test_schemathesis_finds_nothing(tmp_path: Path) -> None:
    """A client made from the OpenAPI would be refused, or get what it cannot read."""
    code, said = check(tmp_path, EXAMPLES)
    assert 0 == code, said


def test_every_error_is_told_in_the_openapi() -> None:
    """A client made from it would not know what a problem looks like."""
    told = bare_application().openapi()
    for path in told["paths"].values():
        for status, answer in path["get"]["responses"].items():
            if int(status) >= 400:
                assert ["application/problem+json"] == list(answer["content"])
        assert {"401", "403", "406", "413", "422", "429", "500", "503"} <= set(path["get"]["responses"])


def test_a_day_is_what_the_calendar_has() -> None:
    """The OpenAPI would allow a day that is refused, or refuse one that there is."""
    written = TypeAdapter(Day)
    for year, month, day in product((2000, 2023, 2024, 2100, 2400, 2999), range(14), range(33)):
        text = f"{year}-{month:02}-{day:02}"
        assert _is(lambda text=text: days.parsed(text), BadRequest) == _is(
            lambda text=text: written.validate_python(text), ValidationError
        ), text
    for text in ("1999-12-31", "3000-01-01", "2026-11-22 ", "２026-11-22", "2026-11-22\n", ""):
        assert not _is(lambda text=text: written.validate_python(text), ValidationError)
    assert written.validate_python((date(2999, 12, 31) - timedelta(days=1)).isoformat())


def test_a_cursor_is_what_the_gateway_writes() -> None:
    """The OpenAPI would refuse a cursor that an answer gave; or allow one that the gateway does not take."""
    written = TypeAdapter(Cursor)
    seqs = [*range(1_200), *(10**n + d for n in range(3, 18) for d in (-1, 0, 7)), 10**18 - 1]
    for seq in seqs:
        assert cursors.written(seq) == written.validate_python(cursors.written(seq))
        of_a_day = cursors.written(seq, "0123456789ab", day=date(2026, 11, 1))
        assert of_a_day == written.validate_python(of_a_day)
        for kind, one in (
            (cursors.FREEZES, TypeAdapter(CursorOfAll)),
            (cursors.SEALS, TypeAdapter(SealsCursor)),
        ):
            of_all = cursors.written(seq, "0123456789ab", kind=kind)
            assert of_all == one.validate_python(of_all)
            assert not _is(lambda one=one, of_a_day=of_a_day: one.validate_python(of_a_day), ValidationError)
    for text in (
        "",
        "ZjE6",
        "ZjE6MQ.",
        "ZjE6MQ.0123456789ABCDEF",
        "ZjE6MQ~0123456789a",
        "ZjE6MQ~",
        "ZjE6MDA",
        "ZjI6MQ",
        cursors.written(5) + "=",
        cursors.written(10**18),
        "ZjE6MR",
    ):
        assert not _is(lambda text=text: written.validate_python(text), ValidationError), text


def _is(take: object, refusal: type[Exception]) -> bool:
    assert callable(take)
    try:
        take()
    except refusal:
        return False
    return True
