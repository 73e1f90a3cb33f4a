"""Shutting a meter for orders at its first wrong MAC, and opening it again; what does is in ``latch``.

The act that shuts a meter goes with the step that met the wrong MAC, in one transaction: no crash can fall
between, and no second order can be proved to that meter before a person has found out whose keys are wrong.
Source: control-and-prepayment, section 1.3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from meterlink.clock import Clock
from meterlink.drivers.control import Cause
from meterlink.errors import NotAllowed, NotEntitled
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.orders.life.life import Life
from meterlink.orders.life.written import answer_in
from meterlink.orders.people import Actor, Deed
from meterlink.orders.qualification.walk import is_stale_probe
from meterlink.security.latch import CODES, MacLatch, shuts, subject

WHY_MAX: Final = 200
"""Characters of a reason."""


class MacGuard:
    """The latches of all meters; goes with every step, see ``Companion``.

    Args:
        acts: the log.
        clock: the time.

    """

    def __init__(self, acts: ActLog, clock: Clock) -> None:
        self._acts = acts
        self._clock = clock

    async def check(self, meter: str) -> None:
        """Let an order pass, or not.

        Raises:
            SecurityFailed: the meter is shut.
            JournalError: the log cannot be read.

        """
        (await self._latch(meter)).check()

    async def shut_meters(self) -> list[str]:
        """Those that get no orders now.

        Raises:
            JournalError: the log cannot be read.

        """
        prefix = subject("")
        names = await self._acts.subjects(Topic.POLICY, only_open=True, after=prefix)
        return [name.removeprefix(prefix) for name in names if name.startswith(prefix)]

    async def unlock(self, meter: str, actor: Actor, why: str) -> None:
        """Let orders go to a meter again.

        Raises:
            NotEntitled: that is for security officers.
            NotAllowed: the meter is not shut (``not_shut``).
            ValueError: no reason, or a long one.
            StepTaken: somebody else was first.
            JournalError: it was not kept.

        """
        if not actor.may(Deed.UNLOCK_METER):
            raise NotEntitled(f"{actor.name} may not {Deed.UNLOCK_METER.value}: no role of theirs allows it")
        if not 1 <= len(why.strip()) <= len(why) <= WHY_MAX:
            raise ValueError(f"say why, in 1 to {WHY_MAX} characters")
        latch = await self._latch(meter)
        if not latch.is_shut:
            raise NotAllowed(f"meter {meter!r} is not shut for orders", why="not_shut")
        opened = latch.open(at=self._clock.utc_now(), actor=actor.name, reason=why)
        await self._acts.append(replace(opened, body={**opened.body, **actor.noted}))

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """See ``Companion.beside``."""
        code = _wrong_mac(act)
        if not code or (code == Cause.POSSIBLY_MAC and is_stale_probe(before.order)):
            return ()  # what a probe shall be refused for is known
        latch = await self._latch(before.order.meter)
        return () if latch.is_shut else (latch.shut(at=act.at, order=after.order.id, code=code),)

    def kept(self, acts: Iterable[Act]) -> None:
        """See ``Companion.kept``."""

    async def _latch(self, meter: str) -> MacLatch:
        return MacLatch.of(meter, await self._acts.of_subject(Topic.POLICY, subject(meter)))


def _wrong_mac(act: Act) -> str:
    """How a wrong MAC showed in a step; empty: it did not."""
    code = act.body.get("code")
    if code in CODES:
        return str(code)
    answer = answer_in(act.body["answer"]) if "answer" in act.body else None
    return answer.cause.value if answer is not None and shuts(answer) else ""
