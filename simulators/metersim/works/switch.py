"""The switch of a meter: commands in, a contact that opens and closes out. No clock, no I/O.

Commands become signals by the meter's character (`CostControl`): without a key a permit is a close. Where
contact and command stand is the table's (`switch_table`), what comes with time the contact's (`contact`);
the guarantee and the alarm are beside the states.
Source: control-and-prepayment, 1.2, 1.4, 1.5, 4.1, 4.2 and "The ten facts".
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from metersim.works.contact import TIMED, Contact, TimeWentBack
from metersim.works.cost_control import REMOTE, CostControl
from metersim.works.memory import ControlMemory
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
from metersim.works.switch_table import COMMAND_OPEN, CONTACT_OPEN, TRANSITIONS, WAITING, Signal, State

__all__ = [
    "COMMAND_OPEN",
    "CONTACT_OPEN",
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


class Switch(Contact):
    """The switch of one meter.

    Args:
        memory: takes every command that it obeys, and every move of its contact.
        since: when the meter was first switched on, aware; the contact is closed.
        character: what this kind of meter does.
        moved: told of every move, ``(at, opened)``.
        current_a: the largest current of a phase at a time, in A, as the meter measures it.

    Attributes:
        trip_delay: how long a trip of DL/T 645 waits, as the meter is set (04001401).
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
        super().__init__(memory=memory, since=since, character=character, moved=moved, current_a=current_a)
        self.trip_delay = timedelta()
        self.last_execution: Execution | None = None
        self.last_cause: Cause | None = None
        self._alarm = False
        self._guarantee = False

    @property
    def alarm(self) -> bool:
        """Whether it warns of a trip: it was told to, or the delay of a trip is running."""
        return self._alarm or self._state is State.TRIP_DELAYED

    @property
    def guarantee(self) -> bool:
        """Whether power is guaranteed."""
        return self._guarantee

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

    def _objection(self, command: Command) -> Cause | None:
        """Why the command is not obeyed; the first reason counts."""
        timed = command.kind in TIMED
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
                # Under a guarantee a meter that does not refuse says that it obeyed, and does nothing.
                return "direct_trip" if self._guarantee else self._trip(command, number, at)
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
    def _guaranteed(self) -> Signal:
        """What the beginning of a guarantee is to the state."""
        if self._state in WAITING or self.character.guarantee_on == "cancels_trip":
            return Signal.DROP
        return Signal.CLOSE if self.character.guarantee_on == "closes" else self._permit

    def _set_alarm(self, command: Command, number: int, at: datetime) -> Execution:
        on = command.kind == "alarm_on"
        self._alarm = on
        if self.character.alarm_is_breaker and not (on and self._guarantee):
            self._signal(Signal.OPEN if on else Signal.CLOSE, at, by=command, number=number)
        return "alarm_on" if on else "alarm_off"


def _details(command: Command) -> dict[str, str]:
    found = {}
    if command.delay:
        found["delay_s"] = str(int(command.delay.total_seconds()))
    if command.reclose_after is not None:
        found["reclose_after_s"] = str(int(command.reclose_after.total_seconds()))
    return found
