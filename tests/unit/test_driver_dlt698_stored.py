"""Records of a DL/T 698.45 meter by spans of time: each under the time of its own row."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.base import SLOTS_MAX, StoredAnswer, Wanted
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.drivers.dlt698.tables import BAD_ANSWERS_MAX
from meterlink.errors import BadAnswer, NoFreeze, ReplyTimeout, UnknownItem
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, EVENT, MONTHLY_FREEZE, DataClass
from meterlink.model.zone import CHINA_TIME
from meterprofiles import AssociationTraits
from meterwire.dlt698.apdus.get import GetRequestNormalList, GetRequestRecord
from meterwire.dlt698.apdus.parts import Dar, RecordRequest, RecordResult
from meterwire.dlt698.axdr.selection import Oad, ScalerUnit, SelectRange
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.objects.item_values import Contents
from meterwire.dlt698.objects.records import FROZEN_AT, encode_row
from tests.support.dlt698_meter import ADDRESS, ScriptedMeter, converse
from tests.support.stored import accounted, values_of

_FORWARD, _REVERSE = "forward_active_energy", "reverse_active_energy"
_REVERSE_COLUMN = Oad.of("00200201")
_NIGHT = datetime(2025, 12, 31)  # noqa: DTZ001 - a meter's clock has no zone; we live in the last hours of it
_DAY = timedelta(days=1)
_Row = tuple[datetime, Contents]


def _slot(civil: datetime) -> datetime:
    return civil.replace(tzinfo=CHINA_TIME).astimezone(UTC)


def _nights(*back: int) -> list[datetime]:
    """Slots of nights, counted back from the last one."""
    return [_slot(_NIGHT - n * _DAY) for n in back]


def _row(back: float, **others: Decimal) -> _Row:
    """A row whose register tells its time."""
    at = _NIGHT - back * _DAY
    return at, {_FORWARD: _told(at), _REVERSE: Decimal(1), **others}


def _told(at: datetime) -> Decimal:
    return Decimal(f"{at:%m%d}.{at:%H}")


@dataclass(slots=True)
class _Odd(ScriptedMeter):
    """A meter that selects rows in a way of its own.

    Args:
        chosen: rows of a span, of those it has and those that are right.

    """

    chosen: Callable[[list[_Row], list[_Row], SelectRange], list[_Row]] = lambda _, right, __: right

    def _selected(self, rsd: object) -> list[_Row]:
        right = ScriptedMeter._selected(self, rsd)
        return self.chosen(self.records, right, rsd) if isinstance(rsd, SelectRange) else right


def _holding(*back: float, **traits: object) -> ScriptedMeter:
    return ScriptedMeter(records=[_row(n) for n in sorted(back, reverse=True)], **traits)  # type: ignore[arg-type]


def _read(
    meter: ScriptedMeter,
    slots: Sequence[datetime],
    items: Sequence[str] = (_FORWARD,),
    *,
    data_class: DataClass = DAILY_FREEZE,
    every_s: int = 0,
    traits: AssociationTraits | None = None,
) -> StoredAnswer:
    async def program(driver: Dlt698Driver, line: Line) -> StoredAnswer:
        return await driver.read_stored(
            line, ADDRESS, Wanted(data_class, items, slots, every_s), priority=Priority.BILLING
        )

    answer = converse(meter, program, traits=traits)
    assert isinstance(answer, StoredAnswer)
    accounted(answer, slots)
    return answer


def _requests(meter: ScriptedMeter) -> list[RecordRequest]:
    return [apdu.record for apdu in meter.asked if isinstance(apdu, GetRequestRecord)]


def _slots_of(answer: StoredAnswer) -> set[datetime]:
    return {record.slot for record in answer.records}


def _is_true(answer: StoredAnswer) -> None:
    found = {slot: values[_FORWARD] for slot, values in values_of(answer).items() if _FORWARD in values}
    assert {slot: _told(slot.astimezone(CHINA_TIME)) for slot in found} == found


def test_neighbours_come_in_one_exchange() -> None:
    """A month of nights at one question each keeps the line from its other meters."""
    meter = _holding(*range(40))
    answer = _read(meter, _nights(*range(30)))
    assert set(_nights(*range(30))) == _slots_of(answer)
    assert 2 == len(_requests(meter))
    _is_true(answer)


@settings(deadline=None, max_examples=40)
@given(
    held=st.sets(st.integers(0, 60), min_size=1, max_size=40), asked=st.sets(st.integers(-2, 62), min_size=1)
)
def test_any_holes_of_any_memory(held: set[int], asked: set[int]) -> None:
    """A hole would be filled with its neighbour, or be looked for for ever."""
    answer = _read(_holding(*held), _nights(*asked))
    _is_true(answer)
    assert set(_nights(*(held & asked))) == _slots_of(answer)
    assert set(_nights(*(n for n in asked if n < min(held)))) == set(answer.not_yet)
    assert not answer.unfit_slots


@pytest.mark.parametrize(
    "chosen",
    [
        lambda own, right, rsd: own,  # all that it has
        lambda own, right, rsd: [*right, *right],  # each twice
        lambda own, right, rsd: right[::-1],
        lambda own, right, rsd: right[:3],  # as many as fit
        lambda own, right, rsd: right[-3:],
        lambda own, right, rsd: (
            [row for row in right if row[0] != max(at for at, _ in right)] if len(right) > 1 else right
        ),  # takes the end of a span for outside
        lambda own, right, rsd: [
            row for row in own if rsd.start.value.civil() <= row[0] <= rsd.end.value.civil()
        ],
    ],
)
def test_what_a_meter_makes_of_a_span_changes_nothing(
    chosen: Callable[[list[_Row], list[_Row], SelectRange], list[_Row]],
) -> None:
    """Firmware takes ends of a span for parts of it or not, and sends what nobody asked for."""
    meter = _Odd(records=[_row(n) for n in range(20, -1, -1)], chosen=chosen)
    answer = _read(meter, _nights(*range(2, 8)))
    assert set(_nights(*range(2, 8))) == _slots_of(answer)
    _is_true(answer)


def test_two_rows_of_one_time_that_differ_are_none() -> None:
    """Nobody knows which of them is true."""
    at, contents = _row(1)
    other = {**contents, _FORWARD: Decimal(5)}
    meter = ScriptedMeter(records=[_row(2), (at, contents), (at, other), _row(0)])
    answer = _read(meter, _nights(0, 1, 2))
    assert (set(_nights(0, 2)), set(_nights(1))) == (_slots_of(answer), set(answer.unfit_slots))


def test_a_row_without_a_time_never_says_gone() -> None:
    """It may be the one that is missing."""
    no_time = {FROZEN_AT: Data("date_time_s", DateTimeS(0xFFFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF))}
    with pytest.raises(NoFreeze):
        _read(_holding(cells=no_time), _nights(0))
    answer = _read(_holding(0, 1, cells=no_time), _nights(0, 1))
    assert set(_nights(0, 1)) == set(answer.unfit_slots)


def test_a_freeze_at_another_minute_comes_under_its_own_time() -> None:
    """A meter that freezes at half past midnight would have no history, or one that is not true."""
    answer = _read(_holding(0, 1 - 1 / 48, 2), _nights(0, 1, 2))
    half_past = _slot(_NIGHT - _DAY + timedelta(minutes=30))
    assert {*_nights(0, 2), half_past} == _slots_of(answer)
    assert set(_nights(1)) == set(answer.gone)


def test_a_row_of_nothing_is_no_record() -> None:
    """Firmware that answers so would bring a record of no time for each slot."""
    with pytest.raises(NoFreeze):
        _read(_holding(null_row=True), _nights(0))


def test_a_table_that_is_refused_has_nothing() -> None:
    """Its slots are not gone for that: another association may be allowed to see them."""
    with pytest.raises(NoFreeze, match="refused"):
        _read(_holding(0, record_dar=Dar(3)), _nights(0))
    wrapped = _read(_holding(0, wants_envelope=True), _nights(0), traits=AssociationTraits(wrap_reads=True))
    assert set(_nights(0)) == _slots_of(wrapped)


def test_a_whole_that_is_refused_for_a_column_is_read_apart() -> None:
    """Firmware that refuses a span for one unknown column would have no history at all."""
    meter = _holding(*range(20), refused_columns=frozenset({_REVERSE_COLUMN}))
    answer = _read(meter, _nights(*range(16)), (_FORWARD, _REVERSE))
    assert set(_nights(*range(16))) == _slots_of(answer)
    assert [_REVERSE] == list(answer.refused)
    assert 4 == len(_requests(meter)), "the whole, the times, and each column"
    _is_true(answer)


def test_a_column_that_one_night_lacks_is_refused_in_that_night_alone() -> None:
    """A register that a meter keeps since last week would be given up for all nights."""
    rows = [_row(2), (_NIGHT - _DAY, {_FORWARD: _told(_NIGHT - _DAY)}), _row(0)]
    answer = _read(ScriptedMeter(records=rows), _nights(0, 1, 2), (_FORWARD, _REVERSE))
    assert {} == answer.refused
    assert [_REVERSE] == list(answer.records[1].refused)
    assert 3 == len(answer.records)


class _FirstOfMonths(ScriptedMeter):
    """A meter without a table of settlements."""

    def _record(self, asked: RecordRequest, *, sealed: bool) -> RecordResult:
        if asked.oad == Oad.of("50050200"):
            return RecordResult(asked.oad, asked.rcsd, Dar(6))
        return ScriptedMeter._record(self, asked, sealed=sealed)


def test_the_second_table_is_asked_for_what_the_first_does_not_have() -> None:
    """Meters that keep a month's registers on its first alone would have no months."""
    first = datetime(2025, 12, 1)  # noqa: DTZ001 - a meter's clock has no zone
    meter = _FirstOfMonths(records=[(first, {_FORWARD: _told(first)})])
    answer = _read(meter, [_slot(first)], data_class=MONTHLY_FREEZE)
    assert {_slot(first)} == _slots_of(answer)
    assert [MONTHLY_FREEZE] == [value.period for value in answer.records[0].values]
    assert {"50050200", "50060200"} == {str(request.oad).replace(" ", "") for request in _requests(meter)}


def test_the_first_of_a_month_is_no_settlement_of_another_day() -> None:
    """The month would be billed by what stood half a month before it ended, or wait for it for ever."""
    first, ours = datetime(2025, 12, 1), datetime(2025, 12, 15)  # noqa: DTZ001 - a meter's clock
    rows: list[_Row] = [(first, {_FORWARD: _told(first)})]
    meter = _FirstOfMonths(records=rows)
    answer = _read(meter, [_slot(first), _slot(ours)], data_class=MONTHLY_FREEZE)
    assert {_slot(first)} == _slots_of(answer)
    assert [_slot(ours)] == list(answer.not_yet)
    assert "settlement_freeze" in answer.not_yet[_slot(ours)]
    with pytest.raises(NoFreeze, match="settlement_freeze"):
        _read(_FirstOfMonths(records=rows), [_slot(ours)], data_class=MONTHLY_FREEZE)
    keeps_both = ScriptedMeter(records=rows)
    assert [_slot(ours)] == list(_read(keeps_both, [_slot(ours)], data_class=MONTHLY_FREEZE).not_yet)
    assert {"50050200"} == {str(request.oad).replace(" ", "") for request in _requests(keeps_both)}


def test_scalers_are_asked_for_once() -> None:
    """With each span again they would double the exchanges of a long memory."""
    scaler = {Oad.of("00100300"): Data("Scaler_Unit", ScalerUnit(-3, 33))}
    meter = _holding(*range(40), raw=scaler)
    answer = _read(meter, _nights(*range(40)), traits=AssociationTraits(ask_scalers=True))
    assert 1 == sum(isinstance(apdu, GetRequestNormalList) for apdu in meter.asked)
    [night] = [record for record in answer.records if record.slot == _nights(0)[0]]
    assert [_told(_NIGHT) / 10] == [value.value for value in night.values]


def test_an_answer_too_long_to_be_used_is_asked_for_in_pieces() -> None:
    """A link that loses the end of long answers would have no history."""
    damaged: list[int] = []

    def cut(octets: bytes) -> bytes:
        damaged.append(len(octets))
        return octets[:40] if len(octets) > 220 else octets

    meter = _holding(*range(30), damage=cut)
    answer = _read(meter, _nights(*range(12)))
    assert set(_nights(*range(12))) == _slots_of(answer)
    _is_true(answer)


def test_answers_that_never_fit_end_it() -> None:
    """A meter with a fault would hold its line for each of its slots."""
    meter = _holding(*range(90), damage=lambda octets: octets[:12])
    with pytest.raises((BadAnswer, ReplyTimeout)):
        _read(meter, _nights(*range(90)))
    assert BAD_ANSWERS_MAX >= len(_requests(meter))


def test_what_came_before_silence_is_kept() -> None:
    """On a bad line a long memory would begin anew each time, and never end."""
    count = 0

    def dead(octets: bytes) -> bytes:
        nonlocal count
        count += 1
        return octets if count <= 2 else b""

    answer = _read(_holding(*range(90), damage=dead), _nights(*range(64)))
    assert answer.cut_short is not None
    assert set(_nights(*range(32))) == _slots_of(answer)
    assert not answer.gone and not answer.not_yet


@settings(deadline=None, max_examples=80)
@given(
    rows=st.lists(
        st.lists(
            st.tuples(st.integers(-40, 60), st.booleans(), st.booleans()),
            max_size=8,
        ),
        min_size=1,
        max_size=5,
    ),
    asked=st.sets(st.integers(-2, 14), min_size=1),
)
def test_garbage_never_makes_a_record_of_another_time(
    rows: list[list[tuple[int, bool, bool]]], asked: set[int]
) -> None:
    """Whatever comes, a night holds what its own row said, or there is none."""
    count = 0

    class Mad(ScriptedMeter):
        def _record(self, asked: RecordRequest, *, sealed: bool) -> RecordResult:
            nonlocal count
            count += 1
            made = []
            for quarter_days, has_time, has_value in rows[count % len(rows)]:
                at = _NIGHT - quarter_days * _DAY / 4
                contents: dict[str, object] = {_FORWARD: _told(at)} if has_value else {}
                if has_time:
                    contents["frozen_at"] = f"{at:%Y-%m-%d %H:%M:%S}"
                made.append(encode_row(asked.rcsd, contents))  # type: ignore[arg-type]
            return RecordResult(asked.oad, asked.rcsd, tuple(made))

    try:
        answer = _read(Mad(), _nights(*asked))
    except (NoFreeze, BadAnswer, ReplyTimeout):
        return
    _is_true(answer)
    assert _slots_of(answer) <= set(_nights(*asked)), "six hours away is another time of day"


def test_what_no_caller_may_ask_is_refused() -> None:
    """A bug of ours must not become a question to a meter."""
    driver = Dlt698Driver(SystemClock(), random_octets=bytes)
    assert {DAILY_FREEZE, MONTHLY_FREEZE, CURVE} == set(driver.stored)
    for data_class, item in ((DAILY_FREEZE, "meter_clock"), (CURVE, "voltage@x"), (EVENT, _FORWARD)):
        with pytest.raises(UnknownItem):
            driver.check_stored(data_class, item)  # type: ignore[arg-type]
    naive, odd = _NIGHT, _slot(_NIGHT) + timedelta(seconds=1)
    wrong: list[tuple[Sequence[datetime], Sequence[str], DataClass, int]] = [
        ([], [_FORWARD], DAILY_FREEZE, 0),
        (_nights(0), [], DAILY_FREEZE, 0),
        (_nights(*range(SLOTS_MAX + 1)), [_FORWARD], DAILY_FREEZE, 0),
        ([naive], [_FORWARD], DAILY_FREEZE, 0),
        ([odd], [_FORWARD], DAILY_FREEZE, 0),
        (_nights(0), [_FORWARD], CURVE, 0),
        (_nights(0), [_FORWARD], CURVE, 90),
        (_nights(0), [_FORWARD], CURVE, 86_460),
        ([*_nights(0), _slot(_NIGHT) - timedelta(minutes=5)], [_FORWARD], CURVE, 900),
    ]
    for slots, items, data_class, every_s in wrong:
        with pytest.raises(ValueError, match=r"slots|slot|curve"):
            Wanted(data_class, items, slots, every_s)
    assert SLOTS_MAX == len(_read(_holding(0), _nights(*range(SLOTS_MAX))).gone) + 1
