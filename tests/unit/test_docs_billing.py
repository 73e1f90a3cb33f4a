"""The page for whoever bills: each command of it is typed, and each answer is the one that stands there."""

from __future__ import annotations

import asyncio
import json
import re
import shlex
import shutil
import sqlite3
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from docs.generate import DOCS
from typer.testing import CliRunner

from meterlink.accounts.tokens import Scope
from meterlink.audit.keys import GatewayKey
from meterlink.billing.consumption import LACK_WORDS
from meterlink.billing.days import end_of
from meterlink.cli import app
from meterlink.config.web import WebSettings
from meterlink.journal.ledger_rows import Due, Planned, seconds
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import Marks
from meterlink.model.slot import DAY_S, Reason, SlotKey
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from meterlink.web.serving import open_api
from tests.support.billing import TOTAL, Plant, plant
from tests.support.markdown import blocks, commands, printed
from tests.support.web import served

_PAGE = (DOCS / "billing.md").read_text(encoding="utf-8")
_CHINESE = (DOCS / "billing.zh-CN.md").read_text(encoding="utf-8")
_DAY = date(2026, 11, 17)
_NEXT = _DAY + timedelta(days=1)


async def _night(at: Plant, area: str = "east") -> None:
    at.after(_DAY, hours=-30)
    await at.put(1, area=area, ct="30")
    await at.put(2, 3, area=area)
    at.after(_DAY, hours=1)
    slot = end_of(_DAY, CHINA_TIME)
    due = Planned(
        meter="m3", data_class=DAILY_FREEZE, every_s=DAY_S, slots=(Due(seconds(slot), seconds(slot)),)
    )
    await at.journal.ledger.plan([due])
    await at.journal.ledger.tried([SlotKey("m3", DAILY_FREEZE, DAY_S, slot)], Reason.SILENT, tries=2)
    await at.keep("m1", _DAY, {TOTAL: "100.00"})
    await at.keep("m2", _DAY, {TOTAL: "7.50"})


async def _day(at: Plant) -> None:
    at.after(_DAY, hours=9)
    await at.keep("m3", _DAY, {TOTAL: "9.00"}, marks=Marks.BACKFILL)
    await at.keep("m2", _DAY, {TOTAL: "7.60"}, marks=Marks.CONFLICT)


async def _exchange(at: Plant) -> None:
    """What the page types as ``meterlink roster exchange``."""
    at.after(_DAY, hours=10.5)
    exchange = Exchange(
        old="m1",
        new="m4",
        meter_number="202611180001",
        removed_at=at.clock.now,
        installed_at=at.clock.now,
        last={TOTAL: Decimal("101.50")},
        first={TOTAL: Decimal("0.20")},
    )
    await at.book.exchange(exchange, actor="li")


async def _next_night(at: Plant) -> None:
    at.after(_NEXT, hours=1)
    await at.keep("m4", _NEXT, {TOTAL: "1.00"})


def _plain(text: str) -> str:
    """Without what is different each time: the time of the seal, and hashes."""
    text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME", text)
    return re.sub(r"[0-9a-f]{64}", "SHA-256", text).strip()


@pytest.fixture
def gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data directory of the page's gateway; commands are typed beside it."""
    data = tmp_path / "data"
    data.mkdir()
    (tmp_path / "meterlink.toml").write_text(
        f'[gateway]\ndata_dir = "{data}"\n[[lines]]\nname = "line1"\nurl = "tcp://127.0.0.1:1"\n'
        + "\n".join(blocks(_PAGE, "toml"))
    )
    monkeypatch.chdir(tmp_path)
    return data


def test_the_worked_example_is_what_happens(gateway: Path) -> None:
    """Whoever follows the page would see something else, and trust neither."""

    def happen(what: Callable[[Plant], Any]) -> None:
        async def work() -> None:
            async with plant(gateway) as at:
                await what(at)

        asyncio.run(work())

    def send() -> None:
        key = GatewayKey.find(gateway).public_hex
        Path("gateway.key").write_text(key)
        for name in ("settlements", "settlements-changed"):
            shutil.copytree(gateway / "settlements", name)
        with Path("settlements-changed/2026-11-17/east/0001/daily-freeze.csv").open("a") as file:
            file.write("x")

    story: Mapping[int, Callable[[], None]] = {
        0: lambda: happen(_night),
        2: lambda: happen(_day),
        5: lambda: happen(_next_night),
        7: send,
    }
    typed = commands(_PAGE)
    assert 9 == len(typed)
    for number, command in enumerate(typed):
        story.get(number, lambda: None)()
        words = shlex.split(command.replace("/var/lib/meterlink", str(gateway)))
        assert "meterlink" == words[0]
        done = CliRunner().invoke(app, words[1:], env={"LANG": "en_US", "LC_ALL": "en_US"})
        shown = [
            line.rstrip() for line in done.output.replace(str(gateway), "/var/lib/meterlink").splitlines()
        ]
        told = [line.rstrip() for line in printed(_PAGE, command).splitlines()]
        if number == 3:
            told = ["east  nothing is new"]  # typed twice: the page's second answer
        if number != 4:  # the exchange, of which the page of the roster tells
            assert _plain("\n".join(told)) == _plain("\n".join(shown)), command


def test_the_python_of_the_page_tells_what_holds(gateway: Path) -> None:
    """A bill made by it would have the value of the night in place of the corrected one."""

    async def work() -> None:
        async with plant(gateway) as at:
            await _night(at)
            await at.settler(formats=("csv",)).settle(_DAY, "east")
            await _day(at)
            at_nine = timedelta(hours=9)
            await at.keep("m3", _DAY, {TOTAL: "9.90"}, marks=Marks.FRZ_TIME, at=at_nine)
            await at.settler(formats=("csv",)).settle(_DAY, "east")

    asyncio.run(work())
    code, _, _ = blocks(_PAGE, "python")
    names: dict[str, Any] = {}
    exec(code, names)
    held = names["what_holds"](gateway / "settlements" / "2026-11-17" / "east")
    assert {("m1", TOTAL): "3000.00", ("m2", TOTAL): "7.60", ("m3", TOTAL): "9.00"} == {
        key: row["multiplied"] for key, row in held.items()
    }


@pytest.mark.asyncio
@pytest.mark.parametrize("area", ["east", "", '东区 1/2.a\u2028,"b"'])
async def test_the_page_holds_seal_and_supplements_against_the_api(tmp_path: Path, area: str) -> None:
    """Whoever copies it would take a folder for whole that lacks a late row, or never get it to agree."""
    _, code, _ = blocks(_PAGE, "python")
    names: dict[str, Any] = {}
    exec(code, names)
    async with plant(tmp_path) as at, served(tmp_path) as api:
        token = api.token(Scope.FREEZE)
        settler = at.settler(formats=("csv",))

        async def differ(day: date, url: str) -> set[str]:
            place = at.settlements().place(day, area)
            return {row[2] for row in await asyncio.to_thread(names["differences"], place, url, token)}

        async with open_api(api.app, WebSettings.model_validate({"listen": "127.0.0.1:0"})) as [url]:
            await _night(at, area)
            await settler.settle(_DAY, area)
            found = [await differ(_DAY, url)]
            for happen in (_day, _exchange):
                await happen(at)
                found.append(await differ(_DAY, url))
                await settler.settle(_DAY, area)
                found.append(await differ(_DAY, url))
            await _next_night(at)
            await settler.settle(_NEXT, area)
            assert [set(), {"m2", "m3"}, set(), set(), set()] == found
            assert set() == await differ(_NEXT, url)
            seal = at.settlements().place(_NEXT, area) / "0001" / "daily-freeze.csv"
            seal.write_bytes(seal.read_bytes().replace(b"24.00", b"24.10").replace(b"30.00", b"30.10"))
            assert {"m4"} == await differ(_NEXT, url)


@pytest.mark.asyncio
async def test_the_client_of_the_page_takes_each_freeze_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever copies it would bill a freeze twice, or never hear of a corrected one."""
    monkeypatch.setattr("meterlink.web.freezes.PAGE_ROWS", 1)
    _, _, code = blocks(_PAGE, "python")
    assert len(code.splitlines()) <= 30
    names: dict[str, Any] = {"__name__": "follow"}
    exec(code, names)
    held = tmp_path / "bills.sqlite3"
    counts = []
    async with plant(tmp_path) as at, served(tmp_path) as api:
        token = api.token(Scope.FREEZE)
        async with open_api(api.app, WebSettings.model_validate({"listen": "127.0.0.1:0"})) as [url]:
            for happen in (_night, _day, _exchange, _next_night, None):
                if happen is not None:
                    await happen(at)
                counts.append(await asyncio.to_thread(names["follow"], url, token, str(held)))
        async with api.client(token) as client:
            page = (await client.get("/v1/daily-freeze?limit=100")).json()
    assert [2, 2, 0, 1, 0] == counts, "the meter that was put in comes like any other"
    db = sqlite3.connect(held)
    told = [json.loads(row) for (row,) in db.execute("SELECT told FROM freeze ORDER BY seq")]
    db.close()
    assert page["freezes"] == told


def test_every_lack_is_on_the_page() -> None:
    """Billing would get a word that no page explains."""
    for page in (_PAGE, _CHINESE):
        assert not [lack.value for lack in LACK_WORDS if f"`{lack.value}`" not in page]


def test_the_chinese_page_has_the_same_commands_and_settings() -> None:
    """Who reads it would type what the program does not take: each command is typed from the other page."""
    assert commands(_PAGE) == commands(_CHINESE)
    assert blocks(_PAGE, "toml") == blocks(_CHINESE, "toml")
