"""Times of requests are those that the meter's clock shows; a time with a zone is none of them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from meterwire.dlt698.objects.concentrator import ReadCollected
from meterwire.dlt698.objects.records import FROZEN_AT
from meterwire.dlt698.objects.requests import At, Between, ReadCurve, ReadEvents, ReadFreezes
from meterwire.errors import LocalProtocolError

_CIVIL = datetime(2026, 11, 21)  # noqa: DTZ001 - a meter's clock has no zone
_AWARE = datetime(2026, 11, 22, tzinfo=UTC)
_ITEMS = ("voltage.a",)


@pytest.mark.parametrize(
    "request_",
    [
        ReadFreezes(freeze="daily_freeze", items=_ITEMS, which=At(_AWARE)),
        ReadFreezes(freeze="daily_freeze", items=_ITEMS, which=Between(_CIVIL, _AWARE)),
        ReadEvents(event="power_down", which=Between(_AWARE, _AWARE)),
        ReadCurve(items=_ITEMS, start=_CIVIL, end=_AWARE),
        ReadCurve(items=_ITEMS, start=_AWARE, end=_AWARE),
        ReadCollected(items=_ITEMS, stored_from=_AWARE),
        ReadCollected(items=_ITEMS, stored_from=_CIVIL, stored_to=_AWARE),
    ],
)
def test_a_time_with_a_zone_is_refused(request_: Any) -> None:
    """Midnight of Greenwich would be taken for that of the meter: the record of another night."""
    with pytest.raises(LocalProtocolError, match="has a zone"):
        request_.records()


def test_a_civil_time_is_sent_as_it_is() -> None:
    """What is refused above must not be refused for any other reason."""
    assert "2026-11-21" in str(At(_CIVIL).selection(FROZEN_AT).value.value)  # type: ignore[union-attr]
