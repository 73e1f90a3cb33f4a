"""The switch of a meter: its table, its delays, its characters, and what it remembers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim.works.cost_control import REMOTE, CostControl
from metersim.works.memory import CONTROLS_MAX, ControlMemory, MemoryFull, Move
from metersim.works.switch import (
    COMMAND_OPEN,
    CONTACT_OPEN,
    DELAY_MAX,
    KINDS,
    RECLOSE_MAX,
    TRANSITIONS,
    Command,
    Kind,
    Obeyed,
    Refusal,
    Signal,
    State,
    Switch,
    TimeWentBack,
)

T0 = datetime(2026, 5, 1, 8, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


def a_switch(character: CostControl = REMOTE, *, limit: int = CONTROLS_MAX, **more: Any) -> Switch:
    memory = ControlMemory(shows=lambda at: at + MINUTE, limit=limit)
    return Switch(memory=memory, since=T0, character=character, **more)


def order(kind: Kind, **more: Any) -> Command:
    return Command(kind=kind, operator="12345678", **more)


def for_a_while(kind: Kind, minutes: int = 30) -> Command:
    return order(kind, reclose_after=minutes * MINUTE)


def moves(switch: Switch) -> list[tuple[timedelta, bool, str, int | None]]:
    return [(m.moved_at - T0, m.opened, m.came_by, m.control) for m in switch.memory.moves]


def test_every_state_and_signal() -> None:
    """A state would take a signal that it cannot have, or a contact would move against its meaning."""
    assert set(State) == TRANSITIONS.keys()
    for state in State:
        for signal in Signal:
            after = TRANSITIONS[state].get(signal)
            waits = state in COMMAND_OPEN - CONTACT_OPEN
            match signal:
                case Signal.CLOSE:
                    assert State.CLOSED is after
                case Signal.PERMIT:
                    assert (State.WAITS_FOR_KEY if state in CONTACT_OPEN else State.CLOSED) is after
                case Signal.OPEN:
                    assert State.OPEN is after
                case Signal.OPEN_FOR_A_WHILE:
                    assert (None if state in CONTACT_OPEN else State.OPEN_FOR_A_WHILE) is after
                case Signal.KEY:
                    assert (State.CLOSED if state is State.WAITS_FOR_KEY else None) is after
                case Signal.DROP:
                    assert (State.CLOSED if waits else state) is after
                case Signal.DELAY:
                    ready = state in {State.CLOSED, State.TRIP_DELAYED}
                    assert (State.TRIP_DELAYED if ready else None) is after
                case Signal.HOLD:
                    ready = state in {State.CLOSED, State.TRIP_DELAYED}
                    assert (State.TRIP_HELD if ready else None) is after


def test_every_state_is_reached() -> None:
    """A state of the table would be one that no switch ever has."""
    seen, todo = set(), [State.CLOSED]
    while todo:
        seen.add(state := todo.pop())
        todo += [after for after in TRANSITIONS[state].values() if after not in seen]
    assert set(State) == seen


def put(switch: Switch, state: State) -> Switch:
    """Bring a new switch into a state."""
    steps: dict[State, list[Command]] = {
        State.CLOSED: [],
        State.TRIP_DELAYED: [order("trip", delay=HOUR)],
        State.TRIP_HELD: [order("trip")],
        State.OPEN: [order("trip")],
        State.OPEN_FOR_A_WHILE: [for_a_while("trip_auto_permit_close")],
        State.WAITS_FOR_KEY: [order("trip"), order("permit_close")],
    }
    if state is State.TRIP_HELD:
        switch.trip_current_a, switch.trip_wait = Decimal("0.1"), HOUR
    for command in steps[state]:
        switch.obey(command, T0)
    assert state is switch.state
    return switch


def tenth(_: datetime) -> Decimal:
    return Decimal("0.2")


@pytest.mark.parametrize("state", State)
@pytest.mark.parametrize("kind", KINDS)
def test_every_command_in_every_state(state: State, kind: Kind) -> None:
    """A command would lead elsewhere than the standard's words say, be remembered twice or not at all."""
    switch = put(a_switch(current_a=tenth), state)
    before = len(switch.memory.controls)
    command = for_a_while(kind) if kind.startswith("trip_auto") else order(kind)
    verdict = switch.obey(command, T0 + MINUTE)
    timed_of_open = kind.startswith("trip_auto") and state in CONTACT_OPEN
    if timed_of_open:
        assert Refusal(cause="auto_trip_already_tripped") == verdict
        assert (state, before) == (switch.state, len(switch.memory.controls))
        return
    assert isinstance(verdict, Obeyed)
    assert before + 1 == len(switch.memory.controls) == verdict.number
    assert kind == switch.memory.controls[-1].kind
    was_open = state in CONTACT_OPEN
    expected = {
        "trip": State.TRIP_HELD if state is State.TRIP_HELD else State.OPEN,
        "permit_close": State.WAITS_FOR_KEY if was_open else State.CLOSED,
        "direct_close": State.CLOSED,
        "guarantee_on": State.WAITS_FOR_KEY if was_open else State.CLOSED,
    }.get(kind, state)
    if kind.startswith("trip_auto"):
        expected = State.TRIP_HELD if state is State.TRIP_HELD else State.OPEN_FOR_A_WHILE
    assert expected is switch.state


def test_a_permitted_close_waits_for_the_key() -> None:
    """A meter would energise an empty house."""
    switch = a_switch()
    switch.obey(order("trip"), T0)
    assert isinstance(switch.obey(order("permit_close"), T0 + HOUR), Obeyed)
    switch.advance(T0 + 100 * HOUR)
    assert (True, False, True) == (switch.contact_open, switch.command_open, switch.waits_for_key)
    assert switch.press_key(T0 + 101 * HOUR)
    assert not switch.press_key(T0 + 102 * HOUR)
    assert [(0 * HOUR, True, "645", 1), (101 * HOUR, False, "key", 2)] == moves(switch)
    assert ["12345678", "00000000"] == [move.operator for move in switch.memory.moves]


def test_without_a_key_a_permit_closes() -> None:
    """A meter without a key would wait for one for ever (fact 1)."""
    switch = a_switch(CostControl(has_key=False))
    switch.obey(order("trip"), T0)
    switch.obey(order("permit_close"), T0 + HOUR)
    assert State.CLOSED is switch.state


def test_a_trip_with_delay_opens_at_its_instant_whenever_somebody_looks() -> None:
    """The record of a trip would bear the time of the question, or a repeat would put it off."""
    switch = a_switch()
    verdict = switch.obey(order("trip", delay=5 * MINUTE), T0)
    assert isinstance(verdict, Obeyed)
    assert "delayed_trip" == verdict.execution
    assert (False, True, True) == (switch.contact_open, switch.command_open, switch.alarm)
    switch.obey(order("trip", delay=5 * MINUTE), T0 + 3 * MINUTE)
    switch.advance(T0 + 5 * HOUR)
    assert [(5 * MINUTE, True, "645", 1)] == moves(switch)
    assert not switch.alarm
    assert 2 == switch.memory.count("trip")
    assert T0 + 6 * MINUTE == switch.memory.moves[0].shown_at


def test_another_trip_takes_the_place_of_one_that_waits() -> None:
    """An order to open now would wait for the delay of an earlier one, or close again by itself."""
    switch = a_switch()
    switch.obey(replace(for_a_while("trip_auto_direct_close"), delay=HOUR), T0)
    switch.obey(order("trip"), T0 + MINUTE)
    switch.advance(T0 + 10 * HOUR)
    assert [(MINUTE, True, "645", 2)] == moves(switch)


@pytest.mark.parametrize("kind", ["direct_close", "permit_close", "guarantee_on"])
def test_a_trip_that_waits_is_taken_back(kind: Kind) -> None:
    """A customer who has paid would be cut off minutes later."""
    switch = a_switch()
    switch.obey(order("trip", delay=5 * MINUTE), T0)
    switch.obey(order(kind), T0 + MINUTE)
    switch.advance(T0 + HOUR)
    assert ([], State.CLOSED) == (moves(switch), switch.state)


def test_a_high_current_holds_a_trip_until_it_falls() -> None:
    """A contact would break more current than it can."""
    switch = a_switch(current_a=lambda at: Decimal(60 if at < T0 + 150 * timedelta(seconds=1) else 10))
    switch.trip_current_a, switch.trip_wait = Decimal(20), 10 * MINUTE
    verdict = switch.obey(order("trip"), T0)
    assert isinstance(verdict, Obeyed)
    assert "delayed_trip_current" == verdict.execution
    switch.advance(T0 + HOUR)
    assert [(3 * MINUTE, True, "645", 1)] == moves(switch)


def test_a_trip_is_held_no_longer_than_the_meter_holds_it() -> None:
    """A trip would never come while the load stays high; or a limit of nothing would hold every trip."""
    switch = a_switch(current_a=lambda _: Decimal(60))
    switch.trip_current_a, switch.trip_wait = Decimal(20), 150 * timedelta(seconds=1)
    switch.obey(order("trip", delay=MINUTE), T0)
    switch.advance(T0 + HOUR)
    assert [(MINUTE + 150 * timedelta(seconds=1), True, "645", 1)] == moves(switch)
    free = a_switch(current_a=lambda _: Decimal(60))
    free.obey(order("trip"), T0)
    assert free.contact_open


@pytest.mark.parametrize(
    ("kind", "has_key", "state"),
    [
        ("trip_auto_direct_close", True, State.CLOSED),
        ("trip_auto_permit_close", True, State.WAITS_FOR_KEY),
        ("trip_auto_permit_close", False, State.CLOSED),
    ],
)
def test_a_trip_for_a_while_ends(kind: Kind, has_key: bool, state: State) -> None:
    """A trip for 30 minutes would end at another time, or in another way than ordered."""
    switch = a_switch(CostControl(has_key=has_key))
    switch.obey(for_a_while(kind), T0)
    switch.advance(T0 + 30 * MINUTE - timedelta(microseconds=1))
    assert State.OPEN_FOR_A_WHILE is switch.state
    switch.advance(T0 + 30 * MINUTE)
    assert state is switch.state


def test_a_plain_trip_takes_the_automatic_close_away() -> None:
    """A contact that was ordered open would close by itself."""
    switch = a_switch()
    switch.obey(for_a_while("trip_auto_direct_close"), T0)
    switch.obey(order("trip"), T0 + MINUTE)
    switch.advance(T0 + 100 * HOUR)
    assert State.OPEN is switch.state


@pytest.mark.parametrize(
    ("state", "kind", "after"),
    [
        (State.TRIP_DELAYED, "trip", State.OPEN),
        (State.OPEN_FOR_A_WHILE, "trip_auto_direct_close", State.CLOSED),
        (State.OPEN_FOR_A_WHILE, "trip_auto_permit_close", State.WAITS_FOR_KEY),
    ],
)
def test_a_power_cut_ends_what_was_waiting(state: State, kind: Kind, after: State) -> None:
    """A meter would sleep through a cut as if it had not been, or act while it had no supply."""
    switch = a_switch()
    while_ = for_a_while(kind) if state is State.OPEN_FOR_A_WHILE else order(kind, delay=HOUR)
    switch.obey(while_, T0)
    assert state is switch.state
    switch.power_down(T0 + MINUTE)
    switch.advance(T0 + 3 * HOUR)
    assert state is switch.state
    assert not switch.press_key(T0 + 3 * HOUR)
    switch.power_up(T0 + 4 * HOUR)
    assert after is switch.state
    assert 4 * HOUR in {at for at, *_ in moves(switch)} or after is State.WAITS_FOR_KEY


def test_a_power_cut_changes_nothing_else() -> None:
    """A contact would move because the lights went out."""
    for state in (State.CLOSED, State.OPEN, State.WAITS_FOR_KEY):
        switch = put(a_switch(), state)
        switch.power_down(T0 + HOUR)
        switch.power_up(T0 + 2 * HOUR)
        assert state is switch.state


def test_a_guarantee_refuses_trips_and_its_end_allows_them() -> None:
    """A hospital would be cut off, or a guarantee would never end."""
    switch = a_switch()
    switch.obey(order("guarantee_on"), T0)
    assert Refusal(cause="trip_refused_guarantee") == switch.obey(order("trip"), T0 + MINUTE)
    timed = switch.obey(for_a_while("trip_auto_direct_close"), T0 + MINUTE)
    assert Refusal(cause="auto_trip_refused_guarantee") == timed
    assert "auto_trip_refused_guarantee" == switch.last_cause
    assert switch.guarantee
    switch.obey(order("guarantee_off"), T0 + HOUR)
    assert isinstance(switch.obey(order("trip"), T0 + HOUR), Obeyed)
    assert ["direct_trip", None] == [str(switch.last_execution), switch.last_cause]
    assert {"guarantee_on": 1, "guarantee_off": 1, "trip": 1} == switch.memory.counts()


@pytest.mark.parametrize(
    ("character", "after"),
    [
        (CostControl(guarantee_on="closes"), State.CLOSED),
        (CostControl(guarantee_on="permits"), State.WAITS_FOR_KEY),
        (CostControl(guarantee_on="permits", has_key=False), State.CLOSED),
        (CostControl(guarantee_on="cancels_trip"), State.OPEN),
    ],
)
def test_what_a_guarantee_does_to_an_open_contact(character: CostControl, after: State) -> None:
    """All meters would be of one kind, where real ones differ (fact 5)."""
    switch = a_switch(character)
    switch.obey(order("trip"), T0)
    switch.obey(order("guarantee_on"), T0 + HOUR)
    assert after is switch.state


def test_some_meters_say_that_they_obeyed_and_did_nothing() -> None:
    """Nobody could rehearse that 9C means received and not done (fact 4)."""
    switch = a_switch(CostControl(trip_under_guarantee="drops"))
    switch.obey(order("guarantee_on"), T0)
    assert isinstance(switch.obey(order("trip"), T0), Obeyed)
    assert (State.CLOSED, []) == (switch.state, moves(switch))
    switch = a_switch(CostControl(permits_local=False))
    switch.obey(order("trip", came_by="account"), T0)
    assert isinstance(switch.obey(order("permit_close"), T0), Obeyed)
    assert State.OPEN is switch.state


def test_the_alarm_is_not_harmless_everywhere() -> None:
    """Nobody could rehearse a meter that takes the alarm for a breaker (fact 8)."""
    meter, breaker = a_switch(), a_switch(CostControl(alarm_is_breaker=True))
    for switch in (meter, breaker):
        switch.obey(order("alarm_on"), T0)
    assert (State.CLOSED, True) == (meter.state, meter.alarm)
    assert State.OPEN is breaker.state
    breaker.obey(order("alarm_off"), T0)
    meter.obey(order("alarm_off"), T0)
    assert (State.CLOSED, False) == (breaker.state, meter.alarm)


def test_a_trip_for_no_time_is_refused() -> None:
    """A trip for a while without a while would never end."""
    switch = a_switch()
    for nothing in (None, timedelta()):
        verdict = switch.obey(order("trip_auto_direct_close", reclose_after=nothing), T0)
        assert Refusal(cause="auto_trip_zero_duration") == verdict
    assert () == switch.memory.controls


def test_times_have_limits() -> None:
    """A trip could wait or last for longer than any frame can say."""
    Command(kind="trip", delay=DELAY_MAX)
    Command(kind="trip_auto_direct_close", reclose_after=RECLOSE_MAX)
    with pytest.raises(ValueError, match="trip delay"):
        Command(kind="trip", delay=DELAY_MAX + MINUTE)
    with pytest.raises(ValueError, match="a trip for"):
        Command(kind="trip_auto_direct_close", reclose_after=RECLOSE_MAX + MINUTE)
    with pytest.raises(ValueError, match="delay"):
        Command(kind="trip", delay=-MINUTE)


def test_time_never_goes_back() -> None:
    """A switch would act before it was told to."""
    switch = a_switch()
    switch.advance(T0 + HOUR)
    with pytest.raises(TimeWentBack, match="never goes back"):
        switch.obey(order("trip"), T0)
    assert () == switch.memory.controls


def test_a_memory_at_its_limit_says_so_and_nothing_is_obeyed_unremembered() -> None:
    """A meter would do what it does not remember, or a count would leave controls out."""
    switch = a_switch(limit=2)
    switch.obey(order("trip"), T0)
    assert not switch.memory.is_full
    switch.obey(order("direct_close"), T0)
    assert switch.memory.is_full
    assert isinstance(switch.obey(order("trip"), T0), Refusal)
    assert (State.CLOSED, 2, 1) == (switch.state, len(switch.memory.controls), switch.memory.turned_away)
    with pytest.raises(MemoryFull, match="remembers 2 controls"):
        switch.memory.obeyed("trip", T0, came_by="645")
    for limit in (0, CONTROLS_MAX + 1):
        with pytest.raises(ValueError, match="a memory of"):
            ControlMemory(shows=lambda at: at, limit=limit)


def test_the_memory_answers_questions() -> None:
    """`Tripped exactly once` could not be asked of the meter."""
    switch = a_switch()
    switch.obey(order("trip", frame_id="F-1"), T0)
    switch.obey(order("direct_close"), T0 + HOUR)
    switch.obey(order("trip"), T0 + 2 * HOUR)
    memory = switch.memory
    assert (2, 1, 0) == (memory.count("trip"), memory.count("trip", since=T0 + MINUTE), memory.count("x"))
    assert 1 == memory.count("trip", since=T0 + HOUR)
    assert {"trip": 1} == memory.counts(since=T0 + 2 * HOUR)
    assert "F-1" == memory.controls[0].frame_id
    moves = [(move.opened, move.moved_at) for move in memory.moves]
    assert [(True, T0), (False, T0 + HOUR), (True, T0 + 2 * HOUR)] == moves


@dataclass(frozen=True)
class Happening:
    """Something that somebody does to a switch, some seconds after the one before."""

    after_s: int
    what: Kind | str
    delay_min: int
    while_min: int

    def happen(self, switch: Switch, at: datetime) -> Obeyed | Refusal | None:
        if self.what == "key":
            switch.press_key(at)
        elif self.what == "cut":
            switch.power_down(at)
            switch.power_up(at + timedelta(seconds=1))
        elif self.what in KINDS:
            timed = self.what.startswith("trip_auto")
            delay = self.delay_min * MINUTE if self.what.startswith("trip") else timedelta()
            reclose = self.while_min * MINUTE if timed else None
            return switch.obey(order(self.what, delay=delay, reclose_after=reclose), at)
        return None


happenings = st.lists(
    st.builds(
        Happening,
        after_s=st.integers(2, 1000),
        what=st.sampled_from([*KINDS, "key", "cut"]),
        delay_min=st.integers(0, 9),
        while_min=st.integers(0, 20),
    ),
    max_size=30,
)
characters = st.builds(
    CostControl,
    has_key=st.booleans(),
    guarantee_on=st.sampled_from(["closes", "permits", "cancels_trip"]),
    trip_under_guarantee=st.sampled_from(["refuses", "drops"]),
    permits_local=st.booleans(),
    alarm_is_breaker=st.booleans(),
)


def waves(at: datetime) -> Decimal:
    """A current that is too high for three minutes out of seven."""
    return Decimal(60 if ((at - T0) // MINUTE) % 7 < 3 else 10)


def played(
    character: CostControl, story: Iterable[Happening], *, look_every: timedelta | None
) -> tuple[Switch, list[Obeyed | Refusal | None]]:
    switch = a_switch(character, current_a=waves)
    switch.trip_current_a, switch.trip_wait = Decimal(20), 5 * MINUTE
    at, verdicts = T0, []
    for one in story:
        until = at + timedelta(seconds=one.after_s)
        while look_every is not None and at + look_every < until:
            at += look_every
            switch.advance(at)
        at = until
        verdicts.append(one.happen(switch, at))
    switch.advance(at + 2 * HOUR)
    return switch, verdicts


@given(characters, happenings)
def test_laziness_cannot_be_seen(character: CostControl, story: list[Happening]) -> None:
    """What a meter did would depend on who asked it when."""
    lazy, said_lazily = played(character, story, look_every=None)
    eager, said_eagerly = played(character, story, look_every=timedelta(seconds=17))
    assert lazy.memory.moves == eager.memory.moves
    assert lazy.memory.controls == eager.memory.controls
    assert said_lazily == said_eagerly
    assert lazy.state is eager.state


@given(characters, happenings)
def test_what_is_obeyed_is_remembered_exactly_once(character: CostControl, story: list[Happening]) -> None:
    """A control would be obeyed and forgotten, remembered twice, or the contact would move by itself."""
    switch, verdicts = played(character, story, look_every=None)
    numbers = [one.number for one in verdicts if isinstance(one, Obeyed)]
    assert numbers == [control.number for control in switch.memory.controls]
    assert numbers == list(range(1, len(numbers) + 1))
    opened = [move.opened for move in switch.memory.moves]
    assert opened == [place % 2 == 0 for place in range(len(opened))]
    assert switch.contact_open == (len(opened) % 2 == 1)
    assert all(move.control in numbers for move in switch.memory.moves)
    assert in_order(switch.memory.moves)
    assert len(opened) <= 3 * len(numbers)


def in_order(moves: tuple[Move, ...]) -> bool:
    times = [move.moved_at for move in moves]
    return times == sorted(times)
