"""Scenario files are checked whole, errors say where, and those that come with the program run."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from metersim import AnswerRecord, Line, Meter, Simulation, Station, memory_pair
from metersim.dlt698 import Meter698
from metersim.line.fault_kinds import KINDS as FAULTS
from metersim.line.fault_rules import RULES_MAX, FaultRule
from metersim.line.moments import duration as read_duration
from metersim.line.moments import written
from metersim.plant.happening_runner import HAPPENINGS_MAX
from metersim.plant.happenings import KINDS, THEFTS, Happening
from metersim.plant.scenario import (
    SAYS_MAX,
    SEED_MAX,
    TEXT_MAX,
    Scenario,
    ScenarioError,
    chosen_scenario,
    load_scenario,
    load_scenario_file,
    packaged_scenarios,
)
from metersim.plant.whens import Daily
from tests.support.project import ROOT
from tests.support.sim_line import ask645, ask698

WHOLE = """
# a comment
scenario: evening-trouble
says: Noise, and the power is down once.
seed: 7
faults:
  - {what: noise, probability: 0.2, between: [+18h, 2026-03-01T20:00+08:00]}
  - what: silence
    meter: 000000000161
    item: forward_active_energy
    nth: 3
    times: 1
happenings:
  - {what: power_outage, line: line0, at: daily 03:00, lasts: 10m, times: 2}
  - {what: clock_jump, meter: "*1", at: +1d, by: -90s}
  - {what: tampering, theft: THEFT-05, strength: 0.5, at: 2026-03-01T20:00Z}
"""


def test_a_scenario_is_read_as_it_is_written() -> None:
    """A figure that is read wrong makes another test of it."""
    expected = Scenario(
        scenario="evening-trouble",
        says="Noise, and the power is down once.",
        seed=7,
        faults=(
            FaultRule(
                what="noise",
                probability=0.2,
                between=(timedelta(hours=18), datetime(2026, 3, 1, 12, tzinfo=UTC)),
            ),
            FaultRule(what="silence", meter="000000000161", item="forward_active_energy", nth=3, times=1),
        ),
        happenings=(
            Happening(
                what="power_outage",
                line="line0",
                at=Daily(datetime(2026, 1, 1, 3).time()),  # noqa: DTZ001
                lasts=timedelta(minutes=10),
                times=2,
            ),
            Happening(what="clock_jump", meter="*1", at=timedelta(days=1), by=-timedelta(seconds=90)),
            Happening(
                what="tampering",
                theft="THEFT-05",
                strength=Decimal("0.5"),
                at=datetime(2026, 3, 1, 20, tzinfo=UTC),
            ),
        ),
    )
    assert expected == load_scenario(WHOLE, "a.yaml")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "a.yaml:1: the file is empty"),
        ("scenario: [", "a.yaml:1: no YAML"),
        ("- a", "a.yaml:1: a scenario file has keys and values, as 'scenario: my-own'"),
        ("seed: 3", "a.yaml:1: scenario: the key is missing"),
        ("scenario: A b", "a.yaml:1: scenario 'A b': write small letters"),
        ("scenario: x\nscenario: y", "a.yaml:2: key 'scenario' stands here twice"),
        (
            "scenario: x\n\nfauls: []",
            "a.yaml:3: fauls: unknown key; did you mean 'faults'?; there",
        ),
        ("scenario: x\nseed: -1", "a.yaml:2: seed: should be greater than or equal to 0"),
        ("scenario: x\nseed: much", "a.yaml:2: seed: write a whole number"),
        ("scenario: x\nfaults: 3", "a.yaml:2: faults: write a list"),
        (
            "scenario: x\nfaults:\n - {what: loss}\n - {wat: loss}",
            "a.yaml:4: faults[2].wat: unknown key; did you mean 'what'?",
        ),
        ("scenario: x\nfaults:\n - {nth: 1}", "a.yaml:3: faults[1].what: the key is missing"),
        (
            "scenario: x\nfaults:\n - what: loss\n   nth: x",
            "a.yaml:4: faults[1].nth: write a whole number",
        ),
        (
            "scenario: x\nfaults:\n - what: loss\n   nth: 0",
            "a.yaml:4: faults[1].nth: should be greater",
        ),
        (
            "scenario: x\nfaults:\n - what: los",
            "a.yaml:3: faults[1]: what 'los': no such fault, do you mean loss?",
        ),
        (
            "scenario: x\nfaults:\n - what: loss\n   item: voltge.a",
            "a.yaml:3: faults[1]: item 'voltge.a': the catalogue has no 'voltge', do you mean voltage",
        ),
        (
            "scenario: x\nfaults:\n - what: loss\n   between: [2h, +3h]",
            "a.yaml:4: faults[1].between[1]: '2h': write a time as 2026-03-01T03:00+08:00, or as +2h",
        ),
        (
            "scenario: x\nfaults:\n - what: loss\n   between: [+2h]",
            "a.yaml:4: faults[1].between: write two times, from and until, as [+18h, +20h]",
        ),
        ("scenario: x\nhappenings:\n - {what: reboot}", "a.yaml:3: happenings[1].at: the key is missing"),
        (
            "scenario: x\nhappenings:\n - {what: reboot, at: soon}",
            "a.yaml:3: happenings[1].at: 'soon': write a time as 2026-03-01T03:00+08:00, or as +2h, or",
        ),
        (
            "scenario: x\nhappenings:\n - {what: reboot, at: +1h}",
            "a.yaml:3: happenings[1]: lasts: reboot needs it",
        ),
        ("scenario: x\nfaults: &a [*a]", "a.yaml:2: aliases are not taken"),
        ("#" * (TEXT_MAX + 1), "a.yaml:1: 65537 characters, at most 65536 are taken"),
    ],
)
def test_a_fault_in_a_file_is_named_with_its_line(text: str, error: str) -> None:
    """Whoever writes a scenario of 200 lines would look for the one that is wrong."""
    with pytest.raises(ScenarioError) as caught:
        load_scenario(text, "a.yaml")
    assert str(caught.value).startswith(error)


def test_every_fault_of_a_file_is_named_at_once() -> None:
    """Whoever mends a scenario would run it once for each fault in it."""
    text = "scenario: x\nseed: much\nfaults:\n - {what: loss, nth: x}\nhappenings:\n - {what: reboot}"
    with pytest.raises(ScenarioError) as caught:
        load_scenario(text, "a.yaml")
    places = [line.split(": ")[:2] for line in str(caught.value).splitlines()]
    expected = [["a.yaml:2", "seed"], ["a.yaml:4", "faults[1].nth"], ["a.yaml:6", "happenings[1].at"]]
    assert expected == places


_YAML_LIKE = st.text(alphabet="abc:-[]{}, \n\"'&*!|>#0", max_size=80)


@given(st.text(max_size=200) | _YAML_LIKE.map("scenario: x\n{}".format))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    """A file of rubbish would end the program with an error that says nothing."""
    try:
        load_scenario(text, "a.yaml")
    except ScenarioError as error:
        assert str(error).startswith("a.yaml:")


def test_the_limits_do() -> None:
    """What is allowed at the limit must be read, and one more refused with its line."""
    rule, happening = " - {what: loss}\n", " - {what: demand_reset, at: +1h}\n"

    def text(rules: int, happenings: int) -> str:
        return f"scenario: x\nfaults:\n{rule * rules}happenings:\n{happening * happenings}"

    widest = load_scenario(text(RULES_MAX, HAPPENINGS_MAX), "a.yaml")
    assert (RULES_MAX, HAPPENINGS_MAX) == (len(widest.faults), len(widest.happenings))
    with pytest.raises(ScenarioError, match=r"a\.yaml:2: faults: Tuple should have at most 256 items"):
        load_scenario(text(RULES_MAX + 1, 1), "a.yaml")
    with pytest.raises(ScenarioError, match=r"a\.yaml:\d+: happenings: Tuple should have at most 1024 items"):
        load_scenario(text(1, HAPPENINGS_MAX + 1), "a.yaml")
    Scenario(scenario="x" * 64, says="y" * SAYS_MAX, seed=SEED_MAX)
    for wrong in (
        {"scenario": "x" * 65},
        {"scenario": "x", "says": "y" * (SAYS_MAX + 1)},
        {"scenario": "x", "seed": SEED_MAX + 1},
        {"scenario": "x", "faults": (FaultRule(what="loss"),) * (RULES_MAX + 1)},
    ):
        with pytest.raises(ValueError, match=r"scenario|says|seed|faults"):
            Scenario(**wrong)


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    """A wrong path would show a trace of our own program."""
    (tmp_path / "good.yaml").write_text(WHOLE, encoding="utf-8")
    (tmp_path / "bad.yaml").write_bytes(b"scenario: \xff")
    (tmp_path / "long.yaml").write_text("#" * 4 * TEXT_MAX + "#")
    assert "evening-trouble" == load_scenario_file(tmp_path / "good.yaml").scenario
    assert "evening-trouble" == chosen_scenario(str(tmp_path / "good.yaml")).scenario
    for name, words in (("none", "cannot be read"), ("bad", "no UTF-8"), ("long", "too long")):
        with pytest.raises(ScenarioError, match=words):
            load_scenario_file(tmp_path / f"{name}.yaml")


@given(st.integers(0, 10**9).map(lambda ms: timedelta(milliseconds=ms)))
def test_a_duration_is_written_as_it_is_read(value: timedelta) -> None:
    """What the program shows of a scenario could not be put into one."""
    assert value == read_duration(written(value))


@pytest.mark.parametrize("text", ["300000d", "3661d", "1d9999999h", "9999999999s"])
def test_a_time_that_is_too_long_is_told_as_that(text: str) -> None:
    """Whoever wrote a right time that is too long would be told to write it in the same way."""
    with pytest.raises(ValueError, match=f"'{text}': at most 3660 days"):
        read_duration(text)


# --- JSON Schema ------------------------------------------------------------------------------------


def test_the_schema_knows_every_key_and_kind() -> None:
    """An editor would mark what is right, and pass what is wrong."""
    schema = Scenario.schema()
    assert schema == json.loads(json.dumps(schema))
    kinds = schema["$defs"]
    for cls, known in ((FaultRule, FAULTS), (Happening, KINDS)):
        keys = kinds[cls.__name__]["properties"]
        assert {each.name for each in fields(cls)} == keys.keys()
        assert list(known) == keys["what"]["enum"]
        assert False is kinds[cls.__name__]["additionalProperties"]
    assert ["what"] == kinds["FaultRule"]["required"]
    assert ["what", "at"] == kinds["Happening"]["required"]


# --- those that come with the program ----------------------------------------------------------------


ADDRESSES = [f"{number:012d}" for number in range(1, 21)]


class Run:
    """A plant under a scenario: ten meters of DL/T 645 and ten of 698.45, each line read by one client."""

    def __init__(self, scenario: Scenario) -> None:
        self.sim = Simulation(seed=1)
        self.answers: list[AnswerRecord] = []
        self.rules = scenario.rules(start=self.sim.clock.utc_now())
        meters645 = [Meter(each, seed=1) for each in ADDRESSES[:10]]
        meters698 = [Meter698(each, seed=1) for each in ADDRESSES[10:]]
        self.lines = [self._line("line0", meters645), self._line("line1", meters698)]
        self.happenings = scenario.running(self.lines, clock=self.sim.clock)

    def _line(self, name: str, meters: Sequence[Meter | Meter698]) -> Line:
        stations = [Station(meter=meter) for meter in meters]
        clock = self.sim.clock
        return Line(stations, clock=clock, record=self.answers.append, rules=self.rules, name=name)

    def run(self, days: float, every: timedelta) -> None:
        """Ask every meter for its energy and its last freeze once each ``every``."""
        self.sim.run(self._main(int(timedelta(days=days) / every), every))

    async def _main(self, rounds: int, every: timedelta) -> None:
        asks = (
            [ask645(address, di) for address in ADDRESSES[:10] for di in (0x00010000, 0x05060101)],
            [ask698(address) for address in ADDRESSES[10:]],
        )
        async with asyncio.TaskGroup() as group:
            running = group.create_task(self.happenings.run(), name="happenings")
            async with asyncio.TaskGroup() as clients:
                for line, requests in zip(self.lines, asks, strict=True):
                    clients.create_task(_poll(line, requests, rounds, every), name="client")
            running.cancel()

    def digest(self) -> str:
        """Of all that the meters said."""
        found = hashlib.sha256()
        for record in self.answers:
            found.update(record.to_json(0).encode())
        return found.hexdigest()


async def _poll(line: Line, requests: Sequence[bytes], rounds: int, every: timedelta) -> None:
    plant_end, our_end = memory_pair()
    async with asyncio.TaskGroup() as group:
        group.create_task(line.serve(plant_end), name="line")
        for _ in range(rounds):
            for request in requests:
                await our_end.send(request)
                await asyncio.sleep(5)
            await asyncio.sleep(every.total_seconds() - 5 * len(requests))
        our_end.close()


PACKAGED = {
    "clock-trouble": (4, timedelta(hours=1)),
    "dead-meters": (1.2, timedelta(minutes=30)),
    "month-of-trouble": (31, timedelta(hours=8)),
    "noisy-line": (1, timedelta(minutes=10)),
    "theft-all": (17, timedelta(hours=4)),
}


def test_every_scenario_of_the_program_is_run_here() -> None:
    """One that nobody ran may be wrong, or do nothing."""
    found = packaged_scenarios()
    assert PACKAGED.keys() == found.keys()
    assert all(scenario.says for scenario in found.values())
    assert found["noisy-line"] == chosen_scenario("noisy-line")
    with pytest.raises(ScenarioError, match="no scenario is called 'noisy-lines', do you mean noisy-line"):
        chosen_scenario("noisy-lines")


@pytest.mark.parametrize("name", PACKAGED)
def test_a_scenario_of_the_program_does_what_it_says(name: str) -> None:
    """Every rule of it must strike and every happening befall somebody, and none fail."""
    run = Run(chosen_scenario(name))
    days, every = PACKAGED[name]
    run.run(days, every)
    for report in run.rules.reports():
        assert report.struck, f"{report.name} never struck"
    failed = {report.name: report.last_error for report in run.happenings.reports() if report.failed}
    assert {} == failed
    if name != "month-of-trouble":  # where chance may spare all of twenty meters
        assert all(report.befallen for report in run.happenings.reports())
    else:
        assert len([report for report in run.happenings.reports() if report.befallen]) >= 10
    assert run.answers


def test_all_of_theft_is_in_theft_all() -> None:
    """A rule of detection would have no case to be shown."""
    found = {happening.theft for happening in chosen_scenario("theft-all").happenings}
    assert set(THEFTS) == found


def test_a_scenario_gives_the_same_octets_for_its_seed() -> None:
    """A failure that a scenario found could not be looked at again."""

    def digest(seed: int) -> str:
        run = Run(replace(chosen_scenario("month-of-trouble"), seed=seed))
        run.run(3, timedelta(hours=2))
        return run.digest()

    assert digest(1) == digest(1)
    assert digest(1) != digest(2)


def test_dead_meters_are_told_apart() -> None:
    """One meter in five is silent, one refuses, one is another, one is slow, one has no power."""
    run = Run(chosen_scenario("dead-meters"))
    run.run(0.2, timedelta(minutes=30))
    begin = run.answers[0].at + timedelta(hours=1)
    answered = {record.address[-1] for record in run.answers if record.at > begin}
    assert set("1236789") == answered
    refusing = {record.faults for record in run.answers if record.address[-1] == "1"}
    assert {("abnormal",)} == refusing
    foreign = [record.faults for record in run.answers if record.address == ADDRESSES[1]]
    assert [(), ("other_address",)] * (len(foreign) // 2) == foreign
    assert 2 * 3 * 9 == run.rules.struck("dead")


@pytest.mark.parametrize("name", PACKAGED)
def test_a_scenario_can_be_written_and_read_again(name: str) -> None:
    """What a program shows of a scenario could not be put into a file."""
    scenario = chosen_scenario(name)
    shown = TypeAdapter(Scenario).dump_json(scenario).decode()
    assert scenario == load_scenario(shown, "a.yaml")


def test_the_example_of_the_documentation_is_one() -> None:
    """A newcomer who copies it would be refused."""
    page = (ROOT / "docs" / "scenarios.md").read_text(encoding="utf-8")
    text = page.partition("```yaml\n")[2].partition("```")[0]
    scenario = load_scenario(text, "scenarios.md")
    assert (3, 3) == (len(scenario.faults), len(scenario.happenings))
