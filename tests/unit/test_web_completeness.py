"""Completeness over HTTP and by the command: one ledger, and one answer."""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from typing import Any

from typer.testing import CliRunner

from meterlink.acquisition.explaining import WAYS, Place
from meterlink.billing.days import end_of
from meterlink.cli import app
from meterlink.config import load_settings
from meterlink.daemon.collection_requests import places_of
from meterlink.journal.ledger_rows import Due, Planned, seconds
from meterlink.model.data_classes import CURVE, DAILY_FREEZE
from meterlink.model.slot import DAY_S, Reason, SlotKey
from meterlink.model.zone import CHINA_TIME
from tests.support.billing import TOTAL, plant
from tests.support.web import served

_DAY = date(2020, 1, 2)
"""Long ago by every clock: all that is due of it is due."""
_AREAS = (None, "", "east", "west", "nowhere")
_METERS = {"m1": "east", "m2": "east", "m3": "west", "m4": ""}
_HOUR_S = 3_600


def _config(folder: Path) -> Path:
    """A gateway of four meters in two areas and beside them, on two lines."""
    path = folder / "meterlink.toml"
    lines = "".join(f'[[lines]]\nname = "line{n}"\nurl = "tcp://127.0.0.1:{n}"\n' for n in (1, 2))
    meters = "".join(
        f'[[meters]]\nid = "{one}"\naddress = "00000000000{one[1]}"\n'
        f'line = "line{1 + (one == "m3")}"\narea = "{area}"\n'
        for one, area in _METERS.items()
    )
    path.write_text(f'[gateway]\ndata_dir = "{folder}"\n{lines}{meters}')
    return path


def _due(meter: str) -> list[Planned]:
    """The freeze that ends the day, and three points of its curve."""
    freeze, start = seconds(end_of(_DAY, CHINA_TIME)), seconds(end_of(_DAY, CHINA_TIME)) - DAY_S
    points = tuple(Due(start + n * _HOUR_S, start + (n + 1) * _HOUR_S) for n in range(3))
    return [
        Planned(meter=meter, data_class=DAILY_FREEZE, every_s=DAY_S, slots=(Due(freeze, freeze),)),
        Planned(meter=meter, data_class=CURVE, every_s=_HOUR_S, slots=points),
    ]


async def _asked(folder: Path, config: Path) -> dict[tuple[str, str | None], dict[str, Any]]:
    """What the API says by every way of every area; a row a page, put together."""
    slot = end_of(_DAY, CHINA_TIME)
    found: dict[tuple[str, str | None], dict[str, Any]] = {}
    settings = load_settings(config)
    async with plant(folder) as home, served(folder, places=places_of(settings, settings.meters)) as api:
        ledger = home.journal.ledger
        await ledger.plan([one for meter in _METERS for one in _due(meter)])
        await home.keep("m1", _DAY, {TOTAL: "1.00"})
        await ledger.tried([SlotKey("m2", DAILY_FREEZE, DAY_S, slot)], Reason.SILENT, tries=2)
        await ledger.refused([SlotKey("m3", DAILY_FREEZE, DAY_S, slot)], note="no freeze")
        async with api.client(api.token()) as client:
            for by, area in product(WAYS, _AREAS):
                url, rows = f"/v1/completeness?day={_DAY}&by={by}&limit=1", list[Any]()
                url += "" if area is None else f"&area={area}"
                while url:
                    answer = await client.get(url)
                    told = answer.json()
                    rows += told["rows"]
                    url = answer.links.get("next", {}).get("url", "")
                found[by, area] = {
                    key: told[key] for key in ("day", "area", "by", "total", "freeze_valid")
                } | {"rows": rows}
    return found


def test_the_api_says_what_the_command_says(tmp_path: Path) -> None:
    """Billing and the people at the gateway would have two shares of one day, and dispute over them."""
    config = _config(tmp_path)
    found = asyncio.run(_asked(tmp_path, config))
    for (by, area), told in found.items():
        typed = ["completeness", "--day", str(_DAY), "--by", by, "--json", "-c", str(config)]
        typed += [] if area is None else ["--area", area]
        done = CliRunner().invoke(app, typed)
        if area == "nowhere":  # a program gets no rows; whoever types it hears what there is
            assert (2, []) == (done.exit_code, told["rows"])
            continue
        assert 0 == done.exit_code, done.output
        assert json.loads(done.stdout) == told
    total = found["meter", None]["total"]
    assert (16, 1, 1) == (total["due"], total["kept"], total["refused"])
    assert 7 == found["meter", "east"]["total"]["missing"], "the freeze of m2, and six points"
    assert [] == found["meter", "nowhere"]["rows"]
    assert ["m4"] == [row["name"] for row in found["meter", ""]["rows"]], "that without an area, not all"
    for by in WAYS:
        due = {area: found[by, area]["total"]["due"] for area in _AREAS}
        assert due[None] == sum(due[area] for area in _AREAS if area is not None) > max(due["east"], due[""])


def test_a_meter_counts_in_the_area_in_which_it_stood(tmp_path: Path) -> None:
    """The share of valid freezes would be of other meters than the rows above it, once a meter is moved."""

    async def asked() -> dict[str, Any]:
        async with plant(tmp_path) as home, served(tmp_path, places={"m1": Place("line1", "west")}) as api:
            home.after(_DAY - timedelta(days=1))
            await home.put(1, area="east")
            await home.journal.ledger.plan(_due("m1"))
            home.after(_DAY + timedelta(days=1))
            await home.put(1, area="west")
            async with api.client(api.token()) as client:
                return {
                    area: (await client.get(f"/v1/completeness?day={_DAY}&by=area&area={area}")).json()
                    for area in ("east", "west")
                }

    told = asyncio.run(asked())
    assert [["east"], []] == [[row["name"] for row in told[area]["rows"]] for area in ("east", "west")]
    assert [1, 0] == [told[area]["freeze_valid"]["in_service"] for area in ("east", "west")]
