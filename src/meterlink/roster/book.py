"""The roster of a journal: read as settings of meters, changed all or none, by who knows it as it is."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.config.meters import MeterSettings
from meterlink.errors import StepTaken
from meterlink.journal.roster_log import CHANGES_MAX, RosterLog
from meterlink.model.act import Act, Topic
from meterlink.model.roster_change import DIGEST, SUBJECT, EntryChange, KeptRoster, digest
from meterlink.roster.checks import Checks, overwritten, put_back
from meterlink.roster.correction import CORRECT, Correction, corrected
from meterlink.roster.entries import Meters, is_gone, meters_of
from meterlink.roster.exchange import Exchange, exchanged
from meterlink.roster.faults import Fault, RosterRefused, Words
from meterlink.roster.last_registers import Doubt, check_last
from meterlink.roster.plan import changes, result
from meterlink.roster.saying import Saying, followed
from meterlink.roster.turns import RATIO, REMOVE, Turn, check_void, turned

IMPORT: Final = "import"
"""Verb of the revision that took the configuration's meters over."""
APPLY: Final = "apply"
EXCHANGE: Final = "exchange"
CORRECTED: Final = "corrected"
"""In the act of a revision: that numbers in it had been written down wrongly."""
SAYING: Final = "saying"
"""In the act of a revision: what people said of numbers that became other."""
NOTE_MAX: Final = 200
"""Characters of a note."""

Doubted = Callable[[Sequence[Doubt]], Awaitable[None]]
"""Lets people know of registers that were told."""
_NO_ROWS: Final[Mapping[str, int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The roster at one moment.

    Args:
        kept: as the journal has it.
        meters: as settings, by id, with those out of service.

    """

    kept: KeptRoster
    meters: Meters = field(repr=False)

    @classmethod
    def of(cls, kept: KeptRoster) -> Held:
        """The roster of a journal.

        Raises:
            ConfigError: an entry is not as this version knows one.

        """
        return cls(kept=kept, meters=meters_of(kept.entries.values()))

    @property
    def revision(self) -> int:
        """Its number."""
        return self.kept.revision


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of a change.

    Args:
        revision: its number; the one before where nothing became other.
        added: entries that came.
        changed: entries of which something became other, those that went among them.
        retired: entries that went out of service.
        meters: the roster after it.
        doubts: registers that were told, and that a person has to look at.

    """

    revision: int
    added: int
    changed: int
    retired: int
    meters: Meters = field(repr=False)
    doubts: tuple[Doubt, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "revision": self.revision,
            "added": self.added,
            "changed": self.changed,
            "retired": self.retired,
            **({"doubts": [one.as_json() for one in self.doubts]} if self.doubts else {}),
        }


class RosterBook:
    """The roster of one journal.

    Args:
        log: of the journal.
        checks: what a roster must be.
        clock: wall time.
        doubted: is told of registers that cannot be believed unseen; ``None``: nobody is.

    """

    def __init__(self, log: RosterLog, checks: Checks, clock: Clock, doubted: Doubted | None = None) -> None:
        self._log = log
        self._checks = checks
        self._clock = clock
        self._doubted = doubted

    def check_by(self, checks: Checks) -> None:
        """Hold the next changes against something else."""
        self._checks = checks

    async def held(self) -> Held:
        """The roster as it is.

        Raises:
            JournalError: it cannot be read.
            ConfigError: an entry is not as this version knows one.

        """
        kept = await self._log.kept()
        return await asyncio.to_thread(Held.of, kept)

    async def apply(
        self,
        touched: Sequence[MeterSettings],
        *,
        revision: int,
        actor: str,
        verb: str = APPLY,
        note: str = "",
        rows: Mapping[str, int] = _NO_ROWS,
        saying: Saying = Saying.NOTHING,
    ) -> Applied:
        """Let some entries become other, all of them or none.

        Args:
            touched: the entries as they shall be; each id once.
            revision: of the roster that they were made for.
            actor: who.
            verb: how.
            note: for people.
            rows: by id, where a meter is named in the table it comes from.
            saying: why numbers that become other do; without a word each of them is refused: another meter
                takes an exchange, and what protects a customer is not another's.

        Raises:
            StepTaken: the roster has become another since; nothing was changed.
            RosterRefused: something is wrong with it; nothing was changed.
            JournalError: nothing was changed.

        """
        held = await self._held_as(revision)
        said = {CORRECTED: True} if saying is Saying.CORRECTED else {}
        told = {"note": note[:NOTE_MAX], **said, **({SAYING: saying.value} if saying else {})}
        now = self._clock.utc_now()
        back = [one for one in touched if one.id in held.meters and is_gone(held.meters[one.id], now)]
        if back:
            gone = await self._log.told_gone()
            if faults := list(put_back(held.meters, back, rows, now, gone)):
                raise RosterRefused.of(faults)
        return await self._keep(held, touched, actor, verb, told, rows)

    async def exchange(self, exchange: Exchange, *, actor: str) -> Applied:
        """Note that one meter was replaced by another.

        Raises:
            BadRequest: it cannot have been so.
            ConfigError: what is told of the new meter is none.
            StepTaken, RosterRefused, JournalError: as of ``apply``.

        """
        held = await self.held()
        touched = exchanged(held.meters, exchange, self._clock.utc_now())
        doubts = await self._doubts(held, exchange.old, exchange.last, exchange.removed_at)
        applied = await self._keep(held, touched, actor, EXCHANGE, exchange.body(), _NO_ROWS)
        return await self._with_doubts(applied, doubts)

    async def turn(self, turn: Turn, *, actor: str) -> Applied:
        """Note since when the ratio of a meter's transformers holds, or when it was taken out.

        It is a revision also where the entry says so already: then only the time is told.

        Raises:
            BadRequest: it cannot have been so.
            ConfigError: a ratio is none.
            StepTaken, RosterRefused, JournalError: as of ``apply``.

        """
        held = await self.held()
        touched = turned(held.meters, turn, self._clock.utc_now())
        doubts: tuple[Doubt, ...] = ()
        if turn.verb == RATIO:
            told = await self._log.changes_of(turn.meter)
            check_void(turn, touched, held.meters[turn.meter], told, self._checks.zone)
        if turn.verb == REMOVE:
            doubts = await self._doubts(held, turn.meter, turn.registers, turn.at)
        applied = await self._keep(held, [touched], actor, turn.verb, turn.body(), _NO_ROWS)
        return await self._with_doubts(applied, doubts)

    async def correct(self, correction: Correction, *, actor: str) -> Applied:
        """Tell again what a meter showed when it came or went; what was told before stays in the log.

        Raises:
            BadRequest: it cannot have been so.
            StepTaken, RosterRefused, JournalError: as of ``apply``.

        """
        held = await self.held()
        entry, at = corrected(held.meters, correction)
        doubts: tuple[Doubt, ...] = ()
        if correction.end == "last":
            doubts = await self._doubts(held, entry.id, correction.registers, at)
        applied = await self._keep(held, [entry], actor, CORRECT, correction.body(at), _NO_ROWS)
        return await self._with_doubts(applied, doubts)

    async def _doubts(
        self, held: Held, meter: str, registers: Mapping[str, Decimal], at: datetime
    ) -> tuple[Doubt, ...]:
        """See ``check_last``."""
        return await check_last(self._log, self._checks.facts(held.meters[meter]), meter, registers, at)

    async def _with_doubts(self, applied: Applied, doubts: tuple[Doubt, ...]) -> Applied:
        """Tell of what cannot be believed unseen, once it is kept."""
        if doubts and self._doubted is not None:
            await self._doubted(doubts)
        return replace(applied, doubts=doubts)

    async def _held_as(self, revision: int) -> Held:
        held = await self.held()
        if held.revision != revision:
            raise StepTaken(
                f"the roster is no longer that of revision {revision}, but of {held.revision}: plan again "
                "/ 档案已被他人修改,请重新比对"
            )
        return held

    async def _keep(
        self,
        held: Held,
        touched: Sequence[MeterSettings],
        actor: str,
        verb: str,
        told: Mapping[str, Any],
        rows: Mapping[str, int],
    ) -> Applied:
        now = self._clock.utc_now()
        saying = Saying(str(told.get(SAYING, "")))
        made = await asyncio.to_thread(_made, self._checks, held, touched, now, rows, saying)
        if verb in {RATIO, REMOVE, CORRECT} and not made.changes:
            made = _only_told(made, touched)
        if made.changes:
            act = Act(
                topic=Topic.ROSTER,
                subject=SUBJECT,
                step=held.revision + 1,
                verb=verb,
                at=now,
                actor=actor,
                body={**told, **made.counts, DIGEST: made.digest},
            )
            revision = await self._log.apply(act, made.changes, held.kept)
        else:
            revision = held.revision
        added, changed, retired = (made.counts[key] for key in ("added", "changed", "retired"))
        return Applied(revision=revision, meters=made.meters, added=added, changed=changed, retired=retired)


@dataclass(frozen=True, slots=True)
class _Made:
    """A change that nothing is wrong with."""

    meters: Meters
    changes: list[EntryChange]
    counts: dict[str, int]
    digest: str


def _only_told(made: _Made, touched: Sequence[MeterSettings]) -> _Made:
    """A revision of entries that stay as they are: what is told of them stands in its act."""
    changes = [EntryChange(meter=meter.id, old={}, new={}) for meter in touched]
    return replace(made, changes=changes, counts={**made.counts, "changed": 0}, digest=digest(changes))


def _made(
    checks: Checks,
    held: Held,
    touched: Sequence[MeterSettings],
    now: datetime,
    rows: Mapping[str, int],
    saying: Saying,
) -> _Made:
    """Seconds of work for a hundred thousand meters, so on a thread of its own.

    Raises:
        RosterRefused: something is wrong with it.

    """
    touched = [followed(held.meters.get(meter.id), meter, saying) for meter in touched]
    meters = result(held.meters, touched)
    faults = checks.faults(meters, touched, now, rows)
    faults += overwritten(held.meters, touched, rows, saying)
    if faults:
        raise RosterRefused.of(faults)
    made = changes(held.meters, touched)
    if len(made) > CHANGES_MAX:
        words = Words(f"{len(made)} changes at once, at most {CHANGES_MAX}", f"一次最多修改 {CHANGES_MAX} 条")
        raise RosterRefused.of([Fault(row=0, column="", meter="", words=words)])
    added = sum(change.old is None for change in made)
    retired = sum(
        is_gone(meters[one.meter], now)
        for one in made
        if one.meter in held.meters and not is_gone(held.meters[one.meter], now)
    )
    counts = {"added": added, "changed": len(made) - added, "retired": retired}
    return _Made(meters, made, counts, digest(made))
