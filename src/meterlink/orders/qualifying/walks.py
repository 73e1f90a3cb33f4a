"""The walks of one gateway as the log has them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from meterlink.drivers.control import Standing
from meterlink.errors import JournalError, Unknown
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.order import Order, Origin
from meterlink.orders.dispatch.looking import look_in
from meterlink.orders.life.machine import Signal
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.qualification.facts import MODELS_MAX
from meterlink.orders.qualification.walk import CLOSED, RESTS_AFTER, SESSIONS, Walk


class Walks:
    """Reads walks, and writes their next step.

    Args:
        acts: the log.
        timeline: gives each step its time.

    """

    def __init__(self, acts: ActLog, timeline: Timeline) -> None:
        self._acts = acts
        self._timeline = timeline

    async def read(self, walk_id: str) -> Walk:
        """A walk by its id.

        Raises:
            Unknown: there is none.
            JournalError: it cannot be read.

        """
        acts = await self._acts.of_subject(Topic.QUALIFICATION, SESSIONS + walk_id)
        if not acts:
            raise Unknown(f"there is no qualification {walk_id!r}")
        try:
            return Walk.of(acts)
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(f"the qualification {walk_id} cannot be read from the log: {error}") from None

    async def all_open(self) -> list[Walk]:
        """Those that have not ended; errors as of ``read``."""
        names = await self._acts.subjects(Topic.QUALIFICATION, only_open=True, limit=MODELS_MAX)
        return [await self.read(name.removeprefix(SESSIONS)) for name in names if name.startswith(SESSIONS)]

    async def left_open(self, meter: str) -> tuple[Walk | None, str]:
        """The walk that has ended last at a meter, and the order since which the contact is open by it.

        Raises:
            JournalError: it cannot be read.

        """
        try:
            walk = await _ended_at(self._acts, meter)
        except (ValueError, KeyError, TypeError) as error:
            raise JournalError(f"the last qualification at {meter} cannot be read: {error}") from None
        return walk, "" if walk is None else await opened_by(self._acts, walk)

    async def told(self, walk: Walk, verb: str, body: Mapping[str, Any]) -> Walk:
        """A walk with one more step, which is written down; errors as of ``read``."""
        act = walk.next(verb, at=self._timeline.stamp(), body=body)
        await self._acts.append(act)
        return replace(await self.read(walk.id), noted=walk.noted)


def rests(walk: Walk, timeline: Timeline) -> bool:
    """Whether whoever went on with a walk seems to have gone."""
    return timeline.now() - timeline.lived(walk.last_at) >= RESTS_AFTER


async def opened_by(acts: ActLog, walk: Walk) -> str:
    """The order of a probe after which the contact is open, or may be; empty: it is closed.

    Raises:
        JournalError: the log cannot be read.

    """
    if walk.result == CLOSED:
        return ""
    opened, is_open, probes = walk.closes, bool(walk.closes), set[str]()
    async for kept in acts.all_of_meter(walk.meter, Topic.ORDER, after=walk.number):
        act = kept.act
        if act.verb == Signal.CREATE and Order.of(act.subject, act.body["order"]).origin is Origin.PROBE:
            probes.add(act.subject)
        for contact_open in _looks(act):
            is_open = contact_open is not False
            opened = act.subject if act.subject in probes else opened
    return opened if is_open else ""


async def _ended_at(acts: ActLog, meter: str) -> Walk | None:
    """The newest walk at a meter, if it has ended; ``None``: there is none, or it goes on.

    Raises:
        JournalError: the log cannot be read.
        ValueError, KeyError, TypeError: it makes no sense.

    """
    newest = ""
    async for kept in acts.all_of_meter(meter, Topic.QUALIFICATION):
        if kept.act.subject.startswith(SESSIONS):
            newest = kept.act.subject
    walk = Walk.of(await acts.of_subject(Topic.QUALIFICATION, newest)) if newest else None
    return walk if walk is not None and not walk.is_open else None


def _looks(act: Act) -> Iterator[bool | None]:
    """How the contact stood when an act was written: nobody can say when a frame has just left."""
    if act.verb == Signal.INTEND:
        yield None
    if "look" in act.body:
        look = look_in(act.body["look"])
        if isinstance(look.seen, Standing):
            yield look.seen.contact_open
