"""A customer's number is put right, or the meter gets another customer: what was told follows, or not."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import pytest

from meterlink.errors import MeterlinkError
from meterlink.roster.saying import Saying
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import OrderGateway, one_meter

METER: Final = f"m{ADDRESS}"


def _renumbered(gateway: OrderGateway, saying: Saying) -> None:
    keys = {**gateway.meter_keys[ADDRESS], "customer_number": "000077777777"}
    gateway.meter_keys = {**gateway.meter_keys, ADDRESS: keys}
    gateway.apply_roster(saying)


@pytest.mark.parametrize("saying", [Saying.CORRECTED, Saying.NEW_CUSTOMERS])
def test_who_is_protected_stays_so_when_his_number_is_put_right(tmp_path: Path, saying: Saying) -> None:
    """Somebody on life support would be cut off because a clerk mended a slip of the pen."""
    gateway = one_meter(tmp_path)

    async def protect() -> None:
        await gateway.up()
        await gateway.told_of_life_support(meter=METER)

    async def trip() -> None:
        await gateway.up()
        await gateway.told_for_trip(METER)
        if saying is Saying.CORRECTED:
            with pytest.raises(MeterlinkError, match="CTRL-08"):
                await gateway.trip("t-1", METER)
        else:
            await gateway.trip("t-1", METER)
            await gateway.until("t-1")

    gateway.run(seconds=60, meanwhile=protect)
    _renumbered(gateway, saying)
    gateway.run(seconds=200, meanwhile=trip)
    assert ([] if saying is Saying.CORRECTED else ["trip"]) == gateway.obeyed()


@pytest.mark.parametrize("saying", [Saying.CORRECTED, Saying.NEW_CUSTOMERS])
def test_the_clocks_of_who_has_paid_go_on_under_his_right_number(tmp_path: Path, saying: Saying) -> None:
    """A family that has paid would stay in the dark, and nobody be told of it."""
    gateway = one_meter(tmp_path)
    told: list[str] = []

    async def pay() -> None:
        await gateway.cut_off(METER)
        gateway.unplug()
        await gateway.paid(METER)

    async def wait() -> None:
        await gateway.up()
        await asyncio.sleep(400)
        told.extend(
            one["rule"] for one in (await gateway.ask("david", "alarm.list", only_open=True))["alarms"]
        )

    gateway.run(seconds=100, meanwhile=pay)
    _renumbered(gateway, saying)
    gateway.run(seconds=450, meanwhile=wait)
    assert "RECONNECT_LATE_1" in told, "whoever lives there now waits too"
    assert (saying is Saying.NEW_CUSTOMERS) is ("CUT_OFF_ANOTHER" in told)
