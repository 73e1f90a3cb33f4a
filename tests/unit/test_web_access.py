"""Who may ask what, and how everything that goes wrong is told: over every endpoint that there is."""

from __future__ import annotations

from datetime import date
from itertools import product
from pathlib import Path
from typing import Any, Final, NoReturn

import httpx
import pytest
from structlog.testing import capture_logs

from meterlink.accounts.doorkeeper import REFUSALS_AT_ONCE
from meterlink.accounts.tokens import Scope
from meterlink.billing.settlements import Settlements
from meterlink.web.app import bare_application
from meterlink.web.limits import BODY_OCTETS_MAX, HEAD_OCTETS_MAX, URL_OCTETS_MAX
from meterlink.web.problems import KINDS
from tests.support.billing import FIRST_DAY, plant
from tests.support.web import Served, fill, of_problem, served

DAY = FIRST_DAY.isoformat()
OPEN: Final = "/v1/openapi.json"
NEEDS: Final = {
    f"/v1/daily-freeze?day={DAY}": Scope.FREEZE,
    f"/v1/consumption?from={DAY}&to={DAY}": Scope.CONSUMPTION,
    "/v1/settlements": Scope.SETTLEMENT,
    f"/v1/settlements/{DAY}": Scope.SETTLEMENT,
    f"/v1/settlements/{DAY}/files/manifest.json": Scope.SETTLEMENT,
    f"/v1/completeness?day={DAY}": Scope.COMPLETENESS,
}
"""By address, the one scope that opens it."""


async def _sealed(home: Any) -> None:
    await fill(home, [FIRST_DAY])
    await home.settler(formats=("csv", "json")).settle(FIRST_DAY, "", actor="li")


def test_the_matrix_has_every_endpoint() -> None:
    """An endpoint that somebody adds would be open to all, and nobody would look."""
    told = bare_application().openapi()["paths"]
    asked = {url.partition("?")[0].replace(DAY, "{day}").replace("manifest.json", "{name}") for url in NEEDS}
    assert set(told) == asked
    assert {"get"} == {method for path in told.values() for method in path}
    assert all(one["get"]["security"] for one in told.values())


@pytest.mark.asyncio
async def test_each_scope_opens_its_endpoints_alone(tmp_path: Path) -> None:
    """Who may see how complete a day is could pull everybody's consumption."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await _sealed(home)
        found = {}
        for scope in Scope:
            async with api.client(api.token(scope)) as client:
                for url in NEEDS:
                    found[url, scope] = (await client.get(url)).status_code
        async with api.client() as client:
            assert 200 == (await client.get(OPEN)).status_code
            for url in NEEDS:
                answer = await client.get(url)
                assert "no-token" == of_problem(answer)
                assert answer.headers["www-authenticate"].startswith("Bearer")
    expected = {(url, scope): 200 if NEEDS[url] is scope else 403 for url, scope in product(NEEDS, Scope)}
    assert expected == found


@pytest.mark.asyncio
async def test_a_token_that_is_not_good_opens_nothing(tmp_path: Path) -> None:
    """A token that was taken from somebody, or whose time is over, would go on."""
    async with plant(tmp_path), served(tmp_path) as api:
        good, revoked = api.token(days=1), api.token(name="gone")
        api.tokens.revoke("gone", api.clock.now)
        shown = {"revoked": revoked, "unknown": good[:-1] + "f", "none": "x", "empty": " "}
        for which, token in shown.items():
            async with api.client(token) as client:
                answer = await client.get("/v1/daily-freeze")
            assert 401 == answer.status_code, which
            assert of_problem(answer) in {"wrong-token", "no-token"}
            assert "invalid_token" in answer.headers["www-authenticate"] or which == "empty"
        async with api.client(good) as client:
            assert 200 == (await client.get("/v1/daily-freeze")).status_code
            assert "no-token" == of_problem(
                await client.get("/v1/daily-freeze", headers={"Authorization": f"Basic {good}"})
            )
            api.clock.now = api.tokens.tokens()[0].expires_at
            assert "wrong-token" == of_problem(await client.get("/v1/daily-freeze"))


@pytest.mark.asyncio
async def test_who_tries_tokens_becomes_slow_and_billing_does_not(tmp_path: Path) -> None:
    """A program that tries tokens would take the machine, or shut billing out."""
    async with plant(tmp_path), served(tmp_path) as api:
        good = api.token()
        async with api.client("mlt_ffffffff_" + "0" * 64) as guessing, api.client(good) as billing:
            kinds = [of_problem(await guessing.get("/v1/daily-freeze")) for _ in range(REFUSALS_AT_ONCE + 1)]
            assert ["wrong-token"] * REFUSALS_AT_ONCE + ["too-many"] == kinds
            slow = await guessing.get("/v1/daily-freeze")
            assert int(slow.headers["retry-after"]) >= 1
            assert 200 == (await billing.get("/v1/daily-freeze")).status_code


@pytest.mark.asyncio
async def test_no_token_is_ever_told(tmp_path: Path) -> None:
    """Who reads the log, or an error that somebody posted, could ask in billing's name."""
    async with plant(tmp_path), served(tmp_path) as api:
        token = api.token(Scope.FREEZE)
        secret = token.rpartition("_")[2]
        said = []
        with capture_logs() as logs:
            async with api.client(token) as client:
                for url in (*NEEDS, "/v1/none", "/v1/daily-freeze?limit=0"):
                    said.append((await client.get(url)).text)
            async with api.client(token[:-1] + "x") as client:
                said.append((await client.get("/v1/daily-freeze")).text)
            api.tokens.path.chmod(0o644)
            async with api.client(token) as client:
                said.append((await client.get("/v1/daily-freeze")).text)
    assert ["web.token_refused", "web.tokens_unusable"] == [one["event"] for one in logs]
    assert secret[:32] not in "".join(said) + str(logs)


@pytest.mark.asyncio
async def test_a_file_of_tokens_that_cannot_be_used_lets_nobody_in(tmp_path: Path) -> None:
    """A damaged file would open the door, or read as if the token were at fault."""
    async with plant(tmp_path), served(tmp_path) as api:
        token = api.token()
        api.tokens.path.write_text("{", encoding="utf-8")
        async with api.client(token) as client:
            answer = await client.get("/v1/daily-freeze")
        assert "unavailable" == of_problem(answer)
        assert "retry-after" in answer.headers


async def _refused(api: Served, method: str, url: str, **sent: Any) -> httpx.Response:
    async with api.client(api.token()) as client:
        return await client.request(method, url, **sent)


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("method", "url", "sent", "kind"),
    [
        ("GET", "/v1/none", {}, "no-such-path"),
        ("POST", "/v1/daily-freeze", {}, "wrong-method"),
        ("GET", "/v1/daily-freeze?format=csv", {"headers": {"Accept": "application/json"}}, "not-acceptable"),
        ("GET", "/v1/completeness?day=x", {}, "invalid"),
        ("GET", f"/v1/consumption?from={DAY}&to=2026-10-01", {}, "no-such-span"),
        ("GET", "/v1/settlements/2020-01-01", {}, "no-such-day"),
        ("GET", "/v1/settlements/2020-01-01/files/manifest.json", {}, "no-such-file"),
        ("GET", f"/v1/settlements/{DAY}/files/x.csv", {}, "no-such-file"),
        ("GET", "/v1/settlements/2020-01-01/files/..%2Fx.csv", {}, "no-such-path"),
        ("GET", "/v1/settlements", {"headers": {"Host": "evil.example"}}, "wrong-host"),
        ("GET", "/v1/settlements", {"headers": {"Origin": "http://evil.example"}}, "wrong-host"),
        ("GET", "/v1/settlements", {"content": b"x" * (BODY_OCTETS_MAX + 1)}, "too-long"),
        ("GET", f"/v1/settlements?{'x' * URL_OCTETS_MAX}", {}, "url-too-long"),
        ("GET", "/v1/settlements", {"headers": {"X": "x" * HEAD_OCTETS_MAX}}, "head-too-long"),
    ],
)
async def test_each_error_is_a_problem(
    tmp_path: Path, method: str, url: str, sent: dict[str, Any], kind: str
) -> None:
    """A program would have to guess from text what it did wrong."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await _sealed(home)
        answer = await _refused(api, method, url, **sent)
        assert kind == of_problem(answer)
        assert KINDS[kind][0] == answer.status_code
        assert kind != "wrong-method" or "GET, HEAD" == answer.headers["allow"]


@pytest.mark.asyncio
async def test_head_says_what_get_would_without_a_body(tmp_path: Path) -> None:
    """A client that asks first how much there is would be told that there is nothing to ask."""
    async with plant(tmp_path) as home, served(tmp_path) as api:
        await _sealed(home)
        file = f"/v1/settlements/{DAY}/files/manifest.json"
        with capture_logs() as logs:
            for url in (
                "/v1/daily-freeze",
                "/v1/daily-freeze?format=csv",
                file,
                "/v1/none",
                "/v1/openapi.json",
            ):
                told, got = await _refused(api, "HEAD", url), await _refused(api, "GET", url)
                assert (b"", got.status_code) == (told.content, told.status_code), url
                for name in ("content-type", "content-length", "etag", "meterlink-cursor"):
                    assert got.headers.get(name) == told.headers.get(name), (url, name)
        assert [] == [one for one in logs if one["log_level"] == "error"]


@pytest.mark.asyncio
async def test_what_is_just_short_enough_is_served(tmp_path: Path) -> None:
    """A limit would be another than it says."""
    async with plant(tmp_path), served(tmp_path) as api:
        body = await _refused(api, "GET", "/v1/settlements", content=b"x" * BODY_OCTETS_MAX)
        assert 200 == body.status_code
        path = "/v1/settlements?"
        url = await _refused(api, "GET", path + "x" * (URL_OCTETS_MAX - len(path) + 1))
        assert "invalid" == of_problem(url), "it was read"


@pytest.mark.asyncio
async def test_faults_of_ours_tell_nothing_of_the_inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stack trace would go to whoever asks; or a journal that is away would look like a wrong question."""

    def failing(self: Settlements, day: date) -> NoReturn:
        raise RuntimeError(f"inside {self.folder} {day}")

    monkeypatch.setattr(Settlements, "list", failing)
    asked = {"/v1/daily-freeze": "unavailable", f"/v1/settlements/{DAY}": "internal"}
    async with served(tmp_path) as api:  # without a journal
        with capture_logs() as logs:
            answers = [await _refused(api, "GET", url) for url in asked]
    assert [*asked.values()] == [of_problem(answer) for answer in answers]
    assert [] == [
        answer.text for answer in answers if str(tmp_path) in answer.text or "inside" in answer.text
    ]
    assert ["web.journal_unreadable", "web.failed"] == [one["event"] for one in logs]


@pytest.mark.asyncio
async def test_other_machines_may_ask_where_that_is_configured(tmp_path: Path) -> None:
    """With a certificate a gateway would still answer itself alone."""
    async with plant(tmp_path), served(tmp_path, anywhere=True) as api:
        answer = await _refused(api, "GET", "/v1/settlements", headers={"Host": "gateway.example"})
        assert 200 == answer.status_code
