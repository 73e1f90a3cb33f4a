"""Orders for a meter behind a concentrator of DL/T 698.45, at the driver: what the meter obeyed, it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, TypeVar

import pytest

from meterlink.bus.queue import Priority
from meterlink.drivers.control import ControlAnswer, Verdict
from meterlink.model.order import OrderKind
from metersim import Line, Station
from metersim.terminals.plan import CARRIER, ConcentratorPlan
from metersim.terminals.port import Route
from metersim.terminals.ways import Ways
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.apdus.proxy import ProxyTransCommandResponse
from tests.support.behind698 import HeadEnd, Meddler
from tests.support.concentrator import ADDRESS as TERMINAL
from tests.support.concentrator import SELDOM
from tests.support.control_bench import PASSWORD as PASSWORD_645
from tests.support.control_bench import ControlBench, a_meter
from tests.support.order_gateway import OPEN_TO_ALL
from tests.support.ordered698 import PASSWORD as PASSWORD_698
from tests.support.ordered698 import Ordered, local, plain

T = TypeVar("T")
SWITCHING = [kind for kind in OrderKind if kind is not OrderKind.TOP_UP]


class _Behind:
    """A bench of orders whose meter stands behind a concentrator."""

    def __init__(self, bench: Any, meter: Any, security: Any) -> None:
        self.bench, self.meter, self.security = bench, meter, security
        line = Line([Station(meter=meter)], clock=bench.sim.clock)
        plan = ConcentratorPlan(address=TERMINAL, carrier=Route(), ways=Ways(call=SELDOM))
        concentrator = plan.build({CARRIER: line}, clock=bench.sim.clock)
        concentrator.collector.tasks.clear()
        world: Any = SimpleNamespace(sim=bench.sim, concentrator=concentrator, meters={})
        self.head = HeadEnd(world)

    def run(self, story: Callable[[Any], Awaitable[T]]) -> T:
        """Something on the held line, with the control driver through the concentrator."""

        async def body() -> T:
            profile = self.meter.profile if hasattr(self.meter, "profile") else self.bench.profile
            driver = self.head.concentrator.control_around(self.bench.driver, profile)
            async with self.head.line.hold(priority=Priority.CONTROL) as held:
                return await story(SimpleNamespace(driver=driver, line=held))

        return self.head.run(body)

    def order(self, kind: OrderKind) -> ControlAnswer:
        async def story(here: Any) -> ControlAnswer:
            command = self.bench.command(kind)
            prepared = await here.driver.prepare(here.line, self.meter.address, command, self.security)
            assert 64 == len(prepared.frame_hash)
            answer: ControlAnswer = await here.driver.send(here.line, prepared)
            await here.driver.finish(here.line, prepared)
            return answer

        return self.run(story)

    @property
    def obeyed(self) -> list[str]:
        return [one.kind for one in self.meter.works.memory.controls]


def _of_698(**more: Any) -> _Behind:
    bench = Ordered(**more)
    return _Behind(bench, bench.meter, bench.lab)


def _of_645() -> _Behind:
    bench = ControlBench(a_meter())
    return _Behind(bench, bench.meter, bench.security)


@pytest.mark.parametrize("kind", SWITCHING)
@pytest.mark.parametrize("make", [_of_698, _of_645], ids=["698", "645"])
def test_each_order_is_obeyed_once(make: Callable[[], _Behind], kind: OrderKind) -> None:
    """What the provider proved must come to the meter as it is, through the concentrator, and once."""
    here = make()
    assert Verdict.ACCEPTED is here.order(kind).verdict
    assert [kind.value] == here.obeyed
    assert {"ProxyTransCommandRequest"} == set(here.head.asked()), "in no words of the concentrator's"


def test_a_top_up_is_credited_once() -> None:
    """Money would go to nobody, or twice."""
    bench = local()
    here = _Behind(bench, bench.meter, bench.lab)
    assert Verdict.ACCEPTED is here.order(OrderKind.TOP_UP).verdict
    assert 1 == here.obeyed.count("top_up")


def test_who_is_there_and_how_it_stands() -> None:
    """An order would go to a meter that nobody looked at."""
    here = _of_698()

    async def story(at: Any) -> Any:
        identity = await at.driver.identity(at.line, here.meter.address)
        standing = await at.driver.standing(at.line, here.meter.address)
        clock = await at.driver.clock(at.line, here.meter.address)
        return identity, standing, clock

    identity, standing, clock = here.run(story)
    assert here.meter.address == identity.address
    assert standing.contact_open is False
    assert clock is not None


@pytest.mark.parametrize("dar", [2, 15, 33, 255])
def test_a_concentrator_that_says_no_tells_nothing_of_the_meter(dar: int) -> None:
    """The meter obeyed, its answer was lost: who takes a DAR for the meter's word sends another order."""
    here = _of_645()
    armed: list[bool] = []

    def no(apdu: Any) -> list[tuple[float, Any]]:
        if armed and isinstance(apdu, ProxyTransCommandResponse):
            apdu = replace(apdu, result=Dar(dar))
        return [(0.0, apdu)]

    here.head.between = lambda duplex: Meddler(duplex, no)

    async def story(at: Any) -> ControlAnswer:
        command = here.bench.command(OrderKind.TRIP)
        prepared = await at.driver.prepare(at.line, here.meter.address, command, here.security)
        armed.append(True)
        before = len(here.head.requests)
        answer: ControlAnswer = await at.driver.send(at.line, prepared)
        assert before + 1 == len(here.head.requests), "it left once"
        return answer

    assert Verdict.NONE is here.run(story).verdict
    assert ["trip"] == here.obeyed


def _on_the_wire(here: _Behind) -> bytes:
    return b"".join(entry.octets for entry in here.head.trace)


def test_no_password_of_a_698_meter_stands_in_the_trace() -> None:
    """Whoever reads the trace of a concentrator could switch its meters."""
    bench = Ordered(enforced=False)
    here = _Behind(bench, bench.meter, plain())
    assert Verdict.ACCEPTED is here.order(OrderKind.TRIP).verdict
    assert bytes.fromhex("0907") in _on_the_wire(here), "the requests are there"
    assert PASSWORD_698.encode() not in _on_the_wire(here)


def test_no_password_of_a_645_meter_stands_in_the_trace() -> None:
    """The same, masked with 33H as its frames are."""
    bench = ControlBench(a_meter(OPEN_TO_ALL))
    here = _Behind(bench, bench.meter, bench.plain())
    assert Verdict.ACCEPTED is here.order(OrderKind.TRIP).verdict
    octets = bytes.fromhex(PASSWORD_645)
    assert bytes.fromhex("0907") in _on_the_wire(here)
    for written in (octets, octets[::-1]):
        assert written not in _on_the_wire(here)
        assert bytes((octet + 0x33) & 0xFF for octet in written) not in _on_the_wire(here)
