"""`metersim check`, `new` and `schema`: what somebody does before the first run."""

from __future__ import annotations

import dataclasses
import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console
from typer.testing import CliRunner

from metersim import AnswerRecord, SimClock
from metersim.cli import app
from metersim.cli.table import table_of
from metersim.plant.built import BuiltPlant
from metersim.plant.plant import Plant, load_plant, read_plant
from metersim.plant.rows import LineRow, MeterRow
from metersim.plant.schema import schema
from metersim.plant.starters import KINDS, starter


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
    assert [str(line.at) for line in plant.lines] == [line["at"] for line in lines]


def test_what_a_new_plant_file_has_in_comments_is_right_too() -> None:
    """Whoever takes the sign of comment away would be told that the program's own words are wrong."""
    whole = re.sub(r"^( *)# (?=- |  )", r"\1", starter("small", "plant"), flags=re.MULTILINE)
    rows = read_plant(whole, "plant.yaml").lines[0].meters
    assert [False, True, False, False] == [row.passwords is not None for row in rows]
    assert [False, False, True, False] == [row.modes_enforced for row in rows]
    assert rows[1].tariffs is not None
    assert rows[3].is_garbage


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
    console = Console(file=io.StringIO(), width=120)
    console.print(table_of(built, {"a": "tcp://127.0.0.1:6450"}))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "east: 3 meters, 2026-01-01 00:00:00 UTC" in shown
    rows = [row.replace("│", " ").split() for row in shown.splitlines() if "│" in row]
    assert ["a", "tcp://127.0.0.1:6450", "2", "1", "12", "3", "000000000002"] == rows[0]
    assert ["b", "-", "1", "0", "0", "0"] == rows[1]
