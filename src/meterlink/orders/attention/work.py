"""Work items: what a person has to do because the machine cannot, or may not.

An item is the fold of its acts: opened, noted, assigned, closed. An order has one item of a kind, whose id is
made of both; opened again it is the same item. Some kinds are closed by certain posts only, and one, where
money may be lost, by two people. Source: decisions 21 and 35, CTRL-02, CTRL-17, business-rules 2.2 and 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from meterlink.clock import Clock
from meterlink.errors import BadRequest, NotAllowed, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.payload import time_out
from meterlink.orders.attention.words import Person, check_role, noted, until_first, words
from meterlink.orders.attention.work_kinds import ASSIGNERS, CLOSERS, TWO_PERSONS, WORKERS, WorkKind
from meterlink.orders.under_holds import Holds, under_holds

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
ACTS_MAX: Final = 200
"""Acts of one item; only closing it goes beyond."""
ID_MAX: Final = 200
"""Characters of an item's id: a kind, and the id of an order or meter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """One line of an item's story."""

    at: datetime
    actor: str
    verb: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkItem:
    """Where an item stands.

    Args:
        id: of the item.
        kind: what is to be done.
        meter: our id of it; empty: none.
        order: id of the order it comes from; empty: none.
        why: for people.
        assignee: whose it is; empty: nobody's yet.
        is_open: whether it still waits.
        proposed_by: who wants it closed, where that takes two; empty: nobody.
        step: of its last act.
        opened_at: when it was first opened.
        notes: everything that was done, oldest first.

    """

    id: str
    kind: WorkKind
    meter: str
    order: str
    why: str
    assignee: str
    is_open: bool
    proposed_by: str
    step: int
    opened_at: datetime
    notes: tuple[Note, ...]

    @classmethod
    def of(cls, acts: Sequence[KeptAct]) -> WorkItem:
        """The item of its acts.

        Raises:
            ValueError, KeyError: these are not the acts of an item.

        """
        first, last = acts[0].act, acts[-1].act
        openings = [kept.act for kept in acts if kept.act.verb == "open"]
        assigned = [kept.act for kept in acts if kept.act.verb == "assign"]
        since = [kept.act for kept in acts if kept.act.step > openings[-1].step]
        proposals = [act.actor for act in since if act.verb == "propose"]
        return cls(
            id=first.subject,
            kind=WorkKind(openings[-1].body["kind"]),
            meter=first.meter,
            order=openings[-1].body["order"],
            why=openings[-1].body["why"],
            assignee=assigned[-1].body["assignee"] if assigned else "",
            is_open=last.is_open,
            proposed_by=proposals[-1] if proposals else "",
            step=last.step,
            opened_at=first.at,
            notes=tuple(
                Note(
                    at=one.at,
                    actor=one.actor,
                    verb=one.verb,
                    text=one.body.get("why") or one.body.get("assignee", ""),
                )
                for one in (kept.act for kept in acts)
            ),
        )

    def as_json(self) -> dict[str, Any]:
        """All of it, for programs."""
        return {
            "id": self.id,
            "kind": self.kind.value,
            "meter": self.meter,
            "order": self.order,
            "why": self.why,
            "assignee": self.assignee,
            "is_open": self.is_open,
            "proposed_by": self.proposed_by,
            "opened_at": time_out(self.opened_at),
            "notes": [
                {"at": time_out(note.at), "actor": note.actor, "verb": note.verb, "text": note.text}
                for note in self.notes
            ],
        }


def opening(
    kind: WorkKind,
    why: str,
    *,
    at: datetime,
    actor: str,
    meter: str = "",
    order: str = "",
    about: str = "",
    step: int = 1,
) -> Act:
    """The act that opens an item, to be appended together with whatever makes it needed.

    Args:
        kind: what is to be done.
        why: for people, 1 to 500 characters.
        at: now.
        actor: who finds it needed.
        meter: our id of it; empty: none.
        order: id of the order that it comes from; empty: none.
        about: of what else it is the one item of its kind, where it comes from no order; empty: of nothing.
        step: the next one of that item; 1: there is none yet.

    Raises:
        BadRequest: no reason, or an id that is too long.

    """
    subject = item_id(kind, order or about or f"{meter or '-'}:{at:%Y%m%dT%H%M%S}")
    if len(subject) > ID_MAX:
        raise BadRequest(f"an item's id has at most {ID_MAX} characters")
    body = {"kind": kind.value, "order": order, "why": words(why, "why")}
    return Act(
        topic=Topic.WORK,
        subject=subject,
        step=step,
        verb="open",
        at=at,
        actor=actor,
        meter=meter,
        body=body,
        is_open=True,
    )


def item_id(kind: WorkKind, order: str) -> str:
    """The id of the one item of a kind that an order, or what else it is about, has."""
    return f"{kind.value}:{order}"


def closing(last: Act, why: str, *, at: datetime, actor: str) -> Act:
    """The act that closes an item, to be appended together with whatever makes it needless.

    Args:
        last: the newest act of the item, which is open.
        why: for people, 1 to 500 characters.
        at: now.
        actor: who finds it needless.

    Raises:
        BadRequest: no reason.

    """
    body = {"why": words(why, "why")}
    return replace(last, step=last.step + 1, verb="close", at=at, actor=actor, body=body, is_open=False)


class WorkItems:
    """The items of one log.

    Args:
        acts: the log.
        clock: the time.

    Attributes:
        holds: of inspectors; ``None``: nobody holds anything back here.

    """

    def __init__(self, acts: ActLog, clock: Clock) -> None:
        self._acts = acts
        self._clock = clock
        self.holds: Holds | None = None

    async def open(
        self,
        kind: WorkKind,
        why: str,
        *,
        actor: str,
        meter: str = "",
        order: str = "",
        about: str = "",
        beside: Mapping[str, Any] = _NOTHING,
    ) -> WorkItem:
        """Open an item; one that is open already stays as it is, a closed one is opened again.

        Args:
            kind: what is to be done.
            why: for people, 1 to 500 characters.
            actor: who finds it needed.
            meter: our id of it; empty: none.
            order: id of the order that it comes from; empty: none.
            about: see ``opening``.
            beside: what its act keeps of a person who did: the roles held then.

        Raises:
            BadRequest: no reason, or an id that is too long.
            NotAllowed: an inspector's hold forbids it now, see ``Holds.on``.
            StepTaken, Overtaken: others were first each time, or the holds of the meter did not come to rest.
            JournalError: it was not kept.

        """

        async def attempt() -> WorkItem:
            at = self._clock.utc_now()
            first = opening(kind, why, at=at, actor=actor, meter=meter, order=order, about=about)
            kept = await self._acts.of_subject(Topic.WORK, first.subject)
            if kept and kept[-1].act.is_open:
                return WorkItem.of(kept)
            fresh = replace(first, step=len(kept) + 1, body={**first.body, **beside})
            acts, basis = await under_holds([fresh], self._acts, self.holds)
            if not acts:
                raise NotAllowed(f"{first.subject}: a safety hold stands at meter {meter}", why="hold")
            await self._acts.append(*acts, basis=basis)
            return await self.show(first.subject)

        return await until_first(attempt)

    async def show(self, item_id: str) -> WorkItem:
        """One item.

        Raises:
            Unknown: there is none.
            JournalError: the file cannot be read.

        """
        kept = await self._acts.of_subject(Topic.WORK, item_id)
        if not kept:
            raise Unknown(f"there is no work item {item_id!r}")
        return WorkItem.of(kept)

    async def list(self, *, only_open: bool = True, after: str = "", limit: int = 1_000) -> list[WorkItem]:
        """Items in the order of their ids, behind one.

        Raises:
            JournalError: the file cannot be read.

        """
        names = await self._acts.subjects(Topic.WORK, only_open=only_open, after=after, limit=limit)
        return [await self.show(name) for name in names]

    async def tell(
        self, item_id: str, text: str, *, actor: str, beside: Mapping[str, Any] = _NOTHING
    ) -> WorkItem:
        """Write down by the program itself what whoever has an open item must know.

        Args:
            item_id: which.
            text: for people, 1 to 500 characters.
            actor: who finds it.
            beside: what its act keeps for the program.

        Raises:
            Unknown, NotAllowed, BadRequest, JournalError: it was not written.

        """
        body = {"why": words(text, "note"), **beside}

        async def attempt() -> WorkItem:
            item = await self.show(item_id)
            return await self._append(item, "note", actor, body)

        return await until_first(attempt)

    async def note(self, item_id: str, text: str, person: Person) -> WorkItem:
        """Write something down.

        Raises:
            Unknown, NotAllowed, BadRequest, JournalError: it was not written.

        """
        check_role(person, WORKERS, "write notes")
        return await self._do(item_id, "note", person, {"why": words(text, "note")})

    async def assign(self, item_id: str, assignee: str, person: Person) -> WorkItem:
        """Say whose it is.

        Raises:
            Unknown, NotAllowed, BadRequest, JournalError: it was not written.

        """
        check_role(person, ASSIGNERS, "assign work")
        return await self._do(item_id, "assign", person, {"assignee": words(assignee, "assignee")})

    async def close(self, item_id: str, why: str, person: Person) -> WorkItem:
        """Say that it is done; where that takes two, the first of them proposes.

        Args:
            item_id: which.
            why: what was found and done.
            person: who says so; field staff close what is assigned to them.

        Raises:
            Unknown, NotAllowed, BadRequest, JournalError: it was not written.

        """
        body = {"why": words(why, "why")}

        async def attempt() -> WorkItem:
            item = await self.show(item_id)
            check_role(person, CLOSERS[item.kind], f"close a work item of kind {item.kind.value}")
            if set(person.roles) & CLOSERS[item.kind] == {"field"} and item.assignee != person.name:
                raise NotAllowed(f"{item_id} is not assigned to {person.name}", why="assignee")
            if item.proposed_by == person.name:
                raise NotAllowed(f"{person.name} proposed it: a second person closes it", why="second_person")
            is_first_of_two = item.kind in TWO_PERSONS and not item.proposed_by
            verb = "propose" if is_first_of_two else "close"
            return await self._append(item, verb, person.name, {**body, **noted(person)})

        return await until_first(attempt)

    async def _do(self, item_id: str, verb: str, person: Person, body: Mapping[str, Any]) -> WorkItem:
        async def attempt() -> WorkItem:
            item = await self.show(item_id)
            if item.step >= ACTS_MAX:
                raise NotAllowed(f"{item_id} has {item.step} acts, no more are taken: close it", why="limit")
            return await self._append(item, verb, person.name, {**body, **noted(person)})

        return await until_first(attempt)

    async def _append(self, item: WorkItem, verb: str, actor: str, body: Mapping[str, Any]) -> WorkItem:
        if not item.is_open:
            raise NotAllowed(f"{item.id} is closed", why="state")
        act = Act(
            topic=Topic.WORK,
            subject=item.id,
            step=item.step + 1,
            verb=verb,
            at=self._clock.utc_now(),
            actor=actor,
            meter=item.meter,
            body=body,
            is_open=verb != "close",
        )
        await self._acts.append(act)
        return await self.show(item.id)
