"""A line of the log that a device can cause at will."""

from __future__ import annotations

from meterlink.drivers.seldom import TOLD_EVERY_S, Seldom


def test_the_first_is_told_at_once_and_then_one_in_so_long_with_their_number() -> None:
    """A device gone mad would fill the disk with one line, or nobody would hear of it."""
    now_s = 0.0
    seldom = Seldom(lambda: now_s)
    assert 1 == seldom.times()
    for _ in range(9):
        assert 0 == seldom.times()
    now_s = TOLD_EVERY_S - 0.1
    assert 0 == seldom.times()
    now_s = TOLD_EVERY_S
    assert 11 == seldom.times()
    assert 0 == seldom.times()
