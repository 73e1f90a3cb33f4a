"""What a concentrator is asked: its archive, the records that it collected, and reads through it.

Meters are named by their address, 12 digits. Answers come in any order and are matched by address; a
meter that is silent comes back as DAR 33, or as an empty reply. Source: spec sections 3.9, 6.8 and 8.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from meterwire.dlt698.apdus.parts import ActionItem, AttributeResult, Dar, Piid, RecordRequest, TimeTag
from meterwire.dlt698.apdus.proxy import (
    ProxyGetRequestList,
    ProxyGetResponseList,
    ProxyGetTarget,
    ProxyTransCommandRequest,
    ProxyTransCommandResponse,
)
from meterwire.dlt698.axdr.selection import (
    AllMeters,
    Comdcb,
    MeterAddresses,
    MeterSet,
    Oad,
    Omd,
    Road,
    Selection,
    SelectLast,
    SelectStoredAt,
    SelectStoredWithin,
    Ti,
    Tsa,
)
from meterwire.dlt698.axdr.values import NULL, Data
from meterwire.dlt698.objects.answers import NO_ANSWER, Answer, answer
from meterwire.dlt698.objects.bit_words import BitOrder
from meterwire.dlt698.objects.dictionary import Entry, dictionary
from meterwire.dlt698.objects.item_values import Contents, ItemValue
from meterwire.dlt698.objects.records import (
    COLLECTION_STORED_AT,
    COLLECTION_SUCCEEDED_AT,
    FROZEN_AT,
    METER_ADDRESS,
    column,
)
from meterwire.dlt698.objects.requests import check_span, civil_time, freeze_table, record_number
from meterwire.errors import LocalProtocolError
from meterwire.item_value import Content

ARCHIVE: Final = Oad(0x6000, 2, 0)
COLLECTED: Final = Oad(0x6012, 3, 0)
FIRST_RS485: Final = Oad(0xF201, 2, 1)
CARRIER: Final = Oad(0xF209, 2, 1)
OWN_ADDRESS: Final = Oad(0x4001, 2, 0)
"""What a meter calls itself; some concentrators take it for the column of ``METER_ADDRESS``."""
EVERY_RECORD: Final = Ti(0, 0xFFFF)
"""An interval that leaves nothing out. Source: spec section 2.2."""
METERS_MAX: Final = 1000
"""Most meters of one request."""

_DIGITS: Final = 12
_TIME_MAX: Final = 0xFFFF
_AS_SENT: Final = "raw:"
"""Stands before the octets of an address that is not a plain one."""
_NO_PASSWORD: Final = Data("octet-string", b"")
_NO_ANNEX: Final = Data("array", ())
_PASSWORD_AT: Final = 4
"""Place of the password in the basic part."""
_ANNEX_AT: Final = 3
"""Place of the annex in an entry."""
_ADD_ENTRIES: Final = Omd(0x6000, 128)
_DELETE_ENTRY: Final = Omd(0x6000, 131)
_CLEAR_ARCHIVE: Final = Omd(0x6000, 134)
_DAY: Final = Ti(3, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveEntry:
    """One meter in the archive (6000).

    Args:
        number: configuration number.
        address: of the meter, 12 digits; of a concentrator's answer also ``raw:`` and the octets of another.
        baud: code of the rate, e.g. 3 for 2400, 6 for 9600, 255 for automatic.
        protocol: 1 DL/T 645-1997, 2 DL/T 645-2007, 3 DL/T 698.45, 4 CJ/T 188.
        port: where it hangs, e.g. F2010201 or F2090201.
        tariffs: number of tariffs.
        user_type: code of the kind of customer.
        wiring: 0 unknown, 1 single phase, 2 three-wire, 3 four-wire.
        rated_voltage: V; ``None`` where the concentrator does not say it.
        rated_current: A; the same.
        collector: address of its collector, 12 digits; empty: an address of nothing; ``None``: NULL.
        asset_number: octets as hexadecimal digits; ``None``: NULL.
        pt_ratio: voltage transformer.
        ct_ratio: current transformer.
        password: of the meter, as the concentrator keeps it.
        annex: what else it keeps of the meter, pairs of object and value.

    """

    number: int
    address: str
    baud: int = 255
    protocol: int = 3
    port: Oad = FIRST_RS485
    tariffs: int = 4
    user_type: int = 0
    wiring: int = 1
    rated_voltage: Decimal | None = Decimal("220.0")
    rated_current: Decimal | None = Decimal("5.0")
    collector: str | None = "000000000000"
    asset_number: str | None = ""
    pt_ratio: int = 1
    ct_ratio: int = 1
    password: Data = field(default=_NO_PASSWORD, repr=False)
    annex: Data = field(default=_NO_ANNEX, repr=False)

    def contents(self, place: str) -> Contents:
        """Contents of the entry's values; keys begin with ``place``.

        Raises:
            LocalProtocolError: an address that is not 12 digits.

        """
        for address in filter(None, (self.address, self.collector)):
            if not address.startswith(_AS_SENT):  # what a concentrator said stays as it is
                _tsa(address)
        found: dict[str, Content] = {
            "number": Decimal(self.number),
            "basic/address": self.address,
            "basic/baud": Decimal(self.baud),
            "basic/protocol": Decimal(self.protocol),
            "basic/port": str(self.port),
            "basic/password": "",
            "basic/tariffs": Decimal(self.tariffs),
            "basic/user_type": Decimal(self.user_type),
            "basic/wiring": Decimal(self.wiring),
            "extension/collector": _AS_SENT if self.collector == "" else self.collector,
            "extension/asset_number": self.asset_number,
            "extension/pt_ratio": Decimal(self.pt_ratio),
            "extension/ct_ratio": Decimal(self.ct_ratio),
        }
        for name, rated in (("voltage", self.rated_voltage), ("current", self.rated_current)):
            if rated is not None:
                found[f"basic/rated_{name}"] = rated
        kept = {f"{place}/{name}": content for name, content in found.items()}
        item, _, period = place.partition("@")
        return {**kept, f"{item}.*@{period}/annex": ""}


class Archive(NamedTuple):
    """The archive that a concentrator answered.

    Args:
        entries: its meters.
        unreadable: entries that could not be understood, counted.

    """

    entries: tuple[ArchiveEntry, ...]
    unreadable: int


def archive_of(data: Data) -> Archive:
    """The archive out of the answer to 60000200.

    Args:
        data: array of entries.

    """
    members: dict[str, dict[str, ItemValue]] = {}
    for value in _known(ARCHIVE).decode(data):
        number, _, name = value.period.removeprefix("number.").partition("/")
        if value.problem != "empty":
            members.setdefault(number, {})[name] = value
    found = [
        _archive_entry(values, data.value[int(number) - 1] if number else NULL)
        for number, values in members.items()
    ]
    entries = tuple(entry for entry in found if entry is not None)
    return Archive(entries, len(found) - len(entries))


def _archive_entry(values: Mapping[str, ItemValue], raw: Data) -> ArchiveEntry | None:
    """One entry; ``None`` when a member that a meter needs is not there."""
    numbers = {name: value.value for name, value in values.items() if value.value is not None}
    texts = {name: value.text for name, value in values.items() if value.text is not None}
    try:
        return ArchiveEntry(
            number=int(numbers["number"]),
            address=_address_of(values["basic/address"]),
            baud=int(numbers["basic/baud"]),
            protocol=int(numbers["basic/protocol"]),
            port=Oad.of(texts["basic/port"]),
            tariffs=int(numbers["basic/tariffs"]),
            user_type=int(numbers["basic/user_type"]),
            wiring=int(numbers["basic/wiring"]),
            rated_voltage=numbers.get("basic/rated_voltage"),
            rated_current=numbers.get("basic/rated_current"),
            collector=_collector(values["extension/collector"]),
            asset_number=_asset_number(values["extension/asset_number"]),
            pt_ratio=int(numbers["extension/pt_ratio"]),
            ct_ratio=int(numbers["extension/ct_ratio"]),
            password=values["basic/password"].raw,
            annex=raw.value[_ANNEX_AT],
        )
    except KeyError:
        return None


def archive_data(entries: Sequence[ArchiveEntry]) -> Data:
    """The archive as an answer to 60000200 holds it, and as ``add_meters`` sends it.

    Raises:
        LocalProtocolError: more than ``METERS_MAX`` entries, or one that does not fit.

    """
    _few(entries)
    contents: dict[str, Content] = {}
    for number, entry in enumerate(entries, start=1):
        contents |= entry.contents(f"{ARCHIVE}@number.{number}")
    if not entries:
        return Data("array", ())
    encoded = _known(ARCHIVE).encode(contents)
    return Data("array", tuple(map(_with_kept, encoded.value, entries)))


def _with_kept(encoded: Data, entry: ArchiveEntry) -> Data:
    """An entry with what is handed on as it came."""
    number, basic, extension, _ = encoded.value
    members = list(basic.value)
    members[_PASSWORD_AT] = entry.password
    return Data("structure", (number, Data("structure", tuple(members)), extension, entry.annex))


def add_meters(entries: Sequence[ArchiveEntry]) -> ActionItem:
    """Method 128 of the archive: add or update several meters.

    Raises:
        LocalProtocolError: as ``archive_data``.

    """
    return ActionItem(_ADD_ENTRIES, archive_data(entries))


def delete_meter(number: int) -> ActionItem:
    """Method 131 of the archive: delete a meter by its configuration number."""
    return ActionItem(_DELETE_ENTRY, Data("long-unsigned", number))


def clear_archive() -> ActionItem:
    """Method 134 of the archive: delete every meter."""
    return ActionItem(_CLEAR_ARCHIVE, NULL)


# --- collected records ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCollected:
    """Records that the concentrator collected from its meters (60120300).

    Args:
        freeze: which freeze of the meters, e.g. ``daily_freeze``; empty for present values.
        items: what of each record.
        stored_from: storage time of the first record.
        stored_to: before this storage time; ``None``: exactly ``stored_from``.
        last: instead of a time, the last so many records of each meter, 1 to 255.
        meters: addresses; empty for all.
        interval: of a span: the first record in each such step of it; ``EVERY_RECORD``: all of them.
        address_column: ``METER_ADDRESS``, or ``OWN_ADDRESS`` for concentrators that name meters so.

    """

    items: tuple[str, ...]
    freeze: str = "daily_freeze"
    stored_from: datetime | None = None
    stored_to: datetime | None = None
    last: int = 1
    meters: tuple[str, ...] = ()
    interval: Ti = _DAY
    address_column: Oad = METER_ADDRESS

    def records(self) -> tuple[RecordRequest, ...]:
        """What to send; columns are address, storage and success time, then the values.

        Raises:
            LocalProtocolError: no such freeze or item, no items, too many meters, an address that is not 12
                digits, a number of records that is not 1 to 255, or a span whose end is not after its start.

        """
        if not self.items:
            raise LocalProtocolError("collected records: without a value nothing is answered, name an item")
        values = tuple(column(item) for item in self.items)
        own = (self.address_column, COLLECTION_STORED_AT, COLLECTION_SUCCEEDED_AT)
        asked = (Road(freeze_table(self.freeze), (FROZEN_AT, *values)),) if self.freeze else values
        return (RecordRequest(COLLECTED, self._selection(), (*own, *asked)),)

    def _selection(self) -> Selection:
        meters = meter_set(self.meters)
        if self.stored_from is None:
            if self.stored_to is not None:
                raise LocalProtocolError(f"collected records before {self.stored_to}: say from when on")
            return SelectLast(record_number(self.last), meters)
        start = civil_time(self.stored_from)
        if self.stored_to is None:
            return SelectStoredAt(start, meters)
        check_span(self.stored_from, self.stored_to)
        return SelectStoredWithin(start, civil_time(self.stored_to), self.interval, meters)


def meter_set(addresses: Sequence[str]) -> MeterSet:
    """The meters with these addresses; none is all.

    Raises:
        LocalProtocolError: more than ``METERS_MAX``, or an address that is not 12 digits.

    """
    _few(addresses)
    return MeterAddresses(tuple(map(_tsa, addresses))) if addresses else AllMeters()


# --- through the concentrator --------------------------------------------------------------------------


def proxy_get(
    piid: Piid,
    wanted: Mapping[str, Sequence[Oad]],
    *,
    timeout_s: int,
    meter_timeout_s: int = 0,
    time_tag: TimeTag | None = None,
) -> ProxyGetRequestList:
    """Read attributes of several meters through the concentrator.

    Args:
        piid: service number.
        wanted: descriptors by address.
        timeout_s: seconds for all of it; 0 leaves it to the concentrator.
        meter_timeout_s: seconds for one meter.
        time_tag: when it was sent.

    Raises:
        LocalProtocolError: no meter, more than ``METERS_MAX``, an address that is not 12 digits, or a time
            that is not 0 to 65,535 seconds.

    """
    if not wanted:
        raise LocalProtocolError("a proxy read names no meter")
    _few(list(wanted))
    _check_time("timeout_s", timeout_s)
    _check_time("meter_timeout_s", meter_timeout_s)
    targets = tuple(
        ProxyGetTarget(_tsa(address), meter_timeout_s, tuple(oads)) for address, oads in wanted.items()
    )
    return ProxyGetRequestList(piid=piid, timeout_s=timeout_s, targets=targets, time_tag=time_tag)


def proxy_answers(response: ProxyGetResponseList, order: BitOrder = "bit0_first") -> dict[str, Answer]:
    """The answers by address; a meter that stands twice has both parts together.

    Args:
        response: in whatever order the meters came.
        order: how these meters send words of bits.

    """
    found: dict[str, list[AttributeResult]] = {}
    for target in response.targets:
        found.setdefault(target.tsa.digits, []).extend(target.items)
    return {address: answer(results, order) for address, results in found.items()}


def forward(
    piid: Piid,
    frame: bytes,
    *,
    port: Oad,
    settings: Comdcb,
    frame_timeout_s: int,
    byte_timeout_ms: int = 100,
    time_tag: TimeTag | None = None,
) -> ProxyTransCommandRequest:
    """Send a frame of a meter, 645 or 698.45, through a port as it is.

    Args:
        piid: service number.
        frame: the octets.
        port: ``FIRST_RS485``, ``CARRIER``, ...
        settings: of the port; many concentrators ignore them for carrier.
        frame_timeout_s: seconds until the reply begins.
        byte_timeout_ms: milliseconds between octets that end the reply.
        time_tag: when it was sent.

    Raises:
        LocalProtocolError: a time that is not 0 to 65,535.

    """
    _check_time("frame_timeout_s", frame_timeout_s)
    _check_time("byte_timeout_ms", byte_timeout_ms)
    return ProxyTransCommandRequest(
        piid=piid,
        port=port,
        comdcb=settings,
        frame_timeout_s=frame_timeout_s,
        byte_timeout_ms=byte_timeout_ms,
        command=frame,
        time_tag=time_tag,
    )


def reply_of(response: ProxyTransCommandResponse) -> bytes | Dar:
    """The octets that came back through the port; a silent meter is ``NO_ANSWER`` in either form."""
    return response.result or NO_ANSWER


def _known(oad: Oad) -> Entry:
    entry = dictionary().entry(oad)
    assert entry is not None, oad
    return entry


def _is_null(value: ItemValue) -> bool:
    return value.raw.type == "null"


def _asset_number(value: ItemValue) -> str | None:
    if value.text is None and not _is_null(value):
        raise KeyError(value.label.key)
    return value.text


def _collector(value: ItemValue) -> str | None:
    """Its address; ``None`` for NULL, empty for an address of no octets."""
    if _is_null(value):
        return None
    address = _address_of(value)
    return "" if address == _AS_SENT else address


def _address_of(value: ItemValue) -> str:
    """12 digits; an address that has not as many, as it was sent."""
    if value.text is None:
        raise KeyError(value.label.key)
    if value.raw.type != "TSA" or _is_address(value.text):
        return value.text
    return f"{_AS_SENT}{value.raw.value.raw.hex().upper()}"


def _is_address(text: str) -> bool:
    return len(text) == _DIGITS and text.isascii() and text.isdecimal()


def _tsa(address: str) -> Tsa:
    if not _is_address(address):
        raise LocalProtocolError(f"address {address!r}: write the {_DIGITS} digits of a meter's address")
    return Tsa.of(address)


def _check_time(name: str, value: int) -> None:
    if not 0 <= value <= _TIME_MAX:
        raise LocalProtocolError(f"{name} {value}: 0 to {_TIME_MAX}")


def _few(meters: Sequence[object]) -> None:
    if len(meters) > METERS_MAX:
        raise LocalProtocolError(f"{len(meters)} meters in one request, at most {METERS_MAX}")
