"""Answers in pieces, from the simulated meter through line, session and driver: whole, or no data at all."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.base import MeterAnswer
from meterlink.drivers.dlt645.driver import Dlt645Driver
from meterlink.errors import BadAnswer, LineClosed, LineLost, MeterlinkError, Refused, ReplyTimeout
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import generic
from metersim import Meter, Simulation
from metersim.dlt645.following import PIECE_OCTETS_MAX, LongAnswer
from meterwire.dlt645 import (
    AbnormalReply,
    Deframer,
    Frame,
    Message,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
    ReadSession,
    decode,
    encode,
    from_frame,
    to_frame,
)
from meterwire.dlt645.link.functions import EDITIONS, Edition
from meterwire.dlt645.sessions.read import PIECES_MAX

_ME = "000000000161"
_AT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
_BLOCK = "forward_active_energy.*"  # 20 octets of 2007 and of 1997
_TIMING = Timing(reply_timeout_s=0.5, octet_gap_s=0.2, answer_max_s=1.0)

Tamper = Callable[[int, Frame], list[Frame]]
"""What becomes of the n-th answer of the meter, from 0, on its way."""


def _untouched(_: int, answer: Frame) -> list[Frame]:
    return [answer]


class _Scene:
    """A meter that cuts its answers, a way that spoils them, and the driver."""

    def __init__(
        self, edition: Edition = "dlt645-2007", *, piece_octets: int, tamper: Tamper = _untouched
    ) -> None:
        self.simulation = Simulation(start=_AT)
        self.meter = Meter(_ME, seed=1, protocol=edition, piece_octets=piece_octets)
        self.asked: list[Frame] = []
        self._edition: Edition = edition
        self._tamper = tamper
        self.answers_following = True

    def read(self, item: str = _BLOCK) -> MeterAnswer:
        return self.simulation.run(self._read(item))

    def right(self, answer: MeterAnswer) -> bool:
        """Whether an answer is what the meter shows; its registers stand still within a second or so."""
        entry_items = [value.item for value in answer.values]
        return [value.value for value in answer.values] == [
            self.meter.value(item, _AT) for item in entry_items
        ]

    async def _read(self, item: str) -> MeterAnswer:
        near, far = memory_line()

        async def opener() -> ByteStream:
            return near

        line = Line("line1", opener=opener, timing=_TIMING, rng=random.Random(1))
        driver = Dlt645Driver(self.simulation.clock, profile=generic(self._edition))
        outcome: MeterAnswer | MeterlinkError
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run())
            meter = group.create_task(self._answer(far))
            try:
                outcome = await driver.read(line, _ME, item, priority=Priority.CURVE)
            except MeterlinkError as error:
                outcome = error
            owner.cancel()
            meter.cancel()
        if isinstance(outcome, MeterlinkError):
            raise outcome
        return outcome

    async def _answer(self, far: ByteStream) -> None:
        deframer = Deframer()
        with contextlib.suppress(LineLost, LineClosed):
            while True:
                for request in deframer.feed(await far.receive()):
                    self.asked.append(request)
                    if request.function == 0x12 and not self.answers_following:
                        continue
                    answer = self.meter.answer(request, _AT)
                    assert answer is not None
                    for frame in self._tamper(len(self.asked) - 1, answer.frame):
                        await far.send(encode(frame))


@pytest.mark.parametrize(
    ("edition", "piece_octets"),
    [
        *(("dlt645-2007", octets) for octets in (1, 3, 7, 8, 19, 20, PIECE_OCTETS_MAX)),
        *(("dlt645-1997", octets) for octets in (3, 7, 8, 19, 20, PIECE_OCTETS_MAX)),
    ],
)
def test_a_long_answer_is_read_whole(edition: Edition, piece_octets: int) -> None:
    """Blocks and records of meters with small frames could not be read."""
    scene = _Scene(edition, piece_octets=piece_octets)
    answer = scene.read()
    assert 5 == len(answer.values)
    assert scene.right(answer)
    assert -(-20 // piece_octets) == len(scene.asked)
    functions = [request.function for request in scene.asked]
    first, following = (0x11, 0x12) if edition == "dlt645-2007" else (0x01, 0x02)
    assert [first] + [following] * (len(functions) - 1) == functions


def test_a_record_of_many_fields_is_read_whole() -> None:
    """What is longer than a frame is not only registers."""
    scene = _Scene(piece_octets=17)
    answer = scene.read("freeze_block@daily_freeze/last.1")
    assert 3 == len(scene.asked)
    assert ["2026-11-22 00:00"] == [value.text for value in answer.values if value.item == "frozen_at"]
    assert 11 == len(answer.values)


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("lost", [0, 1, 2])
def test_a_lost_piece_is_no_data(edition: Edition, lost: int) -> None:
    """The first part of a block would be taken for the whole of it."""
    scene = _Scene(edition, piece_octets=8, tamper=lambda n, answer: [] if n == lost else [answer])
    with pytest.raises(ReplyTimeout):
        scene.read()
    assert lost + 1 == len(scene.asked)
    assert scene.right(_Scene(edition, piece_octets=8).read()), "the next read begins again"


def _repeat(which: int, *, late: bool) -> Tamper:
    """A piece comes twice: at once, or again just before the next one."""
    kept: list[Frame] = []

    def tamper(n: int, answer: Frame) -> list[Frame]:
        if n == which:
            kept.append(answer)
            return [answer] if late else [answer, answer]
        return [*kept, answer] if late and n == which + 1 else [answer]

    return tamper


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("late", [False, True])
def test_a_repeated_piece_is_taken_once(edition: Edition, which: int, late: bool) -> None:
    """A serial server that repeats would put a piece twice into the record."""
    scene = _Scene(edition, piece_octets=6, tamper=_repeat(which, late=late))
    assert scene.right(scene.read())
    assert 4 == len(scene.asked)


@pytest.mark.parametrize("number", [0, 1, 3, 255])
def test_a_piece_with_a_wrong_number_is_no_data(number: int) -> None:
    """A record would be put together from the wrong pieces."""

    def tamper(n: int, answer: Frame) -> list[Frame]:
        return [answer._replace(data=answer.data[:-1] + bytes((number,))) if n == 2 else answer]

    with pytest.raises(BadAnswer, match="pieces"):
        _Scene(piece_octets=6, tamper=tamper).read()


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_meter_that_never_ends_is_left(edition: Edition) -> None:
    """One meter would hold the line, and fill the memory."""
    counter = iter(range(10_000))

    def endless(n: int, answer: Frame) -> list[Frame]:
        if not n:
            return [answer._replace(has_following=True)]
        size = 4 if edition == "dlt645-2007" else 2
        sequence = bytes((n,)) if edition == "dlt645-2007" else b""
        data = scene.asked[0].data[:size] + next(counter).to_bytes(4, "little") + sequence
        return [answer._replace(abnormal=False, has_following=True, data=data)]

    scene = _Scene(edition, piece_octets=PIECE_OCTETS_MAX, tamper=endless)
    with pytest.raises(BadAnswer, match="pieces"):
        scene.read()
    assert PIECES_MAX + 1 == len(scene.asked)


@pytest.mark.parametrize(("times", "asked"), [(1, 1 + 1 + 3), (9, 2 * 2)])
def test_a_refused_piece_is_a_refusal_when_it_comes_twice(times: int, asked: int) -> None:
    """A meter that lost its place would be asked until the deadline, or never again for one late refusal."""
    refused = 0

    def tamper(_: int, answer: Frame) -> list[Frame]:
        nonlocal refused
        if answer.function != 0x12 or refused == times:
            return [answer]
        refused += 1
        return [to_frame(AbnormalReply(address=_ME, function=answer.function, error_word=b"\x01"))]

    scene = _Scene(piece_octets=8, tamper=tamper)
    if times == 1:
        assert scene.right(scene.read())
    else:
        with pytest.raises(Refused):
            scene.read()
    assert asked == len(scene.asked)


@pytest.mark.parametrize("item", ["voltage.a", "voltage.*", _BLOCK])
def test_a_meter_that_only_called_for_its_report_word_is_read(item: str) -> None:
    """D5 may mean that; the whole value in hand would be thrown away because nothing follows it."""

    def tamper(n: int, answer: Frame) -> list[Frame]:
        return [answer._replace(has_following=True)] if n == 0 else []

    scene = _Scene(piece_octets=PIECE_OCTETS_MAX, tamper=tamper)
    scene.answers_following = False
    answer = scene.read(item)
    assert scene.right(answer)
    assert [0x11, 0x12] == [request.function for request in scene.asked]


_FATES: dict[str, Callable[[Frame], list[Frame]]] = {
    "whole": lambda frame: [frame],
    "lost": lambda frame: [],
    "twice": lambda frame: [frame, frame],
    "other meter": lambda frame: [frame._replace(address="000000000162")],
    "other meter first": lambda frame: [frame._replace(address="000000000162"), frame],
    "other identifier": lambda frame: [frame._replace(data=b"\x77" + frame.data[1:])],
    "other number": lambda frame: [frame._replace(data=frame.data[:-1] + bytes((frame.data[-1] ^ 2,)))],
    "no octets": lambda frame: [frame._replace(data=frame.data[:4])],
    "refused": lambda frame: [
        to_frame(AbnormalReply(address=_ME, function=frame.function, error_word=b"\x01"))
    ],
    "as a first": lambda frame: [frame._replace(function=0x11)],
}


@settings(max_examples=150)
@example(fates=["refused", "other number", "twice", *["as a first"] * 4], piece_octets=10)
@given(
    fates=st.lists(st.sampled_from(sorted(_FATES)), min_size=7, max_size=7), piece_octets=st.integers(3, 12)
)
def test_whatever_happens_it_is_the_whole_or_nothing(fates: list[str], piece_octets: int) -> None:
    """Half a record, or one of two halves, would stand in the journal."""

    def tamper(n: int, answer: Frame) -> list[Frame]:
        fate = fates[n % len(fates)]
        if fate == "other number" and answer.function == 0x11:
            return [answer]  # a first piece has none: this would be another value under a good checksum
        return _FATES[fate](answer)

    scene = _Scene(piece_octets=piece_octets, tamper=tamper)
    try:
        answer = scene.read()
    except MeterlinkError:
        return
    assert scene.right(answer)
    assert 5 == len(answer.values)


@pytest.mark.parametrize("edition", EDITIONS)
def test_equal_pieces_of_1997_cannot_be_told_from_repetition(edition: Edition) -> None:
    """Without numbers, taking the second for a new piece would let a repeated one into the record."""
    session = ReadSession(ReadRequest(address=_ME, di=0x901F), edition=edition)
    session.octets_to_send()
    first = ReadReply(address=_ME, di=0x901F, data=b"1111", has_following=True)
    session.feed(encode(to_frame(first, edition)))
    for sequence in (1, 2):
        session.octets_to_send()
        piece = ReadFollowingReply(
            address=_ME, di=0x901F, data=b"2222", sequence=sequence, has_following=True
        )
        session.feed(encode(to_frame(piece, edition)))
    assert (edition == "dlt645-2007") == bool(session.octets_to_send())
    session.expire()
    assert session.reply is None


def test_numbers_go_on_with_1_after_255() -> None:
    """The longest records would end with an error at piece 256, on either side."""
    whole = ReadReply(address=_ME, di=0x06000001, data=random.Random(1).randbytes(600))
    meter = LongAnswer("dlt645-2007", piece_octets=2)
    session = ReadSession(ReadRequest(address=_ME, di=whole.di), pieces_max=299)
    session.octets_to_send()
    session.feed(encode(to_frame(meter.first(whole))))
    numbers = []
    while not session.finished:
        request = from_frame(decode(session.octets_to_send()))
        assert isinstance(request, ReadFollowingRequest)
        numbers.append(request.sequence)
        session.feed(encode(to_frame(meter.next(request, _ME))))
    assert whole == session.reply
    assert [*range(1, 256), *range(1, 45)] == numbers


@pytest.mark.parametrize("form", ["short", "long", "none"])
def test_a_load_record_is_followed_up_in_the_form_that_the_meter_takes(form: str) -> None:
    """Load records of one make could not be read; or every other meter would be asked its way."""
    selector = bytes.fromhex("020008150926")
    session = ReadSession(ReadRequest(address=_ME, di=0x06010001, selector=selector))
    assert selector == decode(session.octets_to_send()).data[4:]
    session.feed(encode(to_frame(ReadReply(address=_ME, di=0x06010001, data=b"one", has_following=True))))
    forms = []
    while octets := session.octets_to_send():
        request = from_frame(decode(octets))
        assert isinstance(request, ReadFollowingRequest)
        assert 1 == request.sequence
        forms.append(request.selector)
        taken = {"short": b"", "long": selector, "none": b"?"}[form] == request.selector
        reply = (
            ReadFollowingReply(address=_ME, di=0x06010001, data=b"two", sequence=1)
            if taken
            else AbnormalReply(address=_ME, function=0x12, error_word=b"\x01")
        )
        session.feed(encode(to_frame(reply)))
    assert {"short": [b""], "long": [b"", selector], "none": [b"", selector]}[form] == forms
    expected = ReadReply(address=_ME, di=0x06010001, data=b"onetwo")
    assert (session.reply == expected) == (form != "none")
    assert session.finished


# --- the meter's side ----------------------------------------------------------------------------


def test_the_meter_refuses_what_is_out_of_turn_and_repeats_the_last_piece() -> None:
    """A head-end that counts wrongly would never notice it on the simulator."""
    meter = Meter(_ME, seed=1, piece_octets=8)

    def ask(sequence: int, di: int = 0x0001FF00) -> Frame:
        request = ReadFollowingRequest(address=_ME, di=di, sequence=sequence)
        answer = meter.answer(to_frame(request), _AT)
        assert answer is not None
        return answer.frame

    assert ask(1).abnormal, "nothing was read yet"
    first = meter.answer(to_frame(ReadRequest(address=_ME, di=0x0001FF00)), _AT)
    assert first is not None
    assert (True, {}) == (first.frame.has_following, first.values)
    assert [True, True] == [ask(2).abnormal, ask(1, di=0x0002FF00).abnormal]
    one = ask(1)
    assert one == ask(1)
    last = ask(2)
    assert (True, False) == (one.has_following, last.has_following)
    assert ask(3).abnormal
    other = meter.answer(to_frame(ReadRequest(address=_ME, di=0x00010000)), _AT + timedelta(seconds=1))
    assert other is not None
    assert ask(2).abnormal, "a new read forgets the old answer"


def test_the_values_stand_with_the_last_piece() -> None:
    """The simulator's list would hold values that nobody could have read yet."""
    meter = Meter(_ME, seed=1, protocol="dlt645-1997", piece_octets=8)
    found = []
    messages: list[Message] = [ReadRequest(address=_ME, di=0x901F), *[_next_1997()] * 3]
    for message in messages:
        answer = meter.answer(to_frame(message, "dlt645-1997"), _AT)
        assert answer is not None
        found.append((answer.frame.has_following, answer.frame.abnormal, len(answer.values)))
    assert [(True, False, 0), (True, False, 0), (False, False, 5), (False, True, 0)] == found


def _next_1997() -> ReadFollowingRequest:
    return ReadFollowingRequest(address=_ME, di=0x901F, sequence=0)


@pytest.mark.parametrize("piece_octets", [0, PIECE_OCTETS_MAX + 1])
def test_a_piece_has_limits(piece_octets: int) -> None:
    """A meter would send nothing for ever, or frames that the standard does not have."""
    with pytest.raises(ValueError, match=str(piece_octets)):
        Meter(_ME, seed=1, piece_octets=piece_octets)
