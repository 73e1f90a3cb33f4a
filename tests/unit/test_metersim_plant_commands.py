"""`metersim check`, `new` and `schema`: what somebody does before the first run."""

from __future__ import annotations

import dataclasses
import errno
import io
import json
import re
import socket
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from metersim import AnswerRecord, SimClock
from metersim.cli import app
from metersim.cli.common import words_of
from metersim.cli.table import HEADINGS, Room, table_of
from metersim.plant.built import BuiltPlant
from metersim.plant.happenings import Happening
from metersim.plant.plant import Plant, load_plant, read_plant
from metersim.plant.rows import LineRow, MeterRow
from metersim.plant.schema import schema
from metersim.plant.starters import KINDS, starter
from metersim.serving.refused import refused
from meterwire.dlt645 import ReadRequest, encode, to_frame

IN_USE = "Address already in use; end the program that has it, or write another port (0 takes a free one)"
NOT_HERE = "write an address of this machine, as 127.0.0.1"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the commands write."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_plant_file_is_right_as_it_is(folder: Path, kind: str) -> None:
    """A newcomer's first file would be refused."""
    ended = CliRunner().invoke(app, ["new", "my-plant", "--kind", kind])
    assert (0, "my-plant.yaml written; run it with: metersim run my-plant.yaml\n") == (
        ended.exit_code,
        ended.stdout,
    )
    plant = load_plant(folder / "my-plant.yaml")
    assert "my-plant" == plant.plant
    assert BuiltPlant(plant, clock=SimClock()).meters
    checked = CliRunner().invoke(app, ["check", "my-plant.yaml", "--json"])
    lines = json.loads(checked.stdout)["lines"]
    assert [meter.address for meter in plant.meters()] == [each for line in lines for each in line["meters"]]
    assert [str(line.at) for line in plant.all_lines] == [line["at"] for line in lines]


def test_a_concentrator_is_told_with_its_place(folder: Path) -> None:
    """Somebody would look for a line to connect to, and find one that listens to nobody."""
    CliRunner().invoke(app, ["new", "area", "--kind", "concentrator"])
    told = CliRunner().invoke(app, ["check", "area.yaml"]).stdout.splitlines()
    assert "area: 0 lines, 1 concentrators, 9 meters, seed 1, wall clock" == told[0]
    assert "  concentrator 020000000001 at tcp://127.0.0.1:0, meters on its carrier" == told[1]
    assert "    6 x dlt645-2007/single-phase, household 0.5 kW" == told[2]
    assert 5 == len(told)
    document = json.loads(CliRunner().invoke(app, ["check", "area.yaml", "--json"]).stdout)
    row = {"address": "020000000001", "at": "tcp://127.0.0.1:0", "line": "behind-020000000001"}
    assert [row] == document["concentrators"]


def test_what_a_new_plant_file_has_in_comments_is_right_too() -> None:
    """Whoever takes the sign of comment away would be told that the program's own words are wrong."""
    whole = re.sub(r"^( *)# (?=- |  )", r"\1", starter("small", "plant"), flags=re.MULTILINE)
    rows = read_plant(whole, "plant.yaml").lines[0].meters
    assert [False, True, False, False] == [row.passwords is not None for row in rows]
    assert [False, False, True, False] == [row.modes_enforced for row in rows]
    assert rows[1].tariffs is not None
    assert rows[3].is_garbage
    text = starter("concentrator", "area")
    whole = re.sub(r"^# (?=lines:|  - )", "", text, flags=re.MULTILINE)
    assert (0, 1) == tuple(len(read_plant(each, "area.yaml").lines) for each in (text, whole))


def test_a_new_plant_file_overwrites_nothing_unasked(folder: Path) -> None:
    """Somebody's plant would be gone."""
    (folder / "plant.yaml").write_text("seed: 5\n")
    ended = CliRunner().invoke(app, ["new"])
    assert (1, "seed: 5\n") == (ended.exit_code, (folder / "plant.yaml").read_text())
    assert "--force" in ended.stderr
    assert 0 == CliRunner().invoke(app, ["new", "--force"]).exit_code
    assert starter("small", "plant") == (folder / "plant.yaml").read_text()


def test_a_new_plant_may_be_called_by_its_file(folder: Path) -> None:
    """`metersim new plant.yaml` would write plant.yaml.yaml, and `metersim run plant.yaml` find nothing."""
    ended = CliRunner().invoke(app, ["new", "east.yaml"])
    assert (0, [folder / "east.yaml"]) == (ended.exit_code, list(folder.iterdir()))
    assert "east" == load_plant(folder / "east.yaml").plant


@pytest.mark.parametrize("name", ["../x", ".yaml", "", "a" * 65, "a b", "-x"])
def test_a_plants_name_is_a_word(folder: Path, name: str) -> None:
    """A file would be written somewhere else, or the plant file would be no YAML."""
    ended = CliRunner().invoke(app, ["new", "--", name])
    assert (2, []) == (ended.exit_code, list(folder.iterdir()))
    assert "write 1 to 64 letters" in " ".join(ended.stderr.split())


def test_a_plant_file_is_checked_without_running_it(folder: Path) -> None:
    """Somebody's CI would find the slip only when the simulator does not start."""
    (folder / "p.yaml").write_text("lines:\n- {nam: x}\n- meters: [{count: 0}]\n")
    for command in (["check", "p.yaml"], ["run", "p.yaml"]):
        ended = CliRunner().invoke(app, command)
        assert (2, "") == (ended.exit_code, ended.stdout)
        assert ended.stderr.startswith("metersim: p.yaml:2: lines[1].nam: unknown key; did you mean 'name'?")
        assert "\np.yaml:3: lines[2].meters[1].count: should be greater" in ended.stderr
    (folder / "p.yaml").write_text("plant: east\ntime: x60\nlines: [{paced: true, meters: [{count: 3}]}]\n")
    told = CliRunner().invoke(app, ["check", "p.yaml"]).stdout
    assert "east: 1 lines, 3 meters, seed 1, 60 times as fast\n" in told
    assert "  line-1 at tcp://127.0.0.1:0, paced\n    3 x dlt645-2007/generic, household 0.5 kW\n" in told


def test_a_file_that_is_not_there_has_a_remedy(folder: Path) -> None:
    """A newcomer in the wrong folder would be left with a word of the operating system."""
    for command in ("run", "check"):
        ended = CliRunner().invoke(app, [command, "no.yaml"])
        told = "metersim: no.yaml: there is no such file; name another one, or let `metersim new` write one\n"
        assert (2, told) == (ended.exit_code, ended.stderr)
        beyond = "x" * 300  # whether it is there cannot be asked, as in a locked folder
        ended = CliRunner().invoke(app, [command, beyond])
        told = f"metersim: {beyond}: cannot be read: File name too long; name another file\n"
        assert (2, told) == (ended.exit_code, ended.stderr)
    ended = CliRunner().invoke(app, ["check", str(folder)])
    told = f"metersim: {folder}: cannot be read: Is a directory; name a file in that folder\n"
    assert (2, told) == (ended.exit_code, ended.stderr)
    ended = CliRunner().invoke(app, ["replay", "no.jsonl"])
    told = "metersim: no.jsonl: cannot be read: No such file or directory; name a file that is there\n"
    assert (2, told) == (ended.exit_code, ended.stderr)


@pytest.mark.parametrize("command", [["run"], ["run", "p.yaml"], ["replay", "c.jsonl"], ["hsm"]])
def test_a_place_that_cannot_be_had_has_a_remedy(folder: Path, command: list[str]) -> None:
    """Errno 98 does not say that another program has the port, nor what to do."""
    octets = encode(to_frame(ReadRequest(address="000000000161", di=0x00010000))).hex()
    row = {"at": "2026-10-01T00:00:00Z", "direction": "out", "octets": octets}
    (folder / "c.jsonl").write_text(json.dumps(row))
    option = "--listen" if command == ["hsm"] else "--tcp"
    with socket.create_server(("127.0.0.1", 0)) as held:
        port = held.getsockname()[1]
        (folder / "p.yaml").write_text(f"lines: [{{at: 'tcp://127.0.0.1:{port}'}}]")
        options = [] if "p.yaml" in command else [option, f"127.0.0.1:{port}"]
        ended = CliRunner().invoke(app, [*command, *options])
    told = f"metersim: tcp://127.0.0.1:{port}: {IN_USE}\n"
    assert (1, "", told) == (ended.exit_code, ended.stdout, ended.stderr)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.EADDRINUSE, "bind"), IN_USE),
        (OSError(errno.EADDRNOTAVAIL, "bind"), f"Cannot assign requested address; {NOT_HERE}"),
        (socket.gaierror(socket.EAI_NONAME, "unknown"), f"There is no such host; {NOT_HERE}"),
        (OSError(errno.EACCES, "bind"), "Permission denied; write a port over 1023"),
        (OSError(errno.ENOBUFS, "bind"), "No buffer space available; write another place"),
        (OSError("none of them"), "none of them; write another place"),
    ],
)
def test_each_reason_has_a_remedy(error: OSError, words: str) -> None:
    """The operating system's word would stand alone, or the remedy of something else beside it."""
    assert f"tcp://somewhere:1: {words}" == words_of(refused(error, "tcp://somewhere:1"))


def test_a_place_of_the_api_that_cannot_be_had_has_a_remedy(folder: Path) -> None:
    """Whoever starts a plant twice would not know that its API is meant."""
    (folder / "p.yaml").write_text("lines: [{at: listen}]")
    with socket.create_server(("127.0.0.1", 0)) as held:
        api = f"127.0.0.1:{held.getsockname()[1]}"
        ended = CliRunner().invoke(app, ["run", "p.yaml", "--api", api])
    assert (1, "") == (ended.exit_code, ended.stdout)
    assert ended.stderr.startswith(f"metersim: --api {api}: Address already in use; end the program")


def test_a_file_that_cannot_be_written_is_named(folder: Path) -> None:
    """Whoever asks for a capture into no folder would be told a number of the operating system."""
    told = "No such file or directory; make its folder first, or name another place\n"
    here = Path.cwd()
    for command, file in (
        (["run", "--capture", "no/c.jsonl"], "no/c.jsonl"),
        (["run", "--answers", "no/a.jsonl"], "no/a.jsonl"),
        (["run", "--pty", "--link", "no/tty"], f"{here}/no/tty"),
    ):
        ended = CliRunner().invoke(app, command)
        assert (1, f"metersim: {file}: {told}") == (ended.exit_code, ended.stderr)
    (folder / "p.yaml").mkdir()
    told = "metersim: p.yaml: Is a directory; name a file in that folder\n"
    assert told == CliRunner().invoke(app, ["new", "p", "--force"]).stderr
    denied = PermissionError(errno.EACCES, "Permission denied", "c.jsonl")
    assert "c.jsonl: Permission denied; let this user write there, or name another place" == words_of(denied)


def test_options_of_the_plant_do_not_go_with_a_plant_file(folder: Path) -> None:
    """Somebody would wonder why --seed changes nothing."""
    (folder / "p.yaml").write_text("{}")
    ended = CliRunner().invoke(app, ["run", "p.yaml", "--first-address=7"])
    assert 2 == ended.exit_code
    assert "--first-address: the plant file says it" in " ".join(ended.stderr.split())


def test_the_schema_says_every_key() -> None:
    """An editor would mark right keys as wrong, or leave its user without a word about them."""
    ended = CliRunner().invoke(app, ["schema"])
    found = json.loads(ended.stdout)
    assert schema() == found
    for part, one in (
        (found, Plant),
        (found["$defs"]["LineRow"], LineRow),
        (found["$defs"]["MeterRow"], MeterRow),
    ):
        assert [field.name for field in dataclasses.fields(one)] == [*part["properties"]]
        assert all(key["description"] for key in part["properties"].values())
        assert part["additionalProperties"] is False


def test_the_table_shows_what_each_line_does() -> None:
    """Somebody who watches a plant would see a dead line as one that works."""
    answers: list[AnswerRecord] = []
    plant = read_plant("plant: east\nlines: [{name: a, meters: [{count: 2}]}, {name: b, at: listen}]", "p")
    built = BuiltPlant(plant, clock=SimClock(), record=answers.append)
    line = built.lines["a"]
    line.traffic.pass_by("out", b"\x68")
    line.counts.answers, line.counts.faulty, line.counts.last = 12, 3, "000000000002"
    shown = _drawn(built, {"a": "tcp://127.0.0.1:6450"}, Room(120, 24))
    assert "east: 3 meters, 2026-01-01 00:00:00 UTC" == shown[0].strip()
    assert [*HEADINGS] == re.split(" +(?!meter$)", shown[1].strip())
    assert ["a", "tcp://127.0.0.1:6450", "2", "1", "12", "3", "000000000002"] == shown[2].split()
    assert ["b", "-", "1", "0", "0", "0"] == shown[3].split()
    assert "Ctrl-C ends" == shown[4].strip()


def _drawn(built: BuiltPlant, urls: dict[str, str], room: Room) -> list[str]:
    """The rows that a terminal shows."""
    console = Console(file=io.StringIO(), width=room.width, height=room.height)
    console.print(table_of(built, urls, room))
    return console.file.getvalue().splitlines()  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("lines", [1, 19, 20, 60, 256])
def test_the_table_fits_a_small_terminal(lines: int) -> None:
    """Ports and the last meters' addresses would be cut off, and lines missing without a word."""
    rows = "".join(f"- {{at: listen, meters: [{{count: {1 + number % 2}}}]}}\n" for number in range(lines))
    built = BuiltPlant(read_plant(f"lines:\n{rows}", "p"), clock=SimClock())
    urls = {name: f"tcp://127.0.0.1:{10_000 + number}" for number, name in enumerate(built.lines)}
    for line in built.lines.values():
        line.counts.answers, line.counts.faulty, line.counts.last = 100_000, 5, "000000000161"
        line.traffic.pass_by("out", b"\x68")
    drawn = _drawn(built, urls, Room(80, 24))
    shown = [row.split() for row in drawn[2:-1]]
    assert (True, True) == (len(drawn) < 24, max(map(len, drawn)) <= 80)
    assert all(row[1].startswith("tcp://127.0.0.1:10") and row[-1] == "000000000161" for row in shown[:18])
    named = [row for row in shown if row[0] != "and"]
    assert lines == len(named) if lines <= 19 else 18 == len(named)
    if lines > 19:
        hidden = lines - 18
        meters = hidden + hidden // 2
        figures = [meters, hidden, 100_000 * hidden, 5 * hidden]
        assert ["and", str(hidden), "more", *map(str, figures)] == shown[-1]


def test_the_table_shows_the_end_of_a_long_url() -> None:
    """Somebody could not tell which pseudo-terminal, or which port, is the line's."""
    built = BuiltPlant(read_plant(f"lines: [{{name: {'n' * 64}, at: listen}}]", "p"), clock=SimClock())
    url = f"/srv/lines/{'x' * 80}/ttyMETER"
    drawn = _drawn(built, {"n" * 64: url}, Room(80, 24))
    assert max(map(len, drawn)) <= 80
    assert "x/ttyMETER " in drawn[2]
    assert "…" in drawn[2]


def test_the_table_tells_what_could_not_happen() -> None:
    """Who watches a plant would believe that it went through everything of its scenario."""
    built = BuiltPlant(read_plant("lines: [{at: listen}]", "p"), clock=SimClock())
    value = Happening(
        what="register_set", at=timedelta(), item="forward_active_energy", value=Decimal(2_000_000)
    )
    built.happenings.add(value)
    built.happenings.advance(built.clock.utc_now())
    drawn = _drawn(built, {}, Room(80, 24))
    assert "1 cannot happen; register_set-1: forward_active_energy: a register shows" in drawn[-1]
