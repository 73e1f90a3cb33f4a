"""Several attributes of a DL/T 698.45 meter: in one request, or in as many parts as the meter answers."""

from __future__ import annotations

from typing import Final

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.dlt698.talk import Asking, RequestRefused
from meterlink.errors import BadAnswer
from meterwire.dlt698.apdus.get import GetRequestNormalList, GetResponseNormalList
from meterwire.dlt698.apdus.parts import AttributeResult
from meterwire.dlt698.axdr.selection import Oad

_OCTETS: Final = 32
"""So long an attribute may be in an answer, about."""


async def attributes(
    talk: Asking, line: Exchanging, address: str, oads: tuple[Oad, ...], priority: Priority
) -> tuple[AttributeResult, ...]:
    """Attributes in the order asked for.

    Args:
        talk: asks the meter.
        line: running, or held.
        address: of the meter, 12 digits.
        oads: one or more.
        priority: who goes first.

    Raises:
        Refused, BadAnswer, ReplyTimeout, ConfigError: as ``Talk.ask``.
        LineLost, LineBusy, LineClosed, BusFull: from the line.

    """
    portion = talk.portion(address)
    results: list[AttributeResult] = []
    while len(results) < len(oads):
        left = oads[len(results) :]
        part = left[: max(1, portion.of(len(left) * _OCTETS) // _OCTETS)]
        try:
            results += await _at_once(talk, line, address, part, priority)
            portion.answered()
        except RequestRefused as error:
            if not error.may_be_too_long or not portion.halved(len(part) * _OCTETS, least=_OCTETS):
                raise
    return tuple(results)


async def _at_once(
    talk: Asking, line: Exchanging, address: str, oads: tuple[Oad, ...], priority: Priority
) -> list[AttributeResult]:
    reply = await talk.ask(
        line, address, lambda piid: GetRequestNormalList(piid=piid, oads=oads), priority=priority
    )
    if not isinstance(reply, GetResponseNormalList):
        raise BadAnswer(f"meter {address} answered a list with {type(reply).__name__}")
    results = {result.oad: result for result in reply.results}
    if missing := [str(oad) for oad in oads if oad not in results]:
        raise BadAnswer(f"meter {address} answered a list without {', '.join(missing)}")
    return [results[oad] for oad in oads]
