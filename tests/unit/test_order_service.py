"""What people may ask of orders: roles, idempotency, what is written down of a no, and how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from meterlink.daemon.order_requests import OrderRequests
from meterlink.drivers.control import Cause
from meterlink.drivers.control import Verdict as Answered
from meterlink.errors import BadRequest, BusFull, NotAllowed, OrderClash, Unknown
from meterlink.journal.journal import Journal
from meterlink.model.act import KeptAct, Topic
from meterlink.model.order import Order, OrderKind, OrderState
from meterlink.orders import service as services
from meterlink.orders.access import Accesses
from meterlink.orders.book import Book
from meterlink.orders.judging.judge import Stopped
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.people import DAEMON, Actor
from meterlink.orders.rules import Live, OnStop, Stage, Verdict
from meterlink.orders.service import OrderService
from meterlink.roster.roster import Roster
from tests.support.orders import NOON, answered, order, transmission
from tests.support.rules import APPROVER, BILLING, CLERK, DISPATCHER, FIELD, METER

pytestmark = pytest.mark.asyncio


class _Noon:
    """A clock that stands until somebody moves it."""

    def __init__(self) -> None:
        self.at = NOON

    def utc_now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return 0.0


class Rules:
    """Rules that stop at some stages.

    Attributes:
        stops: by stage, what becomes of the order.
        held: orders that were kept back.
        may_go_on: every judgement waits for it.

    """

    def __init__(self) -> None:
        self.stops: dict[Stage, OnStop] = {}
        self.held: list[str] = []
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def judge(
        self, stage: Stage, order: Order, life: Life | None, actor: Actor, live: Live | None = None
    ) -> Sequence[Verdict]:
        await self.may_go_on.wait()
        stop = self.stops.get(stage)
        on_stop = stop or OnStop.REFUSE
        return [
            Verdict(rule="CTRL-99", passed=stop is None, inputs={}, en="because", zh="因为", on_stop=on_stop)
        ]

    async def hold(self, life: Life, actor: Actor, verdicts: Sequence[Verdict]) -> bool:
        self.held.append(life.order.id)
        return True


class Office:
    """A service over a real log."""

    def __init__(self, journal: Journal) -> None:
        self.clock = clock = _Noon()
        self.journal = journal
        self.rules = Rules()
        self.book = Book(journal.acts, clock)
        self.service = OrderService(
            self.book,
            self.rules,
            self.rules,
            roster=Roster((METER,)),
            accesses=Accesses(journal.acts, clock),
            clock=clock,
        )

    async def refusals(self) -> list[KeptAct]:
        """What was asked for and not granted."""
        return await self.journal.acts.of_subject(Topic.ACCESS, "2026-11-24")


@asynccontextmanager
async def an_office(tmp_path: Path) -> AsyncIterator[Office]:
    async with Journal.open(tmp_path / "journal.sqlite3", clock=_Noon()) as journal:
        yield Office(journal)


async def test_the_same_order_again_is_the_same_order(tmp_path: Path) -> None:
    """A caller who got no answer and asks again would make a second order."""
    async with an_office(tmp_path) as office:
        first = await office.service.create(CLERK, order())
        assert first == await office.service.create(CLERK, order())
        with pytest.raises(OrderClash):
            await office.service.create(CLERK, order(reason="another"))
        assert 1 == first.step


async def test_the_same_minutes_again_are_the_same_order(tmp_path: Path) -> None:
    """A line of a terminal that got no answer would clash with itself a second later."""
    asked = order(OrderKind.ALARM_ON)
    given = {"id": asked.id, **asked.body}
    del given["deadline_at"], given["origin"]
    async with an_office(tmp_path) as office:
        table = OrderRequests(office.service, office.book, office.clock).table
        create, rehearse = table["order.create"], table["order.dry_run"]
        first = await create(CLERK, {"order": given, "within_min": 60})
        assert "2026-11-24T05:00:00Z" == first["deadline_at"], "an hour behind noon"
        office.clock.at += timedelta(minutes=7)
        assert first == await create(CLERK, {"order": given, "within_min": 60})
        assert {"rules": [], "later": []} == await rehearse(CLERK, {"order": given, "within_min": 60})
        for other, minutes in ((given, 59), (given, 61), ({**given, "reason": "another"}, 60)):
            with pytest.raises(OrderClash):
                await create(CLERK, {"order": other, "within_min": minutes})
        for minutes, deadline in ((0, {}), (1441, {}), (60, {"deadline_at": "2026-11-24T05:00:00Z"})):
            with pytest.raises(BadRequest, match="within_min"):
                await create(CLERK, {"order": {**given, **deadline}, "within_min": minutes})


async def test_a_trip_waits_for_a_second_person_and_an_alarm_for_none(tmp_path: Path) -> None:
    """One person alone could cut somebody off, or nobody could warn without two."""
    async with an_office(tmp_path) as office:
        assert OrderState.CREATED is (await office.service.create(CLERK, order())).state
        alarm = order(OrderKind.ALARM_ON, id="a-1")
        assert OrderState.AUTHORISED is (await office.service.create(CLERK, alarm)).state
        assert OrderState.AUTHORISED is (await office.service.approve(APPROVER, "o-1")).state


@pytest.mark.parametrize("actor", [APPROVER, DISPATCHER, FIELD, BILLING, Actor(name="nobody")])
async def test_who_holds_no_role_for_it_is_refused_and_written_down(tmp_path: Path, actor: Actor) -> None:
    """Anybody could order, or try to without a trace (AUD-01, AUD-04)."""
    async with an_office(tmp_path) as office:
        with pytest.raises(NotAllowed):
            await office.service.create(actor, order())
        (kept,) = await office.refusals()
        assert (actor.name, "o-1", "create") == (
            kept.act.actor,
            kept.act.body["asked"],
            kept.act.body["deed"],
        )
        with pytest.raises(Unknown):
            await office.book.read("o-1")


async def test_a_rule_that_stops_leaves_the_order_where_it_is(tmp_path: Path) -> None:
    """An order would be approved or operated past a rule, and nobody could see that it was tried."""
    async with an_office(tmp_path) as office:
        office.rules.stops[Stage.CREATE] = OnStop.REFUSE
        with pytest.raises(Stopped, match="CTRL-99: because"):
            await office.service.create(CLERK, order())
        office.rules.stops = {Stage.APPROVE: OnStop.REFUSE, Stage.OPERATE: OnStop.HOLD}
        await office.service.create(CLERK, order())
        with pytest.raises(Stopped):
            await office.service.approve(APPROVER, "o-1")
        assert OrderState.CREATED is (await office.book.read("o-1")).state
        del office.rules.stops[Stage.APPROVE]
        await office.service.approve(APPROVER, "o-1")
        with pytest.raises(Stopped):
            await office.service.arm(DISPATCHER, "o-1")
        assert ["o-1"] == office.rules.held
        assert OrderState.AUTHORISED is (await office.book.read("o-1")).state
        told = [kept.act.body["deed"] for kept in await office.refusals()]
        assert ["create", "approve", "operate"] == told


async def test_only_who_armed_it_operates_it_within_the_minute(tmp_path: Path) -> None:
    """An order would be sent by a slip of the hand, or by somebody who did not mean it."""
    async with an_office(tmp_path) as office:
        await office.service.create(CLERK, order(OrderKind.ALARM_ON))
        with pytest.raises(NotAllowed):
            await office.service.operate(DISPATCHER, "o-1")
        await office.service.arm(DISPATCHER, "o-1")
        with pytest.raises(NotAllowed):
            await office.service.operate(Actor(name="dora", roles=DISPATCHER.roles), "o-1")
        assert OrderState.QUEUED is (await office.service.operate(DISPATCHER, "o-1")).state


async def test_a_closing_cancels_the_trip_that_was_not_sent(tmp_path: Path) -> None:
    """A meter would be tripped after it was reconnected (CTRL-21)."""
    async with an_office(tmp_path) as office:
        await office.service.create(CLERK, order())
        close = await office.service.create(CLERK, order(OrderKind.PERMIT_CLOSE, id="c-1"))
        assert OrderState.AUTHORISED is close.state
        assert OrderState.CANCELLED is (await office.book.read("o-1")).state
        assert ["c-1"] == [life.order.id for life in office.book.open_orders()]


async def test_an_unknown_meter_is_no_order(tmp_path: Path) -> None:
    """An order would wait for ever for a meter that is not there."""
    async with an_office(tmp_path) as office:
        with pytest.raises(Unknown):
            await office.service.create(CLERK, order(meter="m9"))
        with pytest.raises(Unknown):
            await office.service.rehearsal.dry_run(CLERK, order(meter="m9"))


async def test_asking_what_would_stop_it_keeps_nothing(tmp_path: Path) -> None:
    """A rehearsal would create what it only asks about."""
    async with an_office(tmp_path) as office:
        office.rules.stops[Stage.CREATE] = OnStop.REFUSE
        (verdict,) = await office.service.rehearsal.dry_run(CLERK, order())
        assert not verdict.passed
        assert [] == await office.journal.acts.after(0)


async def test_each_step_of_a_person_tells_the_roles_held_then(tmp_path: Path) -> None:
    """Nobody could say in a year by which right somebody cancelled, found or confirmed (business-rules 2)."""
    both = Actor(name="both", roles=DISPATCHER.roles | APPROVER.roles)
    async with an_office(tmp_path) as office:
        service = office.service
        await service.create(CLERK, order())
        await service.approve(both, "o-1")
        await service.arm(both, "o-1")
        await service.operate(both, "o-1")
        await service.cancel(CLERK, "o-1", "not meant")
        acts = [kept.act for kept in await office.book.acts_of("o-1")]
        of_both = ["approver", "dispatcher"]
        assert [
            ("create", ["clerk"]),
            ("approve", of_both),
            ("authorise", of_both),
            ("arm", of_both),
            ("operate", of_both),
            ("cancel", ["clerk"]),
        ] == [(act.verb, act.body.get("roles")) for act in acts]
        await service.create(CLERK, order(OrderKind.ALARM_ON, id="o-2"))
        told = {kept.act.actor: kept.act.body.get("roles") for kept in await office.book.acts_of("o-2")}
        assert {"clara": ["clerk"], "meterlink": None} == told


async def test_a_rehearsal_says_what_the_machine_would_say(tmp_path: Path) -> None:
    """Somebody would be told that all is well, and the step be refused when he takes it."""

    def why(verdicts: Sequence[Verdict]) -> list[str]:
        return [one.inputs["why"] for one in verdicts if not one.passed]

    async with an_office(tmp_path) as office:
        service = office.service
        await service.create(CLERK, order())
        assert [] == [*await service.rehearsal.dry_run(CLERK, order())], "the same again changes nothing"
        with pytest.raises(OrderClash):
            await service.rehearsal.dry_run(CLERK, order(reason="another"))
        assert [] == why(await service.rehearsal.check(APPROVER, "o-1", Stage.APPROVE))
        await service.approve(APPROVER, "o-1")
        assert ["state"] == why(await service.rehearsal.check(APPROVER, "o-1", Stage.APPROVE))
        assert ["not_armed"] == why(await service.rehearsal.check(DISPATCHER, "o-1", Stage.OPERATE))
        await service.arm(DISPATCHER, "o-1")
        step = (await office.book.read("o-1")).step
        assert ["armed_by_another"] == why(await service.rehearsal.check(CLERK, "o-1", Stage.OPERATE))
        (passed,) = await service.rehearsal.check(DISPATCHER, "o-1", Stage.OPERATE)
        assert (True, step) == (passed.passed, (await office.book.read("o-1")).step)
        await service.cancel(CLERK, "o-1", "not meant")
        *_, no = await service.rehearsal.check(DISPATCHER, "o-1", Stage.OPERATE)
        assert ("STATE", "state") == (no.rule, no.inputs["why"])


async def test_so_many_wait_for_their_turn_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that asks without end would fill the memory with its requests."""
    monkeypatch.setattr(services, "WAITING_MAX", 3)
    async with an_office(tmp_path) as office:
        office.rules.may_go_on.clear()
        async with asyncio.TaskGroup() as group:
            asked = [group.create_task(office.service.create(CLERK, order(id=f"o-{n}"))) for n in range(3)]
            await asyncio.sleep(0)
            with pytest.raises(BusFull):
                await office.service.create(CLERK, order(id="o-9"))
            office.rules.may_go_on.set()
        assert {"o-0", "o-1", "o-2"} == {task.result().order.id for task in asked}


async def test_what_the_rules_said_stands_with_each_step_of_people(tmp_path: Path) -> None:
    """Nobody could say any more by which rules somebody was cut off (AUD-04)."""
    async with an_office(tmp_path) as office:
        await office.service.create(CLERK, order())
        await office.service.approve(APPROVER, "o-1")
        await office.service.arm(DISPATCHER, "o-1")
        await office.service.operate(DISPATCHER, "o-1")
        told = {kept.act.verb: kept.act.body.get("rules", ()) for kept in await office.book.acts_of("o-1")}
        for verb in ("create", "approve", "operate"):
            assert [("CTRL-99", True)] == [(one["rule"], one["passed"]) for one in told[verb]], verb


@pytest.mark.parametrize(("proof", "state"), [("unchanged", OrderState.CANCELLED), ("", OrderState.REJECTED)])
async def test_who_takes_back_what_the_meter_refused(tmp_path: Path, proof: str, state: OrderState) -> None:
    """A frame that the meter may still obey would be called cancelled; or be followed by another one."""
    refused = answered(Answered.REJECTED, Cause.AUTHENTICATION_TIMEOUT)
    async with an_office(tmp_path) as office:
        service, book = office.service, office.book
        await service.create(CLERK, order())
        await service.approve(APPROVER, "o-1")
        await service.arm(DISPATCHER, "o-1")
        life = await service.operate(DISPATCHER, "o-1")
        for signal, body in (
            (Signal.TAKE, {}),
            (Signal.INTEND, {"sent": transmission().body}),
            (Signal.LOSE, refused),
            (Signal.READ_BACK, {}),
            (Signal.REJECT, {"proof": proof}),
        ):
            life = await book.step(life, signal, actor=DAEMON, body=body)
        assert life.is_open
        after = await service.cancel(CLERK, "o-1", "the wrong household")
        assert (state, False, proof == "") == (after.state, after.is_open, after.is_left)
        assert (proof == "") is after.may_have_cut
        with pytest.raises(NotAllowed):
            await service.cancel(CLERK, "o-1", "once more")
