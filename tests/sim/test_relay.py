"""The relay: every row at least once, in order, at most a window twice a break; no row holds back others."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from meterlink.errors import ConfigError, JournalError
from meterlink.journal.journal import Journal
from meterlink.journal.store import Step, Store
from meterlink.model.act import Topic
from meterlink.model.act_envelope import ActEnvelope
from meterlink.model.envelope import Envelope
from meterlink.model.event_envelope import EventEnvelope
from meterlink.publish.relay import SINK, Relay
from meterlink.transports.memory import MemoryBroker
from metersim.loop import Simulation
from tests.support.acts import act
from tests.support.crash import crashing_at
from tests.support.order_acts import alarmed, cancelled, created
from tests.support.records import event, record

_TOLD = {Topic.ORDER, Topic.ALARM}


class _World:
    """A journal, a broker that remembers what it took, and a relay between them."""

    def __init__(self, path: Path, *, seed: int = 1, window: int = 10) -> None:
        self.sim = Simulation(seed=seed)
        self.path = path
        self.window = window
        self.taken: list[Envelope] = []
        self.broker = MemoryBroker(on_publish=self._note)
        self.opener: Callable[[Path], Store] = Store.open

    def _note(self, topic: str, payload: bytes) -> None:
        envelope = Envelope.from_json(payload)
        assert f"meterlink/v1/s/g/up/reading/{envelope.record.meter}" == topic
        assert "g" == envelope.gateway
        self.taken.append(envelope)

    def seqs(self) -> list[int]:
        return [envelope.seq for envelope in self.taken]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Journal, Relay]]:
        async with Journal.open(self.path, clock=self.sim.clock, opener=self.opener) as journal:
            relay = Relay(
                journal, self.broker, site="s", gateway="g", random=self.sim.random, window=self.window
            )
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(relay.run(), name="relay")
                yield journal, relay
                task.cancel()

    def run(self, body: Callable[[Journal, Relay], Awaitable[None]]) -> None:
        async def main() -> None:
            async with self.running() as (journal, relay):
                await body(journal, relay)

        self.sim.run(main())


async def _keep(journal: Journal, count: int, start: int = 0) -> None:
    for n in range(start, start + count):
        await journal.keep(record(n, meter=f"m{n % 3}"))


def test_every_row_is_published_once_and_in_order(tmp_path: Path) -> None:
    """Without a fault there is no excuse for a repeat, a gap or another order."""
    world = _World(tmp_path / "j.db")

    async def body(journal: Journal, relay: Relay) -> None:
        await _keep(journal, 50)
        await relay.drained()
        await _keep(journal, 5, 50)
        await relay.drained()
        assert 55 == await journal.sinks.cursor(SINK)
        assert (True, 55, 0) == (relay.connected, relay.published, relay.poisoned)

    world.run(body)
    assert list(range(1, 56)) == world.seqs()
    assert [record(n, meter=f"m{n % 3}") for n in range(55)] == [each.record for each in world.taken]


def test_events_and_readings_go_in_the_order_of_the_log(tmp_path: Path) -> None:
    """An event would wait for ever, or come before the reading that the log has in front of it."""
    sim, told = Simulation(), list[tuple[str, int]]()

    def note(topic: str, payload: bytes) -> None:
        if "/up/event/" in topic:
            envelope = EventEnvelope.from_json(payload)
            assert f"meterlink/v1/s/g/up/event/{envelope.event.meter}" == topic
            told.append((envelope.event.kind, envelope.seq))
        else:
            told.append(("reading", Envelope.from_json(payload).seq))

    async def main() -> None:
        async with Journal.open(tmp_path / "j.db", clock=sim.clock) as journal:
            relay = Relay(journal, MemoryBroker(on_publish=note), site="s", gateway="g", random=sim.random)
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(relay.run(), name="relay")
                await journal.keep(event(1))
                await journal.keep(record(2))
                await journal.keep(event(3, kind="cover_open"))
                await journal.keep(event(4, meter="no/topic"))
                await relay.drained()
                assert [4] == [log_id for log_id, _ in await journal.sinks.poisoned(SINK)]
                task.cancel()

    sim.run(main())
    assert [("power_down", 1), ("reading", 2), ("cover_open", 3)] == told


def test_orders_and_alarms_are_told_and_other_acts_pass(tmp_path: Path) -> None:
    """A dashboard would not see a trip; or evidence about a customer stand on the broker."""
    sim, told = Simulation(), list[tuple[str, bytes]]()

    async def main() -> None:
        async with Journal.open(tmp_path / "j.db", clock=sim.clock) as journal:
            broker = MemoryBroker(on_publish=lambda topic, payload: told.append((topic, payload)))
            relay = Relay(journal, broker, site="s", gateway="g", random=sim.random)
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(relay.run(), name="relay")
                first = created()
                await journal.acts.append(first, *(act(topic=topic) for topic in set(Topic) - _TOLD))
                await journal.keep(record(2))
                await journal.acts.append(cancelled(first), alarmed(), act(topic=Topic.ALARM, is_open=False))
                await journal.acts.append(replace(created(meter="no/topic"), subject="o-2"))
                await relay.drained()
                reasons = [reason for _, reason in await journal.sinks.poisoned(SINK)]
                assert ["no alarm" in reasons[0], "no/topic" in reasons[1]] == [True, True]
                assert journal.newest_id == await journal.sinks.cursor(SINK)
                kept = await journal.acts.of_subject(Topic.ORDER, "o-1")
                task.cancel()
        orders = [ActEnvelope.from_json(payload).kept for topic, payload in told if "/up/order/m1" in topic]
        assert kept == orders

    sim.run(main())
    assert ["order", "reading", "order", "event"] == [topic.split("/")[5] for topic, _ in told]
    assert "alarm.relay_fault" == EventEnvelope.from_json(told[-1][1]).event.kind


def test_no_more_than_the_window_is_under_way(tmp_path: Path) -> None:
    """A broker that takes and never answers must not make the relay pour the whole log into it."""
    world = _World(tmp_path / "j.db", window=7)
    world.broker.pubacks_to_lose = 1_000

    async def body(journal: Journal, relay: Relay) -> None:
        await _keep(journal, 50)
        await asyncio.sleep(world.broker.publish_timeout_s / 2)
        assert list(range(1, 8)) == world.seqs()
        assert 0 == await journal.sinks.cursor(SINK)
        world.broker.pubacks_to_lose = 0
        await relay.drained()

    world.run(body)
    assert list(range(1, 8)) + list(range(1, 51)) == world.seqs()


def test_the_cursor_waits_for_the_oldest(tmp_path: Path) -> None:
    """A cursor that jumped over a missing PUBACK would lose that row for ever."""
    world = _World(tmp_path / "j.db", window=5)
    world.broker.pubacks_to_lose = 1  # of the first; those behind it are acknowledged

    async def body(journal: Journal, relay: Relay) -> None:
        await _keep(journal, 20)
        await asyncio.sleep(world.broker.publish_timeout_s / 2)
        assert [1, 2, 3, 4, 5] == world.seqs()
        assert 0 == await journal.sinks.cursor(SINK)
        await relay.drained()

    world.run(body)
    assert [1, 2, 3, 4, 5, *range(1, 21)] == world.seqs()


def test_a_broker_that_is_away_is_waited_for(tmp_path: Path) -> None:
    """A day without the broker must cost neither a row nor a storm of tries."""
    world = _World(tmp_path / "j.db")
    world.broker.away = True
    day_s = 24 * 3600.0

    async def body(journal: Journal, relay: Relay) -> None:
        await _keep(journal, 200)
        await asyncio.sleep(day_s)
        assert not relay.connected
        world.broker.away = False
        before = world.sim.clock.monotonic_s()
        await relay.drained()
        assert world.sim.clock.monotonic_s() - before <= 31  # the cap of the waits

    world.run(body)
    assert list(range(1, 201)) == world.seqs()


@pytest.mark.parametrize("seed", range(10))
def test_cuts_repeat_at_most_a_window_each(tmp_path: Path, seed: int) -> None:
    """A repeat costs money on a mobile link; and after any cut each row must still arrive."""
    world = _World(tmp_path / "j.db", seed=seed)
    world.broker.transit_s = 0.02
    world.broker.puback_delay_s = 0.05
    cuts = 20

    async def body(journal: Journal, relay: Relay) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(_keep(journal, 300))
            for _ in range(cuts):
                await asyncio.sleep(world.sim.random.uniform(0.01, 0.4))
                world.broker.cut()
        await relay.drained()

    world.run(body)
    assert set(range(1, 301)) == set(world.seqs())
    assert len(world.seqs()) <= 300 + cuts * world.window
    assert max(Counter(world.seqs()).values()) <= cuts + 1
    firsts = list(dict.fromkeys(world.seqs()))
    assert sorted(firsts) == firsts  # the first time each arrives is in the order of the log


def test_a_row_that_can_never_be_taken_is_passed(tmp_path: Path) -> None:
    """One impossible row must neither hold back the others nor vanish without a trace."""
    world = _World(tmp_path / "j.db")
    world.broker.refuse = lambda _topic, payload: "too large" if b'"seq":3,' in payload else None

    async def body(journal: Journal, relay: Relay) -> None:
        await journal.keep(record(0))
        await journal.keep(record(1, meter="no/topic"))
        await _keep(journal, 4, 2)
        await relay.drained()
        poisoned = await journal.sinks.poisoned(SINK)
        assert [2, 3] == [log_id for log_id, _ in poisoned]
        assert "'no/topic' holds one of / + # \\," in poisoned[0][1]
        assert "too large" == poisoned[1][1]
        assert 2 == relay.poisoned

    world.run(body)
    assert [1, 4, 5, 6] == world.seqs()


def test_f34_a_damaged_row_is_passed(tmp_path: Path) -> None:
    """F34: rows behind a damaged one must not wait for a person to repair it."""
    world = _World(tmp_path / "j.db")
    world.broker.away = True
    world.run(lambda journal, _relay: _keep(journal, 5))
    db = sqlite3.connect(tmp_path / "j.db")
    db.execute("DROP TRIGGER reading_keeps_values")
    for log_id in (1, 3, 5):
        db.execute("UPDATE reading SET value = '?' WHERE log_id = ?", (log_id,))
    db.commit()
    db.close()
    world.broker.away = False

    async def body(journal: Journal, relay: Relay) -> None:
        await relay.drained()
        assert [1, 3, 5] == [log_id for log_id, _ in await journal.sinks.poisoned(SINK)]

    world.run(body)
    assert [2, 4] == world.seqs()


def test_a_disk_that_refuses_the_cursor_repeats_nothing(tmp_path: Path) -> None:
    """While the cursor cannot be noted the relay must wait, not publish the same window again and again."""
    world = _World(tmp_path / "j.db", window=5)
    failing = False

    class Failing(Store):
        def commit(self, steps: Sequence[Step]) -> list[int]:
            if failing:
                raise JournalError("the disk is full")
            return super().commit(steps)

    world.opener = Failing.open

    async def body(journal: Journal, relay: Relay) -> None:
        nonlocal failing
        world.broker.away = True
        await _keep(journal, 20)
        failing = True
        world.broker.away = False
        await asyncio.sleep(3600)
        assert [1, 2, 3, 4, 5] == world.seqs()
        failing = False
        await relay.drained()

    world.run(body)
    assert list(range(1, 21)) == world.seqs()


@pytest.mark.parametrize("seed", [3])
def test_f22_a_crash_at_any_commit_repeats_at_most_a_window(tmp_path: Path, seed: int) -> None:
    """F22: whatever the moment of a kill -9, nothing kept is lost, and one window at most comes twice."""
    commit = 0
    while True:
        commit += 1
        copy = tmp_path / f"copy-{commit}.db"
        world = _World(tmp_path / f"{commit}.db", seed=seed, window=4)
        world.opener = crashing_at(commit, copy)
        before = _publish_until(world, copy.exists)
        if not copy.exists():
            break
        after = _World(copy, window=4)
        after.run(lambda _journal, relay: relay.drained())
        kept = _ids_in(copy)
        assert set(kept) == {seq for seq in before if seq in kept} | set(after.seqs())
        assert len(set(before) & set(after.seqs())) <= world.window
    assert commit > 15


def _publish_until(world: _World, crashed: Callable[[], bool]) -> list[int]:
    """Keep and publish 12 rows; what the broker had taken when the crash came."""
    taken: list[int] = []

    async def body(journal: Journal, relay: Relay) -> None:
        for n in range(12):
            await journal.keep(record(n))
            if n % 3 == 0:
                await relay.drained()
            if not crashed():
                taken[:] = world.seqs()
        await relay.drained()

    def note(topic: str, payload: bytes) -> None:
        world._note(topic, payload)
        if not crashed():
            taken[:] = world.seqs()

    world.broker = MemoryBroker(on_publish=note)
    world.run(body)
    return taken


def _ids_in(path: Path) -> list[int]:
    sim = Simulation()

    async def body() -> list[int]:
        async with Journal.open(path, clock=sim.clock) as journal:
            return [row.id for row in await journal.rows_after(0, 100)]

    return sim.run(body())


@pytest.mark.parametrize("name", ["", "a/b", "a+", "#", "$SYS", "a\nb", "\x00", "ends\\", "表" * 86])
def test_names_that_cannot_stand_in_a_topic_are_refused(tmp_path: Path, name: str) -> None:
    """A name found to be impossible at night would poison every reading of that gateway."""
    world = _World(tmp_path / "j.db")

    async def body() -> None:
        async with Journal.open(tmp_path / "j.db", clock=world.sim.clock) as journal:
            with pytest.raises(ConfigError, match=r"gateway: .*(choose|empty)"):
                Relay(journal, world.broker, site="s", gateway=name, random=world.sim.random)

    world.sim.run(body())


def test_a_stop_in_the_moment_in_which_the_broker_goes_away(tmp_path: Path) -> None:
    """The daemon would be stopped, and go on looking for its broker until it is killed."""
    lost = []
    for turn in range(12):
        world = _World(tmp_path / f"j{turn}.db")

        async def main(world: _World = world, turn: int = turn) -> bool:
            loop = asyncio.get_running_loop()
            async with Journal.open(world.path, clock=world.sim.clock) as journal:
                relay = Relay(journal, world.broker, site="s", gateway="g", random=world.sim.random)
                task = loop.create_task(relay.run())
                await _keep(journal, 1)
                await relay.drained()

                def hop(left: int) -> None:
                    if left:
                        loop.call_soon(hop, left - 1)
                    else:
                        task.cancel()

                await _keep(journal, 1)
                world.broker.cut()
                hop(turn)
                await asyncio.sleep(1)
                ended = task.done()
                while not task.done():
                    task.cancel()
                    await asyncio.wait([task], timeout=1)
                return ended

        if not world.sim.run(main()):
            lost.append(turn)
    assert [] == lost
