"""Shutting a meter at its first wrong MAC or refused authentication, and opening it again; see ``latch``.

Everything that proves something goes through ``proving``: orders, their read-backs, and the looks at wallets
at night. So nothing more is proved to a meter before a person has found out whose keys are wrong. Where a
step of an order met it, the act that shuts the meter goes with that step, in one transaction, if it was not
written before. Whoever shuts a meter raises an alarm. Source: control-and-prepayment, section 1.3.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timezone
from typing import Final

from meterlink.clock import Clock
from meterlink.drivers.control import Cause
from meterlink.drivers.proving import Plain, Security
from meterlink.errors import NotAllowed, NotEntitled, SecurityFailed
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.zone import CHINA_TIME
from meterlink.orders.attention.alarms import Seen, raised
from meterlink.orders.attention.words import until_first
from meterlink.orders.life.life import Life
from meterlink.orders.life.written import answer_in
from meterlink.orders.people import Actor, Deed
from meterlink.orders.qualification.walk import is_stale_probe
from meterlink.security.latch import CODES, MacLatch, shuts, subject

METER_SHUT: Final = "METER_SHUT"
"""The alarm: nothing is proved to a meter any more."""
WHY_MAX: Final = 200
"""Characters of a reason."""


class MacGuard:
    """The latches of all meters; goes with every step, see ``Companion``.

    Args:
        acts: the log.
        clock: the time.
        zone: of the plant, whose day an alarm is of.

    """

    def __init__(self, acts: ActLog, clock: Clock, *, zone: timezone = CHINA_TIME) -> None:
        self._acts = acts
        self._clock = clock
        self._zone = zone

    @asynccontextmanager
    async def proving(self, meter: str, security: Security, *, by: str) -> AsyncIterator[None]:
        """Let something be proved to a meter inside; the first failure of a proof shuts it.

        By a password nothing is looked at, and nothing asked: no MAC goes with plain reads.

        Args:
            meter: our id.
            security: what it is proved by.
            by: who does: the id of an order, or a word.

        Raises:
            SecurityFailed: the meter is shut, or what failed inside.
            JournalError: the log cannot be read, or the failure was not kept.

        """
        if isinstance(security, Plain):
            yield
            return
        await self.check(meter)
        try:
            yield
        except SecurityFailed as error:
            if shuts(error):
                await self._shut(meter, by, error.code)
            raise

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
        return await self._shutting(before.order.meter, after.order.id, code, act.at)

    def kept(self, acts: Iterable[Act]) -> None:
        """See ``Companion.kept``."""

    async def _shut(self, meter: str, by: str, code: str) -> None:
        """Shut a meter, whatever others write meanwhile."""

        async def attempt() -> None:
            if acts := await self._shutting(meter, by, code, self._clock.utc_now()):
                await self._acts.append(*acts)

        await until_first(attempt)

    async def _shutting(self, meter: str, by: str, code: str, at: datetime) -> Sequence[Act]:
        """What shuts a meter and tells so; nothing where it is shut."""
        latch = await self._latch(meter)
        if latch.is_shut:
            return ()
        seen = Seen(rule=METER_SHUT, origin="SEC-01", meter=meter, value=code, evidence=(by,))
        alarm = await raised(self._acts, seen, at=at, zone=self._zone)
        return latch.shut(at=at, order=by, code=code), *alarm

    async def _latch(self, meter: str) -> MacLatch:
        return MacLatch.of(meter, await self._acts.of_subject(Topic.POLICY, subject(meter)))


def _wrong_mac(act: Act) -> str:
    """How a wrong MAC showed in a step; empty: it did not."""
    code = act.body.get("code")
    if code in CODES:
        return str(code)
    answer = answer_in(act.body["answer"]) if "answer" in act.body else None
    return answer.cause.value if answer is not None and shuts(answer) else ""
