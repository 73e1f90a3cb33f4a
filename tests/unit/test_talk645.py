"""Asking a DL/T 645 meter for one identifier: which refusal is believed."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping

import pytest

from meterlink.bus.exchange import Session
from meterlink.bus.queue import Priority
from meterlink.clock import SystemClock
from meterlink.drivers.dlt645.talk import EVERY_METER_HAS, Talk645, Told
from meterlink.errors import Refused, ReplyTimeout
from meterprofiles import generic
from meterwire.dlt645 import Frame, decode, encode
from tests.support.scripted_line import telling

_ADDRESS = "000000000161"
_ENERGY, _VOLTAGE = 0x00010000, 0x02010100
_TOLD = {_ENERGY: "56341200", _VOLTAGE: "5622"}
_PROFILE = generic("dlt645-2007")


def _refusal(word: int = 0x02) -> Frame:
    return Frame(address=_ADDRESS, function=0x11, data=bytes((word,)), from_meter=True, abnormal=True)


class _Late:
    """A line on which answers are owed from before: they come first, in their order.

    Args:
        told: what the meter has.
        owed: answers to older questions.

    """

    name = "late"

    def __init__(self, told: Mapping[int, str], *owed: Frame) -> None:
        self._answers = telling(told, _ADDRESS)
        self._owed = deque(owed)
        self.asked: list[int] = []

    async def exchange(self, session: Session, *, priority: Priority) -> None:
        """See ``Line.exchange``."""
        del priority
        request = decode(session.octets_to_send())
        self.asked.append(int.from_bytes(request.data[:4], "little"))
        answer = self._answers(request)
        assert isinstance(answer, Frame)
        self._owed.append(answer)
        while self._owed and not session.finished:
            session.feed(encode(self._owed.popleft()))
        if not session.finished:
            session.expire()
            raise ReplyTimeout("no answer in time")


def _ask(line: _Late, item: str = "voltage.a") -> Told:
    talk = Talk645(SystemClock(), _PROFILE)
    entry = _PROFILE.dictionary.by_name(item)
    assert entry is not None
    return asyncio.run(talk.ask(line, _ADDRESS, entry, priority=Priority.CURVE))


@pytest.mark.parametrize("late", [1, 2, 3])
def test_refusals_of_older_questions_close_nothing(late: int) -> None:
    """A meter that answers late would lose an item for the day, and a settlement for ever."""
    line = _Late(_TOLD, *(_refusal() for _ in range(late)))
    assert "5622" == _ask(line).octets.hex()


def test_what_a_meter_lacks_is_believed() -> None:
    """An item that a meter does not have would be asked for in every round."""
    line = _Late({_ENERGY: _TOLD[_ENERGY]}, _refusal())
    with pytest.raises(Refused) as caught:
        _ask(line)
    assert caught.value.no_such
    assert [_VOLTAGE, _ENERGY] == line.asked[:2]


@pytest.mark.parametrize("words", [(0x02, 0x01), (0x01, 0x02), (0x01, 0x01)])
def test_late_refusals_of_other_kinds_close_nothing(words: tuple[int, int]) -> None:
    """One late "other error" before it would make a late "no such data" the second in a row."""
    line = _Late(_TOLD, *map(_refusal, words))
    try:
        assert "5622" == _ask(line).octets.hex()
    except Refused as error:
        assert not error.no_such


def test_what_may_pass_costs_no_question_between() -> None:
    """A meter that is busy would be asked twice as often as it has to be."""
    line = _Late(_TOLD, _refusal(0x01))
    assert "5622" == _ask(line).octets.hex()
    assert [_VOLTAGE, _VOLTAGE] == line.asked


def test_the_item_that_parts_is_another_than_the_one_refused() -> None:
    """Its own refusal would be taken for a late one without end."""
    meter_time = _PROFILE.dictionary.by_name(EVERY_METER_HAS[1])
    assert meter_time is not None
    line = _Late({meter_time.di: "000012"})
    with pytest.raises(Refused):
        _ask(line, "forward_active_energy")
    assert [_ENERGY, meter_time.di, _ENERGY] == line.asked


def test_a_meter_that_refuses_everything_is_asked_so_often_and_no_more() -> None:
    """A meter that says no to all would be asked without end."""
    line = _Late({})
    with pytest.raises(Refused):
        _ask(line)
    assert [_VOLTAGE, _ENERGY, _ENERGY, _VOLTAGE] == line.asked


@pytest.mark.parametrize("edition", ["dlt645-2007", "dlt645-1997"])
def test_every_edition_has_what_parts(edition: str) -> None:
    """Meters of an edition without it would be believed by two late refusals."""
    items = generic(edition).dictionary
    assert all(items.by_name(item) is not None for item in EVERY_METER_HAS)
