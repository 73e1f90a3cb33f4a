"""One reading, all the way: a meter that nobody here wrote, mosquitto, and the databases' own query APIs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal

import pytest

from tests.support.foreign_meter import foreign_meter
from tests.support.gateway import Process, write_config
from tests.support.processes import wait_until
from tests.support.servers import InfluxDB, Mosquitto, Point, VictoriaMetrics

_VALUES = {
    "forward_active_energy": "20261.22",
    "voltage.a": "231.7",
    "current.a": "4.712",
    "active_power": "1.0918",
}


def _read_through(
    folder: Path,
    over: Literal["tcp", "pty"],
    broker: Mosquitto,
    database_url: str,
    points_of: Callable[[str], Sequence[Point]],
) -> dict[str, list[float]]:
    """Let the daemon poll a foreign meter; the values of each item that the query API gives for it."""
    with foreign_meter(folder, over=over, values=_VALUES) as meter:
        config = write_config(
            folder,
            {meter.url: [meter.address]},
            mqtt_port=broker.port,
            influx_url=database_url,
            items=list(_VALUES),
            reply_timeout_ms=2000,
        )
        daemon = Process("run", config)
        try:
            daemon.start()
            last_field = list(_VALUES)[-1].replace(".", "_")
            wait_until(lambda: bool(points_of(last_field)), what="a point of the last item", timeout_s=12)
        finally:
            daemon.terminate()
    found: dict[str, list[float]] = {}
    for item in _VALUES:
        points = points_of(item.replace(".", "_"))
        for tags in (dict(point.tags) for point in points):
            assert ("m000000000161", "gw", "test") == (tags["meter"], tags["gateway"], tags["site"])
        found[item] = [point.value for point in points]
    return found


def _is_what_its_author_put_in(found: dict[str, list[float]]) -> bool:
    return all(
        found[item] and all(math.isclose(float(value), stored, rel_tol=1e-12) for stored in found[item])
        for item, value in _VALUES.items()
    )


@pytest.mark.parametrize("over", ["tcp", "pty"])
def test_into_influxdb(
    tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB, over: Literal["tcp", "pty"]
) -> None:
    """Nothing else here shows that a stranger's meter ends up in a database with the right number."""
    found = _read_through(
        tmp_path, over, mosquitto, influxdb.url, lambda field: influxdb.points("instant", field)
    )
    assert _is_what_its_author_put_in(found), found


@pytest.mark.parametrize("over", ["tcp", "pty"])
def test_into_victoria_metrics(
    tmp_path: Path, mosquitto: Mosquitto, victoria_metrics: VictoriaMetrics, over: Literal["tcp", "pty"]
) -> None:
    """The second database takes the same line protocol by another parser."""
    found = _read_through(
        tmp_path,
        over,
        mosquitto,
        victoria_metrics.url,
        lambda field: victoria_metrics.points(f"instant_{field}"),
    )
    assert _is_what_its_author_put_in(found), found
