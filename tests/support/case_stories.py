"""What must be told of a meter before a case about it can go on, as senders tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from meterlink.model.payload import time_out
from metersim import Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, document
from tests.support.rules import chain, without

M: Final = f"m{ADDRESS}"
AGREEMENT: Final = "billing:a1"
CASE: Final = "c-1"


def a_gateway(folder: Any, *, by_policy: bool = False, **more: Any) -> OrderGateway:
    """One remote meter; whose customer has agreed to policies, or not."""
    keys = {ADDRESS: {"agreement": AGREEMENT}} if by_policy else None
    return OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))], keys=keys, **more)


async def warned(gateway: OrderGateway) -> None:
    """Everything up to the served notice; no last notice yet."""
    number = gateway.number_of(M)
    kept = without(chain(gateway.now()), "f1")
    await gateway.told(*(document(one.record.body, M, number) for one in kept))


def record(gateway: OrderGateway, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    """A record of this moment."""
    return {
        "kind": kind,
        "id": name,
        "sender": "billing",
        "at": time_out(gateway.now()),
        "meter": M,
        **fields,
    }


async def begun(gateway: OrderGateway) -> Mapping[str, Any]:
    """A clerk begins a case."""
    return await gateway.ask("clara", "case.create", id=CASE, meter=M, reason="arrears of May")


async def announced(gateway: OrderGateway, name: str = "f1") -> None:
    """The last notice goes out."""
    await gateway.told(record(gateway, "final_notice", name, channel="phone"))


async def policy_told(gateway: OrderGateway, *, overdraft_cents: int = 5_000) -> None:
    """A customer agrees, and two persons mean a policy for the area."""
    until = time_out(gateway.now() + timedelta(days=90))
    agreement = record(
        gateway, "agreement", "a1", automatic_trips=True, overdraft_cents=overdraft_cents, until=until
    )
    policy = {
        "kind": "policy",
        "id": "v7",
        "sender": "board",
        "at": time_out(gateway.now()),
        "areas": ["east"],
        "until": until,
    }
    await gateway.told(agreement)
    assert "refused" not in (await gateway.ask("anna", "evidence.add", records=[policy]))["records"][0]
    await gateway.ask("both", "evidence.confirm", id="board:v7")


async def statement(
    gateway: OrderGateway, name: str, *, cents: int = -12_000, read_ago: timedelta = timedelta(hours=6)
) -> Mapping[str, Any]:
    """How the account of a prepaying customer stands, by readings of so long ago."""
    told = record(
        gateway,
        "balance_statement",
        name,
        balance_cents=cents,
        readings_until=time_out(gateway.now() - read_ago),
    )
    return (await gateway.told(told))[0]


async def case_of(gateway: OrderGateway, case_id: str = CASE) -> Mapping[str, Any]:
    """A case as it stands."""
    return await gateway.ask("clara", "case.show", id=case_id)


async def until(gateway: OrderGateway, state: str, case_id: str = CASE) -> Mapping[str, Any]:
    """A case, once it stands so."""
    for _ in range(2_000):
        case = await case_of(gateway, case_id)
        if case["state"] == state:
            return case
        await asyncio.sleep(10)
    raise AssertionError(f"the case is {case['state']}, not {state}: {case['waits_for']}")


def verbs(case: Mapping[str, Any]) -> list[str]:
    """The verbs of its steps."""
    return [step["verb"] for step in case["steps"]]


def trips(orders: Sequence[Mapping[str, Any]]) -> list[str]:
    """The cases that trips name."""
    return [order["case"] for order in orders if order["kind"] == "trip"]
