"""What comes along for other meters: bounded, of its time, and taken once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from meterlink.drivers.gdw1376.ahead import KEPT_MAX, KEPT_S, MARKS_MAX, Ahead, Coming
from meterlink.drivers.gdw1376.archive import Archive, Entry
from meterlink.drivers.gdw1376.settings import password_of
from meterlink.drivers.gdw1376.told import Told
from meterlink.errors import ConfigError
from meterlink.model.marks import NO_MARKS
from meterlink.model.zone import CHINA_TIME
from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions import terminal as table
from meterwire.gdw1376.link.terminal_frame import Address, Frame
from meterwire.gdw1376.messages.terminal import Message, Unit, unit

DAY = Moment(year=26, month=11, day=22)
UNIT = Unit(1, 161, b"")
NOW = datetime(2026, 11, 23, tzinfo=UTC)


def _entry(number: int, point: int, address: str) -> Entry:
    return Entry(number, point, address, 31, 0, 30, "")


def test_what_came_along_is_taken_once_and_not_too_late() -> None:
    """A value read once would be kept as read twice, or one that the terminal has corrected since."""
    ahead = Ahead()
    coming = Coming(7, 161, DAY)
    ahead.put(coming, UNIT, 100.0)
    assert UNIT == ahead.take(coming, 100.0 + KEPT_S)
    assert None is ahead.take(coming, 100.0 + KEPT_S)
    ahead.put(coming, UNIT, 100.0)
    assert None is ahead.take(coming, 100.1 + KEPT_S)


def test_as_many_as_wait_and_one_more() -> None:
    """Terminals that tell more than anybody asks would fill the memory."""
    ahead = Ahead()
    for number in range(KEPT_MAX + 1):
        ahead.put(Coming(number, 161, DAY), UNIT, 0.0)
    assert KEPT_MAX == len(ahead)
    assert None is ahead.take(Coming(0, 161, DAY), 0.0)
    assert UNIT == ahead.take(Coming(KEPT_MAX, 161, DAY), 0.0)


def test_whose_turn_has_been_does_not_come_along_again() -> None:
    """Each meter that lacks something would have the whole area read anew."""
    ahead = Ahead()
    points = {1, 2, 3, 9}
    asked = Coming(2, 161, DAY)
    assert None is ahead.take(asked, 0.0)
    assert [3, 9, 1] == [one.point for one in ahead.others(asked, points)]
    ahead.put(Coming(3, 161, DAY), UNIT, 0.0)
    assert [9, 1] == [one.point for one in ahead.others(asked, points)]
    for day in range(1, MARKS_MAX + 1):
        ahead.take(Coming(2, 161, DAY._replace(day=day)), 0.0)
    assert [3, 9, 1] == [one.point for one in ahead.others(asked, points)], "it is long ago"


def test_an_archive_says_of_whom_it_is_not_certain() -> None:
    """A neighbour's energy would be billed."""
    pairs = [(1, 1), (1, 2), (3, 3), (4, 4), (5, 4), (0, 6)]
    archive = Archive(_entry(at, point, f"{last:012d}") for at, (point, last) in enumerate(pairs, start=1))
    assert {3} == archive.points_of({f"{number:012d}" for number in range(9)})
    assert None is archive.of_point(1)
    assert None is archive.of_address("000000000004")
    assert ("point 1", "000000000004") == archive.doubled
    found = archive.differences({"000000000003", "000000000007"})
    assert ("000000000007",) == found.missing
    assert ("000000000001", "000000000002", "000000000004") == found.strange


def test_a_report_of_many_units_is_whole() -> None:
    """What was cut off would be confirmed, and its terminal forget it."""
    points = range(1, 9)
    values = {"read_time": DAY._replace(hour=0, minute=0), "tariffs": 0, "energy_kwh": [Decimal("1.0000")]}
    groups = [
        unit(table.CLASS_1, 129, values, point=8 * group + point, way="up")
        for group in range(40)
        for point in points
    ]
    head = Frame(Address("0171", 2082), table.CLASS_1, from_terminal=True, started=True, function=4)
    told = Told("0171-2082", CHINA_TIME)
    report = told.report(
        Message(head, tuple(groups)),
        None,
        received_at=NOW,
        acknowledge=lambda: None,
        files_well=lambda *_: True,
        clock_marks=NO_MARKS,
    )
    assert 320 == len(groups) == len(report.parts)


def test_a_password_is_32_digits_and_never_repeated() -> None:
    """A password written wrongly would stand in the log, and half of one in every command."""
    assert bytes(range(16)) == password_of(bytes(range(16)).hex())
    for wrong in ("", "00", "secret" * 6, "0" * 31, "0" * 34):
        try:
            password_of(wrong)
        except ConfigError as error:
            assert not wrong or wrong not in str(error)
        else:
            raise AssertionError(wrong)
