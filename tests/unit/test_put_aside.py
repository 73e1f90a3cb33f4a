"""Who of a round is put aside, and for how long."""

from __future__ import annotations

from collections import deque

import pytest

from meterlink.acquisition.collector import NAP_MIN_S
from meterlink.acquisition.plans import Plan, Point
from meterlink.acquisition.poller import LATE_ANSWER_S
from meterlink.acquisition.put_aside import FIRST_REST_S, REST_MAX_S, PutAside
from meterlink.acquisition.rounds import Task
from meterlink.acquisition.troubles import LINE_REST_MAX_S, LINE_REST_S
from meterlink.model.slot import Reason
from metersim.loop import SimClock
from tests.support.records import EPOCH

_TRIES = 2


class _Round:
    """A round of one meter."""

    def __init__(self, every_s: int) -> None:
        self.clock = SimClock(EPOCH)
        self.aside = PutAside(Plan(name="p", every_s=every_s, items=("voltage.a",), tries=_TRIES), self.clock)
        self.begin()

    def begin(self) -> None:
        self.task = Task(Point(meter="m1", address="1"), deque(["voltage.a"]))
        self.aside.begin([self.task])

    def rest_s(self, reason: Reason = Reason.SILENT) -> float:
        """For how long the meter is left alone behind a try that came to that."""
        assert [self.task] == self.aside.take()
        self.task.trouble = reason, ""
        self.task.tries += reason is Reason.SILENT
        self.aside.put([self.task])
        rest_s = self.aside.wait_s()
        assert [] == self.aside.take()
        self.clock.advance(rest_s)
        return rest_s


def _grown(first_s: float, most_s: float, times: int) -> list[float]:
    return [min(first_s * 2**number, most_s) for number in range(times)]


@pytest.mark.parametrize(
    ("every_s", "most_s"), [(30, FIRST_REST_S), (900, 450.0), (7_200, REST_MAX_S), (86_400, REST_MAX_S)]
)
def test_a_silent_meter_rests_ever_longer_until_it_answers(every_s: int, most_s: float) -> None:
    """A dead meter would cost its line time in each slot, or one that came back wait as if it were dead."""
    one = _Round(every_s)
    assert [LATE_ANSWER_S] * (_TRIES - 1) == [one.rest_s() for _ in range(_TRIES - 1)]
    assert pytest.approx(_grown(FIRST_REST_S, most_s, 8)) == [one.rest_s() for _ in range(8)]
    one.begin()
    assert [LATE_ANSWER_S, most_s] == pytest.approx([one.rest_s(), one.rest_s()]), "as in the slot before"
    one.aside.answers("m1")
    assert FIRST_REST_S == pytest.approx(one.rest_s())


@pytest.mark.parametrize("reason", [Reason.LINE_DOWN, Reason.LINE_SLOW])
def test_a_line_rests_ever_longer_until_it_carries_a_question(reason: Reason) -> None:
    """A line that is down for weeks would be tried every five seconds, or each next trouble last a minute."""
    one = _Round(86_400)
    assert _grown(LINE_REST_S, LINE_REST_MAX_S, 6) == pytest.approx([one.rest_s(reason) for _ in range(6)])
    assert LATE_ANSWER_S == pytest.approx(one.rest_s()), "the meter has its whole budget"
    assert LINE_REST_S == pytest.approx(one.rest_s(reason))


def test_nobody_waits_for_less_than_clocks_differ() -> None:
    """Two clocks that do not tick together would make a round spin."""
    one = _Round(900)
    assert NAP_MIN_S == one.aside.wait_s()
