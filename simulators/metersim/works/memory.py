"""What a meter remembers of its switch and wallet: each control that it obeyed, each move of the contact.

Nothing is ever taken out or changed, and there is no secret in it. So "this meter tripped exactly once" is
asked of the meter itself. A control is an order that was obeyed, also one that changed nothing (a second trip
of an open contact); a move is a change of the contact, and says which control led to it. The memory has an
end: a meter whose memory is full obeys no more, rather than do what it cannot account for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final, Literal

from metersim.works.clock import MeterClock

CONTROLS_MAX: Final = 10_000
"""Controls that a meter remembers; it obeys no more of them. Moves follow from controls, three at most."""
LOCAL_CAUSE: Final = "00000000"
"""Operator code of what nobody ordered. Source: control-and-prepayment, 1.5."""

TRIED_FOR: Final = timedelta(minutes=1)

CameBy = Literal["645", "698.45", "key", "account", "timer", "power_up", "guarantee", "factory"]
"""How an order came, or what moved the contact without one."""
_NO_DETAILS: Final[Mapping[str, str]] = MappingProxyType({})


class MemoryFull(ValueError):
    """There is no room for another control."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One order that was obeyed.

    Args:
        number: from 1, without gaps.
        kind: a kind of `metersim.works.switch.Command`, or ``top_up``, ``open_account``, ``refund``,
            ``initialise``.
        obeyed_at: true time.
        shown_at: what the meter's own clock showed.
        came_by: how the order came.
        operator: operator code, 8 hexadecimal digits.
        frame_id: what the sender of the frame called it, where anybody did.
        details: what else there is to say, e.g. ``{"execution": "delayed_trip"}``; never a secret.
        meter_number: of the meter that obeyed it, as another one may hang at its place since.

    """

    number: int
    kind: str
    obeyed_at: datetime
    shown_at: datetime
    came_by: CameBy
    operator: str
    frame_id: str | None = None
    details: Mapping[str, str] = field(default_factory=lambda: _NO_DETAILS)
    meter_number: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """The contact moved.

    Args:
        opened: whether it opened; otherwise it closed.
        moved_at: true time.
        shown_at: what the meter's own clock showed.
        came_by: what moved it in the end; of an order that was carried out, how that came.
        operator: operator code as the meter records it; ``LOCAL_CAUSE`` where nobody ordered it.
        control: number of the control that led to it; ``None``: none did.

    """

    opened: bool
    moved_at: datetime
    shown_at: datetime
    came_by: CameBy
    operator: str = LOCAL_CAUSE
    control: int | None = None


class ControlMemory:
    """What one meter obeyed, oldest first.

    Args:
        shows: what the meter's clock shows at a time.
        limit: most controls, 1 to `CONTROLS_MAX`.
        moves: how the contact moved before anybody asked, e.g. when it was tried in the factory.
        meter_number: of the meter that hangs there now.
        tells_moves: whether the meter makes records of its moves.

    Raises:
        ValueError: ``limit`` is out of range.

    """

    def __init__(
        self,
        *,
        shows: Callable[[datetime], datetime],
        limit: int = CONTROLS_MAX,
        moves: Iterable[Move] = (),
        meter_number: Callable[[], str] = str,
        tells_moves: bool = True,
    ) -> None:
        if not 1 <= limit <= CONTROLS_MAX:
            raise ValueError(f"a memory of {limit} controls: 1 to {CONTROLS_MAX}")
        self._shows = shows
        self._limit = limit
        self._controls: list[Control] = []
        self._moves = list(moves)
        self._meter_number = meter_number
        self.tells_moves = tells_moves
        self._turned_away = 0

    @property
    def controls(self) -> tuple[Control, ...]:
        """Every order that was obeyed, oldest first."""
        return tuple(self._controls)

    @property
    def moves(self) -> tuple[Move, ...]:
        """Every move of the contact, oldest first."""
        return tuple(self._moves)

    @property
    def is_full(self) -> bool:
        """Whether there is no room for another control."""
        return len(self._controls) >= self._limit

    @property
    def turned_away(self) -> int:
        """Controls that were not obeyed because the memory was full."""
        return self._turned_away

    def turn_away(self) -> None:
        """Count a control that is not obeyed for want of room."""
        self._turned_away += 1

    def obeyed(
        self,
        kind: str,
        at: datetime,
        *,
        came_by: CameBy,
        operator: str = LOCAL_CAUSE,
        frame_id: str | None = None,
        details: Mapping[str, str] = _NO_DETAILS,
    ) -> int:
        """Remember an order that is obeyed now.

        Returns:
            its number.

        Raises:
            MemoryFull: there is no room; whoever obeys asks `is_full` before.

        """
        if self.is_full:
            self.turn_away()
            raise MemoryFull(f"the meter remembers {self._limit} controls and obeys no more; build it anew")
        number = len(self._controls) + 1
        self._controls.append(
            Control(
                number=number,
                kind=kind,
                obeyed_at=at,
                shown_at=self._shows(at),
                came_by=came_by,
                operator=operator,
                frame_id=frame_id,
                details=MappingProxyType(dict(details)),
                meter_number=self._meter_number(),
            )
        )
        return number

    def moved(
        self, *, opened: bool, at: datetime, came_by: CameBy, operator: str, control: int | None
    ) -> None:
        """Remember that the contact moved."""
        self._moves.append(
            Move(
                opened=opened,
                moved_at=at,
                shown_at=self._shows(at),
                came_by=came_by,
                operator=operator,
                control=control,
            )
        )

    def count(self, kind: str, *, since: datetime | None = None) -> int:
        """How many orders of ``kind`` were obeyed.

        Args:
            kind: as in `Control`.
            since: only those at this true time or later.

        """
        return sum(one.kind == kind and (since is None or one.obeyed_at >= since) for one in self._controls)

    def counts(self, *, since: datetime | None = None) -> dict[str, int]:
        """How many of each kind were obeyed; kinds that never were are not there."""
        kinds = dict.fromkeys(one.kind for one in self._controls)
        counted = {kind: self.count(kind, since=since) for kind in kinds}
        return {kind: count for kind, count in counted.items() if count}


def trial_of_relay(clock: MeterClock) -> tuple[Move, Move]:
    """When a meter was first switched on, its relay was tried: it opened, and closed a minute later."""
    opened_at, closed_at = clock.since, clock.since + TRIED_FOR
    return (
        Move(opened=True, moved_at=opened_at, shown_at=clock.shows(opened_at), came_by="factory"),
        Move(opened=False, moved_at=closed_at, shown_at=clock.shows(closed_at), came_by="factory"),
    )
