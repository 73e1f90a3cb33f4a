"""What a frame of 1376.1 says: ``Message`` <-> ``Frame``.

A message is the frame's head, its data units and its auxiliary fields. Roles are data: what a master asks and
what a terminal answers are both built and read here. A unit keeps its octets beside its fields, so that what
was received goes out again as it came.

Units follow each other without a count or a length. So one whose layout is unknown, or that is cut short,
takes all octets that are left, raw. Source: spec sections B1 to B3.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.gdw1376.functions import terminal
from meterwire.gdw1376.functions.function import Function, Way
from meterwire.gdw1376.layouts.nodes import Field, Values
from meterwire.gdw1376.link import terminal_frame as link
from meterwire.gdw1376.link.auxiliary import NO_AUXILIARY, Auxiliary, joined, password_octets, split
from meterwire.gdw1376.link.terminal_frame import Address, Frame
from meterwire.gdw1376.link.unit_ids import ID_OCTETS, TERMINAL, da_of, dt_of, functions_of, points_of

UNITS_MAX: Final = 4096
"""Most units of one frame that are told apart; what is behind them stays ``rest``."""

RESET, SEND, LINK_TEST, CLASS_1, CLASS_2 = 1, 4, 9, 10, 11
"""Function codes of C where PRM is set."""
ACKNOWLEDGE, USER_DATA, NO_DATA, LINK_STATE = 0, 8, 9, 11
"""Function codes of C where PRM is not set."""

ALL_CONFIRMED, ALL_DENIED, ONE_BY_ONE = 1, 2, 3
"""Functions of AFN 00."""
_ONE_BY_ONE_CODED_WRONG: Final = (1, 2)
"""One master codes F3 as ``03 00``, which by rule is F1 and F2."""
_ONE_RESULT_OCTETS: Final = 6
_MARKS: Final = {2: "month", 3: "day"}


class Unit(NamedTuple):
    """The data of one point and one function.

    Args:
        point: 0 is the terminal, 65535 every point.
        fn: 1..248.
        content: octets behind DA and DT.
        fields: what they say; ``None`` where nobody knows, or where they end too early.
        function: what the table says of the function; ``None`` where it does not know it.

    """

    point: int
    fn: int
    content: bytes
    fields: tuple[Field, ...] | None = ()
    function: Function | None = None

    def __repr__(self) -> str:
        """All but the content, which may hold a password."""
        return f"Unit(point={self.point}, fn={self.fn}, {len(self.content)} octets)"

    @property
    def values(self) -> dict[str, Any]:
        """Values by field name; empty where nobody knows what the octets say."""
        return {field.name: field.value for field in self.fields or ()}


class Group(NamedTuple):
    """One unit identifier and the units that it names: for each point, each function.

    Args:
        points: of DA, rising.
        functions: of DT, rising.
        units: in the order of the wire; fewer where one of them could not be read.

    """

    points: tuple[int, ...]
    functions: tuple[int, ...]
    units: tuple[Unit, ...]


class Message(NamedTuple):
    """One frame, taken apart.

    Args:
        head: the frame without its body.
        groups: data units, in the order of the wire.
        auxiliary: PW, EC and Tp.
        rest: octets behind the last unit that are none.

    """

    head: Frame
    groups: tuple[Group, ...] = ()
    auxiliary: Auxiliary = NO_AUXILIARY
    rest: bytes = b""

    def __repr__(self) -> str:
        """All but the rest, whose meaning is unknown."""
        return f"Message({self.head}, {self.groups}, {self.auxiliary}, rest={len(self.rest)} octets)"

    @property
    def units(self) -> tuple[Unit, ...]:
        """Every unit."""
        return tuple(unit for group in self.groups for unit in group.units)

    @property
    def address(self) -> Address:
        """The terminal and the master."""
        return self.head.address

    @property
    def is_confirmation(self) -> bool:
        """AFN 00 with nothing but confirmations."""
        fns = [unit.fn for unit in self.units]
        if self.head.afn != terminal.CONFIRM or not fns:
            return False
        errors = [result["err"] for unit in self.units for result in unit.values.get("results", ())]
        return ALL_DENIED not in fns and not any(errors)

    @property
    def is_denial(self) -> bool:
        """AFN 00 that denies something: a refusal, or "no data for that day"."""
        return self.head.afn == terminal.CONFIRM and bool(self.units) and not self.is_confirmation


# --- octets -> message -------------------------------------------------------------------------


def from_frame(frame: Frame) -> Message:
    """Take a frame apart.

    Raises:
        RemoteProtocolError: the body is shorter than its auxiliary fields (kind ``"auxiliary"``), or the
            address seems to have seven octets where five were expected (kind ``"address"``).

    """
    if _looks_wide(frame):
        sentence = f"{frame.afn:02X}H is no AFN of it, the octet two behind is: has the address seven octets?"
        raise RemoteProtocolError(sentence, kind="address", octets=link.encode(frame), offset=12)
    data, auxiliary = split(frame)
    groups, at = _groups(frame, data)
    return Message(frame._replace(body=b""), groups, auxiliary, data[at:])


def decode(octets: bytes, *, wide: bool = False) -> Message:
    """``from_frame`` of the frame in ``octets``.

    Raises:
        RemoteProtocolError: they are not exactly one frame, or its body does not hold what its head says.

    """
    return from_frame(link.decode(octets, wide=wide))


def _looks_wide(frame: Frame) -> bool:
    """Whether AFN, and DA and DT behind it, stand where an address of seven octets would put them.

    Where the own AFN fits too, it is the highest octet of a long terminal address: mostly 0, a confirmation,
    which would be of the terminal itself.
    """
    body = frame.body
    if frame.afn in terminal.AFNS and (frame.afn != terminal.CONFIRM or body[:2] == b"\0\0"):
        return False
    if frame.address.is_wide or len(body) < 2 + ID_OCTETS or body[0] not in terminal.AFNS:
        return False
    return bool(points_of(body[2:4]) and functions_of(body[4:6]))


def _groups(frame: Frame, data: bytes) -> tuple[tuple[Group, ...], int]:
    """The groups of a data part, and the index behind the last."""
    way: Way = "up" if frame.from_terminal else "down"
    found: list[Group] = []
    at, count = 0, 0
    while len(data) - at >= ID_OCTETS:
        points, functions = points_of(data[at : at + 2]), functions_of(data[at + 2 : at + ID_OCTETS])
        count += len(points) * len(functions)
        if not points or not functions or count > UNITS_MAX:
            break
        units = _units(frame.afn, way, (points, functions), data[at + ID_OCTETS :])
        found.append(Group(points, functions, units))
        at += ID_OCTETS + sum(len(unit.content) for unit in units)
    return tuple(found), at


def _units(
    afn: int, way: Way, named: tuple[tuple[int, ...], tuple[int, ...]], octets: bytes
) -> tuple[Unit, ...]:
    """The units of one group, from the beginning of ``octets``."""
    points, functions = named
    if afn == terminal.CONFIRM and functions == _ONE_BY_ONE_CODED_WRONG and len(octets) >= _ONE_RESULT_OCTETS:
        functions = (ONE_BY_ONE,)
    found: list[Unit] = []
    for point in points:
        for fn in functions:
            unit = _unit(afn, way, (point, fn), octets)
            found.append(unit)
            if unit.fields is None:
                return tuple(found)
            octets = octets[len(unit.content) :]
    return tuple(found)


def _unit(afn: int, way: Way, named: tuple[int, int], octets: bytes) -> Unit:
    point, fn = named
    known = terminal.function(afn, fn, way)
    layout = known.layout if known else _unknown(afn, way, octets)
    fields = None if layout is None else layout.read(octets)
    end = fields[-1].end if fields else 0
    if fields is None or (known and known.whole and end != len(octets)):
        unread = () if known is None and not octets else None
        return Unit(point, fn, octets, unread, known)
    return Unit(point, fn, octets[:end], tuple(fields), known)


def _unknown(afn: int, way: Way, octets: bytes) -> Any:
    """The layout of a request whose function has no row: class 2 by the length of its time mark."""
    if afn == terminal.CLASS_2 and way == "down" and len(octets) in _MARKS:
        return terminal.mark_layout(_MARKS[len(octets)])
    return None


# --- message -> octets -------------------------------------------------------------------------


def to_frame(message: Message) -> Frame:
    """Put a message together.

    Raises:
        LocalProtocolError: points or functions that one identifier cannot name, a unit that was not read, or
            auxiliary fields that are not those of the head.

    """
    data = b"".join(_group_octets(group) for group in message.groups) + message.rest
    return message.head._replace(body=joined(message.head, data, message.auxiliary))


def encode(message: Message) -> bytes:
    """Octets of the frame that carries ``message``.

    Raises:
        LocalProtocolError: as ``to_frame``, or a field of the head out of range.

    """
    return link.encode(to_frame(message))


def _group_octets(group: Group) -> bytes:
    return da_of(group.points) + dt_of(group.functions) + b"".join(unit.content for unit in group.units)


def unit(
    afn: int, fn: int, values: Values | None = None, *, point: int = TERMINAL, way: Way = "down"
) -> Group:
    """One unit with its identifier.

    Args:
        afn: of the frame that will carry it.
        fn: 1..248.
        values: by the field names of the function's layout; none for a content without octets.
        point: 0 is the terminal.
        way: direction of the frame.

    Raises:
        LocalProtocolError: a function without a known layout, or values that do not fit.

    """
    return group(afn, (point,), (fn,), [values or {}], way=way)


def group(
    afn: int,
    points: Sequence[int],
    functions: Sequence[int],
    values: Iterable[Values] = (),
    *,
    way: Way = "down",
) -> Group:
    """Units of several points and functions under one identifier.

    Args:
        afn: of the frame that will carry them.
        points: of one group of eight, rising.
        functions: of one group of eight, rising.
        values: for each point, for each function; none where nothing is sent, as in requests of class 1.
        way: direction of the frame.

    Raises:
        LocalProtocolError: a function without a known layout, values that do not fit, or another number of
            them than points and functions make.

    """
    named = [(point, fn) for point in sorted(points) for fn in sorted(functions)]
    given = list(values) or [{} for _ in named]
    if len(given) != len(named):
        raise LocalProtocolError(f"{len(named)} units are named, there are values for {len(given)}")
    units = tuple(_built(afn, point, fn, one, way) for (point, fn), one in zip(named, given, strict=True))
    return Group(tuple(sorted(points)), tuple(sorted(functions)), units)


def _built(afn: int, point: int, fn: int, values: Values, way: Way) -> Unit:
    known = terminal.function(afn, fn, way)
    if known is None or known.layout is None:
        raise LocalProtocolError(f"the layout of AFN {afn:02X}H F{fn}, {way}, is not known")
    content = known.layout.build(values)
    return Unit(point, fn, content, tuple(known.layout.read(content) or ()), known)


def request(
    address: Address,
    afn: int,
    groups: Iterable[Group],
    *,
    sequence: int = 0,
    function: int = CLASS_2,
    confirm: bool = False,
    auxiliary: Auxiliary = NO_AUXILIARY,
    protocol_id: int = link.ID_2009,
) -> Message:
    """What a master asks or commands.

    Args:
        address: of the terminal; with the master's number.
        afn: application function code.
        groups: data units.
        sequence: 0..15; the answer repeats it.
        function: function code of C; 11 is the common one, whatever is asked.
        confirm: a confirmation is wanted.
        auxiliary: PW where the AFN needs one (zeros when none is given), and Tp.
        protocol_id: 1 or 2.

    """
    head = Frame(
        address=address,
        afn=afn,
        from_terminal=False,
        started=True,
        function=function,
        has_time=auxiliary.time_tag is not None,
        confirm=confirm,
        sequence=sequence,
        protocol_id=protocol_id,
    )
    if not auxiliary.password:
        auxiliary = auxiliary._replace(password=bytes(password_octets(head)))
    return Message(head, tuple(groups), auxiliary)


def answer(
    asked: Frame,
    groups: Iterable[Group],
    *,
    afn: int | None = None,
    auxiliary: Auxiliary = NO_AUXILIARY,
    first: bool = True,
    final: bool = True,
    confirm: bool = False,
) -> Message:
    """What the other side answers.

    Args:
        asked: the frame that is answered.
        groups: data units.
        afn: of the answer; that of ``asked`` when not given.
        auxiliary: EC (from a terminal) and Tp.
        first: the first frame of the answer.
        final: the last one.
        confirm: a confirmation is wanted.

    """
    up = not asked.from_terminal
    code = asked.afn if afn is None else afn
    function = USER_DATA if up else LINK_STATE
    head = Frame(
        address=asked.address,
        afn=code,
        from_terminal=up,
        started=False,
        function=function,
        attention=up and auxiliary.event_counts is not None,
        has_time=auxiliary.time_tag is not None,
        first=first,
        final=final,
        confirm=confirm,
        sequence=asked.sequence,
        protocol_id=asked.protocol_id,
    )
    return Message(head, tuple(groups), auxiliary)


def confirmation(asked: Frame, *, denied: bool = False) -> Message:
    """AFN 00: confirm or deny everything in a frame, with its sequence number.

    Args:
        asked: the frame.
        denied: deny it.

    """
    way: Way = "down" if asked.from_terminal else "up"
    fn = ALL_DENIED if denied else ALL_CONFIRMED
    return answer(asked, [unit(terminal.CONFIRM, fn, way=way)], afn=terminal.CONFIRM)
