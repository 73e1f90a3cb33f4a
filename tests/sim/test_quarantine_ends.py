"""What a cap holds is held until somebody decides, or until its order ends; then there is no release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.errors import NotAllowed
from meterlink.journal.reader import JournalReader
from meterlink.model.act import Act, Topic
from meterlink.orders.judging.unheld import Unheld
from metersim import Station
from tests.support.control_bench import a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway

A, B = "000000000161", "000000000162"


async def _held(gateway: OrderGateway) -> list[str]:
    return [one["order"] for one in (await gateway.ask("sam", "control.status"))["held"]]


def _gateway(folder: Path) -> OrderGateway:
    meters = [a_meter(OPEN_TO_ALL, address=name, number=f"000000990{name[-3:]}") for name in (A, B)]
    return OrderGateway(folder, [Station(meter=meter) for meter in meters])


async def _second_of_an_area(gateway: OrderGateway) -> None:
    """A trip of the cap, and one that is beyond it and held."""
    await gateway.up()
    await gateway.told_for_trip(f"m{A}")
    await gateway.trip("a-1", f"m{A}")
    await gateway.until("a-1")
    await gateway.told_for_trip(f"m{B}")
    await gateway.ask("clara", "order.create", order=gateway.order("b-1", "trip", f"m{B}"))
    await gateway.ask("anna", "order.approve", id="b-1")
    await gateway.refused("david", "order.arm", id="b-1")
    assert ["b-1"] == await _held(gateway)


@pytest.mark.parametrize("end", ["payment", "person"])
def test_what_has_ended_is_held_no_more(tmp_path: Path, end: str) -> None:
    """Ended trips would fill the quarantine for ever, and a person release what is over."""
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await _second_of_an_area(gateway)
        if end == "payment":
            await gateway.paid(f"m{B}")
        else:
            await gateway.ask("clara", "order.cancel", id="b-1", reason="not this one")
        assert "cancelled" == (await gateway.ask("clara", "order.show", id="b-1"))["state"]
        assert [] == await _held(gateway)
        error = await gateway.refused("sam", "control.release", id="b-1", reason="looked")
        assert isinstance(error, NotAllowed) and "not_held" == error.why

    async def again() -> None:
        await gateway.up()
        assert [] == await _held(gateway)

    gateway.run(seconds=900, meanwhile=script)
    gateway.run(seconds=60, meanwhile=again)
    with JournalReader(gateway.folder / JOURNAL_FILE) as reader:
        acts = [kept.act for kept in reader.acts_of_subject(Topic.POLICY, "quarantine:b-1")]
    assert [("quarantine", True), ("delete", False)] == [(act.verb, act.is_open) for act in acts]
    assert ["trip"] == gateway.obeyed(A)
    assert [] == gateway.obeyed(B)


def test_what_ended_before_its_end_was_written_is_held_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A journal of before, or a hold written in the very moment of the end, would hold it for ever."""

    async def nothing(*_: Any) -> list[Act]:
        return []

    monkeypatch.setattr(Unheld, "beside", nothing)
    gateway = _gateway(tmp_path)

    async def script() -> None:
        await _second_of_an_area(gateway)
        await gateway.paid(f"m{B}")
        assert [] == await _held(gateway)

    async def again() -> None:
        await gateway.up()
        assert [] == await _held(gateway)

    gateway.run(seconds=900, meanwhile=script)
    gateway.run(seconds=60, meanwhile=again)


def test_what_is_still_held_is_held_behind_a_restart(tmp_path: Path) -> None:
    """A trip beyond the cap would go as soon as somebody restarts the program (decision 24)."""
    gateway = _gateway(tmp_path)

    async def again() -> None:
        await gateway.up()
        assert ["b-1"] == await _held(gateway)

    gateway.run(seconds=900, meanwhile=lambda: _second_of_an_area(gateway))
    gateway.run(seconds=60, meanwhile=again)
