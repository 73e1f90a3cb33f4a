"""An order with its places in the log, which no setting of a clock changes; and what cut somebody off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from meterlink.model.act import Act, KeptAct
from meterlink.model.order import CLOSES
from meterlink.orders.life.life import Life
from meterlink.orders.life.machine import MAYBE, Signal

NOT_NEEDED: Final = frozenset({"NEED-01"})
"""What alone stops a closing at a meter that shows itself closed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """One order with all of its acts.

    Args:
        life: what they make of it.
        acts: at least its creation, in order.

    """

    life: Life
    acts: tuple[KeptAct, ...]

    @property
    def ordered_at(self) -> int:
        """Number in the log of its creation."""
        return self.acts[0].number

    @property
    def sent(self) -> list[KeptAct]:
        """The acts by which its frames left."""
        return [kept for kept in self.acts if kept.act.verb == Signal.INTEND]

    @property
    def place(self) -> int:
        """Where in the log it did the newest thing to its meter; if it did nothing, where it begins."""
        return max((kept.number for kept in self.sent), default=self.ordered_at)


def last_cut(lives: Sequence[Life]) -> Life | None:
    """The newest thing that we did to the switch of a meter, if it may have cut somebody off; else ``None``.

    Args:
        lives: every order that the meter ever had, as ``Book.of_meter`` orders them.

    """
    switched = [
        life for life in lives if life.transmissions and (life.may_have_cut or _may_have_closed(life))
    ]
    return switched[-1] if switched and switched[-1].may_have_cut else None


def cut_of(histories: Sequence[History]) -> History | None:
    """The same with its places in the log."""
    cut = last_cut([one.life for one in histories])
    return next((one for one in histories if one.life is cut), None)


def _may_have_closed(life: Life) -> bool:
    return life.order.kind in CLOSES and life.state in MAYBE and life.finding_of_two != "not_done"


def stopped_by(act: Act) -> frozenset[str]:
    """The rules that an act says have stopped its order."""
    return frozenset(one["rule"] for one in act.body.get("rules", ()) if not one["passed"])
