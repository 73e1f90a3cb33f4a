"""The ingest: stored first, acknowledged then; one bad line costs itself; no message can end it."""

from __future__ import annotations

import asyncio
import json
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterlink.ingest.dead_letters import DeadLetters
from meterlink.ingest.memory import MemorySink
from meterlink.ingest.subscriber import LINES_MAX, MESSAGES_MAX, Subscriber
from meterlink.model.act import KeptAct
from meterlink.model.act_envelope import ActEnvelope
from meterlink.model.envelope import Envelope
from meterlink.model.event_envelope import EventEnvelope
from meterlink.model.reading import Record
from meterlink.model.topics import event_topic, order_topic, reading_topic
from meterlink.transports.memory import MemoryBroker
from metersim.loop import Simulation
from tests.support.acts import act
from tests.support.order_acts import cancelled, created
from tests.support.records import event, record


class _World:
    """A broker, a sink, dead letters, and a subscriber between them."""

    def __init__(self, path: Path, *, messages_max: int = MESSAGES_MAX, lines_max: int = LINES_MAX) -> None:
        self.sim = Simulation(seed=1)
        self.path = path
        self.messages_max = messages_max
        self.lines_max = lines_max
        self.broker = MemoryBroker(inflight_max=1_000)
        self.sink = MemorySink()
        self.batches: list[int] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[Subscriber, DeadLetters]]:
        async with DeadLetters.open(self.path, clock=self.sim.clock) as letters:
            subscriber = Subscriber(
                self.broker,
                self,
                letters,
                random=self.sim.random,
                areas={"m1": "area 1"},
                messages_max=self.messages_max,
                lines_max=self.lines_max,
            )
            async with asyncio.TaskGroup() as tasks:
                task = tasks.create_task(subscriber.run(), name="ingest")
                await asyncio.sleep(0.01)  # it is subscribed
                yield subscriber, letters
                task.cancel()

    async def write(self, lines: Sequence[str]) -> None:
        self.batches.append(len(lines))
        await self.sink.write(lines)

    async def aclose(self) -> None:
        pass

    async def publish(self, *envelopes: Envelope) -> None:
        for each in envelopes:
            self.broker.take(reading_topic("s", each.gateway, each.record.meter), each.to_json())

    def run(self, body: Callable[[Subscriber, DeadLetters], Awaitable[None]]) -> None:
        async def main() -> None:
            async with self.running() as (subscriber, letters):
                await body(subscriber, letters)

        self.sim.run(main())

    def seconds(self) -> list[int]:
        return sorted(key[2] for key in self.sink.points)


def _envelope(n: int, *, meter: str = "m1", data_class: str = "instant", gateway: str = "g") -> Envelope:
    return Envelope(gateway=gateway, boot=1, seq=n, record=record(n, meter=meter, data_class=data_class))


def _seconds_of(*numbers: int) -> list[int]:
    return [int(record(n).readings[0].slot.timestamp()) for n in numbers]


def test_points_are_stored_in_batches_and_acknowledged(tmp_path: Path) -> None:
    """A write a message would be far too slow; an acknowledgement before it would lose readings."""
    world = _World(tmp_path / "d.db")

    async def body(subscriber: Subscriber, letters: DeadLetters) -> None:
        await world.publish(*(_envelope(n) for n in range(1, 101)))
        await asyncio.sleep(1)
        assert [100] == world.batches
        assert 100 == await letters.highest_seq("g")
        assert (100, 0, True) == (subscriber.stored, subscriber.buried, subscriber.connected)

    world.run(body)
    assert _seconds_of(*range(1, 101)) == world.seconds()
    ((measurement, tags, _), fields), *_ = world.sink.points.items()
    assert "instant" == measurement
    assert (("area", "area 1"), ("gateway", "g"), ("meter", "m1"), ("site", "s")) == tags
    assert {"item_t0": 1.0, "item_t1": 1.01} == fields
    # Acknowledged: a new connection of the same session gets nothing again.
    world.run(lambda _subscriber, _letters: asyncio.sleep(1))
    assert [100] == world.batches


def test_orders_are_points_or_pass_and_never_dead_letters(tmp_path: Path) -> None:
    """An order would reach no database, or each note in its log be buried as rubbish."""
    world = _World(tmp_path / "d.db")

    async def body(subscriber: Subscriber, letters: DeadLetters) -> None:
        first = created()
        for number, one in enumerate((first, cancelled(first), act(2, verb="approve")), start=1):
            kept = KeptAct(number=number, hash="00" * 32, act=one)
            told = ActEnvelope(gateway="g", boot=1, seq=number, kept=kept)
            world.broker.take(order_topic("s", "g", "m1"), told.to_json())
            if number == 1:
                world.broker.take(order_topic("s", "g", "m2"), told.to_json())
        await asyncio.sleep(1)
        assert (2, 1, 3) == (subscriber.stored, subscriber.buried, await letters.highest_seq("g"))
        assert "meter 'm1'" in (await letters.newest(1))[0].words

    world.run(body)
    assert {"order"} == {measurement for measurement, _, _ in world.sink.points}
    assert {"top_up_created", "top_up_cancelled"} <= set().union(*world.sink.points.values())


def test_events_are_points_of_their_own_measurement(tmp_path: Path) -> None:
    """An event would reach no database, or its number stand among the readings."""
    world = _World(tmp_path / "d.db")

    async def body(subscriber: Subscriber, letters: DeadLetters) -> None:
        await world.publish(_envelope(1))
        told = EventEnvelope(gateway="g", boot=1, seq=2, event=event(2))
        world.broker.take(event_topic("s", "g", "m1"), told.to_json())
        world.broker.take(event_topic("s", "g", "m2"), told.to_json())
        await asyncio.sleep(1)
        assert (2, 1, 2) == (subscriber.stored, subscriber.buried, await letters.highest_seq("g"))
        assert "meter 'm1'" in (await letters.newest(1))[0].words

    world.run(body)
    [(fields, tags)] = [(fields, key[1]) for key, fields in world.sink.points.items() if key[0] == "event"]
    assert (("area", "area 1"), ("gateway", "g"), ("meter", "m1"), ("site", "s")) == tags
    assert (1.0, 2.0) == (fields["power_down"], fields["power_down_event_number"])


def test_a_batch_has_a_limit(tmp_path: Path) -> None:
    """A day's backlog in one request would be refused by every server, for ever."""
    world = _World(tmp_path / "d.db", messages_max=30, lines_max=20)

    async def body(_subscriber: Subscriber, _letters: DeadLetters) -> None:
        await world.publish(*(_envelope(n) for n in range(1, 101)))
        await asyncio.sleep(1)

    world.run(body)
    assert [20] * 5 == world.batches


def test_a_slow_stream_is_written_soon(tmp_path: Path) -> None:
    """A reading a second must be in the database about a second later, not when a batch is full."""
    world = _World(tmp_path / "d.db")

    async def body(_subscriber: Subscriber, _letters: DeadLetters) -> None:
        for n in range(1, 6):
            await world.publish(_envelope(n))
            await asyncio.sleep(0.3)
            assert n == len(world.batches)

    world.run(body)


def test_while_the_sink_is_away_nothing_is_acknowledged(tmp_path: Path) -> None:
    """What was acknowledged is gone from the broker; after a crash it would be nowhere."""
    world = _World(tmp_path / "d.db")

    async def away(subscriber: Subscriber, letters: DeadLetters) -> None:
        world.sink.away = "503"
        await world.publish(*(_envelope(n) for n in range(1, 11)))
        await asyncio.sleep(3600)
        assert (0, True) == (subscriber.stored, subscriber.connected)
        assert 0 == await letters.highest_seq("g")

    world.run(away)  # and it is killed in this state
    tries = len(world.batches)
    assert 120 <= tries <= 300  # an hour of waits of at most 30 s
    world.sink.away = ""
    world.run(lambda _subscriber, _letters: asyncio.sleep(1))
    assert _seconds_of(*range(1, 11)) == world.seconds()


def test_a_sink_that_returns_is_used_soon(tmp_path: Path) -> None:
    """After a night without database the first reading must not wait for a person."""
    world = _World(tmp_path / "d.db")

    async def body(_subscriber: Subscriber, _letters: DeadLetters) -> None:
        world.sink.away = "503"
        await world.publish(_envelope(1))
        await asyncio.sleep(12 * 3600)
        world.sink.away = ""
        await asyncio.sleep(31)
        assert _seconds_of(1) == world.seconds()

    world.run(body)


@pytest.mark.parametrize("bad", [{1}, {50}, {100}, {1, 2, 3}, {10, 60, 61, 90}, set(range(1, 101))])
def test_a_refused_line_is_buried_alone(tmp_path: Path, bad: set[int]) -> None:
    """F39: one line that the database refuses must cost itself, never its neighbours, and leave the words."""
    world = _World(tmp_path / "d.db")

    async def body(subscriber: Subscriber, letters: DeadLetters) -> None:
        # An item of another type than the first value of its field: a conflict that only the server sees.
        await world.sink.write(["conflicting,x=y item_t0=1i,item_t1=1i 1"])
        await world.publish(
            *(_envelope(n, data_class="conflicting" if n in bad else "instant") for n in range(1, 101))
        )
        await asyncio.sleep(1)
        found = await letters.newest(1_000)
        assert len(bad) == len(found) == subscriber.buried
        assert all("field type conflict" in each.words for each in found)
        assert all(each.content.startswith(b"conflicting,") for each in found)
        assert 100 == await letters.highest_seq("g")

    world.run(body)
    stored = {key[2] for key in world.sink.points if key[0] == "instant"}
    assert {*_seconds_of(*({*range(1, 101)} - bad))} == stored


def _spoilt() -> dict[str, tuple[str, bytes]]:
    good = _envelope(1).to_json()
    topic = reading_topic("s", "g", "m1")
    return {
        "no JSON": (topic, b"\xff"),
        "no envelope": (topic, b"{}"),
        "another version": (topic, good.replace(b'"v":1', b'"v":2')),
        "another meter": (reading_topic("s", "g", "m2"), good),
        "another gateway": (reading_topic("s", "h", "m1"), good),
        "a value beyond all floats": (topic, good.replace(b'"1.00"', b'"1e999"').replace(b'"1"', b'"1e999"')),
        "a name with a line end": (topic, good.replace(b'"instant"', b'"in\\nstant"')),
        "a lone surrogate": (topic, good.replace(b'"instant"', b'"\\ud800"')),
        "a number too long": (topic, good.replace(b'"seq":1', b'"seq":99999999999999999999999')),
    }


@pytest.mark.parametrize("kind", _spoilt())
def test_what_is_no_envelope_is_buried_and_passed(tmp_path: Path, kind: str) -> None:
    """A stranger's message must neither stop the ingest nor come again for ever."""
    world = _World(tmp_path / "d.db")
    topic, payload = _spoilt()[kind]
    assert payload != _envelope(1).to_json() or topic != reading_topic("s", "g", "m1")

    async def body(_subscriber: Subscriber, letters: DeadLetters) -> None:
        world.broker.take(topic, payload)
        await world.publish(_envelope(2))
        await asyncio.sleep(1)
        (letter,) = await letters.newest(10)
        assert (topic, payload) == (letter.topic, letter.content)
        assert letter.words
        assert _seconds_of(2) == world.seconds()

    world.run(body)
    batches = list(world.batches)
    world.run(lambda _subscriber, _letters: asyncio.sleep(1))
    assert batches == world.batches  # acknowledged


def _json(value: object) -> bytes:
    """An envelope with one field replaced by anything, as its JSON."""
    document = json.loads(_envelope(1).to_json())
    fields = list(document)
    document[fields[zlib.crc32(repr(value).encode()) % len(fields)]] = value
    return json.dumps(document).encode("utf-8", errors="surrogatepass")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=100)
@given(
    payloads=st.lists(
        st.binary(max_size=50)
        | st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=5,
        ).map(_json),
        max_size=5,
    )
)
def test_no_message_ends_the_ingest(tmp_path_factory: pytest.TempPathFactory, payloads: list[bytes]) -> None:
    """Whatever somebody publishes on our topics costs a dead letter, never the readings of others."""
    world = _World(tmp_path_factory.mktemp("d") / "d.db")

    async def body(_subscriber: Subscriber, _letters: DeadLetters) -> None:
        for payload in payloads:
            world.broker.take(reading_topic("s", "g", "m1"), payload)
        await world.publish(_envelope(2))
        await asyncio.sleep(1)

    world.run(body)
    assert _seconds_of(2)[0] in world.seconds()  # some of the others may be right by chance


def test_progress_holds_per_gateway_and_after_redelivery(tmp_path: Path) -> None:
    """The embedded broker is rewound to this number: too high, and rows between would never come again."""
    world = _World(tmp_path / "d.db")

    async def body(_subscriber: Subscriber, letters: DeadLetters) -> None:
        await world.publish(*(_envelope(n) for n in range(1, 11)), _envelope(500, gateway="h"))
        await asyncio.sleep(1)
        assert (10, 500) == (await letters.highest_seq("g"), await letters.highest_seq("h"))
        await world.publish(*(_envelope(n) for n in range(5, 9)))  # the relay began again at 5 ...
        await asyncio.sleep(1)
        assert 8 == await letters.highest_seq("g")
        await world.publish(*(_envelope(n) for n in range(9, 13)))  # ... and went on
        await asyncio.sleep(1)
        assert 12 == await letters.highest_seq("g")

    world.run(body)


def test_a_record_of_many_slots_is_many_points(tmp_path: Path) -> None:
    """A curve block must not collapse into its last point."""
    world = _World(tmp_path / "d.db")
    readings = tuple(each for n in range(5) for each in record(n).readings)
    block = Record(meter="m1", data_class="curve", readings=readings)

    async def body(_subscriber: Subscriber, _letters: DeadLetters) -> None:
        await world.publish(Envelope(gateway="g", boot=1, seq=1, record=block))
        await asyncio.sleep(1)

    world.run(body)
    assert _seconds_of(*range(5)) == world.seconds()
