"""What a simulated meter of DL/T 645-1997 obeys: writes, passwords, clears of demands, the time for all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim import Meter
from metersim.dlt645.commands1997 import EDITION, FUNCTIONS
from metersim.dlt645.passwords import ERRORS_MAX
from metersim.works.conditions import HISTORY_MAX
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.works import Works
from meterwire.dlt645 import (
    BROADCAST,
    AbnormalReply,
    Frame,
    Message,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
    dictionary,
    from_frame,
    to_frame,
)
from meterwire.dlt645.messages.address_and_baud import BaudRequest
from meterwire.dlt645.messages.clears_and_freezes import ClearDemandRequest
from meterwire.dlt645.messages.command import Acknowledgement, ReadAgainRequest
from meterwire.dlt645.messages.messages import ReadAgainReply
from meterwire.dlt645.messages.programming import ChangePasswordReply, ChangePasswordRequest, WriteRequest
from meterwire.dlt645.messages.time_and_terminals import BroadcastTime
from meterwire.item_value import Content

ADDRESS = "000000000197"
T0 = datetime(2026, 5, 10, 4, tzinfo=UTC)  # 12:00 of the meter's zone
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ENERGY, TARIFFS, DATE, TIME, DATE_AND_TIME, USER = 0x9010, 0x901F, 0xC010, 0xC011, 0xC01F, 0xC033
PASSWORD = "123456"


class Old:
    """A head-end of 1997 and its meter."""

    def __init__(self, *, piece_octets: int = 195) -> None:
        self.works = Works(Plate(address=ADDRESS), seed=1, load=Load(mean_kw=Decimal(6)))
        self.now = T0
        self.meter = Meter(
            ADDRESS,
            seed=1,
            protocol=EDITION,
            works=self.works,
            piece_octets=piece_octets,
            passwords={2: PASSWORD},
        )

    def say(self, message: Message) -> Message | None:
        return self.say_frame(to_frame(message, EDITION))

    def say_frame(self, frame: Frame) -> Message | None:
        answer = self.meter.answer(frame, self.now)
        return None if answer is None else from_frame(answer.frame, EDITION)

    def read(self, di: int) -> list[Content]:
        reply = self.say(ReadRequest(address=ADDRESS, di=di))
        assert isinstance(reply, ReadReply), reply
        entry = dictionary(EDITION).by_di(di)
        assert entry is not None
        return [value.content for value in entry.decode(reply.data)]

    def write(
        self, di: int, *contents: Content, level: int = 2, password: str = PASSWORD, payload: bytes = b""
    ) -> Message | None:
        entry = dictionary(EDITION).by_di(di)
        if entry is not None and contents:
            payload = entry.encode(list(contents))
        request = WriteRequest(address=ADDRESS, di=di, level=level, password=password, payload=payload)
        return self.say(request)


def refusal(function: int, err: int) -> AbnormalReply:
    return AbnormalReply(address=ADDRESS, function=function, error_word=bytes((err,)))


WRITTEN = Acknowledgement(address=ADDRESS, function=0x04)


def test_the_clock_is_written_under_a_password() -> None:
    """A meter of 1997 could be set by nobody, or by everybody."""
    here = Old()
    assert refusal(0x04, 4) == here.write(TIME, "13:00:00", password="654321")
    assert ["12:00:00"] == here.read(TIME)
    assert WRITTEN == here.write(TIME, "13:00:00")
    assert ["13:00:00"] == here.read(TIME)
    assert WRITTEN == here.write(DATE_AND_TIME, "2026-05-11 w01", "08:30:00")
    assert ["2026-05-11 w01", "08:30:00"] == here.read(DATE_AND_TIME)
    assert [Decimal(2)] == here.read(0xB212), "programmed twice"
    assert 2 == here.works.events.count("clock_set", here.now), "date and time together are one setting"


def test_the_users_number_is_written_and_told_everywhere() -> None:
    """A write that is acknowledged would change nothing."""
    here = Old()
    assert WRITTEN == here.write(USER, "000000004711")
    assert ["000000004711"] == here.read(USER)
    assert "000000004711" in here.read(0xC03F)
    here.works.exchange(here.now, meter_number="000000000009")
    assert [ADDRESS] == here.read(USER), "another meter knows nothing of it"


@pytest.mark.parametrize(
    ("di", "payload", "err"),
    [
        (0xB711, b"\0", 2),  # no such identifier
        (ENERGY, bytes(4), 2),  # nobody writes an energy
        (0xC032, bytes(6), 2),
        (TIME, bytes.fromhex("000025"), 1),
        (TIME, b"\0", 1),
        (DATE, bytes.fromhex("01320226"), 1),
        (DATE, bytes.fromhex("00010199"), 1),  # too far from the true time
        (USER, b"\xab" * 6, 1),
    ],
)
def test_what_cannot_be_written_is_refused(di: int, payload: bytes, err: int) -> None:
    """A wrong write would be acknowledged, or end the simulator."""
    here = Old()
    assert refusal(0x04, err) == here.write(di, payload=payload)
    assert 1 == len(here.works.history.rows)


def test_wrong_passwords_lock_a_level() -> None:
    """Passwords could be tried one after the other."""
    here = Old()
    for _ in range(ERRORS_MAX):
        assert refusal(0x04, 4) == here.write(TIME, "13:00:00", password="000001")
    assert refusal(0x04, 4) == here.write(TIME, "13:00:00")
    here.now += DAY
    assert WRITTEN == here.write(TIME, "13:00:00")


def test_a_password_is_changed_under_its_own_or_a_higher_one() -> None:
    """Somebody could give himself the rights of a higher level."""
    here = Old()
    change = ChangePasswordRequest(
        address=ADDRESS, level=2, password=PASSWORD, new_level=4, new_password="777777"
    )
    assert refusal(0x0F, 4) == here.say(replace(change, password="000000"))
    assert refusal(0x0F, 4) == here.say(replace(change, new_level=1))
    assert refusal(0x0F, 1) == here.say(replace(change, new_level=10))
    changed = ChangePasswordReply(address=ADDRESS, new_level=4, new_password="777777")
    assert changed == here.say(change)
    assert refusal(0x04, 4) == here.write(TIME, "13:00:00", level=4, password="000000")
    assert WRITTEN == here.write(TIME, "13:00:00", level=4, password="777777")


def test_the_demands_are_cleared() -> None:
    """A settlement of 1997 ends with it."""
    here = Old()
    clear = ClearDemandRequest(address=ADDRESS, level=2, password=PASSWORD)
    before = here.read(0xA010)
    assert refusal(0x10, 4) == here.say(replace(clear, password="000000"))
    assert before == here.read(0xA010)
    assert Acknowledgement(address=ADDRESS, function=0x10) == here.say(clear)
    assert before != here.read(0xA010)
    assert [Decimal(1)] == here.read(0xB213)
    assert ["05-10 12:00"] == here.read(0xB211)


def test_the_time_for_all_is_taken_once_a_day_and_never_answered() -> None:
    """The clocks of old meters would drift for ever, or follow whoever shouts."""
    here = Old()
    for clock, expected in (
        ("2026-05-10 12:06:00", "12:00:00"),  # too far
        ("2026-05-10 12:04:00", "12:04:00"),
        ("2026-05-10 12:00:00", "12:04:00"),  # the second of its day
    ):
        assert here.say(BroadcastTime(clock=clock)) is None
        assert [expected] == here.read(TIME)
    here.now += DAY
    assert here.say(BroadcastTime(address=ADDRESS, clock="2026-05-11 12:03:00")) is None
    assert ["12:03:00"] == here.read(TIME)
    assert here.say_frame(Frame(address=BROADCAST, function=0x08, data=bytes(6))) is None


def test_the_last_answer_is_said_again() -> None:
    """A head-end of 1997 asks so after noise; a stale answer would be another one's reading."""
    here = Old(piece_octets=12)
    assert refusal(0x03, 1) == here.say(ReadAgainRequest(address=ADDRESS)), "it has said nothing yet"
    first = here.say(ReadRequest(address=ADDRESS, di=TARIFFS))
    assert isinstance(first, ReadReply)
    assert first.has_following
    here.now += DAY
    expected = ReadAgainReply(address=ADDRESS, di=TARIFFS, data=first.data, has_following=True)
    for _ in range(2):
        assert expected == here.say(ReadAgainRequest(address=ADDRESS))
    second = here.say(ReadFollowingRequest(address=ADDRESS, di=TARIFFS, sequence=0))
    assert isinstance(second, ReadFollowingReply)
    again = here.say(ReadAgainRequest(address=ADDRESS))
    assert isinstance(again, ReadAgainReply)
    assert (second.data, second.has_following) == (again.data, again.has_following)
    here.say(ReadRequest(address=ADDRESS, di=0xB711))
    assert refusal(0x03, 2) == here.say(ReadAgainRequest(address=ADDRESS)), "a refusal, too"
    here.works.history.change(here.now, without_supply=frozenset("abc"))
    here.works.history.change(here.now + MINUTE, without_supply=frozenset())
    here.now += DAY
    assert refusal(0x03, 1) == here.say(ReadAgainRequest(address=ADDRESS)), "power cuts clear memories"


def test_the_speed_stays_and_addresses_are_not_written() -> None:
    """A meter would leave its line, or answer under a name that the plant does not know."""
    here = Old()
    assert refusal(0x0C, 1) == here.say(BaudRequest(address=ADDRESS, word=0x08))
    assert here.say_frame(Frame(address=BROADCAST, function=0x0A, data=bytes(6))) is None


def test_orders_for_everybody_are_obeyed_by_nobody() -> None:
    """One frame could write into every meter of a line."""
    here = Old()
    request = to_frame(
        WriteRequest(address=ADDRESS, di=TIME, level=2, password=PASSWORD, payload=bytes.fromhex("000013")),
        EDITION,
    )
    for address in (BROADCAST, "A" * 12, "000000000198"):
        assert here.say_frame(request._replace(address=address)) is None
    assert ["12:00:00"] == here.read(TIME)


def test_a_meter_whose_history_is_full_refuses() -> None:
    """The simulator would end where a meter only has to say no."""
    here = Old()
    for _ in range(HISTORY_MAX - 1):
        here.works.history.happen(T0, "frozen")
    assert refusal(0x04, 1) == here.write(TIME, "13:00:00")
    assert refusal(0x10, 1) == here.say(ClearDemandRequest(address=ADDRESS, level=2, password=PASSWORD))


@given(function=st.sampled_from(sorted(FUNCTIONS | {0x03})), data=st.binary(max_size=40))
def test_any_octets_are_answered_or_met_with_silence(function: int, data: bytes) -> None:
    """A frame of anybody could end the simulator."""
    here = Old()
    answer = here.say_frame(Frame(address=ADDRESS, function=function, data=data))
    assert answer is None or answer.address == ADDRESS
