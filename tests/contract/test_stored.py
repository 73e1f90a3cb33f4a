"""The memory of one simulated meter, read through every protocol: the same slots, and the truth in each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterlink.drivers.base import SLOTS_MAX, StoredAnswer
from meterlink.drivers.dlt645.numbered import PROVED_TOGETHER_MAX
from meterlink.errors import MeterlinkError
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, MONTHLY_FREEZE, DataClass
from meterlink.model.zone import CHINA_TIME
from meterprofiles import generic
from metersim import AnswerRecord, Faults, Meter
from metersim.dlt645.load_records import DEPTH as _LOAD_DEPTH
from metersim.dlt698 import Meter698
from metersim.plant.making import depths_of
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.works import Works
from tests.support.stored import ADDRESS, DAY, MIDNIGHT, NOW, accounted, read_memory, values_of, with_memory

_ITEMS: Final[Mapping[DataClass, tuple[str, ...]]] = {
    DAILY_FREEZE: ("forward_active_energy.*", "reverse_active_energy"),
    MONTHLY_FREEZE: ("forward_active_energy.*", "reverse_active_energy.t2"),
    CURVE: ("forward_active_energy", "voltage.*"),
}
_QUARTER: Final = timedelta(minutes=15)
_NIGHTS: Final = [MIDNIGHT - n * DAY for n in range(-2, 66)]
_MONTHS: Final = [datetime(2025 + n // 12, n % 12 + 1, 10, tzinfo=CHINA_TIME) for n in range(8, 24)]
_POINTS: Final = [NOW + _QUARTER - n * _QUARTER for n in range(SLOTS_MAX)]
_HOURS: Final = [NOW + 4 * (1 - n) * _QUARTER for n in range(30)]
_END: Final = [NOW - 30 * DAY + n * _QUARTER for n in range(-40, 40)]
_SPEAKING: Final[Mapping[str, Callable[[Works], Any]]] = {
    "dlt645-2007": lambda works: Meter(ADDRESS, seed=7, works=works),
    "dlt645-1997": lambda works: Meter(ADDRESS, seed=7, works=works, protocol="dlt645-1997"),
    "dlt698.45": lambda works: Meter698(ADDRESS, seed=7, works=works),
}
_PARTS: Final = {
    "forward_active_energy.*": [
        f"forward_active_energy{tariff}" for tariff in ("", ".t1", ".t2", ".t3", ".t4")
    ],
    "voltage.*": ["voltage.a", "voltage.b", "voltage.c"],
}


_ASKED: Final[list[tuple[DataClass, list[datetime]]]] = [
    (DAILY_FREEZE, _NIGHTS[:20]),
    (CURVE, _POINTS),
    (MONTHLY_FREEZE, _MONTHS),
]
_OLDEST: Final[list[tuple[DataClass, datetime, int]]] = [
    (DAILY_FREEZE, MIDNIGHT - 61 * DAY, 5),
    (MONTHLY_FREEZE, datetime(2025, 12, 10, tzinfo=CHINA_TIME), 9),
    (CURVE, NOW - 29 * DAY, 2),
]
"""A slot near the end of each memory, and the most exchanges that it may take."""


@cache
def _works(clock_ahead_s: int = 0, since: datetime = NOW - 800 * DAY) -> Works:
    """A meter that settles on the 10th, and feeds some energy back."""
    return Works(
        Plate(address=ADDRESS, sums="by_phase", settlement_day=10),
        seed=7,
        load=Load(mean_kw=Decimal(20), feed_in_share=Decimal("0.1")),
        since=since,
        clock_ahead=timedelta(seconds=clock_ahead_s),
    )


def _read(
    protocol: str,
    data_class: DataClass,
    slots: Sequence[datetime],
    *,
    every_s: int = 900,
    works: Works | None = None,
    given: list[AnswerRecord] | None = None,
) -> StoredAnswer:
    answer = read_memory(
        _SPEAKING[protocol](works or _works()),
        data_class,
        _ITEMS[data_class],
        slots,
        profile=generic(protocol),
        every_s=every_s,
        given=given,
    )
    accounted(answer, slots)
    return answer


def _truth(data_class: DataClass, at: datetime, works: Works) -> dict[str, object]:
    """What the meter showed when its own clock showed ``at``."""
    taken_at = works.clock.showed(at, NOW)
    assert taken_at is not None
    names = [name for item in _ITEMS[data_class] for name in _PARTS.get(item, [item])]
    return {name: works.value(name, taken_at) for name in names}


def _is_true(answer: StoredAnswer, data_class: DataClass, works: Works) -> None:
    found = values_of(answer)
    assert {slot: _truth(data_class, slot, works) for slot in found} == found
    assert {data_class} == {value.period for record in answer.records for value in record.values} or not found


@pytest.mark.parametrize(
    ("data_class", "slots", "every_s"),
    [
        (DAILY_FREEZE, _NIGHTS, 0),
        (MONTHLY_FREEZE, _MONTHS, 0),
        (CURVE, _POINTS, 900),
        (CURVE, _HOURS, 3600),
    ],
)
def test_one_memory_is_the_same_through_both_protocols(
    data_class: DataClass, slots: list[datetime], every_s: int
) -> None:
    """A meter exchanged for one of the other protocol would have another history in the database."""
    old, new = (
        _read(protocol, data_class, slots, every_s=every_s) for protocol in ("dlt645-2007", "dlt698.45")
    )
    assert values_of(old) == values_of(new)
    assert (set(old.gone), set(old.not_yet)) == (set(new.gone), set(new.not_yet))
    assert not old.unfit_slots and not new.unfit_slots
    assert not old.refused and not new.refused
    _is_true(old, data_class, _works())


def test_the_memory_of_1997_is_its_two_last_months() -> None:
    """Its meters would be asked each night for what nobody ever built into them, or not at all."""
    answer = _read("dlt645-1997", MONTHLY_FREEZE, _MONTHS)
    newest = [datetime(2026, 11, 10, tzinfo=CHINA_TIME), datetime(2026, 10, 10, tzinfo=CHINA_TIME)]
    assert newest == [record.slot for record in answer.records]
    _is_true(answer, MONTHLY_FREEZE, _works())


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
@pytest.mark.parametrize("clock_ahead_s", [-7 * 3600 - 240, -240, 240, 50_000])
def test_the_time_is_that_of_the_meter(protocol: str, clock_ahead_s: int) -> None:
    """Records of a meter with a wrong clock would stand under times at which it recorded others."""
    works = _works(clock_ahead_s)
    for data_class, slots in _ASKED:
        answer = _read(protocol, data_class, slots, works=works)
        assert answer.records
        _is_true(answer, data_class, works)
        shown = NOW + timedelta(seconds=clock_ahead_s)
        assert {slot.astimezone(UTC) for slot in slots if slot > shown} == set(answer.not_yet)


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
def test_the_oldest_slot_takes_a_handful_of_exchanges(protocol: str) -> None:
    """The collector looks there whether a memory is as deep as its profile says."""
    for data_class, oldest, exchanges_max in _OLDEST:
        exchanges: list[AnswerRecord] = []
        answer = _read(protocol, data_class, [oldest], given=exchanges)
        assert [oldest] == [record.slot for record in answer.records]
        assert len(exchanges) <= exchanges_max


def test_how_many_exchanges_a_memory_takes() -> None:
    """A line at 2400 bit/s has no time for a question that could be left out."""
    exchanges: list[AnswerRecord] = []
    _read("dlt645-2007", DAILY_FREEZE, [MIDNIGHT - n * DAY for n in range(62)], given=exchanges)
    proofs = 1 + -(-62 // PROVED_TOGETHER_MAX)
    assert 61 + 2 * 62 + proofs == len(exchanges), "a time and two identifiers a night, but the newest's time"
    exchanges.clear()
    _read("dlt698.45", DAILY_FREEZE, [MIDNIGHT - n * DAY for n in range(62)], given=exchanges)
    assert 7 == len(exchanges), "ten rows of 40 octets fit an answer of 400"


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
def test_a_young_meter_has_nothing_from_before_its_time(protocol: str) -> None:
    """Its first nights would be looked for until the end of time, or be zeros in the bills."""
    works = _works(since=NOW - 5 * DAY)
    answer = _read(protocol, DAILY_FREEZE, _NIGHTS[2:], works=works)
    assert 5 == len(answer.records)
    assert 61 == len(answer.gone)
    _is_true(answer, DAILY_FREEZE, works)
    points = _read(protocol, CURVE, [NOW - 5 * DAY + n * _QUARTER for n in range(-48, 48)], works=works)
    assert (47, 49) == (len(points.records), len(points.gone)), "it was switched on at the 49th"
    _is_true(points, CURVE, works)


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
def test_what_was_overwritten_is_gone_and_what_stands_is_there(protocol: str) -> None:
    """A shallow memory is what backfill has to hurry for: the next night takes the place of the oldest."""
    depths = (("daily_freeze", 7), ("settlement", 2), ("monthly_freeze", 0), ("curve", 96))
    plate = Plate(address=ADDRESS, sums="by_phase", settlement_day=10, depths=depths)
    works = Works(plate, seed=7, load=Load(mean_kw=Decimal(20)), since=NOW - 800 * DAY)
    for data_class, slots in _ASKED:
        answer = _read(protocol, data_class, slots, works=works)
        held = {freeze.frozen_at for freeze in works.freezes(_TABLES[data_class], NOW)}
        assert held.intersection(slots) == {record.slot for record in answer.records}
        assert {slot for slot in slots if slot not in held and slot < NOW} == set(answer.gone)
        _is_true(answer, data_class, works)
    oldest = MIDNIGHT - 6 * DAY
    for start, is_there in ((MIDNIGHT + DAY - timedelta(minutes=1), True), (MIDNIGHT + DAY, False)):
        meter, profile = _SPEAKING[protocol](works), generic(protocol)
        items = _ITEMS[DAILY_FREEZE]
        found = read_memory(meter, DAILY_FREEZE, items, [oldest], profile=profile, start=start)
        assert is_there == (oldest in {record.slot for record in found.records})
        assert is_there != (oldest in found.gone)


def test_a_simulated_meter_remembers_as_its_profile_says() -> None:
    """A plant of shallow memories would be one of usual ones, and tests of backfill would prove nothing."""
    sure = with_memory(generic("dlt698.45"), daily_freeze=7, monthly_freeze=3, curve=500).memory
    expected = {"daily_freeze": 7, "settlement": 3, "monthly_freeze": 3, "curve": 500}
    assert expected == dict(depths_of(sure))
    assert () == depths_of(generic("dlt698.45").memory), "what nobody vouches for is the simulator's own"


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
def test_no_line_however_bad_brings_a_record_under_a_wrong_slot(protocol: str) -> None:
    """Answers that are late, stale, doubled, cut, flipped or of another item would become history."""
    came: Counter[DataClass] = Counter()
    for seed in range(6):
        for data_class, slots in _ASKED:
            try:
                answer = read_memory(
                    _SPEAKING[protocol](_works()),
                    data_class,
                    _ITEMS[data_class],
                    slots,
                    profile=generic(protocol),
                    every_s=900,
                    faults=_faults(seed),
                )
            except MeterlinkError:
                continue
            accounted(answer, slots)
            came[data_class] += len(answer.records)
            for slot, values in values_of(answer).items():
                truth = _truth(data_class, slot, _works())
                assert {item: truth[item] for item in values} == values
    assert set(_ITEMS) == {name for name, count in came.items() if count}, "nothing came of some class"


def _faults(seed: int) -> Faults:
    return Faults(
        seed=seed,
        stale=0.05,
        late=0.05,
        late_ms=3_000,
        double=0.05,
        double_ms=2_000,
        duplicate=0.05,
        other_identifier=0.03,
        other_address=0.02,
        abnormal=0.03,
        bit_flip=0.02,
        flipped_bits=1,
        truncation=0.02,
        random_octets=0.02,
        noise=0.05,
        echo=0.05,
    )


_subsets = {
    DAILY_FREEZE: st.sets(st.sampled_from(_NIGHTS), min_size=1),
    MONTHLY_FREEZE: st.sets(st.sampled_from(_MONTHS), min_size=1),
    CURVE: st.sets(st.sampled_from([*_POINTS, *_END]), min_size=1, max_size=20),
}


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
@pytest.mark.parametrize("data_class", list(_subsets))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_slots_bring_the_truth_of_each(protocol: str, data_class: DataClass, data: st.DataObject) -> None:
    """A gap would be filled with what another time has left."""
    slots = data.draw(st.permutations(sorted(data.draw(_subsets[data_class]))))
    answer = _read(protocol, data_class, slots)
    _is_true(answer, data_class, _works())
    held = {freeze.frozen_at for freeze in _works().freezes(_TABLES[data_class], NOW)}
    depth = _LOAD_DEPTH if (protocol, data_class) == ("dlt645-2007", CURVE) else len(held)
    asked = set(slots).intersection(sorted(held)[-depth:])
    assert asked == {record.slot for record in answer.records}


_TABLES: Final = {DAILY_FREEZE: "daily_freeze", MONTHLY_FREEZE: "settlement", CURVE: "curve"}
