"""Nothing is lost: the daemon killed at seeded points, the broker stopped, the database away.

240 readings a second from 60 simulated meters on three lines, through mosquitto into InfluxDB. Afterwards the
simulator's own list, the journal and the database must agree record by record.

A kill point is a number of answers that the simulator has given since the daemon was ready, or a time since
the process was started for points before it is ready. ``make soak-kill`` takes 200 points.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from meterlink.acquisition.poller import WORKERS
from meterlink.publish.relay import WINDOW
from tests.support.agreement import (
    answers_in,
    differences,
    points_by_key,
    published_again,
    readings_by_key,
    readings_of,
    repeated_keys,
    rows_in,
    unkept_answers,
)
from tests.support.gateway import ITEMS, Process, Witness, addresses_of, witness_of, write_config
from tests.support.metersim_process import RunningMetersim, running_metersim
from tests.support.processes import wait_until
from tests.support.servers import InfluxDB, Mosquitto

LINES = 3
METERS = 20
READINGS_A_SECOND = LINES * METERS * len(ITEMS)
POINTS = 20
POINTS_A_TEST = 2
SOAK_POINTS = 200
SEED = 20261122
SETTLE_S = 12.0
SOAK_SETTLE_S = 120.0

_OPTIONS = (f"--lines={LINES}", f"--meters={METERS}", "--td-ms=0", "--growth-kw=7200")


@dataclass(frozen=True, slots=True)
class KillPoint:
    """When to kill: so long after the start, or after so many answers."""

    after_start_s: float | None
    after_answers: int


def kill_points(count: int, seed: int = SEED) -> list[KillPoint]:
    """The seeded list."""
    rng = random.Random(seed)
    points = []
    for _ in range(count):
        early = rng.random() < 0.15
        points.append(KillPoint(rng.uniform(0.0, 0.8) if early else None, rng.randrange(0, 350)))
    return points


@dataclass(slots=True)
class Scene:
    """One run: the plant, the servers, the daemon, and what was seen."""

    folder: Path
    plant: RunningMetersim
    broker: Mosquitto
    database: InfluxDB
    daemon: Process
    witness: Witness
    crashes: int = 0

    async def answered(self, more: int) -> None:
        """Wait until the simulator has given so many answers more."""
        path = self.plant.answers_file
        goal = _lines(path) + more
        await asyncio.to_thread(wait_until, lambda: _lines(path) >= goal, what=f"{more} more answers")

    async def kill_at(self, point: KillPoint) -> None:
        """Start the daemon and kill it there."""
        if point.after_start_s is not None:
            self.daemon.spawn()
            await asyncio.sleep(point.after_start_s)
        else:
            await asyncio.to_thread(self.daemon.start)
            await self.answered(point.after_answers)
        self.daemon.kill()
        self.crashes += 1

    async def settle(self, timeout_s: float = SETTLE_S) -> None:
        """Silence the plant and let everything arrive."""
        self.plant.program.stop()
        journal = self.folder / "data" / "journal.sqlite3"

        def arrived() -> bool:
            return len(self.stored()) == len(readings_of(rows_in(journal)))

        with contextlib.suppress(TimeoutError):  # the comparison that follows says what is missing
            await asyncio.to_thread(wait_until, arrived, what="all points", timeout_s=timeout_s)
        await asyncio.to_thread(self.daemon.terminate)

    def stored(self) -> dict[tuple[str, str, int], float]:
        """What the database has."""
        fields = {item: item.replace(".", "_") for item in ITEMS}
        return points_by_key({item: self.database.points("instant", name) for item, name in fields.items()})

    def faults(self) -> list[str]:
        """Compare everything with everything: what is wrong; prints what was seen."""
        rows = rows_in(self.folder / "data" / "journal.sqlite3")
        readings = readings_of(rows)
        answers = answers_in(self.plant.answers_file)
        unkept = unkept_answers(answers, rows, addresses_of(self.plant))
        repeats = published_again(self.witness.payloads)
        seen = len(self.witness.payloads) - repeats
        print(
            f"{self.crashes} kills: {len(answers)} answers, {len(readings)} readings kept and stored, "
            f"{len(unkept)} answers in flight at a kill, {repeats} messages published again"
        )
        faults = [f"kept twice: {key}" for key in repeated_keys(readings)]
        faults += differences(readings_by_key(readings), self.stored())
        if len(unkept) > (self.crashes + 1) * LINES * WORKERS:
            faults.append(f"{len(unkept)} answers were lost")
        if repeats > self.crashes * WINDOW:
            faults.append(f"{repeats} messages were published again")
        if len(rows) != seen:
            faults.append(f"the broker saw {seen} of {len(rows)} rows")
        return faults


def _lines(path: Path) -> int:
    return path.read_bytes().count(b"\n") if path.exists() else 0


@asynccontextmanager
async def _scene(
    folder: Path, broker: Mosquitto, database: InfluxDB, *, in_daemon: bool = True
) -> AsyncIterator[Scene]:
    with running_metersim(folder, *_OPTIONS) as plant:
        config = write_config(
            folder,
            dict(zip(plant.urls, plant.meters, strict=True)),
            mqtt_port=broker.port,
            influx_url=database.url,
            in_daemon=in_daemon,
        )
        daemon = Process("run", config)
        try:
            async with witness_of(broker.port) as witness:
                yield Scene(folder, plant, broker, database, daemon, witness)
        finally:
            daemon.kill()


async def _kill(scene: Scene, points: Sequence[KillPoint]) -> None:
    for point in points:
        await scene.kill_at(point)
    await asyncio.to_thread(scene.daemon.start)
    await scene.answered(READINGS_A_SECOND)
    await scene.settle()


def _groups(points: Sequence[KillPoint], size: int) -> Iterator[tuple[KillPoint, ...]]:
    for start in range(0, len(points), size):
        yield tuple(points[start : start + size])


def test_the_load() -> None:
    """A test under less load would not meet a commit at work."""
    assert READINGS_A_SECOND >= 200


_GROUPS = list(_groups(kill_points(POINTS), POINTS_A_TEST))


@pytest.mark.parametrize("points", _GROUPS, ids=range(len(_GROUPS)))
@pytest.mark.asyncio
async def test_f22_killed_at_any_point(
    tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB, points: tuple[KillPoint, ...]
) -> None:
    """F22: a power cut would lose readings, or write them twice."""
    async with _scene(tmp_path, mosquitto, influxdb) as scene:
        await _kill(scene, points)
        assert [] == scene.faults()


@pytest.mark.parametrize("point", kill_points(3, seed=SEED + 1), ids=range(3))
@pytest.mark.asyncio
async def test_the_ingest_killed_alone(
    tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB, point: KillPoint
) -> None:
    """The database's side may run on another machine, with power cuts of its own."""
    async with _scene(tmp_path, mosquitto, influxdb, in_daemon=False) as scene:
        ingest = Process("ingest", tmp_path / "meterlink.toml")
        try:
            await asyncio.to_thread(ingest.start)
            await asyncio.to_thread(scene.daemon.start)
            await scene.answered(point.after_answers)
            ingest.kill()
            await scene.answered(50)
            await asyncio.to_thread(ingest.start)
            await scene.settle()
        finally:
            ingest.terminate()
        assert [] == scene.faults()


@pytest.mark.asyncio
async def test_the_broker_stopped_for_a_while(
    tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB
) -> None:
    """Readings taken while the broker was away would be gone."""
    async with _scene(tmp_path, mosquitto, influxdb) as scene:
        await asyncio.to_thread(scene.daemon.start)
        await scene.answered(200)
        mosquitto.stop()
        await scene.answered(2 * READINGS_A_SECOND)
        await asyncio.to_thread(mosquitto.start)
        await scene.answered(200)
        scene.crashes += 1  # the connection's end repeats what was under way, as a crash does
        await scene.settle()
        assert [] == scene.faults()


@pytest.mark.asyncio
async def test_the_database_away_in_two_ways(
    tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB
) -> None:
    """F39: points written while the database said 503, or was not there, would be gone."""
    async with _scene(tmp_path, mosquitto, influxdb) as scene:
        await asyncio.to_thread(scene.daemon.start)
        await scene.answered(200)
        influxdb.unavailable(True)
        await scene.answered(READINGS_A_SECOND)
        influxdb.unavailable(False)
        await scene.answered(100)
        influxdb.stop()
        await scene.answered(READINGS_A_SECOND)
        await asyncio.to_thread(influxdb.start)
        await scene.answered(100)
        await scene.settle()
        assert [] == scene.faults()


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.asyncio
async def test_soak_kill(tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB) -> None:
    """As above, at 200 points in one run."""
    async with _scene(tmp_path, mosquitto, influxdb) as scene:
        for number, group in enumerate(_groups(kill_points(SOAK_POINTS, seed=SEED + 2), 20), start=1):
            for point in group:
                await scene.kill_at(point)
            print(f"{20 * number} of {SOAK_POINTS} points", flush=True)
        await asyncio.to_thread(scene.daemon.start)
        await scene.answered(READINGS_A_SECOND)
        await scene.settle(SOAK_SETTLE_S)
        assert [] == scene.faults()
