"""What people ask of work items and alarms, as a desk answers it: a name, arguments, a document.

Each op is one row of a table; whoever has a socket calls ``answer``. Looking takes no role: who may look at
all is for the socket to say.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from meterlink.errors import BadRequest
from meterlink.orders.attention.alarms import Alarms
from meterlink.orders.attention.words import Person
from meterlink.orders.attention.work import WorkItems

LIST_MAX: Final = 500
"""Items or alarms in one answer; ``after`` asks for the next."""

Args = Mapping[str, Any]
Answer = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """What the desk stands on."""

    work: WorkItems
    alarms: Alarms


@dataclass(frozen=True, slots=True)
class Op:
    """One thing that may be asked for.

    Args:
        do: does it; the arguments are whole and of the right kind.
        needs: texts that must be there.
        may: what stands for an argument that is not there; it is of the same kind.

    """

    do: Callable[[Attention, Person, Args], Awaitable[Answer]]
    needs: tuple[str, ...] = ()
    may: Mapping[str, str | bool] = field(default_factory=dict)


async def answer(desk: Attention, person: Person, op: str, args: Args) -> Answer:
    """Do what is asked for.

    Args:
        desk: the log's.
        person: who asks.
        op: one of ``OPS``.
        args: of it.

    Raises:
        BadRequest: no such op, or an argument that is missing, unknown or of another kind; nothing was done.
        Unknown, NotAllowed, StepTaken, JournalError: it was not done.

    """
    if op not in OPS:
        raise BadRequest(f"there is no {op!r}: {', '.join(OPS)}")
    wanted = OPS[op]
    whole: dict[str, Any] = {**dict.fromkeys(wanted.needs), **wanted.may, **args}
    for name, value in whole.items():
        if name not in wanted.needs and name not in wanted.may:
            raise BadRequest(f"{op} takes no {name!r}")
        kind = type(wanted.may.get(name, ""))
        if type(value) is not kind:
            raise BadRequest(f"{op} needs {name}: {'a text' if kind is str else 'true or false'}")
    return await wanted.do(desk, person, MappingProxyType(whole))


async def _work_list(desk: Attention, _: Person, args: Args) -> Answer:
    items = await desk.work.list(only_open=args["only_open"], after=args["after"], limit=LIST_MAX)
    return {"items": [item.as_json() for item in items]}


async def _work_show(desk: Attention, _: Person, args: Args) -> Answer:
    return (await desk.work.show(args["item"])).as_json()


async def _work_note(desk: Attention, person: Person, args: Args) -> Answer:
    return (await desk.work.note(args["item"], args["text"], person)).as_json()


async def _work_assign(desk: Attention, person: Person, args: Args) -> Answer:
    return (await desk.work.assign(args["item"], args["assignee"], person)).as_json()


async def _work_close(desk: Attention, person: Person, args: Args) -> Answer:
    return (await desk.work.close(args["item"], args["why"], person)).as_json()


async def _alarm_list(desk: Attention, _: Person, args: Args) -> Answer:
    alarms = await desk.alarms.list(only_open=args["only_open"], after=args["after"], limit=LIST_MAX)
    return {"alarms": [alarm.as_json() for alarm in alarms]}


async def _alarm_show(desk: Attention, _: Person, args: Args) -> Answer:
    return (await desk.alarms.show(args["alarm"])).as_json()


async def _alarm_acknowledge(desk: Attention, person: Person, args: Args) -> Answer:
    return (await desk.alarms.acknowledge(args["alarm"], person)).as_json()


async def _alarm_close(desk: Attention, person: Person, args: Args) -> Answer:
    told = {name: args[name] for name in ("cause", "owner", "prevention")}
    return (await desk.alarms.close(args["alarm"], person, **told)).as_json()


_LIST: Final[Mapping[str, str | bool]] = MappingProxyType({"only_open": True, "after": ""})
OPS: Final[Mapping[str, Op]] = MappingProxyType(
    {
        "work.list": Op(_work_list, may=_LIST),
        "work.show": Op(_work_show, ("item",)),
        "work.note": Op(_work_note, ("item", "text")),
        "work.assign": Op(_work_assign, ("item", "assignee")),
        "work.close": Op(_work_close, ("item", "why")),
        "alarm.list": Op(_alarm_list, may=_LIST),
        "alarm.show": Op(_alarm_show, ("alarm",)),
        "alarm.acknowledge": Op(_alarm_acknowledge, ("alarm",)),
        "alarm.close": Op(_alarm_close, ("alarm", "cause", "owner", "prevention")),
    }
)
"""What may be asked for."""
