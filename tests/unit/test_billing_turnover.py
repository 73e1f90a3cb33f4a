"""What people tell of a meter's coming and going: a digit that is mistyped must not become a bill."""

from __future__ import annotations

import asyncio
import itertools
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.billing.consumption import Consumption, Lack
from meterlink.billing.days import end_of
from meterlink.billing.turnovers import LOOK_BACK, TurnoverWatch
from meterlink.daemon.enrolment import book_of
from meterlink.errors import BadRequest, JournalError, MeterlinkError, StepTaken
from meterlink.model.marks import Marks
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Alarms
from meterlink.roster.correction import WORD_MAX, Correction
from meterlink.roster.exchange import Exchange
from meterlink.roster.faults import RosterRefused
from meterlink.roster.saying import Saying
from meterlink.roster.turns import Turn
from meterlink.validation.judge import Judge
from meterlink.validation.validator import Validator
from tests.support.billing import FIRST_DAY, TOTAL, AnyFacts, Plant, plant
from tests.support.rosters import SETTINGS
from tests.support.rules import PROFILES
from tests.support.web import served

_DAY = timedelta(days=1)
_DAYS = 20
_WHEN = end_of(FIRST_DAY + (_DAYS - 1) * _DAY, CHINA_TIME) + timedelta(hours=10)
"""When meters are exchanged: on the day behind the last freeze of the old ones."""


async def _begun(at: Plant, *starts: str, days: int = _DAYS, **keys: Any) -> None:
    """Meters m1, m2, ... that count 1 kWh a day; the exchange is told five minutes late."""
    at.after(FIRST_DAY - 3 * _DAY)
    await at.put(*range(1, len(starts) + 1), **keys)
    for number in range(_DAYS - days, _DAYS):
        at.after(FIRST_DAY + number * _DAY)
        for meter, start in enumerate(starts, start=1):
            await at.keep(f"m{meter}", FIRST_DAY + number * _DAY, {TOTAL: Decimal(start) + number})
    at.clock.now = _WHEN + timedelta(minutes=5)


def _exchange(number: int, last: str, first: str = "0", at: datetime = _WHEN) -> Exchange:
    return Exchange(
        old=f"m{number}",
        new=f"n{number}",
        meter_number=f"{990 + number:012d}",
        removed_at=at,
        installed_at=at,
        last={TOTAL: Decimal(last)},
        first={TOTAL: Decimal(first)},
    )


async def _next(at: Plant, number: int, value: str, day: int = _DAYS) -> None:
    """The new meter's freeze."""
    at.after(FIRST_DAY + day * _DAY)
    await at.keep(f"n{number}", FIRST_DAY + day * _DAY, {TOTAL: value})


def _of(at: Plant, meter: str, day: int = _DAYS) -> Consumption:
    with at.freezes() as freezes:
        return freezes.consumption(meter, TOTAL, FIRST_DAY + day * _DAY, FIRST_DAY + day * _DAY)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("last", "first", "then", "quality"),
    [
        ("119.5", "0", "0.5", "valid"),
        ("121.00", "0", "0.5", "valid"),
        ("121.01", "0", "0.5", "suspect"),
        ("219.5", "0", "0.5", "suspect"),
        ("99119.5", "0", "0.5", "suspect"),
        ("119.5", "3", "5.00", "valid"),
        ("119.5", "3", "5.01", "suspect"),
    ],
)
async def test_a_told_register_is_held_against_the_usual_day(
    tmp_path: Path, last: str, first: str, then: str, quality: str
) -> None:
    """VEE-12: of 219.5 in place of 119.5 a customer who uses one kWh a day would pay a hundred, unseen."""
    async with plant(tmp_path) as at:
        await _begun(at, "100")
        await at.book.exchange(_exchange(1, last, first), actor="li")
        await _next(at, 1, then)
        made = _of(at, "n1")
        assert (quality, quality == "suspect") == (made.quality, Marks.METER_CHANGE in made.marks)
        assert Decimal(last) - 119 + Decimal(then) - Decimal(first) == made.amount, "kept for a person to see"


@pytest.mark.asyncio
@pytest.mark.parametrize(("last", "quality"), [("380.00", "valid"), ("489.00", "suspect")])
async def test_without_usual_days_the_meter_itself_is_the_limit(
    tmp_path: Path, last: str, quality: str
) -> None:
    """A meter of some days could else be told to have shown anything."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", days=2)
        await at.book.exchange(_exchange(1, last), actor="li")
        await _next(at, 1, "0.5")
        assert quality == _of(at, "n1").quality


@pytest.mark.asyncio
async def test_another_profile_is_another_answer(tmp_path: Path) -> None:
    """Who asks again would be told that he has it already, and bill what is held for a person since."""
    tags, qualities = [], []
    async with plant(tmp_path) as at:
        await _begun(at, "100", days=2)
        await at.book.exchange(_exchange(1, "380.00"), actor="li")
        await _next(at, 1, "0.5")
        day = FIRST_DAY + _DAYS * _DAY
        for kva in ("13.2", "13.2", "1.1"):
            facts = AnyFacts(Decimal(kva))
            async with served(tmp_path, facts=facts) as api, api.client(api.token()) as client:
                answer = await client.get(f"/v1/consumption?from={day}&to={day}")
            tags.append(answer.headers["etag"])
            qualities.append(answer.json()["consumption"][0]["quality"])
    assert (["valid", "valid", "suspect"], 2) == (qualities, len(set(tags)))
    assert tags[0] == tags[1]


@pytest.mark.asyncio
async def test_a_removal_is_held_against_the_usual_day(tmp_path: Path) -> None:
    """The last bill of who moves out is made of what somebody wrote down."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100")
        for meter, shown in (("m1", "119.5"), ("m2", "219.5")):
            turn = Turn(meter=meter, at=_WHEN, registers={TOTAL: Decimal(shown)})
            await at.book.turn(turn, actor="li")
        at.after(FIRST_DAY + _DAYS * _DAY)
        assert ["valid", "suspect"] == [_of(at, meter).quality for meter in ("m1", "m2")]


@pytest.mark.asyncio
async def test_the_usual_day_is_multiplied_and_of_the_meter_before(tmp_path: Path) -> None:
    """Behind other transformers the same customer counts otherwise; that is no mistake of anybody."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", ct="30")
        told = _exchange(1, "119.5")
        told = Exchange(**{**{key: getattr(told, key) for key in told.__slots__}, "ct": Decimal(1)})
        await at.book.exchange(told, actor="li")
        await _next(at, 1, "15")
        assert (Decimal(30), "valid") == (_of(at, "n1").amount, _of(at, "n1").quality)


def _corrected(meter: str, end: Any, value: str, word: str = "typed wrongly") -> Correction:
    return Correction(meter=meter, end=end, registers={TOTAL: Decimal(value)}, word=word)


@pytest.mark.asyncio
async def test_a_register_that_was_told_wrongly_is_told_again(tmp_path: Path) -> None:
    """A bill that was wrong would stay so for ever; and who follows consumption would never know."""
    async with plant(tmp_path) as at, served(tmp_path) as api:
        await _begun(at, "100", area="east")
        await at.book.exchange(_exchange(1, "219.5", "0.4"), actor="li")
        await _next(at, 1, "0.5")
        async with api.client(api.token()) as client:
            day = FIRST_DAY + _DAYS * _DAY
            url = f"/v1/consumption?from={day}&to={day}"
            page = (await client.get(url)).json()
            assert ["100.6"] == [row["amount"] for row in page["consumption"]]
            await at.book.correct(_corrected("m1", "last", "119.5"), actor="li")
            await at.book.correct(_corrected("n1", "first", "0.3"), actor="li")
            since = (await client.get(f"{url}&since={page['as_of']}")).json()
        rows = [(row["meter"], row["amount"], row["quality"]) for row in since["consumption"]]
        assert [("n1", "0.7", "valid")] == rows
        told = await at.journal.roster.changes_of("m1")
        assert ["apply", "exchange", "correct"] == [one.verb for one in told], "nothing is overwritten"


@pytest.mark.asyncio
async def test_usual_days_that_come_late_bring_the_amounts_that_they_judge(tmp_path: Path) -> None:
    """Billing would have as valid what the gateway holds for a person to see, and never hear of it."""
    async with plant(tmp_path) as at, served(tmp_path) as api:
        await _begun(at, "100", "100", days=1)
        await at.book.exchange(_exchange(1, "219.5"), actor="li")
        await _next(at, 1, "0.5")
        day = FIRST_DAY + _DAYS * _DAY
        url = f"/v1/consumption?from={day}&to={day}"
        async with api.client(api.token()) as client:
            page = (await client.get(url)).json()
            of_n1 = next(row for row in page["consumption"] if row["meter"] == "n1")
            assert ("101.0", "valid") == (of_n1["amount"], of_n1["quality"])
            for number in range(_DAYS - 6, _DAYS - 1):
                for meter in ("m1", "m2"):
                    then = FIRST_DAY + number * _DAY
                    await at.keep(meter, then, {TOTAL: Decimal(100 + number)}, late=9 * _DAY)
            since = (await client.get(f"{url}&since={page['as_of']}")).json()["consumption"]
        assert [("n1", "suspect", ["meter_change"])] == [
            (row["meter"], row["quality"], row["marks"]) for row in since
        ], "and the meter that nobody touched is no news"


@pytest.mark.asyncio
async def test_the_freeze_behind_a_corrected_register_is_judged_anew(tmp_path: Path) -> None:
    """A sound first freeze would be suspect for ever, because of a digit that was mistyped before it."""
    async with plant(tmp_path) as at:
        at.journal.judge = Judge(Validator(AnyFacts()), {})
        await _begun(at, "100")
        await at.book.exchange(_exchange(1, "119.5", "5.0"), actor="li")
        await _next(at, 1, "0.9")
        await _next(at, 1, "1.9", _DAYS + 1)
        with at.freezes() as freezes:
            rows, cursor = freezes.after(0)
            assert "reg_back" in rows[-2].registers[0].marks.names
            await at.book.correct(_corrected("n1", "first", "0.5"), actor="li")
            anew, _ = freezes.after(cursor)
        assert [("n1", ("restated",), rows[-2].seq)] == [
            (row.meter, row.registers[0].marks.names, row.supersedes) for row in anew
        ], "only the one behind it"
        assert (Decimal("0.9"), "valid") == (_of(at, "n1").amount, _of(at, "n1").quality)


@pytest.mark.asyncio
async def test_what_can_be_corrected(tmp_path: Path) -> None:
    """A correction of nothing, or without a word, would be a way to change bills unseen."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100")
        await at.book.exchange(_exchange(1, "219.5"), actor="li")
        for wrong, why in (
            (_corrected("m3", "last", "1"), "no meter"),
            (_corrected("m2", "last", "119.5"), "nothing to correct"),
            (_corrected("m1", "last", "119.5", word=" "), "say why"),
            (_corrected("m1", "last", "119.5", word="x" * (WORD_MAX + 1)), "at most"),
            (_corrected("m1", "last", "118.5"), "was read with 119"),
        ):
            with pytest.raises(BadRequest, match=why):
                await at.book.correct(wrong, actor="li")
        await at.book.correct(_corrected("m1", "last", "119.5", word="x" * WORD_MAX), actor="li")


@pytest.mark.asyncio
async def test_a_doubtful_register_raises_an_alarm(tmp_path: Path) -> None:
    """Nobody would look at the photo again before the bill is out."""
    async with plant(tmp_path) as at:
        book = book_of(SETTINGS, PROFILES, at.journal, at.clock)
        await _begun(at, "100", "100")
        told = [
            await book.exchange(_exchange(n, last), actor="li") for n, last in ((1, "119.5"), (2, "219.5"))
        ]
        assert [0, 1] == [len(one.as_json().get("doubts", ())) for one in told]
        [alarm] = await Alarms(at.journal.acts, at.clock, zone=CHINA_TIME).list()
        assert ("METER_CHANGE", "m2", "VEE-12") == (alarm.seen.rule, alarm.seen.meter, alarm.seen.origin)
        assert ("forward_active_energy 219.5", "119 + 2") == (alarm.seen.value, alarm.seen.threshold)


@pytest.mark.asyncio
async def test_a_last_register_is_held_against_the_time_in_which_the_meter_hung_there(
    tmp_path: Path,
) -> None:
    """What came under its name behind its end, of its successor, would refuse the truth and pass a slip."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100", "100", days=_DAYS - 5)  # FIRST_DAY + 5 to + 19
        at.clock.now = _WHEN + 3 * _DAY
        for number in range(_DAYS, _DAYS + 3):
            for meter, shown in (("m1", 7), ("m2", 7), ("m3", 900)):
                await at.keep(meter, FIRST_DAY + number * _DAY, {TOTAL: Decimal(shown + number)})
        book = book_of(SETTINGS, PROFILES, at.journal, at.clock)
        with pytest.raises(BadRequest, match="was read with 119"):
            await book.exchange(_exchange(1, "118.5"), actor="li")
        told = [
            await book.exchange(_exchange(number, last), actor="li")
            for number, last in ((1, "219.5"), (2, "119.5"), (3, "119.5"))
        ]
        assert [1, 0, 0] == [len(one.as_json().get("doubts", ())) for one in told]


def _watch(at: Plant) -> TurnoverWatch:
    return TurnoverWatch(at.freezes, at.journal.roster, at.journal.acts, at.clock, CHINA_TIME)


async def _alarms(at: Plant, *, only_open: bool = True) -> list[tuple[str, str, str, str]]:
    found = await Alarms(at.journal.acts, at.clock, zone=CHINA_TIME).list(only_open=only_open)
    return [(one.seen.meter, one.seen.value, one.seen.threshold, one.seen.estimate_kwh) for one in found]


@pytest.mark.asyncio
@pytest.mark.parametrize("hindrance", [JournalError("the disk is full"), StepTaken("somebody was first")])
async def test_a_look_that_comes_to_nothing_is_not_the_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, hindrance: MeterlinkError
) -> None:
    """No register that is told afterwards would be held against anything until the next start."""
    monkeypatch.setattr("meterlink.billing.turnovers.CHECK_S", 0.0)
    looks, again = itertools.count(), asyncio.Event()

    async def step(_watch: TurnoverWatch) -> int:
        if not next(looks):
            raise hindrance
        again.set()
        return 0

    monkeypatch.setattr(TurnoverWatch, "step", step)
    async with plant(tmp_path) as at, asyncio.timeout(10):
        running = asyncio.create_task(_watch(at).run())
        await asyncio.wait([running, asyncio.create_task(again.wait())], return_when=asyncio.FIRST_COMPLETED)
        assert again.is_set() and not running.done()
        running.cancel()


@pytest.mark.asyncio
async def test_a_wrong_first_register_raises_an_alarm_once(tmp_path: Path) -> None:
    """What the new meter began with would be charged to nobody, or twice, and nobody would look again."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100", "100", "100")
        watch = _watch(at)
        for number, first in ((1, "0.2"), (2, "30"), (3, "0"), (4, "90")):
            await at.book.exchange(_exchange(number, "119.5", first), actor="li")
        assert 0 == await watch.step(), "nothing was read beside them yet"
        for number, shown in ((1, "0.7"), (3, "60.7")):
            await _next(at, number, shown)
        assert 1 == await watch.step()
        assert [("n3", f"{TOTAL} 0 (first)", "60.7 - 2", "60.7")] == await _alarms(at)
        await _next(at, 2, "0.7")
        await _next(at, 4, "90.9")
        assert 1 == await watch.step(), "a register that went back is as wrong"
        assert ("n2", f"{TOTAL} 30 (first)", "0.7 - 2", "") in await _alarms(at)
        at.clock.now += 5 * _DAY
        assert [0, 0] == [await watch.step(), await _watch(at).step()], "nor behind a start"


@pytest.mark.asyncio
async def test_a_first_register_that_the_meter_went_back_behind_raises_its_alarm(tmp_path: Path) -> None:
    """The freezes behind it are rejected one by one, and nobody would be told what is wrong with them."""
    async with plant(tmp_path) as at:
        at.journal.judge = Judge(Validator(AnyFacts()), {})
        await _begun(at, "100")
        await at.book.exchange(_exchange(1, "119.5", "50"), actor="li")
        await _next(at, 1, "0.9")
        assert 1 == await _watch(at).step()
        assert [("n1", f"{TOTAL} 50 (first)", "0.9 - 2", "")] == await _alarms(at)


@pytest.mark.asyncio
async def test_a_last_register_is_held_against_what_comes_late(tmp_path: Path) -> None:
    """Of a meter whose freezes before its end are fetched afterwards nobody would see the wrong digit."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100")
        book, watch = book_of(SETTINGS, PROFILES, at.journal, at.clock), _watch(at)
        at.clock.now = _WHEN + 40 * _DAY
        for number in (1, 2):
            told = await book.exchange(_exchange(number, "202.5", at=at.clock.now), actor="li")
            assert not told.as_json().get("doubts"), "forty days may have brought as much"
        assert 0 == await watch.step()
        for number in range(_DAYS + 30, _DAYS + 40):
            for meter, start in (("m1", 100), ("m2", 143)):
                day = FIRST_DAY + number * _DAY
                await at.keep(meter, day, {TOTAL: Decimal(start + number)}, late=timedelta(hours=12))
        assert 1 == await watch.step()
        assert [("m1", f"{TOTAL} 202.5", "159 + 2", "43.5")] == await _alarms(at)


@pytest.mark.asyncio
async def test_what_was_told_again_and_is_wrong_again_is_another_alarm(tmp_path: Path) -> None:
    """A correction that is as wrong as what it corrects would pass unseen."""
    async with plant(tmp_path) as at:
        await _begun(at, "100")
        await at.book.exchange(_exchange(1, "119.5", "0"), actor="li")
        await _next(at, 1, "60.5")
        watch = _watch(at)
        assert 1 == await watch.step()
        for first, alarms in (("10", 1), ("59.9", 0), ("10", 0)):
            await at.book.correct(_corrected("n1", "first", first), actor="li")
            assert alarms == await watch.step(), first
        assert [f"{TOTAL} 10 (first)"] == [one[1] for one in await _alarms(at)], "one a meter and day"


@pytest.mark.asyncio
async def test_a_telling_waits_two_months_for_its_freeze(tmp_path: Path) -> None:
    """A meter that is never read again would be asked for every ten minutes, for ever."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100")
        for number in (1, 2):
            await at.book.exchange(_exchange(number, "119.5"), actor="li")
        watch = _watch(at)
        assert 0 == await watch.step()
        await _next(at, 1, "9000", _DAYS + LOOK_BACK.days - 1)
        assert 1 == await watch.step()
        at.clock.now = _WHEN + LOOK_BACK + timedelta(hours=1)
        assert 0 == await watch.step(), "nothing came of the other one in time"
        await _next(at, 2, "9000", _DAYS + LOOK_BACK.days)
        assert [0, 0] == [await watch.step(), await _watch(at).step()], "nor behind a start"
        assert ["n1"] == [one[0] for one in await _alarms(at)]


@pytest.mark.asyncio
async def test_turnovers_are_looked_at_some_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand exchanges would keep a state of the journal for as long as they take."""
    monkeypatch.setattr("meterlink.billing.turnovers.AT_ONCE", 4)
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100", "100", days=4)
        for number in (1, 2, 3):
            await at.book.exchange(_exchange(number, "119.5"), actor="li")
            await _next(at, number, "60.5")
        watch = _watch(at)
        assert [1, 2] == [await watch.step(), await watch.step()]


@pytest.mark.asyncio
async def test_a_register_may_have_rolled_over_before_it_was_told(tmp_path: Path) -> None:
    """A meter near the end of its register could be neither exchanged nor taken out."""
    async with plant(tmp_path) as at:
        await _begun(at, "999980", "999980")
        await at.book.exchange(_exchange(1, "0.25"), actor="li")
        await at.book.turn(Turn(meter="m2", at=_WHEN, registers={TOTAL: Decimal("0.25")}), actor="li")
        await _next(at, 1, "0.5")
        assert (Decimal("1.75"), "valid") == (_of(at, "n1").amount, _of(at, "n1").quality)
        with pytest.raises(BadRequest, match="read with"):
            await at.book.correct(_corrected("m2", "last", "999000"), actor="li")


@pytest.mark.asyncio
async def test_a_rejected_reading_stands_in_nobodys_way(tmp_path: Path) -> None:
    """A reading that billing never takes would keep a meter from being exchanged."""
    async with plant(tmp_path) as at:
        await _begun(at, "100")
        last = FIRST_DAY + (_DAYS - 1) * _DAY
        await at.keep("m1", last, {TOTAL: "99999"}, marks=Marks.CLOCK_FAR, at=timedelta(hours=3))
        await at.book.exchange(_exchange(1, "119.5"), actor="li")
        await _next(at, 1, "0.5")
        assert (Decimal("1.0"), "valid") == (_of(at, "n1").amount, _of(at, "n1").quality)


@pytest.mark.asyncio
async def test_a_late_ratio_is_told_of_the_meter_that_came_since_too(tmp_path: Path) -> None:
    """The new meter stands behind the same transformers, and would go on with the old ratio unseen."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", ct="30")
        await at.book.exchange(_exchange(1, "119.5"), actor="li")
        await _next(at, 1, "0.5")
        since = end_of(FIRST_DAY + 9 * _DAY, CHINA_TIME)
        late = Turn(meter="m1", at=since, ct=Decimal(40), registers={})
        with pytest.raises(BadRequest, match="'n1', which has the ratio 30") as refused:
            await at.book.turn(late, actor="li")
        assert f'roster ratio n1 --ct 40 --at "{_WHEN.isoformat()}"' in str(refused.value)
        behind = Turn(meter="n1", at=_WHEN, ct=Decimal(40), registers={TOTAL: Decimal(0)})
        await at.book.turn(behind, actor="li")
        await at.book.turn(late, actor="li")
        assert [Decimal(30), Decimal(40), Decimal(40)] == [
            _of(at, meter, day).amount for meter, day in (("m1", 9), ("m1", 10), ("n1", _DAYS))
        ]


@pytest.mark.asyncio
async def test_a_late_ratio_of_the_old_meter_only(tmp_path: Path) -> None:
    """With the new meter came new transformers: the old ones' ratio is none of it."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", ct="30")
        await at.book.exchange(_exchange(1, "119.5"), actor="li")
        await _next(at, 1, "0.5")
        since = end_of(FIRST_DAY + 9 * _DAY, CHINA_TIME)
        await at.book.turn(Turn(meter="m1", at=since, ct=Decimal(40), registers={}, only=True), actor="li")
        parts = {meter: ratio for meter, _, ratio in _of(at, "n1").parts}
        assert {"m1": Decimal(40), "n1": Decimal(30)} == parts


@pytest.mark.asyncio
async def test_a_meter_that_had_its_last_bill_is_not_put_back(tmp_path: Path) -> None:
    """Days that are billed would become others, and the last bill of who moved out would be no more."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", "100", "100", "100", customer_number="000000000001")
        await at.book.turn(Turn(meter="m1", at=_WHEN, registers={TOTAL: Decimal("119.5")}), actor="li")
        await at.book.exchange(_exchange(2, "119.5"), actor="li")
        gone: dict[str, Any] = {"customer_number": "000000000001", "in_service_until": _WHEN}
        await at.put(3, 4, **gone)
        before = _of(at, "m1")
        at.after(FIRST_DAY + 25 * _DAY)
        new: dict[str, Any] = {"customer_number": "000000000009", "saying": Saying.NEW_CUSTOMERS}
        same: dict[str, Any] = {"customer_number": "000000000001"}
        for number, keys, why in (
            (1, new, "its last bill"),
            (1, same, "its last bill"),
            (2, same, "replaced by 'n2'"),
            (3, new, "of customer '000000000001'"),
        ):
            with pytest.raises(RosterRefused) as refused:
                await at.put(number, **keys)
            assert why in refused.value.faults[0].words.en
            assert "another id" in refused.value.faults[0].words.en
        assert before == _of(at, "m1")
        await at.put(4, **same)
        assert (await at.book.held()).meters["m4"].in_service(at.clock.now), "it was retired by mistake"


@pytest.mark.asyncio
async def test_a_reading_again_that_is_rejected_hides_no_good_one(tmp_path: Path) -> None:
    """The customer's day would have no amount, and no seal count it, though its freeze is there."""
    async with plant(tmp_path) as at:
        await _begun(at, "100", area="east")
        day = FIRST_DAY + 5 * _DAY
        settler = at.settler(formats=("csv",))
        await at.keep("m1", day, {TOTAL: "150"}, marks=Marks.CLOCK_FAR)
        await at.keep("m1", day, {TOTAL: None}, marks=Marks.ABSENT)
        assert (Decimal(1), "valid") == (_of(at, "m1", 5).amount, _of(at, "m1", 5).quality)
        sealed = (await settler.settle(day, "east")).manifest
        assert sealed is not None and 1 == sealed.counts.valid
        await at.keep("m1", day, {TOTAL: "105.00"}, marks=Marks.CLOCK_FAR)
        assert Lack.END_REJECTED is _of(at, "m1", 5).lack, "another judgement of the same value"
        await at.keep("m1", day, {TOTAL: "105.5"})
        assert Decimal("1.5") == _of(at, "m1", 5).amount, "a good one does"


@pytest.mark.asyncio
async def test_a_reading_again_behind_a_late_ratio_is_no_news(tmp_path: Path) -> None:
    """Each night that is read again would come to billing as one more correction of nothing."""
    async with plant(tmp_path) as at:
        at.journal.judge = Judge(Validator(AnyFacts()), {})
        await _begun(at, "100", ct="30")
        since = end_of(FIRST_DAY + 9 * _DAY, CHINA_TIME)
        await at.book.turn(Turn(meter="m1", at=since, ct=Decimal(40), registers={}), actor="li")
        with at.freezes() as freezes:
            _, cursor = freezes.after(0)
            await at.keep("m1", FIRST_DAY + 12 * _DAY, {TOTAL: Decimal(112)})
            assert [] == freezes.after(cursor)[0]
            await at.keep("m1", FIRST_DAY + 12 * _DAY, {TOTAL: Decimal("112.5")})
            assert 1 == len(freezes.after(cursor)[0])
