"""What one person tries alone at the control socket: the meters say that nothing came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from metersim import Station
from tests.support.control_bench import ADDRESS, a_meter
from tests.support.order_gateway import OPEN_TO_ALL, OrderGateway, document
from tests.support.rules import DAYS, chain

M = f"m{ADDRESS}"


def a_gateway(tmp_path: Path, **more: Any) -> OrderGateway:
    return OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))], **more)


async def brought(gateway: OrderGateway, user: str, *records: Mapping[str, Any]) -> list[str]:
    """What was said against records that somebody brings; empty: each is kept."""
    answer = await gateway.ask(user, "evidence.add", records=list(records))
    return [one["refused"] for one in answer["records"] if "refused" in one]


def forged(gateway: OrderGateway, sender: str) -> list[dict[str, Any]]:
    """A whole chain of evidence, as if it had happened on the right days."""
    number = gateway.number_of(M)
    bodies = [document(kept.record.body, M, number) for kept in chain(gateway.now())]
    return [{**body, "sender": sender} for body in bodies]


def test_a_chain_of_one_request_cuts_nobody_off(tmp_path: Path) -> None:
    """A clerk would write last week into a file, and a household be dark before it heard of a notice."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        for sender in ("billing", "Billing", "counter"):
            said = await brought(gateway, "clara", *forged(gateway, sender))
            assert 8 == sum(f"may not speak for {sender.lower()}" in one for one in said)
        assert [] == await brought(gateway, "clara", *forged(gateway, "clara"))
        order = gateway.order("t-1", OrderKind.TRIP, M)
        for clerk, rules in (("both", ["CTRL-03", "CTRL-04"]), ("clara", ["CTRL-03", "CTRL-04", "AUD-02"])):
            error = await gateway.refused(clerk, "order.create", order=order)
            assert rules == [rule for rule in ("CTRL-03", "CTRL-04", "AUD-02") if rule in str(error)]

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed()


def test_a_last_notice_counts_from_when_it_was_brought(tmp_path: Path) -> None:
    """The half hour in which somebody can still pay would be over before it began (CTRL-06)."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.up()
        await gateway.told(*(one for one in forged(gateway, "billing") if one["kind"] != "final_notice"))
        (final,) = (one for one in forged(gateway, "both") if one["kind"] == "final_notice")
        assert [] == await brought(gateway, "both", final)
        await gateway.ask("clara", "order.create", order=gateway.order("t-1", OrderKind.TRIP, M))
        await gateway.ask("anna", "order.approve", id="t-1")
        assert "CTRL-06" in str(await gateway.refused("david", "order.arm", id="t-1"))

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed()


def test_a_consent_of_the_clerk_starts_no_machine(tmp_path: Path) -> None:
    """One person would let current return behind a door where somebody works (CTRL-15)."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        at = time_out(gateway.now())
        consent = {"kind": "consent", "id": "c1", "sender": "both", "at": at, "meter": M, "form": "written"}
        statement = {"kind": "balance_statement", "id": "b9", "sender": "both", "at": at, "meter": M}
        assert [] == await brought(gateway, "both", consent, {**statement, "balance_cents": 0})
        direct = gateway.order("c-1", OrderKind.DIRECT_CLOSE, M)
        assert "AUD-02" in str(await gateway.refused("both", "order.create", order=direct))
        await gateway.ask("both", "order.create", order=gateway.order("c-2", OrderKind.PERMIT_CLOSE, M))
        assert "AUD-02" in str(await gateway.refused("both", "order.arm", id="c-2"))

    gateway.run(seconds=120, meanwhile=script)
    assert ["trip"] == gateway.obeyed()


def test_a_payment_and_a_consent_of_one_clerk_leave_the_last_step_to_the_customer(tmp_path: Path) -> None:
    """A clerk alone would make a payment up, and with it a closing that asks nobody (CTRL-15)."""
    gateway = a_gateway(tmp_path)

    async def script() -> None:
        await gateway.cut_off(M)
        own = {"sender": "clara", "at": time_out(gateway.now()), "meter": M}
        consent = {"kind": "consent", "id": "c1", "form": "written", **own}
        payment = {"kind": "payment", "id": "p1", "amount_cents": 12_000, "settles": True, **own}
        assert [] == await brought(gateway, "clara", consent)
        (told,) = (await gateway.ask("clara", "evidence.add", records=[payment]))["records"]
        assert "permit_close" == (await gateway.until(told["orders"][0], "waiting_for_key"))["kind"]

    gateway.run(seconds=120, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def with_people(gateway: OrderGateway, *people: str) -> OrderGateway:
    """A gateway in whose file of people these stand, too."""
    path = gateway.folder / "people.toml"
    path.write_text(path.read_text() + "".join(f"\n[[people]]\n{person}\n" for person in people))
    return gateway


async def agreed_beyond_the_cap(gateway: OrderGateway) -> None:
    """A trip, a payment, a reconnection; and a second trip of that day, approved, to be operated."""
    await gateway.cut_off(M)
    (close,) = (await gateway.paid(M))["orders"]
    await gateway.until(close, "waiting_for_key")
    gateway.press_key()
    assert "done" == (await gateway.until(close))["state"]
    await asyncio.sleep(1)
    owed = {
        "kind": "balance_statement",
        "id": "b2",
        "sender": "billing",
        "meter": M,
        "balance_cents": -12_000,
    }
    overdue_since = time_out(gateway.now() - DAYS[60])
    await gateway.told({**owed, "at": time_out(gateway.now()), "overdue_since": overdue_since})
    await gateway.ask("clara", "order.create", order=gateway.order("t-2", OrderKind.TRIP, M))
    await gateway.ask("anna", "order.approve", id="t-2")


def test_nobody_releases_what_he_had_a_hand_in(tmp_path: Path) -> None:
    """A dispatcher with a second post would lift the cap that stopped him, and go on (CAP-01)."""
    gateway = with_people(a_gateway(tmp_path), 'name = "max"\nroles = ["dispatcher", "security"]')

    async def script() -> None:
        await agreed_beyond_the_cap(gateway)
        assert "CAP-01" in str(await gateway.refused("max", "order.arm", id="t-2"))
        assert "had a hand" in str(await gateway.refused("max", "control.release", id="t-2", reason="x"))
        await gateway.ask("sam", "control.release", id="t-2", reason="looked at")
        await gateway.ask("david", "order.arm", id="t-2")

    gateway.run(seconds=1800, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()


def test_nobody_operates_what_he_has_released(tmp_path: Path) -> None:
    """Who lets a trip go beyond the cap would send it as well, and nobody else have looked (CAP-01)."""
    gateway = with_people(a_gateway(tmp_path), 'name = "max"\nroles = ["dispatcher", "security"]')

    async def script() -> None:
        await agreed_beyond_the_cap(gateway)
        assert "CAP-01" in str(await gateway.refused("david", "order.arm", id="t-2"))
        await gateway.ask("max", "control.release", id="t-2", reason="looked at")
        assert "AUD-02" in str(await gateway.refused("max", "order.arm", id="t-2"))
        await gateway.ask("david", "order.arm", id="t-2")

    gateway.run(seconds=1800, meanwhile=script)
    assert ["trip", "permit_close"] == gateway.obeyed()
