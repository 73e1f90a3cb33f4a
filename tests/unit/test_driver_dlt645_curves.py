"""Load records of a DL/T 645 meter: each point under the time that its record says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meterlink.drivers.base import StoredAnswer
from meterlink.drivers.dlt645.curves import BAD_ANSWERS_MAX, CurveReader, curve_table
from meterlink.drivers.dlt645.talk import Told
from meterlink.drivers.stored import StoredFindings
from meterlink.errors import BadAnswer, ClockFarAhead, MeterlinkError, NoFreeze, Refused, ReplyTimeout
from meterlink.model.data_classes import CURVE
from meterlink.model.zone import CHINA_TIME
from metersim import Simulation
from meterwire.dlt645 import Entry, dictionary
from meterwire.dlt645.items.record_selector import RECORDS_MAX
from meterwire.errors import RemoteProtocolError
from meterwire.primitives.checksum import sum8
from tests.support.stored import NOW, accounted, values_of

_Q = timedelta(minutes=15)
_ENERGY = "forward_active_energy"
_NO_SUCH = b"\x02"
_Says = Callable[["_Question"], "bytes | Exception"]


class _Question:
    """One question: from which time on, or for the newest, and how many."""

    def __init__(self, entry: Entry, selector: bytes) -> None:
        self.is_newest = entry.di & 0xFF == 2
        self.count = selector[0]
        self.since = NOW
        if not self.is_newest:
            minute, hour, day, month, year = (int(f"{octet:02x}") for octet in selector[1:])
            self.since = datetime(2000 + year, month, day, hour, minute, tzinfo=CHINA_TIME)


def _record(at: datetime, energy: int | None = None, *, start: int = 0xA0, classes: int = 0b001000) -> bytes:
    """A load record of class 4 whose energy tells its time, or of other classes."""
    told = f"{_told(at) if energy is None else energy:08d}"
    values = {8: bytes.fromhex(told)[::-1] + b"\xff" * 12, 1: b"\x20\x22" * 3 + b"\x00" * 9 + b"\x00\x50"}
    body = bytes.fromhex(f"{at:%M%H%d%m}{at:%y}")
    for number in range(6):
        bit = 1 << number
        body += (values.get(bit, b"") if classes & bit else b"") + b"\xaa"
    framed = bytes((start, start, len(body))) + body
    return framed + bytes((sum8(framed), 0xE5))


def _told(at: datetime) -> int:
    return int(f"{at.astimezone(CHINA_TIME):%d%H%M}")


def _holding(points: Sequence[datetime]) -> _Says:
    """A meter as the standard has it."""
    oldest_first = sorted(points)

    def says(question: _Question) -> bytes | Exception:
        chosen = oldest_first[-1:]
        if not question.is_newest:
            chosen = [at for at in oldest_first if at >= question.since][: question.count]
        if not chosen:
            return Refused("no such data", error_word=_NO_SUCH, no_such=True)
        return b"".join(map(_record, chosen))

    return says


def _read(
    says: _Says, slots: Sequence[datetime], *, every: timedelta = _Q, items: Sequence[str] = (_ENERGY,)
) -> tuple[StoredAnswer, list[_Question]]:
    asked: list[_Question] = []

    async def ask(entry: Entry, selector: bytes) -> Told:
        question = _Question(entry, selector)
        asked.append(question)
        said = says(question)
        if isinstance(said, Exception):
            raise said
        try:
            return Told(entry.decode(said), said, NOW.astimezone(UTC))
        except RemoteProtocolError as error:
            raise BadAnswer(str(error)) from None

    table = curve_table(dictionary("dlt645-2007"))
    assert table is not None
    number = table.class_of(_ENERGY)
    assert number == 4
    reader = CurveReader(table.of_class[number], every=every, ask=ask, zone=CHINA_TIME, meter="meter")
    found = StoredFindings(CURVE, items, slots, NOW.astimezone(UTC))

    async def program() -> StoredAnswer:
        with found.kept() as ended:
            await reader.read(found)
        return found.of(ended)

    answer = Simulation().run(program())
    accounted(answer, slots)
    return answer, asked


def _points(*back: int) -> list[datetime]:
    return [NOW - n * _Q for n in back]


def _slots_of(answer: StoredAnswer) -> set[datetime]:
    return {record.slot for record in answer.records}


def _untrue(answer: StoredAnswer) -> dict[datetime, object]:
    """The points that hold another value than their record told."""
    found = {slot: values[_ENERGY] for slot, values in values_of(answer).items()}
    return {slot: value for slot, value in found.items() if Decimal(_told(slot)) / 100 != value}


def test_a_day_of_quarters_takes_an_exchange_for_nine() -> None:
    """At 2400 bit/s a question for each point costs three times the air of the points themselves."""
    slots = _points(*range(96))
    answer, asked = _read(_holding(_points(*range(200))), slots)
    assert set(slots) == _slots_of(answer)
    assert -(-96 // RECORDS_MAX) == len(asked)
    assert {} == _untrue(answer)


@settings(deadline=None, max_examples=80)
@given(
    held=st.sets(st.integers(0, 60), max_size=50),
    slots=st.sets(st.integers(-3, 64), min_size=1, max_size=40),
    every=st.sampled_from([1, 4]),
)
def test_any_holes_of_any_memory(held: set[int], slots: set[int], every: int) -> None:
    """A meter without power writes nothing: its holes must neither be filled nor looked for for ever."""
    wanted = {n * every for n in slots}
    try:
        answer, asked = _read(_holding(_points(*held)), _points(*wanted), every=every * _Q)
    except NoFreeze:
        assert not held
        return
    assert {} == _untrue(answer)
    assert set(_points(*(held & wanted))) == _slots_of(answer)
    assert set(_points(*(n for n in wanted if held and n < min(held)))) == set(answer.not_yet)
    missing = len(answer.gone) + len(answer.unfit_slots)
    assert len(asked) <= len(wanted) + missing + 1, "twice for what seems to be gone"


def test_a_meter_that_records_every_quarter_is_not_read_whole_for_the_hours() -> None:
    """Nine records for each two hours, of which three are wanted."""
    answer, asked = _read(_holding(_points(*range(200))), _points(*range(0, 96, 4)), every=4 * _Q)
    assert 24 == len(answer.records)
    assert 30 >= sum(question.count for question in asked)


@pytest.mark.parametrize(
    "extra",
    [
        lambda question: _record(question.since - _Q) + _record(question.since),  # one too early
        lambda question: b"".join(_record(question.since + n * _Q) for n in range(20)),  # more than asked for
        lambda question: 2 * _record(question.since) + _record(question.since + _Q),  # one twice
        lambda question: _record(question.since + _Q) + _record(question.since),  # newest first
        lambda question: _record(question.since) + b"\x00\x01\x02",  # rubbish behind it
    ],
)
def test_what_comes_besides_stands_nowhere_else(extra: Callable[[_Question], bytes]) -> None:
    """Makes overlap, repeat, and send what nobody asked for: it must not stand under another time."""
    answer, _ = _read(extra, _points(1, 2, 3, 4))
    assert set(_points(1, 2, 3, 4)) == _slots_of(answer)
    assert {} == _untrue(answer)


def test_a_damaged_record_is_not_gone() -> None:
    """The meter says that one record is broken; others of it may be read another day."""

    def says(question: _Question) -> bytes:
        parts = [_record(at, start=0xE0 if at == NOW - 2 * _Q else 0xA0) for at in _points(3, 2, 1)]
        return b"".join(parts)

    answer, _ = _read(says, _points(1, 2, 3))
    assert set(_points(1, 3)) == _slots_of(answer)
    assert set(_points(2)) == set(answer.unfit_slots)


def test_two_records_of_one_time_that_differ_are_none() -> None:
    """Nobody knows which of them is true."""
    answer, _ = _read(lambda _: _record(NOW) + _record(NOW, 5), [NOW])
    assert ({NOW}, 0) == (set(answer.unfit_slots), len(answer.records))


def test_a_record_of_another_class_is_not_this_one() -> None:
    """A voltage would pass for an energy, or an empty class for a record with a value of zero."""
    answer, _ = _read(lambda question: _record(question.since, classes=0b000001), [NOW])
    [record] = answer.records
    assert ((), [_ENERGY]) == (record.values, list(record.refused))
    assert [_ENERGY] == list(answer.refused)


def test_a_meter_that_gives_its_newest_for_any_time_says_nothing_of_what_is_gone() -> None:
    """It would end all tries for a day that it may still hold."""
    newest = _holding(_points(0))
    answer, _ = _read(lambda question: _record(NOW) if question.count == 1 else newest(question), _points(9))
    assert set(_points(9)) == set(answer.unfit_slots)


def test_a_meter_without_load_records_says_so_in_three_questions() -> None:
    """Each of its points would be asked for, for nothing."""
    asked: list[_Question] = []

    def says(question: _Question) -> bytes:
        asked.append(question)
        return b""

    with pytest.raises(NoFreeze, match="no load records"):
        _read(says, _points(*range(96)))
    assert 3 == len(asked), "one that is refused, and the newest twice"


def test_a_refusal_that_comes_once_more_empties_no_memory() -> None:
    """It belongs to the question before; a day of points would be told refused for good."""
    no = Refused("no such data", error_word=_NO_SUCH, no_such=True)
    said: list[bytes | Exception] = [no, no]
    holds = _holding(_points(*range(4, 8)))

    def says(question: _Question) -> bytes | Exception:
        return said.pop() if said else holds(question)

    answer, _ = _read(says, _points(*range(4)))
    assert set(_points(*range(4))) == set(answer.not_yet)


@pytest.mark.parametrize(
    "failure", [BadAnswer("does not fit"), Refused("other error", error_word=b"\x01"), ReplyTimeout("silent")]
)
def test_what_came_before_a_failure_is_kept(failure: MeterlinkError) -> None:
    """A long curve on a bad line would begin anew each time."""
    full, count = _holding(_points(*range(200))), 0

    def says(question: _Question) -> bytes | Exception:
        nonlocal count
        count += 1
        return full(question) if count <= 2 else failure

    answer, asked = _read(says, _points(*range(96)))
    assert set(_points(*range(18))) == _slots_of(answer)
    assert answer.cut_short is not None
    assert not answer.gone
    assert 2 + (1 if isinstance(failure, ReplyTimeout) else BAD_ANSWERS_MAX) == len(asked)


def test_silence_from_the_start_is_silence() -> None:
    """A dead meter would pass for one with an empty memory."""
    with pytest.raises(ReplyTimeout):
        _read(lambda _: ReplyTimeout("silent"), _points(0, 1))


@settings(deadline=None, max_examples=200)
@given(
    answers=st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.lists(st.integers(-6, 12), max_size=6).map(lambda ns: b"".join(map(_record, _points(*ns)))),
        ),
        min_size=1,
        max_size=12,
    ),
    flips=st.lists(st.tuples(st.integers(0, 300), st.integers(1, 255)), max_size=2),
    slots=st.sets(st.integers(-4, 12), min_size=1),
)
def test_garbage_never_makes_a_point_of_another_time(
    answers: list[bytes], flips: list[tuple[int, int]], slots: set[int]
) -> None:
    """Whatever comes, a point holds what its record said of that time, or there is none."""
    count = 0

    def says(question: _Question) -> bytes:
        nonlocal count
        said = bytearray(answers[count % len(answers)])
        for at, mask in flips[count % 2 : count % 2 + 1]:
            if said:
                said[at % len(said)] ^= mask
        count += 1
        return bytes(said)

    try:
        answer, _ = _read(says, _points(*slots))
    except (NoFreeze, BadAnswer):
        return
    assert {} == _untrue(answer)


@pytest.mark.parametrize("late_behind", [0, 1, 2, 3])
def test_a_late_answer_tells_no_record_gone(late_behind: int) -> None:
    """An answer that comes late passes for the next one: days that the meter holds were given up."""
    says, said = _holding(_points(*range(200))), list[bytes | Exception]()

    def late(question: _Question) -> bytes | Exception:
        said.append(says(question))
        return said[-2] if len(said) == late_behind + 2 else said[-1]

    answer, _ = _read(late, _points(*range(60)))
    assert not answer.gone
    assert {} == _untrue(answer)


@pytest.mark.parametrize(("every", "late_behind"), [(1, 1), (1, 3), (1, 5), (4, 15), (4, 24)])
def test_an_answer_that_comes_late_twice_tells_no_record_gone(every: int, late_behind: int) -> None:
    """It passes for those to the next two questions: they agree, and days that the meter holds were lost."""
    says, said = _holding(_points(*range(400))), list[bytes | Exception]()

    def late(question: _Question) -> bytes | Exception:
        said.append(says(question))
        return said[late_behind] if late_behind < len(said) <= late_behind + 3 else said[-1]

    answer, _ = _read(late, _points(*range(0, 60 * every, every)), every=every * _Q)
    assert not answer.gone
    assert {} == _untrue(answer)


@pytest.mark.parametrize("pieces", range(1, RECORDS_MAX))
def test_an_answer_that_ends_with_the_end_of_another_tells_no_record_gone(pieces: int) -> None:
    """A following frame that comes late ends the next answer; the hours between the two were given up."""
    says, said = _holding(_points(*range(200))), list[bytes]()
    octets = len(_record(NOW))

    def spliced(question: _Question) -> bytes | Exception:
        answer = says(question)
        assert isinstance(answer, bytes)
        said.append(answer)
        return answer[: pieces * octets] + said[2][pieces * octets :] if len(said) == 4 else answer

    answer, asked = _read(spliced, _points(*range(60)))
    assert set(_points(*range(60))) == _slots_of(answer)
    assert {} == _untrue(answer)
    assert len(asked) <= 9


def test_a_meter_that_records_hours_is_not_asked_for_each_quarter() -> None:
    """Its gaps are all alike: looked for one by one, they would take three times the air."""
    answer, asked = _read(_holding(_points(*range(0, 200, 4))), _points(*range(60)))
    assert set(_points(*range(0, 60, 4))) == _slots_of(answer)
    assert len(asked) <= 15


def test_a_record_between_two_that_are_held_is_gone_all_the_same() -> None:
    """Asked for until it expires, it would take the time of slots that can be had."""
    held = [n for n in range(80) if not 20 <= n < 33]
    for every in (1, 4):
        wanted = _points(*range(0, 80, every))
        answer, _ = _read(_holding(_points(*held)), wanted, every=every * _Q)
        assert set(wanted).difference(_points(*held)) == set(answer.gone)
        assert not answer.unfit_slots


def test_a_meter_that_is_weeks_ahead_is_asked_once() -> None:
    """Asked for each slot of each turn, it took half of a line's time for ever."""
    asked: list[_Question] = []
    held = _points(*range(-40 * 96, -10 * 96))

    def says(question: _Question) -> bytes | Exception:
        asked.append(question)
        return _holding(held)(question)

    with pytest.raises(ClockFarAhead):
        _read(says, _points(*range(24)))
    assert 1 == len(asked)
