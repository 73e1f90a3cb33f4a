"""Meters behind a carrier module, read by the daemon in simulated time: the module is metersim's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from meterlink.cli.carrier_look import CarrierAsking
from meterlink.cli.language import Lang
from meterlink.daemon.carrier_part import lane_of
from meterlink.daemon.control_socket import owners
from meterlink.errors import BadRequest, NotAllowed, Unknown
from meterlink.model.event_kinds import MODULE_RESET, NODE_POWER_FAIL
from metersim import Meter, Station
from metersim.carrier.ways import CarrierWays
from metersim.dlt698 import Meter698
from tests.support.agreement import readings_by_key, readings_of
from tests.support.carried import LINE, QUICK, CarriedGateway
from tests.support.simulated import ITEMS, START, SimulatedGateway, slots_between

_ME = min(owners())
_645 = [f"{number:012d}" for number in range(1, 7)]
_698 = ["000000000101", "000000000102"]
_ALL = (*_645, *_698)
_BOTH = dict.fromkeys(_698, "dlt698.45")
_HOUR_S = 3600


def _stations() -> list[Station]:
    return [
        *(Station(meter=Meter(one, seed=7, growth_kw=Decimal(7200)), reply_delay_ms=20) for one in _645),
        *(Station(meter=Meter698(one, seed=7, growth_kw=Decimal(7200)), reply_delay_ms=20) for one in _698),
    ]


_CURVE = [
    {
        "name": "load",
        "class": "curve",
        "every_s": 900,
        "gather_s": 900,
        "items": ["forward_active_energy"],
    }
]


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir()
    return folder / name


def _with_curves(folder: Path, ways: CarrierWays) -> CarriedGateway:
    return CarriedGateway(folder, _stations(), ways=ways, protocols=_BOTH, plans=_CURVE)


def _routes_at_the_end(gateway: CarriedGateway) -> Mapping[str, Any]:
    """Read for three hours; what `meterlink carrier routes` shows then."""
    views: list[Mapping[str, Any]] = []

    async def meanwhile() -> None:
        await asyncio.sleep(3 * _HOUR_S - 60)
        views.append(await gateway.ask(_ME, "carrier.routes", line=LINE))

    gateway.run(seconds=3 * _HOUR_S, meanwhile=meanwhile)
    [view] = views
    return view


def _holes(gateway: CarriedGateway, folder: Path, count: int) -> set[tuple[str, int]]:
    """Meters and slots that their load curves lack, or where a cable brings something else.

    The last hour is still being read.
    """
    cable = SimulatedGateway(folder, _stations(), protocols=_BOTH, plans=_CURVE)
    cable.run(seconds=3 * _HOUR_S)
    true, found = (readings_by_key(readings_of(one.rows())) for one in (cable, gateway))
    slots = [int(slot.timestamp()) for slot in slots_between(START, 900, count)]
    assert len(slots) == count
    gateway.check_database()
    return ({*product(gateway.addresses, slots)} - {(meter, slot) for meter, _, slot in found}) | {
        (meter, slot)
        for (meter, item, slot), value in found.items()
        if true.get((meter, item, slot), value) != value
    }


def _lacking(gateway: SimulatedGateway, every_s: int, count: int) -> set[tuple[str, str, datetime]]:
    """What meters lack: an item in a slot, of all but the first."""
    return {
        (address, item, slot)
        for address, item in product(_ALL, ITEMS)
        for slot in {*slots_between(START, every_s, count)[1:]} - {*gateway.slots_of(address, item)}
    }


@pytest.mark.parametrize("window", [20, 0])
def test_meters_of_both_protocols_are_read_through_a_module(tmp_path: Path, window: int) -> None:
    """Neither 645 nor 698.45 would be read behind a module, several at once or one by one."""
    ways = replace(QUICK, window=window)
    gateway = CarriedGateway(tmp_path, _stations(), ways=ways, protocols=_BOTH, every_s=120)
    gateway.run(seconds=600)
    assert set() == _lacking(gateway, 120, 5)
    assert {LINE} == {one.route for one in readings_of(gateway.rows())}
    gateway.check()


def test_a_module_and_a_cable_bring_the_same_items(tmp_path: Path) -> None:
    """What stands between would make another series of the same value."""
    plans: list[Mapping[str, object]] = [
        {"name": "now", "every_s": 300, "items": ["forward_active_energy.*", "voltage.*", "frequency"]},
        {"name": "daily", "class": "daily_freeze", "items": ["forward_active_energy.*"]},
    ]
    found = []
    for kind, folder in ((SimulatedGateway, "cable"), (CarriedGateway, "module")):
        gateway = kind(_folder(tmp_path, folder), _stations(), protocols=_BOTH, plans=plans)
        gateway.run(seconds=1_800)
        found.append(
            {
                (row.record.data_class, one.meter, one.item)
                for row in gateway.rows()
                for one in readings_of([row])
            }
        )
    assert found[0] == found[1]
    assert {"instant", "daily_freeze"} == {data_class for data_class, _, _ in found[0]}
    assert len(found[0]) > len(_ALL) * 10


def test_f16_slow_late_double_and_disordered_answers_lose_no_slot(tmp_path: Path) -> None:
    """A field network would leave holes: 0.5 to 30 s, answers in any order, lost, late and twice."""
    ways = replace(
        QUICK,
        shortest_s=0.5,
        longest_s=30.0,
        monitor_s=60,
        late=0.05,
        late_s=45,
        doubled=0.1,
        rubbish=0.3,
        stray_octet=0.2,
        loss=0.02,
    )
    gateway = CarriedGateway(
        _folder(tmp_path, "module"), _stations(), ways=ways, protocols=_BOTH, plans=_CURVE
    )
    view = _routes_at_the_end(gateway)
    assert set() == _holes(gateway, _folder(tmp_path, "cable"), 8)
    assert view["counts"]["double"]
    assert view["counts"]["late"]


def test_f15_a_module_that_resets_amid_reading_is_started_again(tmp_path: Path) -> None:
    """After a reset the meters would stay unread until somebody restarts the daemon."""
    ways = replace(QUICK, reset_every=20, reset_s=8.0, join_s=20.0)
    gateway = CarriedGateway(
        _folder(tmp_path, "module"), _stations(), ways=ways, protocols=_BOTH, plans=_CURVE
    )
    gateway.run(seconds=3 * _HOUR_S)
    assert gateway.module.resets >= 2
    assert set() == _holes(gateway, _folder(tmp_path, "cable"), 8)
    assert gateway.happened(MODULE_RESET)


def test_a_module_that_leads_is_paused_and_all_is_read(tmp_path: Path) -> None:
    """It denies direct reads while it reads by itself: nothing would be read (9)."""
    ways = replace(QUICK, leads="module", window=0)
    gateway = CarriedGateway(tmp_path, _stations(), ways=ways, protocols=_BOTH, every_s=300)
    gateway.run(seconds=1_800)
    assert set() == _lacking(gateway, 300, 6)
    standing = gateway.module.standing
    assert (True, False) == (standing.working, standing.paused), "it leads again when the daemon has left"


def test_a_module_leads_again_also_when_the_daemon_leaves_amid_a_long_read(tmp_path: Path) -> None:
    """A stop waits 5 s for a meter that takes 20: the module would stay paused until somebody starts us."""
    ways = replace(QUICK, leads="module", window=0, shortest_s=20.0, longest_s=25.0)
    gateway = CarriedGateway(tmp_path, _stations(), ways=ways, protocols=_BOTH, every_s=300)
    gateway.run(seconds=305)
    standing = gateway.module.standing
    assert (True, False) == (standing.working, standing.paused)


def test_a_module_that_leads_our_reads_loses_no_slot(tmp_path: Path) -> None:
    """A lost or late answer would stop its round, be another question's, or leave a meter without a value."""
    ways = replace(QUICK, leads="module", window=0, loss=0.1, late=0.05, doubled=0.2, longest_s=6.0)
    gateway = CarriedGateway(
        _folder(tmp_path, "module"),
        _stations(),
        ways=ways,
        carrier={"read_by": "14-F1"},
        protocols=_BOTH,
        plans=_CURVE,
    )
    told = _routes_at_the_end(gateway)["counts"]["reports"]
    assert len(_ALL) * 8 <= told["led answers"], "it led our reads"
    assert len(_ALL) < told["led reads"] - told["led answers"], "more are lost than may be under way"
    assert set() == _holes(gateway, _folder(tmp_path, "cable"), 8)


def test_a_module_that_knows_nobody_is_given_the_roster(tmp_path: Path) -> None:
    """A module that was exchanged would read nothing until somebody fills its list by hand."""
    ways = replace(QUICK, archive=False)
    gateway = CarriedGateway(tmp_path, _stations(), ways=ways, protocols=_BOTH, every_s=300)
    gateway.run(seconds=1_800)
    assert set(_ALL) == {node.address for node in gateway.module.standing.nodes.all}
    assert set() == _lacking(gateway, 300, 6)


def test_power_that_fails_at_a_node_is_an_event_of_its_meter(tmp_path: Path) -> None:
    """Nobody would learn of an outage until the meter is read."""
    ways = replace(QUICK, leaves_a_day=48, away_s=60, power_events=True)
    gateway = CarriedGateway(tmp_path, _stations(), ways=ways, protocols=_BOTH, every_s=900)
    gateway.run(seconds=2 * _HOUR_S)
    failed = gateway.happened(NODE_POWER_FAIL)
    assert failed
    assert {one.meter for one in failed} <= set(gateway.addresses)


def test_silent_meters_cost_their_lane_alone(tmp_path: Path) -> None:
    """One dead meter would hold up all that stand behind the same module."""
    gateway = CarriedGateway(tmp_path, _stations(), protocols=_BOTH, every_s=120)
    dead = _645[0]

    async def meanwhile() -> None:
        await asyncio.sleep(20)
        node = gateway.module.standing.nodes.get(dead)
        assert node is not None
        node.joined, node.powered = False, False

    gateway.run(seconds=1_200, meanwhile=meanwhile)
    others = [one for one in _ALL if lane_of(f"m{one}", 20) != lane_of(f"m{dead}", 20)]
    for address in others:
        assert set(slots_between(START, 120, 10)[1:]) <= set(gateway.slots_of(address, ITEMS[0])), address


# --- people --------------------------------------------------------------------------------------


def test_people_read_a_meter_behind_a_module(tmp_path: Path) -> None:
    """`meterlink read` would not find the lane of a meter, or read another's."""
    gateway = CarriedGateway(tmp_path, _stations(), protocols=_BOTH, every_s=900)
    reads: dict[str, Mapping[str, Any]] = {}

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        for address in _ALL:
            args = {"count": 0, "tries": 2, "timeout_s": 120, "items": ["frequency"]}
            read = await gateway.ask(_ME, "read.begin", meter=f"m{address}", **args)
            while read["state"] == "waiting":
                read = await gateway.ask(_ME, "read.follow", id=read["id"], wait_s=5)
            reads[address] = read

    gateway.run(seconds=300, meanwhile=meanwhile)
    assert {(one, "done", LINE) for one in _ALL} == {
        (address, read["state"], read["line"]) for address, read in reads.items()
    }
    assert all(item["error"] is None for read in reads.values() for item in read["items"])


def test_people_see_what_differs_and_bring_it_in_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A meter that is missing in the module would look like a dead one."""
    gateway = CarriedGateway(tmp_path, _stations(), protocols=_BOTH, every_s=900)
    views: list[Mapping[str, Any]] = []

    async def synced(*, dry_run: bool) -> Mapping[str, Any]:
        view = await gateway.ask(_ME, "carrier.sync", line=LINE, dry_run=dry_run)
        while view["syncing"]:
            view = await gateway.ask(_ME, "carrier.follow", line=LINE, wait_s=20)
        return view

    async def meanwhile() -> None:
        await asyncio.sleep(60)
        nodes = gateway.module.standing.nodes
        nodes.remove(_645[2])
        nodes.add("000000000777", 2)
        views.extend([await synced(dry_run=True), await synced(dry_run=False)])
        with pytest.raises(NotAllowed):
            await gateway.ask("nobody", "carrier.sync", line=LINE, dry_run=False)
        with pytest.raises(Unknown, match=f"there are: {LINE}"):
            await gateway.ask(_ME, "carrier.routes", line="tty1")
        with pytest.raises(BadRequest):
            await gateway.ask(_ME, "carrier.sync", line=LINE, dry_run="yes")

    gateway.run(seconds=300, meanwhile=meanwhile)
    before, after = views
    assert [{"address": _645[2], "meter": f"m{_645[2]}"}] == before["missing"]
    assert (["000000000777"], 0) == (before["strangers"], before["changed"])
    assert ([], ["000000000777"], 1) == (after["missing"], after["strangers"], after["changed"])
    assert len(_ALL) == sum(bool(node["meter"]) for node in after["nodes"])
    for lang, word in ((Lang.EN, f"missing in the module: {_645[2]}"), (Lang.ZH, f"模块缺少：{_645[2]}")):
        CarrierAsking(tmp_path, as_json=False, lang=lang)._tell(before)
        assert word in capsys.readouterr().out
