"""``meterlink read`` against a meter that nobody here wrote, over TCP and over a pseudo-terminal."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import pytest

from meterlink.model.line_text import parse_line_url
from meterlink.model.zone import CHINA_TIME
from meterlink.transports.open import open_line
from tests.support.foreign_meter import ForeignMeter, foreign_meter
from tests.support.metersim_process import running_metersim

METERLINK = str(Path(sys.executable).with_name("meterlink"))


def _read(url: str, address: str, *options: str) -> subprocess.CompletedProcess[str]:
    command = [METERLINK, "read", "--line", url, "--address", address, "--timeout-ms", "2000", *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=15)


def _json(run: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    document = json.loads(run.stdout)
    assert isinstance(document, dict)
    return document


@pytest.mark.parametrize("over", ["tcp", "pty"])
def test_a_foreign_meter_is_read(tmp_path: Path, over: Literal["tcp", "pty"]) -> None:
    """Our codec would agree with itself and with no meter in the world."""
    with foreign_meter(tmp_path, over=over, values={"forward_active_energy": "4711.42"}) as meter:
        plain = _read(meter.url, meter.address, "--item", "forward_active_energy", "--trace")
        assert (0, "") == (plain.returncode, plain.stderr)
        assert "4711.42" in plain.stdout
        assert "kWh" in plain.stdout
        assert "68 61 01 00 00 00 00 68 11 04" in plain.stdout, "the octets that went out"
        assert "68 61 01 00 00 00 00 68 91 08" in plain.stdout, "the octets that came back"
        items = ("voltage.a", "current.b", "active_power")
        many = _read(
            meter.url, meter.address, *(word for item in items for word in ("--item", item)), "--json"
        )
        assert 0 == many.returncode
        values = {value["item"]: (value["value"], value["unit"]) for value in _json(many)["values"]}
    units = ("V", "A", "kW")
    assert {item: (meter.values[item], unit) for item, unit in zip(items, units, strict=True)} == values


def test_a_meter_of_1997_is_read(tmp_path: Path) -> None:
    """Field staff could not read the meters that still hang in old houses."""
    with running_metersim(tmp_path, "--protocol=dlt645-1997", "--first-address=161") as plant:
        items = ("forward_active_energy.*", "voltage.*", "active_power", "power_factor")
        options = [word for item in items for word in ("--item", item)]
        read = _read(
            plant.urls[0], "000000000161", "--protocol", "dlt645-1997", *options, "--json", "--trace"
        )
        answered = [value for answer in plant.answers() for value in answer["values"].items()]
        wrong_edition = _read(
            plant.urls[0], "161", "--item", "voltage.a", "--timeout-ms", "100", "--tries", "1"
        )
    assert 0 == read.returncode
    assert 10 == len(answered)
    assert answered == [(value["item"], value["value"]) for value in _json(read)["values"]]
    assert "6861010000000068010252C3" in _json(read)["trace"][0]["octets"]
    assert 3 == wrong_edition.returncode, "a meter of 1997 does not know 11H"


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt645-1997"])
def test_answers_in_pieces_are_read(tmp_path: Path, protocol: str) -> None:
    """Meters with small frames would answer every block with its first registers."""
    options = (f"--protocol={protocol}", "--first-address=161", "--piece-octets=7")
    with running_metersim(tmp_path, *options) as plant:
        items = ("forward_active_energy.*", "voltage.*")
        read = _read(
            plant.urls[0],
            "161",
            "--protocol",
            protocol,
            "--json",
            *(word for item in items for word in ("--item", item)),
        )
        answered = [value for answer in plant.answers() for value in answer["values"].items()]
        pieces = len(plant.answers())
    assert (0, 3 + 1) == (read.returncode, pieces), read.stderr
    assert 8 == len(answered)
    assert answered == [(value["item"], value["value"]) for value in _json(read)["values"]]


_PROFILE = """\
profile: own/dtz
matches: {protocol: dlt645-2007, model: "DTZ*"}
line: {baud: 9600, parity: none, preamble: 1, answer_preamble: 2}
timing: {reply_timeout_ms: 1900, octet_gap_ms: 500, turnaround_ms: 20, reply_delay_ms: 30}
layout: {variable_numbering: from_00}
"""


@pytest.mark.parametrize("over", ["tcp", "pty"])
def test_a_meter_is_read_with_its_own_profile(tmp_path: Path, over: Literal["tcp", "pty"]) -> None:
    """Field staff could not find out whether a profile fits the meter in front of them."""
    own = tmp_path / "own"
    own.mkdir()
    (own / "dtz.yaml").write_text(_PROFILE, encoding="utf-8")
    file = str(own / "dtz.yaml")
    where = ["--pty"] if over == "pty" else []
    with running_metersim(tmp_path, f"--profile={file}", "--first-address=161", *where) as plant:
        url, items = plant.urls[0], ["--item", "frequency", "--json", "--trace"]
        by_file = _read(url, "161", "--profile", file, *items)
        by_model = _read(url, "161", "--model", "DTZ341", "--profiles", str(own), *items)
        plain = _read(url, "161", *items)
        answered = [answer["values"].get("frequency") for answer in plant.answers()]
    # without its profile the identifier means another value, of another length
    assert [0, 0, 6] == [by_file.returncode, by_model.returncode, plain.returncode]
    assert answered == [*(_json(read)["values"][0]["value"] for read in (by_file, by_model)), None]
    assert {"profile": file, "model": "DTZ341"} == {
        "profile": _json(by_file)["profile"],
        "model": _json(by_model)["model"],
    }
    sent, got = _json(by_file)["trace"]
    assert (sent["octets"][:4], got["octets"][:6]) == ("FE68", "FEFE68")
    assert ("?baud=9600&parity=none" in url) == (over == "pty")


def test_a_profile_that_is_none_is_refused(tmp_path: Path) -> None:
    """A slip of the pen would read the meter as another model."""
    for options, said in (
        (["--profile", "nonsense"], "no profile is called 'nonsense'"),
        (["--profiles", str(tmp_path / "nowhere")], "is no folder"),
    ):
        refused = _read("tcp://127.0.0.1:1", "161", "--item", "frequency", *options)
        assert (2, True) == (refused.returncode, said in refused.stderr)


def test_a_meter_of_698_is_read(tmp_path: Path) -> None:
    """The same command and names as for 645: values, a time, last night's freeze, a curve, a refusal."""
    items = ["forward_active_energy.*", "meter_clock", "forward_active_energy.*@daily_freeze/last.1"]
    words = [word for item in items for word in ("--item", item)]
    secret = tmp_path / "secret"
    secret.write_text("00000000\n")
    with running_metersim(tmp_path, "--protocol=dlt698.45", "--first-address=161") as plant:
        [url], as_698 = plant.urls, ("--protocol", "dlt698.45", "--json")
        plain = _json(_read(url, "161", *as_698, *words))
        shown = plant.answers()
        connected = _read(
            url, "161", *as_698, "--item", "frequency", "--password-file", str(secret), "--trace"
        )
        curve = _json(_read(url, "161", *as_698, "--item", "voltage.a@curve", "--count", "4"))
        refused = _read(url, "161", *as_698, "--item", "supply_temperature")
        nothing = _read(url, "161", *as_698, "--item", "power_down_record@last.1")
        day = f"{datetime.now(CHINA_TIME) - timedelta(days=1):%Y-%m-%d}"
        asked = ("--item", "voltage.a@curve", "--from", f"{day} 08:07", "--count", "20")
        pieces = _json(_read(url, "161", *as_698, *asked))
    names = [value["item"] for value in plain["values"]]
    assert ["forward_active_energy", "forward_active_energy.t1"] == names[:2]
    assert ["frozen_at@daily_freeze/last.1", "forward_active_energy@daily_freeze/last.1"] == names[6:8]
    assert shown[0]["values"] == {value["item"]: value["value"] for value in plain["values"][:5]}
    assert 0 == connected.returncode, connected.stderr
    trace = _json(connected)["trace"]
    assert 4 == len(trace), "CONNECT, its answer, the read, its answer"
    assert b"00000000".hex().upper() not in json.dumps(trace)
    assert 4 == sum(value["item"] == "voltage.a@curve" for value in curve["values"])
    assert 4 == refused.returncode
    assert "06" == _json(refused)["error"]["error_word"]
    assert "对象不存在" in _json(refused)["error"]["message"]
    at = [value["value"] for value in pieces["values"] if value["item"] == "frozen_at@curve"]
    assert (20, f"{day} 08:15:00", f"{day} 13:00:00") == (len(at), at[0], at[-1])
    assert (6, "NoRecord") == (nothing.returncode, _json(nothing)["error"]["kind"])


def test_a_password_where_none_is_asked_for(tmp_path: Path) -> None:
    """Whoever gives one to a 645 meter must learn that it does not go out."""
    run = _read("tcp://127.0.0.1:1", "161", "--item", "voltage.a", "--password-file", str(tmp_path / "x"))
    assert 2 == run.returncode
    assert "reads without a password" in run.stderr


def test_only_known_protocols_and_items_are_asked(tmp_path: Path) -> None:
    """A slip of the pen would be asked of a meter until its line times out."""
    unknown = _read("tcp://127.0.0.1:1", "161", "--protocol", "dlt645-98", "--item", "voltage.a")
    assert 2 == unknown.returncode
    assert "dlt645-1997" in unknown.stderr
    for records in (("--count", "3"), ("--from", "2026-11-22 08:00")):
        single = _read("tcp://127.0.0.1:1", "161", "--item", "voltage.a", *records)
        assert (2, True) == (single.returncode, "not for records" in single.stderr)
    newer = _read("tcp://127.0.0.1:1", "161", "--protocol", "dlt645-1997", "--item", "combined_active_energy")
    assert 2 == newer.returncode
    assert "--protocol dlt645-1997" in newer.stderr


@pytest.fixture
def meter(tmp_path: Path) -> Any:
    with foreign_meter(tmp_path, over="tcp") as running:
        yield running


def test_how_a_read_can_fail(meter: ForeignMeter) -> None:
    """A script that reads meters tells silence from refusal by the exit code alone."""
    refused = _read(meter.url, "000000000999", "--item", "forward_active_energy", "--json")
    assert (4, "Refused") == (refused.returncode, _json(refused)["error"]["kind"])
    unknown = _read(meter.url, meter.address, "--item", "forward_activ_energy")
    assert 2 == unknown.returncode
    assert "forward_active_energy" in unknown.stderr, "near names are told"
    wrong_address = _read(meter.url, "16a", "--item", "voltage.a")
    assert 2 == wrong_address.returncode
    assert "12 decimal digits" in wrong_address.stderr
    wrong_line = _read("tcp://127.0.0.1", meter.address, "--item", "voltage.a")
    assert 2 == wrong_line.returncode
    nobody = _read("tcp://127.0.0.1:1", meter.address, "--item", "voltage.a")
    assert 5 == nobody.returncode
    no_device = _read("serial:///dev/ttyNOTHING", meter.address, "--item", "voltage.a")
    assert 5 == no_device.returncode
    assert "by-id" in no_device.stderr


def test_texts_times_and_other_periods(tmp_path: Path) -> None:
    """A date shown as nothing, or last month's energy under this month's name, would mislead."""
    with foreign_meter(tmp_path, over="tcp") as meter:
        items = ("forward_active_energy@settlement.1", "communication_address")
        read = _read(
            meter.url, meter.address, *(word for item in items for word in ("--item", item)), "--json"
        )
        assert 0 == read.returncode, read.stdout
        values = {value["item"]: value["value"] for value in _json(read)["values"]}
        assert set(items) == set(values)
        assert all(value is not None for value in values.values())
        secret = _read(meter.url, meter.address, "--item", "password@level.2", "--trace")
    assert 2 == secret.returncode
    assert "only be written" in secret.stderr
    assert "→" not in secret.stdout, "nothing was sent"


def test_a_silent_meter(tmp_path: Path) -> None:
    """Field staff must be told what to look at."""
    with running_metersim(tmp_path, "--meters=1") as plant:
        silent = _read(
            plant.urls[0], "000000009999", "--item", "voltage.a", "--timeout-ms", "100", "--tries", "2"
        )
    assert 3 == silent.returncode
    assert "2 tries of 100 ms" in silent.stderr
    assert "接线" in silent.stderr


@pytest.mark.parametrize("place", ["--tcp=127.0.0.1:0", "--pty"])
def test_a_line_has_one_owner_among_processes(tmp_path: Path, place: str) -> None:
    """A person's read would collide with the daemon's on the same wires."""

    async def read_while_we_own(url: str, address: str) -> subprocess.CompletedProcess[str]:
        stream = await open_line(parse_line_url(url))
        try:
            return await asyncio.to_thread(_read, url, address, "--item", "forward_active_energy")
        finally:
            await stream.aclose()

    with running_metersim(tmp_path, "--meters=1", place) as plant:
        [url], [[address]] = plant.urls, plant.meters
        busy = asyncio.run(read_while_we_own(url, address))
        assert 5 == busy.returncode
        assert "another process" in busy.stderr
        free = _read(url, address, "--item", "forward_active_energy")
    assert 0 == free.returncode
