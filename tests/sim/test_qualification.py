"""Qualification of a model at a meter, from the first look to the signed result, and what takes it away."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.audit.keys import GatewayKey
from meterlink.errors import MeterlinkError, NotAllowed
from meterlink.model.act import KeptAct, Topic
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.qualification.facts import Qualification
from meterlink.orders.qualification.probes import PROBES
from metersim import Station
from metersim.dlt645 import nameplate
from metersim.works.cost_control import REMOTE
from metersim.works.orders import Command
from tests.sim.test_orders_under_a_hold import open_work
from tests.support.adapters import Program
from tests.support.at_the_meter import AtTheMeter
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, TUESDAY, OrderGateway, kinds_of

M = f"m{ADDRESS}"
HOUR_S = 3600
FACTS = {
    "permit_waits_for_key": "yes",
    "contact_bit": "open_is_one",
    "command_bit": "state_grid",
    "records": "kept",
    "guarantee_on": "permits",
    "guarantee_off": "nothing",
    "answers_late": "no",
    "alarm_is_breaker": "no",
    "expiry": "obeyed",
}


def a_gateway(tmp_path: Path, **more: Any) -> OrderGateway:
    return OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))], proved=None, **more)


def becomes(meter: Any, **character: Any) -> None:
    """A meter is another kind from now on, as after a change of its firmware."""
    switch = meter.works.switch
    switch.character = replace(switch.character, **character)


def test_a_model_is_qualified_at_a_meter(tmp_path: Path) -> None:
    """The plain way through all probes would not lead to a signed result with the facts of the meter."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)
    left: list[dict[str, str]] = []

    async def script() -> None:
        await fred.qualify(M)
        left.append(await open_work(gateway))

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert ("qualified", FACTS) == (fred.walk["result"], fred.facts)
    assert [{}] == left  # the refusal of the probe whose time is over is what was wanted
    names = [probe.name for probe in PROBES if probe.name != "stale_alarm_off"]
    assert names == fred.confirmed
    stale = {"stale_alarm", "stale_alarm_off"}
    assert [probe.kind.value for probe in PROBES if probe.name not in stale] == gateway.obeyed()


def test_a_model_that_takes_enciphered_orders_alone_is_qualified(tmp_path: Path) -> None:
    """Its refusal of the probe whose time is over tells no cause: as a wrong MAC it would shut the meter."""
    proved = {"security": "lab", "control_password": None, "allow_plaintext_control": False}
    gateway = OrderGateway(
        tmp_path,
        [Station(meter=a_meter(replace(REMOTE, words="never")))],
        proved=None,
        keys={ADDRESS: proved},
        tables={"security_providers": [{"name": "lab", "command": ["hsm"]}]},
        provider=lambda group: Program(group, name="lab").open,
    )
    fred = AtTheMeter(gateway)
    gateway.run(seconds=HOUR_S, meanwhile=lambda: fred.qualify(M))
    assert ("qualified", FACTS) == (fred.walk["result"], fred.facts)


def test_a_qualified_model_is_tripped(tmp_path: Path) -> None:
    """A qualified model would be refused all the same."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)
    ended: list[Any] = []

    async def script() -> None:
        await fred.qualify(M)
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        ended.append(await gateway.until("t-1"))

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert "done" == ended[0]["state"]
    assert "metersim|metersim|metersim" == fred.walk["firmware"]


def test_another_firmware_is_not_qualified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orders would go to meters whose firmware nobody has tried out."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)
    ended: list[Any] = []

    async def script() -> None:
        await fred.qualify(M)
        await gateway.told_for_trip(M)
        # The maker sends a new version out.
        monkeypatch.setitem(nameplate._ITEMS, "software_version", lambda *_: "metersim 2")
        await gateway.trip("t-1", M)
        ended.append(await gateway.until("t-1"))

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert "refused" == ended[0]["state"]
    assert "QUAL-01" in [one["rule"] for one in ended[0]["steps"][-1]["rules"] if not one["passed"]]
    assert gateway.obeyed()[-1] == "direct_close"


def test_nothing_is_ordered_before_a_model_is_qualified(tmp_path: Path) -> None:
    """Decision 33: an order would go to a meter of which nobody knows what it does with it."""
    gateway = a_gateway(tmp_path)
    said: list[str] = []

    async def script() -> None:
        await gateway.up()
        for kind in (OrderKind.TRIP, OrderKind.PERMIT_CLOSE, OrderKind.ALARM_ON, OrderKind.GUARANTEE_OFF):
            order = gateway.order(f"o-{kind.value}", kind, M)
            said.append(str(await gateway.refused("clara", "order.create", order=order)))

    gateway.run(seconds=60, meanwhile=script)
    assert all("QUAL-01" in one for one in said)
    assert [] == gateway.obeyed()


def test_a_qualification_outlives_the_daemon_and_is_believed_by_its_key_alone(tmp_path: Path) -> None:
    """What was proven would be lost with a restart, or anybody could write it into the log."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)
    gateway.run(seconds=HOUR_S, meanwhile=lambda: fred.qualify(M))
    listed: list[Any] = []

    async def look() -> None:
        await gateway.up()
        listed.append(await gateway.ask("fred", "qualify.list"))

    gateway.run(seconds=60, meanwhile=look)
    assert [FACTS] == [one["facts"] for one in listed[0]["models"]]
    (tmp_path / "gateway-key.pem").unlink()
    gateway.run(seconds=60, meanwhile=look)
    assert [] == listed[1]["models"]


@pytest.mark.parametrize("milliseconds", range(10_250, 13_250, 250))
def test_a_daemon_that_dies_in_between_sends_no_probe_twice(tmp_path: Path, milliseconds: int) -> None:
    """After a crash a probe would be sent again: the relay moves while somebody stands at it."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)

    async def until_it_dies() -> None:
        try:
            await fred.qualify(M)
        except (AssertionError, MeterlinkError, asyncio.CancelledError):
            return

    gateway.run(seconds=milliseconds / 1000, meanwhile=until_it_dies, kill=True)
    assert "" == fred.walk["result"]
    again = AtTheMeter(gateway)
    gateway.run(seconds=HOUR_S, meanwhile=lambda: again.qualify(M))
    assert ("qualified", FACTS) == (again.walk["result"], again.facts)
    stale = {"stale_alarm", "stale_alarm_off"}
    assert [probe.kind.value for probe in PROBES if probe.name not in stale] == gateway.obeyed()


def test_one_who_may_not_qualify(tmp_path: Path) -> None:
    """Whoever has access to the socket could switch meters by calling it a probe."""
    gateway = a_gateway(tmp_path)
    found: list[Exception] = []

    async def script() -> None:
        await gateway.up()
        for who in ("clara", "anna", "david", "billing"):
            found.append(await gateway.refused(who, "qualify.begin", meter=M))
        order = {**gateway.order("p-1", OrderKind.TRIP, M), "origin": "probe"}
        found.append(await gateway.refused("clara", "order.create", order=order))

    gateway.run(seconds=60, meanwhile=script)
    assert [NotAllowed] * 4 == [type(one) for one in found[:4]]
    assert "meterlink qualify" in str(found[4])
    assert [] == gateway.obeyed()


def test_the_yes_is_to_the_probe_that_comes(tmp_path: Path) -> None:
    """A yes to a harmless probe would let the next one go, which opens the contact."""
    gateway = a_gateway(tmp_path)
    said: list[str] = []

    async def script() -> None:
        await gateway.up()
        walk = await gateway.ask("fred", "qualify.begin", meter=M)
        walk = await gateway.ask("fred", "qualify.step", id=walk["id"])
        said.append(str(await gateway.refused("fred", "qualify.step", id=walk["id"], confirmed="trip")))
        await gateway.ask("fred", "qualify.step", id=walk["id"])

    gateway.run(seconds=120, meanwhile=script)
    assert "the next probe is 'alarm_on'" in said[0]
    assert [] == gateway.obeyed()


async def told_of(gateway: OrderGateway, kind: str, **fields: str) -> None:
    """The dispatcher tells of an order for the meter, good for two hours."""
    at = gateway.now()
    until = time_out(at + timedelta(hours=2))
    record = {"kind": kind, "id": "w1", "sender": "desk", "at": time_out(at), "meter": M, "until": until}
    [told] = (await gateway.ask("david", "evidence.add", records=[{**record, **fields}]))["records"]
    assert "refused" not in told


ALLOWED = {"kind": "probe_order", "premises": "an empty shop; its owner agreed"}
SATURDAY_NIGHT = datetime(2026, 11, 28, 14, 0, tzinfo=UTC)
"""22:00 in the plant."""


@pytest.mark.parametrize(
    ("record", "keys", "start", "is_allowed"),
    [
        (ALLOWED, {}, TUESDAY, True),
        ({}, {}, TUESDAY, False),
        ({"kind": "work_order", "why": "new tenant: reconnect"}, {}, TUESDAY, False),
        (ALLOWED, {}, SATURDAY_NIGHT, False),
        (ALLOWED, {"protected": ["life_support"]}, TUESDAY, False),
        ({}, {"lab": True}, SATURDAY_NIGHT, True),
    ],
)
def test_a_customers_meter_needs_an_order_to_try_it_out(
    tmp_path: Path, record: dict[str, str], keys: dict[str, Any], start: datetime, is_allowed: bool
) -> None:
    """A household would be cut off at night without evidence or approval, and it be called a probe."""
    gateway = a_gateway(tmp_path, keys={ADDRESS: {"lab": False, **keys}}, start=start)
    fred = AtTheMeter(gateway)

    async def script() -> None:
        await gateway.up()
        if record:
            await told_of(gateway, **record)
        await fred.qualify(M, "desk:w1")

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert ("qualified" if is_allowed else "stopped") == fred.walk["result"], fred.walk["stop"]
    assert is_allowed == bool(gateway.obeyed())


def test_what_the_profile_says_otherwise_is_a_contradiction(tmp_path: Path) -> None:
    """A wrong profile would be believed against the meter, or quietly be overruled."""
    profiles = tmp_path / "profiles"
    profiles.mkdir()
    (profiles / "x.yaml").write_text(_PROFILE, encoding="utf-8")
    gateway = a_gateway(tmp_path, model="X1", profiles=profiles)
    fred = AtTheMeter(gateway)
    gateway.run(seconds=HOUR_S, meanwhile=lambda: fred.qualify(M))
    assert "stopped" == fred.walk["result"]
    assert "the profile says expiry: ignored" in fred.walk["stop"]["en"]


def test_load_through_an_open_contact_takes_the_qualification_away(tmp_path: Path) -> None:
    """A model that was understood wrongly would go on being switched everywhere."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)
    ended: list[Any] = []
    meter = next(iter(gateway.meters.values()))

    async def script() -> None:
        await fred.qualify(M)
        await gateway.told_for_trip(M)
        # From now on the meter shows its contact the wrong way round, as another firmware would.
        becomes(meter, status_word="inverted")
        await gateway.trip("t-1", M)
        ended.append(await gateway.until("t-1"))
        ended.append(await gateway.ask("fred", "qualify.list"))
        order = gateway.order("t-2", OrderKind.ALARM_ON, M)
        ended.append(str(await gateway.refused("clara", "order.create", order=order)))
        ended.append(await gateway.ask("sam", "alarm.list"))

    gateway.run(seconds=HOUR_S, meanwhile=script)
    before = len([probe for probe in PROBES if not probe.name.startswith("stale")])
    assert "refused" == ended[0]["state"]
    assert "CTRL-20" in [one["rule"] for one in ended[0]["steps"][-1]["rules"] if not one["passed"]]
    assert [] == ended[1]["models"]
    assert "QUAL-01" in ended[2]
    assert "QUALIFICATION_WITHDRAWN" in json.dumps(ended[3])
    assert before == len(gateway.obeyed())


def test_a_relay_fault_takes_the_qualification_away_and_a_restart_does_not_bring_it_back(
    tmp_path: Path,
) -> None:
    """A contact that moves without a record, at a model that keeps them, would pass unnoticed."""
    gateway = a_gateway(tmp_path)
    fred = AtTheMeter(gateway)
    meter = next(iter(gateway.meters.values()))
    ended: list[Any] = []

    async def script() -> None:
        await fred.qualify(M)
        await gateway.told_for_trip(M)
        meter.works.memory.tells_moves = False
        meter.works.switch.obey(Command(kind="direct_close"), gateway.now())
        await gateway.trip("t-1", M)
        ended.append(await gateway.until("t-1"))
        raised = (await gateway.ask("david", "alarm.list"))["alarms"]
        assert {"RELAY_FAULT", "QUALIFICATION_WITHDRAWN"} <= {one["rule"] for one in raised}

    async def look() -> None:
        await gateway.up()
        ended.append(await gateway.ask("fred", "qualify.list"))

    gateway.run(seconds=2 * HOUR_S, meanwhile=script)
    gateway.run(seconds=60, meanwhile=look)
    assert "relay_fault" == ended[0]["state"]
    assert "contradict" == kinds_of(ended[0]["steps"])[-1]
    assert [] == ended[1]["models"]


def test_a_later_walk_that_stops_takes_it_away(tmp_path: Path) -> None:
    """What a second look has found wrong would go on being believed."""
    gateway = a_gateway(tmp_path)
    fred, again = AtTheMeter(gateway), AtTheMeter(gateway)
    meter = next(iter(gateway.meters.values()))
    listed: list[Any] = []

    async def script() -> None:
        await fred.qualify(M)
        listed.append(await gateway.ask("fred", "qualify.list"))
        becomes(meter, alarm_is_breaker=True)
        await again.qualify(M)
        listed.append(await gateway.ask("fred", "qualify.list"))

    gateway.run(seconds=HOUR_S, meanwhile=script)
    assert [1, 0] == [len(one["models"]) for one in listed]
    assert "stopped" == again.walk["result"]


def test_a_body_that_was_changed_is_not_believed() -> None:
    """Facts could be changed in the log, with the signature of others."""
    key = GatewayKey.passing()
    one = Qualification(
        protocol="dlt645-2007",
        model="X1",
        firmware="a|1|2",
        facts={"expiry": "obeyed"},
        by="fred",
        at=datetime(2026, 11, 24, tzinfo=UTC),
        meter="m1",
        session="q-1",
    )
    act = one.act(key, step=1)
    assert one == Qualification.of(KeptAct(number=1, hash="0" * 64, act=act), key.public_hex)
    assert Topic.QUALIFICATION is act.topic
    changed = dict(act.body) | {"facts": {"expiry": "ignored"}}
    object.__setattr__(act, "body", changed)
    with pytest.raises(ValueError, match="has not signed"):
        Qualification.of(KeptAct(number=1, hash="0" * 64, act=act), key.public_hex)


_PROFILE = """\
profile: test/x1
matches: {protocol: dlt645-2007, model: X1}
line: {baud: 2400, parity: even, preamble: 4}
timing: {reply_timeout_ms: 500, octet_gap_ms: 500, turnaround_ms: 20}
meter: {phases: 1, cost_control: remote}
control: {expiry: ignored, bit_order: unknown}
"""
