"""Who of a round is put aside, and until when: others need the time, and a meter needs some to come back.

A meter is asked as often as its plan says, then it rests, each time for twice as long until it answers again;
how long it rested last is known in the next slot too, so that a dead meter costs its line at most two tries
more in a slot than its budget. A line that is down rests by itself, and costs nobody a try.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from meterlink.acquisition.collector import NAP_MIN_S
from meterlink.acquisition.plans import Plan
from meterlink.acquisition.poller import LATE_ANSWER_S
from meterlink.acquisition.rounds import NO_TRY, Task
from meterlink.acquisition.troubles import LINE_REST_MAX_S, LINE_REST_S
from meterlink.clock import Clock

FIRST_REST_S: Final = 30.0
"""The first rest of a meter: a slot of some minutes is to see several tries."""
REST_MAX_S: Final = 3_600.0
"""The longest rest of a meter in a long slot; in a short one, half of the slot."""


class PutAside:
    """The tasks of the rounds of one plan on one line.

    Args:
        plan: whose budget of tries and interval hold.
        clock: monotonic time.

    """

    def __init__(self, plan: Plan, clock: Clock) -> None:
        self._tries = plan.tries
        self._rest_max_s = max(FIRST_REST_S, min(REST_MAX_S, plan.every_s / 2))
        self._clock = clock
        self._rests: dict[str, float] = {}
        self._line_rest_s = LINE_REST_S
        self._waiting: list[tuple[float, Task]] = []

    def begin(self, tasks: Sequence[Task]) -> None:
        """A round begins: all may be asked at once, those also who rest."""
        now_s = self._clock.monotonic_s()
        self._waiting = [(now_s, task) for task in tasks]

    @property
    def left(self) -> list[Task]:
        """What is not read."""
        return [task for _, task in self._waiting]

    def take(self) -> list[Task]:
        """Who may be asked now; whoever is not done comes back with ``put``."""
        now_s = self._clock.monotonic_s()
        ready = [task for until_s, task in self._waiting if until_s <= now_s]
        self._waiting = [(until_s, task) for until_s, task in self._waiting if until_s > now_s]
        return ready

    def put(self, failed: Sequence[Task]) -> None:
        """Put aside whom a pass did not read to the end."""
        now_s = self._clock.monotonic_s()
        is_unusable = any(task.trouble is not None and task.trouble[0] in NO_TRY for task in failed)
        line_rest_s = self._line_rest_s
        self._line_rest_s = min(2 * line_rest_s, LINE_REST_MAX_S) if is_unusable else LINE_REST_S
        for task in failed:
            self._waiting.append((now_s + self._rest_s(task, line_rest_s), task))

    def answers(self, meter: str) -> None:
        """A meter is there."""
        self._rests.pop(meter, None)

    def wait_s(self) -> float:
        """Until somebody may be asked; something must be left."""
        first_s = min(until_s for until_s, _ in self._waiting)
        return max(first_s - self._clock.monotonic_s(), NAP_MIN_S)

    def _rest_s(self, task: Task, line_rest_s: float) -> float:
        """For how long a task is left alone."""
        if task.trouble is not None and task.trouble[0] in NO_TRY:
            return line_rest_s
        if task.tries < self._tries:
            return LATE_ANSWER_S
        meter = task.point.meter
        self._rests[meter] = min(max(2 * self._rests.get(meter, 0.0), FIRST_REST_S), self._rest_max_s)
        return self._rests[meter]
