"""A contact that stands open already is moved by no trip, and a meter that moves nothing records nothing."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from meterlink.orders.qualifying.qualified import WITHDRAWN
from metersim import Station
from metersim.dlt645 import relay
from tests.support.at_the_meter import AtTheMeter
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, document
from tests.support.rules import chain

M = f"m{ADDRESS}"


def _gateway(folder: Path) -> OrderGateway:
    return OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))], proved=None)


async def _standing(gateway: OrderGateway) -> int:
    """How many models are qualified."""
    return len((await gateway.ask("fred", "qualify.list"))["models"])


async def _withdrawn(gateway: OrderGateway) -> list[str]:
    alarms: list[Mapping[str, Any]] = (await gateway.ask("david", "alarm.list"))["alarms"]
    return [one["value"] for one in alarms if one["rule"] == WITHDRAWN]


async def _told_anew(gateway: OrderGateway) -> None:
    """Everything that must have happened before the same household is cut off once more."""
    for kept in chain(gateway.now()):
        record = document(kept.record.body, M, gateway.number_of(M))
        names = {key: f"again-{record[key]}" for key in record if key in ("id", "of")}
        await gateway.told({**record, **names})


def test_a_trip_over_a_permit_whose_key_nobody_pressed_proves_nothing_against_its_model(
    tmp_path: Path,
) -> None:
    """One customer who never pressed his key would leave everybody of the model in the dark."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await AtTheMeter(gateway).qualify(M)
        await gateway.cut_off(M)
        (close,) = (await gateway.paid(M))["orders"]
        await gateway.until(close, "waiting_for_key")
        assert not (await gateway.until(close))["is_open"]
        await _told_anew(gateway)
        await gateway.trip("t-2", M)
        ended = await gateway.until("t-2")
        assert ("done", "silent") == (ended["state"], ended["steps"][-1]["body"]["inputs"]["record"])
        assert (1, []) == (await _standing(gateway), await _withdrawn(gateway))
        (close,) = (await gateway.paid(M, "p2"))["orders"]
        assert "waiting_for_key" == (await gateway.until(close, "waiting_for_key", "refused"))["state"]

    gateway.run(seconds=28 * 3600, meanwhile=script)
    assert ["trip", "permit_close", "trip", "permit_close"] == gateway.obeyed()[-4:]


def test_a_model_that_is_qualified_again_stays_qualified_meanwhile(tmp_path: Path) -> None:
    """A probe trips over the permit that a guarantee left: all other meters would be refused their orders."""
    gateway = _gateway(tmp_path)
    seen: list[int] = []

    async def look() -> None:
        while True:
            await asyncio.sleep(1)
            seen.append(await _standing(gateway))

    async def script() -> None:
        await AtTheMeter(gateway).qualify(M)
        looking = asyncio.ensure_future(look())
        again = AtTheMeter(gateway)
        await again.qualify(M)
        looking.cancel()
        assert "qualified" == again.walk["result"]
        assert "trip_for_permit" in again.confirmed
        assert [] == await _withdrawn(gateway)

    gateway.run(seconds=3600, meanwhile=script)
    assert {1} == set(seen)


def test_a_contact_that_moved_and_is_told_in_no_record_takes_the_model_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A model that counts its moves no longer would go on being believed by its counts."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await AtTheMeter(gateway).qualify(M)
        await gateway.told_for_trip(M)
        # From now on the meter tells of no record any more, as another firmware would.
        monkeypatch.setattr(relay, "_COUNT", re.compile("(?!)").fullmatch)
        monkeypatch.setattr(relay, "_RECORD", re.compile("(?!)").fullmatch)
        gateway.meters[ADDRESS].works.switch.press_key(gateway.now())
        await gateway.trip("t-1", M)
        ended = await gateway.until("t-1")
        assert ("done", "silent") == (ended["state"], ended["steps"][-1]["body"]["inputs"]["record"])
        (why,) = await _withdrawn(gateway)
        assert why.endswith("record_missing")
        assert 0 == await _standing(gateway)

    gateway.run(seconds=3600, meanwhile=script)
