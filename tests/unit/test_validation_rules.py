"""Each rule by itself: what it marks, what it leaves alone, and that nothing else would mark it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal

import pytest

from meterlink.config.meters import MeterSettings
from meterlink.drivers.registers import capacities
from meterlink.model.data_classes import CURVE, DAILY_FREEZE, INSTANT, MONTHLY_FREEZE
from meterlink.model.history import Told
from meterlink.model.look import NOT_LOOKED, Look
from meterlink.model.marks import NO_MARKS, Marks
from meterlink.model.reading import Reading, Record
from meterlink.model.zone import CHINA_TIME
from meterlink.validation import circumstances, registers
from meterlink.validation.facts import MeterFacts
from meterlink.validation.rules import RULES, Rule
from meterlink.validation.validator import Validator
from meterprofiles import generic
from tests.support.kept import DAY, FACTS, ITEM, METER, NIGHT, Kept, freeze, record_of


@dataclass(frozen=True)
class _Example:
    """What is kept, what comes then, and the marks that one rule alone gives it."""

    kept: Sequence[Reading]
    new: Sequence[Reading]
    marks: Marks
    look: Look = NOT_LOOKED

    def judge(self, validator: Validator) -> Marks:
        kept = Kept(validator, rows=[record_of(one) for one in self.kept])
        return kept.take(record_of(*self.new), self.look).readings[0].marks


def _days(*registers: str) -> list[Reading]:
    return [freeze(day, value) for day, value in enumerate(registers)]


_USUAL = _days("100", "108", "117", "125", "134", "142", "151", "159")
_TARIFFS = {"": "100.00", ".t1": "10", ".t2": "20", ".t3": "30", ".t4": "40"}


def _block(day: int = 0, **other: str | None) -> list[Reading]:
    """A total and its four tariffs; ``t2="..."`` replaces one, ``total`` the total."""
    values = {**_TARIFFS, **{("" if key == "total" else f".{key}"): value for key, value in other.items()}}
    return [freeze(day, value, item=f"{ITEM}{dimension}") for dimension, value in values.items()]


def _clock_off(seconds: int, day: int = 0) -> Look:
    return Look(clock_ahead=timedelta(seconds=seconds), clock_at=NIGHT + day * DAY + timedelta(hours=2))


_EXAMPLES: dict[Callable[..., Marks], _Example] = {
    registers.going_back: _Example(_days("100.00"), [freeze(1, "99.99")], Marks.REG_BACK),
    registers.tariff_sum: _Example([], _block(total="100.07"), Marks.TARIFF_SUM),
    registers.sudden_change: _Example(_USUAL, [freeze(8, "259")], Marks.SUDDEN_CHANGE),
    circumstances.meter_number: _Example(
        [], [freeze(0, "1")], Marks.METER_MIXED, Look(meter_number="000000000162")
    ),
    circumstances.clock: _Example([], [freeze(0, "1")], Marks.CLOCK_DEV, _clock_off(-301)),
    circumstances.meter_fault: _Example([], [freeze(0, "1")], Marks.METER_FAULT, Look(status_word=1 << 2)),
    circumstances.freeze_time: _Example(
        [], [replace(freeze(0, "1"), slot=NIGHT + timedelta(minutes=61))], Marks.FRZ_TIME
    ),
    circumstances.backfill: _Example([], [freeze(0, "1", after=DAY + timedelta(seconds=1))], Marks.BACKFILL),
    circumstances.kept_before: _Example([freeze(0, "1")], [freeze(0, "1.00")], Marks.DUPLICATE),
}


def test_every_rule_has_an_example() -> None:
    """A rule without one could be taken out and nobody would notice."""
    assert {rule.judge for rule in RULES} == _EXAMPLES.keys()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.judge.__name__)
def test_a_rule_alone_gives_its_mark(rule: Rule) -> None:
    """Without the rule the fault goes to billing unseen; with the others alone it does not show."""
    example = _EXAMPLES[rule.judge]
    without = [one for one in RULES if one is not rule]
    assert example.marks == example.judge(Validator({METER: FACTS}))
    assert NO_MARKS == example.judge(Validator({METER: FACTS}, without))


def _marks(example: _Example, facts: MeterFacts = FACTS) -> Marks:
    return example.judge(Validator({METER: facts}))


def test_what_is_told_again_keeps_the_doubts_of_its_day() -> None:
    """A terminal that tells a night again behind a restart would make a false midnight a sound one."""
    fault = replace(_clock_off(-301), status_word=1 << 2, meter_number="000000000162")
    found = Marks.CLOCK_DEV | Marks.METER_FAULT | Marks.METER_MIXED
    for again in ("1", "2"):
        kept = Kept(Validator({METER: FACTS}))
        assert found == kept.take(record_of(freeze(0, "1")), fault).readings[0].marks
        told = kept.take(record_of(freeze(0, again))).readings[0].marks
        assert found | (Marks.DUPLICATE if again == "1" else Marks.CONFLICT) == told
        mended = Look(meter_number="000000000161")
        assert Marks.METER_MIXED not in kept.take(record_of(freeze(0, again)), mended).readings[0].marks
    other = Kept(Validator({METER: FACTS}))
    other.take(record_of(freeze(0, "1"), data_class=INSTANT), fault)
    found = other.take(record_of(freeze(0, "1"), data_class=INSTANT)).readings[0].marks
    assert Marks.DUPLICATE | Marks.METER_MIXED == found, "clocks are of freezes"


@pytest.mark.parametrize(
    ("before", "after", "days", "marks"),
    [
        ("100.00", "100.00", 1, NO_MARKS),  # a meter may stand still
        ("900000.00", "99.00", 1, Marks.REG_BACK),  # not above nine tenths
        ("999900.00", "248.47", 1, Marks.ROLL_OVER),  # 348.47 kWh; the meter counts 348.48 a day
        ("999900.00", "248.49", 1, Marks.REG_BACK),
        ("999900.00", "596.96", 2, Marks.ROLL_OVER),  # the same of two days
        ("999900.00", "596.97", 2, Marks.REG_BACK),
        ("900000.00", "0.00", 300, Marks.REG_BACK),  # what it could have counted; not above nine tenths
        ("900000.01", "0.00", 300, Marks.ROLL_OVER),
        ("999999.99", "0.00", 1, Marks.ROLL_OVER),
        ("999999.99", "999999.98", 1, Marks.REG_BACK),
    ],
)
def test_back_or_rolled_over(before: str, after: str, days: int, marks: Marks) -> None:
    """A roll-over held back stops a bill; a reset taken for one makes a bill of a million kWh."""
    assert marks == _marks(_Example([freeze(0, before)], [freeze(days, after)], marks))


def test_registers_of_698_may_be_wider() -> None:
    """A meter that shows more than a million would be marked at each midnight behind it, or at its end."""
    facts = replace(FACTS, capacities=lambda name: capacities("dlt698.45", name))
    wide = _Example([freeze(0, "42949672.90")], [freeze(1, "0.10")], Marks.ROLL_OVER)
    narrow = _Example([freeze(0, "999999.90")], [freeze(1, "0.10")], Marks.ROLL_OVER)
    back = _Example([freeze(0, "2000000.00")], [freeze(1, "0.10")], Marks.REG_BACK)
    for example in (wide, narrow, back):
        assert example.marks == _marks(example, facts)
    assert Marks.REG_BACK == _marks(wide), "DL/T 645 has no such register"


@pytest.mark.parametrize("item", ["combined_active_energy", "remaining_energy", "voltage.a", "active_power"])
def test_what_may_go_down_is_not_marked(item: str) -> None:
    """Sums with signs, balances and values of the moment fall every day."""
    example = _Example([freeze(0, "9", item=item)], [freeze(1, "1", item=item)], NO_MARKS)
    assert NO_MARKS == _marks(example)


@pytest.mark.parametrize("kept", [None, "5"])
def test_nothing_is_measured_against_what_is_none(kept: str | None) -> None:
    """A reading without value or with a false time would mark the sound one behind it."""
    doubtful = freeze(1, kept, marks=Marks.ABSENT if kept is None else Marks.CLOCK_FAR)
    assert Marks.REG_BACK == _marks(_Example([freeze(0, "4"), doubtful], [freeze(2, "3")], NO_MARKS))
    assert NO_MARKS == _marks(_Example([freeze(0, "4"), doubtful], [freeze(2, "4.5")], NO_MARKS))


def test_an_exchange_begins_anew() -> None:
    """The first freeze of a new meter is measured against what it showed when it was put in (VEE-12)."""
    told = Told(at=NIGHT - timedelta(hours=10), registers={ITEM: Decimal("7.00")})
    for value, marks in (("7.50", NO_MARKS), ("6.99", Marks.REG_BACK)):
        kept = Kept(exchanges=(told,), rows=[record_of(freeze(-1, "812345.67"))])
        assert marks == kept.take(record_of(freeze(0, value))).readings[0].marks


def test_what_was_told_of_a_later_day_is_no_before() -> None:
    """A night that is backfilled of the meter that was taken out is measured against the night before."""
    told = Told(at=NIGHT + timedelta(hours=10), registers={ITEM: Decimal("812.00")})
    kept = Kept(exchanges=(told,), rows=[record_of(freeze(-1, "805.00"))])
    assert NO_MARKS == kept.take(record_of(freeze(0, "810.00"))).readings[0].marks


def test_a_roll_over_within_a_minute() -> None:
    """Registers that are read each minute roll over too; so short a time has no limit of its own."""
    before = replace(freeze(0, "999999.90"), slot=NIGHT - timedelta(minutes=1))
    kept = Kept(rows=[record_of(before, data_class=INSTANT)])
    rolled = kept.take(record_of(freeze(0, "0.40"), data_class=INSTANT))
    assert Marks.ROLL_OVER == rolled.readings[0].marks


@pytest.mark.parametrize(
    ("block", "marks"),
    [
        (_block(), NO_MARKS),
        (_block(total="100.06"), NO_MARKS),  # 0.01 a tariff and 0.02
        (_block(total="99.93"), Marks.TARIFF_SUM),
        (_block(total="100.07", t4=None), NO_MARKS),  # nobody knows the fourth
        (_block(total="0.00", t1="999910"), NO_MARKS),  # the total has rolled over, its tariffs have not
        (_block(total="0.00", t1="999909.93"), Marks.TARIFF_SUM),
        (_block()[:4], NO_MARKS),  # the fourth was not read
        (_block()[1:], NO_MARKS),  # the total was not
    ],
)
def test_tariffs_add_up(block: list[Reading], marks: Marks) -> None:
    """Total and tariffs go to the bill side by side."""
    record = Validator({METER: FACTS}).marked(record_of(*block), Kept().history(record_of(*block)))
    assert [marks] * len(block) == [reading.marks for reading in record.readings]


def test_a_tariff_that_the_meter_lacks_counts_for_nothing() -> None:
    """Meters with two tariffs answer four, the others filled with FFH."""
    block = _block(t3=None, t4=None, total="30.00")
    total, *tariffs = [replace(one, marks=Marks.ABSENT) if one.value is None else one for one in block]
    assert NO_MARKS == _marks(_Example([], [total, *tariffs], NO_MARKS))
    more = replace(total, value=Decimal(31))
    assert Marks.TARIFF_SUM == _marks(_Example([], [more, *tariffs], NO_MARKS))


def test_tariffs_that_came_before_count() -> None:
    """A block of which one part came in another exchange would never be summed."""
    total, *tariffs = _block(total="100.07")
    assert Marks.TARIFF_SUM == _sum_of(tariffs, total)
    assert NO_MARKS == _sum_of(tariffs, replace(total, value=Decimal(100)))


def _sum_of(kept: Sequence[Reading], new: Reading) -> Marks:
    others = Kept(rows=[record_of(*kept)])
    history = others.history(record_of(new, *kept))
    return Validator({METER: FACTS}).marked(record_of(new), history).readings[0].marks


@pytest.mark.parametrize(
    ("value", "days", "marks"),
    [
        ("177.00", 1, NO_MARKS),  # 10 more than the median of 8
        ("177.01", 1, Marks.SUDDEN_CHANGE),
        ("159.00", 1, NO_MARKS),  # nothing at all is 8 less
        ("195.00", 2, NO_MARKS),  # 18 on each of two days
        ("195.02", 2, Marks.SUDDEN_CHANGE),
    ],
)
def test_sudden_change(value: str, days: int, marks: Marks) -> None:
    """People look at each mark: too many and they stop, too few and a fault is billed."""
    assert marks == _marks(_Example(_USUAL, [freeze(7 + days, value)], marks))


def test_who_varies_much_may_vary_more() -> None:
    """Five sigma of the days' own spread; a house with electric heating would be marked each cold day."""
    varied = _days("100", "110", "150", "162", "200", "215", "250", "264")  # 10 to 40; median 15, sigma 7.413
    for value, marks in (("316.06", NO_MARKS), ("316.07", Marks.SUDDEN_CHANGE)):
        assert marks == _marks(_Example(varied, [freeze(8, value)], marks))


def test_sudden_change_needs_a_week_and_counts_what_is_behind_the_transformers() -> None:
    """A second reading is no habit; ten secondary kWh behind transformers of 30 are 300."""
    for days, marks in ((registers.DAYS_MIN - 1, NO_MARKS), (registers.DAYS_MIN, Marks.SUDDEN_CHANGE)):
        usual = _USUAL[-days - 1 :]
        assert marks == _marks(_Example(usual, [freeze(8, "259")], marks))
    by_30 = replace(FACTS, multiplier=Decimal(30))
    small = [freeze(8, "172.50")]  # 13.5 where 8 is usual
    assert NO_MARKS == _marks(_Example(_USUAL, small, NO_MARKS))
    assert Marks.SUDDEN_CHANGE == _marks(_Example(_USUAL, small, NO_MARKS), by_30)


def test_sudden_change_knows_days_and_no_other_spans() -> None:
    """Two freezes of one night would make a day of an hour; gaps would make two days of one."""
    soon = replace(freeze(7, "164.00"), slot=NIGHT + 7 * DAY + timedelta(minutes=50))
    assert NO_MARKS == _marks(_Example(_USUAL, [soon], NO_MARKS))
    gaps = [freeze(2 * n, str(100 + 8 * n)) for n in range(-10, 0)]
    assert NO_MARKS == _marks(_Example(gaps, [freeze(0, "259")], NO_MARKS))


def test_sudden_change_of_others_than_households() -> None:
    """A workshop changes by more than ten kWh a day: 5 % of what its supply carries, here 15.84 kWh."""
    workshop = replace(FACTS, is_residential=False)
    assert NO_MARKS == _marks(_Example(_USUAL, [freeze(8, "182.84")], NO_MARKS), workshop)
    assert Marks.SUDDEN_CHANGE == _marks(_Example(_USUAL, [freeze(8, "182.85")], NO_MARKS), workshop)


def test_sudden_change_asks_for_totals_of_energy_by_the_day() -> None:
    """Tariffs move with habits, and a value of each minute has no day."""
    usual = [replace(one, item=f"{ITEM}.t1") for one in _USUAL]
    assert NO_MARKS == _marks(_Example(usual, [freeze(8, "259", item=f"{ITEM}.t1")], NO_MARKS))
    kept = Kept(rows=[record_of(one, data_class=INSTANT) for one in _USUAL])
    assert NO_MARKS == kept.take(record_of(freeze(8, "259"), data_class=INSTANT)).readings[0].marks


@pytest.mark.parametrize(
    ("seconds", "day", "marks"),
    [
        (300, 0, NO_MARKS),
        (301, 0, Marks.CLOCK_DEV),
        (86_400, 0, Marks.CLOCK_DEV),
        (86_401, 0, Marks.CLOCK_DEV | Marks.CLOCK_FAR),
        (-86_401, 0, Marks.CLOCK_DEV | Marks.CLOCK_FAR),
        (600, 1, NO_MARKS),  # it was off on another day
    ],
)
def test_the_clock_of_the_day(seconds: int, day: int, marks: Marks) -> None:
    """The border between what billing takes and what a person sees; and of no other day than the freeze's."""
    assert marks == _marks(_Example([], [freeze(0, "1")], marks, _clock_off(seconds, day)))


@pytest.mark.parametrize(("seconds", "marks"), [(300, NO_MARKS), (301, Marks.CLOCK_DEV)])
def test_a_freeze_of_a_time_to_come(seconds: int, marks: Marks) -> None:
    """The meter's clock is ahead at least so far, whoever has looked at it or not."""
    assert marks == _marks(_Example([], [freeze(0, "1", after=timedelta(seconds=-seconds))], marks))


@pytest.mark.parametrize(
    ("minutes", "marks"),
    [(-60, NO_MARKS), (60, NO_MARKS), (-61, Marks.FRZ_TIME), (61, Marks.FRZ_TIME), (720, Marks.FRZ_TIME)],
)
def test_freezes_are_of_midnight(minutes: int, marks: Marks) -> None:
    """What was frozen at noon is no day's end."""
    at = NIGHT + timedelta(minutes=minutes)
    one = replace(freeze(0, "1"), slot=at, taken_at=at)
    assert marks == _marks(_Example([], [one], marks))
    monthly = Kept().take(record_of(one, data_class=MONTHLY_FREEZE))
    assert NO_MARKS == monthly.readings[0].marks, "a settlement is when the meter's parameters say"


@pytest.mark.parametrize(
    ("data_class", "late"),
    [(DAILY_FREEZE, DAY), (MONTHLY_FREEZE, DAY), (CURVE, timedelta(hours=2))],
)
def test_backfill_begins_when_it_is_no_longer_on_time(data_class: str, late: timedelta) -> None:
    """What came late has to be told from what came by itself."""
    for after, marks in ((late, NO_MARKS), (late + timedelta(seconds=1), Marks.BACKFILL)):
        taken = Kept().take(record_of(freeze(0, "1", after=after), data_class=data_class))
        assert marks == taken.readings[0].marks
    asked_late = Kept().take(record_of(freeze(0, "1", after=late * 2), data_class=INSTANT))
    assert NO_MARKS == asked_late.readings[0].marks, "a meter remembers no values of the moment"


def test_what_was_kept_with_another_value() -> None:
    """One of the two is false, and which one nobody knows."""
    assert Marks.CONFLICT == _marks(_Example([freeze(0, "1")], [freeze(0, "1.01")], NO_MARKS))
    gone = _Example([freeze(0, "1")], [freeze(0, None, marks=Marks.ABSENT)], NO_MARKS)
    assert Marks.ABSENT | Marks.CONFLICT == _marks(gone)


@pytest.mark.parametrize("bit", range(16))
def test_bits_of_the_status_word_that_tell_of_a_fault(bit: int) -> None:
    """A reverse flow is no fault of the meter; an empty battery is."""
    marks = _marks(_Example([], [freeze(0, "1")], NO_MARKS, Look(status_word=1 << bit)))
    assert (Marks.METER_FAULT if bit in {2, 3, 8, 9, 15} else NO_MARKS) == marks


def test_a_meter_whose_number_nobody_told_is_not_mixed_up() -> None:
    """Without a number in the roster, or in the answer, nothing can differ."""
    look = Look(meter_number="000000000162")
    assert NO_MARKS == _marks(_Example([], [freeze(0, "1")], NO_MARKS, look), replace(FACTS, meter_number=""))
    assert NO_MARKS == _marks(_Example([], [freeze(0, "1")], NO_MARKS, Look(meter_number=FACTS.meter_number)))


def test_facts_of_an_entry_of_the_roster() -> None:
    """Ratios and phases of the entry decide, the plate of the model where it says nothing."""
    entry = {"id": METER, "address": "000000000161", "line": "line1", "residential": False}
    profile = generic("dlt645-2007")
    assert 3 == profile.meter.phases
    meter = MeterSettings.model_validate({**entry, "ct": "30", "pt": "100", "phases": 1})

    def facts_of(settings: MeterSettings) -> MeterFacts:
        return MeterFacts.of(settings, profile, capacities=FACTS.capacities, zone=CHINA_TIME)

    facts = facts_of(meter)
    assert (Decimal(3000), Decimal("13.2"), False) == (
        facts.multiplier,
        facts.plate_kva,
        facts.is_residential,
    )
    assert Decimal("348.48") == facts.day_max
    unsaid = facts_of(MeterSettings.model_validate(entry))
    assert (Decimal(1), Decimal("39.6")) == (unsaid.multiplier, unsaid.plate_kva)


def test_an_unknown_meter_is_left_as_it_is() -> None:
    """What nobody knows cannot be judged; it is kept all the same."""
    record = Record(meter="m2", data_class=DAILY_FREEZE, readings=(replace(freeze(0, "1"), meter="m2"),))
    validator = Validator({METER: FACTS})
    assert record == validator.marked(record, Kept().history(record))
    assert validator.restated(record, Kept().history(record)) is None
