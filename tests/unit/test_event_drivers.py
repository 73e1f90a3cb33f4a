"""Records of events in both protocols -> events in one vocabulary, and what becomes of answers that lack."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.choose import driver_for
from meterlink.drivers.dlt645.events import Events645
from meterlink.drivers.dlt645.talk import REFUSALS_BELIEVED, Talk645, Told
from meterlink.drivers.dlt698.events import OADS_AT_ONCE, Events698, counted_kinds
from meterlink.drivers.dlt698.portion import Portion
from meterlink.drivers.events import EventRecords, ReportedEvent
from meterlink.errors import BadAnswer, Refused, ReplyTimeout, UnknownItem
from meterlink.model.zone import CHINA_TIME
from meterprofiles import generic
from meterwire.dlt645 import Entry
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, RecordRequest, RecordResult
from meterwire.dlt698.axdr.selection import Oad, SelectLast, SelectNthLast
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.objects.records import Records, encode_row, records

_ADDRESS = "000000000161"
_LINE: Any = None
_AT = datetime(2026, 11, 22, 1, 15, tzinfo=UTC)
_BEGAN, _ENDED = "2026-11-22 09:00:00", "2026-11-22 09:15:00"
_PROFILE = generic("dlt645-2007")
Said = Mapping[str, Sequence[Any] | Exception]


class _Talk(Talk645):
    """A meter of DL/T 645: what it says to each item; of any other, that it has no such data.

    ``refuses_next``: how many of the next questions get an answer that belongs to another one.
    """

    def __init__(self, said: Said) -> None:
        super().__init__(SystemClock(), _PROFILE)
        self.said, self.asked = said, list[str]()
        self.refuses_next = 0

    async def ask(
        self,
        line: Exchanging,
        address: str,
        entry: Entry,
        *,
        priority: Priority,
        selector: bytes = b"",
        refusals: int = REFUSALS_BELIEVED,
    ) -> Told:
        for _ in range(refusals - 1):
            with contextlib.suppress(Refused):
                return self._say(entry)
        return self._say(entry)

    def _say(self, entry: Entry) -> Told:
        self.asked.append(entry.item)
        no = Refused("no such data", error_word=b"\x02", no_such=True)
        contents = no if self.refuses_next else self.said.get(entry.item, no)
        self.refuses_next = max(0, self.refuses_next - 1)
        if isinstance(contents, Exception):
            raise contents
        filled = [*contents, *[None] * (len(entry.items) - len(contents))]
        return Told(entry.decode(entry.encode(filled)), b"", _AT)


def _of_645(said: Said) -> tuple[Events645, _Talk]:
    talk = _Talk(said)
    events = Events645(_PROFILE, talk=talk, clock=SystemClock(), zone=CHINA_TIME)
    return events, talk


async def _records_645(kind: str, said: Said, *lasts: int, count: int = 7) -> EventRecords:
    events, _ = _of_645(said)
    return await events.records(_LINE, _ADDRESS, kind, lasts or (1,), count=count, priority=Priority.CURVE)


def _shown(event: ReportedEvent | None) -> dict[str, Any]:
    assert event is not None
    return {value.item: value.content for value in event.values}


@pytest.mark.asyncio
async def test_a_record_of_645_has_the_names_of_readings_and_says_when_they_were_so() -> None:
    """Registers before and after an opening would be one value told twice."""
    energies = [Decimal(n) for n in range(1, 13)]
    found = await _records_645("cover_open", {"cover_open_record@last.1": [_BEGAN, _ENDED, *energies]})
    event = found.records[1]
    assert event is not None
    assert ("cover_open", "dlt645-2007 03300D01") == (event.kind, event.source)
    assert datetime(2026, 11, 22, 1, 0, tzinfo=UTC) == event.occurred_at
    assert datetime(2026, 11, 22, 1, 15, tzinfo=UTC) == event.ended_at
    shown = _shown(event)
    assert Decimal(7) == shown["event_number"]
    assert (Decimal(1), Decimal(7)) == (
        shown["forward_active_energy@start"],
        shown["forward_active_energy@end"],
    )
    lost = "voltage_loss_record@phase.1/last.2"
    found = await _records_645("voltage_loss.a", {lost: [_BEGAN, None, *energies]}, 2, count=9)
    shown = _shown(found.records[2])
    assert (Decimal(8), Decimal(1)) == (shown["event_number"], shown["forward_active_energy_gain"])
    assert found.records[2] is not None and found.records[2].ended_at is None


@pytest.mark.asyncio
async def test_instants_are_over_and_a_setting_of_the_clock_lasts_from_old_to_new_time() -> None:
    """A programming would be read again for ever, because nobody ever says that it has ended."""
    written = ["04000101", "04000102"]
    found = await _records_645("programming", {"programming_record@last.1": [_BEGAN, "0A000000", *written]})
    event = found.records[1]
    assert event is not None and event.occurred_at == event.ended_at is not None
    shown = _shown(event)
    assert ("0A000000", "04000101", "04000102") == (
        shown["operator_code"],
        shown["written_di.1"],
        shown["written_di.2"],
    )
    found = await _records_645("clock_set", {"clock_set_record@last.1": ["0A000000", _BEGAN, _ENDED]})
    event = found.records[1]
    assert event is not None
    assert (event.occurred_at, event.ended_at) == (
        _shown(event)["clock_before"],
        _shown(event)["clock_after"],
    )


@pytest.mark.asyncio
async def test_empty_refused_and_missing_records_are_none_and_silence_keeps_what_came() -> None:
    """A lost answer would cost all records of a kind; a zero record would be an event of the year 2000."""
    said: Said = {
        "power_down_record@last.1": [_BEGAN, _ENDED],
        "power_down_record@last.2": [],
        "power_down_record@last.4": ReplyTimeout("silence"),
    }
    found = await _records_645("power_down", said, 1, 2, 3)
    assert [True, False, False] == [found.records[last] is not None for last in (1, 2, 3)]
    assert _AT == found.taken_at
    found = await _records_645("power_down", said, 1, 4, 5)
    assert {1} == set(found.records) and isinstance(found.cut_short, ReplyTimeout)


@pytest.mark.asyncio
async def test_a_record_that_is_refused_for_now_is_not_gone() -> None:
    """An event would be told gone, and never be asked for again, because its meter was busy for a moment."""
    said: Said = {
        "power_down_record@last.1": [_BEGAN, _ENDED],
        "power_down_record@last.2": Refused("other error", error_word=b"\x01"),
    }
    found = await _records_645("power_down", said, 1, 2, 3)
    assert {1} == set(found.records) and isinstance(found.cut_short, Refused)


@pytest.mark.asyncio
async def test_counts_of_645_come_by_phase_with_an_exchange_a_counter() -> None:
    """A counter of three phases would be asked for three times, or one that is filled be taken for 0."""
    events, talk = _of_645(
        {
            "voltage_loss_count": [Decimal(3), Decimal(9), Decimal(0), Decimal(0), None, None],
            "power_down_count": [Decimal(12)],
            "cover_open_count": BadAnswer("nonsense"),
            "programming_count": ReplyTimeout("silence"),
        }
    )
    phases = [f"voltage_loss.{phase}" for phase in "abc"]
    kinds = [*phases, "power_down", "cover_open", "refund", "programming", "clock_set"]
    found = await events.counts(_LINE, _ADDRESS, kinds, priority=Priority.CURVE)
    assert {"voltage_loss.a": 3, "voltage_loss.b": 0, "power_down": 12} == found.counts
    assert {"voltage_loss.c", "refund"} == set(found.refused)
    assert {"cover_open": "nonsense"} == found.unfit
    assert isinstance(found.cut_short, ReplyTimeout)
    asked = ["voltage_loss_count", "power_down_count", "cover_open_count", "refund_count", "refund_count"]
    assert asked == talk.asked[:-1], "a refusal is believed when it comes twice"


@pytest.mark.asyncio
async def test_a_refusal_that_belongs_to_the_question_before_hides_nothing() -> None:
    """The record of an event would be taken for gone, or a kind for one that the meter does not count."""
    said: Said = {"power_down_record@last.1": [_BEGAN, _ENDED], "power_down_count": [Decimal(1)]}
    events, talk = _of_645(said)
    talk.refuses_next = 1
    found = await events.records(_LINE, _ADDRESS, "power_down", [1], count=1, priority=Priority.CURVE)
    assert found.records[1] is not None
    talk.refuses_next = 1
    counts = await events.counts(_LINE, _ADDRESS, ["power_down"], priority=Priority.CURVE)
    assert {"power_down": 1} == counts.counts


class _Ways:
    """A meter of DL/T 698.45 with counts, one table, and columns that it keeps or not."""

    def __init__(self, *, related: Data | Dar, refuses: bool = False, rows: int = 2) -> None:
        self.related, self.refuses, self.rows = related, refuses, rows
        self.asked = list[RecordRequest]()
        self.lists = list[int]()

    async def get_list(
        self, line: Any, address: str, oads: tuple[Oad, ...], priority: Priority
    ) -> tuple[AttributeResult, ...]:
        self.lists.append(len(oads))
        return tuple(AttributeResult(oad, self._said(oad)) for oad in oads)

    def _said(self, oad: Oad) -> Data | Dar:
        if oad == counted_kinds()["cover_open"].related:
            return self.related
        if oad == counted_kinds()["cover_open"].counter:
            counted = Data("structure", (Data("double-long-unsigned", 5), Data("double-long-unsigned", 60)))
            return Data("array", (Data("structure", (NULL, counted)),))
        return Dar(4)

    async def ask_records(
        self,
        line: Any,
        address: str,
        request: RecordRequest,
        columns: Any,
        entries: Any,
        priority: Priority,
    ) -> tuple[Records, datetime]:
        self.asked.append(request)
        if self.refuses and len(request.rcsd) > 4:
            return Records(table=request.oad, rows=(), dar=Dar(3)), _AT
        rows = [
            encode_row(
                request.rcsd,
                {
                    "event_number": Decimal(4 + n),
                    "event_started_at": f"2026-11-22 0{8 + n}:00:00",
                    "event_ended_at": f"2026-11-22 0{8 + n}:15:00" if n == 0 else None,
                    "forward_active_energy@start": Decimal("1.5"),
                },
            )
            for n in range(self.rows)
        ]
        return records(RecordResult(request.oad, request.rcsd, tuple(rows))), _AT


def _related() -> Data:
    return Data("array", (Data("OAD", Oad.of("00102201")),))


def _portion(address: str) -> Portion:
    return Portion(lambda: 0.0)


@pytest.mark.asyncio
@pytest.mark.parametrize("refuses", [False, True])
async def test_records_of_698_come_in_one_exchange_with_the_columns_that_the_meter_keeps(
    refuses: bool,
) -> None:
    """What registers showed would be left in the meter; or one that refuses a column tell nothing."""
    ways = _Ways(related=_related(), refuses=refuses)
    events = Events698(ways, clock=SystemClock(), zone=CHINA_TIME, portion_of=_portion)
    found = await events.records(_LINE, _ADDRESS, "cover_open", (1, 2, 3), count=5, priority=Priority.CURVE)
    assert [5 if not refuses else 4] == [len(request.rcsd) for request in ways.asked][-1:]
    assert isinstance(ways.asked[0].rsd, SelectLast)
    newest, older = found.records[1], found.records[2]
    assert newest is not None and older is not None
    assert (None, True) == (found.records[3], newest.ended_at is None)
    assert (Decimal(5), Decimal(4)) == (_shown(newest)["event_number"], _shown(older)["event_number"])
    assert refuses != ("forward_active_energy@start" in _shown(newest))
    assert ("cover_open", "dlt698.45 301B0200") == (newest.kind, newest.source)


@pytest.mark.asyncio
async def test_an_older_record_of_698_is_asked_for_by_its_place() -> None:
    """An event that lasts would be read again with all that came after it."""
    ways = _Ways(related=Dar(4), rows=1)
    events = Events698(ways, clock=SystemClock(), zone=CHINA_TIME, portion_of=_portion)
    found = await events.records(_LINE, _ADDRESS, "cover_open", (3,), count=5, priority=Priority.CURVE)
    assert [SelectNthLast(3)] == [request.rsd for request in ways.asked]
    assert {3} == set(found.records)


@pytest.mark.asyncio
async def test_counts_of_698_come_a_dozen_at_once() -> None:
    """Fifty objects would take fifty exchanges of every meter in every slot."""
    ways = _Ways(related=Dar(4))
    events = Events698(ways, clock=SystemClock(), zone=CHINA_TIME, portion_of=_portion)
    found = await events.counts(_LINE, _ADDRESS, tuple(counted_kinds()), priority=Priority.CURVE)
    assert {"cover_open": 5} == found.counts
    assert set(counted_kinds()) == {*found.counts, *found.refused}
    assert max(ways.lists) == OADS_AT_ONCE and len(ways.lists) <= 5


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt645-1997", "dlt698.45"])
def test_a_plan_asks_for_kinds_by_name_by_part_or_for_all(protocol: str) -> None:
    """A misspelt kind would never be read, and nobody would know."""
    driver = driver_for(generic(protocol), SystemClock(), random_octets=bytes)
    assert (protocol != "dlt645-1997") == driver.has_events
    if driver.has_events:
        assert ("event_clear", "meter_clear") == tuple(sorted(driver.event_kinds("*")[:2]))
        assert ("voltage_loss.a", "voltage_loss.b", "voltage_loss.c") == driver.event_kinds("voltage_loss")
        assert ("voltage_loss.b",) == driver.event_kinds("voltage_loss.b")
        assert "meter_status_word_3" in driver.check_status("meter_status_words")
    with pytest.raises(UnknownItem, match=r"power_cut|record none"):
        driver.event_kinds("power_cut")
    clock = "meter_clock" if protocol == "dlt698.45" else "date"
    with pytest.raises(UnknownItem):
        driver.check_status(clock)
