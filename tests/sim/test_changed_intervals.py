"""Plans that get another interval, or are taken out, around an outage: each hour is read, or explained."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from metersim import Meter, Station
from metersim.line.fault_rules import FaultRule
from metersim.works.moments import PLANT_TIME
from tests.support.simulated import SimulatedGateway

_METER = "m000000000001"
_START = datetime(2026, 11, 10, tzinfo=PLANT_TIME)
_CURVE: Mapping[str, object] = {"class": "curve", "items": ["forward_active_energy"]}
_MOMENT: Mapping[str, object] = {"name": "moment", "items": ["voltage.a"]}
_OTHER: Mapping[str, object] = {"name": "other", "items": ["current.a"], "every_s": 300}
_EVENT: Mapping[str, object] = {"class": "event"}


def _gateway(folder: Path, *plans: Mapping[str, object]) -> SimulatedGateway:
    meter = Meter(_METER[1:], seed=1)
    return SimulatedGateway(folder, [Station(meter=meter)], plans=plans, start=_START)


def _asked(gateway: SimulatedGateway, times: list[str]) -> tuple[dict[str, Any], list[Mapping[str, Any]]]:
    """What the daemon says of the completeness of the day by class, and of some times of it."""
    found: list[Mapping[str, Any]] = []

    async def ask() -> None:
        await gateway.desk_opened.wait()
        day = "2026-11-10"
        for time in times:
            slot = f"{day}T{time}"
            found.append(await gateway.ask("root", "collection.why", meter=_METER, slot=slot))
        found.append(await gateway.ask("root", "collection.completeness", day=day, by="class"))

    gateway.run(seconds=2, meanwhile=ask)
    return {row["name"]: row for row in found.pop()["rows"]}, found


def test_plans_that_get_another_interval_during_an_outage(tmp_path: Path) -> None:
    """The hours of the outage would leave the count, with the words that collection began behind them."""
    gateway = _gateway(tmp_path, *({**one, "every_s": 900} for one in (_CURVE, _MOMENT, _EVENT)))
    gateway.run(seconds=3600, kill=True)
    gateway.sim.clock.advance(2 * 3600)
    gateway.plans = [
        {**_CURVE, "every_s": 3600},
        {**_MOMENT, "every_s": 600},
        {**_EVENT, "every_s": 1800},
    ]
    gateway.run(seconds=3500)
    day, (outage, before) = _asked(gateway, ["02:00", "00:10"])
    told = {(one["class"], one["every_s"]): (one["state"], one["reason"]) for one in outage["found"]}
    assert {
        ("curve", 3600): ("kept", None),
        ("curve", 900): ("waived", "not_planned"),
        ("instant", 600): ("expired", "not_running"),
        ("event", 1800): ("kept", None),
    } == told
    assert "not_planned" == before["undue"], "the plan had no slot then, but it had begun"
    assert {"not_running": 12} == day["instant"]["reasons"]
    assert (10, 10) == (day["event"]["due"], day["event"]["kept"])


def test_a_plan_that_comes_beside_another_after_an_outage(tmp_path: Path) -> None:
    """The outage would be lost twice over, once by a plan that nobody had yet."""
    gateway = _gateway(tmp_path, {**_MOMENT, "every_s": 900})
    gateway.run(seconds=3600, kill=True)
    gateway.sim.clock.advance(2 * 3600)
    gateway.plans = [{**_MOMENT, "every_s": 900}, _OTHER]
    gateway.run(seconds=1800)
    day, _ = _asked(gateway, [])
    assert {"not_running": 8} == day["instant"]["reasons"]


def _silent_for_an_hour(gateway: SimulatedGateway) -> None:
    gateway.run(seconds=1800)
    now = gateway.sim.clock.utc_now()
    gateway.strikes.rules.add(FaultRule(what="silence", between=(now, now + timedelta(hours=1))), at=now)
    gateway.run(seconds=3600)


def test_looks_at_events_that_were_missed_before_another_interval(tmp_path: Path) -> None:
    """They would be missing for ever, as if the meter had not answered, though all that happened was read."""
    gateway = _gateway(tmp_path, {**_EVENT, "every_s": 900})
    _silent_for_an_hour(gateway)
    day, (missed,) = _asked(gateway, ["01:00"])
    assert (6, 4, "silent") == (day["event"]["due"], day["event"]["missing"], missed["found"][0]["reason"])
    gateway.plans = [{**_EVENT, "every_s": 1800}]
    gateway.run(seconds=1800)
    day, _ = _asked(gateway, [])
    assert (9, 9) == (day["event"]["due"], day["event"]["kept"])


def test_looks_at_events_that_were_missed_before_the_plan_went(tmp_path: Path) -> None:
    """They would be missing for ever, with the words that the meter did not answer."""
    gateway = _gateway(tmp_path, {**_EVENT, "every_s": 900})
    _silent_for_an_hour(gateway)
    gateway.plans = [{"class": "daily_freeze"}]
    gateway.run(seconds=60)
    day, (missed,) = _asked(gateway, ["01:00"])
    assert (0, {"not_planned": 4}) == (day["event"]["missing"], day["event"]["reasons"])
    assert "lost: no plan asks for it any more" in missed["found"][0]["en"]
    gateway.plans = [{**_EVENT, "every_s": 900}]
    gateway.run(seconds=900)
    day, _ = _asked(gateway, [])
    assert day["event"]["due"] == day["event"]["kept"]
