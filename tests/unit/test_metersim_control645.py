"""Control of a simulated meter of DL/T 645, as a head-end sees it: in plain, in cipher, in any order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim import Meter
from metersim.dlt645.commands import FUNCTIONS
from metersim.dlt645.control import KINDS
from metersim.dlt645.passwords import ERRORS_MAX, LOCKED_FOR, Passwords
from metersim.works.cost_control import LOCAL, PLAIN, REMOTE, CostControl
from metersim.works.plate import Plate
from metersim.works.switch import State
from metersim.works.works import Works
from meterwire.dlt645 import BROADCAST, WILDCARD, AbnormalReply, Frame, decode, encode, to_frame
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.control import ORDERS, ControlRequest, SecurityReply
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from meterwire.errors import LocalProtocolError
from tests.support.head_end645 import OPERATOR, wire_time
from tests.support.ordered645 import (
    ADDRESS,
    ALARM_ON,
    CLOSE,
    DAY,
    GUARANTEE_OFF,
    GUARANTEE_ON,
    HOUR,
    MINUTE,
    PERMIT,
    REFUSED,
    SECOND,
    T0,
    TAKEN,
    TRIP,
    TRIP_THEN_CLOSE,
    TRIP_THEN_PERMIT,
    a_head_end,
    bits,
    executed,
    state_of,
    word_3,
)

# --- in plain ---


def test_every_order_of_the_wire_is_known() -> None:
    """A command that can be built would be refused by every meter."""
    assert set(ORDERS) == KINDS.keys()


def test_a_plain_trip_and_close() -> None:
    """A meter of the older kind would not obey, or its records would not tell who ordered it."""
    here = a_head_end(PLAIN)
    assert TAKEN == here.plain(TRIP)
    assert "0050" == word_3(here)
    here.now += HOUR
    assert TAKEN == here.plain(PERMIT)
    assert "0010" == word_3(here)
    here.now += HOUR
    assert here.meter.works.switch.press_key(here.now)
    assert "0000" == word_3(here)
    trip = here.read("relay_trip_record@items/last.1") or []
    energy = here.meter.value("forward_active_energy", T0)
    assert ["2026-05-01 12:00:00", "21436587", energy] == trip[:3]  # C0..C3 as they came
    close = here.read("relay_close_record@items/last.1") or []
    assert ["2026-05-01 14:00:00", "00000000"] == close[:2]
    assert [Decimal(2)] == here.read("relay_trip_count@item")  # with the one of its trial
    assert [Decimal(2)] == here.read("relay_close_count@item")
    assert 1 == here.meter.works.memory.count("trip")


def test_a_repeated_frame_is_obeyed_twice() -> None:
    """After a lost answer a rehearsal would go better than the real thing."""
    here = a_head_end(PLAIN)
    assert TAKEN == here.plain(TRIP)
    assert TAKEN == here.plain(TRIP)
    assert 2 == here.meter.works.memory.count("trip")
    assert [Decimal(2)] == here.read("relay_trip_count@item")  # the contact moved once


def test_a_sealed_frame_is_obeyed_again_until_its_authentication_or_its_time_is_over() -> None:
    """Nothing in it counts: a sender that repeats itself must not look better than it is."""
    here = a_head_end()
    here.authenticate()
    order = here.sealed_message(TRIP, valid=4 * MINUTE)
    for _ in range(2):
        assert isinstance(here.say(order), Acknowledgement)
    assert 2 == here.meter.works.memory.count("trip")
    assert [Decimal(2)] == here.read("relay_trip_count@item")  # the contact moved once
    here.now += 4 * MINUTE + SECOND
    assert isinstance(here.say(order), AbnormalReply), "expired"
    here.authenticate()
    again = here.sealed_message(TRIP)
    here.authenticate()
    assert isinstance(here.say(again), AbnormalReply), "of another authentication"
    assert 2 == here.meter.works.memory.count("trip")


@pytest.mark.parametrize(
    ("plain_orders", "taken"),
    [("all", ORDERS), ("closes", {PERMIT, CLOSE}), ("none", set())],
)
def test_what_a_meter_takes_under_a_password(plain_orders: Any, taken: set[int]) -> None:
    """A modern meter would be tripped by anybody who knows six zeros."""
    for n1 in sorted(ORDERS):
        here = a_head_end(CostControl(plain_orders=plain_orders))
        duration = 1 if n1 in {TRIP_THEN_CLOSE, TRIP_THEN_PERMIT} else 0
        expected = TAKEN if n1 in taken else REFUSED
        assert expected == here.plain(n1, duration=duration), f"{n1:02X}"
        assert (n1 in taken) == bool(here.meter.works.memory.controls)


@pytest.mark.parametrize("level", [0, 1, 3, 5, 9])
def test_other_levels_order_nothing(level: int) -> None:
    """A level of no meaning would switch."""
    assert REFUSED == a_head_end(PLAIN).plain(TRIP, level=level)


def test_the_expiry_is_compared_with_the_meters_own_clock() -> None:
    """A frame that was held back would switch hours later."""
    here = a_head_end(PLAIN, clock_ahead=10 * MINUTE)
    assert REFUSED == here.plain(TRIP)
    assert TAKEN == here.plain(TRIP, expires=wire_time(T0 + 10 * MINUTE))
    assert REFUSED == here.plain(TRIP, expires=wire_time(T0 + 10 * MINUTE - SECOND))
    assert "command_expired" == here.meter.works.switch.last_cause


@pytest.mark.parametrize("expires", ["000000000000", "999999999999", "000000320126"])
def test_an_expiry_that_is_no_time(expires: str) -> None:
    """A command without an end would be taken by a meter that looks at it, or not by one that does not."""
    for checks, expected in ((True, REFUSED), (False, TAKEN)):
        here = a_head_end(replace(PLAIN, checks_expiry=checks))
        frame = to_frame(plain_control(TRIP))
        data = frame.data[:-6] + bytes.fromhex(expires)
        assert expected == here.say_frame(frame._replace(data=data))


def plain_control(n1: int, address: str = ADDRESS) -> ControlRequest:
    return ControlRequest(
        address=address,
        level=2,
        password="000000",
        operator_code=OPERATOR,
        command=n1,
        expires=wire_time(T0 + HOUR),
    )


@pytest.mark.parametrize("address", [BROADCAST, WILDCARD, "AAAAAAAA0161", "000000000162"])
def test_control_of_many_is_heard_by_nobody(address: str) -> None:
    """Every relay on a line would move (fact 6)."""
    here = a_head_end(PLAIN)
    frame = to_frame(plain_control(TRIP))._replace(address=address)
    assert here.say_frame(frame) is None
    assert State.CLOSED is state_of(here)
    with pytest.raises(LocalProtocolError):
        to_frame(plain_control(TRIP, BROADCAST))


def test_a_meter_that_obeys_everybody_can_be_built() -> None:
    """Nobody could show what a broadcast trip does where meters obey it."""
    for address, answer in ((BROADCAST, None), (WILDCARD, TAKEN)):
        here = a_head_end(replace(PLAIN, obeys_everybody=True))
        assert answer == here.say_frame(to_frame(plain_control(TRIP))._replace(address=address))
        assert State.OPEN is state_of(here)


def test_wrong_passwords_lock_a_level_for_a_day() -> None:
    """A password could be guessed, or a level would stay locked for ever."""
    here = a_head_end(PLAIN, passwords={2: "123456"})
    for _ in range(ERRORS_MAX - 1):
        assert REFUSED == here.plain(TRIP, password="000000")
    assert TAKEN == here.plain(ALARM_ON, password="123456")
    for _ in range(ERRORS_MAX):
        assert REFUSED == here.plain(TRIP, password="000000")
    assert REFUSED == here.plain(TRIP, password="123456")
    assert TAKEN == here.plain(CLOSE, level=4)
    here.now += LOCKED_FOR - SECOND
    assert REFUSED == here.plain(TRIP, password="123456")
    here.now += SECOND
    assert TAKEN == here.plain(TRIP, password="123456")
    assert {"alarm_on": 1, "direct_close": 1, "trip": 1} == here.meter.works.memory.counts()


def test_passwords_do_not_show() -> None:
    """A log of a test run would hold them."""
    assert "123456" not in repr(Passwords({2: "123456"}))
    for wrong in ({10: "123456"}, {2: "12345"}, {2: "abcdef"}):
        with pytest.raises(ValueError, match="password"):
            Passwords(wrong)


def test_a_meter_without_a_relay_refuses() -> None:
    """A meter would claim to have switched what it has not."""
    here = a_head_end(CostControl(has_relay=False, payment="none", plain_orders="all"))
    assert REFUSED == here.plain(TRIP)
    assert here.read("trip_delay") is None
    assert [Decimal(0)] == here.read("relay_trip_count@item")


@pytest.mark.parametrize("function", [0x03, 0x14, 0x16, 0x18, 0x1C])
@pytest.mark.parametrize("octets", [0, 1, 7, 40])
def test_data_that_does_not_fit_is_refused(function: int, octets: int) -> None:
    """A meter would fall over a short frame, or take it."""
    here = a_head_end(PLAIN)
    answer = here.say_frame(Frame(address=ADDRESS, function=function, data=bytes(octets)))
    assert isinstance(answer, AbnormalReply)
    assert () == here.meter.works.memory.controls


def test_without_supply_it_hears_nothing() -> None:
    """A meter in an outage would answer."""
    here = a_head_end(PLAIN)
    here.meter.works.history.change(T0, without_supply=frozenset("abc"))
    assert here.plain(TRIP) is None
    assert here.say(BroadcastTime(clock="2026-05-01 12:01:00")) is None
    here.now += MINUTE
    here.meter.works.history.change(here.now, without_supply=frozenset())
    assert ["12:01:00"] == here.read("meter_time")
    assert 0 == len(here.meter.works.clock.settings)
    assert TAKEN == here.plain(TRIP)


def test_a_clock_of_the_simulator_that_goes_back_is_waited_for() -> None:
    """A step of the wall clock would end the simulator."""
    here = a_head_end(PLAIN)
    assert TAKEN == here.plain(TRIP)
    here.now -= HOUR
    assert TAKEN == here.plain(CLOSE, expires=wire_time(T0 + HOUR))
    assert [T0, T0] == [control.obeyed_at for control in here.meter.works.memory.controls]


# --- in cipher ---


def test_a_ciphered_trip() -> None:
    """The way of the field could not be rehearsed: authentication, cipher, MAC, words."""
    here = a_head_end()
    assert REFUSED == here.plain(TRIP)
    assert 4 == len(here.fields(here.authenticate())["rand2"])
    assert "6000" == word_3(here)  # authenticated, no local account, with a remote one
    assert executed("direct_trip") == here.sealed(TRIP)
    assert "6050" == word_3(here)
    assert [OPERATOR] == [control.operator for control in here.meter.works.memory.controls]


@pytest.mark.parametrize(
    ("n1", "n2", "bit"),
    [
        (TRIP, 0, "direct_trip"),
        (TRIP, 1, "direct_trip"),  # N2 means nothing here, and is sent all the same
        (PERMIT, 0, "permit_close"),
        (CLOSE, 0, "direct_close"),
        (TRIP_THEN_CLOSE, 1, "auto_trip"),
        (TRIP_THEN_PERMIT, 255, "auto_trip"),
        (0x2A, 0, "alarm_on"),
        (0x2B, 0, "alarm_off"),
        (GUARANTEE_ON, 0, "guarantee_on"),
        (GUARANTEE_OFF, 0, "guarantee_off"),
    ],
)
def test_execution_words(n1: int, n2: int, bit: str) -> None:
    """A head-end would be told that something else was done."""
    here = a_head_end()
    here.authenticate()
    assert executed(bit) == here.sealed(n1, n2)
    assert 1 == len(here.meter.works.memory.controls)


def test_a_trip_for_a_while_lasts_units_of_five_minutes() -> None:
    """A house would be dark for five times as long, or a fifth."""
    here = a_head_end()
    here.authenticate()
    here.sealed(TRIP_THEN_CLOSE, 255)
    here.now += 255 * 5 * MINUTE - SECOND
    assert State.OPEN_FOR_A_WHILE is state_of(here)
    here.now += SECOND
    assert State.CLOSED is state_of(here)


@pytest.mark.parametrize(
    ("before", "n1", "n2", "bit"),
    [
        ([], TRIP_THEN_CLOSE, 0, "auto_trip_zero_duration"),
        ([(TRIP, 0)], TRIP_THEN_CLOSE, 1, "auto_trip_already_tripped"),
        ([(GUARANTEE_ON, 0)], TRIP, 0, "trip_refused_guarantee"),
        ([(GUARANTEE_ON, 0)], TRIP_THEN_PERMIT, 1, "auto_trip_refused_guarantee"),
        ([], 0x77, 0, "password_or_unauthorised"),
    ],
)
def test_control_error_words(before: list[tuple[int, int]], n1: int, n2: int, bit: str) -> None:
    """A head-end would be told another reason than the meter's."""
    here = a_head_end()
    here.authenticate()
    for order in before:
        here.sealed(*order)
    assert [bit] == bits(here.sealed(n1, n2))
    assert len(before) == len(here.meter.works.memory.controls)


def test_a_ciphered_command_expires_by_the_meters_clock() -> None:
    """Cipher would make a frame valid for ever."""
    here = a_head_end()
    here.authenticate()
    assert ["command_expired"] == bits(here.sealed(TRIP, valid=-SECOND))
    assert executed("direct_trip") == here.sealed(TRIP, valid=timedelta())


def test_cipher_needs_a_valid_authentication() -> None:
    """A ciphered frame would be taken from anybody, or for ever after one authentication."""
    here = a_head_end()
    here.authenticate()
    trip = here.sealed_message(TRIP, valid=DAY)
    other = a_head_end()
    assert ["identity_auth_failed"] == bits(other.say(trip))
    here.now += 5 * MINUTE
    assert ["identity_auth_failed"] == bits(here.say(trip))
    here.authenticate()
    assert isinstance(here.set_validity(60), SecurityReply)
    here.now += 59 * MINUTE
    assert executed("direct_trip") == here.sealed(TRIP)
    assert isinstance(here.secure(0x070002FF), SecurityReply)
    assert ["identity_auth_failed"] == bits(here.sealed(CLOSE))


def test_an_authentication_of_another_meter_is_none() -> None:
    """One meter's proof would open another, or the address would do for the meter number."""
    here = a_head_end()
    assert ["identity_auth_failed"] == [bit.replace("-", "_") for bit in bits(here.authenticate(ADDRESS))]


def test_wrong_macs_end_the_authentication_and_then_suspend_the_meter() -> None:
    """Somebody could try MACs until one fits."""
    here = a_head_end()
    said = []
    for number in range(17):
        if number % 3 == 0:
            here.authenticate()
        said += bits(here.sealed(TRIP, mac="00000000"))
    assert ["mac_error"] * 15 + ["meter_suspended"] * 2 == said
    assert ["meter_suspended"] == bits(here.authenticate())
    assert ["meter_suspended"] == bits(here.secure(0x078102FF))
    assert () == here.meter.works.memory.controls
    here.now += HOUR
    here.authenticate()
    assert executed("direct_trip") == here.sealed(TRIP)


@pytest.mark.parametrize(
    ("words", "asked", "in_words"),
    [("never", True, False), ("asked", True, True), ("asked", False, False), ("always", False, True)],
)
def test_words_and_single_octets(words: Any, asked: bool, in_words: bool) -> None:
    """A head-end that knows one form would be sure of meters that use the other."""
    here = a_head_end(CostControl(words=words))
    here.authenticate()
    password = "010000" if asked else "000000"
    refused = here.sealed(TRIP_THEN_CLOSE, 0, password=password)
    assert isinstance(refused, AbnormalReply)
    assert (b"\x80\x00" if in_words else b"\x04") == refused.error_word
    taken = here.sealed(TRIP, password=password)
    assert (executed("direct_trip") if in_words else TAKEN) == taken


def test_another_dialects_level_of_cipher_is_refused() -> None:
    """A meter would take a frame of the Southern Grid that it does not understand."""
    here = a_head_end()
    here.authenticate()
    assert REFUSED == here.sealed(TRIP, level=0x96, password="000000")


def test_a_repeated_ciphered_frame_is_obeyed_twice() -> None:
    """Within one authentication the same frame would be refused, as no real meter does."""
    here = a_head_end()
    here.authenticate()
    trip = here.sealed_message(TRIP)
    assert executed("direct_trip") == here.say(trip)
    assert executed("direct_trip") == here.say(trip)
    assert 2 == here.meter.works.memory.count("trip")


def test_the_vendors_status_word() -> None:
    """The word of a vendor that shows the command elsewhere could not be rehearsed (fact 3)."""
    here = a_head_end(replace(PLAIN, status_word="vendor"))
    closed = int(word_3(here), 16)
    here.plain(TRIP)
    opened = int(word_3(here), 16)
    assert (0x0200, 0x0200, 0x0012) == (closed & 0x02D2, opened & 0x02C0, opened & 0x0012)
    here.plain(PERMIT)
    assert 0x0010 == int(word_3(here), 16) & 0x0052


# --- any octets ---


@given(
    function=st.sampled_from(sorted(FUNCTIONS)),
    data=st.binary(max_size=60),
    address=st.sampled_from([ADDRESS, BROADCAST, WILDCARD]),
)
def test_any_octets_get_an_answer_or_silence(function: int, data: bytes, address: str) -> None:
    """Somebody's garbage would end the simulator, or move a contact."""
    for character in (REMOTE, LOCAL):
        here = a_head_end(character)
        here.meter.works.advance(T0)
        before = here.meter.works.memory.moves
        answer = here.say_frame(Frame(address=address, function=function, data=data))
        assert answer is None or address == ADDRESS
        assert before == here.meter.works.memory.moves


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(ORDERS)), st.integers(0, 3), st.booleans(), st.integers(0, 600))
    )
)
def test_every_control_is_remembered_exactly_once(story: list[tuple[int, int, bool, int]]) -> None:
    """A meter would obey what it does not remember, or remember what it refused."""
    here = a_head_end()
    here.authenticate()
    here.set_validity(9999)
    taken: list[str] = []
    for n1, n2, lost, after_s in story:
        here.now += after_s * SECOND
        frame = here.sealed_message(n1, n2)
        for _ in range(1 + lost):  # the answer is lost, and the same frame comes once more
            answer = here.say(frame)
            if isinstance(answer, Acknowledgement):
                taken.append(KINDS[n1])
            else:
                assert len(bits(answer)) == 1
    assert taken == [control.kind for control in here.meter.works.memory.controls]


# --- frames that others have written down ---


@pytest.mark.parametrize(
    ("request_", "answer", "kind"),
    [
        (
            "68 01 00 22 11 26 20 68 1C 10 35 89 67 45 54 76 98 BA 4E 33 33 63 48 55 44 59 4D 16",
            "68 01 00 22 11 26 20 68 9C 00 E6 16",
            "permit_close",
        ),
        (
            "68 01 00 22 11 26 20 68 1C 10 35 89 67 45 54 76 98 BA 50 39 33 63 48 55 44 59 55 16",
            "68 01 00 22 11 26 20 68 9C 00 E6 16",
            "trip_auto_direct_close",
        ),
    ],
)
def test_frames_of_the_spec(request_: str, answer: str, kind: str) -> None:
    """Meter and head-end here would understand one another, and nobody else: vectors CTL645-003 and 009."""
    at = datetime(2026, 11, 22, 7, 29, tzinfo=UTC)  # they expire at 15:30 of the meter's zone
    works = Works(Plate(address="202611220001"), seed=1, control=PLAIN)
    meter = Meter("202611220001", seed=1, works=works, passwords={2: "123456"})
    said = meter.answer(decode(bytes.fromhex(request_)), at)
    assert said is not None
    assert bytes.fromhex(answer) == encode(said.frame)
    (control,) = works.memory.controls
    assert (kind, "87654321") == (control.kind, control.operator)
    late = meter.answer(decode(bytes.fromhex(request_)), at + 2 * MINUTE)
    assert late is not None
    assert late.frame.abnormal
