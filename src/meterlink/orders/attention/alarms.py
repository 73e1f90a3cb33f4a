"""Alarms: what a rule found that a person must know of. Same rule, meter and day is one alarm, which counts.

The day is that of which a rule speaks, where it speaks of one, else that on which it was found; of an area
that has no one meter to stand for it, the area stands in the meter's place.

Each act holds the whole record, so that the newest one tells all. Source: business-rules section 9; AUD-05
for the severity, AUD-06 for what it takes to close one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timezone
from types import MappingProxyType
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import BadRequest, NotAllowed, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.payload import time_in, time_out
from meterlink.orders.attention.words import WORDS_MAX, Person, check_role, noted, until_first, words

RAISES_MAX: Final = 1_000
"""How often one alarm counts; it is the same one afterwards, and no more rows are written for it."""
EVIDENCE_MAX: Final = 32
"""Pieces of evidence that an alarm names; the newest stay."""
ID_MAX: Final = 200
HANDLERS: Final = frozenset({"operator", "dispatcher", "inspector", "security"})
"""Who may acknowledge and close."""


class Severity(enum.StrEnum):
    """How bad, by the money that hangs on it. Source: AUD-05."""

    MINOR = "minor"
    GENERAL = "general"
    SERIOUS = "serious"
    MAJOR = "major"


_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_FROM_CENTS: Final = (
    (10_000_000, Severity.MAJOR),
    (1_000_000, Severity.SERIOUS),
    (100_000, Severity.GENERAL),
)
_RANKS: Final = {severity: rank for rank, severity in enumerate(Severity)}


class AlarmState(enum.StrEnum):
    """Where an alarm stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a rule saw.

    Args:
        rule: ``RELAY_FAULT``, ``WALLET_DRIFT``, ...: an alarm's name of the business rules.
        origin: which rule or part of the program says so: ``CTRL-20``.
        meter: our id of it; empty: it concerns none.
        area: transformer area; empty: not known.
        value: what was seen; text, decimals as such.
        threshold: what it was measured by.
        estimate_kwh: energy at stake; empty: nobody can say.
        estimate_cents: money at stake; ``None``: nobody can say.
        evidence: ids of readings, orders or records.
        day: of which the rule speaks; ``None``: the one on which it is found.

    """

    rule: str
    origin: str
    meter: str = ""
    area: str = ""
    value: str = ""
    threshold: str = ""
    estimate_kwh: str = ""
    estimate_cents: int | None = None
    evidence: tuple[str, ...] = ()
    day: date | None = None

    @property
    def severity(self) -> Severity:
        """By money; what cannot be counted is serious. Source: AUD-05."""
        if self.estimate_cents is None:
            return Severity.SERIOUS
        found = (severity for cents, severity in _FROM_CENTS if self.estimate_cents >= cents)
        return next(found, Severity.MINOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One alarm: what was seen last, and how often.

    Args:
        id: rule, meter and day.
        seen: the newest of it.
        severity: the greatest of it.
        day: of the plant.
        first_seen: when it was first raised.
        last_seen: when it was last raised.
        count: how often, at most ``RAISES_MAX``.
        state: where it stands.
        closing: cause, owner and prevention, once it is closed.
        step: of its last act.

    """

    id: str
    seen: Seen
    severity: Severity
    day: date
    first_seen: datetime
    last_seen: datetime
    count: int
    state: AlarmState
    closing: Mapping[str, str]
    step: int

    @classmethod
    def of(cls, kept: KeptAct) -> Alarm:
        """The alarm of its newest act.

        Raises:
            ValueError, KeyError, TypeError: that is no act of an alarm.

        """
        act, body = kept.act, kept.act.body
        return cls(
            id=act.subject,
            seen=Seen(
                rule=body["rule"],
                origin=body["origin"],
                meter=act.meter,
                area=body["area"],
                value=body["value"],
                threshold=body["threshold"],
                estimate_kwh=body["estimate_kwh"],
                estimate_cents=body["estimate_cents"],
                evidence=tuple(body["evidence"]),
            ),
            severity=Severity(body["severity"]),
            day=date.fromisoformat(body["day"]),
            first_seen=time_in(body["first_seen"]),
            last_seen=time_in(body["last_seen"]),
            count=body["count"],
            state=AlarmState(body["state"]),
            closing=body["closing"],
            step=act.step,
        )

    def as_json(self) -> dict[str, Any]:
        """The record of business-rules section 9."""
        return {
            "id": self.id,
            "rule": self.seen.rule,
            "severity": self.severity.value,
            "meter": self.seen.meter,
            "area": self.seen.area,
            "day": self.day.isoformat(),
            "value": self.seen.value,
            "threshold": self.seen.threshold,
            "estimate_kwh": self.seen.estimate_kwh,
            "estimate_cents": self.seen.estimate_cents,
            "first_seen": time_out(self.first_seen),
            "last_seen": time_out(self.last_seen),
            "count": self.count,
            "state": self.state.value,
            "evidence": list(self.seen.evidence),
            "origin": self.seen.origin,
            "closing": dict(self.closing),
        }


def raising(seen: Seen, *, at: datetime, zone: timezone, actor: str, before: Alarm | None = None) -> Act:
    """The act that raises an alarm; see ``raised``.

    Args:
        seen: what was seen.
        at: when.
        zone: of the plant, whose day it is.
        actor: who found it.
        before: the alarm as it stands; ``None``: there is none yet.

    Raises:
        BadRequest: a name that is empty or too long.

    """
    day = seen.day or at.astimezone(zone).date()
    subject = alarm_id(seen, at=at, zone=zone)
    if before is None:
        fresh = Alarm(
            id=subject,
            seen=replace(seen, evidence=seen.evidence[-EVIDENCE_MAX:]),
            severity=seen.severity,
            day=day,
            first_seen=at,
            last_seen=at,
            count=1,
            state=AlarmState.OPEN,
            closing={},
            step=0,
        )
        return _act(fresh, "raise", at, actor)
    evidence = tuple(dict.fromkeys(before.seen.evidence + seen.evidence))[-EVIDENCE_MAX:]
    severity = max(before.severity, seen.severity, key=_RANKS.__getitem__)
    is_known = before.state is AlarmState.ACKNOWLEDGED and severity is before.severity
    again = replace(
        before,
        seen=replace(seen, evidence=evidence),
        severity=severity,
        last_seen=at,
        count=before.count + 1,
        state=before.state if is_known else AlarmState.OPEN,
    )
    return _act(again, "raise", at, actor)


async def raised(
    acts: ActLog, seen: Seen, *, at: datetime, zone: timezone, actor: str = "meterlink"
) -> list[Act]:
    """What raises an alarm, or counts it once more, to be appended together with whatever brought it about.

    Nothing, where it has counted to ``RAISES_MAX``.

    Args:
        acts: the log, for the alarm as it stands.
        seen: what was seen.
        at: when.
        zone: of the plant, whose day it is.
        actor: who found it.

    Raises:
        BadRequest: a name that is empty or too long.
        JournalError: the log cannot be read.

    """
    last = await acts.last_of(Topic.ALARM, alarm_id(seen, at=at, zone=zone))
    before = Alarm.of(last) if last else None
    if before is not None and before.count >= RAISES_MAX:
        return []
    return [raising(seen, at=at, zone=zone, actor=actor, before=before)]


class Alarms:
    """The alarms of one log.

    Args:
        acts: the log.
        clock: the time.
        zone: of the plant, whose days they are.

    """

    def __init__(self, acts: ActLog, clock: Clock, *, zone: timezone) -> None:
        self._acts = acts
        self._clock = clock
        self._zone = zone

    async def raise_(
        self, seen: Seen, *, actor: str = "meterlink", beside: Mapping[str, Any] = _NOTHING
    ) -> Alarm:
        """Raise an alarm, or count it once more.

        Args:
            seen: what was seen.
            actor: who found it.
            beside: what its act keeps of a person who did: the roles held then.

        Raises:
            BadRequest: a name that is empty or too long.
            JournalError: it was not kept.

        """

        async def attempt() -> Alarm:
            at = self._clock.utc_now()
            for act in await raised(self._acts, seen, at=at, zone=self._zone, actor=actor):
                await self._acts.append(replace(act, body={**act.body, **beside}))
            return await self.show(alarm_id(seen, at=at, zone=self._zone))

        return await until_first(attempt)

    async def show(self, alarm_id: str) -> Alarm:
        """One alarm.

        Raises:
            Unknown: there is none.
            JournalError: the file cannot be read.

        """
        last = await self._acts.last_of(Topic.ALARM, alarm_id)
        if last is None:
            raise Unknown(f"there is no alarm {alarm_id!r}")
        return Alarm.of(last)

    async def list(self, *, only_open: bool = True, after: str = "", limit: int = 1_000) -> list[Alarm]:
        """Alarms in the order of their ids, behind one.

        Raises:
            JournalError: the file cannot be read.

        """
        names = await self._acts.subjects(Topic.ALARM, only_open=only_open, after=after, limit=limit)
        return [await self.show(name) for name in names]

    async def acknowledge(self, alarm_id: str, person: Person) -> Alarm:
        """Somebody has seen it.

        Raises:
            Unknown, NotAllowed, JournalError: it was not written.

        """
        return await self._change(alarm_id, "acknowledge", person, AlarmState.ACKNOWLEDGED, {})

    async def close(self, alarm_id: str, person: Person, *, cause: str, owner: str, prevention: str) -> Alarm:
        """Cause found, owner named, prevention recorded: that closes an alarm, and nothing less. (AUD-06)

        Raises:
            BadRequest: one of the three is missing or too long.
            Unknown, NotAllowed, JournalError: it was not written.

        """
        told = {"cause": cause, "owner": owner, "prevention": prevention}
        closing = {name: words(text, name) for name, text in told.items()}
        return await self._change(alarm_id, "close", person, AlarmState.CLOSED, closing)

    async def _change(
        self, alarm_id: str, verb: str, person: Person, state: AlarmState, closing: Mapping[str, str]
    ) -> Alarm:
        check_role(person, HANDLERS, f"{verb} alarms")

        async def attempt() -> Alarm:
            alarm = await self.show(alarm_id)
            if alarm.state in (state, AlarmState.CLOSED):
                raise NotAllowed(f"{alarm_id} is {alarm.state.value} already", why="state")
            changed = replace(alarm, state=state, closing=closing)
            act = _act(changed, verb, self._clock.utc_now(), person.name)
            await self._acts.append(replace(act, body={**act.body, **noted(person)}))
            return await self.show(alarm_id)

        return await until_first(attempt)


def alarm_id(seen: Seen, *, at: datetime, zone: timezone) -> str:
    """The id of the alarm that something which is seen raises, or counts once more.

    Args:
        seen: what was seen.
        at: when.
        zone: of the plant.

    Raises:
        BadRequest: a name that is empty or too long.

    """
    told = (seen.origin, seen.area, seen.value, seen.threshold, seen.estimate_kwh, *seen.evidence)
    if max(map(len, told)) > WORDS_MAX:
        raise BadRequest(f"an alarm's words have at most {WORDS_MAX} characters each")
    day = seen.day or at.astimezone(zone).date()
    place = seen.meter or (f"@{seen.area}" if seen.area else "-")
    subject = f"{seen.rule}:{place}:{day.isoformat()}"
    if not seen.rule or not seen.origin or len(subject) > ID_MAX:
        raise BadRequest(f"an alarm has a rule and an origin, and an id of at most {ID_MAX} characters")
    return subject


def _act(alarm: Alarm, verb: str, at: datetime, actor: str) -> Act:
    return Act(
        topic=Topic.ALARM,
        subject=alarm.id,
        step=alarm.step + 1,
        verb=verb,
        at=at,
        actor=actor,
        meter=alarm.seen.meter,
        body=alarm.as_json(),
        is_open=alarm.state is not AlarmState.CLOSED,
    )
