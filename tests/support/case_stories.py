"""What must be told of a meter before a case about it can go on, as senders tell it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from meterlink.model.payload import time_out
from metersim import Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, document
from tests.support.rules import chain, without

M: Final = f"m{ADDRESS}"
AGREEMENT: Final = "billing:a1"
CASE: Final = "c-1"


class Town(Protocol):
    """Where people ask and senders tell."""

    def now(self) -> datetime:
        """The time there."""

    def number_of(self, meter: str) -> str:
        """The customer number of a meter."""

    async def ask(self, user: str, op: str, **args: Any) -> Mapping[str, Any]:
        """What a local user asks."""

    async def told(self, *records: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Take records in."""


def a_gateway(folder: Any, *, by_policy: bool = False, **more: Any) -> OrderGateway:
    """One remote meter; whose customer has agreed to policies, or not."""
    keys = {ADDRESS: {"agreement": AGREEMENT}} if by_policy else None
    return OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))], keys=keys, **more)


async def warned(gateway: Town) -> None:
    """Everything up to the served notice; no last notice yet."""
    number = gateway.number_of(M)
    kept = without(chain(gateway.now()), "f1")
    await gateway.told(*(document(one.record.body, M, number) for one in kept))


def record(gateway: Town, kind: str, name: str, **fields: Any) -> dict[str, Any]:
    """A record of this moment."""
    return {
        "kind": kind,
        "id": name,
        "sender": "billing",
        "at": time_out(gateway.now()),
        "meter": M,
        **fields,
    }


async def begun(gateway: Town) -> Mapping[str, Any]:
    """A clerk begins a case."""
    return await gateway.ask("clara", "case.create", id=CASE, meter=M, reason="arrears of May")


async def announced(gateway: Town, name: str = "f1") -> None:
    """The last notice goes out."""
    await gateway.told(record(gateway, "final_notice", name, channel="phone"))


async def policy_told(gateway: Town) -> None:
    """A customer agrees, and two persons mean a policy for the area."""
    agreement, policy = agreed(gateway)
    await gateway.told(agreement)
    await gateway.ask("anna", "evidence.add", records=[policy])
    await gateway.ask("both", "evidence.confirm", id="board:v7")


def agreed(gateway: Town, *, overdraft_cents: int = 5_000) -> tuple[dict[str, Any], dict[str, Any]]:
    """An agreement of the customer, and a policy for the area that two persons have to mean."""
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
    return agreement, policy


async def statement(
    gateway: Town, name: str, *, cents: int = -12_000, read_ago: timedelta = timedelta(hours=6)
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


async def case_of(gateway: Town, case_id: str = CASE) -> Mapping[str, Any]:
    """A case as it stands."""
    return await gateway.ask("clara", "case.show", id=case_id)


async def until(gateway: Town, state: str, case_id: str = CASE) -> Mapping[str, Any]:
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
