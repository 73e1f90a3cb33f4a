"""Attributes of a DL/T 698.45 meter -> who it is, how it stands, what money it has.

What is not certain is ``None``. A word of bits for several relays is believed of a meter with one relay
alone, and only in the two forms that all sources agree on (fact 9); status word 3 only where the order of its
bits is known. Two words that contradict each other are no word.
Source: control-and-prepayment, facts 3 and 9, sections 4.1 to 4.7.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from meterlink.drivers.control import (
    Identity,
    Opening,
    Purse,
    Standing,
    SwitchRecord,
    opening_limit,
    opens_within,
)
from meterlink.errors import BadAnswer
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.axdr.data import data_to_octets
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.axdr.values import BitString, Data
from meterwire.dlt698.objects.bit_words import BitOrder, bits_set, word_number
from meterwire.dlt698.objects.dictionary import dictionary
from meterwire.dlt698.objects.item_values import ItemValue

Seen = Mapping[Oad, Data | Dar]
"""What a meter answered to a list of attributes."""


def _oads(*texts: str) -> tuple[Oad, ...]:
    return tuple(map(Oad.of, texts))


ADDRESS, METER_NUMBER = IDENTITY = _oads("40010200", "40020200")
CLOCK: Final = Oad.of("40000200")
VERSIONS: Final = Oad.of("43000300")
"""Maker, software and its date, hardware and its date, extension."""
OUTPUT, ALARM, COMMAND = _oads("80000300", "80000400", "80000500")
GUARANTEE, REMINDER, RELAYS, STATUS_WORDS = _oads("80010200", "80020200", "F2050200", "20140200")
EXECUTION_WORD, ERROR_WORD = _oads("20400200", "20410200")
SWITCH: Final = (
    COMMAND,
    GUARANTEE,
    RELAYS,
    ALARM,
    REMINDER,
    STATUS_WORDS,
    OUTPUT,
    EXECUTION_WORD,
    ERROR_WORD,
)
"""How the switch stands; the output word 8000-3 is evidence only: which way round it is nobody says."""
VOLTAGE, CURRENT, POWER = LOAD = _oads("20000200", "20010200", "20040200")
TRIP_CURRENT: Final = Oad.of("80000200")
"""The current above which a trip waits, and how long."""
TRIP_COUNT, TRIP_TIMES, CLOSE_COUNT, CLOSE_TIMES = RECORDS = _oads(
    "301F0700", "301F0A00", "30200700", "30200A00"
)
WALLET, OVERDRAFT, LIMITS, CUSTOMER = PURSE = _oads("202C0200", "202D0200", "401F0200", "40030200")

YEARS: Final = range(1970, 2200)
"""Of a meter's clock and records; at the ends of the calendar nothing can be reckoned."""
PHASES: Final = ("a", "b", "c")
_DIGITS: Final = 12
_CLOSED, _OPEN = b"\x00", b"\x80"
_FORMS: Final[Mapping[str, Mapping[bytes, bool]]] = {
    "": {_CLOSED: False, _OPEN: True},
    "last": {_CLOSED: False, b"\x01": True},
    "command_code": {},
}
"""What the two values look like, by how a model shows relay 1; a code says what was sent, not what stands."""
_HOLDS, _CONNECTED = 1, 0
_WORD_3: Final = 2
_WORD_BITS: Final = 16
_CONTACT_BIT, _COMMAND_BIT, _ALARM_BIT, _GUARANTEE_BIT = 4, 6, 7, 12
_KILO: Final = 1000

# --- who ---------------------------------------------------------------------------------------------


def identity(seen: Seen, meter: str) -> Identity:
    """Who says to be there.

    Args:
        seen: address and meter number.
        meter: who was asked, for the message.

    Raises:
        BadAnswer: one of them is no number of 12 digits.

    """
    return Identity(
        address=_twelve(seen[ADDRESS], f"{meter} answers with an address"),
        meter_number=_twelve(seen[METER_NUMBER], f"{meter} answers with a meter number"),
    )


def versions(data: Data | Dar) -> tuple[str, ...]:
    """Maker and versions; empty: the meter does not tell them."""
    if not isinstance(data, Data) or data.type != "structure":
        return ()
    return tuple(str(member.value).strip() for member in data.value)


def meter_number(data: Data | Dar, meter: str) -> str:
    """A meter's number, 12 digits; longer ones with zeros before it have been seen.

    Raises:
        BadAnswer: it is none.

    """
    return _twelve(data, f"{meter} answers with a meter number")


def _twelve(data: Data | Dar, who: str) -> str:
    digits = data.value.hex() if isinstance(data, Data) and data.type == "octet-string" else ""
    found: str = digits[-_DIGITS:]
    if len(found) != _DIGITS or not found.isdecimal() or digits[:-_DIGITS].strip("0"):
        raise BadAnswer(f"{who} that is no number of {_DIGITS} digits")
    return found


# --- how it stands -----------------------------------------------------------------------------------


def standing(
    seen: Seen, *, taken_at: datetime, zone: tzinfo, order: BitOrder | None, relay_bits: str = ""
) -> Standing:
    """How a meter stands.

    Args:
        seen: what it answered of ``SWITCH``, ``LOAD`` and ``RECORDS``; the rest is missing.
        taken_at: when the last of it came; aware, UTC.
        zone: what its clock shows.
        order: how it sends status word 3; ``None``: nobody knows.
        relay_bits: how it shows relay 1 in its words of eight, a value of the fact ``attr5_bits``; empty:
            nobody knows, and then it is believed as most do.

    """
    word = _status_word_3(seen, order)
    one_relay = len(_array(seen, RELAYS)) <= 1
    values = {value.item: value for oad in (*LOAD, *RECORDS) for value in _decoded(seen, oad)}
    return Standing(
        taken_at=taken_at,
        contact_open=_agreed(_relay_state(seen), _bit(word, _CONTACT_BIT)),
        command_open=_agreed(
            _relay_bit(seen, COMMAND, relay_bits) if one_relay else None, _bit(word, _COMMAND_BIT)
        ),
        alarm=_first(_relay_bit(seen, ALARM), _bit(word, _ALARM_BIT), _on(seen, REMINDER, frozenset({1}))),
        guarantee=_agreed(_on(seen, GUARANTEE, frozenset({1, 2})), _bit(word, _GUARANTEE_BIT)),
        currents_a=_of_phases(values, "current"),
        voltages_v=_of_phases(values, "voltage"),
        power_w=_power(values.get("active_power")),
        trips=_record(values, "relay_trip", zone),
        closes=_record(values, "relay_close", zone),
        raw=tuple(_evidence(seen)),
    )


def opening(data: Data | Dar) -> Opening:
    """How the meter is set to open its contact; the delay of a trip is in its call, and ours have none.

    Source: control-and-prepayment, section 4.1.
    """
    told = {value.item: value.value for value in _decoded({TRIP_CURRENT: data}, TRIP_CURRENT)}
    limit_a = opening_limit(told.get("trip_current"))
    return Opening(limit_a=limit_a, within=opens_within(told.get("trip_wait")))


def error_names(data: Data | Dar) -> frozenset[str]:
    """The names of the bits that are set in the error word 2041."""
    if not isinstance(data, Data) or not isinstance(data.value, BitString):
        return frozenset()
    return frozenset(bit.name for bit in bits_set("control_error", word_number(data.value)))


def _evidence(seen: Seen) -> list[tuple[str, str]]:
    """Every word that came, as it came."""
    found = []
    for oad in SWITCH:
        if isinstance(data := seen.get(oad), Data):
            entry = dictionary().entry(oad)
            found.append((entry.item if entry else str(oad), data_to_octets(data).hex().upper()))
    return found


def _agreed(*told: bool | None) -> bool | None:
    """What all say who say anything; a contradiction says nothing."""
    known = {one for one in told if one is not None}
    return known.pop() if len(known) == 1 else None


def _first(*told: bool | None) -> bool | None:
    return next((one for one in told if one is not None), None)


def _bit(word: int | None, place: int) -> bool | None:
    return None if word is None else bool(word >> place & 1)


def _relay_bit(seen: Seen, oad: Oad, shown: str = "") -> bool | None:
    """The first relay's bit of a word of eight, where it stands in one of the two forms that are certain."""
    data = seen.get(oad)
    if not isinstance(data, Data) or not isinstance(data.value, BitString) or data.value.bits != 8:
        return None
    return _FORMS.get(shown, _FORMS[""]).get(data.value.octets)


def _relay_state(seen: Seen) -> bool | None:
    """F205: 1 is open. A pulse output falls back, and one that is not wired says nothing."""
    units = _array(seen, RELAYS)
    if len(units) != 1 or units[0].type != "structure":
        return None
    match [member.value for member in units[0].value]:
        case [_, 0 | 1 as state, kind, wiring] if (kind, wiring) == (_HOLDS, _CONNECTED):
            return bool(state)
    return None


def _on(seen: Seen, oad: Oad, on: frozenset[int]) -> bool | None:
    """An enumeration of which 0 is off."""
    data = seen.get(oad)
    if not isinstance(data, Data) or data.type != "enum" or data.value not in on | {0}:
        return None
    return data.value in on


def _status_word_3(seen: Seen, order: BitOrder | None) -> int | None:
    words = _array(seen, STATUS_WORDS)
    if order is None or len(words) <= _WORD_3 or not isinstance(words[_WORD_3].value, BitString):
        return None
    word = words[_WORD_3].value
    return word_number(word, order) if word.bits == _WORD_BITS else None


def _array(seen: Seen, oad: Oad) -> tuple[Data, ...]:
    data = seen.get(oad)
    return data.value if isinstance(data, Data) and data.type == "array" else ()


# --- numbers -----------------------------------------------------------------------------------------


def _decoded(seen: Seen, oad: Oad) -> tuple[ItemValue, ...]:
    entry, data = dictionary().entry(oad), seen.get(oad)
    return tuple(entry.decode(data)) if entry is not None and isinstance(data, Data) else ()


def _of_phases(values: Mapping[str, ItemValue], quantity: str) -> tuple[Decimal, ...] | None:
    """A number for each phase that there is; one of which nothing is known leaves nothing known."""
    told = [value for phase in PHASES if (value := values.get(f"{quantity}.{phase}")) is not None]
    there = [value for value in told if value.problem != "absent"]
    numbers = tuple(value.value for value in there if value.value is not None)
    return numbers if numbers and len(numbers) == len(there) else None


def _power(value: ItemValue | None) -> Decimal | None:
    if value is None or value.value is None:
        return None
    return value.value * _KILO if value.unit == "kW" else value.value


def _record(values: Mapping[str, ItemValue], event: str, zone: tzinfo) -> SwitchRecord:
    """How many there were and when the newest was; by this protocol nobody tells who ordered it."""
    count, started = values.get(f"{event}_count"), values.get(f"{event}_started_at")
    moment = started.moment if started is not None else None
    if moment is not None and moment.year not in YEARS:
        moment = None
    return SwitchRecord(
        count=int(count.value) if count is not None and count.value is not None else None,
        occurred_at=None if moment is None else moment.replace(tzinfo=zone).astimezone(UTC),
    )


def clock_shows(data: Data | Dar, meter: str, zone: tzinfo) -> datetime:
    """What a meter's clock shows; aware.

    Raises:
        BadAnswer: no time that a calendar has, or one of a year that nobody lives in.

    """
    civil = data.value.civil() if isinstance(data, Data) and data.type == "date_time_s" else None
    if not isinstance(civil, datetime):
        raise BadAnswer(f"{meter} answers with a time that no calendar has")
    if civil.year not in YEARS:
        raise BadAnswer(f"the clock of {meter} shows the year {civil.year}")
    return civil.replace(tzinfo=zone)


# --- money -------------------------------------------------------------------------------------------


def purse(seen: Seen, meter: str, *, taken_at: datetime, is_proven: bool) -> Purse:
    """The money in a meter.

    Args:
        seen: what it answered of ``PURSE``; the wallet is there.
        meter: who was asked, for the message.
        taken_at: when that came; aware, UTC.
        is_proven: whether the wallet bore a proof that was checked.

    Raises:
        BadAnswer: it is no amount and count.

    """
    remaining, count = _numbers(seen, WALLET, 2) or (None, None)
    if remaining is None or count is None:
        raise BadAnswer(f"{meter} answers with a wallet that is no amount and count")
    overdrawn = _number(seen.get(OVERDRAFT)) or 0
    limits = _numbers(seen, LIMITS, 3)
    try:
        customer = _twelve(seen[CUSTOMER], meter) if CUSTOMER in seen else ""
    except BadAnswer:
        customer = ""
    return Purse(
        taken_at=taken_at,
        remaining_cents=remaining or -overdrawn,
        purchase_count=count,
        customer_number=customer,
        hoarding_limit_cents=limits[1] if limits else None,
        proven=is_proven,
    )


def _numbers(seen: Seen, oad: Oad, count: int) -> tuple[int, ...] | None:
    data = seen.get(oad)
    members: Any = data.value if isinstance(data, Data) and data.type == "structure" else ()
    found = tuple(number for one in members if (number := _number(one)) is not None)
    return found if len(found) == len(members) == count else None


def _number(data: Data | Dar | None) -> int | None:
    if isinstance(data, Data) and data.type == "double-long-unsigned":
        return int(data.value)
    return None
