"""What of a scenario can never come true in its plant is told before the run, with file and line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from metersim import SimClock
from metersim.cli import app
from metersim.plant.built import BuiltPlant
from metersim.plant.checked import PlantError
from metersim.plant.happening_runner import HappeningReport
from metersim.plant.happenings import Happening
from metersim.plant.plant import load_plant, read_plant
from metersim.plant.scenario import packaged_scenarios

PLANT = """\
scenario: trouble.yaml
lines:
  - name: east
    meters: [{count: 2, address: 161, profile: dlt645-2007/single-phase}]
  - name: west
    meters: [{profile: dlt698.45/three-phase}]
"""
SCENARIO = """\
scenario: trouble
faults:
  - {what: silence, meter: "*9"}
  - {what: silence, line: est}
  - {what: loss, meter: 000000000163, line: east}
  - {what: loss, meter: 000000000163}
happenings:
  - {what: register_set, at: +1h, item: voltage.a, value: 5}
  - {what: register_set, at: +1h, item: forward_active_energy.t9, value: 5}
  - {what: register_set, at: +1h, item: forward_active_energy, value: 12345678}
  - {what: register_set, at: daily 03:00, item: forward_active_energy.b, value: 5, meter: "00000000016[12]"}
  - {what: register_set, at: daily 03:00, item: forward_active_energy.b, value: 5}
  - {what: clock_drift, at: 2026-12-01T03:00+08:00, s_per_day: 601}
  - {what: power_outage, at: +1h, lasts: 5m, meter: "*162", probability: 0.001}
  - {what: tampering, theft: THEFT-14, at: +1h, line: north}
"""


def _at(line: int, path: str, words: str) -> str:
    return f"trouble.yaml:{line}: {path}: {words}"


EXPECTED = [
    _at(3, "faults[1].meter", "no meter of the plant is *9; there are 3 of them, the first 000000000161"),
    _at(4, "faults[2].line", "no line of the plant is est, do you mean west or east?; there is east, west"),
    _at(5, "faults[3].meter", "no meter of the plant is 000000000163 on a line east; there are 3 of them"),
    _at(8, "happenings[1]", "voltage.a: meter 000000000161 has no such register"),
    _at(9, "happenings[2]", "forward_active_energy.t9: meter 000000000161 has no such register"),
    _at(10, "happenings[3]", "forward_active_energy: a register shows 0 to 999999.99, not 12345678"),
    _at(11, "happenings[4]", "forward_active_energy.b: meter 000000000161 has no such register"),
    _at(13, "happenings[6]", "a drift of 601 s"),
    _at(15, "happenings[8].line", "no line of the plant is north; there is east, west"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where plant and scenario stand."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "plant.yaml").write_text(PLANT)
    (tmp_path / "trouble.yaml").write_text(SCENARIO)
    return tmp_path


@pytest.mark.parametrize("command", ["check", "run"])
def test_what_can_never_come_true_is_told_before_the_run(folder: Path, command: str) -> None:
    """A typing error in a scenario would look like meters that stood it."""
    ended = CliRunner().invoke(app, [command, "plant.yaml"])
    told = ended.stderr.removeprefix("metersim: ").splitlines()
    assert (2, len(EXPECTED)) == (ended.exit_code, len(told)), ended.stderr
    assert [] == [words for words, line in zip(EXPECTED, told, strict=True) if not line.startswith(words)]


def test_a_scenario_in_the_plant_file_has_its_lines_there(folder: Path) -> None:
    """Somebody would look for the slip in a file that there is not."""
    text = "scenario:\n  scenario: own\n  faults:\n  - {what: loss}\n  - {what: loss, line: x}\n"
    with pytest.raises(PlantError, match=r"^p.yaml:5: scenario.faults\[2\].line: no line of the plant is x"):
        read_plant(text, "p.yaml", folder=folder)


@pytest.mark.parametrize("name", [*packaged_scenarios()])
def test_the_programs_own_scenarios_go_with_any_plant(name: str) -> None:
    """A plant of one meter could not have a scenario that is made for sixteen."""
    plant = read_plant(f"scenario: {name}", "p.yaml")
    assert plant.scenario is not None
    assert name == plant.scenario.scenario


def test_a_meter_of_later_is_tried_when_it_stands(folder: Path) -> None:
    """A meter that is switched on after the plant begins would be told to have no registers."""
    row = "{since: 2027-03-01T00:00+08:00}"
    happening = "{what: register_set, at: +1h, item: forward_active_energy, value: 5}"
    (folder / "trouble.yaml").write_text(f"scenario: x\nhappenings: [{happening}]")
    (folder / "plant.yaml").write_text(f"scenario: trouble.yaml\nlines: [{{meters: [{row}]}}]")
    assert load_plant(folder / "plant.yaml").scenario is not None


def test_what_fails_in_the_run_is_told_once() -> None:
    """Of meters of two kinds one cannot have it: nobody would know until asking the REST API."""
    text = PLANT.replace("scenario: trouble.yaml", "start: 2026-10-01T00:00:00+08:00")
    clock = SimClock(datetime(2026, 9, 30, 16, tzinfo=UTC))
    built = BuiltPlant(read_plant(text, "p.yaml"), clock=clock)
    told: list[HappeningReport] = []
    built.happenings.when_failed(told.append)
    hour, register = timedelta(hours=1), "forward_active_energy.b"
    built.happenings.add(Happening(what="register_set", at=hour, item=register, value=Decimal(5)))
    built.happenings.add(Happening(what="power_outage", at=hour))
    built.happenings.advance(clock.utc_now() + 2 * hour)
    assert ["register_set-1"] == [report.name for report in told]
    assert "meter 000000000161 has no such register" in told[0].last_error
    assert [2, 0] == [report.failed for report in built.happenings.reports()]
