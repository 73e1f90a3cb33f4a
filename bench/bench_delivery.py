"""From the journal over MQTT to line protocol, and points into a database; each beside the bare library.

A journal that holds thousands of records is followed by the relay, mosquitto carries a message for each, and
the ingest makes line protocol of them. The yardstick is aiomqtt alone with as many messages of the same
octets: one client publishes with as many under way as the relay has, another one takes them.

Points go into VictoriaMetrics from records such as these messages hold; the yardstick makes influxdb-client's
``Point`` objects of the same records, and hands them over in batches of the same size.

Usage: ``python -m bench.bench_delivery`` prints one JSON object; without the two servers it says so.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiomqtt
import structlog
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write.point import Point
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from tests.support.servers import Mosquitto, VictoriaMetrics

from bench.bench_journal import record
from meterlink.clock import SystemClock
from meterlink.ingest.dead_letters import DeadLetters
from meterlink.ingest.influx import InfluxSink
from meterlink.ingest.line_protocol import lines_of
from meterlink.ingest.subscriber import LINES_MAX, Subscriber
from meterlink.journal.journal import Journal
from meterlink.model.envelope import Envelope
from meterlink.publish.relay import WINDOW, Relay
from meterlink.transports.mqtt import MqttConnector

ROUNDS = 3
MESSAGES = 4_000
POINTS = 20_000
_LOOPBACK = "127.0.0.1"
_LOOK_S = 0.01


class _Counting:
    """A sink that costs nothing."""

    def __init__(self) -> None:
        self.lines = 0

    async def write(self, lines: Sequence[str]) -> None:
        """Count."""
        self.lines += len(lines)

    async def aclose(self) -> None:
        """Nothing is held."""


async def _delivered(folder: Path, port: int) -> float:
    """Ours: messages a second from the log to line protocol."""
    clock, sink = SystemClock(), _Counting()
    async with AsyncExitStack() as stack:
        journal = await stack.enter_async_context(Journal.open(folder / "journal.sqlite3", clock=clock))
        await asyncio.gather(*(journal.keep(record(number)) for number in range(MESSAGES)))
        letters = await stack.enter_async_context(DeadLetters.open(folder / "ingest.sqlite3", clock=clock))
        connector, rng = MqttConnector(_LOOPBACK, port), random.Random(1)
        subscriber = Subscriber(connector, sink, letters, random=rng, client_id=folder.name)
        relay = Relay(journal, connector, site="site", gateway=folder.name, random=rng)
        async with asyncio.TaskGroup() as group:
            ingest = group.create_task(subscriber.run())
            await subscriber.subscribed.wait()
            begun = time.perf_counter()
            publishing = group.create_task(relay.run())
            while sink.lines < MESSAGES:  # noqa: ASYNC110  # an event would be a cost of ours
                await asyncio.sleep(_LOOK_S)
            took_s = time.perf_counter() - begun
            ingest.cancel()
            publishing.cancel()
    return MESSAGES / took_s


async def _carried(port: int, payload: bytes) -> float:
    """The yardstick: messages a second through aiomqtt alone."""
    places = asyncio.Semaphore(WINDOW)
    async with (
        aiomqtt.Client(_LOOPBACK, port, max_inflight_messages=WINDOW) as sender,
        aiomqtt.Client(_LOOPBACK, port) as taker,
    ):
        await taker.subscribe("bench/#", qos=1)

        async def publish() -> None:
            async with places:
                await sender.publish("bench/m", payload, qos=1)

        async def take() -> None:
            left = MESSAGES
            async for _ in taker.messages:
                left -= 1
                if not left:
                    return

        begun = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            group.create_task(take())
            for _ in range(MESSAGES):
                await places.acquire()
                places.release()
                group.create_task(publish())
        return MESSAGES / (time.perf_counter() - begun)


def _envelopes(count: int) -> list[Envelope]:
    return [Envelope(gateway="gw", boot=1, seq=number + 1, record=record(number)) for number in range(count)]


async def _stored(url: str, envelopes: Sequence[Envelope]) -> float:
    """Ours: points a second into the database."""
    sink = InfluxSink(url, token="", org="o", bucket="b")
    begun = time.perf_counter()
    for first in range(0, len(envelopes), LINES_MAX):
        lines: list[str] = []
        for envelope in envelopes[first : first + LINES_MAX]:
            lines += lines_of(envelope, site="site")
        await sink.write(lines)
    took_s = time.perf_counter() - begun
    await sink.aclose()
    return len(envelopes) / took_s


def _point(envelope: Envelope) -> Any:
    kept = envelope.record
    point: Any = Point(kept.data_class)  # type: ignore[no-untyped-call]
    point = point.tag("gateway", envelope.gateway).tag("meter", kept.meter).tag("site", "site")
    for reading in kept.readings:
        point = point.field(reading.item.replace(".", "_"), float(reading.value or 0))
    return point.time(kept.readings[0].slot, WritePrecision.S)


def _stored_as_points(url: str, envelopes: Sequence[Envelope]) -> float:
    """The yardstick: the same through ``Point`` objects."""
    with InfluxDBClient(url=url, token="", org="o") as client:
        writer = client.write_api(write_options=SYNCHRONOUS)
        begun = time.perf_counter()
        for first in range(0, len(envelopes), LINES_MAX):
            points = [_point(envelope) for envelope in envelopes[first : first + LINES_MAX]]
            writer.write("b", "o", points, WritePrecision.S)
        return len(envelopes) / (time.perf_counter() - begun)


def _measure() -> dict[str, float]:
    rates: dict[str, list[float]] = {"meterlink": [], "aiomqtt": [], "ingest": [], "Point objects": []}
    envelopes = _envelopes(POINTS)
    payload = envelopes[0].to_json()
    broker = Mosquitto()
    broker.survives_kill = False
    with broker, VictoriaMetrics() as database:
        for _ in range(ROUNDS):
            rates["aiomqtt"].append(asyncio.run(_carried(broker.port, payload)))
            with tempfile.TemporaryDirectory(prefix="bench") as folder:
                rates["meterlink"].append(asyncio.run(_delivered(Path(folder), broker.port)))
            rates["ingest"].append(asyncio.run(_stored(database.url, envelopes)))
            rates["Point objects"].append(_stored_as_points(database.url, envelopes))
    return {name: statistics.median(values) for name, values in rates.items()}


def main() -> None:
    """Measure and print."""
    logging.getLogger("mqtt").setLevel(logging.ERROR)  # aiomqtt tells how many are under way
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    document: dict[str, Any] = {
        "bench": "journal to MQTT to line protocol; points into VictoriaMetrics",
        "unit": "messages of 5 readings a second; points of 5 fields a second",
        "rounds": ROUNDS,
        "medians": {},
        "ratios": {},
        "goals": {"meterlink / aiomqtt": "must 0.5, goal 0.8", "ingest / Point objects": "must 2, goal 5"},
    }
    if missing := [*Mosquitto.missing(), *VictoriaMetrics.missing()]:
        document["notes"] = {
            "en": [f"Delivery was not measured: {', '.join(missing)} is absent; `make servers` installs it."],
            "zh": [f"未测量投递：缺少 {', '.join(missing)}，可用 `make servers` 安装。"],
        }
    else:
        rates = _measure()
        document["medians"] = {name: round(rate) for name, rate in rates.items()}
        document["ratios"] = {
            "meterlink / aiomqtt": round(rates["meterlink"] / rates["aiomqtt"], 2),
            "ingest / Point objects": round(rates["ingest"] / rates["Point objects"], 1),
        }
    print(json.dumps(document, indent=2))


if __name__ == "__main__":
    main()
