"""Reading one meter through a port as a concentrator does: descriptors of DL/T 698.45, whatever it speaks.

A meter of 698.45 is asked what its master asked. For a meter of DL/T 645 descriptors are translated by what
they mean: the catalogue's name of a quantity leads from an object to an identifier, and the value back into
the object's type. That goes for present values and for daily freezes, and for reading only.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from metersim.terminals.associated import AssociatedSession
from metersim.terminals.port import USUAL, MeterPort
from meterwire.dlt645 import ReadReply, ReadRequest, ReadSession
from meterwire.dlt645.items.dictionary import dictionary as dictionary645
from meterwire.dlt645.items.values import ItemValue
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.get import GetRequestNormalList, GetRequestRecord
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import AttributeResult, Dar, Piid, RecordRequest, RecordResult, TimeTag
from meterwire.dlt698.axdr.selection import (
    Oad,
    Rcsd,
    SelectEqual,
    Selection,
    SelectLast,
    SelectNthLast,
    SelectRange,
)
from meterwire.dlt698.axdr.values import Data, DateTimeS
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.records import FROZEN_AT, encode_row
from meterwire.dlt698.sessions.client import ClientSession
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.item_value import Content

NO_ANSWER: Final = Dar(33)
OTHER: Final = Dar(255)
DENIED: Final = Dar(3)
NOT_THERE: Final = Dar(6)
SELECTOR_UNFIT: Final = Dar(9)

OWN_CLIENT: Final = 0x01
"""Client address under which a concentrator asks its meters."""
FREEZES_MAX: Final = 62
"""Daily freezes that are looked through at a meter of DL/T 645."""
_SERVICE_NUMBERS: Final = 64
_DAILY: Final = Oad(0x5004, 2, 0)
_LAST: Final = "daily_freeze/last"
_MINUTE: Final = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}").fullmatch


class Silent(Exception):
    """The meter did not answer, or nothing that could be understood."""


class MeterReader(Protocol):
    """A meter behind the concentrator."""

    @property
    def has_freezes(self) -> bool:
        """Whether it can have frozen anything: DL/T 645-1997 knows no daily freezes."""

    async def attributes(
        self,
        oads: Sequence[Oad],
        *,
        tag: TimeTag | None = None,
        timeout_s: float = 0,
        priority: int = USUAL,
    ) -> tuple[AttributeResult, ...]:
        """Read attributes; DL/T 645 has no time tags.

        Raises:
            Silent: no answer.
            PortBusy: too many wait for its port.

        """

    async def records(
        self,
        request: RecordRequest,
        *,
        tag: TimeTag | None = None,
        timeout_s: float = 0,
        priority: int = USUAL,
    ) -> RecordResult:
        """Read records; raises as `attributes`."""


class Reader698:
    """A meter of DL/T 698.45.

    Args:
        port: where it hangs.
        address: 12 digits.
        password: with which it lets a client change something; ``None``: it is asked without an association.

    """

    def __init__(self, port: MeterPort, address: str, password: str | None = None) -> None:
        self._port = port
        self._password = password
        self._server = ServerAddress(address)
        self._number = 0
        self.has_freezes: Final = True

    async def attributes(
        self,
        oads: Sequence[Oad],
        *,
        tag: TimeTag | None = None,
        timeout_s: float = 0,
        priority: int = USUAL,
    ) -> tuple[AttributeResult, ...]:
        """See `MeterReader.attributes`."""
        request = GetRequestNormalList(piid=self.next_piid(), oads=tuple(oads), time_tag=tag)
        reply = await self._asked(self._session(request), timeout_s=timeout_s, priority=priority)
        if isinstance(reply, ServerErrorResponse):
            return tuple(AttributeResult(oad, OTHER) for oad in oads)
        return tuple(reply.results)

    async def records(
        self,
        request: RecordRequest,
        *,
        tag: TimeTag | None = None,
        timeout_s: float = 0,
        priority: int = USUAL,
    ) -> RecordResult:
        """See `MeterReader.records`."""
        apdu = GetRequestRecord(piid=self.next_piid(), record=request, time_tag=tag)
        reply = await self._asked(self._session(apdu), timeout_s=timeout_s, priority=priority)
        if isinstance(reply, ServerErrorResponse):
            return RecordResult(request.oad, request.rcsd, OTHER)
        record: RecordResult = reply.record
        return record

    async def change(self, request: Apdu, *, timeout_s: float = 0, priority: int = USUAL) -> Any:
        """The meter's answer to a request that may change something, once asked.

        Raises:
            Silent: no answer.
            PortBusy: too many wait for its port.

        """
        if self._password is None:
            return await self._asked(self._session(request), timeout_s=timeout_s, priority=priority)
        session = AssociatedSession(request, server=self._server, client=OWN_CLIENT, password=self._password)
        return await self._asked(session, timeout_s=timeout_s, priority=priority)

    def _session(self, request: Apdu) -> ClientSession:
        return ClientSession(request, server=self._server, client=OWN_CLIENT)

    async def _asked(
        self, session: ClientSession | AssociatedSession, *, timeout_s: float, priority: int
    ) -> Any:
        await self._port.exchange(session, timeout_s=timeout_s, priority=priority)
        if session.reply is None:
            raise Silent(self._server.digits)
        return session.reply

    def next_piid(self) -> Piid:
        """Another service number each time."""
        self._number = (self._number + 1) % _SERVICE_NUMBERS
        return Piid.of(self._number)


class Reader645:
    """A meter of DL/T 645, its identifiers translated.

    Args:
        port: where it hangs.
        address: 12 digits.
        edition: what it speaks.

    """

    def __init__(self, port: MeterPort, address: str, edition: Edition) -> None:
        self._port = port
        self._address = address
        self._edition: Edition = edition
        self._known = dictionary645(edition)
        self.has_freezes: Final = self._known.by_name(f"frozen_at@{_LAST}.1") is not None

    async def attributes(
        self,
        oads: Sequence[Oad],
        *,
        tag: TimeTag | None = None,
        timeout_s: float = 0,
        priority: int = USUAL,
    ) -> tuple[AttributeResult, ...]:
        """See `MeterReader.attributes`; each descriptor is an exchange of its own."""
        del tag
        return tuple(
            [
                AttributeResult(oad, await self._attribute(oad, timeout_s=timeout_s, priority=priority))
                for oad in oads
            ]
        )

    async def records(
        self,
        request: RecordRequest,
        *,
        tag: TimeTag | None = None,
        timeout_s: float = 0,
        priority: int = USUAL,
    ) -> RecordResult:
        """See `MeterReader.records`; of daily freezes alone."""
        del tag
        if request.oad != _DAILY or not request.rcsd:
            return RecordResult(request.oad, request.rcsd, NOT_THERE)
        how = {"timeout_s": timeout_s, "priority": priority}
        newest = await self._frozen_at(1, **how)
        if newest is None:
            return RecordResult(request.oad, request.rcsd, ())
        numbers = _numbers(request.rsd, newest)
        if numbers is None:
            return RecordResult(request.oad, request.rcsd, SELECTOR_UNFIT)
        rows = [await self._freeze(number, newest, request.rcsd, **how) for number in numbers]
        return RecordResult(request.oad, request.rcsd, tuple(row for row in rows if row))

    async def _attribute(self, oad: Oad, **how: Any) -> Data | Dar:
        entry = dictionary().entry(oad)
        values = await self._values(entry.item, **how) if entry else None
        if entry is None or values is None:
            return NOT_THERE
        try:
            return entry.encode({value.label.key: value.content for value in values})
        except LocalProtocolError:  # it has other parts of this than the object
            return NOT_THERE

    async def _frozen_at(self, number: int, **how: Any) -> datetime | None:
        """The time of its so-manieth last freeze."""
        values = await self._values(f"frozen_at@{_LAST}.{number}", **how)
        return values[0].moment if values else None

    async def _freeze(
        self, number: int, newest: datetime, columns: Rcsd, **how: Any
    ) -> tuple[Data, ...] | None:
        """One row; ``None`` when it has no such freeze."""
        frozen_at = newest if number == 1 else await self._frozen_at(number, **how)
        if frozen_at is None:
            return None
        contents: dict[str, Content] = {"frozen_at": f"{frozen_at:%Y-%m-%d %H:%M:%S}"}
        quantities = dict.fromkeys(_quantity(column) for column in columns if column != FROZEN_AT)
        for quantity in quantities:
            if quantity and (values := await self._values(f"{quantity}@{_LAST}.{number}", **how)):
                contents |= {value.item: _to_the_second(value.content) for value in values}
        return encode_row(columns, contents)

    async def _values(self, item: str, **how: Any) -> tuple[ItemValue, ...] | None:
        """The values of the identifier that brings an item; ``None`` where there is none, or it is refused.

        Raises:
            Silent: no answer.
            PortBusy: too many wait for its port.

        """
        entry = self._known.by_name(item)
        if entry is None:
            return None
        request = ReadRequest(address=self._address, di=entry.di)
        session = ReadSession(request, edition=self._edition)
        await self._port.exchange(session, **how)
        if session.reply is None:
            raise Silent(self._address)
        if not isinstance(session.reply, ReadReply):
            return None
        try:
            return entry.decode(session.reply.data)
        except RemoteProtocolError as fault:
            raise Silent(f"{self._address}: {fault}") from fault


def _to_the_second(content: Content) -> Content:
    """DL/T 645 says the time of a demand to the minute."""
    return f"{content}:00" if isinstance(content, str) and _MINUTE(content) else content


def _quantity(column: object) -> str:
    """What identifiers of freezes are named by: the item without its dimensions."""
    entry = dictionary().entry(column) if isinstance(column, Oad) else None
    return entry.context.quantity if entry else ""


def _numbers(rsd: Selection, newest: datetime) -> list[int] | None:
    """Which of the last freezes a selector means, oldest first; ``None`` for one that is not understood."""
    match rsd:
        case SelectNthLast(number):
            found = [number]
        case SelectLast(count, _):
            found = list(range(count, 0, -1))
        case SelectEqual(oad, value) if oad == FROZEN_AT and (when := _civil(value)):
            found = [(newest - when).days + 1] if when.time() == newest.time() else []
        case SelectRange(oad, start, end, _) if oad == FROZEN_AT:
            first, last = _civil(start), _civil(end)
            if first is None or last is None:
                return None
            days = range(FREEZES_MAX, 0, -1)
            found = [day for day in days if first <= newest - timedelta(days=day - 1) < last]
        case _:
            return None
    return [number for number in found if 1 <= number <= FREEZES_MAX]


def _civil(value: Data) -> datetime | None:
    return value.value.civil() if isinstance(value.value, DateTimeS) else None
