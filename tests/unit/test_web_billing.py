"""Consumption, sealed days and completeness over HTTP: what the commands say, page by page."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from meterlink.acquisition.explaining import Place
from meterlink.billing.days import end_of
from meterlink.billing.estimating import Estimator
from meterlink.journal.ledger_rows import Due, Planned
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.marks import Marks
from meterlink.model.slot import DAY_S
from meterlink.model.zone import CHINA_TIME
from meterlink.roster.exchange import Exchange
from meterlink.roster.turns import Turn
from tests.support.billing import FIRST_DAY, TOTAL, plant
from tests.support.web import fill, of_problem, served

DAYS = [FIRST_DAY + timedelta(days=n) for n in range(3)]
FIRST, LAST = DAYS[1].isoformat(), DAYS[2].isoformat()


@pytest.mark.asyncio
async def test_consumption_page_by_page(tmp_path: Path) -> None:
    """A customer on a page's border would be billed twice or never; what lacks would be an amount of zero."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        await home.put(4)
        url = f"/v1/consumption?from={FIRST}&to={LAST}&limit=2"
        found, tags = [], []
        async with api.client(api.token()) as client:
            while url:
                answer = await client.get(url)
                tags.append(answer.headers["etag"])
                found += answer.json()["consumption"]
                url = answer.links.get("next", {}).get("url", "")
            again = await client.get(answer.request.url, headers={"If-None-Match": tags[-1]})
            one = await client.get(f"/v1/consumption?from={FIRST}&to={FIRST}&meter=m2")
            none = await client.get(f"/v1/consumption?from={FIRST}&to={FIRST}&area=nowhere")
            typo = await client.get(f"/v1/consumption?from={FIRST}&to={FIRST}&item=forward_active_enrgy")
        assert [("m1", "2.00"), ("m2", "2.00"), ("m3", "2.00"), ("m4", None)] == [
            (row["meter"], row["amount"]) for row in found
        ]
        assert ("missing", "no_start", None) == (
            found[3]["kind"],
            found[3]["lack"]["reason"],
            found[3]["quality"],
        )
        assert 304 == again.status_code
        assert ["1.00"] == [row["amount"] for row in one.json()["consumption"]]
        assert 2 == len(one.json()["consumption"][0]["seqs"])
        assert (422, "query.item") == (typo.status_code, typo.json()["faults"][0]["where"])
        assert ([], "") == (none.json()["consumption"], none.json()["cursor"])


@pytest.mark.asyncio
async def test_an_estimate_is_told_on_request_and_is_no_amount(tmp_path: Path) -> None:
    """Billing would add what was guessed to what was counted; or keep a guess that was taken back."""
    week = timedelta(days=7)
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, [FIRST_DAY + n * week - timedelta(days=k) for n in (1, 2) for k in (1, 0)], (1,))
        day = FIRST_DAY + 3 * week
        home.after(day)
        await home.keep("m1", day - timedelta(days=1), {TOTAL: "120.00"})
        estimator = Estimator(home.freezes, home.journal.acts, home.clock)
        url = f"/v1/consumption?from={day}&to={day}"
        async with api.client(api.token()) as client:
            before = await client.get(f"{url}&estimates=true")
            await estimator.estimate("m1", TOTAL, day, actor="li")
            plain, asked = await client.get(url), await client.get(f"{url}&estimates=true")
            await home.keep("m1", day, {TOTAL: "121.00"})
            after = await client.get(f"{url}&estimates=true")
    assert "estimates" not in plain.json()["consumption"][0]
    [row] = asked.json()["consumption"]
    assert (None, "missing", ["estimated"]) == (
        row["amount"],
        row["kind"],
        [one["kind"] for one in row["estimates"]],
    )
    assert before.headers["etag"] != asked.headers["etag"], "the caller would never hear of it"
    assert ("1.00", []) == tuple(after.json()["consumption"][0][key] for key in ("amount", "estimates"))


@pytest.mark.asyncio
async def test_a_sealed_day_with_its_files(tmp_path: Path) -> None:
    """Billing could not tell whether it has the file that was sealed, or one that was changed on the way."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        settler = home.settler(formats=("csv", "json"))
        for day in DAYS:
            await settler.settle(day, "", actor="li")
        await home.keep("m1", DAYS[0], {TOTAL: "101.60"})
        await settler.settle(DAYS[0], "", actor="li")
        async with api.client(api.token()) as client:
            page = await client.get("/v1/settlements?limit=3")
            rest = await client.get(page.links["next"]["url"])
            sealed = await client.get(f"/v1/settlements/{DAYS[0]}?area=")
            assert 200 == sealed.status_code
            for one in sealed.json()["sealed"]:
                for file in one["files"]:
                    where = f"/v1/settlements/{DAYS[0]}/files/{file['name']}"
                    got = await client.get(where, params={"number": one["number"]})
                    assert file["sha256"] == hashlib.sha256(got.content).hexdigest()
                    held = {"If-None-Match": got.headers["etag"]}
                    again = await client.get(where, params={"number": one["number"]}, headers=held)
                    assert (304, b"") == (again.status_code, again.content)
            manifest = await client.get(f"/v1/settlements/{DAYS[0]}/files/manifest.json")
            # What the seal and its supplement do not have is what the API gives behind their cursor.
            cursor = sealed.json()["sealed"][-1]["cursor"]
            behind = await client.get(f"/v1/daily-freeze?day={DAYS[0]}&area=&cursor={cursor}")
        assert [one.isoformat() for one in DAYS] == page.json()["days"]
        assert [DAYS[0].isoformat()] == rest.json()["days"]
        assert (True, False) == (page.json()["more"], rest.json()["more"])
        assert [("seal", 3), ("supplement", 1)] == [
            (one["kind"], one["freezes"]) for one in sealed.json()["sealed"]
        ]
        assert sealed.json()["sealed"][0]["manifest_sha256"] == hashlib.sha256(manifest.content).hexdigest()
        assert [] == behind.json()["freezes"]


@pytest.mark.asyncio
async def test_a_seal_that_is_damaged_is_told_as_such(tmp_path: Path) -> None:
    """A day whose manifest was changed would look like a day that was never sealed."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS[:1])
        settled = await home.settler(formats=("csv",)).settle(DAYS[0], "", actor="li")
        assert settled.newest is not None
        (settled.newest.folder / "manifest.json").write_text("{}", encoding="utf-8")
        async with api.client(api.token()) as client:
            answer = await client.get(f"/v1/settlements/{DAYS[0]}")
        assert "broken" == of_problem(answer)
        assert str(tmp_path) not in answer.text, "paths of the gateway are nobody's business"


@pytest.mark.asyncio
async def test_completeness(tmp_path: Path) -> None:
    """A day that lacks meters would pass for whole."""
    places = {f"m{n}": Place("line1", f"A{n}") for n in (1, 2, 3)}
    slot = int(end_of(DAYS[0], CHINA_TIME).timestamp())
    async with plant(tmp_path) as home, served(tmp_path, places=places) as api:
        await home.journal.ledger.plan(
            [
                Planned(meter=meter, data_class=DAILY_FREEZE, every_s=DAY_S, slots=(Due(slot, slot + DAY_S),))
                for meter in places
            ]
        )
        home.after(DAYS[0], hours=-24)
        for number in (1, 2):
            await home.put(number, area=f"A{number}")
        home.after(DAYS[0])
        for number in (1, 2):
            await home.keep(f"m{number}", DAYS[0], {"forward_active_energy": "100.50"})
        async with api.client(api.token()) as client:
            page = await client.get(f"/v1/completeness?day={DAYS[0]}&by=meter&limit=2")
            rest = await client.get(page.links["next"]["url"])
            areas = [await client.get(f"/v1/completeness?day={DAYS[0]}&area=A{n}") for n in (2, 3)]
        pages = [page.json(), rest.json()]
        assert [True, False] == [one["more"] for one in pages]
        assert [("m1", 1, 0), ("m2", 1, 0), ("m3", 0, 1)] == [
            (row["name"], row["kept"], row["missing"]) for one in pages for row in one["rows"]
        ]
        assert [(3, 2, 1)] * 2 == [
            tuple(one["total"][key] for key in ("due", "kept", "missing")) for one in pages
        ], "the total is that of all pages"
        assert [(1, 1.0), (1, 0.0)] == [
            tuple(one.json()["total"][key] for key in ("due", "completeness")) for one in areas
        ]


@pytest.mark.asyncio
async def test_a_freeze_that_is_kept_and_good_for_nothing_is_no_valid_one(tmp_path: Path) -> None:
    """FRZ-01: a day would be told to be whole of which billing can use a quarter."""
    async with plant(tmp_path) as home, served(tmp_path) as api, api.client(api.token()) as client:
        home.after(DAYS[0], hours=-30)
        await home.put(1, 2, 3, 4, area="east")
        await home.put(5, area="west")
        home.after(DAYS[0])
        await home.keep("m1", DAYS[0], {TOTAL: "100"})
        await home.keep("m2", DAYS[0], {TOTAL: "100"}, marks=Marks.CLOCK_FAR)
        await home.keep("m3", DAYS[0], {TOTAL: None}, marks=Marks.ABSENT)
        await home.keep("m5", DAYS[0], {TOTAL: "100"})
        manifest = (await home.settler(formats=("csv",)).settle(DAYS[0], "east")).manifest
        assert manifest is not None
        sealed = manifest.counts
        found = [
            (await client.get(f"/v1/completeness?day={DAYS[0]}{area}")).json()["freeze_valid"]
            for area in ("&area=east", "", "&area=nowhere")
        ]
        assert (sealed.in_service, sealed.valid, sealed.shares["valid"]) == (4, 1, "0.2500")
        assert [(4, 1, 0.25), (5, 2, 0.4), (0, 0, None)] == [tuple(one.values()) for one in found]


@pytest.mark.asyncio
async def test_who_follows_what_is_sealed_hears_of_each_seal_once(tmp_path: Path) -> None:
    """A supplement of a day long ago would never be taken: whoever looks at days has seen that one."""
    heard: list[tuple[str, str, int]] = []
    cursor = ""

    async def follow(client: httpx.AsyncClient, limit: int) -> int:
        nonlocal cursor
        pages, url = 0, f"/v1/settlements?limit={limit}" + (f"&cursor={cursor}" if cursor else "")
        while url:
            answer = await client.get(url)
            assert 200 == answer.status_code, answer.text
            told = answer.json()
            heard.extend((one["day"], one["area"], one["number"]) for one in told["sealed"])
            cursor, pages = told["cursor"], pages + 1
            assert told["more"] == ("next" in answer.links)
            url = answer.links.get("next", {}).get("url", "")
        return pages

    async with plant(tmp_path) as home, served(tmp_path) as api, api.client(api.token()) as client:
        assert 1 == await follow(client, 2), "nothing is sealed, and one can begin to follow"
        await fill(home, DAYS)
        settler = home.settler(formats=("csv",))
        for day in DAYS[1:]:
            await settler.settle(day, "", actor="li")
        first = [(day.isoformat(), "", 1) for day in DAYS[1:]]
        assert 1 < await follow(client, 1)
        assert first == heard
        await home.keep("m1", DAYS[1], {TOTAL: "101.60"})
        await settler.settle(DAYS[0], "", actor="li")
        await settler.settle(DAYS[1], "", actor="li")
        await follow(client, 5)
        late = [(DAYS[0].isoformat(), "", 1), (DAYS[1].isoformat(), "", 2)]
        assert first + late == heard
        before = cursor
        await follow(client, 5)
        assert (before, first + late) == (cursor, heard)
        sealed = [one for day in DAYS for one in home.settlements().of(day, "")]
        told = (await client.get("/v1/settlements")).json()["sealed"]
        by_hash = {one.sha256: (one.day.isoformat(), one.number, one.manifest.freezes) for one in sealed}
        assert by_hash == {
            one["manifest_sha256"]: (one["day"], one["number"], one["freezes"]) for one in told
        }
        freezes = (await client.get("/v1/daily-freeze")).json()["cursor"]
        refused = await client.get(f"/v1/settlements?cursor={freezes}")
        assert 422 == refused.status_code, "a place among freezes is no place among seals"
        other = cursor.partition("~")[0] + "~0123456789ab"
        assert "wrong-cursor" == of_problem(await client.get(f"/v1/settlements?cursor={other}"))


@pytest.mark.asyncio
async def test_consumption_that_became_another_is_asked_for_alone(tmp_path: Path) -> None:
    """A month that was billed would be asked for anew for each meter, each day; or a correction be missed."""
    url = f"/v1/consumption?from={DAYS[1]}&to={DAYS[2]}"

    async def asked(client: httpx.AsyncClient, since: str = "") -> tuple[dict[str, str], str]:
        found: dict[str, str] = {}
        where, first = f"{url}&limit=1" + (f"&since={since}" if since else ""), ""
        while where:
            told = await client.get(where)
            assert 200 == told.status_code, told.text
            first = first or told.json()["as_of"]
            assert first == told.json()["as_of"], "that of the first page"
            found |= {row["meter"]: row["amount"] for row in told.json()["consumption"]}
            where = told.links.get("next", {}).get("url", "")
        return found, first

    async with plant(tmp_path) as home, served(tmp_path) as api, api.client(api.token()) as client:
        await fill(home, [FIRST_DAY - timedelta(days=n) for n in range(15, 0, -1)], (1, 2, 3))
        await fill(home, DAYS, (1, 2, 3))
        whole, as_of = await asked(client)
        assert ["m1", "m2", "m3"] == sorted(whole)
        assert ({}, as_of) == await asked(client, as_of)
        before = (await client.get(f"{url}&since={as_of}")).headers["etag"]
        await home.keep("m2", DAYS[2] + timedelta(days=1), {TOTAL: "900.00"})
        assert {} == (await asked(client, as_of))[0], "a freeze of another day"
        await home.keep("m1", DAYS[2], {TOTAL: "150.00"}, marks=Marks.CONFLICT)
        news, next_as_of = await asked(client, as_of)
        assert ["m1"] == list(news) and news["m1"] != whole["m1"]
        assert before != (await client.get(f"{url}&since={as_of}")).headers["etag"]
        turn = Turn(meter="m3", at=end_of(DAYS[0], CHINA_TIME), ct=Decimal(40), registers={})
        await home.book.turn(turn, actor="li")
        news, _ = await asked(client, next_as_of)
        assert {"m3": str(40 * Decimal(whole["m3"]))} == news, "a ratio that was told late"
        assert {"m1", "m3"} == set((await asked(client, as_of))[0])
        now, as_of = await asked(client)
        every = (await client.get("/v1/daily-freeze")).json()["cursor"]
        assert ({}, as_of) == await asked(client, every), "the cursor of freezes is one too"
        await Estimator(home.freezes, home.journal.acts, home.clock).reverse_due()
        of_a_day = (await client.get(f"/v1/daily-freeze?day={DAYS[0]}")).json()["cursor"]
        assert 422 == (await client.get(f"{url}&since={of_a_day}")).status_code
        other = as_of.partition("~")[0] + "~0123456789ab"
        for name in ("since", "as_of"):
            assert "wrong-cursor" == of_problem(await client.get(f"{url}&{name}={other}"))
        exchange = Exchange(
            old="m1",
            new="m9",
            meter_number="000000000999",
            removed_at=end_of(DAYS[1], CHINA_TIME),
            installed_at=end_of(DAYS[1], CHINA_TIME),
            last={TOTAL: Decimal("150.00")},
            first={TOTAL: Decimal(0)},
        )
        told: dict[str, str] = whole | {meter: now[meter] for meter in ("m1", "m3")}
        assert told == now, "who took the news alone has what who asks for all has"
        home.after(DAYS[2], hours=20)
        await home.book.exchange(exchange, actor="li")
        [row] = (await client.get(f"{url}&since={as_of}")).json()["consumption"]
        assert ("m9", ["m1", "m9"]) == (row["meter"], row["place"]), "it takes the place of the row of m1"
