"""A meter that met a wrong MAC gets no more orders until a person says so: it counts, and locks itself."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from meterlink.drivers.control import Cause
from meterlink.drivers.proving import Plain
from meterlink.errors import NotAllowed, NotEntitled
from meterlink.model.act import Act
from meterlink.model.order import OrderKind, OrderState
from meterlink.orders.dispatch.mac_guard import MacGuard
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import Actor, Role
from meterlink.security.latch import MacLatch
from metersim import Meter, Station
from metersim.works.cost_control import REMOTE, Words
from tests.support.control_bench import PASSWORD
from tests.support.lab_provider import LabSecurity
from tests.support.order_bench import OrderBench

METER = "m000000000161"
SAM = Actor(name="sam", roles=frozenset({Role.SECURITY}))
CLARA = Actor(name="clara", roles=frozenset({Role.CLERK}))


class _OtherKeys(LabSecurity):
    """A provider whose key of control is not the meter's, as after a key update that went wrong."""

    def __init__(self) -> None:
        super().__init__()
        self.proofs = 0

    async def control645(self, ctx: str, *, rand2: bytes, n1: int, n2: int, expiry: datetime) -> bytes:
        self.proofs += 1
        block = await super().control645(ctx, rand2=rand2, n1=n1, n2=n2, expiry=expiry)
        return block[:-1] + bytes([block[-1] ^ 1])


def _bench(folder: Path, words: Words = "always") -> tuple[OrderBench, _OtherKeys]:
    provider = _OtherKeys()
    meter = Meter("000000000161", seed=7, control=replace(REMOTE, words=words))
    return OrderBench(folder, Station(meter=meter), security=lambda: provider), provider


@pytest.mark.parametrize(("words", "cause"), [("always", Cause.MAC), ("never", Cause.POSSIBLY_MAC)])
def test_the_first_wrong_mac_shuts_the_meter_for_every_later_order(
    tmp_path: Path, words: Words, cause: Cause
) -> None:
    """Order after order would be proved wrongly, until the meter locks itself: nobody could reconnect.

    Most meters say 04H of it, as of everything else.
    """
    bench, provider = _bench(tmp_path, words)

    async def work() -> None:
        first = await bench.carry_out(bench.order(OrderKind.TRIP))
        second = await bench.carry_out(bench.order(OrderKind.PERMIT_CLOSE, id="o-2"))
        assert [OrderState.REJECTED, OrderState.REFUSED] == [first.state, second.state]
        assert first.sent is not None
        assert first.sent.answer is not None
        assert (cause, False) == (first.sent.answer.cause, first.may_repeat)
        guard = MacGuard(bench.book.acts, bench.sim.clock)
        assert [METER] == await guard.shut_meters()

    bench.run(work)
    assert 1 == provider.proofs
    assert [] == bench.obeyed()


def test_a_refusal_under_a_password_shuts_nothing(tmp_path: Path) -> None:
    """No MAC goes with it: a meter that takes no plain trips would get no reconnection either."""
    plain = Plain(level=2, password=lambda: PASSWORD)
    meter = Meter("000000000161", seed=7, control=REMOTE, passwords={2: PASSWORD})
    bench = OrderBench(tmp_path, Station(meter=meter), security=lambda: plain)

    async def work() -> None:
        assert OrderState.REJECTED is (await bench.carry_out(bench.order(OrderKind.TRIP))).state
        assert [] == await MacGuard(bench.book.acts, bench.sim.clock).shut_meters()

    bench.run(work)


def test_a_meter_stays_shut_over_a_restart_until_a_security_officer_unlocks_it(tmp_path: Path) -> None:
    """A crash would be a way round the latch; and whoever creates orders could unlock what he wants."""
    bench, provider = _bench(tmp_path)
    bench.run(lambda: bench.carry_out(bench.order(OrderKind.TRIP)))

    async def later() -> None:
        guard = MacGuard(bench.book.acts, bench.sim.clock)
        refused = await bench.carry_out(bench.order(OrderKind.TRIP, id="o-2"))
        assert OrderState.REFUSED is refused.state
        with pytest.raises(NotEntitled):
            await guard.unlock(METER, CLARA, "I want to")
        with pytest.raises(ValueError, match="1 to 200"):
            await guard.unlock(METER, SAM, " ")
        await guard.unlock(METER, SAM, "keys were updated")
        with pytest.raises(NotAllowed, match="not shut"):
            await guard.unlock(METER, SAM, "once more")
        again = await bench.carry_out(bench.order(OrderKind.TRIP, id="o-3"))
        assert OrderState.REJECTED is again.state
        assert [METER] == await guard.shut_meters()

    bench.run(later)
    assert 2 == provider.proofs


class _WhileProving(LabSecurity):
    """A provider during whose work the meter is shut, as by what another program of ours met there."""

    bench: OrderBench

    async def control645(self, ctx: str, *, rand2: bytes, n1: int, n2: int, expiry: datetime) -> bytes:
        shut = MacLatch(meter=METER).shut(at=self.bench.sim.clock.utc_now(), order="o-9", code="mac")
        await self.bench.book.acts.append(shut)
        return await super().control645(ctx, rand2=rand2, n1=n1, n2=n2, expiry=expiry)


def test_a_meter_that_is_shut_while_an_order_is_proved_gets_nothing(tmp_path: Path) -> None:
    """The latch would be asked before the proof, which takes seconds, and never again."""
    provider = _WhileProving()
    meter = Meter(METER.removeprefix("m"), seed=7, control=REMOTE)
    bench = provider.bench = OrderBench(tmp_path, Station(meter=meter), security=lambda: provider)

    async def work() -> None:
        life = await bench.carry_out(bench.order(OrderKind.TRIP))
        assert OrderState.REFUSED is life.state

    bench.run(work)
    assert [] == bench.obeyed()


class _ShutAtItsEnd:
    """Shuts the meter with the step by which an order is taken, as what another task met there."""

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        if act.verb != Signal.ACCEPT:
            return ()
        return (MacLatch(meter=METER).shut(at=act.at, order="reconciliation", code="mac"),)

    def kept(self, acts: Iterable[Act]) -> None:
        """Nothing is to be taken up."""


def test_what_needs_no_proof_goes_on_at_a_meter_that_is_shut(tmp_path: Path) -> None:
    """Nobody could see whether a trip was obeyed whose meter was shut behind it."""
    meter = Meter(METER.removeprefix("m"), seed=7, control=REMOTE)
    bench = OrderBench(tmp_path, Station(meter=meter))

    async def work() -> None:
        bench.book.companions.append(_ShutAtItsEnd())
        life = await bench.carry_out(bench.order(OrderKind.TRIP))
        assert OrderState.DONE is life.state
        assert [METER] == await MacGuard(bench.book.acts, bench.sim.clock).shut_meters()

    bench.run(work)
