"""Control, wallet and programming of a simulated meter of DL/T 645, as a head-end sees them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim import Meter
from metersim.dlt645.commands import FUNCTIONS
from metersim.dlt645.control import KINDS, word_octets
from metersim.dlt645.parameters import ITEMS, parameters_of
from metersim.dlt645.passwords import ERRORS_MAX, LOCKED_FOR, Passwords
from metersim.works.cost_control import LOCAL, PLAIN, REMOTE, CostControl
from metersim.works.events import EVENT_DEPTH
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.switch import State
from metersim.works.works import Works
from meterwire.dlt645 import BROADCAST, WILDCARD, AbnormalReply, Frame, Message, decode, encode, to_frame
from meterwire.dlt645.messages.clears_and_freezes import FreezeRequest
from meterwire.dlt645.messages.command import Acknowledgement
from meterwire.dlt645.messages.control import ORDERS, ControlRequest, SecurityReply
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from meterwire.errors import LocalProtocolError
from tests.support.head_end645 import OPERATOR, HeadEnd, wire_time

ADDRESS, NUMBER, CUSTOMER = "000000000161", "000000990161", "000012345678"
T0 = datetime(2026, 5, 1, 4, tzinfo=UTC)  # 12:00 of the meter's zone
SECOND, MINUTE, HOUR, DAY = (timedelta(seconds=s) for s in (1, 60, 3600, 86_400))
TRIP, PERMIT, CLOSE, TRIP_THEN_CLOSE, TRIP_THEN_PERMIT = 0x1A, 0x1B, 0x1C, 0x1D, 0x1E
ALARM_ON, GUARANTEE_ON, GUARANTEE_OFF = 0x2A, 0x3A, 0x3B

TAKEN = Acknowledgement(address=ADDRESS, function=0x1C)
REFUSED = AbnormalReply(address=ADDRESS, function=0x1C, error_word=b"\x04")
UNWRITTEN = AbnormalReply(address=ADDRESS, function=0x14, error_word=b"\x04")
WRITTEN = Acknowledgement(address=ADDRESS, function=0x14)


def a_head_end(
    control: CostControl = REMOTE, *, passwords: Mapping[int, str] | None = None, **more: Any
) -> HeadEnd:
    plate = Plate(address=ADDRESS, meter_number=NUMBER)
    works = Works(plate, seed=1, control=control, **more)
    return HeadEnd(Meter(ADDRESS, seed=1, works=works, passwords=passwords), T0)


def a_shopkeeper() -> HeadEnd:
    """A head-end that is authenticated with a meter with a wallet, whose account is open."""
    here = a_head_end(LOCAL)
    here.authenticate()
    assert isinstance(here.buy(10_000, 1, customer=CUSTOMER, opens=True), SecurityReply)
    return here


def state_of(here: HeadEnd) -> State:
    here.meter.works.advance(here.now)
    return here.meter.works.switch.state


def bits(message: Message | None) -> list[str]:
    assert isinstance(message, AbnormalReply), message
    return [bit for bit in message.bits if bit]


def executed(bit: str) -> Acknowledgement:
    return replace(TAKEN, execution_word=word_octets("execution", bit))


def word_3(here: HeadEnd) -> str:
    (word,) = here.read("meter_status_word_3") or [None]
    return str(word)


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
    assert ["2026-05-01 12:00:00", OPERATOR, energy] == trip[:3]
    close = here.read("relay_close_record@items/last.1") or []
    assert ["2026-05-01 14:00:00", "00000000"] == close[:2]
    assert [Decimal(2)] == here.read("relay_trip_count@item")  # with the one of its trial
    assert [Decimal(2)] == here.read("relay_close_count@item")
    assert here.meter.works.memory.obeyed_once("trip")


def test_a_repeated_frame_is_obeyed_twice() -> None:
    """After a lost answer a rehearsal would go better than the real thing."""
    here = a_head_end(PLAIN)
    assert TAKEN == here.plain(TRIP)
    assert TAKEN == here.plain(TRIP)
    assert 2 == here.meter.works.memory.count("trip")
    assert [Decimal(2)] == here.read("relay_trip_count@item")  # the contact moved once


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


# --- wallet ---


def test_an_account_is_opened_and_topped_up() -> None:
    """The way of money in the field could not be rehearsed."""
    here = a_head_end(LOCAL)
    here.meter.works.advance(T0)
    assert State.OPEN is state_of(here)  # there is no money in it yet
    here.authenticate()
    assert isinstance(here.initialise(0), SecurityReply)
    opened = here.buy(5_000, 1, customer=CUSTOMER, opens=True)
    assert SecurityReply(address=ADDRESS, di=0x070101FF) == opened
    assert isinstance(here.buy(10_000, 2, customer=CUSTOMER), SecurityReply)
    assert [Decimal("150.00")] == here.read("remaining_balance")
    assert [Decimal("0.00")] == here.read("overdraft_balance")
    assert State.WAITS_FOR_KEY is state_of(here)
    assert "A210" == word_3(here)
    assert [CUSTOMER] == here.read("customer_number")
    memory = here.meter.works.memory
    assert {"trip": 1, "initialise": 1, "open_account": 1, "permit_close": 1, "top_up": 1} == memory.counts()
    assert {"amount_cents": "10000", "purchase_count": "2"} == dict(memory.controls[-1].details)


def test_a_top_up_after_a_lost_answer_is_not_credited_twice() -> None:
    """A customer would have the money twice, or a head-end would take `repeated` for a failure."""
    here = a_shopkeeper()
    assert isinstance(here.buy(10_000, 2, customer=CUSTOMER), SecurityReply)
    assert ["repeat_topup"] == bits(here.buy(10_000, 2, customer=CUSTOMER))
    here.authenticate()
    assert ["repeat_topup"] == bits(here.buy(10_000, 2, customer=CUSTOMER))
    assert [Decimal("200.00")] == here.read("remaining_balance")
    assert here.meter.works.memory.obeyed_once("top_up")


@pytest.mark.parametrize(
    ("cents", "count", "customer", "spoil", "bit"),
    [
        (100, 2, "000000000001", "", "customer_number_mismatch"),
        (100, 2, CUSTOMER, "mac2", "esam_verification_failed"),
        (100, 1, CUSTOMER, "mac1", "repeat_topup"),
        (100, 3, CUSTOMER, "mac1", "purchase_count_error"),
        (99_999_999, 2, CUSTOMER, "mac1", "hoarding_limit_exceeded"),
        (100, 2, CUSTOMER, "mac1", "esam_verification_failed"),
        (0, 2, CUSTOMER, "", "other"),
    ],
)
def test_refusals_of_money(cents: int, count: int, customer: str, spoil: str, bit: str) -> None:
    """A head-end would be told another reason, or the wallet would be touched."""
    here = a_shopkeeper()
    assert [bit] == bits(here.buy(cents, count, customer=customer, spoil=spoil))
    assert [Decimal("100.00")] == here.read("remaining_balance")
    assert 0 == here.meter.works.memory.count("top_up")


def test_money_needs_an_authentication() -> None:
    """A replayed frame would pay."""
    here = a_shopkeeper()
    here.now += 5 * MINUTE
    assert ["identity_auth_failed"] == bits(here.buy(100, 2, customer=CUSTOMER))
    assert ["identity_auth_failed"] == bits(here.initialise(100))
    assert ["identity_auth_failed"] == bits(here.secure(0x078102FF))


def test_a_meter_of_remote_cost_control_has_no_wallet() -> None:
    """Money would go into a meter that keeps none."""
    here = a_head_end()
    here.authenticate()
    assert ["other"] == bits(here.buy(100, 1, customer=CUSTOMER, opens=True))
    assert ["other"] == bits(here.secure(0x078102FF))
    assert here.read("remaining_balance") is None
    assert isinstance(here.secure(0x070002FF), SecurityReply)


def test_state_and_read_back_are_proved_by_the_module() -> None:
    """A head-end could not tell a real balance from a made one, or amount and count would be exchanged."""
    here = a_shopkeeper()
    state = here.fields(here.secure(0x078102FF))
    money, count = state["remaining_cents"], state["purchase_count"]
    assert (10_000, 1) == (int.from_bytes(money, "big"), int.from_bytes(count, "big"))
    here.verified(b"", money, state["mac1"])
    here.verified(b"", count, state["mac2"])
    assert CUSTOMER == state["customer"].hex()
    flag = {"read_length": "0008", "read_start": "0000", "read_file": "0001", "read_directory": "df01"}
    back = here.fields(here.secure(0x078001FF, **flag))
    assert money + count == back["esam_data"]
    here.verified(bytes.fromhex("df01000100000008"), back["esam_data"], back["mac"])
    for wrong in (
        {"read_file": "0002"},
        {"read_start": "0001"},
        {"read_length": "0000"},
        {"read_directory": "0000"},
    ):
        assert ["other"] == bits(here.secure(0x078001FF, **{**flag, **wrong}))


def test_the_wallet_runs_dry_and_a_top_up_brings_the_light_back() -> None:
    """Local prepayment would not prepay."""
    here = a_shopkeeper()
    assert here.meter.works.switch.press_key(here.now)
    here.now += 60 * DAY
    assert State.OPEN is state_of(here)
    trip = here.meter.works.memory.moves[-1]
    assert ("account", T0 < trip.moved_at < here.now) == (trip.came_by, True)
    assert [Decimal("0.00")] == here.read("remaining_balance")
    here.authenticate()
    assert isinstance(here.buy(5_000, 2, customer=CUSTOMER), SecurityReply)
    assert State.WAITS_FOR_KEY is state_of(here)


def test_other_security_commands_are_refused() -> None:
    """A key would seem to be changed, or a layout of another make would be taken for ours."""
    here = a_shopkeeper()
    assert ["other"] == bits(
        here.secure(0x070201FF, key_info="00000001", mac="00000000", key_cipher="00" * 32)
    )
    export: dict[str, int | str] = {
        "amount_cents": 100,
        "order_number": "00" * 8,
        "mac1": "00" * 4,
        "meter_address": ADDRESS,
        "mac2": "00" * 4,
    }
    assert ["other"] == bits(here.secure(0x070102FF, **export))
    assert ["other"] == bits(here.set_validity(0))


def test_infrared_authentication() -> None:
    """A handheld could not prove itself, or could do so twice with one number."""
    here = a_head_end()
    asked = here.fields(here.secure(0x078003FF, rand1="a1b2c3d4e5f60718"))
    assert (NUMBER, 8) == (asked["meter_number"].hex(), len(asked["rand2"]))
    assert ["identity_auth_failed"] == bits(here.secure(0x070003FF, cipher2="00" * 8))
    assert ["identity_auth_failed"] == bits(here.secure(0x070003FF, cipher2="00" * 8))


# --- programming ---


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
    daily = here.say(replace(now, pattern="99990000"))
    assert AbnormalReply(address=ADDRESS, function=0x16, error_word=b"\x01") == daily


@pytest.mark.parametrize("data", ["000000000000", "000000010026", "000012320126", "006024010126"])
def test_a_broadcast_of_no_calendar_sets_nothing(data: str) -> None:
    """A frame that anybody can send would end the simulator."""
    here = a_head_end(PLAIN)
    frame = Frame(address=BROADCAST, function=0x08, data=bytes.fromhex(data))
    assert here.say_frame(frame) is None
    assert ["12:00:00"] == here.read("meter_time")


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
