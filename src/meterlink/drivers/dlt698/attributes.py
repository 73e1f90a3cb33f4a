"""Attributes of DL/T 698.45 meters, several in a request (GET-Request-NormalList), each with its own answer.

A list costs one exchange instead of one for each item, and a meter answers each attribute of it by itself, a
refusal too. Its answer shall fit one frame of a meter that has agreed on nothing.
Source: spec dlt698, sections 1.7 and 3.5.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Final, Protocol

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.base import Brought, Measured, MeterAnswer
from meterlink.drivers.dlt698.items import Asked, asked, scaler_of
from meterlink.drivers.dlt698.talk import refusal
from meterlink.drivers.together import Together
from meterlink.drivers.values import measured
from meterlink.errors import BadAnswer, Refused
from meterprofiles import Profile
from meterwire.dlt698.apdus.parts import AttributeResult, Dar
from meterwire.dlt698.axdr.selection import Oad, ScalerUnit
from meterwire.dlt698.objects.dictionary import Entry, names
from meterwire.dlt698.objects.item_values import ItemValue
from meterwire.errors import LocalProtocolError

ANSWER_OCTETS: Final = 400
"""What the values of one list may take: a frame has 512 octets before anything is agreed, with its address,
its service and an envelope around them."""
GROUPS_KEPT: Final = 256
"""Sets of items whose group is remembered; all meters of a plan have the same."""
_NAME_OCTETS: Final = 5
_VALUE_OCTETS: Final = 10
"""Of a number or a word with its type, cautiously; what is longer comes in blocks or segments, and is read
all the same."""
_PARTS: Final = 5
"""Of an array: a total and four tariffs."""

_GAPS: Final = {"absent", "empty"}
"""Problems of a value that the device does not have; the others are faults of its answer."""


class AsksLists(Protocol):
    """Who carries a list to a meter."""

    async def get_list(
        self, line: Exchanging, address: str, oads: tuple[Oad, ...], priority: Priority
    ) -> tuple[AttributeResult, ...]:
        """See ``Dlt698Driver.get_list``."""


class Attributes698:
    """Several attributes of one meter at once.

    Args:
        asks: carries the lists.
        profile: of the meters.
        clock: says when an answer was taken.

    Attributes:
        together: which meters take lists.

    """

    def __init__(self, asks: AsksLists, profile: Profile, clock: Clock) -> None:
        self.together = Together(clock)
        self._asks = asks
        self._most = profile.reads.together
        self._scales = profile.association.ask_scalers
        self._clock = clock

    def group(self, address: str, items: Sequence[str]) -> tuple[str, ...]:
        """Items that one request may bring, the first one among them."""
        if not self.together.may(address):
            return tuple(items[:1])
        return _fitting(tuple(items), self._most, self._scales)

    def oads(self, found: Asked) -> tuple[Oad, ...]:
        """The attributes that tell an item: itself, and its scaler where the profile says to ask for it."""
        return _oads(found, scales=self._scales)

    async def read(self, line: Exchanging, address: str, items: Sequence[str], priority: Priority) -> Brought:
        """Read several items; see ``Driver.read_group``."""
        each = {item: asked(item) for item in items}
        oads = tuple(dict.fromkeys(oad for found in each.values() for oad in self.oads(found)))
        with self.together.asked_at_once(address):
            answers = await self._asks.get_list(line, address, oads, priority)
            if all(isinstance(answer.result, Dar) for answer in answers):
                raise _first_refusal(address, each, answers)
        taken_at = self._clock.utc_now()
        said = dict(zip(oads, answers, strict=True))
        found: dict[str, MeterAnswer | Refused | BadAnswer] = {}
        for item, one in each.items():
            try:
                values = fit(address, item, self.values(address, one, said))
            except (Refused, BadAnswer) as error:
                found[item] = error
            else:
                found[item] = MeterAnswer(values=values, taken_at=taken_at)
        return found

    def values(
        self, address: str, found: Asked, said: Mapping[Oad, AttributeResult]
    ) -> tuple[ItemValue, ...]:
        """What a meter said of an item.

        Args:
            address: of the meter.
            found: what was asked for.
            said: by attribute.

        Raises:
            Refused: it said no.
            BadAnswer: its scaler does not fit.

        """
        oad, *scaler = self.oads(found)
        entry = rescaled(found.entry, said[scaler[0]], address) if scaler else found.entry
        result = said[oad].result
        if isinstance(result, Dar):
            raise refusal(f"meter {address}", found.name, result)
        return entry.decode(result)


@functools.lru_cache(GROUPS_KEPT)
def _fitting(items: tuple[str, ...], most: int, scales: bool) -> tuple[str, ...]:
    """Those of some items that one answer holds, from the first one on."""
    found: list[str] = []
    oads: set[Oad] = set()
    octets = 0
    for item in items:
        one = asked(item)
        octets += 0 if one.oad in oads else _octets(one)  # words of state stand in one attribute
        oads.update(_oads(one, scales=scales))
        if found and (one.table or octets > ANSWER_OCTETS or len(oads) > most):
            break
        found.append(item)
        if one.table:  # its records are asked for in another way
            break
    return tuple(found)


def _oads(found: Asked, *, scales: bool) -> tuple[Oad, ...]:
    scaler = scaler_of(found.entry) if scales else None
    return (found.oad,) if scaler is None else (found.oad, scaler)


def _octets(found: Asked) -> int:
    """About how long the answer to an item is."""
    parts = [_PARTS if name.endswith(".*") else 1 for name in names(found.entry)]
    return _NAME_OCTETS + _VALUE_OCTETS * sum(parts)


def fit(address: str, item: str, values: Sequence[ItemValue]) -> tuple[Measured, ...]:
    """The values of an answer, when they can be trusted.

    Raises:
        Refused: the meter has nothing in the place of the whole.
        BadAnswer: a value does not fit.

    """
    for value in values:
        if value.problem and value.problem not in _GAPS:
            raise BadAnswer(f"meter {address} answered {item} with data that does not fit: {value.problem}")
    brought = tuple(measured(value) for value in values if not value.item.endswith(".*"))
    if not brought:
        raise Refused(f"meter {address} has {item}, but nothing in it (NULL)", error_word=b"", no_such=True)
    return brought


def rescaled(entry: Entry, said: AttributeResult, address: str) -> Entry:
    """The entry with the scaler and unit that the meter says; as it is where the meter says none.

    Raises:
        BadAnswer: the scaler does not fit.

    """
    if isinstance(said.result, Dar) or not isinstance(said.result.value, ScalerUnit):
        return entry
    try:
        return entry.scaled(said.result.value)
    except LocalProtocolError as error:
        raise BadAnswer(f"meter {address} says a scaler that does not fit: {error}") from None


def _first_refusal(address: str, each: Mapping[str, Asked], answers: Sequence[AttributeResult]) -> Refused:
    """Everything was refused: it may be the list itself."""
    dar = answers[0].result
    assert isinstance(dar, Dar), "all of them are"
    return refusal(f"meter {address}", f"a list of {len(each)} items", dar)
