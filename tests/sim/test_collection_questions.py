"""What people ask of the ledger, of a running daemon and of a journal at rest."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.cli.collection_look import in_percent
from meterlink.errors import BadRequest, Unknown
from metersim import Faults, Meter, Station
from metersim.line.fault_rules import FaultRule
from tests.support.simulated import SimulatedGateway

_DAY = "2026-11-21"
"""The day that the newest freeze at ``START`` ends."""
_PLANS: list[Mapping[str, object]] = [
    {"class": "daily_freeze", "items": ["forward_active_energy.*"]},
    {"name": "moment", "every_s": 60, "items": ["voltage.a"]},
]


def _gateway(folder: Path) -> SimulatedGateway:
    """Three meters, of which the second is silent; two areas."""
    stations = [
        Station(
            meter=Meter(f"{number:012d}", seed=7), faults=Faults(silence=1.0) if number == 2 else Faults()
        )
        for number in (1, 2, 3)
    ]
    areas = {f"{number:012d}": {"area": area} for number, area in ((1, "north"), (2, "north"), (3, "south"))}
    return SimulatedGateway(folder, stations, plans=_PLANS, meter_keys=areas)


def _config(folder: Path) -> Path:
    text = f'[gateway]\nid = "gw"\ndata_dir = "{folder}"\n'
    text += '[[plans]]\nclass = "daily_freeze"\nitems = ["forward_active_energy.*"]\n'
    text += '[[plans]]\nname = "moment"\nevery_s = 60\nitems = ["voltage.a"]\n'
    for number, area in ((1, "north"), (2, "north"), (3, "south")):
        text += f'[[meters]]\nid = "m{number:012d}"\naddress = "{number:012d}"\nline = "tcp://127.0.0.1:1"\n'
        text += f'area = "{area}"\n'
    path = folder / "meterlink.toml"
    path.write_text(text)
    return path


def _cli(config: Path, *args: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, [*args, "--config", str(config)])
    return result.exit_code, result.stdout + result.stderr


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of a gateway that ran for ten minutes and a half."""
    folder = tmp_path_factory.mktemp("gateway")
    _gateway(folder).run(seconds=630)
    return _config(folder)


def test_why_a_freeze_is_missing(config: Path) -> None:
    """A hole that nobody can explain; and what is there would be called missing."""
    code, text = _cli(config, "why", "m000000000002", _DAY, "--lang", "en")
    assert 1 == code
    assert "missing: the meter did not answer, 4 tries, the last at 2026-11-22 11:05" in text
    code, text = _cli(config, "why", "m000000000002", _DAY, "--lang", "zh")
    assert "缺失:电能表无应答,已尝试4次" in text
    code, text = _cli(config, "why", "m000000000001", _DAY, "--lang", "en")
    assert (0, True) == (code, "kept, at 2026-11-22 11:00" in text)


def test_why_a_moment_is_lost(config: Path) -> None:
    """Nobody remembers a value of the moment: its slot is lost, and must say so."""
    code, text = _cli(config, "why", "m000000000002", "2026-11-22T11:05", "--json")
    assert 1 == code
    [found] = json.loads(text)["found"]
    assert ("instant", "expired", "silent") == (found["class"], found["state"], found["reason"])
    assert found["zh"] and found["en"]


@pytest.mark.parametrize(
    ("meter", "slot", "code", "words"),
    [
        ("m00000000003", _DAY, 2, "no meter 'm00000000003' is in the roster; near it: m000000000003"),
        ("99", _DAY, 2, "no meter '99' is in the roster"),
        ("1", "2026-11-22T11:05:30", 0, "m000000000001: nothing was due at 2026-11-22 11:05:30: no plan has"),
        (
            "m000000000001",
            "2026-11-19",
            0,
            "daily_freeze 2026-11-22 00:00, moment (instant) 2026-11-22 11:00",
        ),
    ],
)
def test_why_of_what_was_never_due(config: Path, meter: str, slot: str, code: int, words: str) -> None:
    """A typing error would look like a kept slot, or like a plan that asks for nothing."""
    found, text = _cli(config, "why", meter, slot, "--lang", "en")
    assert (code, True) == (found, words in text), text


@pytest.mark.parametrize("day", ["9999-12-31", "9999-12-30", "0001-01-01", "1999-12-31"])
def test_days_at_the_edge_of_time_are_refused(config: Path, day: str) -> None:
    """A typing error in the year ended in a traceback."""
    for args in (("completeness", "--day", day), ("why", "1", day), ("why", "1", f"{day}T00:00")):
        code, text = _cli(config, *args, "--lang", "zh")
        assert (2, True) == (code, "2000 至 2999" in text), text
        code, text = _cli(config, *args, "--lang", "en")
        assert (2, True) == (code, "2000 to 2999" in text), text
    code, text = _cli(config, "events", "--since", day, "--lang", "zh")
    assert (2, True) == (code, "2000 至 2999" in text), text


def test_a_day_without_dashes_is_the_same_night(config: Path) -> None:
    """The answer would be of another night, and look like that of the one that was meant."""
    answers = [_cli(config, "why", "m000000000002", day, "--json") for day in (_DAY, "20261121")]
    assert answers[0] == answers[1]
    assert "2026-11-22T00:00:00+08:00" == json.loads(answers[0][1])["slot"]


def test_a_meter_is_known_by_its_address(config: Path) -> None:
    """Who stands at a meter knows its plate, and not what we call it."""
    code, text = _cli(config, "why", "000000000001", _DAY, "--lang", "en")
    assert (0, True) == (code, "m000000000001  daily_freeze" in text)


def test_a_slot_that_is_to_come_is_not_missing(tmp_path: Path) -> None:
    """Tonight's curve would be called missing at noon, and each period would be one line like the other."""
    curves = [
        {"name": f"load{every_s}", "class": "curve", "every_s": every_s, "items": ["forward_active_energy"]}
        for every_s in (900, 3600)
    ]
    gateway = SimulatedGateway(tmp_path, [Station(meter=Meter("000000000001", seed=7))], plans=curves)
    told: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        told.append(await gateway.ask("anybody", "collection.why", meter="1", slot="2026-11-22T22:00"))
        told.append(await gateway.ask("anybody", "collection.why", meter="1", slot="2026-11-23T22:00"))
        with pytest.raises(Unknown, match="near it: m000000000001"):
            await gateway.ask("anybody", "collection.why", meter="m00000000001", slot=_DAY)

    gateway.run(seconds=61, meanwhile=meanwhile)
    today, tomorrow = told
    assert [(900, False), (3600, False)] == [(one["every_s"], one["is_due"]) for one in today["found"]]
    assert today["found"][0]["en"] == "not due yet: it is due from 2026-11-22 23:05"
    assert ([], "future") == (tomorrow["found"], tomorrow["undue"])
    (tmp_path / "meterlink.toml").write_text(f'[gateway]\nid = "gw"\ndata_dir = "{tmp_path}"\n')
    _, text = _cli(tmp_path / "meterlink.toml", "why", "1", "2026-11-22T22:00")
    assert "  curve 900 s  " in text and "  curve 3600 s  " in text


def test_why_of_what_a_protocol_has_not(tmp_path: Path) -> None:
    """Each night of a meter of 1997, which freezes none, would look as if it had come a day later."""
    address = f"{1:012d}"
    meters = (Meter(address, seed=7, protocol="dlt645-1997"), Meter(f"{2:012d}", seed=7))
    gateway = SimulatedGateway(
        tmp_path, [Station(meter=one) for one in meters], plans=_PLANS, protocols={address: "dlt645-1997"}
    )
    told: list[Mapping[str, Any]] = []

    async def ask() -> None:
        await asyncio.sleep(5)
        told.append(await gateway.ask("anybody", "collection.why", meter="1", slot="2026-11-20"))

    gateway.run(seconds=10, meanwhile=ask)
    [answer] = told
    assert [] == answer["found"]
    assert answer["en"].endswith("its protocol has no such data as daily_freeze asks for"), answer["en"]
    assert "其规约没有此类数据:daily_freeze" in answer["zh"]
    _config(tmp_path)
    path = tmp_path / "meterlink.toml"
    first = 'id = "m000000000001"'
    path.write_text(path.read_text().replace(first, f'{first}\nprotocol = "dlt645-1997"'))
    code, text = _cli(path, "why", "m000000000001", "2026-11-20", "--lang", "en")
    assert (0, True) == (code, answer["en"] in text), text


def test_a_slot_that_is_none_is_refused(config: Path) -> None:
    """A slip of the pen would be looked up as some other slot."""
    code, text = _cli(config, "why", "m000000000001", "yesterday")
    assert (2, True) == (code, "write a day" in text)


def test_completeness_of_a_day_of_freezes(config: Path) -> None:
    """The rate that people see at seven in the morning would be wrong."""
    code, text = _cli(config, "completeness", "--day", _DAY, "--by", "area", "--json")
    told = json.loads(text)
    assert 0 == code
    assert {"north": (2, 1, 1), "south": (1, 1, 0)} == {
        row["name"]: (row["due"], row["kept"], row["missing"]) for row in told["rows"]
    }
    assert pytest.approx(2 / 3) == told["total"]["success_rate"] == told["total"]["completeness"]
    assert {"silent": 1} == told["total"]["reasons"]
    assert {"in_service": 3, "valid": 2, "rate": 0.6666} == told["freeze_valid"], "FRZ-01, as a seal has it"
    _, text = _cli(config, "completeness", "--day", _DAY, "--area", "south", "--by", "meter", "--json")
    assert ["m000000000003"] == [row["name"] for row in json.loads(text)["rows"]]
    _, text = _cli(config, "completeness", "--day", _DAY, "--lang", "zh")
    assert "采集成功率" in text and "66.66 %" in text, "shares are not rounded up"
    assert "在运 3 块表中 2 块有该日日终的有效日冻结:66.66 %(FRZ-01)" in text


def test_shares_in_percent_are_exact() -> None:
    """57 of 100 would be 56.99 %, and who sees a digit that is wrong believes none."""
    hundredths = [in_percent(count / 100) for count in range(101)]
    assert [f"{count}.00 %" for count in range(101)] == hundredths
    assert ["66.66 %", "99.99 %", "-"] == [in_percent(2 / 3), in_percent(99_999 / 100_000), in_percent(None)]


def test_an_area_that_is_none_is_refused(config: Path) -> None:
    """A slip of the pen would be an area of which nothing is due, and so nothing is missing."""
    code, text = _cli(config, "completeness", "--day", _DAY, "--area", "nord")
    assert (2, True) == (code, "no meter of the roster is of an area 'nord'; there are: north" in text)


def test_a_table_can_be_read_everywhere(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe, or in a terminal of 80 columns, the numbers would be dots."""
    asked = ("completeness", "--day", _DAY, "--by", "class", "--lang", "en")
    _, text = _cli(config, *asked)
    heads = "due kept lacking success rate completeness missing refused lost not counted"
    assert heads in " ".join(text.split())
    assert ["daily_freeze", "3", "2", "0", "66.66", "%"] == text.splitlines()[1].split()[:6]
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "80")
    _, text = _cli(config, *asked)
    assert "…" not in text and "66.66 %" in text


def test_completeness_by_class_and_meter(config: Path) -> None:
    """Values of the moment count in their day; a slot whose tries are used up is missed at once."""
    _, text = _cli(config, "completeness", "--day", "2026-11-22", "--by", "meter", "--json")
    told = json.loads(text)["rows"]
    assert {"m000000000001": (11, 11), "m000000000002": (11, 0), "m000000000003": (11, 11)} == {
        row["name"]: (row["due"], row["kept"]) for row in told
    }
    _, text = _cli(config, "completeness", "--day", "2026-11-22", "--by", "class", "--json")
    assert ["instant"] == [row["name"] for row in json.loads(text)["rows"]]


def test_the_daemon_answers_the_same(tmp_path: Path) -> None:
    """Two answers to one question, whether the daemon runs or not; and a wrong one would be taken."""
    gateway = _gateway(tmp_path)
    answers: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(620)
        for op, args in (
            ("collection.why", {"meter": "m000000000002", "slot": _DAY}),
            ("collection.completeness", {"day": _DAY, "by": "line"}),
        ):
            answers.append(await gateway.ask("anybody", op, **args))
        for op, wrong in (
            ("collection.why", {"meter": "m1"}),
            ("collection.why", {"meter": "m1", "slot": "2026-13-01"}),
            ("collection.completeness", {"day": "2026", "by": "line"}),
            ("collection.completeness", {"day": "9999-12-31", "by": "line"}),
            ("collection.why", {"meter": "m1", "slot": "9999-12-31T23:00:00+00:00"}),
            ("collection.why", {"meter": "m1", "slot": "0001-01-01"}),
            ("collection.completeness", {"day": _DAY, "by": "line", "area": 1}),
            ("collection.completeness", {"day": _DAY, "by": "sex", "area": ""}),
        ):
            with pytest.raises(BadRequest):
                await gateway.ask("anybody", op, **wrong)

    gateway.run(seconds=630, meanwhile=meanwhile)
    config = _config(tmp_path)
    _, text = _cli(config, "why", "m000000000002", _DAY, "--json")
    assert json.loads(text) == answers[0]
    _, text = _cli(config, "completeness", "--day", _DAY, "--json")
    assert json.loads(text)["total"] == answers[1]["total"]
    assert json.loads(text)["freeze_valid"] == answers[1]["freeze_valid"]
    assert ["line1"] == [row["name"] for row in answers[1]["rows"]]


def test_a_silence_is_told_once_and_not_by_every_plan(tmp_path: Path) -> None:
    """Of a meter with six plans people would read six times that it does not answer, and that it does."""
    plans = [*_PLANS, {"name": "often", "every_s": 120, "items": ["current.a"]}]
    station = Station(meter=Meter("000000000001", seed=7))
    gateway = SimulatedGateway(tmp_path, [station], plans=plans)

    silence = FaultRule(what="silence", between=(timedelta(seconds=130), timedelta(seconds=730)))
    gateway.strikes.rules.add(silence)

    with capture_logs() as logs:
        gateway.run(seconds=1_000)
    told = [one["event"] for one in logs if one["event"] in {"meter_silent", "meter_answers"}]
    assert ["meter_silent", "meter_answers"] == told


def test_a_meter_that_is_moved_stays_in_the_area_of_its_past_days(tmp_path: Path) -> None:
    """A past day of an area would change with a meter that moves, and tell two numbers in one answer."""
    gateway = _gateway(tmp_path)
    gateway.run(seconds=630)
    gateway.meter_keys = {**gateway.meter_keys, "000000000001": {"area": "west"}}
    gateway.apply_roster()
    told: dict[str, Mapping[str, Any]] = {}

    async def ask() -> None:
        await gateway.desk_opened.wait()
        for day in (_DAY, "2026-11-22"):
            told[day] = await gateway.ask("root", "collection.completeness", day=day, by="area")
            for area in ("north", "west"):
                asked = {"day": day, "by": "meter", "area": area}
                told[f"{day} {area}"] = await gateway.ask("root", "collection.completeness", **asked)

    gateway.run(seconds=60, meanwhile=ask)
    assert ["north", "south"] == [row["name"] for row in told[_DAY]["rows"]]
    assert ["north", "south", "west"] == [row["name"] for row in told["2026-11-22"]["rows"]]
    for key, meters in ((f"{_DAY} north", 2), (f"{_DAY} west", 0), ("2026-11-22 north", 1)):
        assert meters == len(told[key]["rows"]) == told[key]["freeze_valid"]["in_service"], key
    config = _config(tmp_path)
    for area in ("north", "west"):
        code, text = _cli(config, "completeness", "--day", _DAY, "--by", "meter", "--area", area, "--json")
        assert (0, told[f"{_DAY} {area}"]) == (code, json.loads(text)), "at rest as of the daemon"
    code, text = _cli(config, "completeness", "--day", _DAY, "--area", "nort", "--lang", "en")
    assert (2, True) == (code, "there are: north" in text), text
