"""What is written into a simulated meter of DL/T 645: parameters, clock, passwords, freezes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest

from metersim.dlt645.parameters import ITEMS, parameters_of
from metersim.works.cost_control import LOCAL, PLAIN
from metersim.works.events import EVENT_DEPTH
from metersim.works.freezes import ORDERED, TIMED
from metersim.works.load import Load
from metersim.works.moments import PLANT_TIME
from metersim.works.switch import State
from meterwire.dlt645 import BROADCAST, AbnormalReply, Frame, Message, to_frame
from meterwire.dlt645.messages.clears_and_freezes import FreezeRequest
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.control import SecurityReply
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from tests.support.head_end645 import OPERATOR, HeadEnd
from tests.support.ordered645 import (
    ADDRESS,
    CUSTOMER,
    DAY,
    MINUTE,
    REFUSED,
    TAKEN,
    TRIP,
    UNWRITTEN,
    WRITTEN,
    a_head_end,
    a_shopkeeper,
    bits,
    executed,
    state_of,
    word_3,
)


def test_the_trip_delay_is_written_in_cipher_and_obeyed() -> None:
    """A delay would be read back and not be one, or anybody could set it."""
    here = a_head_end()
    here.authenticate()
    assert UNWRITTEN == here.write("trip_delay", Decimal(7))
    assert isinstance(here.write("trip_delay", Decimal(7), 0x99), AbnormalReply)
    assert [Decimal(0)] == here.read("trip_delay")
    assert WRITTEN == here.write("trip_delay", Decimal(7), 0x98)
    assert [Decimal(7)] == here.read("trip_delay")
    assert executed("delayed_trip") == here.sealed(TRIP)
    assert "60C0" == word_3(here)  # the command is open, the alarm is on, the contact is closed
    here.now += 7 * MINUTE
    assert State.OPEN is state_of(here)


def test_a_trip_that_was_due_shows_in_whatever_is_read_next() -> None:
    """A register would count on behind a contact that nobody had looked at, and later fall."""
    here, looked_at = a_head_end(PLAIN), a_head_end(PLAIN)
    for one in (here, looked_at):
        one.meter.works.switch.trip_delay = 5 * MINUTE
        assert TAKEN == one.plain(TRIP)
    looked_at.now += 5 * MINUTE
    at_trip = looked_at.read("forward_active_energy.t3")
    looked_at.now += DAY
    here.now = looked_at.now
    assert at_trip == here.read("forward_active_energy.t3")
    assert at_trip == looked_at.read("forward_active_energy.t3")


def test_a_trip_waits_for_the_current() -> None:
    """The protection of the contact would not be there."""
    here = a_head_end(load=Load(mean_kw=Decimal(8)))
    here.authenticate()
    assert WRITTEN == here.write("trip_current", Decimal("0.500"), 0x98)
    assert WRITTEN == here.write("trip_wait", Decimal(3), 0x98)
    assert executed("delayed_trip_current") == here.sealed(TRIP)
    assert ([Decimal("0.500")], [Decimal(3)]) == (here.read("trip_current"), here.read("trip_wait"))
    here.now += 3 * MINUTE
    assert State.OPEN is state_of(here)


@pytest.mark.parametrize(
    ("item", "level", "content"),
    [
        ("alarm_money_1", 0x99, Decimal("30.00")),
        ("alarm_money_2", 0x99, Decimal("15.00")),
        ("overdraft_money_limit", 0x98, Decimal("20.00")),
        ("hoarding_money_limit", 0x98, Decimal("500.00")),
        ("close_permit_money", 0x98, Decimal("1.00")),
        ("tariff_price_setting.t4@set.1", 0x99, Decimal("0.3333")),
        ("customer_number", 0x99, "000000000007"),
    ],
)
def test_parameters_of_the_wallet(item: str, level: int, content: Any) -> None:
    """A parameter could not be set, or not be read back."""
    here = a_shopkeeper()
    assert isinstance(here.write(item, content), AbnormalReply)
    assert WRITTEN == here.write(item, content, level)
    assert [content] == here.read(item)


def test_every_parameter_of_a_meter_is_looked_for() -> None:
    """A parameter that was written could not be read, because nobody knew that it is one."""
    here = a_head_end(LOCAL)
    assert parameters_of(here.meter.works).keys() == ITEMS
    assert ITEMS > parameters_of(a_head_end().meter.works).keys()


def test_a_written_limit_is_obeyed() -> None:
    """Limits would be numbers that nothing hangs on."""
    here = a_shopkeeper()
    assert WRITTEN == here.write("hoarding_money_limit", Decimal("150.00"), 0x98)
    assert ["hoarding_limit_exceeded"] == bits(here.buy(5_001, 2, customer=CUSTOMER))
    assert isinstance(here.buy(5_000, 2, customer=CUSTOMER), SecurityReply)


def test_a_wrong_mac_writes_nothing() -> None:
    """Level 99H would be a level without protection."""
    here = a_shopkeeper()
    other = a_head_end(LOCAL)
    other.authenticate()
    before = here.read("alarm_money_1")
    here._rand2 = bytes(4)
    for level in (0x98, 0x99):
        answer = here.write("alarm_money_1", Decimal("30.00"), level)
        assert UNWRITTEN == answer
    assert before == here.read("alarm_money_1")


def test_programming_is_recorded() -> None:
    """Nobody could see who changed what, or a refused write would be recorded."""
    here = a_head_end(PLAIN)
    assert [Decimal(0)] == here.read("programming_count")
    assert [None, "00000000"] == (here.read("programming_record@last.1") or [])[:2]
    for number in range(EVENT_DEPTH + 1):
        assert WRITTEN == here.write("trip_delay", Decimal(number))
        here.now += MINUTE
    assert isinstance(here.write("trip_delay", Decimal(1), password="111111"), AbnormalReply)
    assert [Decimal(EVENT_DEPTH + 1)] == here.read("programming_count")
    record = here.read("programming_record@last.1") or []
    assert ["2026-05-01 12:10:00", OPERATOR, "04001401", "FFFFFFFF"] == record[:4]
    oldest = here.read(f"programming_record@last.{EVENT_DEPTH}") or []
    assert "2026-05-01 12:01:00" == oldest[0]


def test_what_nobody_may_write() -> None:
    """A register could be written, or a value that is none."""
    here = a_head_end(PLAIN)
    frame = Frame(
        address=ADDRESS, function=0x14, data=bytes.fromhex("00000100" + "02000000" + "21436587" + "00000000")
    )
    assert AbnormalReply(address=ADDRESS, function=0x14, error_word=b"\x02") == here.say_frame(frame)
    broken = Frame(
        address=ADDRESS, function=0x14, data=bytes.fromhex("01140004" + "02000000" + "21436587" + "FAFA")
    )
    assert AbnormalReply(address=ADDRESS, function=0x14, error_word=b"\x01") == here.say_frame(broken)


def test_the_clock_is_set_by_writes_and_once_a_day_by_broadcast() -> None:
    """Expiries would hang on a clock that nobody can set, or that everybody can push about."""
    here = a_head_end(PLAIN, clock_ahead=4 * MINUTE)
    assert ["12:04:00"] == here.read("meter_time")
    assert here.say(BroadcastTime(clock="2026-05-01 12:00:30")) is None
    assert ["12:00:30"] == here.read("meter_time")
    assert here.say(BroadcastTime(clock="2026-05-01 12:00:00")) is None
    assert ["12:00:30"] == here.read("meter_time")  # once a day
    here.now += DAY
    assert here.say(BroadcastTime(clock="2026-05-02 12:05:31")) is None
    assert ["12:00:30"] == here.read("meter_time")  # too far
    assert WRITTEN == here.write("meter_time", "09:30:00")
    assert WRITTEN == here.write("meter_date", "2026-05-03 w00")
    assert ["2026-05-03 w00 09:30:00"] == here.read("meter_clock")
    assert [Decimal(2)] == here.read("clock_set_count")
    record = here.read("clock_set_record@last.2")
    assert [OPERATOR, "2026-05-02 12:00:30", "2026-05-02 09:30:00"] == record


def test_passwords_are_changed() -> None:
    """A password could be changed without knowing one, or by a lower level."""
    here = a_head_end(PLAIN, passwords={2: "123456"})

    def change(level: int, password: str, new_level: int = 4) -> Message | None:
        return here.say_frame(
            to_frame(
                ChangePasswordRequest(
                    address=ADDRESS,
                    di=0x04000C01 + new_level,
                    level=level,
                    password=password,
                    new_level=new_level,
                    new_password="654321",
                )
            )
        )

    assert isinstance(change(2, "000000"), AbnormalReply)
    assert isinstance(change(2, "123456"), ChangePasswordReply)
    assert REFUSED == here.plain(TRIP, level=4)
    assert TAKEN == here.plain(TRIP, level=4, password="654321")


def test_an_instant_is_frozen() -> None:
    """A freeze would show what is now, or a freeze of all would be answered by all."""
    here = a_head_end()
    assert here.read("forward_active_energy@instant_freeze/last.1") is None
    now = FreezeRequest(address=ADDRESS, pattern="99999999")
    assert Acknowledgement(address=ADDRESS, function=0x16) == here.say(now)
    frozen = here.meter.value("forward_active_energy", here.now)
    here.now += DAY
    assert here.say(replace(now, address=BROADCAST)) is None
    here.now += DAY
    assert frozen == (here.read("forward_active_energy@instant_freeze/last.2") or [None])[0]
    assert ["2026-05-02 12:00"] == here.read("frozen_at@instant_freeze/last.1")
    assert here.read("frozen_at@instant_freeze/last.3") is None


def frozen_by_pattern(here: HeadEnd) -> list[str]:
    """The times of the timed freezes that a head-end reads, newest first."""
    times: list[str] = []
    while (found := here.read(f"frozen_at@timed_freeze/last.{len(times) + 1}")) is not None:
        times.append(str(found[0]))
        assert found != [None]
        if len(times) == ORDERED[TIMED]:
            break
    return times


@pytest.mark.parametrize(
    ("pattern", "days", "expected"),
    [
        ("99999910", 0, ["2026-05-01 15:10", "2026-05-01 14:10", "2026-05-01 13:10", "2026-05-01 12:10"]),
        ("99990830", 2, ["2026-05-03 08:30", "2026-05-02 08:30"]),
        ("99011200", 80, ["2026-07-01 12:00", "2026-06-01 12:00"]),
        ("99310000", 130, ["2026-08-31 00:00", "2026-07-31 00:00", "2026-05-31 00:00"]),
    ],
)
def test_a_meter_freezes_by_a_pattern(pattern: str, days: int, expected: list[str]) -> None:
    """A head-end could not have its freezes at the hour of its own, and class 05 00 would stay empty."""
    here = a_head_end()
    assert Acknowledgement(address=ADDRESS, function=0x16) == here.say(
        FreezeRequest(address=ADDRESS, pattern=pattern)
    )
    assert [] == frozen_by_pattern(here)
    here.now += days * DAY + 200 * MINUTE
    assert expected == frozen_by_pattern(here)
    last = datetime.fromisoformat(expected[0]).replace(tzinfo=PLANT_TIME)
    kwh = here.meter.value("forward_active_energy", last)
    assert [kwh] == (here.read("forward_active_energy@timed_freeze/last.1") or [])[:1]
    assert here.read("forward_active_energy@instant_freeze/last.1") is None


def test_a_pattern_holds_until_the_next_and_is_taken_from_everybody() -> None:
    """Old freezes would move when another pattern comes, or go on beside it."""
    here = a_head_end()
    assert here.say(FreezeRequest(address=BROADCAST, pattern="99999930")) is None
    for _ in range(3):  # once more changes nothing, and fills no history
        here.say(FreezeRequest(address=ADDRESS, pattern="99999930"))
    assert 2 == len(here.meter.works.history.rows)
    here.now += 90 * MINUTE
    before = ["2026-05-01 13:30", "2026-05-01 12:30"]
    assert before == frozen_by_pattern(here)
    here.say(FreezeRequest(address=ADDRESS, pattern="99990000"))
    here.now += DAY
    assert ["2026-05-02 00:00", *before] == frozen_by_pattern(here)
    here.now += 20 * DAY
    assert ORDERED[TIMED] == len(frozen_by_pattern(here))
    assert here.read(f"frozen_at@timed_freeze/last.{ORDERED[TIMED]}") == ["2026-05-11 00:00"]
    here.meter.works.history.happen(here.now, "registers_cleared", everything="yes")
    assert [] == frozen_by_pattern(here)
    here.now += DAY
    assert ["2026-05-23 00:00"] == frozen_by_pattern(here), "a clear forgets the freezes, not the pattern"
    here.meter.works.exchange(here.now, meter_number="000000000009")
    here.now += DAY
    assert [] == frozen_by_pattern(here)


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [("99999910", ["2026-05-01 16:10", "2026-05-01 12:10"]), ("99991500", ["2026-05-01 15:00"])],
)
def test_a_meter_that_is_off_catches_up_with_what_comes_daily(pattern: str, expected: list[str]) -> None:
    """An outage at noon would cost a head-end its day."""
    here = a_head_end()
    here.say(FreezeRequest(address=ADDRESS, pattern=pattern))
    here.meter.works.history.change(here.now + 30 * MINUTE, without_supply=frozenset("abc"))
    here.meter.works.history.change(here.now + 230 * MINUTE, without_supply=frozenset())
    here.now += 260 * MINUTE
    assert expected == frozen_by_pattern(here)


@pytest.mark.parametrize("data", ["10999905", "10249999", "00003299", "60999999", "0a999999", "999999"])
def test_what_is_no_pattern_is_refused_and_met_with_silence_by_all(data: str) -> None:
    """A freeze that never comes would be promised."""
    here = a_head_end()
    for address, expected in (
        (ADDRESS, AbnormalReply(address=ADDRESS, function=0x16, error_word=b"\x01")),
        (BROADCAST, None),
    ):
        assert expected == here.say_frame(Frame(address=address, function=0x16, data=bytes.fromhex(data)))
    assert 1 == len(here.meter.works.history.rows)


@pytest.mark.parametrize("data", ["000000000000", "000000010026", "000012320126", "006024010126"])
def test_a_broadcast_of_no_calendar_sets_nothing(data: str) -> None:
    """A frame that anybody can send would end the simulator."""
    here = a_head_end(PLAIN)
    frame = Frame(address=BROADCAST, function=0x08, data=bytes.fromhex(data))
    assert here.say_frame(frame) is None
    assert ["12:00:00"] == here.read("meter_time")
