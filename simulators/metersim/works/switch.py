"""The switch of a meter: commands and time in, a contact that opens and closes out. No clock, no I/O.

The contact and the command are two things. What was ordered last is the command; where the contact stands
follows it when it can: a trip may wait for its delay, or while more current flows than the contact should
break; a close that is only permitted waits for somebody at the meter who presses the key. The six states are
what the two can be together:

======================  =======  =======  =====================================================
state                   contact  command  leaves by itself
======================  =======  =======  =====================================================
CLOSED                  closed   closed   never
TRIP_DELAYED            closed   open     when its delay is over: opens, or is held
TRIP_HELD               closed   open     when the current is low enough, or it was held for long
OPEN                    open     open     never
OPEN_FOR_A_WHILE        open     open     when its while is over: closes, or permits it (1D, 1E)
WAITS_FOR_KEY           open     closed   never; the key closes it
======================  =======  =======  =====================================================

Commands become signals by the meter's character (`CostControl`): without a key a permit is a close. What is
not in ``TRANSITIONS`` cannot happen: a trip for a while of an open contact is refused, a key that nobody
waits for does nothing. The guarantee and the alarm are beside the states. Time comes in with every call and
never goes back; what is due in between happens at its own instant, however late somebody asks.

A trip whose current is too high looks again each minute, and opens all the same once it was held as long as
the meter holds it. A power cut stops everything; when power comes back, a trip that waited opens, and a
trip for a while is over.
Source: control-and-prepayment, 1.2, 1.4, 1.5, 4.1, 4.2 and "The ten facts".
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.works.cost_control import REMOTE, CostControl
from metersim.works.memory import LOCAL_CAUSE, CameBy, ControlMemory
from metersim.works.orders import (
    DELAY_MAX,
    KINDS,
    RECLOSE_MAX,
    Cause,
    Command,
    Execution,
    Kind,
    Obeyed,
    Refusal,
)

__all__ = [
    "DELAY_MAX",
    "KINDS",
    "RECLOSE_MAX",
    "TRANSITIONS",
    "Cause",
    "Command",
    "Execution",
    "Kind",
    "Obeyed",
    "Refusal",
    "Signal",
    "State",
    "Switch",
    "TimeWentBack",
]

LOOK_EVERY: Final = timedelta(minutes=1)
"""How often a trip that is held looks whether the current has fallen."""

_TIMED: Final[dict[Kind, Kind]] = {
    "trip_auto_direct_close": "direct_close",
    "trip_auto_permit_close": "permit_close",
}
"""A trip for a while, and what ends it."""
_SAID: Final[dict[Kind, Execution]] = {
    "trip": "direct_trip",
    "trip_auto_direct_close": "auto_trip",
    "trip_auto_permit_close": "auto_trip",
    "permit_close": "permit_close",
    "direct_close": "direct_close",
    "alarm_on": "alarm_on",
    "alarm_off": "alarm_off",
    "guarantee_on": "guarantee_on",
    "guarantee_off": "guarantee_off",
}
"""What a meter says that does nothing."""


class State(enum.Enum):
    """Where contact and command stand."""

    CLOSED = "closed"
    TRIP_DELAYED = "trip delayed"
    TRIP_HELD = "trip held by the current"
    OPEN = "open"
    OPEN_FOR_A_WHILE = "open for a while"
    WAITS_FOR_KEY = "waits for the key"


class Signal(enum.Enum):
    """What can happen to a switch."""

    DELAY = "a trip that waits for its delay"
    HOLD = "a trip that the current holds"
    OPEN = "a trip"
    OPEN_FOR_A_WHILE = "a trip for a while"
    PERMIT = "closing permitted"
    CLOSE = "close"
    KEY = "key pressed"
    DROP = "whatever waits to trip is dropped"


_CLOSING = {Signal.PERMIT: State.WAITS_FOR_KEY, Signal.CLOSE: State.CLOSED}
_DROPPED = dict.fromkeys((Signal.PERMIT, Signal.CLOSE, Signal.DROP), State.CLOSED)
_OPENING = {Signal.OPEN: State.OPEN, Signal.OPEN_FOR_A_WHILE: State.OPEN_FOR_A_WHILE}

TRANSITIONS: Final[dict[State, dict[Signal, State]]] = {
    State.CLOSED: {
        **_OPENING,
        **_DROPPED,
        Signal.DELAY: State.TRIP_DELAYED,
        Signal.HOLD: State.TRIP_HELD,
    },
    State.TRIP_DELAYED: {
        **_OPENING,
        **_DROPPED,
        Signal.DELAY: State.TRIP_DELAYED,
        Signal.HOLD: State.TRIP_HELD,
    },
    State.TRIP_HELD: {**_OPENING, **_DROPPED},
    State.OPEN: {**_CLOSING, Signal.OPEN: State.OPEN, Signal.DROP: State.OPEN},
    State.OPEN_FOR_A_WHILE: {
        **_CLOSING,
        Signal.OPEN: State.OPEN,  # a plain trip takes the automatic close away
        Signal.DROP: State.OPEN_FOR_A_WHILE,
    },
    State.WAITS_FOR_KEY: {
        **_CLOSING,
        Signal.OPEN: State.OPEN,
        Signal.KEY: State.CLOSED,
        Signal.DROP: State.WAITS_FOR_KEY,
    },
}

CONTACT_OPEN: Final = frozenset({State.OPEN, State.OPEN_FOR_A_WHILE, State.WAITS_FOR_KEY})
COMMAND_OPEN: Final = frozenset({State.TRIP_DELAYED, State.TRIP_HELD, State.OPEN, State.OPEN_FOR_A_WHILE})
_WAITING: Final = frozenset({State.TRIP_DELAYED, State.TRIP_HELD})


class TimeWentBack(ValueError):
    """Somebody asked for a time before the last one."""


class Switch:
    """The switch of one meter.

    Args:
        memory: takes every command that it obeys, and every move of its contact.
        since: when the meter was first switched on, aware; the contact is closed.
        character: what this kind of meter does.
        moved: told of every move, ``(at, opened)``.
        current_a: the largest current of a phase at a time, in A, as the meter measures it.

    Attributes:
        trip_delay: how long a trip of DL/T 645 waits, as the meter is set (04001401).
        trip_current_a: a trip waits while more than that flows (04001402); 0: never.
        trip_wait: how long it waits at most (04001403).
        last_execution: how the last command was carried out that it obeyed.
        last_cause: why the last command was refused, since the last one that it obeyed.

    """

    def __init__(
        self,
        *,
        memory: ControlMemory,
        since: datetime,
        character: CostControl = REMOTE,
        moved: Callable[[datetime, bool], None] = lambda _at, _opened: None,
        current_a: Callable[[datetime], Decimal] = lambda _at: Decimal(),
    ) -> None:
        self.character = character
        self.memory = memory
        self.trip_delay = timedelta()
        self.trip_current_a = Decimal()
        self.trip_wait = timedelta()
        self.last_execution: Execution | None = None
        self.last_cause: Cause | None = None
        self._moved = moved
        self._current_a = current_a
        self._state = State.CLOSED
        self._now = since
        self._due_at: datetime | None = None  # when it leaves the state by itself, or looks at the current
        self._held_until = since
        self._alarm = False
        self._guarantee = False
        self._carry: Callable[[datetime], None] = self.step
        self._has_power = True
        self._order: Command | None = None  # the trip that waits or holds the contact open
        self._number: int | None = None  # of the control that led to the present state

    @property
    def state(self) -> State:
        """Where it stands, as of the last advance."""
        return self._state

    @property
    def contact_open(self) -> bool:
        """Whether the contact is open."""
        return self._state in CONTACT_OPEN

    @property
    def command_open(self) -> bool:
        """Whether the last command was to open."""
        return self._state in COMMAND_OPEN

    @property
    def waits_for_key(self) -> bool:
        """Whether a press of the key would close the contact."""
        return self._state is State.WAITS_FOR_KEY

    @property
    def alarm(self) -> bool:
        """Whether it warns of a trip: it was told to, or the delay of a trip is running."""
        return self._alarm or self._state is State.TRIP_DELAYED

    @property
    def guarantee(self) -> bool:
        """Whether power is guaranteed."""
        return self._guarantee

    @property
    def has_power(self) -> bool:
        """Whether the meter is supplied."""
        return self._has_power

    @property
    def opened_by(self) -> CameBy | None:
        """Who ordered the trip that waits or holds the contact open; ``None``: no trip does."""
        return self._order.came_by if self._order and self.command_open else None

    @property
    def due_at(self) -> datetime | None:
        """When it will next change or look by itself; ``None``: never."""
        return self._due_at if self._has_power else None

    def carried_by(self, carry: Callable[[datetime], None]) -> None:
        """Let somebody else carry it through time, who calls `step`: an account, which may trip it."""
        self._carry = carry

    def advance(self, at: datetime) -> None:
        """Let everything happen that is due up to ``at``, each thing at its own instant.

        Raises:
            TimeWentBack: ``at`` is before the last time.

        """
        self._carry(at)

    def step(self, at: datetime) -> None:
        """`advance` of the switch alone.

        Raises:
            TimeWentBack: as said.

        """
        if at < self._now:
            raise TimeWentBack(f"{at.isoformat()} is before {self._now.isoformat()}; time never goes back")
        while (due := self.due_at) is not None and due <= at:
            self._now = due
            self._due_at = None
            self._leave(due)
        self._now = at

    def obey(self, command: Command, at: datetime) -> Obeyed | Refusal:
        """Take a command.

        Args:
            command: the order.
            at: true time, not before the last one.

        Raises:
            TimeWentBack: as said.

        """
        self.advance(at)
        verdict = self.take(command)
        self.advance(at)  # what follows from it at once
        return verdict

    def take(self, command: Command) -> Obeyed | Refusal:
        """Take a command at the time to which it was brought; `obey` is for everybody but its account."""
        at = self._now
        if (cause := self._objection(command)) is not None:
            return self.refuse(cause)
        if self.character.only_answers:
            return Obeyed(execution=_SAID[command.kind], number=0)
        number = self.memory.obeyed(
            command.kind,
            at,
            came_by=command.came_by,
            operator=command.operator,
            frame_id=command.frame_id,
            details=_details(command),
        )
        self.last_cause = None
        self.last_execution = self._carry_out(command, number, at)
        return Obeyed(execution=self.last_execution, number=number)

    def refuse(self, cause: Cause) -> Refusal:
        """Refuse a command, also one whose seal or password was wrong before anybody looked inside."""
        self.last_cause = cause
        return Refusal(cause=cause)

    def press_key(self, at: datetime) -> bool:
        """Press the key at the meter; whether that closed the contact."""
        self.advance(at)
        if not self._has_power or Signal.KEY not in TRANSITIONS[self._state]:
            return False
        self._signal(Signal.KEY, at, came_by="key")
        self.advance(at)
        return True

    def power_down(self, at: datetime) -> None:
        """Supply is cut; until it is back nothing happens."""
        self.advance(at)
        self._has_power = False

    def power_up(self, at: datetime) -> None:
        """Supply is back: a trip that waited opens now, and a trip for a while is over."""
        self.advance(at)
        self._has_power = True
        if self._state in _WAITING:
            self._due_at = None
            self._open(at)
        elif self._state is State.OPEN_FOR_A_WHILE:
            self._due_at = None
            self._reclose(at, came_by="power_up")
        self.advance(at)

    def _objection(self, command: Command) -> Cause | None:
        """Why the command is not obeyed; the first reason counts."""
        timed = command.kind in _TIMED
        guarded = self._guarantee and self.character.trip_under_guarantee == "refuses"
        if self.memory.is_full:
            self.memory.turn_away()
            return "password_or_unauthorised"  # the bit that also says "anything else"
        if timed and guarded:
            return "auto_trip_refused_guarantee"
        if timed and not command.reclose_after:
            return "auto_trip_zero_duration"
        if timed and self.contact_open:
            return "auto_trip_already_tripped"
        return "trip_refused_guarantee" if command.kind == "trip" and guarded else None

    def _carry_out(self, command: Command, number: int, at: datetime) -> Execution:
        match command.kind:
            case "trip" | "trip_auto_direct_close" | "trip_auto_permit_close":
                return self._trip(command, number, at)
            case "direct_close":
                self._signal(Signal.CLOSE, at, by=command, number=number)
                return "direct_close"
            case "permit_close":
                if (
                    self.opened_by != "account"
                    or self.character.permits_local
                    or command.came_by == "account"
                ):
                    self._signal(self._permit, at, by=command, number=number)
                return "permit_close"
            case "alarm_on" | "alarm_off":
                return self._set_alarm(command, number, at)
            case "guarantee_on":
                self._guarantee = True
                self._signal(self._guaranteed, at, by=command, number=number)
                return "guarantee_on"
            case "guarantee_off":
                self._guarantee = False
                if self.character.guarantee_off == "opens":
                    self._signal(Signal.OPEN, at, by=command, number=number)
                return "guarantee_off"

    @property
    def _permit(self) -> Signal:
        return Signal.PERMIT if self.character.has_key else Signal.CLOSE

    @property
    def _guaranteed(self) -> Signal:
        """What the beginning of a guarantee is to the state."""
        if self._state in _WAITING or self.character.guarantee_on == "cancels_trip":
            return Signal.DROP
        return Signal.CLOSE if self.character.guarantee_on == "closes" else self._permit

    def _set_alarm(self, command: Command, number: int, at: datetime) -> Execution:
        on = command.kind == "alarm_on"
        self._alarm = on
        if self.character.alarm_is_breaker and not (on and self._guarantee):
            self._signal(Signal.OPEN if on else Signal.CLOSE, at, by=command, number=number)
        return "alarm_on" if on else "alarm_off"

    def _trip(self, order: Command, number: int, at: datetime) -> Execution:
        if self._guarantee:  # a meter that says that it obeyed
            return "direct_trip"
        if not self._is_repeat(order, at):
            self._order, self._number = order, number
            if self.contact_open:
                self._signal(Signal.OPEN, at, by=order, number=number)
            elif self._state is not State.TRIP_HELD:  # else it goes on looking, for as long as it would have
                self._wait_or_open(order, at)
        return self._trip_execution()

    def _wait_or_open(self, order: Command, at: datetime) -> None:
        if order.delay:
            self._signal(Signal.DELAY, at, by=order, number=self._number)
            self._due_at = at + order.delay
        elif self._is_too_much(at):
            self._hold(at)
        else:
            self._open(at)

    def _trip_execution(self) -> Execution:
        """How a trip is carried out, by where it led."""
        if self._state is State.TRIP_DELAYED:
            return "delayed_trip"
        if self._state is State.TRIP_HELD:
            return "delayed_trip_current"
        return "auto_trip" if self._state is State.OPEN_FOR_A_WHILE else "direct_trip"

    def _is_repeat(self, order: Command, at: datetime) -> bool:
        """Whether the same is already waiting, and would open no later: a repeat postpones nothing."""
        if self._state not in _WAITING or self._order is None or self._order.kind != order.kind:
            return False
        return self._state is State.TRIP_HELD or (
            self._due_at is not None and self._due_at <= at + order.delay
        )

    def _leave(self, at: datetime) -> None:
        """What was due is due."""
        if self._state is State.OPEN_FOR_A_WHILE:
            self._reclose(at, came_by="timer")
        elif self._state is State.TRIP_DELAYED and self._is_too_much(at):
            self._hold(at)
        elif self._state is State.TRIP_HELD and at < self._held_until and self._is_too_much(at):
            self._due_at = min(at + LOOK_EVERY, self._held_until)
        else:
            self._open(at)

    def _is_too_much(self, at: datetime) -> bool:
        """Whether a trip would have to break more current than the contact should."""
        guarded = self.trip_current_a > 0 and self.trip_wait > timedelta()
        return guarded and self._current_a(at) > self.trip_current_a

    def _hold(self, at: datetime) -> None:
        self._signal(Signal.HOLD, at, by=self._order, number=self._number)
        self._held_until = at + self.trip_wait
        self._due_at = min(at + LOOK_EVERY, self._held_until)

    def _open(self, at: datetime) -> None:
        order = self._order
        assert order is not None, "nothing opens without an order"
        timed = order.kind in _TIMED
        signal = Signal.OPEN_FOR_A_WHILE if timed else Signal.OPEN
        self._signal(signal, at, by=order, number=self._number)
        if timed and order.reclose_after is not None:
            self._due_at = at + order.reclose_after

    def _reclose(self, at: datetime, *, came_by: CameBy) -> None:
        order = self._order
        assert order is not None, "what is open for a while was ordered"
        signal = Signal.CLOSE if _TIMED[order.kind] == "direct_close" else self._permit
        self._signal(signal, at, came_by=came_by)

    def _signal(
        self,
        signal: Signal,
        at: datetime,
        *,
        by: Command | None = None,
        number: int | None = None,
        came_by: CameBy = "645",
    ) -> None:
        """Go where the table says; what waited in the old state waits no more if the new one is another."""
        was_open = self.contact_open
        before, self._state = self._state, TRANSITIONS[self._state][signal]
        if self._state is not before:
            self._due_at = None
        if by is not None:
            self._number = number if self._state is not before or signal is Signal.OPEN else self._number
            if signal in {Signal.OPEN, Signal.OPEN_FOR_A_WHILE}:
                self._order = by
        if self.contact_open != was_open:
            self._tell(at, by, came_by)
        if not self.command_open:
            self._order = None

    def _tell(self, at: datetime, by: Command | None, came_by: CameBy) -> None:
        self.memory.moved(
            opened=self.contact_open,
            at=at,
            came_by=by.came_by if by else came_by,
            operator=by.operator if by else LOCAL_CAUSE,
            control=self._number,
        )
        self._moved(at, self.contact_open)


def _details(command: Command) -> dict[str, str]:
    found = {}
    if command.delay:
        found["delay_s"] = str(int(command.delay.total_seconds()))
    if command.reclose_after is not None:
        found["reclose_after_s"] = str(int(command.reclose_after.total_seconds()))
    return found
