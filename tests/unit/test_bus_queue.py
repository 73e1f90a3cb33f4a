"""Who gets the line next."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.bus.queue import Priority, TicketQueue
from meterlink.errors import BusFull


class _Time:
    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def _order(arrivals: list[tuple[float, Priority]]) -> list[int]:
    time = _Time()
    queue: TicketQueue[int] = TicketQueue(time, tickets_max=len(arrivals) or 1)
    for number, (after_s, priority) in enumerate(arrivals):
        time.now_s += after_s
        queue.put(number, priority)
    return [queue.take() for _ in arrivals]


_ARRIVALS = st.lists(st.tuples(st.floats(0, 5000), st.sampled_from(list(Priority))), max_size=30)


@given(_ARRIVALS)
def test_order_of_tickets(arrivals: list[tuple[float, Priority]]) -> None:
    """A reconnection would wait behind a backfill, or a backfill for ever."""
    order = _order(arrivals)
    tiers = [arrivals[number][1].value[0] for number in order]
    assert sorted(tiers) == tiers, "control first, then on demand, then the rest"
    for priority in Priority:
        same = [number for number in order if arrivals[number][1] is priority]
        assert sorted(same) == same, "equal priorities keep their order"


def test_the_rest_ages() -> None:
    """Backfill on a busy line would starve."""
    arrivals = [(0.0, Priority.BACKFILL), (1.0, Priority.BILLING), (700.0, Priority.BILLING)]
    assert [1, 0, 2] == _order(arrivals)


def test_a_full_queue_refuses_at_once() -> None:
    """A dead line would collect requests until the memory is gone."""
    queue: TicketQueue[int] = TicketQueue(lambda: 0.0, tickets_max=2)
    queue.put(1, Priority.CURVE)
    queue.put(2, Priority.CURVE)
    with pytest.raises(BusFull):
        queue.put(3, Priority.CONTROL)
    assert 2 == len(queue)
    assert [1, 2] == sorted(queue.drain())
