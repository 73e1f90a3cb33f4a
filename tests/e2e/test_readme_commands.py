"""The README's commands run as they stand; only addresses of lines, broker and database are replaced."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.markdown import blocks, commands, printed
from tests.support.metersim_process import running_metersim
from tests.support.processes import Program, wait_until
from tests.support.project import ROOT
from tests.support.servers import InfluxDB, Mosquitto

_README = (ROOT / "README.md").read_text(encoding="utf-8")
_COMMANDS = [command for command in commands(_README) if command.startswith(("meterlink ", "metersim "))]
_STAY = ("meterlink run", "meterlink ingest", "metersim run")
_ENDING = [command for command in _COMMANDS if not command.startswith(_STAY)]
_FIRST_TOML, _SECOND_TOML = blocks(_README, "toml")
_BIN = Path(sys.executable).parent

_SIMULATED, _SIMULATED_698 = "tcp://127.0.0.1:6450", "tcp://127.0.0.1:6980"
_OWN_SERIAL, _OWN_SERVER, _THE_SIMULATORS, _THE_SIMULATORS_698 = (
    words[words.index("--line") + 1] for words in map(shlex.split, _COMMANDS) if "--line" in words
)
_LINES = {  # what the README calls a line, and the simulator that stands there here
    _OWN_SERIAL: ("--first-address=161", "--pty"),
    _OWN_SERVER: ("--first-address=161", "--tcp=127.0.0.1:0"),
    _SIMULATED: ("--meters=8", "--tcp=127.0.0.1:0"),
    _SIMULATED_698: ("--protocol=dlt698.45", "--meters=3", "--tcp=127.0.0.1:0"),
}


def _environment(folder: Path) -> dict[str, str]:
    return {**os.environ, "XDG_STATE_HOME": str(folder), "INFLUX_TOKEN": "any", "LC_ALL": "C.UTF-8"}


def _command(text: str) -> list[str]:
    program, *arguments = shlex.split(text)
    return [str(_BIN / program), *arguments]


@contextmanager
def _lines(folder: Path, *wanted: str) -> Iterator[dict[str, str]]:
    with ExitStack() as stack:
        urls = {}
        for number, line in enumerate(wanted):
            place = folder / f"plant{number}"
            place.mkdir()
            urls[line] = stack.enter_context(running_metersim(place, *_LINES[line])).urls[0]
        yield urls


def _replaced(text: str, urls: dict[str, str]) -> str:
    for line, url in urls.items():
        text = text.replace(line, url)
    return text


@contextmanager
def _running(command: str, folder: Path) -> Iterator[Program]:
    """A command that stays; it must end in order when it is told to."""
    log = folder / f"{shlex.split(command)[1]}.log"
    program = Program(_command(command), log, folder=folder, environment=_environment(folder))
    program.start(lambda: '{"ready": true' in log.read_text(encoding="utf-8"))
    try:
        yield program
    finally:
        program.stop()
    assert 0 == program.exit_code, program.log_tail()


def _written(folder: Path) -> str:
    return "".join(path.read_text(encoding="utf-8") for path in folder.rglob("line-protocol/*"))


def test_every_kind_of_command_that_ends_is_run_below() -> None:
    """A command would be left out of those that are run, or run against another simulator."""
    assert {"read", "items", "decode", "config"} == {shlex.split(command)[1] for command in _ENDING}
    assert (_SIMULATED, _SIMULATED_698) == (_THE_SIMULATORS, _THE_SIMULATORS_698)


@pytest.mark.parametrize("command", _ENDING)
def test_a_command_that_ends_does_so_with_success(tmp_path: Path, command: str) -> None:
    """The first thing a reader sees would be an error."""
    (tmp_path / "meterlink.toml").write_text(_FIRST_TOML, encoding="utf-8")
    with _lines(tmp_path, *(line for line in _LINES if line in shlex.split(command))) as urls:
        done = subprocess.run(
            _command(_replaced(command, urls)),
            cwd=tmp_path,
            env=_environment(tmp_path),
            capture_output=True,
            text=True,
            check=False,
        )
    assert (0, "") == (done.returncode, done.stderr)
    assert printed(_README, command) in {"", done.stdout}


def test_every_command_that_stays_is_run_below() -> None:
    """A new command in the README would be run by nobody."""
    staying = [command for command in _COMMANDS if command.startswith(_STAY)]
    assert [
        "metersim run --meters 8 --tcp 127.0.0.1:6450",
        "metersim run --protocol dlt698.45 --meters 3 --tcp 127.0.0.1:6980",
        "meterlink run --config meterlink.toml",
        "meterlink ingest --config meterlink.toml",
    ] == staying


@pytest.mark.parametrize(("simulated", "meters"), [(_SIMULATED, 8), (_SIMULATED_698, 3)])
def test_the_simulators_of_the_readme_serve(tmp_path: Path, simulated: str, meters: int) -> None:
    """Whoever has no meter at hand gets no further than this."""
    port = simulated.rpartition(":")[2]
    (command,) = [one for one in _COMMANDS if one.startswith("metersim run") and one.endswith(port)]
    with running_metersim(tmp_path, *shlex.split(command.replace(port, "0"))[2:]) as plant:
        assert meters == len(plant.meters[0])


def test_the_first_configuration_of_the_readme_fills_files(tmp_path: Path) -> None:
    """Five minutes to a first reading end here."""
    with _lines(tmp_path, _SIMULATED) as urls:
        (tmp_path / "meterlink.toml").write_text(_replaced(_FIRST_TOML, urls), encoding="utf-8")
        with _running("meterlink run --config meterlink.toml", tmp_path):
            wait_until(lambda: "forward_active_energy=" in _written(tmp_path), what="a line-protocol file")
    assert "meter=kitchen" in _written(tmp_path)


def test_the_second_configuration_of_the_readme_reaches_the_database(
    tmp_path: Path, mosquitto: Mosquitto, influxdb: InfluxDB
) -> None:
    """The way through one's own broker and database, with the ingest as a process of its own."""
    with _lines(tmp_path, _SIMULATED) as urls:
        text = _replaced(_SECOND_TOML, urls)
        text = text.replace("mqtt://127.0.0.1:1883", f"mqtt://127.0.0.1:{mosquitto.port}")
        text = text.replace("http://127.0.0.1:8086", influxdb.url)
        (tmp_path / "meterlink.toml").write_text(text, encoding="utf-8")
        with (
            _running("meterlink ingest --config meterlink.toml", tmp_path),
            _running("meterlink run --config meterlink.toml", tmp_path),
        ):
            wait_until(lambda: bool(influxdb.points("instant", "voltage_a")), what="a point in the database")
    (point, *_) = influxdb.points("instant", "voltage_a")
    assert ("meter", "kitchen") in point.tags
    assert point.value > 0
