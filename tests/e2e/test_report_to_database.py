"""A power failure, all the way: a terminal that dials in, the daemon, mosquitto, the databases' query APIs.

Nobody asks for it: the terminal reports it, and is told that it was kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

from meterlink.clock import SystemClock as Clock
from meterlink.model.event import Event
from meterlink.model.event_envelope import EventEnvelope
from meterlink.model.topics import EVENTS_FILTER
from meterlink.transports.mqtt import MqttConnector
from metersim import Line, Station
from metersim.dlt698.meter import Meter698
from metersim.dlt698.terminal import Terminal, open_dialling
from metersim.serving.served import SystemClock
from meterwire.dlt698.apdus.report import ReportNotificationRecordList
from meterwire.dlt698.objects.item_values import Contents
from tests.support.agreement import rows_in
from tests.support.gateway import Process, write_config
from tests.support.processes import LOOPBACK, wait_until
from tests.support.reports import events, freezes, told
from tests.support.servers import InfluxDB, Mosquitto, Point, VictoriaMetrics

ADDRESS = "000000000161"
_CHINA = timezone(timedelta(hours=8))
_FIELDS = {
    "power_down": 1.0,
    "power_down_event_number": 24.0,
    "power_down_voltage_a_start": 198.5,
}
PointsOf = Callable[[str, str], Sequence[Point]]
Found = dict[tuple[str, str], list[Point]]
"""Points by measurement and field."""


def _report(midnight: datetime) -> ReportNotificationRecordList:
    """A failure that ended a minute before midnight, and the freeze of that night."""
    failure: Contents = {
        "event_number": Decimal(24),
        "event_started_at": f"{midnight - timedelta(minutes=3):%Y-%m-%d %H:%M:%S}",
        "event_ended_at": f"{midnight - timedelta(minutes=1):%Y-%m-%d %H:%M:%S}",
        "event_source": "enum:0",
        "voltage.a@start": Decimal("198.5"),
    }
    freeze: Contents = {
        "frozen_at": f"{midnight:%Y-%m-%d %H:%M:%S}",
        "forward_active_energy": Decimal("123.45"),
    }
    return told(
        events(failure, items=["voltage.a@start"]), freezes(freeze, items=["forward_active_energy.*"])
    )


async def _tell(port: int, report: ReportNotificationRecordList) -> None:
    """Dial in as a simulated terminal, and report, twice, until it is acknowledged each time."""
    clock = SystemClock()
    line = Line(
        [Station(meter=Meter698(ADDRESS, seed=1), reply_delay_ms=0)], clock=clock, record=lambda _: None
    )
    terminal = Terminal(line, clock=clock)
    async with open_dialling(terminal, LOOPBACK, port, redial_s=0.1), asyncio.timeout(10):
        for _ in range(2):
            while not await terminal.tell(report):  # noqa: ASYNC110 - it has not dialled in yet
                await asyncio.sleep(0.05)


async def _published(broker: Mosquitto, ready: asyncio.Event) -> list[Event]:
    """The first event on MQTT."""
    async with MqttConnector(LOOPBACK, broker.port).connect(
        client_id="watcher", subscriptions=(EVENTS_FILTER,)
    ) as port:
        ready.set()
        message = await port.receive()
        await port.acknowledge(message)
        assert f"meterlink/v1/test/gw/up/event/m{ADDRESS}" == message.topic
        return [EventEnvelope.from_json(message.payload).event]


async def _watched(broker: Mosquitto, listens: int, report: ReportNotificationRecordList) -> list[Event]:
    subscribed = asyncio.Event()
    async with asyncio.timeout(15), asyncio.TaskGroup() as group:
        watching = group.create_task(_published(broker, subscribed))
        await subscribed.wait()
        group.create_task(_tell(listens, report))
    return watching.result()


def _run(folder: Path, broker: Mosquitto, database_url: str, points_of: PointsOf) -> tuple[Found, Found]:
    """Let a terminal report; the points that must be there, and those that the query API gives."""
    midnight = Clock().utc_now().astimezone(_CHINA).replace(hour=0, minute=0, second=0, microsecond=0)
    failed_at = midnight - timedelta(minutes=3)
    url = f"listen://{LOOPBACK}:0?terminal={ADDRESS}"
    config = write_config(
        folder,
        {url: [ADDRESS]},
        every_s=3600,
        items=["voltage.a"],
        mqtt_port=broker.port,
        influx_url=database_url,
        protocols={url: "dlt698.45"},
    )
    daemon = Process("run", config)
    try:
        [where] = daemon.start()["listens"]
        [event] = asyncio.run(_watched(broker, int(where.rpartition(":")[2]), _report(midnight)))
        wait_until(
            lambda: bool(points_of("daily_freeze", "forward_active_energy")), what="the freeze", timeout_s=8
        )
        wait_until(lambda: bool(points_of("event", "power_down")), what="the event", timeout_s=8)
    finally:
        daemon.terminate()
    assert (failed_at, midnight - timedelta(minutes=1)) == (event.occurred_at, event.ended_at)
    assert "enum:0" in {value.content for value in event.values}, "a text is on MQTT"
    kept = [row.record for row in rows_in(folder / "data" / "journal.sqlite3")]
    assert [event] == [record for record in kept if isinstance(record, Event)], "told twice, kept once"
    fields = {**_FIELDS, "power_down_ended_at": (midnight - timedelta(minutes=1)).timestamp()}
    expected = {("event", field): [_point(failed_at, value)] for field, value in fields.items()}
    expected["daily_freeze", "forward_active_energy"] = [_point(midnight, 123.45)]
    return expected, {key: [_shown(point) for point in points_of(*key)] for key in expected}


def _point(at: datetime, value: float) -> Point:
    tags = (("gateway", "gw"), ("meter", f"m{ADDRESS}"), ("site", "test"))
    return Point(tags, int(at.timestamp()), value)


def _shown(point: Point) -> Point:
    """With the tags that say whose it is."""
    return point._replace(
        tags=tuple(sorted(tag for tag in point.tags if tag[0] in {"gateway", "meter", "site"}))
    )


def test_into_influxdb(tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB) -> None:
    """A failure that everybody here understands, and that no dashboard shows, happened to nobody."""
    expected, found = _run(tmp_path, mosquitto, influxdb.url, influxdb.points)
    assert expected == found


def test_into_victoria_metrics(
    tmp_path: Path, mosquitto: Mosquitto, victoria_metrics: VictoriaMetrics
) -> None:
    """The second database takes the same points by another parser."""
    database = victoria_metrics
    expected, found = _run(
        tmp_path,
        mosquitto,
        database.url,
        lambda measurement, field: database.points(f"{measurement}_{field}"),
    )
    assert expected == found
