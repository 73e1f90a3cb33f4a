"""Assertions of the REST API: granted, or told what was seen in their place."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from metersim.api.asserting import SEEN_MAX
from metersim.line.answers import AnswerRecord
from metersim.plant.built import CALLS_MAX, Call
from metersim.works.memory import ControlMemory
from tests.support.metersim_api import FIRST, AskedApi, asked_api, read

pytestmark = pytest.mark.asyncio
PATH = "/v1/assertions"
TRIP, CLOSE = 0x1A, 0x1C


async def holds(api: AskedApi, **asserted: object) -> int | None:
    """Whether it holds: ``None``, else how often it was seen."""
    status, content = await api.ask("POST", PATH, {"meter": FIRST, **asserted})
    if status == 200:
        assert content["holds"]
        return None
    assert (409, "urn:metersim:problem:assertion-failed") == (status, content["type"]), content
    assert FIRST in content["detail"]
    seen: int = content["seen"]["times"]
    return seen


async def test_exactly_one_trip() -> None:
    """A head-end that trips twice would pass its test, or one that trips once would fail it."""
    async with asked_api() as api:
        assert await holds(api, obeyed="trip", times=0) is None
        assert 0 == await holds(api, obeyed="trip", times=1)
        assert 0 == await holds(api, obeyed="trip")
        here = api.head_end()
        here.plain(TRIP)
        assert await holds(api, obeyed="trip", times=1) is None
        assert await holds(api, obeyed="trip") is None
        assert 0 == await holds(api, obeyed="direct_close", times=1)
        here.plain(TRIP)
        assert 2 == await holds(api, obeyed="trip", times=1)
        _, problem = await api.ask("POST", PATH, {"meter": FIRST, "obeyed": "trip", "times": 1})
        assert [1, 2] == [control["number"] for control in problem["seen"]["controls"]]
        assert f"meter {FIRST} obeyed trip 2 times, not 1 times" == problem["detail"]


async def test_since_when() -> None:
    """A test that shares its plant with others would count their trips."""
    async with asked_api() as api:
        api.head_end().plain(TRIP)
        api.wall.advance(60)
        since = api.built.clock.utc_now()
        assert await holds(api, obeyed="trip", times=0, since=since.isoformat()) is None
        api.head_end().plain(TRIP)
        assert await holds(api, obeyed="trip", times=1, since=since.isoformat()) is None
        after = (since + timedelta(microseconds=1)).isoformat()
        assert 0 == await holds(api, obeyed="trip", times=1, since=after)


async def test_the_last_of_many_controls_are_seen() -> None:
    """An answer could be of any length."""
    async with asked_api() as api:
        memory: ControlMemory = api.built.meter(FIRST).works.memory
        for _ in range(SEEN_MAX + 1):
            memory.obeyed("alarm_on", api.built.clock.utc_now(), came_by="645")
        _, problem = await api.ask("POST", PATH, {"meter": FIRST, "obeyed": "alarm_on", "times": 1})
        numbers = [control["number"] for control in problem["seen"]["controls"]]
        assert (SEEN_MAX + 1, [*range(2, SEEN_MAX + 2)]) == (problem["seen"]["times"], numbers)


async def test_answered() -> None:
    """A reader that never asks, or asks twice, could not be found."""
    async with asked_api() as api:
        assert 0 == await holds(api, answered="*")
        await read(api)
        for wanted in ("*", "00010000", "0001*", "forward_active_energy"):
            assert await holds(api, answered=wanted, times=1) is None
        assert 0 == await holds(api, answered="voltage.*")
        await read(api)
        assert 2 == await holds(api, answered="00010000", times=1)
        api.wall.advance(1)
        since = api.built.clock.utc_now().isoformat()
        assert await holds(api, answered="*", times=0, since=since) is None


async def test_answers_that_the_plant_forgot_are_not_counted() -> None:
    """An assertion over a long run would hold though it does not."""
    async with asked_api() as api:
        start = api.built.clock.utc_now()

        def answer(number: int) -> None:
            record = AnswerRecord(
                at=start + timedelta(seconds=number), address=FIRST, di=0x00010000, octets=b"", values={}
            )
            api.built.calls.append(Call(number, "north", record))

        for number in range(1, CALLS_MAX + 1):
            answer(number)
        assert await holds(api, answered="*", times=CALLS_MAX) is None
        answer(CALLS_MAX + 1)
        asserted = {"meter": FIRST, "answered": "*", "times": CALLS_MAX + 1}
        assert (422, "forgotten") == await api.kind("POST", PATH, asserted)
        oldest = start + timedelta(seconds=2)
        assert (422, "forgotten") == await api.kind("POST", PATH, {**asserted, "since": oldest.isoformat()})
        later = (oldest + timedelta(seconds=1)).isoformat()
        assert await holds(api, answered="*", times=CALLS_MAX - 1, since=later) is None


async def test_an_item_equals() -> None:
    """A clock that was never set, or a wrong register, would pass."""
    async with asked_api() as api:
        await api.ask("PUT", f"/v1/meters/{FIRST}/items/forward_active_energy", {"value": "123.45"})
        energy = "forward_active_energy"
        for equals in ("123.45", "123.450", "1.2345E2", 123.45, 1.2345e2):
            assert await holds(api, item=energy, equals=equals) is None
        assert 0 == await holds(api, item=energy, equals="123.46")
        assert 0 == await holds(api, item=energy, equals=123)
        assert await holds(api, item=energy, equals="123.46", within="0.01") is None
        assert 0 == await holds(api, item=energy, equals="123.47", within="0.01")
        for equals in ("much", "1e999", "1e999999999", "-1e99999999999999999999"):
            assert 0 == await holds(api, item=energy, equals=equals)
        assert await holds(api, item="meter_clock", equals="2026-10-01 00:00:00") is None
        assert 0 == await holds(api, item="meter_clock", equals="2026-10-01 00:00:01")
        unknown = {"meter": FIRST, "item": "remaining_balance", "equals": "1"}
        assert (404, "no-such-item") == await api.kind("POST", PATH, unknown)


@pytest.mark.parametrize(
    "asserted",
    [
        {},
        {"obeyed": "tripp", "times": 0},
        {"obeyed": "trip", "answered": "*"},
        {"obeyed": "trip", "times": -1},
        {"obeyed": "trip", "times": 1_000_001},
        {"obeyed": "trip", "since": "2026-10-01T00:00:00"},
        {"obeyed": "trip", "equals": "1"},
        {"obeyed": "trip", "within": "1"},
        {"obeyed": "trip", "tims": 1},
        {"item": "meter_clock"},
        {"item": "meter_clock", "equals": "1", "times": 1},
        {"item": "meter_clock", "equals": "1", "within": "NaN"},
        {"item": "meter_clock", "equals": True},
        {"item": "forward_active_energy", "equals": "\uff11\uff12"},
        {"item": "forward_active_energy", "equals": "1", "within": "\uff11"},
        {"item": "forward_active_energy", "equals": "1", "within": "1e99999999999999999999"},
        {"item": "meter_clock", "equals": [1]},
        {"item": "meter_clock", "equals": 1e200},
        {"answered": "*" * 129},
    ],
)
async def test_an_assertion_that_says_nothing(asserted: Mapping[str, object]) -> None:
    """A slip of the pen in a test would let it pass for ever."""
    async with asked_api() as api:
        assert (422, "invalid") == await api.kind("POST", PATH, {"meter": FIRST, **asserted})
        assert (404, "no-such-meter") == await api.kind("POST", PATH, {"meter": "1", "obeyed": "trip"})


@pytest.mark.parametrize(
    ("asserted", "words"),
    [
        ({"obeyed": "tripp"}, "body.obeyed: should be 'trip', "),
        ({"item": "meter_clock", "equals": {}}, "body.equals: write a number or a text"),
        (
            {"item": "meter_clock", "equals": 1e308},
            "body.equals: a number of 309 characters; at most 128",
        ),
        (
            {"item": "meter_clock", "equals": "1" * 129},
            "body.equals: String should have at most 128",
        ),
    ],
)
async def test_what_is_wrong_is_told_where_it_stands(asserted: Mapping[str, object], words: str) -> None:
    """A body without such a key or list would be looked through for a place of the library's making."""
    async with asked_api() as api:
        _, problem = await api.ask("POST", PATH, {"meter": FIRST, **asserted})
        assert problem["detail"].startswith(words)


async def test_a_name_that_means_nothing_is_never_granted() -> None:
    """A misspelt item is answered never, for ever: the test of it would always pass."""
    async with asked_api() as api:
        for wrong in ("forward_active_enegry", "nothing.*"):
            status, problem = await api.ask("POST", PATH, {"meter": FIRST, "answered": wrong, "times": 0})
            assert 422 == status, problem
            assert wrong.partition(".")[0] in str(problem)
        assert await holds(api, answered="forward_active_energy", times=0) is None
        assert await holds(api, answered="*", times=0) is None
        with pytest.raises(ValueError, match="do you mean trip"):
            api.built.meter(FIRST).obeyed("tripp")
