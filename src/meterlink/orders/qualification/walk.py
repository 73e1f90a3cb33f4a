"""One walk of a person through the probes at one meter, folded from its acts: who, how far, what was found.

::

    begin -> (greet) -> ask -> find -> ask -> find -> ... -> end

``ask`` is written before the order of a probe is created, and bears who confirmed that the load is safe;
``find`` when the meter has shown what became of it. A daemon that dies in between finds the order under its
id, and goes on. One walk is open at a meter at a time.

A walk that begins where an ended one has left the contact open closes it, and finds out nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from meterlink.model.act import Act, KeptAct, Topic
from meterlink.model.order import Order, Origin
from meterlink.model.payload import time_out
from meterlink.orders.qualification.looks import Found, Words
from meterlink.orders.qualification.probes import CLOSINGS, PROBES, Probe

RESTS_AFTER: Final = timedelta(minutes=15)
"""So long after its last act a walk counts as left: the longest that a trip may wait, and some minutes."""
CLOSED: Final = "closed"
"""Result of a walk that has found the contact closed, or closed it, where another had left it open."""
SESSIONS: Final = "session/"
"""What the subjects of walks begin with; a model's begins with its protocol."""
_BY_NAME: Final[Mapping[str, Probe]] = {probe.name: probe for probe in (*PROBES, *CLOSINGS)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A probe whose order may go.

    Args:
        probe: its name.
        order: the order's id.
        at: when the person at the meter said yes.
        by: who that is.

    """

    probe: str
    order: str
    at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Walk:
    """How far one walk is.

    Args:
        id: of it.
        meter: our id of the meter.
        by: who goes on with it: who began it, or took it up when that one had gone.
        noted: what the acts of that one keep beside the name: the roles held now; not in what was read.
        work_order: id of the record that allows it; empty: a meter of the laboratory.
        began_at: when.
        last_at: of its last act.
        number: place of its beginning in the log; 0: it is being written.
        closes: id of the order since which the contact is left open; empty: it is a qualification.
        firmware: as the meter told it; empty: it was not greeted yet.
        facts: what was found so far.
        done: names of the probes that are over.
        asked: the probe in hand; ``None``: none is.
        stop: why it ended before its end.
        result: ``qualified``, ``closed``, ``stopped`` or ``left``; empty: it goes on.
        step: of its last act.

    """

    id: str
    meter: str
    by: str
    work_order: str
    began_at: datetime
    last_at: datetime
    number: int = 0
    closes: str = ""
    firmware: str = ""
    facts: Mapping[str, str] = field(default_factory=dict)
    done: tuple[str, ...] = ()
    asked: Asked | None = None
    stop: Words | None = None
    result: str = ""
    step: int = 1
    noted: Mapping[str, Any] = field(default_factory=dict)

    @property
    def subject(self) -> str:
        """What its acts are about."""
        return SESSIONS + self.id

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What may be sent, in that order."""
        return CLOSINGS if self.closes else PROBES

    @property
    def is_open(self) -> bool:
        """Whether it goes on."""
        return not self.result

    @classmethod
    def of(cls, acts: Sequence[KeptAct | Act]) -> Walk:
        """Fold its acts.

        Raises:
            ValueError, KeyError, TypeError: they are not those of a walk.

        """
        told = [one.act if isinstance(one, KeptAct) else one for one in acts]
        if not told or told[0].verb != "begin":
            raise ValueError("a walk begins with its beginning")
        first = told[0]
        walk = cls(
            id=first.subject.removeprefix(SESSIONS),
            meter=first.meter,
            by=first.actor,
            work_order=first.body["work_order"],
            began_at=first.at,
            last_at=first.at,
            number=acts[0].number if isinstance(acts[0], KeptAct) else 0,
            closes=first.body.get("closes", ""),
        )
        for act in told[1:]:
            walk = walk.then(act)
        return walk

    def then(self, act: Act) -> Walk:
        """The same after its next act.

        Raises:
            ValueError, KeyError, TypeError: that is none of a walk.

        """
        return replace(_STEPS[act.verb](self, act), by=act.actor, last_at=act.at, step=act.step)

    def next(self, verb: str, *, at: datetime, body: Mapping[str, Any], is_open: bool = True) -> Act:
        """The act of the next step, of whoever goes on with it."""
        return Act(
            topic=Topic.QUALIFICATION,
            subject=self.subject,
            step=self.step + 1,
            verb=verb,
            at=at,
            actor=self.by,
            meter=self.meter,
            body={**body, **self.noted},
            is_open=is_open,
        )

    @property
    def view(self) -> dict[str, Any]:
        """For people and programs."""
        return {
            "id": self.id,
            "meter": self.meter,
            "by": self.by,
            "work_order": self.work_order,
            "closes": self.closes,
            "began_at": time_out(self.began_at),
            "firmware": self.firmware,
            "facts": dict(self.facts),
            "done": list(self.done),
            "probe": self.asked.probe if self.asked else "",
            "order": self.asked.order if self.asked else "",
            "stop": words_out(self.stop),
            "result": self.result,
        }


def beginning(meter: str, *, by: str, work_order: str, at: datetime, closes: str = "") -> Act:
    """The first act of a walk; its id follows from meter and time.

    Args:
        meter: our id.
        by: who begins it.
        work_order: id of the record that allows it; empty: none.
        at: when.
        closes: see ``Walk``.

    """
    digest = hashlib.sha256(f"{meter}\0{time_out(at)}".encode()).hexdigest()
    return Act(
        topic=Topic.QUALIFICATION,
        subject=f"{SESSIONS}q-{digest[:16]}",
        step=1,
        verb="begin",
        at=at,
        actor=by,
        meter=meter,
        body={"work_order": work_order, **({"closes": closes} if closes else {})},
        is_open=True,
    )


def found_out(found: Found, probe: str, **more: Any) -> dict[str, Any]:
    """What a probe found, as its act says it."""
    return {"probe": probe, "facts": dict(found.facts), "stop": words_out(found.stop), **more}


def words_out(words: Words | None) -> dict[str, str]:
    """A sentence as JSON; empty: none."""
    return {} if words is None else {"en": words.en, "zh": words.zh}


def order_of(walk: Walk, probe: Probe) -> str:
    """The id of a probe's order: the same for ever."""
    return f"{walk.id}.{probe.name}"


def walk_of(order: Order) -> str:
    """What the acts of the walk are about that a probe's order belongs to."""
    return SESSIONS + order.id.rpartition(".")[0]


def probe_of(order: Order) -> Probe | None:
    """The probe that an order is of."""
    return _BY_NAME.get(order.id.rpartition(".")[2])


def is_stale_probe(order: Order) -> bool:
    """Whether the meter shall refuse an order because its time is over: a probe, of the alarm alone."""
    probe = probe_of(order) if order.origin is Origin.PROBE else None
    return probe is not None and probe.is_stale


def probe_named(name: str) -> Probe:
    """The probe of a name."""
    return _BY_NAME[name]


def _greet(walk: Walk, act: Act) -> Walk:
    return _find(replace(walk, firmware=act.body["firmware"]), act)


def _ask(walk: Walk, act: Act) -> Walk:
    asked = Asked(probe=act.body["probe"], order=act.body["order"], at=act.at, by=act.actor)
    return replace(walk, asked=asked)


def _find(walk: Walk, act: Act) -> Walk:
    facts, stop, probe = act.body["facts"], act.body["stop"], act.body["probe"]
    return replace(
        walk,
        facts={**walk.facts, **facts},
        done=(*walk.done, probe),
        asked=None,
        stop=Words(en=stop["en"], zh=stop["zh"]) if stop else None,
    )


def _end(walk: Walk, act: Act) -> Walk:
    return replace(walk, asked=None, result=act.body["result"])


_STEPS: Final = {"greet": _greet, "ask": _ask, "find": _find, "end": _end}
