"""What is shipped for deployment fits together."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from metersim.cli.api import api_place
from metersim.plant.plant import load_plant
from tests.support.metersim_process import METERSIM
from tests.support.octets import plain_client
from tests.support.processes import announced, request
from tests.support.project import ROOT

_DEPLOY = ROOT / "deploy"
_CONTAINER = _DEPLOY / "containers" / "metersim.Containerfile"


def _settings(name: str) -> list[str]:
    lines = (_DEPLOY / name).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith(("#", "listener", "persistence_location"))]


def test_the_container_has_the_brokers_settings_that_were_tested() -> None:
    """Two files that drift apart: the container's broker would drop what the tested one keeps."""
    tested = _settings("mosquitto/mosquitto.conf")
    assert "max_queued_messages 0" in tested
    assert tested == _settings("influxdb/mosquitto.conf")


def test_the_compose_file_opens_nothing_beyond_loopback() -> None:
    """A broker without password on all addresses would take readings from anybody."""
    text = (_DEPLOY / "influxdb/compose.yaml").read_text(encoding="utf-8")
    ports = re.findall(r"ports: \[\"(.*)\"\]", text)
    assert ["127.0.0.1:1883:1883", "127.0.0.1:8086:8086"] == ports


_UNITS = ("meterlink.service", "meterlink-ingest.service")


@pytest.mark.parametrize("name", _UNITS)
def test_the_unit_is_one_that_systemd_understands(name: str) -> None:
    """A misspelt setting is ignored by systemd with a warning, and the service runs without that wall."""
    unit = str(_DEPLOY / "systemd" / name)
    done = subprocess.run(
        [_systemd_analyze(), "verify", "--man=no", unit], capture_output=True, text=True, check=False
    )
    known = "Command /opt/meterlink/bin/meterlink is not executable: No such file or directory"
    said = [line for line in done.stderr.splitlines() if name in line and known not in line]
    assert [] == said


@pytest.mark.parametrize("name", _UNITS)
def test_the_unit_leaves_little_open(name: str) -> None:
    """A wall that was taken down to try something stays down: the exposure may not grow."""
    unit = str(_DEPLOY / "systemd" / name)
    command = [_systemd_analyze(), "security", "--offline=true", "--threshold=20", unit]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout[-500:]


def test_the_units_say_what_the_program_does() -> None:
    """systemd would wait for a word that never comes, or feed nobody; secrets would lie open."""
    for name in _UNITS:
        text = (_DEPLOY / "systemd" / name).read_text(encoding="utf-8")
        assert {"Type=notify", "WatchdogSec=60", "NotifyAccess=main"} <= {*text.splitlines()}
        assert "LoadCredential=" in text
        assert "StateDirectory=meterlink" in text
    daemon = (_DEPLOY / "systemd" / _UNITS[0]).read_text(encoding="utf-8")
    assert "ExecReload=/bin/kill -HUP $MAINPID" in daemon
    drop_in = (_DEPLOY / "systemd" / "notify-reload.conf").read_text(encoding="utf-8")
    assert ["[Service]", "Type=notify-reload", "ExecReload="] == drop_in.splitlines()[2:]


def _systemd_analyze() -> str:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not on this machine")
    return program


def _instructions() -> list[tuple[str, str]]:
    """Of the last stage."""
    text = _CONTAINER.read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    return [(name, rest) for name, _, rest in (line.partition(" ") for line in text.splitlines()[1:])]


def test_the_container_is_nobodys_root_and_is_told_in_order_to_end() -> None:
    """A simulator with root's rights, or one that a shell keeps from hearing SIGTERM."""
    found = dict(_instructions())
    assert all(int(number) > 0 for number in found["USER"].split(":"))
    assert "/plant" == found["VOLUME"] == found["WORKDIR"]
    assert ["metersim"] == json.loads(found["ENTRYPOINT"])
    assert isinstance(json.loads(found["CMD"]), list)


def _pins(lock: str) -> set[str]:
    return set(re.findall(r"^[a-z0-9_.-]+==[^ ]+", (ROOT / lock).read_text(encoding="utf-8"), re.MULTILINE))


def test_the_container_installs_what_the_web_api_needs_and_else_what_everybody_has() -> None:
    """`metersim run --api` would end with "the extra web is not here" in the place that exists for it."""
    installed = set(re.findall(r"requirements/[a-z]+\.lock", _CONTAINER.read_text(encoding="utf-8")))
    assert {"requirements/web.lock"} == installed
    web, run = _pins("requirements/web.lock"), _pins("requirements/run.lock")
    assert run <= web
    assert {"fastapi", "uvicorn"} <= {pin.partition("==")[0] for pin in web - run}


def test_what_the_container_copies_is_enough_for_the_wheel(tmp_path: Path) -> None:
    """The image could not be built, and nobody here would know."""
    copies = re.findall(r"^COPY (?!--)(.*)$", _CONTAINER.read_text(encoding="utf-8"), re.MULTILINE)
    for copy in copies:
        *sources, target = copy.split()
        for source in sources:
            place = tmp_path / target / (Path(source).name if target.endswith("/") else "")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(ROOT / source, place)
    assert (tmp_path / "requirements" / "web.lock").is_file()
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    assert 1 == len([*(tmp_path / "dist").glob("*.whl")])


_PLANT = _DEPLOY / "containers" / "plant.yaml"


def _loopback_plant(folder: Path) -> None:
    """The container's plant at a free port of this machine alone."""
    [line] = load_plant(_PLANT).lines
    text = _PLANT.read_text(encoding="utf-8").replace(f"0.0.0.0:{line.at.port}", "127.0.0.1:0")
    (folder / "plant.yaml").write_text(text, encoding="utf-8")


def test_the_command_that_opens_the_containers_api_is_taken(tmp_path: Path) -> None:
    """Who does as the file says would get a container that ends at once with "add --api-anywhere"."""
    [command] = re.findall(r"`(run plant\.yaml .*--api .*)`", _CONTAINER.read_text(encoding="utf-8"))
    run, file, *options = command.split()
    at = options.index("--api") + 1
    assert api_place(options[at], anywhere="--api-anywhere" in options) is not None
    options[at] = "127.0.0.1:0"
    _loopback_plant(tmp_path)
    with announced([METERSIM, run, str(tmp_path / file), *options], tmp_path / "log") as (_, ready):
        status, _ = request(f"{ready['api']}/v1/plant")
        assert 200 == status


def test_the_containers_command_serves_the_plant_beside_it(tmp_path: Path) -> None:
    """The container would start and say nothing, or open a port that it does not publish."""
    [line] = load_plant(_PLANT).lines
    assert ("0.0.0.0", dict(_instructions())["EXPOSE"]) == (line.at.host, str(line.at.port))
    _loopback_plant(tmp_path)
    run, file, *options = json.loads(dict(_instructions())["CMD"])
    with announced([METERSIM, run, str(tmp_path / file), *options], tmp_path / "log") as (_, ready):
        assert 8 == len(ready["lines"][0]["meters"])
        with plain_client(ready["lines"][0]["url"]):
            pass


def test_both_languages_of_the_operations_page_name_the_same_things() -> None:
    """Whoever reads Chinese would not find a command, a page or a table that the other page names."""
    chinese, english = (
        (ROOT / "docs" / name).read_text(encoding="utf-8")
        for name in ("operations.zh-CN.md", "operations.md")
    )
    names = set(re.findall(r"`([^`]+)`", chinese)) - {"line 名称"}
    assert len(names) > 30
    known = english + (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert [] == sorted(name for name in names if name not in known)
    for part in ("journal status", "journal check", "journal backup", "journal compact", "/livez", "/readyz"):
        assert part in chinese
    levels = [re.findall(r"^(#+) ", page, re.MULTILINE) for page in (chinese, english)]
    assert levels[0] == levels[1], "each heading of one page stands in the other"
    rows = [page.count("\n| ") for page in (chinese, english)]
    assert rows[0] == rows[1], "so does each row of a table"
