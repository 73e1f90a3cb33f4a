"""For each of the ten facts a meter that is otherwise: it is found, and nothing that hurts is sent.

The meters are asked: what they obeyed stands in their own memory.
Source: control-and-prepayment, "The ten facts that could hurt a person if wrong".
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.model.order import OrderKind
from meterlink.orders.qualification.facts import unproven
from metersim import Station
from metersim.works.orders import Command
from tests.support.at_the_meter import AtTheMeter
from tests.support.control_bench import ADDRESS, a_meter, a_meter698
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

M = f"m{ADDRESS}"
HOURS_S = 4 * 3600


class Site:
    """A gateway, one meter on it, and Fred at the meter.

    Args:
        folder: for the journal.
        protocol: of the meter.
        character: in what it is otherwise.
        keys: of the meter in the configuration.
        reply_delay_ms: how long it takes to begin an answer; its line waits 1,000 ms.

    """

    def __init__(
        self,
        folder: Path,
        protocol: str = "dlt645-2007",
        keys: Any = None,
        reply_delay_ms: int = 20,
        **character: Any,
    ) -> None:
        control = replace(OPEN_TO_ALL, **character)
        meter = a_meter(control) if protocol == "dlt645-2007" else a_meter698(control)
        self.gateway = OrderGateway(
            folder,
            [Station(meter=meter, reply_delay_ms=reply_delay_ms)],
            proved=None,
            protocols={ADDRESS: protocol},
            keys={ADDRESS: keys or {}},
            reply_timeout_ms=1000,
        )
        self.meter: Any = meter
        self.fred = AtTheMeter(self.gateway)
        self.obeyed_by_probes: list[str] = []

    def qualify(self, afterwards: Callable[[], Awaitable[None]] | None = None) -> None:
        """Walk Fred through the probes, and do something afterwards."""

        async def script() -> None:
            await self.fred.qualify(M)
            self.obeyed_by_probes = self.gateway.obeyed()
            if afterwards is not None:
                await afterwards()

        self.gateway.run(seconds=HOURS_S, meanwhile=script)

    async def refused(self, kind: OrderKind, **fields: Any) -> str:
        """What says no to an order of a clerk."""
        order = self.gateway.order(f"o-{kind.value}", kind, M, **fields)
        return str(await self.gateway.refused("clara", "order.create", order=order))

    @property
    def obeyed_since(self) -> list[str]:
        """What the meter obeyed after the probes."""
        return self.gateway.obeyed()[len(self.obeyed_by_probes) :]


def test_fact_1_a_permit_that_closes_at_once(tmp_path: Path) -> None:
    """A meter without a key would be energised by a permit while somebody works on the wires."""
    site = Site(tmp_path, has_key=False)
    said: list[str] = []

    async def afterwards() -> None:
        said.append(await site.refused(OrderKind.PERMIT_CLOSE))

    site.qualify(afterwards)
    assert ("qualified", "no") == (site.fred.walk["result"], site.fred.facts["permit_waits_for_key"])
    assert "CTRL-15" in said[0]
    assert [] == site.obeyed_since


def test_fact_2_the_numbers_of_a_close_the_other_way_round(tmp_path: Path) -> None:
    """A meter that takes 0 for "at once" would be energised by a permit."""
    site = Site(tmp_path, "dlt698.45", close_numbers="direct_permit")
    said: list[str] = []

    async def afterwards() -> None:
        said.extend([await site.refused(kind) for kind in (OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE)])

    site.qualify(afterwards)
    assert ("stopped", "direct_permit") == (site.fred.walk["result"], site.fred.facts["close_numbers"])
    assert ["QUAL-01"] * 2 == ["QUAL-01" if "QUAL-01" in one else one for one in said]
    assert [] == site.obeyed_since


def test_fact_3_a_contact_shown_the_wrong_way_round(tmp_path: Path) -> None:
    """An open contact would pass for a closed one, and everything that is concluded from it be wrong."""
    site = Site(tmp_path, status_word="inverted")
    said: list[str] = []

    async def afterwards() -> None:
        said.append(await site.refused(OrderKind.TRIP))

    site.qualify(afterwards)
    assert "stopped" == site.fred.walk["result"]
    assert "current flows" in site.fred.walk["stop"]["en"]
    assert "QUAL-01" in said[0]
    assert [] == site.gateway.obeyed()


def test_fact_3_a_command_in_another_bit(tmp_path: Path) -> None:
    """The program would report "waiting for the key" for ever, and prove no trip."""
    site = Site(tmp_path, status_word="vendor")
    site.qualify()
    assert ("qualified", "vendor") == (site.fred.walk["result"], site.fred.facts["command_bit"])


def test_fact_3_a_word_without_an_alarm_keeps_nobody_in_the_dark(tmp_path: Path) -> None:
    """An alarm that nobody can see would be read back for a day, and who has paid wait behind it."""
    site = Site(tmp_path, status_word="vendor")
    gateway = site.gateway

    async def afterwards() -> None:
        await gateway.told_for_trip(M)
        await gateway.trip("t-1", M)
        assert "done" == (await gateway.until("t-1"))["state"]
        await gateway.ask("clara", "order.create", order=gateway.order("a-1", OrderKind.ALARM_ON, M))
        await gateway.operated("a-1")
        await gateway.until("a-1", "readback")
        paid_at = gateway.now()
        alarm, close = (await gateway.paid(M))["orders"]
        assert "a-1" == alarm, "it is told that it was paid for"
        await gateway.until(close, "waiting_for_key")
        assert gateway.now() - paid_at < timedelta(minutes=1)
        assert "readback" == (await gateway.ask("clara", "order.show", id="a-1"))["state"]

    site.qualify(afterwards)
    assert ["trip", "alarm_on", "permit_close"] == site.obeyed_since


def test_fact_4_a_meter_that_says_yes_and_does_nothing(tmp_path: Path) -> None:
    """That it was accepted would be taken for done."""
    site = Site(tmp_path, only_answers=True)
    said: list[str] = []

    async def afterwards() -> None:
        said.append(await site.refused(OrderKind.TRIP))

    site.qualify(afterwards)
    assert "stopped" == site.fred.walk["result"]
    assert "did not move" in site.fred.walk["stop"]["en"]
    assert "QUAL-01" in said[0]
    assert [] == site.gateway.obeyed()


def test_fact_4_a_meter_without_records(tmp_path: Path) -> None:
    """A missing record would be taken for a contradiction at every order of such a model."""
    site = Site(tmp_path, keeps_records=False)
    site.qualify()
    assert "none" == site.fred.facts["records"]


@pytest.mark.parametrize("does", ["closes", "permits", "cancels_trip"])
def test_fact_5_what_a_guarantee_does_to_an_open_contact(tmp_path: Path, does: str) -> None:
    """A guarantee would energise premises that nobody meant to energise."""
    site = Site(tmp_path, guarantee_on=does)
    ended: list[Any] = []

    async def afterwards() -> None:
        gateway = site.gateway
        site.meter.works.switch.obey(Command(kind="trip"), gateway.now())
        site.obeyed_by_probes = gateway.obeyed()
        order = gateway.order("g-1", OrderKind.GUARANTEE_ON, M)
        await gateway.ask("clara", "order.create", order=order)
        await gateway.ask("anna", "order.approve", id="g-1")
        await gateway.operated("g-1")
        ended.append(await gateway.until("g-1"))

    site.qualify(afterwards)
    assert ("qualified", does) == (site.fred.walk["result"], site.fred.facts["guarantee_on"])
    assert "refused" == ended[0]["state"]
    assert "CTRL-22" in [one["rule"] for one in ended[0]["steps"][-1]["rules"] if not one["passed"]]
    assert [] == site.obeyed_since


def test_fact_5_a_guarantee_whose_end_opens(tmp_path: Path) -> None:
    """The end of a guarantee would cut somebody off, by nobody's decision."""
    site = Site(tmp_path, guarantee_off="opens")
    said: list[str] = []

    async def afterwards() -> None:
        said.append(await site.refused(OrderKind.GUARANTEE_OFF))

    site.qualify(afterwards)
    assert ("qualified", "opens") == (site.fred.walk["result"], site.fred.facts["guarantee_off"])
    assert "guarantee_off=opens" in said[0]
    assert [] == site.obeyed_since


def test_fact_6_nothing_goes_to_everybody(tmp_path: Path) -> None:
    """Every relay on the line would move: some meters obey what is sent to all."""
    site = Site(tmp_path, obeys_everybody=True)
    site.qualify()
    own = bytes.fromhex(ADDRESS)[::-1]
    assert "qualified" == site.fred.walk["result"]
    assert {own} == {frame.lstrip(b"\xfe")[1:7] for frame in site.gateway.strikes.controls}
    assert "obeys_everybody" not in site.fred.facts


def test_fact_6_another_meter_answers(tmp_path: Path) -> None:
    """The wrong premises would be switched."""
    site = Site(tmp_path, keys={"meter_number": "000000990999"})
    site.qualify()
    assert "stopped" == site.fred.walk["result"]
    assert "another meter" in site.fred.walk["stop"]["en"]
    assert [] == site.gateway.obeyed()


def test_fact_7_answers_that_come_too_late(tmp_path: Path) -> None:
    """The answer to one order would be taken for that to the next."""
    site = Site(tmp_path, reply_delay_ms=1500)
    site.qualify()
    assert ("stopped", "yes") == (site.fred.walk["result"], site.fred.facts["answers_late"])
    assert [] == site.gateway.obeyed()


def test_fact_8_an_alarm_that_is_a_breaker(tmp_path: Path) -> None:
    """A harmless warning would cut somebody off, and its end energise him."""
    site = Site(tmp_path, alarm_is_breaker=True)
    said: list[str] = []

    async def afterwards() -> None:
        said.extend([await site.refused(kind) for kind in (OrderKind.ALARM_ON, OrderKind.ALARM_OFF)])

    site.qualify(afterwards)
    assert ("stopped", "yes") == (site.fred.walk["result"], site.fred.facts["alarm_is_breaker"])
    assert ["alarm_on"] == site.obeyed_by_probes
    assert all("QUAL-01" in one for one in said)
    assert [] == site.obeyed_since


@pytest.mark.parametrize("shown", ["first", "last", "command_code"])
def test_fact_9_how_the_command_of_a_relay_is_shown(tmp_path: Path, shown: str) -> None:
    """A closed meter would look tripped, or a tripped one closed."""
    site = Site(tmp_path, "dlt698.45", command_bits=shown)
    site.qualify()
    assert ("qualified", shown) == (site.fred.walk["result"], site.fred.facts["attr5_bits"])


@pytest.mark.parametrize("order", ["msb_first", "number"])
def test_fact_9_the_order_of_the_bits_of_a_status_word(tmp_path: Path, order: str) -> None:
    """An authenticated terminal would look like a disconnection."""
    site = Site(tmp_path, "dlt698.45", bit_order=order)
    site.qualify()
    assert ("qualified", order) == (site.fred.walk["result"], site.fred.facts["bit_order"])


@pytest.mark.parametrize("protocol", ["dlt645-2007", "dlt698.45"])
@pytest.mark.parametrize("looks", [True, False])
def test_fact_10_an_expiry_that_is_not_looked_at(tmp_path: Path, protocol: str, looks: bool) -> None:
    """A frame that a line has kept would switch hours later."""
    site = Site(tmp_path, protocol, checks_expiry=looks)
    site.qualify()
    shown = "obeyed" if looks else "ignored"
    assert ("qualified", shown) == (site.fred.walk["result"], site.fred.facts["expiry"])
    facts = site.fred.facts
    assert () == unproven(protocol, OrderKind.TRIP, facts, line_is_ours=True)
    lacking = () if looks else ("expiry=ignored",)
    assert lacking == unproven(protocol, OrderKind.TRIP, facts, line_is_ours=False)
