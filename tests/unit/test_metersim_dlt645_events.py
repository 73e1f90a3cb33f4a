"""Events, parameters and clears of a meter of DL/T 645, as a head-end reads them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from meterprofiles import generic
from metersim import Meter
from metersim.dlt645.nameplate import PERIODS_MAX, contents_of
from metersim.works.cost_control import PLAIN, REMOTE, CostControl
from metersim.works.events import EVENT_DEPTH
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.switch import Command
from metersim.works.timetable import Timetable
from metersim.works.works import Works
from meterwire.dlt645 import AbnormalReply, Message, ReadReply, ReadRequest, dictionary, from_frame, to_frame
from meterwire.dlt645.messages.address_and_baud import BaudRequest
from meterwire.dlt645.messages.clears_and_freezes import (
    ClearDemandRequest,
    ClearEventsRequest,
    ClearMeterRequest,
)
from meterwire.dlt645.messages.command import Acknowledgement
from tests.support.head_end645 import OPERATOR, HeadEnd

ADDRESS = "000000000161"
T0 = datetime(2026, 5, 10, 4, tzinfo=UTC)  # 12:00 of the meter's zone
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


def _head_end(control: CostControl = PLAIN, *, phases: Any = 3, **more: Any) -> HeadEnd:
    plate = Plate(address=ADDRESS, phases=phases, ct_ratio=Decimal(40))
    works = Works(plate, seed=1, load=Load(mean_kw=Decimal(20)), control=control, **more)
    return HeadEnd(Meter(ADDRESS, seed=1, works=works), T0)


def _fields(here: HeadEnd, item: str) -> dict[str, Any]:
    """The first value of each item of a record."""
    entry = dictionary().by_name(item)
    assert entry is not None, item
    contents = here.read(item)
    assert contents is not None, item
    return dict(reversed([*zip(entry.items, contents, strict=False)]))


def _lose_phase_a(here: HeadEnd) -> None:
    """Half of phase a's voltage for two hours, from 12:00."""
    here.meter.works.history.change(T0, voltage_per_mille=(500, 1000, 1000))
    here.meter.works.history.change(T0 + 2 * HOUR, voltage_per_mille=(1000, 1000, 1000))
    here.now = T0 + 3 * HOUR


def test_a_contact_that_does_not_break_is_counted_and_recorded() -> None:
    """A head-end would have to believe a trip that left the customer his power."""
    here = _head_end(REMOTE)
    here.meter.works.history.change(T0, bridged_per_mille=500)
    assert [Decimal(0)] == here.read("relay_malfunction_count")
    assert [None, None] == here.read("relay_malfunction_record@last.1")
    here.meter.works.switch.obey(Command(kind="trip"), T0)
    here.now += HOUR
    assert [Decimal(1)] == here.read("relay_malfunction_count")
    assert ["2026-05-10 12:00:00", None] == here.read("relay_malfunction_record@last.1")
    here.meter.works.history.change(here.now, bridged_per_mille=0)
    assert ["2026-05-10 12:00:00", "2026-05-10 13:00:00"] == here.read("relay_malfunction_record@last.1")


def test_the_log_numbers_trips_as_the_meter_does() -> None:
    """A test that compares what is read with what the simulator tells would find one trip too few."""
    here = _head_end(REMOTE, since=T0 - DAY)
    works = here.meter.works
    works.switch.obey(Command(kind="trip", operator="0000000A", came_by="645"), T0)
    factory, trip = works.events.events("relay_trip", T0)
    assert (1, T0 - DAY, "00000000") == (factory.number, factory.started_at, factory.details["operator_code"])
    assert (2, T0, "0000000A") == (trip.number, trip.started_at, trip.details["operator_code"])
    assert [Decimal(2)] == here.read("relay_trip_count@item")
    on_the_wire = "0A000000"  # lowest octet first, as the dictionary shows operator codes
    assert ["2026-05-10 12:00:00", on_the_wire] == (here.read("relay_trip_record@items/last.1") or [])[:2]
    [closed] = works.events.events("relay_close", T0)
    assert T0 - DAY + MINUTE == closed.started_at


def test_a_lost_voltage_is_counted_and_recorded() -> None:
    """A theft would leave no trace that a head-end can read."""
    here = _head_end()
    _lose_phase_a(here)
    nothing = [Decimal(0)] * 4
    assert [Decimal(1), Decimal(120), *nothing] == here.read("voltage_loss_count")
    record = _fields(here, "voltage_loss_record@phase.1/last.1")
    assert ("2026-05-10 12:00:00", "2026-05-10 14:00:00") == (
        record["event_started_at"],
        record["event_ended_at"],
    )
    works = here.meter.works
    for item in ("forward_active_energy", "forward_active_energy.b"):
        counted = works.value(item, T0 + 2 * HOUR) - works.value(item, T0)  # type: ignore[operator]
        name, _, phase = item.partition(".")
        assert counted == record[f"{name}_gain" + f".{phase}" * bool(phase)]
        assert counted > 0
    assert works.value("voltage.a", T0) == record["voltage.a"]
    assert record["voltage.a"] < 130 < record["voltage.b"]
    assert record["ampere_hours"] is None
    empty = _fields(here, "voltage_loss_record@phase.2/last.1")
    assert (None, Decimal(0)) == (empty["event_started_at"], empty["forward_active_energy_gain"])


def test_the_same_event_is_readable_item_by_item() -> None:
    """Collectors that read class 10 would see another event than those that read class 03."""
    here = _head_end()
    _lose_phase_a(here)
    period = "voltage_loss_record/items/phase.1/last.1"
    whole = here.read("voltage_loss_record@items/phase.1/last.1") or []
    works = here.meter.works
    assert 53 == len(whole)
    assert [Decimal(1)] == here.read("voltage_loss_count@item/phase.1")
    assert [Decimal(120)] == here.read("voltage_loss_duration@item/phase.1")
    assert [Decimal(1)] == here.read("voltage_loss_count@any_phase")
    assert ["2026-05-10 14:00:00"] == here.read("event_ended_at@voltage_loss/any_phase/last.1")
    assert ["2026-05-10 12:00:00"] == here.read(f"event_started_at@{period}") == whole[:1]
    begun = here.read(f"forward_active_energy@start/{period}")
    ended = here.read(f"forward_active_energy@end/{period}")
    assert [works.value("forward_active_energy", T0)] == begun == whole[1:2]
    assert [works.value("forward_active_energy", T0 + 2 * HOUR)] == ended == whole[37:38]


def test_an_event_that_lasts_has_no_end_yet() -> None:
    """A head-end would believe that the cover is closed again."""
    here = _head_end()
    here.meter.works.history.change(T0, cover_open=True)
    here.now = T0 + HOUR
    record = here.read("cover_open_record@last.1") or []
    assert ["2026-05-10 12:00:00", None] == record[:2]
    assert here.meter.works.value("forward_active_energy", T0) == record[2]
    assert [None] * 6 == record[8:]


def test_a_meter_of_one_phase_has_no_events_of_the_others() -> None:
    """A phase that is not there would have lost its voltage never, or always."""
    here = _head_end(phases=1)
    assert [Decimal(0), Decimal(0), None, None, None, None] == here.read("phase_loss_count")
    assert here.read("phase_loss_record@phase.2/last.1") is None
    assert here.read("phase_loss_record@phase.1/last.1") is not None


def test_the_last_ten_records_are_kept_and_no_more() -> None:
    """An identifier would show an event of which the meter has forgotten the record."""
    here = _head_end()
    for _ in range(EVENT_DEPTH + 1):
        here.now += MINUTE
        assert isinstance(_clear_events(here, 0x030100FF), Acknowledgement)
    assert [Decimal(EVENT_DEPTH + 1)] == here.read("event_clear_count")
    assert "2026-05-10 12:02:00" == _fields(here, f"event_clear_record@last.{EVENT_DEPTH}")["event_at"]


def _clear_demand(here: HeadEnd, **more: Any) -> Message | None:
    given = {"level": 4, "password": "000000", **more}
    return here.say(ClearDemandRequest(address=ADDRESS, operator_code=OPERATOR, **given))


def _clear_meter(here: HeadEnd, **more: Any) -> Message | None:
    given = {"level": 2, "password": "000000", **more}
    return here.say(ClearMeterRequest(address=ADDRESS, operator_code=OPERATOR, **given))


def _clear_events(here: HeadEnd, event: int, **more: Any) -> Message | None:
    given = {"level": 2, "password": "000000", **more}
    return here.say(ClearEventsRequest(address=ADDRESS, operator_code=OPERATOR, event=event, **given))


def test_cleared_demands_begin_anew_and_the_old_ones_are_recorded() -> None:
    """A demand that somebody cleared to save money could never be found."""
    here = _head_end()
    before = here.read("forward_active_max_demand") or []
    assert before[0] != Decimal(0)
    assert isinstance(_clear_demand(here), Acknowledgement)
    assert [Decimal(0), None] == here.read("forward_active_max_demand")
    answer = here.say(ReadRequest(address=ADDRESS, di=0x03300201))
    assert isinstance(answer, ReadReply)
    assert answer.has_following
    record = dictionary().by_di(0x03300201)
    assert record is not None
    heard = answer.data[:18]
    assert bytes.fromhex("000012100526") + bytes.fromhex(OPERATOR) == heard[:10]
    assert f"{before[0]:.4f}".replace(".", "").zfill(6) == heard[10:13][::-1].hex()


def test_a_cleared_meter_begins_at_zero_and_says_so() -> None:
    """A meter could be cleared without a trace, or would show freezes of before."""
    here = _head_end()
    _lose_phase_a(here)
    before = here.meter.works.value("forward_active_energy", here.now)
    assert here.read("frozen_at@daily_freeze/last.1") is not None
    assert isinstance(_clear_meter(here), Acknowledgement)
    assert [Decimal(0)] == here.read("forward_active_energy")
    assert Decimal(0) == (here.read("voltage_loss_count") or [None])[0]
    assert here.read("frozen_at@daily_freeze/last.1") is None
    record = _fields(here, "meter_clear_record@last.1")
    assert ("2026-05-10 15:00:00", OPERATOR, before) == (
        record["event_at"],
        record["operator_code"],
        record["forward_active_energy"],
    )
    here.now += DAY
    assert ["2026-05-11 00:00"] == here.read("frozen_at@daily_freeze/last.1")


@pytest.mark.parametrize(
    ("event", "losses", "openings"),
    [(0xFFFFFFFF, 0, 0), (0x030100FF, 0, 1), (0x030101FF, 0, 1), (0x030102FF, 1, 1), (0x03300DFF, 1, 0)],
)
def test_events_are_cleared_of_the_kind_that_was_named(event: int, losses: int, openings: int) -> None:
    """Somebody would clear one record, and with it the trace of a theft."""
    here = _head_end()
    _lose_phase_a(here)
    here.meter.works.history.change(T0 + 2 * HOUR, cover_open=True)
    assert isinstance(_clear_events(here, event), Acknowledgement)
    assert Decimal(losses) == (here.read("voltage_loss_count") or [None])[0]
    assert [Decimal(openings)] == here.read("cover_open_count")
    assert ["2026-05-10 15:00:00", OPERATOR, f"{event:08X}"] == here.read("event_clear_record@last.1")


def test_what_may_not_be_cleared_is_refused() -> None:
    """Whoever clears a meter could clear the trace of it, or do it without a password."""
    here = _head_end()
    words = [
        _clear_meter(here, level=4),
        _clear_meter(here, password="111111"),
        _clear_demand(here, level=1),
        _clear_events(here, 0x033001FF),
        _clear_events(here, 0x033003FF),
        _clear_events(here, 0x033014FF),
    ]
    errors = [word.error_word[0] for word in words if isinstance(word, AbnormalReply)]
    assert [4, 4, 4, 1, 1, 2] == errors
    secured = _head_end(REMOTE)
    assert isinstance(_clear_meter(secured), AbnormalReply)
    assert isinstance(_clear_events(secured, 0xFFFFFFFF), AbnormalReply)
    assert isinstance(_clear_demand(secured), Acknowledgement)
    for each in (here, secured):
        assert [Decimal(0)] == each.read("meter_clear_count") == each.read("event_clear_count")


def test_the_speed_is_that_of_the_line() -> None:
    """A head-end would go on at a speed at which nobody hears it."""
    assert AbnormalReply(address=ADDRESS, function=0x17, error_word=b"\x08") == _head_end().say(
        BaudRequest(address=ADDRESS, word=0x20)
    )


def test_a_clock_that_was_set_says_by_whom() -> None:
    """Nobody would know who moved the tariffs."""
    here = _head_end()
    assert isinstance(here.write("meter_time", "12:07:00"), Acknowledgement)
    assert [OPERATOR, "2026-05-10 12:00:00", "2026-05-10 12:07:00"] == here.read("clock_set_record@last.1")
    assert "04000102" == _fields(here, "programming_record@last.1")["written_di"]


def test_parameters_say_what_the_meter_goes_by() -> None:
    """A head-end would multiply by another ratio, or draw another timetable."""
    here = _head_end()
    expected = {
        "ct_ratio": Decimal(40),
        "pt_ratio": Decimal(1),
        "settlement_day_1": "01 00",
        "rated_voltage": "220V",
        "voltage_lower_limit": Decimal("198.0"),
        "port_1_baud_word": "08",
        "tariff_count": Decimal(4),
        "rest_day_word": "7F",
        "zone_table@set.1": "01-01 01",
    }
    assert expected == {item: (here.read(item) or [None])[0] for item in expected}
    periods = here.read("day_table@set.1/number.1") or []
    assert ["00:00 04", "08:00 02", "11:00 03"] == periods[:3]
    assert [Decimal(len(periods))] == here.read("day_period_count")
    assert here.read("day_table@set.1/number.2") is None


def test_a_timetable_of_more_periods_than_the_tables_have_room_for_is_cut() -> None:
    """A parameter would be longer than any head-end takes, or stop the meter."""
    here = _head_end(timetable=Timetable((1, 2) * 24, rest_half_hours=(4,) * 48))
    assert PERIODS_MAX == len(here.read("day_table@set.1/number.1") or [])
    assert ["00:00 04"] == here.read("day_table@set.1/number.2")
    assert ["3E"] == here.read("rest_day_word")
    assert contents_of(here.meter.works, generic("dlt645-2007"), "day_table@set.1/number.3", T0) is None


def test_a_meter_of_1997_tells_its_last_events() -> None:
    """An old meter's demand could be cleared without a trace."""
    works = Works(Plate(address=ADDRESS), seed=1)
    works.history.happen(T0, "demand_cleared")
    works.history.change(T0 + HOUR, without_supply=frozenset({"b"}))
    works.history.change(T0 + 2 * HOUR, without_supply=frozenset())
    meter = Meter(ADDRESS, seed=1, protocol="dlt645-1997", works=works)
    read = {}
    for di in (0xB211, 0xB213, 0xB312, 0xB322, 0xB332, 0xB342, 0xB331, 0xC030):
        answer = meter.answer(to_frame(ReadRequest(address=ADDRESS, di=di), "dlt645-1997"), T0 + DAY)
        assert answer is not None
        reply = from_frame(answer.frame)
        entry = dictionary("dlt645-1997").by_di(di)
        assert isinstance(reply, ReadReply)
        assert entry is not None
        read[f"{di:04X}"] = entry.decode(reply.data)[0].content
    assert {
        "B211": "05-10 12:00",
        "B213": Decimal(1),
        "B312": Decimal(1),
        "B322": Decimal(60),
        "B332": "05-10 13:00",
        "B342": "05-10 14:00",
        "B331": None,
        "C030": Decimal(400),
    } == read
