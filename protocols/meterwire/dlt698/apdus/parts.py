"""What several services share: PIID, DAR, results, the tail of an APDU, and how services are declared.

Source: spec sections 2.1, 3.1 and 3.5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, NamedTuple, TypeVar, get_args, get_origin

from meterwire.dlt698.apdus.secret_objects import HIDDEN, masked, shown_data, shown_selection, types_named
from meterwire.dlt698.axdr.coding import PASSED_ON, SECRET, Number, Span, Syntax
from meterwire.dlt698.axdr.data import decode_data, encode_data
from meterwire.dlt698.axdr.lengths import ELEMENTS_MAX, broken, read_count, write_count
from meterwire.dlt698.axdr.selection import Oad, Omd, Rcsd, Road, Rsd, Ti
from meterwire.dlt698.axdr.syntax import OneOf, declare, members, syntax_of
from meterwire.dlt698.axdr.values import Data, DateTimeS, Unsigned
from meterwire.errors import LocalProtocolError


class Piid(int):
    """PIID or PIID-ACD: priority, service number and, from a server, whether it has events to read."""

    __slots__ = ()

    @classmethod
    def of(cls, number: int, *, high_priority: bool = False, acd: bool = False) -> Piid:
        """From its parts.

        Args:
            number: service number, 0 to 63.
            high_priority: bit 7.
            acd: bit 6; in a client's APDU it is reserved.

        """
        return cls(high_priority << 7 | acd << 6 | number & 0x3F)

    @property
    def number(self) -> int:
        """Service number; the answer repeats it."""
        return self & 0x3F

    @property
    def high_priority(self) -> bool:
        """Bit 7."""
        return self >= 0x80

    @property
    def acd(self) -> bool:
        """Bit 6: the server has events for the client to read (3320); reserved in requests."""
        return bool(self & 0x40)

    def __repr__(self) -> str:
        """The octet as the standard writes it."""
        return f"Piid(0x{int(self):02X})"


class Dar(int):
    """Data access result: 0 success, anything else why not; unknown codes stay numbers."""

    __slots__ = ()

    def __repr__(self) -> str:
        """The number."""
        return f"Dar({int(self)})"


SUCCESS: Final = Dar(0)
declare(Piid, Number("B").compile(Piid))
declare(Dar, Number("B").compile(Dar))


class TimeTag(NamedTuple):
    """When it was sent and how long it may take; a delay of 0 is no limit."""

    sent_at: DateTimeS
    delay: Ti


class AttributeResult(NamedTuple):
    """A-ResultNormal: an attribute's value, or why there is none."""

    oad: Oad
    result: Annotated[Dar | Data, OneOf({0: Dar, 1: Data}, "result")]

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"AttributeResult({self.oad}, {shown_data(self.oad, self.result)})"


class RecordRequest(NamedTuple):
    """GetRecord: which columns of which records of which table."""

    oad: Oad
    rsd: Rsd
    rcsd: Rcsd

    def __repr__(self) -> str:
        """Without what is secret."""
        rsd = shown_selection(self.rsd, types_named(self.oad) | types_named(self.rcsd))
        return f"RecordRequest({self.oad}, {rsd}, {_columns(self.rcsd)})"


Row = tuple[Data, ...]


class RecordResult(NamedTuple):
    """A-ResultRecord: the columns that were served, and rows with one Data for each, or why not."""

    oad: Oad
    rcsd: Rcsd
    result: Dar | tuple[Row, ...]

    def __repr__(self) -> str:
        """Without what is secret."""
        types = types_named(self.oad) | types_named(self.rcsd)
        rows = self.result if isinstance(self.result, tuple) else ()
        shown = tuple(tuple(masked(cell, types) for cell in row) for row in rows)
        result = shown if isinstance(self.result, tuple) else self.result
        return f"RecordResult({self.oad}, {_columns(self.rcsd)}, {result!r})"


def _columns(rcsd: Sequence[Oad | Road]) -> str:
    return f"[{', '.join(map(str, rcsd))}]"


@dataclass(frozen=True, slots=True)
class AttributeResults:
    """Several attributes."""

    items: tuple[AttributeResult, ...]


@dataclass(frozen=True, slots=True)
class RecordResults:
    """Several record tables."""

    items: tuple[RecordResult, ...]


FollowReport = (
    Annotated[
        AttributeResults | RecordResults, OneOf({1: AttributeResults, 2: RecordResults}, "follow report")
    ]
    | None
)


class ActionItem(NamedTuple):
    """A method and its parameter."""

    omd: Omd
    data: Data

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"ActionItem({self.omd}, {shown_data(self.omd, self.data)})"


class ActionThenGetItem(NamedTuple):
    """A method, its parameter, and what is read so many seconds later."""

    omd: Omd
    data: Data
    get_oad: Oad
    delay_s: Unsigned

    def __repr__(self) -> str:
        """Without what is secret."""
        data = shown_data(self.omd, self.data)
        return f"ActionThenGetItem({self.omd}, {data}, {self.get_oad}, {self.delay_s})"


class ActionResult(NamedTuple):
    """How a method ended, and what it returned."""

    omd: Omd
    dar: Dar
    data: Data | None = None

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"ActionResult({self.omd}, {self.dar}, {shown_data(self.omd, self.data)})"


class ActionThenGetResult(NamedTuple):
    """How a method ended, what it returned, and what was read then."""

    omd: Omd
    dar: Dar
    data: Data | None
    get: AttributeResult

    def __repr__(self) -> str:
        """Without what is secret."""
        data = shown_data(self.omd, self.data)
        return f"ActionThenGetResult({self.omd}, {self.dar}, {data}, {self.get})"


class SetItem(NamedTuple):
    """An attribute and its new value."""

    oad: Oad
    data: Data

    def __repr__(self) -> str:
        """Without what is secret."""
        return f"SetItem({self.oad}, {shown_data(self.oad, self.data)})"


class SetThenGetItem(NamedTuple):
    """An attribute, its new value, and what is read so many seconds later."""

    oad: Oad
    data: Data
    get_oad: Oad
    delay_s: Unsigned

    def __repr__(self) -> str:
        """Without what is secret."""
        data = shown_data(self.oad, self.data)
        return f"SetThenGetItem({self.oad}, {data}, {self.get_oad}, {self.delay_s})"


class SetResult(NamedTuple):
    """How a write ended."""

    oad: Oad
    dar: Dar


class SetThenGetResult(NamedTuple):
    """How a write ended, and what was read then."""

    oad: Oad
    dar: Dar
    get: AttributeResult


# --- the rows of a record: as wide as the columns before them -------------------------------------------


EMPTY_ROWS_MAX: Final = 1
"""Rows of an answer without columns: one says that there is no such record, as one row of NULLs does with
columns; more say nothing."""


def _decode_record(octets: bytes, at: int, depth: int) -> tuple[RecordResult, int]:
    oad, at = _OAD.decode(octets, at, depth)
    rcsd, at = _RCSD.decode(octets, at, depth)
    choice = octets[at]
    if choice == 0:
        return RecordResult(oad, rcsd, Dar(octets[at + 1])), at + 2
    if choice != 1:
        raise broken(f"{choice} is no record result", "choice", at)
    count, at = _read_rows(octets, at + 1, len(rcsd))
    rows = []
    for _ in range(count):
        row = []
        for _ in rcsd:
            cell, at = decode_data(octets, at, depth)
            row.append(cell)
        rows.append(tuple(row))
    return RecordResult(oad, rcsd, tuple(rows)), at


def _read_rows(octets: bytes, at: int, columns: int) -> tuple[int, int]:
    """How many rows follow; each cell takes an octet at least, and rows without columns take none."""
    count, end = read_count(octets, at)
    if not columns and count > EMPTY_ROWS_MAX:
        raise broken(f"{count} rows without columns", "rows", at)
    if count * columns > len(octets) - end:
        raise broken(f"{count} rows of {columns} columns cannot follow", "truncated", at)
    return count, end


def _encode_record(record: RecordResult, depth: int) -> bytes:
    head = _OAD.encode(record.oad, depth) + _RCSD.encode(record.rcsd, depth)
    if isinstance(record.result, Dar):
        return head + bytes((0, record.result))
    if not _are_rows(record.result, len(record.rcsd)):
        raise LocalProtocolError(f"rows of {record.oad} are not as wide as its {len(record.rcsd)} columns")
    cells = [encode_data(cell, depth) for row in record.result for cell in row]
    return head + b"\x01" + write_count(record.result) + b"".join(cells)


def _are_rows(rows: Sequence[Row], columns: int) -> bool:
    most = ELEMENTS_MAX if columns else EMPTY_ROWS_MAX
    return len(rows) <= most and all(len(row) == columns for row in rows)


def _walk_record(octets: bytes, at: int, name: str) -> Span:
    value, end = _decode_record(octets, at, 0)
    oad = _OAD.walk(octets, at, "oad")
    rcsd = _RCSD.walk(octets, oad.end, "rcsd")
    parts = [oad, rcsd, Span("choice", rcsd.end, rcsd.end + 1, octets[rcsd.end])]
    if isinstance(value.result, Dar):
        parts.append(Span("dar", rcsd.end + 1, end, value.result))
    else:
        parts.append(_walk_rows(octets, rcsd.end + 1, value.rcsd))
    return Span(name, at, end, value, tuple(parts))


def _walk_rows(octets: bytes, at: int, rcsd: Sequence[Any]) -> Span:
    count, end = read_count(octets, at)
    rows = [Span("count", at, end, count)]
    if not rcsd:
        return Span("rows", at, end, count, tuple(rows))
    for number in range(1, count + 1):
        first, cells = rows[-1].end, list[Span]()
        for column in rcsd:
            cells.append(syntax_of(Data).walk(octets, cells[-1].end if cells else first, f"{column}"))
        rows.append(Span(f"{number}", first, cells[-1].end, None, tuple(cells)))
    return Span("rows", at, rows[-1].end, count, tuple(rows))


_OAD: Final = syntax_of(Oad)
_RCSD: Final = syntax_of(Rcsd)
declare(RecordResult, Syntax(_decode_record, _encode_record, _walk_record))

# --- services ----------------------------------------------------------------------------------------


class Declared:
    """Base of the APDUs: their text shows no member that is marked secret, nor a frame that is passed on."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Members by name."""
        cls: Any = type(self)
        marks = _marks(cls)
        shown = [f"{name}={_shown(getattr(self, name), marks[name])}" for name in members(cls)]
        return f"{cls.__name__}({', '.join(shown)})"


@cache
def _marks(cls: Any) -> dict[str, tuple[Any, ...]]:
    """The marks of each member, or of the elements of a sequence."""
    marked = {
        name: get_args(hint)[0] if get_origin(hint) is tuple else hint for name, hint in members(cls).items()
    }
    return {name: getattr(hint, "__metadata__", ()) for name, hint in marked.items()}


def _shown(value: object, marks: tuple[Any, ...]) -> str:
    """Of frames and digests only how long they are; what stands in their place, as a DAR, is shown."""
    if SECRET in marks:
        return HIDDEN
    if PASSED_ON not in marks:
        return repr(value)
    if isinstance(value, tuple):
        return f"({', '.join(_shown(one, marks) for one in value)})"
    return f"<{len(value)} octets>" if isinstance(value, bytes) else repr(value)


SERVICES: Final[dict[bytes, type]] = {}
"""The first octet, or the first two where the service has choices, of each APDU."""
_Class = TypeVar("_Class", bound=type)


def apdu(*head: int) -> Callable[[_Class], _Class]:
    """Class decorator: the APDU begins with these octets (service, and choice where there is one)."""

    def enter(cls: _Class) -> _Class:
        SERVICES[bytes(head)] = cls
        return cls

    return enter
