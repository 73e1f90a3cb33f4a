"""One night's freezes, all the way: simulated meters of each protocol, mosquitto, the databases' query APIs.

Whatever a meter speaks, its freeze is the same point: measurement, field and timestamp. Source: decisions on
freeze days and names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from functools import partial
from pathlib import Path

from meterlink.clock import SystemClock
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.protocols import MeterProtocol
from metersim import Meter
from tests.support.gateway import Process, write_config
from tests.support.metersim_process import RunningMetersim, running_metersim
from tests.support.processes import wait_until
from tests.support.servers import InfluxDB, Mosquitto, Point, VictoriaMetrics

_PROTOCOLS: tuple[MeterProtocol, ...] = ("dlt645-2007", "dlt698.45")
"""Those whose meters keep daily freezes; each has a line of simulated meters in one plant."""
_METERS = 2
_SEED = 7
_GROWTH_KW = Decimal(7200)
_ITEMS = ("forward_active_energy", *(f"forward_active_energy.t{tariff}" for tariff in range(1, 5)))
_LAST = _ITEMS[-1].replace(".", "_")
_PLANT_TIME = timezone(timedelta(hours=8))

PointsOf = Callable[[str], Sequence[Point]]


@contextmanager
def _plant(folder: Path) -> Iterator[dict[MeterProtocol, RunningMetersim]]:
    """A simulator for each protocol, with addresses of its own."""
    with ExitStack() as stack:
        plant = {}
        for number, protocol in enumerate(_PROTOCOLS, start=1):
            own = folder / protocol
            own.mkdir()
            options = f"--meters={_METERS}", f"--first-address={number * 1000}", f"--protocol={protocol}"
            running = running_metersim(own, f"--seed={_SEED}", f"--growth-kw={_GROWTH_KW}", *options)
            plant[protocol] = stack.enter_context(running)
        yield plant


def _newest_midnight() -> datetime:
    now = SystemClock().utc_now().astimezone(_PLANT_TIME)
    return now.replace(hour=0, minute=0, second=0, microsecond=0)


def _differences(folder: Path, broker: Mosquitto, database_url: str, points_of: PointsOf) -> list[str]:
    """Let the daemon ask for freezes; where what the query API gives differs from the meters' registers."""
    nights = {_newest_midnight()}
    with _plant(folder) as plant:
        meters = {address for sim in plant.values() for line in sim.meters for address in line}
        config = write_config(
            folder,
            {sim.urls[0]: sim.meters[0] for sim in plant.values()},
            mqtt_port=broker.port,
            influx_url=database_url,
            items=["forward_active_energy.*"],
            data_class=DAILY_FREEZE,
            protocols={sim.urls[0]: protocol for protocol, sim in plant.items()},
        )
        daemon = Process("run", config)
        try:
            daemon.start()
            wait_until(lambda: len(points_of(_LAST)) >= len(meters), what="each freeze", timeout_s=12)
        finally:
            daemon.terminate()
        nights.add(_newest_midnight())
    wrong = []
    for item in _ITEMS:
        points = points_of(item.replace(".", "_"))
        found = {(dict(point.tags)["meter"], point.time_s): point.value for point in points}
        assert len(found) == len(points), "a point stands there twice"
        assert {f"m{address}" for address in meters} == {meter for meter, _ in found}
        for (meter, time_s), value in found.items():
            slot = datetime.fromtimestamp(time_s, _PLANT_TIME)
            assert slot in nights, "the timestamp is the instant of the freeze"
            expected = Meter(meter.removeprefix("m"), seed=_SEED, growth_kw=_GROWTH_KW).value(item, slot)
            if expected is None or float(expected) != value:
                wrong.append(f"{meter} {item} {slot}: {value}, not {expected}")
    return wrong


def test_into_influxdb(tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB) -> None:
    """A night's energy would stand under another name, another time or another number than bills look for."""
    points_of: PointsOf = partial(influxdb.points, DAILY_FREEZE)
    assert [] == _differences(tmp_path, mosquitto, influxdb.url, points_of)


def test_into_victoria_metrics(
    tmp_path: Path, mosquitto: Mosquitto, victoria_metrics: VictoriaMetrics
) -> None:
    """The second database takes the same points by another parser."""
    database = victoria_metrics
    differences = _differences(
        tmp_path, mosquitto, database.url, lambda field: database.points(f"{DAILY_FREEZE}_{field}")
    )
    assert [] == differences
