"""The contact of a switch: trips, permits and time in, a contact that opens and closes out. No clock, no I/O.

It follows `TRANSITIONS`. Time comes in with every call and never goes back; what is due in between happens
at its own instant, however late somebody asks. A trip whose current is too high looks again each minute, and
opens all the same once it was held as long as the meter holds it. A power cut stops everything; when power
comes back, a trip that waited opens, and a trip for a while is over.
Source: control-and-prepayment, 1.2, 1.4, 1.5 and "The ten facts".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.works.cost_control import CostControl
from metersim.works.memory import LOCAL_CAUSE, CameBy, ControlMemory
from metersim.works.orders import Command, Execution, Kind
from metersim.works.switch_table import COMMAND_OPEN, CONTACT_OPEN, TRANSITIONS, WAITING, Signal, State

LOOK_EVERY: Final = timedelta(minutes=1)
"""How often a trip that is held looks whether the current has fallen."""

TIMED: Final[dict[Kind, Kind]] = {
    "trip_auto_direct_close": "direct_close",
    "trip_auto_permit_close": "permit_close",
}
"""A trip for a while, and what ends it."""


class TimeWentBack(ValueError):
    """Somebody asked for a time before the last one."""


class Contact:
    """The contact of one meter, and the command that it follows.

    Args:
        memory: takes every move.
        since: when the meter was first switched on, aware; the contact is closed.
        character: what this kind of meter does: whether a close that is permitted waits for the key.
        moved: told of every move, ``(at, opened)``.
        current_a: the largest current of a phase at a time, in A, as the meter measures it.

    Attributes:
        trip_current_a: a trip waits while more than that flows (04001402); 0: never.
        trip_wait: how long it waits at most (04001403).

    """

    def __init__(
        self,
        *,
        memory: ControlMemory,
        since: datetime,
        character: CostControl,
        moved: Callable[[datetime, bool], None],
        current_a: Callable[[datetime], Decimal],
    ) -> None:
        self.character = character
        self.memory = memory
        self.trip_current_a = Decimal()
        self.trip_wait = timedelta()
        self._moved = moved
        self._current_a = current_a
        self._state = State.CLOSED
        self._now = since
        self._due_at: datetime | None = None  # when it leaves the state by itself, or looks at the current
        self._held_until = since
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
        if self._state in WAITING:
            self._due_at = None
            self._open(at)
        elif self._state is State.OPEN_FOR_A_WHILE:
            self._due_at = None
            self._reclose(at, came_by="power_up")
        self.advance(at)

    @property
    def _permit(self) -> Signal:
        return Signal.PERMIT if self.character.has_key else Signal.CLOSE

    def _trip(self, order: Command, number: int, at: datetime) -> Execution:
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
        if self._state not in WAITING or self._order is None or self._order.kind != order.kind:
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
        timed = order.kind in TIMED
        signal = Signal.OPEN_FOR_A_WHILE if timed else Signal.OPEN
        self._signal(signal, at, by=order, number=self._number)
        if timed and order.reclose_after is not None:
            self._due_at = at + order.reclose_after

    def _reclose(self, at: datetime, *, came_by: CameBy) -> None:
        order = self._order
        assert order is not None, "what is open for a while was ordered"
        signal = Signal.CLOSE if TIMED[order.kind] == "direct_close" else self._permit
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
