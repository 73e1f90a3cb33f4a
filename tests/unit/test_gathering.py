"""Facts from a real log: what the rules see of evidence and orders, what is counted, and what people do."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from meterlink.errors import NotAllowed, NotEntitled
from meterlink.journal.journal import Journal
from meterlink.model.act import Act, Topic
from meterlink.model.order import Order, OrderKind, OrderState, Origin
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.evidence.book import EvidenceBook
from meterlink.orders.judging import watching
from meterlink.orders.judging.brakes import ASK_MAX, TRIPS_HELD, TRIPS_STOPPED, WHY_MAX, Brakes
from meterlink.orders.judging.gathering import Gatherer
from meterlink.orders.judging.least_time import LeastTime
from meterlink.orders.judging.proven import Proven
from meterlink.orders.judging.restored import Restored
from meterlink.orders.judging.watching import Watch
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.limits.caps import Limits
from meterlink.orders.limits.trips import Quarantine
from meterlink.orders.people import THE_DAEMON, Actor, People, Role
from meterlink.orders.rules import RULES, Live, OnStop, Stage, Verdict, outcome
from meterlink.orders.rules.edition import edition
from meterlink.roster.roster import Roster, RosterMeter
from tests.support.orders import NOON, body_of, order
from tests.support.rules import (
    ADMIN,
    APPROVER,
    BILLING,
    CALENDAR,
    CLERK,
    DAYS,
    DISPATCHER,
    FIELD,
    HOUR,
    METER,
    MINUTE,
    MODEL,
    NUMBER,
    SECOND,
    SECURITY,
    SETTINGS,
    chain,
    live,
    record,
)

TRIP, PERMIT = OrderKind.TRIP, OrderKind.PERMIT_CLOSE
_WAY = (Signal.APPROVE, Signal.AUTHORISE, Signal.ARM, Signal.OPERATE, Signal.TAKE, Signal.INTEND)
_ACTORS = {Signal.APPROVE: "anna", Signal.ARM: "david", Signal.OPERATE: "david"}


@dataclass
class _Clock:
    now: datetime = NOON
    ahead: timedelta = DAYS[0]
    """By how much somebody has set the wall clock forward."""

    def utc_now(self) -> datetime:
        return self.now + self.ahead

    def monotonic_s(self) -> float:
        return (self.now - NOON).total_seconds()


def _meters(size: int) -> tuple[RosterMeter, ...]:
    return tuple(
        dataclasses.replace(METER, id=f"m{number}", customer_number=f"{number:012}", line=f"line{number}")
        for number in range(1, size + 1)
    )


@dataclass
class World:
    """A log, and everything that looks at it."""

    journal: Journal
    roster: Roster
    clock: _Clock
    limits: Limits = field(init=False)

    def __post_init__(self) -> None:
        self.timeline = Timeline(self.clock)
        self.limits = Limits(SETTINGS, self.roster)
        self.watch = Watch(self.journal.acts, self.limits, self.roster, CALENDAR, self.timeline)
        self.book = EvidenceBook(self.journal.acts, self.roster, self.clock, self.timeline)
        self.brakes = Brakes(self.journal.acts, self.watch, self.clock)
        self.alarms = Alarms(self.journal.acts, self.clock, zone=CALENDAR.zone)
        self.read_at: datetime | None = NOON - HOUR
        wall = LeastTime(self.journal.acts, self.clock)
        self.gatherer = Gatherer(
            acts=self.journal.acts,
            roster=self.roster,
            book=self.book,
            watch=self.watch,
            settings=SETTINGS,
            calendar=lambda: CALENDAR,
            clock=self.clock,
            timeline=self.timeline,
            last_read=self._last_read,
            qualified=self._qualified,
            wall=wall,
            restored=Restored(self.journal.acts, self.journal.mark, self.timeline, wall),
            people=People(()),
            changes_of=self.journal.roster.changes_of,
        )

    async def _last_read(self, meter: str) -> datetime | None:
        assert self.roster.meter(meter)
        return self.read_at

    async def _qualified(self, meter: RosterMeter, kind: OrderKind, firmware: str | None = None) -> Proven:
        return Proven(unproven=() if meter.firmware == "1.0" else (kind.value,), facts=MODEL)

    async def tell(self, meter: str = "m1") -> None:
        """The whole chain of evidence for a meter."""
        for kept in chain():
            update = {"meter": meter, "customer": "", "id": f"{kept.record.id}-{meter}"}
            if hasattr(kept.record, "of"):
                update["of"] = f"{kept.record.of}-{meter}"
            await self.book.add(kept.record.model_copy(update=update), BILLING)

    async def begin(self, wanted: Order, creator: str = "clara") -> Life:
        act = Life.begin(wanted, at=self.timeline.stamp(), actor=creator)
        await self.journal.acts.append(act)
        return Life.of([act])

    async def step(self, life: Life, signal: Signal, **body: Any) -> Life:
        told = {**body_of(signal, life.order.kind), **body}
        act = life.next(signal, at=self.timeline.stamp(), actor=_ACTORS.get(signal, "meterlink"), body=told)
        await self.journal.acts.append(act)
        return life.then(act)

    async def brought(self, wanted: Order, *signals: Signal) -> Life:
        life = await self.begin(wanted)
        for signal in signals:
            life = await self.step(life, signal)
        return life

    async def judge(
        self, stage: Stage, life: Life, actor: Actor = THE_DAEMON, said: Live | None = None
    ) -> list[str]:
        return _stopping(await self.gatherer.judge(stage, life.order, life, actor, said))


@asynccontextmanager
async def a_world(tmp_path: Path, size: int = 1) -> AsyncIterator[World]:
    clock = _Clock()
    async with Journal.open(tmp_path / "j.db", clock=clock) as journal:
        world = World(journal, Roster(_meters(size)), clock)
        await world.watch.start(clock.now)
        yield world


def _trip(meter: str = "m1", **fields: Any) -> Order:
    return order(TRIP, id=f"o-{meter}", meter=meter, **fields)


def _live(kind: OrderKind = TRIP) -> Live:
    return live(kind)


def _stopping(verdicts: Any) -> list[str]:
    return [verdict.rule for verdict in verdicts if not verdict.passed]


@pytest.mark.asyncio
async def test_an_order_goes_from_its_creation_to_its_meter(tmp_path: Path) -> None:
    """The rules would see something else than what the log holds, and stop or pass everything."""
    async with a_world(tmp_path) as world:
        wanted = _trip()
        assert "CTRL-01" in _stopping(await world.gatherer.judge(Stage.CREATE, wanted, None, CLERK))
        await world.tell()
        assert [] == _stopping(await world.gatherer.judge(Stage.CREATE, wanted, None, CLERK))
        life = await world.begin(wanted)
        assert ["CTRL-10"] == await world.judge(Stage.OPERATE, life, DISPATCHER)
        assert [] == await world.judge(Stage.APPROVE, life, APPROVER)
        life = await world.step(life, Signal.APPROVE)
        life = await world.step(life, Signal.AUTHORISE)
        assert ["AUD-01", "AUD-02"] == await world.judge(Stage.OPERATE, life, APPROVER)
        assert [] == await world.judge(Stage.OPERATE, life, DISPATCHER)
        for signal in (Signal.ARM, Signal.OPERATE, Signal.TAKE):
            life = await world.step(life, signal)
        assert [] == await world.judge(Stage.PAPER, life)
        assert [] == await world.judge(Stage.LIVE, life, said=_live())
        payment = record("payment", "p1", NOON, amount_cents=1, settles=False).record
        await world.book.add(payment.model_copy(update={"customer": ""}), BILLING)
        assert ["CTRL-11"] == await world.judge(Stage.LIVE, life, said=_live())


@pytest.mark.asyncio
async def test_what_is_not_in_the_log_stops(tmp_path: Path) -> None:
    """A meter never read, of an unproven model, or of no roster would be switched."""
    async with a_world(tmp_path) as world:
        await world.tell()
        life = await world.brought(_trip(), *_WAY[:4])
        world.read_at = None
        assert ["CTRL-12"] == await world.judge(Stage.PAPER, life)
        other = await world.gatherer.judge(Stage.CREATE, _trip("m9"), None, CLERK)
        assert [("CTRL-12", {"meter": "m9"})] == [(one.rule, one.inputs) for one in other]
        assert "m9" in other[0].en and "m9" in other[0].zh


@pytest.mark.asyncio
async def test_other_orders_of_the_meter_are_seen(tmp_path: Path) -> None:
    """Two orders would be at one meter at a time, or a payment would be brought to it twice."""
    async with a_world(tmp_path) as world:
        await world.tell()
        await world.brought(_trip(), *_WAY)
        second = dataclasses.replace(_trip(), id="o-2")
        assert ["CTRL-21"] == _stopping(await world.gatherer.judge(Stage.CREATE, second, None, CLERK))
        paid = record("payment", "p1", NOON, amount_cents=10_000, settles=True).record
        await world.book.add(paid.model_copy(update={"customer": ""}), BILLING)
        close = order(PERMIT, id="c-1", origin=Origin.PAYMENT, payment="billing:p1")
        assert [] == _stopping(await world.gatherer.judge(Stage.CREATE, close, None, THE_DAEMON))
        life = await world.begin(close, "meterlink")
        assert ["CTRL-21"] == await world.judge(Stage.PAPER, life)
        again = dataclasses.replace(close, id="c-2")
        facts = await world.gatherer.facts(Stage.CREATE, again, None, THE_DAEMON, METER)
        assert {("o-m1", TRIP, OrderState.SENDING), ("c-1", PERMIT, OrderState.CREATED)} == {
            (one.id, one.kind, one.state) for one in facts.others
        }
        assert [(), (NOON,)] == sorted(one.sent_at for one in facts.others)


@pytest.mark.asyncio
async def test_an_older_top_up_is_seen_however_its_sender_was_written(tmp_path: Path) -> None:
    """A payment that an older program had brought to the meter as "Billing:p1" would be brought again."""
    async with a_world(tmp_path) as world:
        paid = {"origin": Origin.PAYMENT, "amount_cents": 100}
        await world.begin(order(OrderKind.TOP_UP, id="old", payment="Billing:p1", **paid))
        wanted = order(OrderKind.TOP_UP, id="new", payment="billing:p1", **paid)
        facts = await world.gatherer.facts(Stage.PAPER, wanted, None, THE_DAEMON, METER)
        assert [("old", "billing:p1")] == [(one.id, one.payment) for one in facts.others]


@pytest.mark.asyncio
async def test_what_was_brought_to_the_meter_before_is_seen_and_holds_nothing(tmp_path: Path) -> None:
    """After an exchange a payment would come to the new meter too, or an old order block it for ever."""
    async with a_world(tmp_path, 2) as world:
        paid = {"origin": Origin.PAYMENT, "amount_cents": 100}
        await world.begin(order(OrderKind.TOP_UP, id="old", meter="m2", payment="billing:p1", **paid))
        await world.begin(order(PERMIT, id="held", meter="m2"))
        wanted = order(OrderKind.TOP_UP, id="new", payment="billing:p1", **paid)
        meter = dataclasses.replace(METER, predecessors=("m2",))
        facts = await world.gatherer.facts(Stage.PAPER, wanted, None, THE_DAEMON, meter)
        assert [("old", False)] == [(one.id, one.is_open) for one in facts.others]
        facts = await world.gatherer.facts(Stage.PAPER, wanted, None, THE_DAEMON, METER)
        assert () == facts.others, "of another meter"


@pytest.mark.asyncio
async def test_a_policys_record_is_found_though_it_is_of_no_meter(tmp_path: Path) -> None:
    """No policy would ever be found, or one that the order does not name would count."""
    async with a_world(tmp_path) as world:
        told = {"areas": ["east"], "until": "2027-01-01T00:00:00Z"}
        await world.book.add(record("policy", "v7", NOON, sender="anna", **told).record, APPROVER)
        by_policy = _trip(origin=Origin.POLICY, reference="anna:v7")
        facts = await world.gatherer.facts(Stage.CREATE, by_policy, None, THE_DAEMON, METER)
        assert facts.told.kept_as("anna:v7") is not None
        facts = await world.gatherer.facts(Stage.CREATE, _trip(), None, CLERK, METER)
        assert None is facts.told.kept_as("anna:v7")


@pytest.mark.asyncio
async def test_two_lines_cannot_both_take_the_last_place(tmp_path: Path) -> None:
    """Two meters of an area would go in one hour where one may: each looked before the other was sent."""
    async with a_world(tmp_path, 2) as world:
        lives = []
        for meter in ("m1", "m2"):
            await world.tell(meter)
            lives.append(await world.brought(_trip(meter), *_WAY[:5]))
        world.clock.now += HOUR
        seen = dataclasses.replace(
            live(TRIP, world.clock.now), identity=dataclasses.replace(_live().identity, meter_number=NUMBER)
        )
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(world.judge(Stage.LIVE, life, said=seen)) for life in lives]
        assert [[], ["CAP-01"]] == sorted(task.result() for task in tasks)


@pytest.mark.asyncio
async def test_a_restart_forgets_nothing_and_allows_nothing_twice(tmp_path: Path) -> None:
    """A crash would empty every count, and each restart would allow another share of the area."""
    async with a_world(tmp_path, 60) as world:
        await world.brought(_trip("m1"), *_WAY)
        held = await world.brought(_trip("m2"), *_WAY[:2])
        verdict = Verdict(rule="CAP-01", passed=False, inputs={}, en="x", zh="y")
        assert await world.brakes.hold(held, THE_DAEMON, [verdict])
        await world.brakes.freeze(DISPATCHER, "台风", area="east", until=None)
        await world.brakes.stop(CLERK, "名单有误")
        await world.brakes.release_batch("2026-11-24:person:otto", SECURITY, "看过了")
        await world.watch.refresh()
        before = world.limits

        again = World(world.journal, world.roster, world.clock)
        await again.watch.start(world.clock.now)
        await again.watch.refresh()
        for meter in ("m1", "m2", "m3"):
            trip = again.watch.trip(_trip(meter), "clara", NOON)
            assert trip is not None
            for turn in (True, False):
                now = NOON + MINUTE
                assert before.view(trip, now, is_turn=turn) == again.limits.view(trip, now, is_turn=turn)
        assert "clara" == again.limits.stopped_by
        assert ["o-m2"] == [one.order for one in again.limits.quarantined()]
        stop = await again.gatherer.judge(Stage.PAPER, held.order, held, THE_DAEMON)
        assert {"CTRL-10", "CAP-01"} <= set(_stopping(stop))


@pytest.mark.parametrize("size", [0, 1, 7])
@pytest.mark.asyncio
async def test_counting_begins_behind_the_newest_act(tmp_path: Path, size: int) -> None:
    """Acts between would be counted by nobody."""
    async with a_world(tmp_path) as world:
        for number in range(size):
            await world.journal.acts.append(_note(number))
        limits = Limits(SETTINGS, world.roster)
        watch = Watch(world.journal.acts, limits, world.roster, CALENDAR, world.timeline)
        await watch.start(NOON)
        assert 1 + size == watch._read_to


@pytest.mark.asyncio
async def test_a_log_that_holds_too_much_lets_no_trip_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders that the start could not read would be missing in every count."""
    monkeypatch.setattr(watching, "READ_MAX", 1)
    async with a_world(tmp_path) as world:
        await world.tell()
        life = await world.brought(_trip(), *_WAY)
        again = World(world.journal, world.roster, world.clock)
        await again.watch.start(NOON)
        assert ["CAP-01"] == await again.judge(Stage.PAPER, life)
        assert again.limits.view(_counted(again), NOON + DAYS[1] - SECOND, is_turn=True).is_blind
        assert not again.limits.view(_counted(again), NOON + DAYS[1], is_turn=True).is_blind


@pytest.mark.asyncio
async def test_the_log_tells_which_rules_held_when(tmp_path: Path) -> None:
    """AUD-04: nobody could say later by which rules somebody was cut off."""
    async with a_world(tmp_path) as world:
        for changes in ({}, {}, {"approval_hours": 7}, {"people": Path("others.toml")}, {}):
            limits = Limits(SETTINGS.model_copy(update={"approval_hours": 8, **changes}), world.roster)
            await Watch(world.journal.acts, limits, world.roster, CALENDAR, world.timeline).start(NOON)
        acts = [
            kept.act for kept in await world.journal.acts.of_subject(Topic.POLICY, watching.RULES_SUBJECT)
        ]
        assert [8, 7, 8] == [act.body["figures"]["approval_hours"] for act in acts]
        assert edition(SETTINGS) == acts[0].body["edition"] == acts[2].body["edition"]
        assert acts[1].body["edition"] != acts[0].body["edition"]
        assert list(RULES) == acts[0].body["rules"]


def _counted(world: World) -> Any:
    return world.watch.trip(_trip(), "clara", NOON)


@pytest.mark.asyncio
async def test_to_stop_takes_one_person_and_to_go_on_takes_two(tmp_path: Path) -> None:
    """One person alone could undo what another one stopped for good reason."""
    second = Actor(name="sara", roles=frozenset({Role.SECURITY}))
    async with a_world(tmp_path) as world:
        with pytest.raises(NotAllowed, match="not stopped"):
            await world.brakes.resume(ADMIN, "x")
        with pytest.raises(NotEntitled):
            await world.brakes.stop(BILLING, "x")
        await world.brakes.stop(CLERK, "名单有误")
        with pytest.raises(NotEntitled):
            await world.brakes.resume(DISPATCHER, "x")
        assert not await world.brakes.resume(SECURITY, "已更正")
        assert not await world.brakes.resume(SECURITY, "已更正")
        assert "clara" == world.limits.stopped_by
        assert [(TRIPS_STOPPED, "名单有误")] == [
            (one.seen.rule, one.seen.value) for one in await world.alarms.list()
        ]
        world.clock.now += ASK_MAX + SECOND
        assert not await world.brakes.resume(second, "太晚了")
        world.clock.now += ASK_MAX
        assert await world.brakes.resume(SECURITY, "已更正")
        assert "" == world.limits.stopped_by


@pytest.mark.asyncio
async def test_what_is_held_is_released_by_somebody_who_had_no_hand_in_it(tmp_path: Path) -> None:
    """Whoever made ten thousand orders would also let them go."""
    verdict = Verdict(
        rule="CAP-01",
        passed=False,
        inputs={"count": "21", "limit": "20"},
        en="x",
        zh="y",
        on_stop=OnStop.HOLD,
    )
    async with a_world(tmp_path, 2) as world:
        await world.tell()
        life = await world.brought(_trip(), *_WAY[:2])
        with pytest.raises(NotAllowed, match="not held"):
            await world.brakes.release(life, SECURITY, "x")
        assert await world.brakes.hold(life, THE_DAEMON, [verdict])
        assert not await world.brakes.hold(life, THE_DAEMON, [verdict])
        [alarm] = await world.alarms.list()
        assert (TRIPS_HELD, "CAP-01", 1, "21", "20") == (
            alarm.seen.rule,
            alarm.seen.origin,
            alarm.count,
            alarm.seen.value,
            alarm.seen.threshold,
        )
        other = await world.brought(_trip("m2"), *_WAY[:2])
        await world.brakes.hold(other, THE_DAEMON, [verdict])
        assert [2] == [one.count for one in await world.alarms.list()]
        assert ["CAP-01"] == await world.judge(Stage.OPERATE, life, DISPATCHER)
        creator = Actor(name="clara", roles=frozenset({Role.SECURITY}))
        for actor in (APPROVER, DISPATCHER, ADMIN, creator):
            with pytest.raises(NotEntitled):
                await world.brakes.release(life, actor, "x")
        with pytest.raises(NotEntitled, match="had a hand"):
            await world.brakes.release(life, SECURITY, "x", touched=["sam"])
        await world.brakes.release(life, SECURITY, "已核实")
        assert [] == await world.judge(Stage.OPERATE, life, DISPATCHER)
        trip = world.limits.trip(life.order.id)
        assert trip is not None and (Quarantine.RELEASED, "sam") == (trip.quarantine, trip.released_by)


@pytest.mark.asyncio
async def test_who_armed_what_another_was_stopped_at_does_not_let_it_go(tmp_path: Path) -> None:
    """Who meant to send a trip would lift the cap by which the next dispatcher's try was stopped."""
    verdict = Verdict(rule="CAP-01", passed=False, inputs={}, en="x", zh="y")
    dan = Actor(name="dan", roles=frozenset({Role.DISPATCHER}))
    armed_by = Actor(name="david", roles=frozenset({Role.DISPATCHER, Role.SECURITY}))
    async with a_world(tmp_path) as world:
        life = await world.brought(_trip(), *_WAY[:3])
        assert await world.brakes.hold(life, dan, [verdict])
        for decided in (world.brakes.release, world.brakes.delete):
            with pytest.raises(NotEntitled, match="david had a hand"):
                await decided(life, armed_by, "x")
        await world.brakes.release(life, SECURITY, "looked at")


@pytest.mark.asyncio
async def test_what_is_deleted_is_not_held_any_more(tmp_path: Path) -> None:
    """The list of what waits for a person would grow for ever."""
    verdict = Verdict(rule="CAP-01", passed=False, inputs={}, en="x", zh="y")
    async with a_world(tmp_path) as world:
        life = await world.brought(_trip(), *_WAY[:2])
        await world.brakes.hold(life, THE_DAEMON, [verdict])
        with pytest.raises(NotEntitled):
            await world.brakes.delete(life, CLERK, "x")
        await world.brakes.delete(life, Actor(name="ivo", roles=frozenset({Role.INSPECTOR})), "名单有误")
        assert () == world.limits.quarantined()
        assert [] == await world.journal.acts.subjects(Topic.POLICY, only_open=True)


@pytest.mark.asyncio
async def test_a_batch_is_looked_at_by_somebody_else(tmp_path: Path) -> None:
    """Whoever made the faulty batch would say that all is well with it."""
    me = Actor(name="sam", roles=frozenset({Role.SECURITY}))
    async with a_world(tmp_path) as world:
        with pytest.raises(NotEntitled, match="another person looks"):
            await world.brakes.release_batch("2026-11-24:person:sam", me, "x")
        with pytest.raises(NotEntitled):
            await world.brakes.release_batch("2026-11-24:person:clara", CLERK, "x")
        await world.brakes.release_batch("2026-11-24:person:clara", me, "已检查")


@pytest.mark.asyncio
async def test_field_staff_reconnect_once_with_what_was_given_to_them(tmp_path: Path) -> None:
    """An authorisation would be good for ever, for any meter, and for a trip as well."""
    async with a_world(tmp_path) as world:
        close = order(PERMIT, origin=Origin.PERSON, reference="billing:k1")
        work = record("work_order", "k1", NOON, until="2026-11-25T00:00:00Z", why="换表").record
        dispatcher = Actor(name="billing", roles=frozenset({Role.DISPATCHER}))
        await world.book.add(work.model_copy(update={"customer": ""}), dispatcher)
        life = await world.brought(close, Signal.AUTHORISE)
        assert ["AUD-01"] == await world.judge(Stage.OPERATE, life, FIELD)
        for person, actor in ((FIELD, CLERK), (CLERK, DISPATCHER)):
            with pytest.raises(NotEntitled):
                await world.brakes.grant(life, person, actor)
        with pytest.raises(NotAllowed, match="trip"):
            await world.brakes.grant(await world.begin(_trip()), FIELD, DISPATCHER)
        await world.brakes.grant(life, FIELD, DISPATCHER)
        assert [] == await world.judge(Stage.OPERATE, life, FIELD)
        world.clock.now += 4 * HOUR
        assert ["AUD-01"] == await world.judge(Stage.OPERATE, life, FIELD)
        await world.brakes.grant(life, FIELD, DISPATCHER)
        act = life.next(Signal.ARM, at=world.clock.now, actor="fred")
        await world.journal.acts.append(act)
        armed = life.then(act)
        act = armed.next(Signal.OPERATE, at=world.clock.now, actor="fred")
        await world.journal.acts.append(act)
        assert ["AUD-01"] == await world.judge(Stage.OPERATE, armed.then(act), FIELD)


@pytest.mark.asyncio
async def test_nobody_sends_himself(tmp_path: Path) -> None:
    """Who has both posts would give himself the authorisation by which a second person sees him (CTRL-17)."""
    both = Actor(name="frida", roles=frozenset({Role.FIELD, Role.DISPATCHER}))
    async with a_world(tmp_path) as world:
        life = await world.brought(order(PERMIT, origin=Origin.PERSON, reference="billing:k1"))
        with pytest.raises(NotEntitled, match="no field staff whom frida could send"):
            await world.brakes.grant(life, both, both)
        await world.brakes.grant(life, both, DISPATCHER)


@pytest.mark.asyncio
async def test_a_deed_needs_a_reason(tmp_path: Path) -> None:
    """Nobody would know afterwards why all trips stood still."""
    async with a_world(tmp_path) as world:
        for why in ("", "  ", "x" * (WHY_MAX + 1)):
            with pytest.raises(ValueError, match="say why"):
                await world.brakes.stop(CLERK, why)
        await world.brakes.stop(CLERK, "x" * WHY_MAX)
        await world.brakes.freeze(CLERK, "高温", until=NOON + HOUR)
        with pytest.raises(NotEntitled):
            await world.brakes.lift(CLERK, "x")
        await world.brakes.lift(ADMIN, "已过")


@pytest.mark.asyncio
async def test_a_freeze_that_would_freeze_nothing_is_refused(tmp_path: Path) -> None:
    """Somebody would mistype an area or a day before the storm, and trips would go on in it."""
    async with a_world(tmp_path) as world:
        freeze = world.brakes.freeze
        (area,) = world.watch.areas
        for wrong, told in (
            (area.upper(), f"did you mean {area}"),
            (f"{area}t", area),
            ("qqq", "freeze all"),
        ):
            with pytest.raises(ValueError, match=rf"^area: no meter is in '{wrong}': .*{told}"):
                await freeze(CLERK, "台风", area=wrong, until=None)
        with pytest.raises(ValueError, match=r"^until: .* is over already"):
            await freeze(CLERK, "台风", area=area, until=NOON)
        assert () == world.limits.freezes(NOON, NOON)
        await freeze(CLERK, "台风", area=area, until=NOON + SECOND)
        assert [area] == [one.area for one in world.limits.freezes(NOON, NOON)]


def _note(number: int) -> Act:
    return Act(topic=Topic.ACCESS, subject=f"s{number}", step=1, verb="note", at=NOON, actor="x")


def test_what_becomes_of_no_verdicts_is_to_go_on() -> None:
    """An order that no rule concerns would be stopped for ever."""
    assert None is outcome(())
