"""DL/T 698.45 on a line: frames, addresses, what faults make of an answer, and what an answer says."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import Any, Final, NamedTuple

from meterwire.dlt698.apdus import action, get
from meterwire.dlt698.apdus import set as writing
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu, inner_apdu
from meterwire.dlt698.apdus.parts import AttributeResult, AttributeResults, Dar, RecordResult, RecordResults
from meterwire.dlt698.apdus.report import ReportNotificationList, ReportNotificationRecordList
from meterwire.dlt698.apdus.security import SecurityRequest
from meterwire.dlt698.axdr.selection import Oad, Omd
from meterwire.dlt698.link import frame
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer, Found
from meterwire.dlt698.link.segments import HEADER_OCTETS, SegmentKind, decode_segment
from meterwire.dlt698.objects.dictionary import dictionary, names
from meterwire.dlt698.objects.records import records
from meterwire.dlt698.sessions.transfer import Outgoing
from meterwire.errors import RemoteProtocolError

_DARS = (2, 3, 4, 6)
_NEIGHBOUR_OI = (0x0030, 0x0001)  # forward <-> reverse energy, voltage <-> current, and the like
_ONE_DONE = (writing.SetResponseNormal, action.ActionResponseNormal)
_ONE_NAMED = (get.GetResponseNormal, get.GetResponseRecord)


class Wording698(NamedTuple):
    """An answer.

    Args:
        frame: as the meter says it: an APDU, or a piece of one.

    """

    frame: frame.Frame

    def encode(self, preamble: int = 0) -> bytes:
        """The octets."""
        return frame.encode(self.frame, preamble=preamble)

    def can_be(self, fault: str) -> bool:
        """Only the whole answer to one question can name another, or be a refusal."""
        if fault == "abnormal":
            return isinstance(self._apdu(), (*_ONE_NAMED, *_ONE_DONE))
        return fault != "other_identifier" or isinstance(self._apdu(), _ONE_NAMED)

    def under_other_address(self, random: Random) -> bytes:
        """The same answer of another meter."""
        server = self.frame.server
        other = (int(server.digits) + random.randint(1, 10**6)) % 10 ** len(server.digits)
        digits = f"{other:0{len(server.digits)}d}"
        return frame.encode(self.frame._replace(server=server._replace(digits=digits)))

    def with_other_identifier(self, random: Random) -> bytes:
        """An answer to another question."""
        apdu, neighbour = self._apdu(), random.choice(_NEIGHBOUR_OI)
        if isinstance(apdu, get.GetResponseNormal):
            return self._saying(replace(apdu, result=_renamed(apdu.result, neighbour)))
        assert isinstance(apdu, get.GetResponseRecord), "asked only of answers that can be"
        return self._saying(replace(apdu, record=_renamed(apdu.record, neighbour)))

    def refused(self, random: Random, word: int | None = None) -> bytes:
        """A refusal in its place; of a word over 255 its lowest octet."""
        apdu, dar = self._apdu(), Dar(random.choice(_DARS) if word is None else word & 0xFF)
        if isinstance(apdu, get.GetResponseNormal):
            return self._saying(replace(apdu, result=apdu.result._replace(result=dar)))
        if isinstance(apdu, writing.SetResponseNormal):
            return self._saying(replace(apdu, item=apdu.item._replace(dar=dar)))
        if isinstance(apdu, action.ActionResponseNormal):
            return self._saying(replace(apdu, item=apdu.item._replace(dar=dar, data=None)))
        assert isinstance(apdu, get.GetResponseRecord), "asked only of answers that can be"
        return self._saying(replace(apdu, record=apdu.record._replace(result=dar)))

    def in_pieces(self, octets: int) -> Pieces698 | None:
        """The same APDU in segments; ``None`` when it is short, or in segments already."""
        data = self.frame.user_data
        whole = not self.frame.segmented and len(data) > max(octets, 1)
        return Pieces698(self.frame, octets) if whole else None

    def _apdu(self) -> Apdu | None:
        return None if self.frame.segmented else decode_apdu(self.frame.user_data)

    def _saying(self, apdu: Apdu) -> bytes:
        return frame.encode(self.frame._replace(user_data=encode_apdu(apdu)))


class Pieces698:
    """An APDU that a fault has cut into segments.

    Args:
        whole: the frame that carries it.
        octets: of it in a segment, at most, 1 or more.

    """

    def __init__(self, whole: frame.Frame, octets: int) -> None:
        room = frame.overhead_octets(whole.server) + HEADER_OCTETS + octets
        self._out = Outgoing(whole.user_data, whole._replace(user_data=b""), room)
        self._reading = Deframer()
        self._last = self.first = self._taken()
        """The piece that answers the question."""

    @property
    def given(self) -> bool:
        """Whether the last piece was given."""
        return self._out.done

    def next(self, request: Found) -> Wording698 | None:
        """The segment after the one that is acknowledged; ``None`` when that is something else."""
        if not request.frame.segmented:
            return None
        segment = decode_segment(request.frame.user_data)
        if segment.kind is not SegmentKind.ACK:
            return None
        if self._out.acknowledge(segment):
            self._last = self._taken()
        return self._last

    def _taken(self) -> Wording698:
        [piece] = self._reading.feed(self._out.take())
        return Wording698(piece)


def _renamed(result: Any, neighbour: int) -> Any:
    oad: Oad = result.oad
    return result._replace(oad=oad._replace(oi=oad.oi ^ neighbour))


class _Ear:
    def __init__(self) -> None:
        self._deframer = Deframer()

    def feed(self, octets: bytes) -> list[Found]:
        return self._deframer.feed_found(octets)


class Language698:
    """DL/T 698.45; a request is a `Found`."""

    has_end_octet: Final = True

    def ear(self) -> _Ear:
        """An ear for a new connection."""
        return _Ear()

    def echo(self, request: Found) -> bytes:
        """The octets of a request."""
        return request.octets

    def asked(self, request: Found) -> str | None:
        """The meter that is asked; none by itself with a wildcard, a group or the broadcast address."""
        server: ServerAddress = request.frame.server
        return None if server.is_wildcard or not server.expects_answer else server.digits

    def names(self, request: Found) -> tuple[str, ...]:
        """The descriptors, columns of records among them, and their items."""
        if request.frame.segmented:
            return ()
        try:
            return tuple(_names_in(decode_apdu(request.frame.user_data)))
        except RemoteProtocolError:
            return ()


DLT698: Final = Language698()


# --- what an answer says ------------------------------------------------------------------------------


def named(apdu: Any) -> str | None:
    """The descriptors that an APDU names, as text; ``None`` for none."""
    return ",".join(map(str, _descriptors(apdu))) or None


def _descriptors(apdu: Any) -> list[Oad | Omd]:
    found: list[Oad | Omd]
    match apdu:
        case get.GetRequestNormal(oad=oad) | get.GetRequestMD5(oad=oad):
            found = [oad]
        case get.GetRequestNormalList(oads=oads):
            found = list(oads)
        case get.GetRequestRecord(record=record):
            found = [record.oad]
        case get.GetRequestRecordList(records=asked):
            found = [record.oad for record in asked]
        case writing.SetRequestNormal(item=item):
            found = [item.oad]
        case action.ActionRequestNormal(item=item):
            found = [item.omd]
        case _:
            found = [getattr(item, "omd", None) or item.oad for item in getattr(apdu, "items", ())]
    return found


def _names_in(apdu: Any) -> Iterator[str]:
    """Descriptors and items of a request, also of one in an envelope that can be read."""
    if isinstance(apdu, SecurityRequest):
        inner = inner_apdu(apdu)
        if inner is not None:
            yield from _names_in(inner)
        return
    for descriptor in _descriptors(apdu):
        yield from _names_of(descriptor)
    single = getattr(apdu, "record", None)
    for record in (single,) if single is not None else getattr(apdu, "records", ()):
        for column in getattr(record, "rcsd", ()):
            for oad in (column,) if isinstance(column, Oad) else (column.oad, *column.oads):
                yield from _names_of(oad)


@functools.lru_cache(maxsize=4_096)
def _names_of(descriptor: Oad | Omd) -> tuple[str, ...]:
    digits = str(descriptor)
    entry = dictionary().entry(descriptor)
    if entry is None:
        return (digits,)
    items = dict.fromkeys([entry.item, *names(entry)])
    totals = [item.removesuffix(".*") for item in items if item.endswith(".*")]
    return tuple(dict.fromkeys([digits, *items, *totals]))


def carried(octets: bytes) -> dict[str, Decimal]:
    """The numbers in an APDU of a meter: item to value; those of a record with its time behind.

    Args:
        octets: an APDU.

    """
    try:
        apdu = decode_apdu(octets)
    except RemoteProtocolError:
        return {}
    return dict(_numbers(apdu))


def _numbers(apdu: Any) -> Iterator[tuple[str, Decimal]]:
    match apdu:
        case get.GetResponseNormal(result=result):
            yield from _of_attribute(result)
        case get.GetResponseRecord(record=record):
            yield from _of_record(record)
        case (
            get.GetResponseNormalList(results=results)
            | ReportNotificationList(results=results)
            | get.GetResponseNext(result=AttributeResults(results))
        ):
            for result in results:
                yield from _of_attribute(result)
        case (
            get.GetResponseRecordList(records=found)
            | ReportNotificationRecordList(records=found)
            | get.GetResponseNext(result=RecordResults(found))
        ):
            for record in found:
                yield from _of_record(record)


def _of_attribute(result: AttributeResult) -> Iterator[tuple[str, Decimal]]:
    entry = dictionary().entry(result.oad)
    if entry is not None and not isinstance(result.result, Dar):
        for value in entry.decode(result.result):
            if value.value is not None:
                yield value.label.key, value.value


def _of_record(result: RecordResult) -> Iterator[tuple[str, Decimal]]:
    for row in records(result).rows:
        when = row.at.isoformat() if row.at is not None else str(row.number or "")
        for value in row.readings:
            if value.value is not None:
                yield "/".join(filter(None, [value.label.key, when])), value.value
