"""Rows of a concentrator's store, as makes send them: which are taken for what, and which are none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from meterlink.bus.queue import Priority
from meterlink.errors import MeterlinkError
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE, DataClass
from metersim.works.moments import PLANT_TIME
from meterwire.dlt698.apdus.get import GetResponseRecord
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.axdr.selection import Oad, Road, Tsa
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.objects.concentrator import COLLECTED
from tests.support.behind698 import HeadEnd, Meddler
from tests.support.concentrator import CARRIER_645, CARRIER_698, World

ENERGY = "forward_active_energy"
MIDNIGHT = datetime(2026, 10, 1, tzinfo=PLANT_TIME)
STORED = MIDNIGHT + timedelta(hours=2)


def _time(at: datetime) -> Data:
    return Data("date_time_s", DateTimeS.of(at.astimezone(PLANT_TIME)))


def _row(
    value: int | None,
    at: datetime | None = MIDNIGHT,
    address: str | None = CARRIER_698,
    stored: datetime = STORED,
) -> tuple[Data, ...]:
    """One row in the columns that are asked for: address, storage, success, time and value of a freeze."""
    frozen = Data(
        "structure",
        (
            NULL if at is None else _time(at),
            NULL if value is None else Data("double-long-unsigned", value),
        ),
    )
    who = NULL if address is None else Data("TSA", Tsa.of(address))
    return (who, _time(stored), _time(stored), frozen)


def _stocked(*rows: tuple[Data, ...], table: str = "50040200") -> Callable[[Any], list[tuple[float, Any]]]:
    """A store that has these rows of a table, and of others none."""

    def on(apdu: Any) -> list[tuple[float, Any]]:
        if isinstance(apdu, GetResponseRecord) and apdu.record.oad == COLLECTED:
            *_, road = apdu.record.rcsd
            has = isinstance(road, Road) and road.oad == Oad.of(table)
            apdu = replace(apdu, record=apdu.record._replace(result=rows if has else ()))
        return [(0.0, apdu)]

    return on


def _answer(
    on: Callable[[Any], list[tuple[float, Any]]],
    *slots: datetime,
    data_class: DataClass = DAILY_FREEZE,
    address: str = CARRIER_698,
    every_s: int = 0,
) -> Any:
    """What the store alone brings; an error where it brings nothing."""
    head = HeadEnd(World(idle=True), ways=["store"])
    head.between = lambda duplex: Meddler(duplex, on)

    async def story() -> Any:
        try:
            return await head.night(
                address,
                *(slots or (MIDNIGHT,)),
                items=[ENERGY],
                data_class=data_class,
                every_s=every_s,
                priority=Priority.BACKFILL,
            )
        except MeterlinkError as error:
            return error

    return head.run(story)


def _values(answer: Any) -> list[tuple[datetime, Decimal | None]]:
    return [(one.slot, value.value) for one in answer.records for value in one.values]


def test_a_row_is_its_meters_at_the_time_that_the_meter_says() -> None:
    """When it was stored says little: some stamp the day, some the day before, some the task's start."""
    answer = _answer(_stocked(_row(12345)))
    assert [(MIDNIGHT.astimezone(UTC), Decimal("123.45"))] == _values(answer)
    [record] = answer.records
    assert ("daily_freeze", "terminal 020000000001 store") == (
        record.values[0].period,
        record.values[0].route,
    )


@pytest.mark.parametrize(
    "rows",
    [
        (),
        ((NULL, NULL, NULL, NULL),),
        (_row(None),),
        (_row(5, at=None),),
        (_row(5, address=None),),
        (_row(5, address=CARRIER_645),),
        (_row(5, at=MIDNIGHT - timedelta(days=1)),),
        (_row(5, at=MIDNIGHT + timedelta(days=400)),),
        (_row(5), _row(6)),
        (_row(5, stored=MIDNIGHT - timedelta(hours=23)),),
        ((*_row(5)[:3], Data("octet-string", b"?")),),
        ((*_row(5)[:3], Data("structure", (_time(MIDNIGHT), Data("visible-string", "5")))),),
    ],
)
def test_what_is_doubtful_is_not_there(rows: Sequence[tuple[Data, ...]]) -> None:
    """A night of another meter, of another day, or of nobody would stand on a bill."""
    answer = _answer(_stocked(*rows))
    assert isinstance(answer, MeterlinkError), answer


def test_a_night_with_seconds_is_that_of_its_minute() -> None:
    """A meter that freezes some seconds behind the minute would have no night in the store."""
    assert 1 == len(_values(_answer(_stocked(_row(5, at=MIDNIGHT + timedelta(seconds=45))))))


def test_the_same_row_twice_is_one() -> None:
    """Concentrators that collect a night twice would lose it."""
    assert 1 == len(_values(_answer(_stocked(_row(5), _row(5)))))


def test_neighbours_in_one_answer_keep_their_own() -> None:
    """Rows come in any order."""
    rows = (_row(7, address=CARRIER_645), _row(8))
    assert [Decimal("0.08")] == [value for _, value in _values(_answer(_stocked(*rows)))]
    of_645 = _answer(_stocked(*rows), address=CARRIER_645)
    assert [Decimal("0.07")] == [value for _, value in _values(of_645)]


def test_a_freeze_at_another_minute_of_the_night_counts() -> None:
    """Some meters freeze a minute late, and are read so straight too."""
    late = MIDNIGHT + timedelta(minutes=1)
    assert [late.astimezone(UTC)] == [slot for slot, _ in _values(_answer(_stocked(_row(5, at=late))))]


def test_a_month() -> None:
    """Settlements of a whole area would be read meter by meter."""
    stored = _stocked(_row(5), table="50060200")
    answer = _answer(stored, MIDNIGHT, data_class=MONTHLY_FREEZE)
    assert [(MIDNIGHT.astimezone(UTC), Decimal("0.05"))] == _values(answer)


@pytest.mark.parametrize("table", ["50050200", "50060200"])
def test_the_first_of_a_month_is_no_settlement_of_another_day(table: str) -> None:
    """The meter itself would never be asked for the settlement on which its customer is billed."""
    first, ours = MIDNIGHT.replace(month=9), MIDNIGHT.replace(month=9, day=15)
    answer = _answer(_stocked(_row(5, at=first), table=table), ours, data_class=MONTHLY_FREEZE)
    assert isinstance(answer, MeterlinkError), answer


def test_points_of_a_curve() -> None:
    """A quarter of an hour is a point of its own, and only where the meter says that time."""
    points = [MIDNIGHT + timedelta(minutes=15 * number) for number in range(4)]
    rows = [_row(number, at=point) for number, point in enumerate(points)]
    rows.append(_row(9, at=points[0] + timedelta(minutes=7)))
    answer = _answer(_stocked(*rows, table="50020200"), *points, data_class=CURVE, every_s=900)
    expected = [(point.astimezone(UTC), Decimal(n) / 100) for n, point in enumerate(points)]
    assert expected[::-1] == _values(answer)


@pytest.mark.parametrize("dar", [3, 6, 15, 255])
def test_a_store_that_refuses_is_an_empty_one(dar: int) -> None:
    """A concentrator without such a table would keep its meters from being read at all."""

    def refuses(apdu: Any) -> list[tuple[float, Any]]:
        if isinstance(apdu, GetResponseRecord) and apdu.record.oad == COLLECTED:
            apdu = replace(apdu, record=apdu.record._replace(result=Dar(dar)))
        return [(0.0, apdu)]

    head = HeadEnd(World(idle=True))
    head.between = lambda duplex: Meddler(duplex, refuses)

    async def story() -> None:
        answer = await head.night(CARRIER_698, head.midnight())
        [record] = answer.records
        assert {"terminal 020000000001 proxy"} == {value.route for value in record.values if value.value}

    head.run(story)
