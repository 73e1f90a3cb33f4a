"""The commands of billing without a daemon: settle, settlement, export, consumption."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import json
import shutil
import socket
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from meterlink.audit.keys import GatewayKey
from meterlink.cli import app
from meterlink.cli.consumption_look import DAYS_MAX
from meterlink.model.marks import Marks
from meterlink.roster.exchange import Exchange
from tests.support.billing import FIRST_DAY, TOTAL, plant

_SECOND = FIRST_DAY + timedelta(days=1)
_DAY = FIRST_DAY.isoformat()


class Place:
    """A data directory with two meters, one of which was exchanged, and the commands on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = folder / "meterlink.toml"
        self.config.write_text(
            f'[gateway]\ndata_dir = "{folder / "data"}"\n'
            '[[lines]]\nname = "line1"\nurl = "tcp://127.0.0.1:1"\n',
            encoding="utf-8",
        )
        (folder / "data").mkdir()
        asyncio.run(self._fill())

    async def _fill(self) -> None:
        async with plant(self.folder / "data") as at:
            await at.put(1, area="east", ct="30")
            await at.put(2, area="west")
            at.after(FIRST_DAY)
            await at.keep("m1", FIRST_DAY, {TOTAL: "100.00"})
            at.after(FIRST_DAY, hours=12)
            exchange = Exchange(
                old="m1",
                new="n1",
                meter_number="000000000777",
                removed_at=at.clock.now,
                installed_at=at.clock.now,
                last={TOTAL: Decimal("101.50")},
                first={TOTAL: Decimal("0.20")},
            )
            await at.book.exchange(exchange, actor="li")
            await at.keep("n1", _SECOND, {TOTAL: "1.00"})

    async def later(self) -> None:
        async with plant(self.folder / "data") as at:
            at.after(_SECOND)
            await at.keep("m2", FIRST_DAY, {TOTAL: "5.00"}, marks=Marks.BACKFILL)

    def run(self, *words: str, lang: str = "en") -> tuple[int, str, str]:
        more = (
            []
            if words[:2] in {("settlement", "show"), ("settlement", "verify")}
            else ["-c", str(self.config)]
        )
        more += [] if words[0] == "export" else ["--lang", lang]
        done = CliRunner().invoke(app, [*words, *more])
        return done.exit_code, done.stdout, done.stderr

    def told(self, *words: str) -> Any:
        return json.loads(self.run(*words, "--json")[1])


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_day_is_settled_looked_at_and_verified(place: Place) -> None:
    """What a clerk types each month: seal, list, show, supplement, and the check on another machine."""
    code, out, _ = place.run("settle", "--day", _DAY, "--dry-run")
    assert (0, True) == (code, "would be sealed: seal" in out)
    assert [] == place.told("settlement", "list")
    east, west = place.told("settle", "--day", _DAY)["areas"]
    assert ("east", True, 0, 1) == (east["area"], east["is_new"], east["counts"]["missing"], east["freezes"])
    assert ("west", 1, "seal") == (west["area"], west["counts"]["missing"], west["kind"])
    assert "nothing is new" in place.run("settle", "--day", _DAY, "--area", "west")[1]
    code, out, _ = place.run("settlement", "show", west["folder"], lang="zh")
    assert (0, True) == (code, "m2" in out and "没有采集方案要求" in out)
    asyncio.run(place.later())
    assert "supplement 1" in place.run("settle", "--day", _DAY, "--area", "west")[1]
    listed = place.told("settlement", "list", "--day", _DAY)
    assert [("east", 1), ("west", 1), ("west", 2)] == [(one["area"], one["number"]) for one in listed]
    assert "east" in place.run("settlement", "list")[1]
    data = place.folder / "data"
    key = GatewayKey.find(data).public_hex
    assert 0 == place.run("settlement", "verify", str(data / "settlements"), "--key", key)[0]
    assert key in place.run("settlement", "verify", str(data / "settlements"))[1]
    (Path(west["folder"]) / "daily-freeze.csv").write_text("1")
    code, out, _ = place.run("settlement", "verify", str(data / "settlements"), "--key", key)
    assert (11, True) == (code, "west/0001/daily-freeze.csv: is not as it was sealed" in out)
    assert not place.told("settlement", "verify", str(data / "settlements"))["ok"]
    assert 1 == place.run("settlement", "show", str(data))[0]


def test_a_copy_is_verified_where_there_is_no_gateway(
    place: Place, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whoever bills could not verify: there is no journal, no configuration and no network at his desk."""
    place.run("settle", "--day", _DAY)
    key = GatewayKey.find(place.folder / "data").public_hex
    desk = tmp_path_factory.mktemp("desk")
    shutil.copytree(place.folder / "data" / "settlements", desk / "sent")
    shutil.rmtree(place.folder)
    monkeypatch.chdir(desk)
    monkeypatch.setenv("HOME", str(desk))

    def no_network(*_: object, **__: object) -> None:
        raise OSError("there is no network")

    monkeypatch.setattr(socket, "socket", no_network)
    told = place.told("settlement", "verify", "sent")
    assert (True, False, True) == (told["ok"], told["key_given"], key in told["hint"]["en"])
    told = place.told("settlement", "verify", "sent", "--key", key)
    assert (True, None) == (told["key_given"], told["hint"]), "a program would trust any key that signed"
    assert (True, ["east", "west"]) == (told["ok"], [one["area"] for one in told["sealed"]])
    with (desk / "sent" / _DAY / "east" / "0001" / "daily-freeze.csv").open("r+b") as file:
        file.seek(40)
        file.write(b"\x00")
    code, out, _ = place.run("settlement", "verify", "sent", "--key", key)
    assert (11, True) == (code, f"sent/{_DAY}/east/0001/daily-freeze.csv: is not as it was sealed" in out)


def test_what_was_kept_is_exported_in_each_format(place: Place) -> None:
    """A file that is not whole under its name would be taken for the day."""
    code, out, _ = place.run("export", "daily", "--day", _DAY)
    assert (0, ["m1"]) == (code, [row["meter"] for row in csv.DictReader(out.splitlines())])
    for kind in ("csv", "json", "xlsx", "parquet"):
        file = place.folder / f"day.{kind}"
        asked = ("export", "daily", "--day", _DAY, "--area", "east", "--format", kind, "-o", str(file))
        assert 0 == place.run(*asked)[0]
        assert file.stat().st_size > 200
    assert {f"day.{kind}" for kind in ("csv", "json", "xlsx", "parquet")} == {
        path.name for path in place.folder.iterdir() if "day" in path.name
    }
    assert '"multiplied":"3000.00"' in place.run("export", "daily", "--day", _DAY, "--format", "json")[1]
    told = place.told("export", "daily", "--day", _DAY, "-o", str(place.folder / "day.csv"))
    octets = (place.folder / "day.csv").read_bytes()
    assert (1, 1, len(octets), hashlib.sha256(octets).hexdigest()) == tuple(
        told[key] for key in ("freezes", "rows", "octets", "sha256")
    )
    assert 2 == place.run("export", "daily", "--day", _DAY, "--json")[0], "two documents in one"
    assert 2 == place.run("export", "daily", "--day", "yesterday")[0]
    wrong = place.folder / "eats.csv"
    code, _, err = place.run("export", "daily", "--day", _DAY, "--area", "eats", "-o", str(wrong))
    assert (2, True, False) == (
        code,
        "no meter in area 'eats'" in err and "there are: east\n" in err,
        wrong.exists(),
    )
    code, _, err = place.run("export", "daily", "--day", _DAY, "-o", str(place.folder / "no" / "x.csv"))
    assert (1, True) == (code, "cannot be written" in err)


def test_consumption_is_shown_or_why_there_is_none(place: Place) -> None:
    """Across an exchange it is of both meters; where something lacks, an amount of 0 would be a gift."""
    asked = ("consumption", "n1", "--from", _SECOND.isoformat(), "--to", _SECOND.isoformat())
    code, out, _ = place.run(*asked)
    assert (0, f"{TOTAL}  69.00 kWh  (m1: 1.50 x 30 + n1: 0.80 x 30)\n") == (code, out)
    [told] = place.told(*asked)["registers"]
    assert ("69.00", "measured", "valid", None) == (
        told["amount"],
        told["kind"],
        told["quality"],
        told["lack"],
    )
    code, out, _ = place.run("consumption", "m2", "--from", _DAY, "--to", _DAY, lang="zh")
    assert (6, True) == (code, "缺少起始冻结示数" in out)
    typo = place.run("consumption", "m2", "--from", _DAY, "--to", _DAY, "--item", "forward_active_enrgy")
    assert 2 == typo[0]
    assert "near it: forward_active_energy" in typo[2]
    assert 2 == place.run("consumption", "nobody", "--from", _DAY, "--to", _DAY)[0]
    assert 2 == place.run("consumption", "m2", "--from", _SECOND.isoformat(), "--to", _DAY)[0]
    for days, code in ((DAYS_MAX, 6), (DAYS_MAX + 1, 2)):
        last = (FIRST_DAY + timedelta(days=days)).isoformat()
        assert code == place.run("consumption", "m2", "--from", _DAY, "--to", last)[0]


def test_what_cannot_be_settled_is_said_with_its_code(place: Place) -> None:
    """A script would take a day that was refused for one that is sealed."""
    assert 2 == place.run("settle", "--day", "2026-13-01")[0]
    code, _, err = place.run("settle", "--day", "2200-01-01", lang="zh")
    assert (2, True) == (code, "尚未结束" in err), err
    code, _, err = place.run("settle", "--day", _DAY, "--area", "south")
    assert (2, True) == (code, "no meter in area 'south'" in err)
    (place.folder / "data" / "journal.sqlite3").unlink()
    assert 7 == place.run("settle", "--day", _DAY)[0]
    assert 7 == place.run("export", "daily", "--day", _DAY)[0]


async def _weeks(folder: Path) -> None:
    """A third meter with two same weekdays before the second day, of which the end is missing."""
    async with plant(folder / "data") as at:
        await at.put(3)
        for weeks, amount in ((2, "10.00"), (1, "11.00")):
            day = _SECOND - weeks * timedelta(days=7)
            at.after(day)
            await at.keep("m3", day - timedelta(days=1), {TOTAL: "100.00"})
            await at.keep("m3", day, {TOTAL: 100 + Decimal(amount)})
        at.after(_SECOND)
        await at.keep("m3", FIRST_DAY, {TOTAL: "200.00"})


def test_an_estimate_is_labelled_and_is_no_amount(place: Place) -> None:
    """A script would bill an estimate as if the meter had counted it, or estimate without being asked."""
    asyncio.run(_weeks(place.folder))
    second = _SECOND.isoformat()
    words = ("consumption", "m3", "--from", second, "--to", second)
    code, plain, _ = place.run(*words)
    assert (6, False) == (code, "ESTIMATED" in plain)
    code, shown, _ = place.run(*words, "--estimate")
    assert 6 == code
    line, estimate = shown.splitlines()
    assert f"{TOTAL}  -  the freeze at the end is missing (m3)" == line
    assert estimate.startswith("  ESTIMATED 10.50 kWh, no reading: version 1 by ")
    [told] = json.loads(place.run(*words, "--estimate", "--json")[1])["registers"]
    assert (None, "missing", "10.50", 1) == (
        told["amount"],
        told["kind"],
        told["estimate"]["amount"],
        told["estimate"]["version"],
    )
    first = FIRST_DAY.isoformat()
    code, _, error = place.run("consumption", "m3", "--from", first, "--to", first, "--estimate")
    assert (2, True) == (code, "two days in a row" in error)
    code, _, error = place.run("consumption", "m3", "--from", first, "--to", second, "--estimate")
    assert (2, True) == (code, "for one day" in error)
