"""The embedded defaults under kill -9: no broker, no database, and still nothing lost."""

from __future__ import annotations

import contextlib
import random
import time
from pathlib import Path

from meterlink.acquisition.poller import WORKERS
from tests.support.agreement import (
    answers_in,
    differences,
    readings_by_key,
    readings_of,
    repeated_keys,
    rows_in,
    unkept_answers,
)
from tests.support.gateway import Process, addresses_of, write_config
from tests.support.line_protocol import read_line
from tests.support.metersim_process import running_metersim
from tests.support.processes import wait_until
from tests.support.servers import Mosquitto

_SEED = 20261122
_KILLS = 3
_LINES = 2


def _files(folder: Path) -> dict[tuple[str, str, int], float]:
    """What a database would hold after reading the files: of a repeated point the last."""
    found: dict[tuple[str, str, int], float] = {}
    for path in sorted(folder.glob("*.lp")):
        for text in path.read_text(encoding="utf-8").splitlines():
            if not text.startswith("#"):
                line = read_line(text)
                fields = {
                    name: float(number) for name, number in line.fields.items() if not name.endswith("marks")
                }
                found |= {(line.tags["meter"], name, line.time_s): value for name, value in fields.items()}
    return found


def test_killed_with_nothing_installed(tmp_path: Path) -> None:
    """The embedded broker's memory dies with the daemon; what was in it must come out all the same."""
    rng = random.Random(_SEED)
    with running_metersim(
        tmp_path, f"--lines={_LINES}", "--meters=20", "--td-ms=0", "--growth-kw=7200"
    ) as plant:
        config = write_config(tmp_path, dict(zip(plant.urls, plant.meters, strict=True)))
        daemon = Process("run", config)
        try:
            for _ in range(_KILLS):
                daemon.start()
                heard = len(plant.answers()) + rng.randrange(0, 300)
                wait_until(lambda goal=heard: len(plant.answers()) >= goal, what="answers")  # type: ignore[misc]
                daemon.kill()
            daemon.start()
            heard = len(plant.answers()) + 200
            wait_until(lambda: len(plant.answers()) >= heard, what="answers")
            plant.program.stop()
            journal, files = tmp_path / "data" / "journal.sqlite3", tmp_path / "data" / "line-protocol"
            with contextlib.suppress(TimeoutError):  # the comparison says what is missing
                wait_until(
                    lambda: len(_files(files)) == len(readings_of(rows_in(journal))), what="all points"
                )
        finally:
            daemon.terminate()
        readings = readings_of(rows_in(journal))
        assert [] == repeated_keys(readings)
        kept = {
            (meter, item.replace(".", "_"), slot): value
            for (meter, item, slot), value in readings_by_key(readings).items()
        }
        assert [] == differences(kept, _files(files))
        unkept = unkept_answers(answers_in(plant.answers_file), rows_in(journal), addresses_of(plant))
        assert len(unkept) <= (_KILLS + 1) * _LINES * WORKERS


def test_a_torn_line_is_mended(tmp_path: Path) -> None:
    """A power cut in the middle of a write leaves half a line, which `influx write` would refuse."""
    with running_metersim(tmp_path, "--meters=2", "--td-ms=0") as plant:
        config = write_config(tmp_path, dict(zip(plant.urls, plant.meters, strict=True)))
        daemon = Process("run", config)
        try:
            daemon.start()
            files = tmp_path / "data" / "line-protocol"
            wait_until(lambda: bool(_files(files)), what="a point")
            daemon.kill()
            [path] = files.glob("*.lp")
            with path.open("ab") as file:
                file.write(b"instant,gateway=gw,meter=m00000")
            begun = int(time.time())
            daemon.start()
            wait_until(
                lambda: any(slot >= begun for _, _, slot in _files_or_nothing(files)), what="a new point"
            )
        finally:
            daemon.terminate()
        assert _files(files)


def _files_or_nothing(folder: Path) -> dict[tuple[str, str, int], float]:
    """A line that is being written cannot be read yet."""
    try:
        return _files(folder)
    except (AssertionError, ValueError):
        return {}


def test_an_ingest_that_comes_later_gets_everything(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """A broker throws away what nobody has subscribed to; the log must wait for the first ingest."""
    with running_metersim(tmp_path, "--meters=5", "--td-ms=0", "--growth-kw=7200") as plant:
        lines = dict(zip(plant.urls, plant.meters, strict=True))
        config = write_config(tmp_path, lines, mqtt_port=mosquitto.port, in_daemon=False)
        daemon, ingest = Process("run", config), Process("ingest", config)
        try:
            daemon.start()
            wait_until(lambda: len(plant.answers()) >= 40, what="answers")
            ingest.start()
            plant.program.stop()
            journal, files = tmp_path / "data" / "journal.sqlite3", tmp_path / "data" / "line-protocol"
            with contextlib.suppress(TimeoutError):  # the comparison says what is missing
                wait_until(
                    lambda: len(_files_or_nothing(files)) == len(readings_of(rows_in(journal))),
                    what="all points",
                )
        finally:
            daemon.terminate()
            ingest.terminate()
        kept = {
            (meter, item.replace(".", "_"), slot): value
            for (meter, item, slot), value in readings_by_key(readings_of(rows_in(journal))).items()
        }
        assert len(kept) >= 40
        assert [] == differences(kept, _files(files))
