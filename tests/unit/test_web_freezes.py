"""What billing pulls of freezes: each row once, late ones too, and nothing that it has already."""

from __future__ import annotations

import asyncio
import gc
import gzip
import io
import json
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from meterlink.accounts.tokens import Scope
from meterlink.billing import cursors
from meterlink.web.problems import FAULTS_MAX
from tests.support.billing import FIRST_DAY, TOTAL, plant
from tests.support.web import fill, of_problem, served

PATH = "/v1/daily-freeze"
DAYS = [FIRST_DAY + timedelta(days=n) for n in range(3)]


async def _followed(client: httpx.AsyncClient, url: str) -> tuple[list[dict[str, Any]], str]:
    """All rows of a page and those behind its links, and the last cursor."""
    rows: list[dict[str, Any]] = []
    while True:
        answer = await client.get(url)
        assert 200 == answer.status_code, answer.text
        rows += answer.json()["freezes"]
        if "next" not in answer.links:
            return rows, answer.json()["cursor"]
        assert answer.json()["more"]
        url = answer.links["next"]["url"]


@pytest.mark.asyncio
async def test_a_freeze_as_billing_reads_it(tmp_path: Path) -> None:
    """A bill would be made of a rounded register, of another day, or of the register for the amount."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await home.put(1, ct=20, area="A1")
        home.after(DAYS[0])
        seq = await home.keep("m1", DAYS[0], {TOTAL: "100.50"})
        async with api.client(api.token(Scope.FREEZE)) as client:
            answer = await client.get(PATH, params={"day": DAYS[0].isoformat(), "area": "A1"})
            [row] = answer.json()["freezes"]
            nothing = await client.get(PATH, params={"area": "A2"})
            other = await client.get(PATH, params={"day": DAYS[1].isoformat()})
        assert (seq, "m1", "A1", "2026-11-01", "20") == tuple(
            row[key] for key in ("seq", "meter", "area", "day", "multiplier")
        )
        assert [("100.50", "2010.00", "kWh", "valid")] == [
            tuple(one[key] for key in ("value", "multiplied", "unit", "quality")) for one in row["registers"]
        ]
        assert answer.json()["cursor"] == answer.headers["meterlink-cursor"]
        assert seq == cursors.parsed(answer.json()["cursor"], day=DAYS[0], area="A1").seq
        assert [] == nothing.json()["freezes"] == other.json()["freezes"]


@pytest.mark.asyncio
async def test_the_three_formats_say_the_same(tmp_path: Path) -> None:
    """Who pulls CSV would bill another amount than who pulls JSON."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            page = (await client.get(PATH)).json()["freezes"]
            lines = await client.get(PATH, params={"format": "ndjson"})
            table = await client.get(PATH, params={"format": "csv"})
            short = await client.get(PATH, params={"format": "csv", "limit": 4})
        assert page == [json.loads(line) for line in lines.text.splitlines()]
        head, *cells = (line.split(",") for line in table.text.splitlines())
        found = [dict(zip(head, one, strict=True)) for one in cells]
        assert [(str(row["seq"]), row["registers"][0]["value"]) for row in page] == [
            (one["seq"], one["value"]) for one in found
        ]
        assert 5 == len(short.text.splitlines())
        assert 'rel="next"' in short.headers["link"]


@pytest.mark.asyncio
async def test_a_long_stream_is_made_of_steps_and_has_one_head(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of a month would have a header in each thousandth row, or end at the first step."""
    monkeypatch.setattr("meterlink.web.freeze_files.PIECE_ROWS", 2)
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            table = await client.get(PATH, params={"format": "csv"})
            plain = await client.get(PATH, params={"format": "csv"}, headers={"Accept-Encoding": "identity"})
            empty = await client.get(PATH, params={"format": "csv", "day": "2020-01-01"})
        assert "gzip" == table.headers["content-encoding"]
        assert table.text == plain.text
        assert 1 + 9 == len(plain.text.splitlines())
        assert 1 == len(empty.text.splitlines()), "a head says that there are no rows"


@pytest.mark.asyncio
async def test_workbook_and_parquet_say_what_csv_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who pulls a workbook would bill other amounts; or a day of many steps would be a broken file."""
    monkeypatch.setattr("meterlink.web.freeze_files.PIECE_ROWS", 2)
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await home.put(4, ct="30", pt="0.1")
        home.after(DAYS[0])
        await home.keep("m4", DAYS[0], {TOTAL: "99999999.990"})
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            for limit in ({}, {"limit": "4"}):
                table = await client.get(PATH, params={"format": "csv"} | limit)
                head, *cells = (line.split(",") for line in table.text.splitlines())
                book = await client.get(PATH, params={"format": "xlsx"} | limit)
                arrow = await client.get(PATH, params={"format": "parquet"} | limit)
                again = await client.get(
                    PATH, params={"format": "xlsx"} | limit, headers={"If-None-Match": book.headers["etag"]}
                )
                rows = list(openpyxl.load_workbook(io.BytesIO(book.content)).active.values)
                told = pyarrow.parquet.read_table(io.BytesIO(arrow.content)).to_pylist()
                assert [head, *cells] == [["" if one is None else one for one in row] for row in rows]
                for name in ("value", "multiplier", "multiplied"):
                    written = [Decimal(one[head.index(name)]) for one in cells]
                    assert written == [one[name] for one in told], name
                    assert {Decimal} == {type(one[name]) for one in told}
                assert ("99999999.990", "3", "299999999.970") == tuple(
                    cells[0][head.index(name)] for name in ("value", "multiplier", "multiplied")
                )
                assert [int(one[0]) for one in cells] == [one["seq"] for one in told]
                for answer in (book, arrow):
                    assert table.headers["meterlink-cursor"] == answer.headers["meterlink-cursor"]
                    assert table.links.keys() == answer.links.keys()
                    assert "content-encoding" not in answer.headers
                assert (304, b"") == (again.status_code, again.content)


@pytest.mark.asyncio
async def test_a_full_workbook_says_where_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A workbook of a year would fill the gateway's disk; or rows behind its end would never be billed."""
    monkeypatch.setattr("meterlink.web.freeze_files.WORKBOOK_FREEZES_MAX", 5)
    monkeypatch.setattr("meterlink.web.freeze_files.PIECE_ROWS", 2)
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        found, url = [], f"{PATH}?format=xlsx"
        async with api.client(api.token()) as client:
            while url:
                answer = await client.get(url)
                rows = list(openpyxl.load_workbook(io.BytesIO(answer.content)).active.values)
                found.append([row[0] for row in rows[1:]])
                url = answer.links.get("next", {}).get("url", "")
            page = (await client.get(PATH)).json()["freezes"]
    assert [5, 4] == list(map(len, found))
    assert [str(row["seq"]) for row in page] == found[0] + found[1]


@pytest.mark.asyncio
async def test_a_disk_that_is_full_is_no_fault_of_the_daemon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Billing would be asked to report a bug, where the gateway's disk is full and other formats go."""
    beside = tmp_path / "beside"
    beside.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(beside))
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            with monkeypatch.context() as full:
                open_full = partial(Path("/dev/full").open, "w+b")
                full.setattr("meterlink.web.freeze_files.tempfile.TemporaryFile", open_full)
                answer = await client.get(f"{PATH}?format=xlsx")
                assert (503, "no-room") == (answer.status_code, of_problem(answer))
                assert "No space left on device" in answer.json()["detail"]
                gc.collect()
                assert [] == list(beside.iterdir()), "parts of a workbook"
                assert 200 == (await client.get(f"{PATH}?format=csv")).status_code
            assert 200 == (await client.get(f"{PATH}?format=xlsx")).status_code, "and then there is room"


@pytest.mark.asyncio
async def test_a_format_that_is_not_installed_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gateway without the extra would break off in the middle of an answer, or have a fault of its own."""

    def missing(name: str) -> None:
        raise ImportError(name)

    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS[:1])
        monkeypatch.setattr("meterlink.billing.formats.importlib.import_module", missing)
        async with api.client(api.token()) as client:
            for query in ("format=xlsx", "format=parquet", "format=parquet&limit=1"):
                answer = await client.get(f"{PATH}?{query}")
                assert "not-acceptable" == of_problem(answer)
                assert "meterlink[export]" in answer.text


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 4)), max_size=8),
    limit=st.integers(1, 4),
)
def test_following_the_links_brings_each_row_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], limit: int
) -> None:
    """A late row would be missed, or one billed twice, because rows came while somebody was turning pages."""
    kept, found = asyncio.run(_follow(tmp_path_factory.mktemp("pages"), steps, limit))
    assert len(steps) < len(kept), "and what was there before"
    assert kept == found


async def _follow(folder: Path, steps: list[tuple[int, int]], limit: int) -> tuple[list[int], list[int]]:
    """Numbers of the rows in the order in which they were kept, and in which they were found."""
    found: list[int] = []
    async with plant(folder) as home, served(folder) as api:
        await fill(home, DAYS[:1])
        async with api.client(api.token()) as client:
            kept = [row["seq"] for row in (await client.get(PATH)).json()["freezes"]]
            url = f"{PATH}?limit={limit}"
            for meter, late in steps:
                answer = await client.get(url)
                found += [row["seq"] for row in answer.json()["freezes"]]
                url = f"{PATH}?limit={limit}&cursor={answer.json()['cursor']}"
                day = DAYS[0] + timedelta(days=late)
                kept.append(await home.keep(f"m{meter}", day, {TOTAL: f"{len(kept) + 500}"}))
            rows, _ = await _followed(client, url)
    return kept, found + [row["seq"] for row in rows]


@pytest.mark.asyncio
async def test_a_late_freeze_of_a_day_comes_behind_the_cursor(tmp_path: Path) -> None:
    """Billing that follows one day would never hear of what was backfilled into it."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            first = await client.get(PATH, params={"day": DAYS[0].isoformat()})
            late = await home.keep("m1", DAYS[0], {TOTAL: "101.60"})
            cursor = {"day": DAYS[0].isoformat(), "cursor": first.json()["cursor"]}
            [row] = (await client.get(PATH, params=cursor)).json()["freezes"]
        assert (late, first.json()["freezes"][0]["seq"]) == (row["seq"], row["supersedes"])


@pytest.mark.asyncio
async def test_a_cursor_of_another_question_or_journal_is_refused(tmp_path: Path) -> None:
    """Billing that mixes up its cursors would lose freezes, and get an answer that looks whole."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            everything = (await client.get(PATH)).json()["cursor"]
            of_a_day = (await client.get(PATH, params={"day": DAYS[0].isoformat()})).json()["cursor"]
            for params in ({}, {"day": DAYS[1].isoformat()}, {"day": DAYS[0].isoformat(), "area": ""}):
                answer = await client.get(PATH, params={**params, "cursor": of_a_day})
                assert "wrong-cursor" == of_problem(answer)
            wider = await client.get(PATH, params={"day": DAYS[1].isoformat(), "cursor": everything})
            assert [] == wider.json()["freezes"], "who has everything has each day"
            newest, origin = cursors.parsed(everything)
            far = await client.get(PATH, params={"cursor": cursors.written(newest + 1, origin)})
            assert "wrong-cursor" == of_problem(far), "the journal was put back from a copy"


@pytest.mark.asyncio
async def test_who_has_it_already_gets_nothing_but_is_told_of_more(tmp_path: Path) -> None:
    """A month would be sent at each look; or a late row not be sent because of a tag that stayed the same."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            for params in ({}, {"format": "csv"}, {"limit": "2", "format": "ndjson"}):
                tag = (await client.get(PATH, params=params)).headers["etag"]
                again = await client.get(PATH, params=params, headers={"If-None-Match": f'"x", W/{tag}'})
                assert (304, b"", tag) == (again.status_code, again.content, again.headers["etag"])
            plain = (await client.get(PATH, headers={"Accept-Encoding": "identity"})).headers["etag"]
            packed = (await client.get(PATH)).headers["etag"]
            assert plain != packed, "a proxy would give a packed body to who cannot unpack it"
            await home.keep("m1", DAYS[0], {TOTAL: "101.60"})
            assert 200 == (await client.get(PATH, headers={"If-None-Match": packed})).status_code
            tag = (await client.get(PATH)).headers["etag"]
            await home.put(1, area="elsewhere")
            assert 200 == (await client.get(PATH, headers={"If-None-Match": tag})).status_code


@pytest.mark.asyncio
async def test_a_body_is_packed_for_whom_takes_it(tmp_path: Path) -> None:
    """A month over a narrow line would take ten times as long; or nobody could read it."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            async with client.stream("GET", PATH, headers={"Accept-Encoding": "br, gzip;q=0.5"}) as packed:
                octets = b"".join([piece async for piece in packed.aiter_raw()])
            plain = await client.get(PATH, headers={"Accept-Encoding": "gzip;q=0, identity"})
            refused = await client.get(PATH, headers={"Accept-Encoding": "gzip;q=0, *"})
            taken = await client.get(PATH, headers={"Accept-Encoding": "*;q=0, gzip"})
        assert "content-encoding" not in refused.headers, "what is said of gzip counts, not the star"
        assert "gzip" == taken.headers["content-encoding"]
        assert "gzip" == packed.headers["content-encoding"]
        assert "content-encoding" not in plain.headers
        assert plain.content == gzip.decompress(octets)
        assert len(octets) < len(plain.content)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("query", "kind", "where"),
    [
        ("day=2026-02-30", "invalid", "query.day"),
        ("day=2026-11-01T00:00", "invalid", "query.day"),
        ("dya=2026-11-01", "invalid", "query.dya"),
        ("day=2026-11-01&day=2026-11-02", "invalid", "query.day"),
        ("cursor=MTI", "invalid", "query.cursor"),
        ("cursor=", "invalid", "query.cursor"),
        ("limit=0", "invalid", "query.limit"),
        ("limit=5001", "invalid", "query.limit"),
        ("limit=1.0", "invalid", "query.limit"),
        ("format=xml", "invalid", "query.format"),
        (f"area={'x' * 65}", "invalid", "query.area"),
    ],
)
async def test_what_cannot_be_asked_is_named(tmp_path: Path, query: str, kind: str, where: str) -> None:
    """A misspelt day would be no day at all, and all freezes of the plant one night's."""
    async with plant(tmp_path), served(tmp_path) as api, api.client(api.token()) as client:
        answer = await client.get(f"{PATH}?{query}")
        assert kind == of_problem(answer)
        assert [where] == [one["where"] for one in answer.json()["faults"]]


@pytest.mark.asyncio
async def test_faults_without_end_are_not_told_without_end(tmp_path: Path) -> None:
    """A short request would get an answer as long as somebody likes."""
    async with plant(tmp_path), served(tmp_path) as api, api.client(api.token()) as client:
        for number in (FAULTS_MAX, FAULTS_MAX + 1):
            answer = await client.get(PATH, params={f"x{n}": "1" for n in range(number)})
            assert "invalid" == of_problem(answer)
            assert FAULTS_MAX == len(answer.json()["faults"])


@pytest.mark.asyncio
async def test_faults_say_how_to_write_it(tmp_path: Path) -> None:
    """Who asked would read the words of a library, and look for an example in the schema."""
    said = {
        "day=2026-02-30": "write a day of the calendar as 2026-11-21",
        "limit=1.0": "write a whole number in digits, 1 to 5000",
        "dya=1": "is not known here; see /v1/openapi.json for what may stand there",
    }
    async with plant(tmp_path), served(tmp_path) as api, api.client(api.token()) as client:
        answers = {query: (await client.get(f"{PATH}?{query}")).json() for query in said}
    assert said == {query: answer["faults"][0]["detail"] for query, answer in answers.items()}


@pytest.mark.asyncio
async def test_a_page_ends_at_its_limit(tmp_path: Path) -> None:
    """A page without an end would be a gateway without memory."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await fill(home, DAYS)
        async with api.client(api.token()) as client:
            assert 4 == len((await client.get(PATH, params={"limit": 4})).json()["freezes"])
            assert 9 == len((await client.get(PATH, params={"limit": 5000})).json()["freezes"])


def test_the_first_day() -> None:
    """The tests above would be about other days than they say."""
    assert date(2026, 11, 1) == FIRST_DAY
