"""What somebody asked for and did not get, before there was an order: a row of the day. Source: AUD-04."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import BusFull, NotAllowed, StepTaken, with_chinese
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.people import Actor

TRIES_MAX: Final = 8
"""Others may write a row of the same day at the same time."""
ASKED_MAX: Final = 64
"""Characters of an id, which may be anything here."""


def no_role(name: str, deed: str) -> NotAllowed:
    """What somebody is told who holds no role for what he wants.

    Args:
        name: who.
        deed: what, as it stands in the log.

    """
    error = NotAllowed(f"{name} holds no role that may {deed}", why="role")
    return with_chinese(error, f"{name}没有可执行该操作({deed})的角色")


class Accesses:
    """The rows of what was refused, one subject a day.

    Args:
        acts: the log.
        clock: the time.

    """

    def __init__(self, acts: ActLog, clock: Clock) -> None:
        self._acts = acts
        self._clock = clock
        self._day = ""
        self._step = 0

    async def refused(
        self, actor: Actor, asked: str, meter: str, deed: str, rules: Sequence[Mapping[str, Any]]
    ) -> None:
        """Write down a no.

        Args:
            actor: who asked.
            asked: for which order.
            meter: of which meter.
            deed: what.
            rules: their verdicts; empty: a role was missing.

        Raises:
            JournalError, BusFull: it was not written.

        """
        now = self._clock.utc_now()
        day = now.astimezone(CHINA_TIME).date().isoformat()
        for _ in range(TRIES_MAX):
            if day != self._day:
                self._day, self._step = day, len(await self._acts.of_subject(Topic.ACCESS, day))
            act = Act(
                topic=Topic.ACCESS,
                subject=day,
                step=self._step + 1,
                verb="refuse",
                at=now,
                actor=actor.name,
                meter=meter,
                body={"asked": asked[:ASKED_MAX], "deed": deed, "rules": list(rules), **actor.noted},
            )
            try:
                await self._acts.append(act)
            except StepTaken:
                self._day = ""
            else:
                self._step += 1
                return
        raise BusFull("the rows of what was refused are written by too many at once; try again")
