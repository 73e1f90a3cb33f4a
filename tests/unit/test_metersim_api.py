"""The REST API of a plant: what it shows, what it changes, and how it refuses; asked in the same process."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from metersim.api.exchanges import EXCHANGES_MAX
from metersim.api.limits import BODY_OCTETS_MAX
from metersim.api.seeing import LIMIT_MAX
from metersim.line.fault_rules import RULES_MAX
from metersim.plant.happening_runner import HAPPENINGS_MAX
from metersim.plant.happenings import Happening
from meterwire.dlt645 import ReadRequest, encode, to_frame
from tests.support.metersim_api import ENERGY, FIRST, LAST, PLANT, asked_api, read

pytestmark = pytest.mark.asyncio
METER = f"/v1/meters/{FIRST}"


async def test_the_plant_and_its_lines() -> None:
    """Nobody could tell what runs there, or how much it was asked."""
    async with asked_api() as api:
        assert 1 == await read(api)
        plant = await api.get("/v1/plant")
        assert ("east", 7, 60, 2, 5, 1) == tuple(
            plant[key] for key in ("plant", "seed", "speed", "lines", "meters", "answers")
        )
        assert "2026-10-01T00:00:00+08:00" == plant["now"]
        lines = await api.get("/v1/lines")
        assert [("north", 3, 1, 1), ("south", 2, 0, 0)] == [
            (line["name"], line["meters"], line["requests"], line["answers"]) for line in lines
        ]
        assert api.built.digest("north") == lines[0]["digest"]


async def test_meters_come_in_pages_and_by_filters() -> None:
    """10,000 meters would come at once, or one would stand on no page."""
    async with asked_api() as api:
        seen, after, pages = [], "", 0
        while after is not None:
            page = await api.get(f"/v1/meters?limit=2&after={after}")
            seen += [meter["address"] for meter in page["meters"]]
            after, pages = page["next_after"], pages + 1
        assert (list(api.built.meters), 3) == (seen, pages)
        for query, count in (
            ("address=*16[12]", 2),
            ("line=south", 2),
            ("profile=dlt698.45/*", 1),
            ("tripped=false", 5),
            ("tripped=true", 0),
            ("line=nowhere", 0),
        ):
            found = await api.get(f"/v1/meters?{query}")
            assert (count, None) == (len(found["meters"]), found["next_after"]), query
        assert (200, "") == await api.kind("GET", f"/v1/meters?limit={LIMIT_MAX}")
        for query in (f"limit={LIMIT_MAX + 1}", "limit=0", f"address={'1' * 65}"):
            assert (422, "invalid") == await api.kind("GET", f"/v1/meters?{query}")


async def test_a_meter_with_clock_switch_account_and_events() -> None:
    """What an operator looks for first would not be there."""
    async with asked_api(PLANT.replace("address: 161,", "address: 161, clock_ahead_s: 90,")) as api:
        api.wall.advance(60)
        assert (201, "") == await api.kind(
            "POST", f"{METER}/happenings", {"what": "power_outage", "lasts": "10m"}
        )
        api.wall.advance(60)
        meter = await api.get(METER)
        assert ("north", "dlt645-2007", True, None) == tuple(
            meter[key] for key in ("line", "protocol", "powered", "account")
        )
        assert (90.0, "2026-10-01T02:01:30+08:00") == (meter["clock"]["ahead_s"], meter["clock"]["shows"])
        assert {False} == set(meter["switch"].values())
        [event] = [one for one in meter["events"] if one["kind"] == "power_down"]
        assert ("2026-10-01T01:00:00+08:00", "2026-10-01T01:10:00+08:00") == (
            event["started_at"],
            event["ended_at"],
        )
        assert [event] == await api.get(f"{METER}/events?kind=power_down")
        assert 1 == len(await api.get(f"{METER}/events?limit=1"))
        assert (422, "invalid") == await api.kind("GET", f"{METER}/events?kind=power_up")
        account = (await api.get(f"/v1/meters/{LAST}"))["account"]
        assert (0, 0) == (account["purchase_count"], account["alarm_level"])
        assert account["remaining_cents"] > 0


async def test_an_unknown_control_is_told_with_those_near() -> None:
    """A misspelt filter would look like a fault of the simulator, with its trace in the log."""
    async with asked_api() as api:
        assert [] == (await api.get(f"{METER}/controls?kind=trip"))["controls"]
        status, problem = await api.ask("GET", f"{METER}/controls?kind=trap")
        assert (422, "query.kind: 'trap' is no control of a meter") == (status, problem["detail"])
        assert "trip" == problem["near"][0]
        assert "permit_close" in problem["remedy"]


async def test_an_unknown_meter_is_told_with_those_near() -> None:
    """Somebody who left zeros out, or turned the octets round, would look for long."""
    async with asked_api() as api:
        for wrong, near in (("161", FIRST), ("610100000000", FIRST), ("000000000400", LAST), ("x", FIRST)):
            status, problem = await api.ask("GET", f"/v1/meters/{wrong}")
            assert (404, near) == (status, problem["near"][0])
            assert near in problem["remedy"]
        for method, path in (
            ("GET", "/v1/meters/1/items"),
            ("POST", "/v1/meters/1/key"),
            ("GET", "/v1/calls?meter=1"),
            ("GET", "/v1/meters?after=1"),
        ):
            assert (404, "no-such-meter") == await api.kind(method, path)


async def test_items_are_read() -> None:
    """A test would not learn what a meter shows without speaking its protocol."""
    async with asked_api() as api:
        api.wall.advance(60)
        at = api.built.clock.utc_now()
        shown = await api.get(f"{METER}/items/forward_active_energy")
        assert (str(api.built.meter(FIRST).value("forward_active_energy", at)), "kWh") == (
            shown["value"],
            shown["unit"],
        )
        assert "正向有功电能" == shown["zh"]
        listed = {one["item"]: one["value"] for one in await api.get(f"{METER}/items")}
        assert {FIRST} == {listed["communication_address"], listed["meter_number"]}
        assert "2026-10-01 01:00:00" == listed["meter_clock"]
        assert {"voltage.a", "meter_status_word_3", "forward_active_max_demand_at"} <= listed.keys()
        assert None not in listed.values()
        assert ["voltage.a"] == [
            one["item"] for one in await api.get(f"{METER}/items?item=voltage.*&limit=1")
        ]
        status, problem = await api.ask("GET", f"{METER}/items/forward_activ_energy")
        assert (404, "forward_active_energy") == (status, problem["near"][0])
        assert (404, "no-such-item") == await api.kind("GET", f"{METER}/items/remaining_balance")


async def test_registers_and_clocks_are_set() -> None:
    """A test could not begin with the register, or the clock error, that it is about."""
    async with asked_api() as api:
        path = f"{METER}/items/forward_active_energy"
        status, shown = await api.ask("PUT", path, {"value": "123.45"})
        assert (200, "123.45") == (status, shown["value"])
        assert Decimal("123.45") == api.built.meter(FIRST).value("forward_active_energy")
        assert "a register shows 2 decimals" in (await api.ask("PUT", path, {"value": "12.345"}))[1]["detail"]
        assert "12.30" == (await api.ask("PUT", path, {"value": "12.300"}))[1]["value"]
        for number, value in ((1234.56, "1234.56"), (5, "5.00"), (0.1, "0.10"), (999999.99, "999999.99")):
            assert value == (await api.ask("PUT", path, {"value": number}))[1]["value"]
        for value in ("2026-10-01 03:00:00", "2026-09-30T19:00:00Z"):
            _, shown = await api.ask("PUT", f"{METER}/items/meter_clock", {"value": value})
            assert "2026-10-01 03:00:00" == shown["value"]
        assert 3 * 3600 == (await api.get(METER))["clock"]["ahead_s"]


@pytest.mark.parametrize(
    ("item", "body", "kind"),
    [
        ("forward_active_energy", {"value": "many"}, "cannot-happen"),
        ("forward_active_energy", {"value": "1000000"}, "cannot-happen"),
        ("forward_active_energy", {"value": "-1"}, "cannot-happen"),
        ("forward_active_energy", {"value": "NaN"}, "cannot-happen"),
        ("forward_active_energy", {"value": "12.345"}, "cannot-happen"),
        ("forward_active_energy", {"value": "\uff11\uff12"}, "cannot-happen"),
        ("forward_active_energy", {"value": "1_000"}, "cannot-happen"),
        ("forward_active_energy", {"value": 12.345}, "cannot-happen"),
        ("forward_active_energy", {"value": -1}, "cannot-happen"),
        ("forward_active_energy", {"value": 1e300}, "invalid"),
        ("forward_active_energy", {"value": True}, "invalid"),
        ("forward_active_energy", {"value": [5]}, "invalid"),
        ("forward_active_energy", {"value": "1" * 129}, "invalid"),
        ("forward_active_energy", {"valeu": "5"}, "invalid"),
        ("meter_clock", {"value": "noon"}, "cannot-happen"),
        ("meter_clock", {"value": "2036-01-01 00:00:00"}, "cannot-happen"),
        ("voltage.a", {"value": "230"}, "not-settable"),
        ("meter_number", {"value": "5"}, "not-settable"),
    ],
)
async def test_what_an_item_cannot_be_set_to(item: str, body: object, kind: str) -> None:
    """A wrong value would be kept, or be answered with 500."""
    async with asked_api() as api:
        before = api.built.meter(FIRST).works.history.rows
        assert (422, kind) == await api.kind("PUT", f"{METER}/items/{item}", body)
        assert before == api.built.meter(FIRST).works.history.rows


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("/v1/faults", {"what": "loss", "between": 5}, "body.between: write two times, from and until"),
        ("/v1/faults", {"what": "loss", "nth": "x"}, "body.nth: write a whole number"),
        ("/v1/faults", {"what": 5}, "body.what: write a text"),
        ("/v1/happenings", [5], "body: write keys and values"),
        ("/v1/happenings", {"what": "reboot", "lasts": [5]}, "body.lasts: write a time as 90s, 2h or 1d12h"),
        ("/v1/happenings", {"what": "reboot", "lasts": "5s", "at": []}, "body.at: write a time as 2026-"),
    ],
)
async def test_a_wrong_body_is_told_what_to_write(path: str, body: object, told: str) -> None:
    """A tester would be told about tuples and instances, which JSON has not."""
    async with asked_api() as api:
        status, problem = await api.ask("POST", path, body)
        assert 422 == status
        assert problem["detail"].startswith(told), problem["detail"]
        assert "; body" not in problem["detail"]


@pytest.mark.parametrize("number", ["1e999", "-Infinity", "NaN"])
async def test_a_number_without_end_is_told(number: str) -> None:
    """A program that divides by zero would be answered with 500."""
    async with asked_api() as api:
        status, problem = await api.ask(
            "PUT",
            f"{METER}/items/forward_active_energy",
            content=f'{{"value": {number}}}',
            headers={"content-type": "application/json"},
        )
        assert (422, "body.value: a number without end") == (status, problem["detail"][:32])


async def test_the_key_closes_a_permitted_contact() -> None:
    """A customer's part of a reconnection could not be played."""
    async with asked_api() as api:
        here = api.head_end()
        here.plain(0x1A)
        assert [FIRST] == [one["address"] for one in (await api.get("/v1/meters?tripped=true"))["meters"]]
        assert not (await api.ask("POST", f"{METER}/key"))[1]["closed"]
        here.plain(0x1B)
        assert (await api.get(METER))["switch"]["waits_for_key"]
        status, pressed = await api.ask("POST", f"{METER}/key")
        assert (200, True, False) == (status, pressed["closed"], pressed["switch"]["contact_open"])


async def test_controls_are_remembered() -> None:
    """Whoever asks the meter would not hear what it obeyed, or would hear its password."""
    async with asked_api() as api:
        here = api.head_end()
        here.plain(0x1A)
        here.plain(0x1C)
        found = await api.get(f"{METER}/controls")
        assert [(1, "trip", "645", "87654321"), (2, "direct_close", "645", "87654321")] == [
            (one["number"], one["kind"], one["came_by"], one["operator"]) for one in found["controls"]
        ]
        assert [True, False] == [move["opened"] for move in found["moves"][-2:]]
        trips = await api.get(f"{METER}/controls?kind=trip")
        assert [1] == [one["number"] for one in trips["controls"]]
        assert [2] == [one["number"] for one in (await api.get(f"{METER}/controls?limit=1"))["controls"]]
        assert {"trip": 1, "direct_close": 1} == (await api.get(METER))["obeyed"]


async def test_happenings_now_and_later() -> None:
    """A test could not cut the power, or it would come at another time than it was told."""
    async with asked_api() as api:
        later = {"what": "register_set", "item": "forward_active_energy", "value": "5", "at": "+30m"}
        api.wall.advance(60)  # the plant has run for an hour; offsets count from now
        status, kept = await api.ask("POST", f"{METER}/happenings", later)
        assert (201, "2026-10-01T01:30:00+08:00", 0) == (status, kept["next_at"], kept["befallen"])
        api.wall.advance(29)
        assert "5" != (await api.get(f"{METER}/items/forward_active_energy"))["value"][:1]
        api.wall.advance(1)
        assert "5.00" == (await api.get(f"{METER}/items/forward_active_energy"))["value"]
        _, all_down = await api.ask("POST", "/v1/happenings", {"what": "power_outage", "line": "south"})
        assert 2 == all_down["befallen"]
        assert not (await api.get(f"/v1/meters/{LAST}"))["powered"]
        fared = await api.get("/v1/happenings")
        assert [("register_set", 1, None), ("power_outage", 2, None)] == [
            (one["what"], one["befallen"], one["next_at"]) for one in fared
        ]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"what": "earthquake"}, "invalid"),
        ({"what": "reboot"}, "invalid"),
        ({"what": "registers_reset", "meter": LAST}, "invalid"),
        ({"what": "registers_reset", "lien": "north"}, "invalid"),
        ({"what": "registers_reset", "at": "soon"}, "invalid"),
        ({"what": "register_set", "item": "voltage.a", "value": "1"}, "cannot-happen"),
        ([], "invalid"),
    ],
)
async def test_what_cannot_happen_to_a_meter(body: object, kind: str) -> None:
    """A mistake in a test would pass for a happening."""
    async with asked_api() as api:
        assert (422, kind) == await api.kind("POST", f"{METER}/happenings", body)
        assert [] == await api.get("/v1/happenings")


async def test_a_plant_full_of_happenings_says_so() -> None:
    """A long test run would end in 500."""
    async with asked_api() as api:
        body = {"what": "registers_reset", "at": "+1d"}
        for _ in range(HAPPENINGS_MAX - 1):
            api.built.happenings.add(Happening(what="registers_reset", at=timedelta(days=1)))
        assert (201, "") == await api.kind("POST", "/v1/happenings", body)
        assert (409, "full") == await api.kind("POST", "/v1/happenings", body)
        assert LIMIT_MAX == len(await api.get(f"/v1/happenings?limit={LIMIT_MAX}"))


async def test_faults_are_added_counted_and_removed() -> None:
    """A fault would strike something else, or stay for ever."""
    async with asked_api() as api:
        status, rule = await api.ask(
            "POST", "/v1/faults", {"what": "other_address", "meter": FIRST, "nth": 2}
        )
        assert (201, 1, "other_address-1") == (status, rule["number"], rule["name"])
        for address in (FIRST, FIRST, "000000000162"):
            assert 1 == await read(api, address)
        [fared] = await api.get("/v1/faults")
        assert (2, 1, False) == (fared["seen"], fared["struck"], fared["spent"])
        [call] = [one for one in await api.get("/v1/calls") if one["answers"][0]["faults"]]
        assert ("other_address", FIRST) == (call["answers"][0]["faults"][0], call["answers"][0]["meter"])
        assert (200, "") == await api.kind("DELETE", "/v1/faults/1")
        assert (404, "no-such-fault") == await api.kind("DELETE", "/v1/faults/1")
        assert [] == await api.get("/v1/faults")


async def test_fault_rules_have_an_end_and_sense() -> None:
    """The 257th would be answered with 500, a wrong one be taken."""
    async with asked_api() as api:
        for body in ({"what": "sielnce"}, {"what": "silence", "nth": 0}, {"what": "delay", "octets": 5}):
            assert (422, "invalid") == await api.kind("POST", "/v1/faults", body)
        for _ in range(RULES_MAX):
            assert (201, "") == await api.kind("POST", "/v1/faults", {"what": "silence"})
        assert (409, "full") == await api.kind("POST", "/v1/faults", {"what": "silence"})


async def test_the_clock_of_a_sped_up_plant() -> None:
    """A night could not be skipped, or what is due in it would not happen."""
    async with asked_api() as api:
        assert {"now": "2026-10-01T00:00:00+08:00", "speed": 60, "settable": True} == await api.get(
            "/v1/clock"
        )
        await api.ask("POST", f"{METER}/happenings", {"what": "power_outage", "at": "+2h", "lasts": "1h"})
        _, clock = await api.ask("POST", "/v1/clock", {"jump_s": 9_000, "speed": 1})
        assert ("2026-10-01T02:30:00+08:00", 1) == (clock["now"], clock["speed"])
        assert not (await api.get(METER))["powered"]
        api.wall.advance(1_800)
        assert (await api.get(METER))["powered"]
        for body in (
            {"speed": 3_601},
            {"speed": 0},
            {"jump_s": -1},
            {"jump_s": 1e12},
            {"by": 1},
        ):
            assert (422, "invalid") == await api.kind("POST", "/v1/clock", body)
    async with asked_api("plant: east\n") as api:
        assert (409, "wall-clock") == await api.kind("POST", "/v1/clock", {"jump_s": 1})


async def test_calls_are_the_last_exchanges() -> None:
    """Somebody whose client fails could not see what passed."""
    async with asked_api() as api:
        for address in (FIRST, FIRST, "000000000162"):
            await read(api, address)
        calls = await api.get("/v1/calls")
        assert [3, 2, 1] == [one["number"] for one in calls]
        assert (
            encode(to_frame(ReadRequest(address=FIRST, di=ENERGY)), preamble=4).hex().upper()
            == (calls[2]["request"])
        )
        assert ("00010000", ["forward_active_energy"]) == (
            calls[2]["answers"][0]["asked"],
            list(calls[2]["answers"][0]["values"]),
        )
        for query, numbers in (
            (f"meter={FIRST}", [2, 1]),
            ("line=south", []),
            ("before=2", [1]),
            ("limit=1", [3]),
        ):
            assert numbers == [one["number"] for one in await api.get(f"/v1/calls?{query}")]
        for number in range(EXCHANGES_MAX):
            api.exchanges("north", "out", b"\x00")
            api.exchanges("north", "in", bytes([number % 256]))
        oldest = await api.get(f"/v1/calls?before={4 + 1}")
        assert [4] == [one["number"] for one in oldest]


async def test_a_request_that_is_no_request() -> None:
    """Clients would get pages of HTML, or a body without end would fill the memory."""
    async with asked_api() as api:
        assert (404, "no-such-path") == await api.kind("GET", "/v2/plant")
        assert (405, "wrong-method") == await api.kind("DELETE", "/v1/plant")
        json = {"content-type": "application/json"}
        for content, kind in (
            (b"{", (422, "invalid")),
            (b"[" * BODY_OCTETS_MAX, (400, "bad-request")),
            (b" " * (BODY_OCTETS_MAX + 1), (413, "too-long")),
            (b"\xff\xfe", (422, "invalid")),
        ):
            assert kind == await api.kind("POST", "/v1/assertions", content=content, headers=json), content[
                :9
            ]

        for headers in ({}, {"content-type": "text/plain"}):  # what a page of another site may send
            sent = await api.kind("POST", "/v1/faults", content=b'{"what":"silence"}', headers=headers)
            assert (415, "wrong-media-type") == sent
        assert [] == await api.get("/v1/faults")
        in_words = {"content-type": "Application/JSON; charset=utf-8"}
        for content, headers, expected in (
            (b'{"what":"silence"}', in_words, (201, "")),
            (b"[]", in_words, (422, "invalid")),
            (b"", {}, (422, "invalid")),
        ):
            assert expected == await api.kind("POST", "/v1/faults", content=content, headers=headers)

        async def pieces() -> Any:
            for _ in range(3):
                yield b" " * (BODY_OCTETS_MAX // 2)

        assert (413, "too-long") == await api.kind("POST", "/v1/assertions", content=pieces(), headers=json)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (
            "/v1/meters?limt=1",
            "query.limt: unknown parameter; did you mean 'limit'?; there are: address,",
        ),
        ("/v1/meters?limit=1&limit=2", "query.limit: stands there twice; write it once"),
        ("/v1/plant?line=north", "query.line: unknown parameter; this path takes none"),
        (f"{METER}?item=voltage.a", "query.item: unknown parameter; this path takes none"),
    ],
)
async def test_an_unknown_query_parameter_is_refused(path: str, words: str) -> None:
    """A filter that is misspelt would show every meter as if each one passed it."""
    async with asked_api() as api:
        status, problem = await api.ask("GET", path)
        assert (422, True) == (status, problem["faults"][0]["where"].startswith("query."))
        assert words in problem["detail"]


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/v1/faults", {"what": "loss", "nth": True}, "body.nth"),
        ("/v1/faults", {"what": "delay", "ms": True}, "body.ms"),
        ("/v1/faults", {"what": "loss", "between": [True, None]}, "body.between.0"),
        ("/v1/happenings", {"what": "power_outage", "probability": True}, "body.probability"),
        ("/v1/happenings", {"what": "power_outage", "at": True}, "body.at"),
        ("/v1/happenings", {"what": "registers_backward", "rate": True}, "body.rate"),
        (f"{METER}/happenings", {"what": "clock_drift", "s_per_day": True}, "body.s_per_day"),
        ("/v1/assertions", {"meter": FIRST, "obeyed": "trip", "times": False}, "body.times"),
        ("/v1/clock", {"speed": True}, "body.speed"),
    ],
)
async def test_a_truth_value_is_no_number(path: str, body: object, where: str) -> None:
    """Somebody's `true` would be a rule that strikes the first exchange, or an assertion of 0 times."""
    async with asked_api() as api:
        status, problem = await api.ask("POST", path, body)
        assert (422, [where]) == (status, [fault["where"] for fault in problem["faults"]])
        assert [] == await api.get("/v1/faults") + await api.get("/v1/happenings")


async def test_only_this_machine_asks_unless_told() -> None:
    """A page of another site could change the plant through a name that it lets point to this machine."""
    async with asked_api() as api:
        for host in ("evil.example", "evil.example:80", "", "[::2]:80"):
            assert (403, "wrong-host") == await api.kind("GET", "/v1/plant", headers={"host": host})
        for host in ("localhost:80", "127.0.0.1", "[::1]:80"):
            assert (200, "") == await api.kind("GET", "/v1/plant", headers={"host": host})
        for origin in ("https://evil.example", "null", "http://127.0.0.1.evil.example:80"):
            assert (403, "wrong-host") == await api.kind("POST", f"{METER}/key", headers={"origin": origin})
        for origin in ("http://localhost:3000", "http://[::1]", "http://127.0.0.1:8080"):
            assert (200, "") == await api.kind("POST", f"{METER}/key", headers={"origin": origin})
    async with asked_api(anywhere=True) as api:
        assert (200, "") == await api.kind("GET", "/v1/plant", headers={"host": "plant.example"})
