"""The timer of a line."""

from __future__ import annotations

import asyncio
import gc
import weakref

import pytest

from meterlink.bus.alarm import Alarm, Rung
from metersim.loop import Simulation


def test_a_wait_ends_at_its_deadline_not_before_nor_later() -> None:
    """A dead meter would hold the line, or a slow one be cut off."""

    async def program() -> None:
        alarm = Alarm()
        for wait_s in (1.0, 0.25, 2.0, 0.5):  # shorter and longer than the one before
            begun = alarm.now()
            with pytest.raises(TimeoutError), alarm.until(begun + wait_s):
                await asyncio.Event().wait()
            assert begun + wait_s == alarm.now()
        alarm.close()

    Simulation().run(program())


def test_what_comes_in_time_is_taken() -> None:
    """A timer of an earlier wait would cut off a later one."""

    async def program() -> None:
        alarm = Alarm()
        with alarm.until(alarm.now() + 1):
            await asyncio.sleep(0.9)
        with alarm.until(alarm.now() + 1):
            await asyncio.sleep(0.9)  # the first wait's timer rings in between
        task = asyncio.current_task()
        assert task is not None
        assert 0 == task.cancelling()
        alarm.close()

    Simulation().run(program())


def test_a_cancellation_stays_one() -> None:
    """Stopping the daemon would look like a silent meter, and the line would go on."""

    async def wait(outcome: list[str]) -> None:
        alarm = Alarm()
        try:
            with alarm.until(alarm.now() + 1):
                await asyncio.Event().wait()
        except TimeoutError:
            outcome.append("timeout")
        except asyncio.CancelledError:
            outcome.append("cancelled")
            raise
        finally:
            alarm.close()

    async def program() -> list[str]:
        outcome: list[str] = []
        task = asyncio.get_running_loop().create_task(wait(outcome))
        await asyncio.sleep(0.5)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        both = asyncio.get_running_loop().create_task(wait(outcome))
        await asyncio.sleep(0.999999)
        asyncio.get_running_loop().call_later(0.000001, both.cancel)  # in the same turn as the alarm
        await asyncio.wait([both])
        assert both.cancelled()
        return outcome

    outcome = Simulation().run(program())
    assert "cancelled" == outcome[0]


@pytest.mark.parametrize("closed", [True, False])
def test_nothing_stays_armed_behind(closed: bool) -> None:
    """A timer that outlives its line keeps the line's memory; ``close`` is what ends it."""

    async def program() -> bool:
        alarm = Alarm()
        with alarm.until(alarm.now() + 1):
            pass
        if closed:
            alarm.close()
            alarm.close()  # harmless
        left = weakref.ref(alarm)
        del alarm
        gc.collect()
        return left() is None

    assert closed is Simulation().run(program())


def test_who_rings_ends_the_wait_in_progress_or_the_next_one() -> None:
    """A request that comes while the line listens, or just before, would lie there until octets come."""

    async def program() -> None:
        alarm, loop = Alarm(), asyncio.get_running_loop()
        for deadline in (None, alarm.now() + 9):
            begun = alarm.now()
            loop.call_later(1, alarm.ring)
            loop.call_later(1, alarm.ring)  # twice is once
            with pytest.raises(Rung), alarm.until(deadline):
                await asyncio.Event().wait()
            assert begun + 1 == alarm.now()
            alarm.ring()
            with pytest.raises(Rung), alarm.until(deadline):
                pytest.fail("the wait began")
            with alarm.until(deadline):
                await asyncio.sleep(1)  # nobody has rung since
        task = asyncio.current_task()
        assert task is not None
        assert 0 == task.cancelling()
        alarm.close()

    Simulation().run(program())
