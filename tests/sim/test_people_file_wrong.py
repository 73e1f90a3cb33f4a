"""The file of people is wrong: nobody is cut off, and who wants to stop that or to pay is heard."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from meterlink.errors import NotAllowed
from meterlink.model.payload import time_out
from tests.support.case_stories import M, a_gateway, announced, policy_told, statement, warned
from tests.support.order_gateway import HOLIDAYS, OrderGateway, one_meter


def slip(folder: Path) -> str:
    """Somebody's slip of the pen; what the file said before."""
    path = folder / "people.toml"
    before = path.read_text(encoding="utf-8")
    path.write_text(before + "\n[[people]\n", encoding="utf-8")
    return before


async def added(gateway: OrderGateway, **record: Any) -> Mapping[str, Any]:
    told = {"sender": "billing", "at": time_out(gateway.now()), "meter": M, **record}
    answer = await gateway.ask("billing", "evidence.add", records=[told])
    found: Mapping[str, Any] = answer["records"][0]
    return found


def test_no_trip_goes_by_policy_while_nobody_can_be_asked(tmp_path: Path) -> None:
    """All trips by policy would go on for as long as nobody can stop them (CTRL-10)."""
    gateway = a_gateway(tmp_path, by_policy=True)

    async def script() -> None:
        await gateway.up()
        await warned(gateway)
        await policy_told(gateway)
        await statement(gateway, "b7")
        await announced(gateway)
        await asyncio.sleep(60)
        before = slip(tmp_path)
        await asyncio.sleep(3600)
        assert [] == gateway.obeyed()
        (tmp_path / "people.toml").write_text(before, encoding="utf-8")
        await asyncio.sleep(1800)

    gateway.run(seconds=7000, meanwhile=script)
    assert ["trip"] == gateway.obeyed(), "it only waited"


def test_to_stop_and_to_pay_stay_possible(tmp_path: Path) -> None:
    """A payer would stay in the dark, and nobody could throw the switch, for a bracket (CTRL-10, CTRL-16)."""
    gateway = one_meter(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        slip(tmp_path)
        for op, args in (("order.list", {}), ("control.resume", {"reason": "calm"})):
            assert isinstance(await gateway.refused("sam", op, **args), NotAllowed)
        assert isinstance(await gateway.refused("mallory", "control.stop", reason="fun"), NotAllowed)
        assert "clara" == (await gateway.ask("clara", "control.stop", reason="wrong houses"))["stopped_by"]
        owes = await added(gateway, kind="balance_statement", id="b9", balance_cents=-1)
        assert "people.toml" in owes["refused"]
        lifted = await added(gateway, kind="dispute", id="d1", dispute="d", state="rejected")
        assert "people.toml" in lifted["refused"]
        assert (await added(gateway, kind="dispute", id="d2", dispute="d", state="opened"))["is_new"]
        paid = await added(gateway, kind="payment", id="p1", amount_cents=12_000, settles=True)
        assert 1 == len(paid["orders"])

    gateway.run(seconds=60, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


@pytest.mark.parametrize("kind", ["trip", "permit_close"])
def test_a_start_with_a_wrong_file_reads_meters_and_sends_nothing(tmp_path: Path, kind: str) -> None:
    """A plant would go unread for a bracket; or an order go while nobody is known (AUD-01)."""
    gateway = a_gateway(tmp_path, by_policy=kind == "trip")

    async def ordered() -> None:
        await gateway.up()
        if kind == "permit_close":
            await gateway.cut_off(M)
            gateway.unplug()
            await gateway.paid(M)
        else:
            await warned(gateway)
            await policy_told(gateway)
            await statement(gateway, "b7")
            await announced(gateway)

    async def wrong() -> None:
        await gateway.up()
        for user, op in (("clara", "order.list"), ("sam", "control.stop"), ("billing", "evidence.add")):
            error = await gateway.refused(user, op)
            assert isinstance(error, NotAllowed) and "people.toml: not TOML" in str(error)
        await asyncio.sleep(3600 if kind == "trip" else 900)
        assert before == gateway.obeyed()
        repaired = (tmp_path / "people.toml").with_suffix(".new")
        repaired.write_text(right, encoding="utf-8")
        repaired.replace(tmp_path / "people.toml")
        await asyncio.sleep(1800)

    gateway.run(seconds=60, meanwhile=ordered)
    gateway.plugged = True
    before, right, rows = gateway.obeyed(), slip(tmp_path), len(gateway.rows())
    with capture_logs() as logs:
        gateway.run(seconds=6000, meanwhile=wrong)
    assert [*before, kind] == gateway.obeyed(), "it only waited"
    assert len(gateway.rows()) > rows, "the meters are read meanwhile"
    told = [one["event"] for one in logs if str(one["event"]).startswith("people_")]
    assert ["people_wrong", "people_changed"] == told


def test_a_wrong_file_of_holidays_stops_trips_alone(tmp_path: Path) -> None:
    """A plant would go unread for a date; or somebody be cut off on a holiday (CTRL-09)."""
    gateway = one_meter(tmp_path)

    async def ordered() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("clara", "order.create", order=gateway.order("t-1", "trip", M))

    async def wrong() -> None:
        await gateway.up()
        assert "CTRL-09" in str(await gateway.refused("anna", "order.approve", id="t-1"))
        alarm = gateway.order("a-1", "alarm_on", M)
        await gateway.ask("clara", "order.create", order=alarm)
        await gateway.operated("a-1")
        assert "done" == (await gateway.until("a-1"))["state"]
        await asyncio.sleep(900)
        (tmp_path / "holidays.toml").write_text(HOLIDAYS, encoding="utf-8")
        await gateway.ask("anna", "order.approve", id="t-1")

    gateway.run(seconds=60, meanwhile=ordered)
    (tmp_path / "holidays.toml").write_text("first_day = soon\n", encoding="utf-8")
    rows = len(gateway.rows())
    with capture_logs() as logs:
        gateway.run(seconds=1000, meanwhile=wrong)
    assert ["alarm_on"] == gateway.obeyed()
    told = [one["event"] for one in logs if str(one["event"]).startswith("holidays_")]
    assert ["holidays_wrong", "holidays_changed"] == told
    assert len(gateway.rows()) > rows
