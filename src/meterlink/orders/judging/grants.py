"""The one-time authorisation by which field staff close: given by a dispatcher for one order, and taken back.

It is of use for an order that a person created and nobody has operated yet: nobody arms what began by itself,
what was sent, or what has ended. So whoever goes because a reconnection has ended needs a new order, and a no
says so. Source: CTRL-17, AUD-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meterlink.errors import NotAllowed, NotEntitled, with_chinese
from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.model.order import Origin
from meterlink.orders.life.life import Life
from meterlink.orders.life.timeline import Timeline
from meterlink.orders.limits.caps import Verb
from meterlink.orders.people import FIELD_KINDS, Actor, Deed, Role

_NEW_ONE: Final = (
    "to close there, a clerk creates a new permit_close of meter {meter} with what it rests on ({why}), and "
    "that one is granted"
)
_NEW_ONE_ZH: Final = "现场复电须由录入人员为电表{meter}新建 permit_close 工单并注明依据({why}),再对新工单授权"


class Grants:
    """Gives and takes authorisations; each one is an act.

    Args:
        acts: the log.
        timeline: when it is.

    """

    def __init__(self, acts: ActLog, timeline: Timeline) -> None:
        self._acts = acts
        self._timeline = timeline

    async def grant(self, life: Life, person: Actor, actor: Actor) -> None:
        """Give field staff the authorisation of a reconnection; whoever had it has it no more.

        Raises:
            NotEntitled: the actor may not give it, or the person is no field staff.
            NotAllowed: it is no reconnection (``kind``), began by itself (``origin``), has ended (``ended``),
                or was sent (``sent``) and is nobody's to be taken away.
            StepTaken, JournalError: it was not kept.

        """
        _check_entitled(actor)
        if Role.FIELD not in person.roles or person.name == actor.name:
            raise NotEntitled(f"{person.name} is no field staff whom {actor.name} could send")
        last = await self._last(life)
        _check_of_use(life, is_given=last is not None and last.verb == Verb.GRANT)
        await self._append(life, Verb.GRANT, actor, {"person": person.name}, last)

    async def revoke(self, life: Life, actor: Actor, why: str) -> str:
        """Take the authorisation of a reconnection back; who had it.

        Whoever has it operates the order no more, and what it let him operate is not sent and not sent again;
        a frame that has left stays where it is.

        Args:
            life: the order.
            actor: who takes it back.
            why: for people, as it is kept.

        Raises:
            NotEntitled: the actor may not.
            NotAllowed: nobody has it (``not_granted``).
            StepTaken: somebody else gave or took it at the same moment; look again.
            JournalError: it was not kept.

        """
        _check_entitled(actor)
        last = await self._last(life)
        if last is None or last.verb != Verb.GRANT:
            raise with_chinese(
                NotAllowed(f"nobody of the field staff was given order {life.order.id}", why="not_granted"),
                f"工单{life.order.id}未授权给任何现场人员",
            )
        person = str(last.body["person"])
        await self._append(life, Verb.REVOKE, actor, {"person": person, "why": why}, last)
        return person

    async def _last(self, life: Life) -> Act | None:
        last = await self._acts.last_of(Topic.POLICY, _subject(life))
        return None if last is None else last.act

    async def _append(
        self, life: Life, verb: Verb, actor: Actor, body: Mapping[str, Any], last: Act | None
    ) -> None:
        act = Act(
            topic=Topic.POLICY,
            subject=_subject(life),
            step=last.step + 1 if last else 1,
            verb=verb.value,
            at=self._timeline.stamp(),
            actor=actor.name,
            meter=life.order.meter,
            body={**body, **actor.noted},
        )
        await self._acts.append(act)


def _subject(life: Life) -> str:
    return f"grant:{life.order.id}"


def _check_entitled(actor: Actor) -> None:
    deed = Deed.AUTHORISE_FIELD
    if not actor.may(deed):
        raise NotEntitled(f"{actor.name} may not {deed.value}: no role of theirs allows it")


def _check_of_use(life: Life, *, is_given: bool) -> None:
    """Refuse an authorisation of what nobody can operate, with the way that there is instead."""
    order, state = life.order, life.state.value
    if order.kind not in FIELD_KINDS:
        raise with_chinese(
            NotAllowed(f"field staff close, they do not {order.kind.value}", why="kind"),
            f"现场人员只能合闸,不能执行{order.kind.value}",
        )
    why = order.payment or order.reference or "payment, work order, ..."
    way = _NEW_ONE.format(meter=order.meter, why=why)
    way_zh = _NEW_ONE_ZH.format(meter=order.meter, why=why)
    if not life.is_open:
        raise with_chinese(
            NotAllowed(f"order {order.id} has ended ({state}), nobody operates it: {way}", why="ended"),
            f"工单{order.id}已结束({state}),不能再执行:{way_zh}",
        )
    if order.origin is not Origin.PERSON:
        raise with_chinese(
            NotAllowed(f"order {order.id} ({state}) goes by itself, nobody arms it: {way}", why="origin"),
            f"工单{order.id}({state})自动执行,无法由人员预置:{way_zh}",
        )
    if not (life.is_before_sending or is_given):
        raise with_chinese(
            NotAllowed(f"order {order.id} ({state}) was sent already, nobody operates it again", why="sent"),
            f"工单{order.id}({state})已发送,不能再次执行",
        )
