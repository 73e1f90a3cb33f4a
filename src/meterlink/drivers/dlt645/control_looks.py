"""What meters of DL/T 645-2007 tell about themselves before and after an order: plain reads, no session.

What a meter refuses, or answers with what does not fit, it does not tell: that is ``None``. Only the status
word is different: an unfit one is an error, for it may be the very word that is believed next.
Source: control-and-prepayment, sections 1.5 and 2.3, facts 3, 6 and 10.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any, Final, NamedTuple

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.control import (
    ClockLook,
    Identity,
    Known,
    Opening,
    Standing,
    SwitchRecord,
    opening_limit,
    opens_within,
)
from meterlink.drivers.dlt645.talk import Talk645, Told
from meterlink.errors import BadAnswer, Refused
from meterwire.dlt645 import Dictionary, ItemValue

PRIORITY: Final = Priority.CONTROL
"""Of everything that an order asks: it holds the line."""
MIDNIGHT_MARGIN: Final = timedelta(minutes=10)
"""A time of day younger than this may belong to another day than a date that was read before it; two
exchanges never take as long."""
_SHOWN_S: Final = timedelta(seconds=1)
"""A clock that shows whole seconds shows each for one."""
_WATTS: Final = 1_000
_CENTS: Final = 100
_STATUS_WORD: Final = "meter_status_word_3"
_TRIP_CURRENT: Final = "trip_current"
_WAITS: Final = ("trip_delay", "trip_wait")
"""Minutes from a trip to the opening: always, and while more than ``_TRIP_CURRENT`` flows."""
_OPERATOR_CODE: Final = "operator_code"


class StatusBits(NamedTuple):
    """The places of what an order looks at; ``None``: the word does not tell it."""

    contact: int
    command: int | None
    alarm: int | None
    guarantee: int | None


STATUS_BITS: Final[Mapping[str, StatusBits]] = {
    "state_grid": StatusBits(contact=4, command=6, alarm=7, guarantee=12),
    "vendor": StatusBits(contact=4, command=1, alarm=None, guarantee=12),
}
"""Each bit: 1 = open, or on. Source: control-and-prepayment, section 1.5."""
UNKNOWN_BITS: Final = StatusBits(contact=4, command=None, alarm=None, guarantee=12)
"""Of a model of which nobody knows which of the two it uses: what both have."""
STANDARD_BITS: Final = StatusBits(contact=4, command=None, alarm=None, guarantee=None)
"""Of every dialect but the State Grid's: the standard keeps the other bits in reserve."""


def bits_of(known: Known) -> StatusBits:
    """The places in status word 3 of a model, by the fact ``command_bit``."""
    word = known.get("command_bit")
    return UNKNOWN_BITS if word is None else STATUS_BITS.get(word, UNKNOWN_BITS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looks645:
    """Looks at meters of one profile.

    Args:
        clock: ours.
        talk: the way to ask them.
        dictionary: what their identifiers mean.
        zone: what their clocks show.

    """

    clock: Clock
    talk: Talk645
    dictionary: Dictionary
    zone: tzinfo

    async def identity(self, line: Exchanging, address: str) -> Identity:
        """See ``ControlDriver.identity``."""
        said = {item: await self._text(line, address, item) for item in _IDENTITY}
        return Identity(address=said["communication_address"], meter_number=said["meter_number"])

    async def firmware(self, line: Exchanging, address: str) -> tuple[str, ...]:
        """See ``ControlDriver.firmware``."""
        said = []
        for item in _FIRMWARE:
            try:
                said.append((await self._text(line, address, item)).strip())
            except (Refused, BadAnswer):
                said.append("")
        return tuple(said)

    async def clock_look(self, line: Exchanging, address: str) -> ClockLook:
        """See ``ControlDriver.clock``.

        Date and time are two identifiers. When the time says that midnight has just passed, the date that was
        read before it may be that of the day before, and is read again.
        """
        date = await self._text(line, address, "meter_date")
        begun_s = self.clock.monotonic_s()
        shown = await self._text(line, address, "meter_time")
        took = timedelta(seconds=self.clock.monotonic_s() - begun_s)
        half_way = self.clock.utc_now() - took / 2
        meter_at = _moment(f"{date[:10]} {shown}", address, self.zone)
        if meter_at - meter_at.replace(hour=0, minute=0, second=0) < MIDNIGHT_MARGIN:
            date = await self._text(line, address, "meter_date")
            meter_at = _moment(f"{date[:10]} {shown}", address, self.zone)
        # The second that is shown began up to a second ago: its middle is the best guess.
        return ClockLook(offset=meter_at + _SHOWN_S / 2 - half_way, error=(took + _SHOWN_S) / 2)

    async def standing(self, line: Exchanging, address: str, bits: StatusBits) -> Standing:
        """See ``ControlDriver.standing``.

        Args:
            line: running, or held.
            address: of the meter.
            bits: of its status word 3.

        """
        look = _Look(lambda item: self._told(line, address, item))
        word = await self._status_word(line, address, look)
        voltages = await look.phases("voltage")
        currents = await look.phases("current")
        power = await look.number("active_power")
        trips = await look.record("relay_trip", self.zone)
        closes = await look.record("relay_close", self.zone)

        def bit(place: int | None) -> bool | None:
            return None if word is None or place is None else bool(word >> place & 1)

        return Standing(
            taken_at=look.taken_at or self.clock.utc_now(),
            contact_open=bit(bits.contact),
            command_open=bit(bits.command),
            alarm=bit(bits.alarm),
            guarantee=bit(bits.guarantee),
            currents_a=currents,
            voltages_v=voltages,
            power_w=None if power is None else power * _WATTS,
            trips=trips,
            closes=closes,
            raw=tuple(look.raw),
        )

    async def opening(self, line: Exchanging, address: str) -> Opening:
        """See ``ControlDriver.opening``."""
        look = _Look(lambda item: self._told(line, address, item))
        limit_a = opening_limit(await look.number(_TRIP_CURRENT))
        return Opening(limit_a=limit_a, within=opens_within(*[await look.number(item) for item in _WAITS]))

    async def cents(self, line: Exchanging, address: str, item: str) -> int:
        """An amount of money.

        Raises:
            BadAnswer: it is no number.

        """
        return int(await self._number(line, address, item) * _CENTS)

    async def count(self, line: Exchanging, address: str, item: str) -> int:
        """A whole number.

        Raises:
            BadAnswer: it is none.

        """
        return int(await self._number(line, address, item))

    async def _status_word(self, line: Exchanging, address: str, look: _Look) -> int | None:
        try:
            told = await self._told(line, address, _STATUS_WORD)
        except Refused:
            return None
        look.note(_STATUS_WORD, told)
        return int.from_bytes(told.octets, "little")

    async def _number(self, line: Exchanging, address: str, item: str) -> Decimal:
        told = await self._told(line, address, item)
        value = told.values[0].value
        if value is None:
            raise BadAnswer(f"meter {address} answered {item} with {told.octets.hex()}, which is no number")
        return value

    async def _text(self, line: Exchanging, address: str, item: str) -> str:
        told = await self._told(line, address, item)
        text = told.values[0].text
        if text is None:
            raise BadAnswer(f"meter {address} answered {item} with {told.octets.hex()}, which is none")
        return str(text)

    async def _told(self, line: Exchanging, address: str, item: str) -> Told:
        entry = self.dictionary.by_name(item)
        if entry is None:
            raise Refused(f"the dialect of meter {address} has no {item}", error_word=b"")
        return await self.talk.ask(line, address, entry, priority=PRIORITY)


_IDENTITY: Final = ("communication_address", "meter_number")
_FIRMWARE: Final = ("maker_code", "software_version", "hardware_version")


class _Look:
    """One look at many items: what is not told is ``None``, and all that is told is kept.

    Args:
        ask: for one item.

    """

    def __init__(self, ask: Callable[[str], Coroutine[Any, Any, Told]]) -> None:
        self._ask = ask
        self.raw: list[tuple[str, str]] = []
        self.taken_at: datetime | None = None

    def note(self, item: str, told: Told) -> None:
        """Keep what came."""
        self.raw.append((item, told.octets.hex().upper()))
        self.taken_at = told.taken_at

    async def values(self, item: str) -> tuple[ItemValue, ...]:
        """What a meter tells; nothing where it does not."""
        try:
            told = await self._ask(item)
        except (Refused, BadAnswer):
            return ()
        self.note(item, told)
        return told.values

    async def number(self, item: str) -> Decimal | None:
        """One number."""
        values = await self.values(item)
        return values[0].value if values else None

    async def phases(self, quantity: str) -> tuple[Decimal, ...] | None:
        """A number for each phase that there is; one of which nothing is known leaves nothing known."""
        told = await self.values(f"{quantity}.*") or await self.values(f"{quantity}.a")
        there = [one for one in told if one.problem != "absent"]
        numbers = tuple(one.value for one in there if one.value is not None)
        return numbers if numbers and len(numbers) == len(there) else None

    async def record(self, event: str, zone: tzinfo) -> SwitchRecord:
        """The newest record of an event and how many there were; single-phase meters send a short one."""
        count = await self.number(f"{event}_count@item")
        fields = {one.item: one for one in await self.values(f"{event}_record@items/last.1")}
        happened, operator = fields.get("event_at"), fields.get(_OPERATOR_CODE)
        at = happened.moment if happened is not None else None
        return SwitchRecord(
            count=None if count is None else int(count),
            occurred_at=None if at is None else at.replace(tzinfo=zone).astimezone(UTC),
            # As in the command that the record is of: lowest octet first on the wire.
            operator_code=operator.raw[::-1].hex().upper() if operator is not None else "",
        )


def _moment(text: str, address: str, zone: tzinfo) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=zone)
    except ValueError:
        raise BadAnswer(f"the clock of meter {address} shows {text}, which is no time") from None
