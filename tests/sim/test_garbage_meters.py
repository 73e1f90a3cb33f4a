"""A meter that sends garbage never yields a wrong value and never stops its neighbours."""

from __future__ import annotations

from collections.abc import Collection, MutableMapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.drivers.dlt645.talk import Talk645
from metersim import NO_FAULTS, Faults, Meter, Station
from metersim.line.fault_kinds import AROUND, IN_PLACE
from meterwire.dlt645 import ReadSession
from tests.support.agreement import readings_of
from tests.support.simulated import ITEMS, START, SimulatedGateway, slots_between

_EVERY_S = 30
_SLOTS = 8
_GOOD = [f"{number:012d}" for number in range(1, 5)]
_BAD = "000000000666"
Logs = list[MutableMapping[str, Any]]
_OUR_FAULTS = {"answer_broke_us", "part_crashed"}


def _plant(faults: Faults, reply_delay_ms: int = 20) -> list[Station]:
    """Four sound meters, a bad one in their middle; all registers grow so fast that every answer differs."""

    def station(address: str) -> Station:
        meter = Meter(address, seed=7, growth_kw=Decimal(7200))
        return Station(
            meter=meter,
            faults=faults if address == _BAD else NO_FAULTS,
            reply_delay_ms=reply_delay_ms,
        )

    return [station(address) for address in [*_GOOD[:2], _BAD, *_GOOD[2:]]]


def _run(tmp_path: Path, faults: Faults, broken: Collection[str] = ()) -> tuple[SimulatedGateway, Logs]:
    gateway = SimulatedGateway(tmp_path, _plant(faults), every_s=_EVERY_S, seed=faults.seed)
    with capture_logs() as logs:
        gateway.run(seconds=_EVERY_S * _SLOTS - 1)
    assert set(broken) == {entry["event"] for entry in logs if entry["event"] in _OUR_FAULTS}
    gateway.check()
    due = slots_between(START, _EVERY_S, _SLOTS)
    for address in _GOOD:
        for item in ITEMS:
            assert due == gateway.slots_of(address, item), f"a neighbour missed {item}"
    return gateway, logs


@pytest.mark.parametrize("seed", range(10))
def test_a_garbage_meter(tmp_path: Path, seed: int) -> None:
    """A wrong value becomes a wrong bill, and a dead neighbour a missed one."""
    gateway, _ = _run(tmp_path, Faults.garbage(seed))
    assert any(answer.faults for answer in gateway.answers), "the bad meter was never asked"


def _broken_over(monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """A fault of the program itself that only the bad meter's answers meet."""
    if place == "driver":
        original = Talk645.ask

        async def ask(self: Any, line: Any, address: str, *rest: Any, **more: Any) -> Any:
            found = await original(self, line, address, *rest, **more)
            if address == _BAD:
                raise KeyError(address)
            return found

        monkeypatch.setattr(Talk645, "ask", ask)
        return
    feed = ReadSession.feed

    def broken(self: Any, octets: bytes) -> Any:
        assert bytes.fromhex(_BAD)[::-1] not in octets, "the session breaks"
        return feed(self, octets)

    monkeypatch.setattr(ReadSession, "feed", broken)


@pytest.mark.parametrize(("place", "error"), [("driver", KeyError), ("session", AssertionError)])
def test_a_fault_of_ours_over_one_meters_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, error: type[Exception]
) -> None:
    """One meter with an answer that nobody foresaw would end its line, and its neighbours wait for it."""
    _broken_over(monkeypatch, place)
    gateway, logs = _run(tmp_path, NO_FAULTS, broken={"answer_broke_us"})
    assert 1 == gateway.dialled, "the line itself is as good as before"
    assert [] == gateway.slots_of(_BAD, ITEMS[0])
    told = [entry for entry in logs if entry["event"] == "answer_broke_us"]
    assert _SLOTS * len(ITEMS) <= len(told)
    assert list(range(1, len(told) + 1)) == [entry["faults"] for entry in told]
    assert {_BAD} == {entry["address"] for entry in told}
    assert {error} == {type(entry["exc_info"]) for entry in told}
    assert {f"m{_BAD}"} == {entry["meter"] for entry in logs if entry["event"] == "bad_answer"}


def _always(fault: str) -> Faults:
    probabilities = {name: float(name == fault) for name in (*IN_PLACE, *AROUND)}
    return Faults(seed=3, **probabilities)  # type: ignore[arg-type]  # none of them is the seed


@pytest.mark.parametrize("fault", [*IN_PLACE, *AROUND])
def test_each_kind_of_garbage_alone(tmp_path: Path, fault: str) -> None:
    """One kind must not hide behind another."""
    gateway, _ = _run(tmp_path, _always(fault))
    harmless = ("echo", "noise", "split", "duplicate", "double", "follow_up")
    expected = _SLOTS if fault in harmless else 0
    slots = gateway.slots_of(_BAD, ITEMS[0])
    if fault in ("late", "stale"):
        return  # what is kept was answered, late or to the same question before, which is checked above
    assert expected == len(slots)


@pytest.mark.parametrize("late_ms", [480, 520, 1500, 3200, 3600, 9000])
def test_late_answers(tmp_path: Path, late_ms: int) -> None:
    """F6: the answer to an earlier question would be kept as that to a later one, or as a neighbour's."""
    gateway, _ = _run(tmp_path, Faults(seed=5, late=0.7, late_ms=late_ms))
    answered = {
        answer.values[ITEMS[0]]: answer.at
        for answer in gateway.answers
        if answer.address == _BAD and ITEMS[0] in answer.values
    }
    readings = [r for r in readings_of(gateway.rows()) if (r.meter, r.item) == (f"m{_BAD}", ITEMS[0])]
    assert readings, "an answer in time is kept"
    assert all(r.value is not None and r.slot <= answered[r.value] <= r.taken_at for r in readings)
