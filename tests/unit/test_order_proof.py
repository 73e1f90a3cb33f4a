"""What read-backs prove: never that nothing happened when something did, and never the other way round."""

from __future__ import annotations

import dataclasses
import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from meterlink.drivers.control import Cause, ClockLook, ControlAnswer, Standing, SwitchRecord, Verdict
from meterlink.model.order import BELIEVED_NO, CLOSES, OrderKind, Origin
from meterlink.orders.life.look import Conclusion, Look
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.money_proof import (
    COUNT_UNCHANGED,
    MONEY_SETTLES_IN,
    STORED_MONEY_LIVES,
    TOLERANCE_CENTS,
)
from meterlink.orders.life.proof import (
    REFUSED,
    UNDECIDED_FOR,
    UNSENT,
    conclude,
    conclude_key,
    contradiction,
    may_send_again,
    signal_of,
)
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.life.switch_proof import (
    ANOTHER_HAND,
    CLOSED_BY,
    FAULT_AFTER,
    LOOKS_APART,
    OPENS_LATE,
    UNCHANGED,
    UNCHANGED_AND_EXPIRED,
)
from meterlink.orders.life.transmission import Transmission
from meterlink.orders.life.witnesses import LOCAL_CAUSE
from tests.support.little_meter import LittleMeter
from tests.support.orders import NOON, OPERATOR, before, order, purse, standing, transmission

REPLY_TIMEOUT = timedelta(seconds=2)
KNOWN = SwitchFacts(command_at_once=True, waits_for_key=True, expiry_obeyed=True)
EVERYTHING = frozenset({"command", "contact", "counts", "codes", "flow", "bits"})
ONE_BIT = (OrderKind.GUARANTEE_ON, OrderKind.GUARANTEE_OFF, OrderKind.ALARM_ON, OrderKind.ALARM_OFF)
ACCEPTED = ControlAnswer(verdict=Verdict.ACCEPTED)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scene:
    """A frame, what became of it, and when somebody looked."""

    kind: OrderKind
    meter: dict[str, Any]
    stores: bool
    arrives_s: float | None
    is_ignored: bool
    is_answered: bool
    facts_known: bool
    expires_s: float
    clock_ahead_s: float
    clock_error_s: float
    looks_s: tuple[float, ...]
    parts_s: tuple[float, float, float]
    key_s: float | None
    load_ends_s: float


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    kind = draw(st.sampled_from([kind for kind in OrderKind if kind is not OrderKind.TOP_UP]))
    stores = draw(st.booleans())
    seconds = st.floats(0, 90_000, allow_nan=False).map(round)
    begin = draw(st.sampled_from(["is_open", "permitted", "closed"]))
    meter = {
        "is_open": begin == "is_open",
        "permitted": begin == "permitted",
        "delay_s": draw(st.sampled_from([0, 0, 60, 1_800])),
        "has_key": draw(st.booleans()),
        "lazy_bit": draw(st.booleans()),
        "tells": frozenset(
            draw(st.one_of(st.just(EVERYTHING), st.sets(st.sampled_from(sorted(EVERYTHING)))))
        ),
        "loaded": draw(st.booleans()),
        "guarantee": draw(st.booleans()),
        "alarm": draw(st.booleans()),
    }
    return Scene(
        kind=kind,
        meter=meter,
        stores=stores,
        arrives_s=draw(st.one_of(st.none(), seconds if stores else st.just(0))),
        is_ignored=draw(st.booleans()),
        is_answered=draw(st.booleans()),
        facts_known=draw(st.booleans()),
        expires_s=draw(st.sampled_from([30, 300])),
        clock_ahead_s=draw(st.integers(-120, 120)),
        clock_error_s=draw(st.integers(0, 3)),
        looks_s=tuple(sorted(draw(st.lists(seconds, min_size=1, max_size=5, unique=True)))),
        parts_s=draw(st.tuples(*[st.integers(0, 3)] * 3)),
        key_s=draw(st.one_of(st.none(), seconds)),
        load_ends_s=draw(seconds),
    )


class Played:
    """A scene played: what each look proves, and what the meter had done."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        self.meter = LittleMeter(zero=NOON, **scene.meter)
        self.ahead = timedelta(seconds=scene.clock_ahead_s)
        told = LittleMeter(zero=NOON, **scene.meter).standing(-3, -2, -1)
        arrival = 0 if scene.arrives_s is None else scene.arrives_s
        answered = scene.is_answered and scene.arrives_s is not None and not scene.stores and not arrival
        self.sent = Transmission(
            before=told,
            frame_hash="0" * 64,
            operator_code=OPERATOR,
            expires_at=NOON + timedelta(seconds=scene.expires_s) + self.ahead,
            line_stores=scene.stores,
            answer=ACCEPTED if answered else ControlAnswer(verdict=Verdict.NONE),
            left_by=NOON,
            opens_within=timedelta(seconds=self.meter.delay_s) if scene.facts_known else None,
        )
        self.facts = SwitchFacts()
        if scene.facts_known:
            self.facts = SwitchFacts(
                command_at_once=not self.meter.lazy_bit,
                waits_for_key=self.meter.has_key,
                expiry_obeyed=True,
            )

    def frame_arrives(self, until_s: float) -> None:
        """Whatever happens at the meter up to a time, in its order."""
        happenings = [(self.scene.load_ends_s, "load")]
        if self.scene.arrives_s is not None and not self.scene.is_ignored:
            happenings.append((self.scene.arrives_s, "frame"))
        if self.scene.key_s is not None and self.scene.kind is not OrderKind.DIRECT_CLOSE:
            happenings.append((self.scene.key_s, "key"))
        for at, what in sorted(happenings):
            if self.done_s < at <= until_s or (at == 0 and self.done_s < 0):
                self.happens(what, at)
        self.done_s = max(self.done_s, until_s)

    done_s = -1.0

    def happens(self, what: str, at: float) -> None:
        if what == "frame" and at <= self.scene.expires_s:  # the meter's clock against its expiry
            self.meter.obey(self.scene.kind.value, at, code=OPERATOR)
        elif what == "key":
            self.meter.press_key(at)
        elif what == "load":
            self.meter.loaded = False

    @property
    def stood_as_ordered(self) -> bool:
        """Whether an order made no difference: then a yes and the right state are all there can be."""
        meter, kind = self.scene.meter, self.scene.kind
        if kind is OrderKind.TRIP:
            return bool(meter["is_open"])
        if kind in CLOSES:
            return not meter["is_open"]
        name, _, how = kind.value.partition("_")
        return bool(meter[name]) == (how == "on")

    @property
    def may_still_obey(self) -> bool:
        """Whether the frame is yet to come, and would be obeyed."""
        at = self.scene.arrives_s
        return at is not None and not self.scene.is_ignored and self.done_s < at <= self.scene.expires_s

    def look(self, at: float) -> Look:
        parts = [at + part for part in self.scene.parts_s]
        told: dict[str, Any] = {}
        for when, names in sorted(
            zip(
                parts,
                (
                    ("command_open", "contact_open", "guarantee", "alarm"),
                    ("currents_a", "voltages_v", "power_w"),
                    ("trips", "closes"),
                ),
                strict=True,
            )
        ):
            self.frame_arrives(when)
            seen = self.meter.standing(when, when, when)
            told |= {name: getattr(seen, name) for name in names}
        offset = self.ahead + timedelta(seconds=self.scene.clock_error_s)
        clock = ClockLook(offset=offset, error=timedelta(seconds=self.scene.clock_error_s))
        taken_at = self.meter.at(max(parts))
        return Look(started_at=self.meter.at(at), seen=Standing(taken_at=taken_at, **told), clock=clock)


def _check(played: Played, found: Conclusion) -> None:
    accepted = played.sent.answer is not None and played.sent.answer.verdict is Verdict.ACCEPTED
    obeyed = bool(played.meter.obeyed) or (accepted and played.stood_as_ordered)
    match found.signal:
        case Signal.PROVE:
            assert obeyed
        case Signal.WAIT_FOR_KEY:
            assert obeyed
            assert OrderKind.PERMIT_CLOSE is played.scene.kind
        case Signal.PROVE_NOT:
            assert not played.meter.obeyed
            assert not played.may_still_obey
            assert found.proof
        case Signal.GIVE_UP | None:
            pass
        case Signal.CONTRADICT:  # a yes to what it then does not do is a fault
            assert accepted
            assert played.scene.is_ignored
        case other:
            raise AssertionError(f"a sound meter, and {other}: {found.inputs}")


_KEY_AT_A_METER_THAT_TELLS_LITTLE = Scene(
    kind=OrderKind.GUARANTEE_OFF,
    meter={
        "is_open": False,
        "permitted": True,
        "delay_s": 0,
        "has_key": False,
        "lazy_bit": False,
        "tells": frozenset({"bits", "contact"}),
        "loaded": False,
        "guarantee": False,
        "alarm": False,
    },
    stores=False,
    arrives_s=None,
    is_ignored=False,
    is_answered=False,
    facts_known=False,
    expires_s=30,
    clock_ahead_s=0,
    clock_error_s=0,
    looks_s=(0, 10),
    parts_s=(0, 0, 0),
    key_s=0,
    load_ends_s=0,
)
"""The contact closes by a key that was permitted before, and the meter does not tell what it is commanded."""


@given(scenes())
@example(_KEY_AT_A_METER_THAT_TELLS_LITTLE)
@settings(max_examples=400)
def test_no_read_back_of_a_sound_meter_lies(scene: Scene) -> None:
    """An obeyed trip would be sent again, or one that was lost be called done."""
    assume(not (scene.meter["lazy_bit"] and scene.meter["permitted"]))
    played = Played(scene)
    looks: list[Look] = []
    for at in scene.looks_s:
        looks.append(played.look(at))
        found = conclude(
            order(scene.kind),
            played.sent,
            looks,
            played.facts,
            now=looks[-1].started_at,
            reply_timeout=REPLY_TIMEOUT,
        )
        _check(played, found)
        if found.signal is Signal.GIVE_UP:
            assert timedelta(seconds=at) >= UNDECIDED_FOR
        if found.signal is not None:
            return


@given(
    obeyed=st.booleans(),
    is_answered=st.booleans(),
    says=st.sampled_from([Verdict.ACCEPTED, Verdict.REJECTED]),
    cause=st.sampled_from(Cause),
    stores=st.booleans(),
    arrives_s=st.integers(0, 3_000),
    looks_s=st.lists(st.integers(0, 90_000), min_size=1, max_size=5, unique=True).map(sorted),
    used_cents=st.integers(0, 400),
    amount_cents=st.integers(1, 1_000_000),
)
@settings(max_examples=300)
def test_no_purse_lies(
    obeyed: bool,
    is_answered: bool,
    says: Verdict,
    cause: Cause,
    stores: bool,
    arrives_s: int,
    looks_s: list[int],
    used_cents: int,
    amount_cents: int,
) -> None:
    """A customer would be credited twice, or not at all; a meter's yes or no would be taken for its money."""
    arrives_s = arrives_s % (int(STORED_MONEY_LIVES.total_seconds()) + 1) if stores else 0
    answer = ControlAnswer(verdict=says if is_answered else Verdict.NONE, cause=cause)
    meter = LittleMeter(zero=NOON)
    sent = transmission(
        OrderKind.TOP_UP, before=meter.purse(-1), line_stores=stores, answer=answer, left_by=NOON
    )
    wanted = order(OrderKind.TOP_UP, amount_cents=amount_cents)
    looks: list[Look] = []
    for at in looks_s:
        if obeyed and not meter.obeyed and at >= arrives_s:
            meter.obey("top_up", at, cents=amount_cents)
        meter.cents -= used_cents if len(looks) == 1 else 0
        looks.append(Look(started_at=meter.at(at), seen=meter.purse(at)))
        found = conclude(wanted, sent, looks, KNOWN, now=meter.at(at), reply_timeout=REPLY_TIMEOUT)
        if found.signal is Signal.PROVE:
            assert meter.obeyed
        elif found.signal in (Signal.PROVE_NOT, Signal.REJECT):
            assert not obeyed or (is_answered and not meter.obeyed and stores)
            assert not obeyed or not stores or at > arrives_s
        if found.signal is not None:
            return


NOTHING_A = (Decimal("0.000"),)
TRIPPED = standing(
    contact_open=True,
    command_open=True,
    currents_a=NOTHING_A,
    power_w=Decimal(0),
    trips=SwitchRecord(count=4, operator_code=OPERATOR),
)
CLOSED = standing(closes=SwitchRecord(count=4, operator_code=OPERATOR))
OPEN = before(OrderKind.PERMIT_CLOSE)
assert isinstance(OPEN, Standing)
PERMITTED = dataclasses.replace(OPEN, command_open=False)
OBEYED = {
    OrderKind.TRIP: TRIPPED,
    OrderKind.PERMIT_CLOSE: CLOSED,
    OrderKind.DIRECT_CLOSE: CLOSED,
    OrderKind.GUARANTEE_ON: standing(guarantee=True),
    OrderKind.GUARANTEE_OFF: standing(guarantee=False),
    OrderKind.ALARM_ON: standing(alarm=True),
    OrderKind.ALARM_OFF: standing(alarm=False),
    OrderKind.TOP_UP: purse(remaining_cents=15_000, purchase_count=5),
}


def _look(seen: Any, after: timedelta = timedelta(seconds=5), **more: Any) -> Look:
    return Look(started_at=NOON + after, seen=seen, **more)


def _sent(kind: OrderKind, **fields: Any) -> Transmission:
    told = {"left_by": NOON, "answer": ControlAnswer(verdict=Verdict.NONE), "opens_within": timedelta()}
    return transmission(kind, **{**told, **fields})


def _found(
    kind: OrderKind, *looks: Look, facts: SwitchFacts = KNOWN, sent: Transmission | None = None
) -> Conclusion:
    now = looks[-1].started_at if looks else NOON
    sent = sent or _sent(kind)
    return conclude(order(kind), sent, looks, facts, now=now, reply_timeout=REPLY_TIMEOUT)


@pytest.mark.parametrize("kind", OrderKind)
def test_what_was_obeyed_is_proved_by_one_look(kind: OrderKind) -> None:
    """Orders that were carried out would stay open for a day."""
    assert Signal.PROVE is _found(kind, _look(OBEYED[kind])).signal


@pytest.mark.parametrize("kind", OrderKind)
def test_what_was_not_obeyed_is_proved_by_one_look(kind: OrderKind) -> None:
    """A lost frame would never be sent again, and its customer would wait for somebody to come."""
    found = _found(kind, _look(before(kind), OPENS_LATE if kind is OrderKind.TRIP else REPLY_TIMEOUT))
    proof = COUNT_UNCHANGED if kind is OrderKind.TOP_UP else UNCHANGED
    assert (Signal.PROVE_NOT, proof) == (found.signal, found.proof)


@pytest.mark.parametrize("kind", OrderKind)
def test_a_look_that_came_too_early_proves_nothing(kind: OrderKind) -> None:
    """The frame would still be on the line when the meter says that nothing happened."""
    least = OPENS_LATE if kind is OrderKind.TRIP else REPLY_TIMEOUT
    early = _look(before(kind), least - timedelta(milliseconds=1))
    assert _found(kind, early).signal is None
    assert Signal.PROVE_NOT is _found(kind, _look(before(kind), least)).signal


def test_a_trip_without_an_answer_is_given_the_time_of_its_delay() -> None:
    """No probe waits for a delay, so nobody knows that the bit of a trip turns at once: it would go twice."""
    sent = _sent(OrderKind.TRIP, opens_within=timedelta(minutes=30))
    last = timedelta(minutes=30) + OPENS_LATE
    early = _look(standing(), last - timedelta(seconds=1))
    assert _found(OrderKind.TRIP, early, sent=sent).signal is None
    assert Signal.PROVE_NOT is _found(OrderKind.TRIP, _look(standing(), last), sent=sent).signal
    unknown = dataclasses.replace(sent, opens_within=None)
    assert _found(OrderKind.TRIP, _look(standing(), last), sent=unknown).signal is None


def test_the_facts_of_the_firmware_are_kept_with_the_frame() -> None:
    """After a restart an order would be read back by the words of another firmware."""
    known = {"command_bit": "vendor", "bit_order": "number"}
    facts = dataclasses.replace(KNOWN, basic_current_a=Decimal("1.5"), known=known, firmware="a|1|b")
    sent = transmission(OrderKind.TRIP, facts=facts)
    assert sent == Transmission.of(json.loads(json.dumps(sent.body)))
    assert Transmission.of({**sent.body, "facts": None}).facts is None


@pytest.mark.parametrize("kind", ONE_BIT)
def test_without_its_bit_there_is_neither_proof_nor_repeat(kind: OrderKind) -> None:
    """A guarantee would be sent three times to a meter that does not tell it (decision 22, a)."""
    blind = standing(guarantee=None, alarm=None)
    for one, other in ((blind, blind), (before(kind), blind), (blind, before(kind)), (blind, OBEYED[kind])):
        assert _found(kind, _look(other), sent=_sent(kind, before=one)).signal is None


@pytest.mark.parametrize("kind", ONE_BIT)
def test_a_bit_that_stood_so_before_proves_only_what_was_accepted(kind: OrderKind) -> None:
    """An order that was lost would be called done because nothing had to be done."""
    stood = _sent(kind, before=OBEYED[kind])
    assert _found(kind, _look(OBEYED[kind]), sent=stood).signal is None
    accepted = dataclasses.replace(stood, answer=ACCEPTED)
    assert Signal.PROVE is _found(kind, _look(OBEYED[kind]), sent=accepted).signal


@pytest.mark.parametrize("kind", [OrderKind.ALARM_ON, OrderKind.ALARM_OFF])
def test_the_alarm_of_a_running_delay_tells_nothing_of_an_order(kind: OrderKind) -> None:
    """A meter warns while a trip waits; that would pass for an alarm which was ordered, or not taken away."""
    waiting = standing(alarm=True, command_open=True)
    assert _found(kind, _look(waiting)).signal is None


def _stood(seen: Any, **fields: Any) -> Standing:
    """A look at a switch, of which something is otherwise."""
    assert isinstance(seen, Standing)
    return dataclasses.replace(seen, **fields)


def _counted(code: str, count: int = 9) -> SwitchRecord:
    return SwitchRecord(count=count, occurred_at=NOON, operator_code=code)


@pytest.mark.parametrize("kind", ONE_BIT)
@pytest.mark.parametrize(
    "moved",
    [{"contact_open": True}, {"command_open": True}, {"trips": _counted(OPERATOR)}, {"trips": _counted("")}],
)
def test_guarantee_and_alarm_that_opened_contradict_their_bit(kind: OrderKind, moved: dict[str, Any]) -> None:
    """Somebody would be in the dark behind an order that is `done`; no look alone says so (facts 5 and 8)."""
    seen = _stood(OBEYED[kind], **moved)
    sent = _sent(kind, answer=ACCEPTED)
    assert _found(kind, _look(seen), sent=sent).signal is None
    twice = _found(kind, _look(seen), _look(seen, timedelta(seconds=15)), sent=sent)
    assert Signal.CONTRADICT is twice.signal
    assert "contact_moved" in twice.inputs["contradiction"].split()


@pytest.mark.parametrize("kind", ONE_BIT)
@pytest.mark.parametrize("permitted", [True, False])
def test_guarantee_and_alarm_that_closed_contradict_it_unless_the_key_was_free(
    kind: OrderKind, permitted: bool
) -> None:
    """A motor would start by an alarm, or a key that was pressed meanwhile withdraw a whole model."""
    stood = _stood(before(kind), contact_open=True, command_open=not permitted)
    seen = _stood(OBEYED[kind], contact_open=False)
    found = _found(
        kind, _look(seen), _look(seen, timedelta(seconds=15)), sent=_sent(kind, before=stood, answer=ACCEPTED)
    )
    is_right = permitted or kind is OrderKind.GUARANTEE_ON
    assert (Signal.PROVE if is_right else Signal.CONTRADICT) is found.signal


@pytest.mark.parametrize("kind", ONE_BIT)
def test_what_opened_for_another_cause_is_not_held_against_an_alarm(kind: OrderKind) -> None:
    """A wallet that ran dry, or a trip whose delay ended, would withdraw what is proven of a whole model."""
    sent = _sent(kind, answer=ACCEPTED)
    dry = _stood(OBEYED[kind], contact_open=True, trips=_counted(LOCAL_CAUSE))
    assert Signal.PROVE is _found(kind, _look(dry), sent=sent).signal
    delayed = dataclasses.replace(sent, before=_stood(before(kind), command_open=True))
    opened = _stood(OBEYED[kind], contact_open=True, command_open=True)
    assert (
        Signal.CONTRADICT
        is not _found(kind, _look(opened), _look(opened, timedelta(seconds=15)), sent=delayed).signal
    )


def test_a_probe_may_find_out_that_a_guarantee_opens() -> None:
    """The walk that asks for exactly this would end in a fault, and the model could never be tried out."""
    kind = OrderKind.GUARANTEE_OFF
    seen = _stood(OBEYED[kind], contact_open=True)
    sent = _sent(kind, answer=ACCEPTED)
    probe = order(kind, origin=Origin.PROBE)
    found = conclude(probe, sent, [_look(seen)], KNOWN, now=NOON, reply_timeout=REPLY_TIMEOUT)
    assert Signal.PROVE is found.signal


@pytest.mark.parametrize("kind", [kind for kind in OrderKind if kind not in (*ONE_BIT, OrderKind.TOP_UP)])
def test_a_no_is_borne_out_by_what_has_not_changed_and_never_repeated(kind: OrderKind) -> None:
    """A wrong password would be tried three times, or a contact that opened under a no be filed as closed."""
    sent = _sent(kind, answer=ControlAnswer(verdict=Verdict.REJECTED, cause=Cause.PASSWORD))
    found = _found(kind, _look(before(kind)), sent=sent)
    assert (Signal.REJECT, UNCHANGED) == (found.signal, found.proof)
    early = _look(before(kind), REPLY_TIMEOUT - timedelta(milliseconds=1))
    assert _found(kind, early, sent=sent).signal is None
    assert Signal.PROVE is _found(kind, _look(OBEYED[kind]), sent=sent).signal
    late = _found(kind, _look(before(kind)), sent=sent, facts=SwitchFacts())
    assert (Signal.REJECT, "") == (late.signal, late.proof)


_MUTE: dict[str, dict[str, Any]] = {
    "status": {"contact_open": None},
    "flow": {"currents_a": None, "voltages_v": None, "power_w": None},
    "record": {"trips": SwitchRecord(), "closes": SwitchRecord()},
}


@pytest.mark.parametrize("kind", [OrderKind.TRIP, OrderKind.DIRECT_CLOSE])
@pytest.mark.parametrize("mute", _MUTE)
@pytest.mark.parametrize("answer", [ControlAnswer(verdict=Verdict.NONE), ACCEPTED])
def test_two_of_three_witnesses_are_enough_and_one_is_not(
    kind: OrderKind, mute: str, answer: ControlAnswer
) -> None:
    """A meter that tells one thing less could never be switched; or one word would be believed (fact 4).

    "Received" is no witness: it does not make one into two (CTRL-18).
    """
    sent = _sent(kind, answer=answer)
    seen = dataclasses.replace(TRIPPED if kind is OrderKind.TRIP else CLOSED, **_MUTE[mute])
    assert Signal.PROVE is _found(kind, _look(seen), sent=sent).signal
    for other in set(_MUTE) - {mute}:
        alone = dataclasses.replace(seen, **_MUTE[other])
        assert _found(kind, _look(alone), sent=sent).signal is None


@pytest.mark.parametrize("kind", [OrderKind.TRIP, OrderKind.DIRECT_CLOSE])
def test_a_record_of_ours_is_enough_where_the_command_is_untold(kind: OrderKind) -> None:
    """Meters that do not tell what they were told could never be proved."""
    untold = dataclasses.replace(TRIPPED if kind is OrderKind.TRIP else CLOSED, command_open=None)
    sent = _sent(kind, before=standing(command_open=None, contact_open=kind is not OrderKind.TRIP))
    assert Signal.PROVE is _found(kind, _look(untold), sent=sent).signal
    mute = dataclasses.replace(untold, **_MUTE["record"])
    assert _found(kind, _look(mute), sent=sent).signal is None


@pytest.mark.parametrize(
    "against",
    [
        {"command_open": False},
        {"contact_open": False},
        {"currents_a": (Decimal("0.025"),), "power_w": Decimal(10)},
        {"currents_a": (Decimal(0), Decimal(0), Decimal("0.025")), "power_w": Decimal(10)},
        {"currents_a": (Decimal(0), Decimal("-5"), Decimal(0)), "power_w": None},
        {"trips": SwitchRecord(count=3, operator_code=OPERATOR)},
        {"trips": SwitchRecord(count=4, operator_code="00000000")},
        {"trips": SwitchRecord(count=5, operator_code="5a3c0002")},
    ],
)
def test_one_witness_against_a_trip_outweighs_two_for_it(against: dict[str, Any]) -> None:
    """A customer with current, or somebody else's trip, would be filed as ours."""
    assert _found(OrderKind.TRIP, _look(dataclasses.replace(TRIPPED, **against))).signal is None


@pytest.mark.parametrize(
    "told",
    [
        {"currents_a": (Decimal("0.024"),) * 3, "power_w": Decimal(500)},
        {"currents_a": (Decimal(5),), "power_w": Decimal("9.9")},
        {"currents_a": (Decimal("-0.024"),), "power_w": None},
        {"currents_a": None, "power_w": Decimal("-9.9")},
    ],
)
def test_little_current_or_little_power_is_none(told: dict[str, Any]) -> None:
    """The creeping of a meter would pass for a customer who still draws (CTRL-19)."""
    assert Signal.PROVE is _found(OrderKind.TRIP, _look(dataclasses.replace(TRIPPED, **told))).signal


def test_a_record_without_a_count_is_told_by_its_time() -> None:
    """Meters that count nothing could never be proved."""
    old = SwitchRecord(occurred_at=NOON - timedelta(days=1), operator_code=OPERATOR)
    new = dataclasses.replace(old, occurred_at=NOON)
    sent = _sent(OrderKind.TRIP, before=standing(trips=old))
    mute = dataclasses.replace(TRIPPED, **_MUTE["flow"])
    assert (
        Signal.PROVE is _found(OrderKind.TRIP, _look(dataclasses.replace(mute, trips=new)), sent=sent).signal
    )
    assert _found(OrderKind.TRIP, _look(dataclasses.replace(mute, trips=old)), sent=sent).signal is None


@pytest.mark.parametrize("kind", sorted(CLOSES))
def test_a_closed_contact_without_voltage_is_no_reconnection(kind: OrderKind) -> None:
    """A customer without power would be reported as supplied (CTRL-19; fact 3)."""
    dead = dataclasses.replace(
        CLOSED, voltages_v=(Decimal("29.9"),), currents_a=NOTHING_A, power_w=Decimal(0)
    )
    assert _found(kind, _look(dead)).signal is None
    late = [_look(dead, FAULT_AFTER), _look(dead, FAULT_AFTER + LOOKS_APART)]
    assert Signal.CONTRADICT is _found(kind, *late).signal


def test_a_permit_waits_for_its_key() -> None:
    """The customer would not be told to press it; or the order would be called done in the dark."""
    assert Signal.WAIT_FOR_KEY is _found(OrderKind.PERMIT_CLOSE, _look(PERMITTED)).signal
    assert _found(OrderKind.DIRECT_CLOSE, _look(PERMITTED)).signal is None


@pytest.mark.parametrize("kind", sorted(CLOSES))
def test_a_close_that_does_not_close_is_a_fault(kind: OrderKind) -> None:
    """A relay that sticks would be waited for as if somebody were to press a key."""
    keyless = dataclasses.replace(KNOWN, waits_for_key=False)
    before_it = _look(PERMITTED, FAULT_AFTER - LOOKS_APART)
    looks = [_look(PERMITTED, FAULT_AFTER), _look(PERMITTED, FAULT_AFTER + LOOKS_APART)]
    assert _found(kind, before_it, looks[0], facts=keyless).signal is None
    assert Signal.CONTRADICT is _found(kind, *looks, facts=keyless).signal


def test_a_key_that_makes_a_record_of_its_own_does_no_harm() -> None:
    """A permit would never be done, because its record is the key's."""
    pressed = dataclasses.replace(CLOSED, closes=SwitchRecord(count=4, operator_code="00000000"))
    assert Signal.PROVE is _found(OrderKind.PERMIT_CLOSE, _look(pressed)).signal
    assert _found(OrderKind.DIRECT_CLOSE, _look(pressed)).signal is None


@pytest.mark.parametrize(("code", "signal"), [(OPERATOR, Signal.PROVE), ("", None), ("00000000", None)])
def test_the_key_of_an_earlier_permit_is_not_ours(code: str, signal: Signal | None) -> None:
    """Whoever permitted before, a press of the key would prove a frame of ours that was lost."""
    sent = _sent(OrderKind.PERMIT_CLOSE, before=PERMITTED)
    pressed = dataclasses.replace(CLOSED, closes=SwitchRecord(count=4, operator_code=code))
    assert signal == _found(OrderKind.PERMIT_CLOSE, _look(pressed), sent=sent).signal


_BY_HAND = dataclasses.replace(CLOSED, closes=SwitchRecord(count=4, operator_code="00004711"))


@pytest.mark.parametrize("kind", [OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE])
def test_a_closing_by_another_hand_ends_the_order(kind: OrderKind) -> None:
    """The program would see light for a day, report darkness, and lock the meter (2.2, FIELD_ORDER)."""
    found = _found(kind, _look(_BY_HAND, REPLY_TIMEOUT))
    assert (Signal.PROVE, ANOTHER_HAND) == (found.signal, found.inputs[CLOSED_BY])


@pytest.mark.parametrize(
    "shown",
    [
        {"voltages_v": (Decimal(0),)},
        {"voltages_v": None, "currents_a": None, "power_w": None},
        {"command_open": True},
        {"command_open": None},
        {"contact_open": True},
        {"contact_open": None},
    ],
)
def test_a_closing_by_another_hand_is_seen_with_voltage_or_not_at_all(shown: dict[str, Any]) -> None:
    """Somebody would be told to have current who sits in the dark (CTRL-19)."""
    seen = dataclasses.replace(_BY_HAND, **shown)
    assert CLOSED_BY not in _found(OrderKind.DIRECT_CLOSE, _look(seen, REPLY_TIMEOUT)).inputs


def test_no_order_ends_by_another_hand_while_its_frame_may_come() -> None:
    """A closing that comes late would undo a trip that was ordered since."""
    kind = OrderKind.DIRECT_CLOSE
    early = _look(_BY_HAND, REPLY_TIMEOUT - timedelta(milliseconds=1))
    assert _found(kind, early).signal is None
    stored = dataclasses.replace(_sent(kind), line_stores=True, expires_at=NOON + timedelta(minutes=5))
    clock = ClockLook(offset=timedelta(), error=timedelta(seconds=1))
    late, later = timedelta(minutes=5), timedelta(minutes=5, seconds=2)
    assert _found(kind, _look(_BY_HAND, late, clock=clock), sent=stored).signal is None
    assert _found(kind, _look(_BY_HAND, later), sent=stored).signal is None
    assert Signal.PROVE is _found(kind, _look(_BY_HAND, later, clock=clock), sent=stored).signal


def _waits(after: timedelta) -> Look:
    return _look(standing(command_open=True), after)


def test_a_trip_that_waits_for_its_delay_is_waited_for() -> None:
    """A trip would be called faulty, or sent again, while the meter counts its minutes."""
    delay = timedelta(minutes=30)
    sent = _sent(OrderKind.TRIP, opens_within=delay)
    last = delay + FAULT_AFTER
    for after in (timedelta(seconds=5), delay, last - timedelta(seconds=1)):
        assert _found(OrderKind.TRIP, _waits(after - LOOKS_APART), _waits(after), sent=sent).signal is None
    found = _found(OrderKind.TRIP, _waits(last), _waits(last + LOOKS_APART), sent=sent)
    assert Signal.CONTRADICT is found.signal
    assert "command_and_contact_differ" == found.inputs["contradiction"]


def test_a_delay_that_nobody_knows_is_never_over() -> None:
    """A fault would be raised against a sound meter, and its whole model withdrawn."""
    sent = _sent(OrderKind.TRIP, opens_within=None)
    hours = timedelta(hours=23)
    assert _found(OrderKind.TRIP, _waits(hours), _waits(hours + LOOKS_APART), sent=sent).signal is None
    day = [_waits(UNDECIDED_FOR - LOOKS_APART), _waits(UNDECIDED_FOR)]
    assert Signal.GIVE_UP is _found(OrderKind.TRIP, *day, sent=sent).signal


@pytest.mark.parametrize("kind", [OrderKind.TRIP, *sorted(CLOSES)])
def test_load_with_the_contact_open_is_a_contradiction_when_it_is_seen_twice(kind: OrderKind) -> None:
    """A bypass would go unseen; or a contact that opened between two answers be called a fault (CTRL-20)."""
    loaded = dataclasses.replace(TRIPPED, currents_a=(Decimal(5),), power_w=Decimal(1100))
    first, soon = _look(loaded), _look(loaded, timedelta(seconds=5) + LOOKS_APART - timedelta(seconds=1))
    assert _found(kind, first).signal is None
    assert _found(kind, first, soon).signal is None
    assert _found(kind, first, _look(standing(), timedelta(minutes=1)), soon).signal is None
    found = _found(kind, first, _look(loaded, timedelta(seconds=5) + LOOKS_APART))
    assert (Signal.CONTRADICT, "load_with_contact_open") == (found.signal, found.inputs["contradiction"])


def test_a_record_that_is_missing_is_a_contradiction() -> None:
    """A meter that does not write down its trips would stay qualified (CTRL-20)."""
    bare = dataclasses.replace(TRIPPED, trips=standing().trips)
    early, late = _look(bare), _look(bare, FAULT_AFTER)
    assert _found(OrderKind.TRIP, early, late).signal is None
    found = _found(OrderKind.TRIP, late, _look(bare, FAULT_AFTER + LOOKS_APART))
    assert (Signal.CONTRADICT, "record_missing") == (found.signal, found.inputs["contradiction"])


@pytest.mark.parametrize(
    "changed",
    [
        {"command_open": None},
        {"command_open": True},
        {"contact_open": True},
        {"trips": SwitchRecord(count=4)},
        {"trips": SwitchRecord()},
        {"closes": SwitchRecord(count=4)},
    ],
)
def test_anything_that_moved_or_is_untold_leaves_no_proof_of_nothing(changed: dict[str, Any]) -> None:
    """A trip that was obeyed and undone would be sent again."""
    found = _found(OrderKind.TRIP, _look(standing(**changed)))
    assert found.signal is None


@pytest.mark.parametrize("kind", [OrderKind.TRIP, *sorted(CLOSES)])
def test_what_stood_as_ordered_before_proves_nothing_by_standing_so(kind: OrderKind) -> None:
    """A second trip of an open contact leaves no trace: it would be sent, and sent again."""
    stood = OBEYED[kind]
    assert _found(kind, _look(stood), sent=_sent(kind, before=stood)).signal is None


@pytest.mark.parametrize("within", [None, timedelta(), timedelta(minutes=32)])
def test_the_time_of_a_trip_is_kept_with_its_frame(within: timedelta | None) -> None:
    """After a restart a trip would be judged by another delay than its meter had when it left."""
    sent = transmission(OrderKind.TRIP, opens_within=within)
    assert sent == Transmission.of(sent.body)


def test_a_frame_of_an_earlier_version_has_no_such_time() -> None:
    """The log of a gateway that was updated could not be read."""
    body = {key: value for key, value in transmission().body.items() if key != "opens_within_min"}
    assert transmission(opens_within=None) == Transmission.of(body)


@pytest.mark.parametrize("lazy", [False, True])
def test_an_accepted_trip_or_a_lazy_bit_is_given_the_time_of_its_delay(lazy: bool) -> None:
    """A delayed trip whose bit comes late would be sent again."""
    facts = dataclasses.replace(KNOWN, command_at_once=not lazy)
    answered = {} if lazy else {"answer": ACCEPTED}
    sent = _sent(OrderKind.TRIP, opens_within=timedelta(minutes=30), **answered)
    last = timedelta(minutes=30) + FAULT_AFTER
    early = _look(standing(), last - timedelta(seconds=1))
    assert _found(OrderKind.TRIP, early, facts=facts, sent=sent).signal is None
    assert Signal.PROVE_NOT is _found(OrderKind.TRIP, _look(standing(), last), facts=facts, sent=sent).signal
    unknown = dataclasses.replace(sent, opens_within=None)
    assert _found(OrderKind.TRIP, _look(standing(), last), facts=facts, sent=unknown).signal is None


@pytest.mark.parametrize("kind", sorted(CLOSES))
def test_a_lazy_bit_never_proves_that_a_close_was_lost(kind: OrderKind) -> None:
    """A permit waits for its key for days, and would be sent again all that time."""
    facts = dataclasses.replace(KNOWN, command_at_once=False)
    assert _found(kind, _look(before(kind), timedelta(hours=1)), facts=facts).signal is None


class TestALineThatStores:
    """A carrier, a concentrator or a dial-in may deliver a frame long after it was sent (decision 22, b)."""

    SENT = _sent(OrderKind.TRIP, line_stores=True)  # expires 5 minutes after noon, by the meter's clock
    AHEAD = timedelta(seconds=30)
    ERROR = timedelta(seconds=2)

    def _signal(self, after: timedelta, facts: SwitchFacts = KNOWN, **sent: Any) -> Conclusion:
        clock = ClockLook(offset=self.AHEAD, error=self.ERROR)
        look = _look(standing(), after, clock=clock)
        return _found(OrderKind.TRIP, look, facts=facts, sent=dataclasses.replace(self.SENT, **sent))

    def test_its_frame_is_dead_when_the_meters_clock_is_past_it(self) -> None:
        """A frame that is stored would arrive behind its own repeat."""
        last = timedelta(minutes=5) - self.AHEAD + self.ERROR
        assert self._signal(last).signal is None
        found = self._signal(last + timedelta(milliseconds=1))
        assert (Signal.PROVE_NOT, UNCHANGED_AND_EXPIRED) == (found.signal, found.proof)

    def test_without_clock_expiry_or_a_meter_that_obeys_it_nothing_is_proved(self) -> None:
        """A meter that ignores the time would obey a frame of yesterday (fact 10)."""
        hour = timedelta(hours=1)
        assert Signal.PROVE_NOT is self._signal(hour).signal
        assert self._signal(hour, dataclasses.replace(KNOWN, expiry_obeyed=False)).signal is None
        assert self._signal(hour, expires_at=None).signal is None
        assert _found(OrderKind.TRIP, _look(standing(), hour), sent=self.SENT).signal is None

    def test_a_stored_top_up_is_dead_when_its_authentication_is(self) -> None:
        """Money would arrive after its order was closed as not done."""
        sent = _sent(OrderKind.TOP_UP, line_stores=True)
        early = _look(purse(), STORED_MONEY_LIVES - timedelta(seconds=1))
        assert _found(OrderKind.TOP_UP, early, sent=sent).signal is None
        late = _look(purse(), STORED_MONEY_LIVES)
        assert Signal.PROVE_NOT is _found(OrderKind.TOP_UP, late, sent=sent).signal


@pytest.mark.parametrize(
    ("cents", "fits"), [(14_800, True), (14_799, False), (15_200, True), (15_201, False)]
)
def test_credited_money_fits_within_its_tolerance(cents: int, fits: bool) -> None:
    """Another purchase of the same number would be taken for ours (TOP-07: 1 % and 1.00 yuan)."""
    assert 200 == 10_000 // 100 + TOLERANCE_CENTS
    seen = purse(remaining_cents=cents, purchase_count=5)
    assert (Signal.PROVE if fits else None) == _found(OrderKind.TOP_UP, _look(seen)).signal
    late = _found(OrderKind.TOP_UP, _look(seen, MONEY_SETTLES_IN)).signal
    assert (Signal.PROVE if fits else Signal.GIVE_UP) == late


@pytest.mark.parametrize("count", [0, 3, 6, 99])
def test_a_count_that_is_neither_old_nor_new_is_for_people(count: int) -> None:
    """A wallet that somebody else uses too would be reconciled by guessing."""
    assert Signal.GIVE_UP is _found(OrderKind.TOP_UP, _look(purse(purchase_count=count))).signal


def test_money_that_grew_without_its_count_proves_nothing() -> None:
    """A meter that counts late would be credited again."""
    assert _found(OrderKind.TOP_UP, _look(purse(remaining_cents=5_001))).signal is None


@pytest.mark.parametrize(("count", "signal"), [(3, Signal.GIVE_UP), (4, None), (6, Signal.GIVE_UP)])
def test_money_that_came_under_another_count_is_not_ours(count: int, signal: Signal | None) -> None:
    """Somebody else's top-up of the same amount would settle a payment whose own one is lost (TOP-01)."""
    seen = purse(remaining_cents=15_000, purchase_count=count)
    assert signal == _found(OrderKind.TOP_UP, _look(seen)).signal


@pytest.mark.parametrize("cause", Cause)
def test_a_no_is_believed_when_the_count_agrees(cause: Cause) -> None:
    """A top-up that was credited and refused would end as refused; or "repeated" as if nothing had come."""
    sent = _sent(OrderKind.TOP_UP, answer=ControlAnswer(verdict=Verdict.REJECTED, cause=cause))
    doubtful = cause in (Cause.REPEATED, Cause.PURCHASE_COUNT)
    found = _found(OrderKind.TOP_UP, _look(purse()), sent=sent).signal
    assert (None if doubtful else Signal.REJECT) == found
    assert Signal.PROVE is _found(OrderKind.TOP_UP, _look(OBEYED[OrderKind.TOP_UP]), sent=sent).signal


def test_a_yes_without_money_is_given_time() -> None:
    """A purse that lags behind its own answer would be called empty."""
    sent = _sent(OrderKind.TOP_UP, answer=ACCEPTED)
    early = _look(purse(), MONEY_SETTLES_IN - timedelta(seconds=1))
    assert _found(OrderKind.TOP_UP, early, sent=sent).signal is None
    assert Signal.PROVE_NOT is _found(OrderKind.TOP_UP, _look(purse(), MONEY_SETTLES_IN), sent=sent).signal


def test_nobody_answers_for_a_day() -> None:
    """An order whose meter is gone would stay open for ever, or be called failed (decision 21)."""
    sent, kind = _sent(OrderKind.TRIP), OrderKind.TRIP
    for now, signal in ((UNDECIDED_FOR - timedelta(seconds=1), None), (UNDECIDED_FOR, Signal.GIVE_UP)):
        found = conclude(order(kind), sent, [], KNOWN, now=NOON + now, reply_timeout=REPLY_TIMEOUT)
        assert signal == found.signal


def test_a_frame_that_has_not_left_and_looks_of_another_kind_are_bugs() -> None:
    """A proof would be made of what does not belong together."""
    with pytest.raises(ValueError, match="has not left"):
        _found(OrderKind.TRIP, _look(standing()), sent=transmission())
    with pytest.raises(ValueError, match="purse"):
        _found(OrderKind.TRIP, _look(purse()))
    with pytest.raises(ValueError, match="switch"):
        _found(OrderKind.TOP_UP, _look(standing()))
    with pytest.raises(ValueError, match="count"):
        _found(OrderKind.TOP_UP, _look(purse()), sent=_sent(OrderKind.TOP_UP, purchase_count=None))


def test_a_pressed_key_is_seen() -> None:
    """An energised customer would be told for ever to press the key."""
    assert conclude_key([_look(PERMITTED)], KNOWN).signal is None
    assert Signal.CLOSED_BY_KEY is conclude_key([_look(PERMITTED), _look(standing())], KNOWN).signal
    assert conclude_key([_look(standing(command_open=None))], KNOWN).signal is None
    dead = standing(voltages_v=(Decimal(0),), currents_a=(Decimal(0),), power_w=Decimal(0))
    assert [None, None] == [
        conclude_key([_look(dead), _look(one)], KNOWN).signal for one in (PERMITTED, dead)
    ]
    assert Signal.CLOSED_BY_KEY is conclude_key([_look(dead), _look(standing())], KNOWN).signal
    untold = dataclasses.replace(dead, voltages_v=None)
    assert Signal.CLOSED_BY_KEY is conclude_key([_look(untold)], KNOWN).signal
    loaded = dataclasses.replace(PERMITTED, currents_a=(Decimal(5),), power_w=Decimal(1100))
    later = _look(loaded, timedelta(seconds=5) + LOOKS_APART)
    assert conclude_key([_look(loaded)], KNOWN).signal is None
    assert Signal.CONTRADICT is conclude_key([_look(loaded), later], KNOWN).signal


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({}, ""),
        ({"contact_open": True}, "load_with_contact_open"),
        ({"contact_open": None}, ""),
        ({"voltages_v": (Decimal(0), Decimal("29.9"))}, "no_voltage"),
        ({"voltages_v": (Decimal(0), Decimal("30.0"))}, ""),
        ({"voltages_v": None}, ""),
        ({"contact_open": True, "currents_a": None, "power_w": None}, ""),
    ],
)
def test_a_look_that_cannot_be_has_a_name(fields: dict[str, Any], name: str) -> None:
    """An order would be sent to a meter whose words nobody understands (fact 3)."""
    assert name == contradiction(standing(**fields), KNOWN)


@pytest.mark.parametrize("kind", OrderKind)
def test_another_frame_follows_a_proof_that_still_holds(kind: OrderKind) -> None:
    """A repeat would rest on how the meter stood an hour ago."""
    sent, wanted = _sent(kind), order(kind)
    assert "" == may_send_again(wanted, sent, UNCHANGED, sent)
    assert "unproved" == may_send_again(wanted, sent, "", sent)
    accepted = dataclasses.replace(sent, answer=ACCEPTED)
    assert "accepted" == may_send_again(wanted, accepted, UNCHANGED, sent)
    moved = _sent(kind, before=OBEYED[kind])
    assert "changed" == may_send_again(wanted, sent, UNCHANGED, moved)
    assert "" == may_send_again(wanted, sent, UNSENT, moved)
    if kind is not OrderKind.ALARM_ON and kind is not OrderKind.ALARM_OFF:
        assert "changed" == may_send_again(wanted, sent, REFUSED, moved)
    assert "" == may_send_again(wanted, sent, REFUSED, sent)


@pytest.mark.parametrize("kind", OrderKind)
@pytest.mark.parametrize(
    ("verdict", "signal"),
    [
        (Verdict.ACCEPTED, Signal.ACCEPT),
        (Verdict.REJECTED, Signal.REJECT),
        (Verdict.NONE, Signal.LOSE),
        (Verdict.UNSENT, Signal.UNSENT),
    ],
)
def test_what_comes_back_is_a_signal(kind: OrderKind, verdict: Verdict, signal: Signal) -> None:
    """Silence would be a no; a no to a contact or to money would be believed."""
    is_doubted = kind not in BELIEVED_NO and verdict is Verdict.REJECTED
    assert (Signal.LOSE if is_doubted else signal) is signal_of(kind, ControlAnswer(verdict=verdict))
