"""Layouts as the tables write them -> ``Layout``.

Fields stand one after the other, lowest octet first, with blanks between:

- ``name:A14``: a value of a data format; ``A14#`` when JSON shows its octets; ``u8`` .. ``u32`` an integer;
  ``x`` two digits as they stand; ``x10ms``, ``timeout``, ``date``, ``clock``, ``ip``, ``host``: ``SIZED``;
- ``name:h[6]`` octets, ``t`` text, ``r`` text sent backwards, ``n`` digits sent backwards; ``[len]``: as many
  as the field ``len`` says;
- ``b8(port:5,baud_code:3)``: bits, lowest first; ``_:2`` reserved; ``data_bits:2+5``: 5 is added;
  ``parity:1=even/odd``: words; ``phases:3~``: letters of the bits set;
  ``hour:6b``: in BCD;
- ``name:A14[n]``, ``name:{...}[n]``, ``name:(...)[n]``: a list of values, of values by name, of lists.
  ``[4]`` fixed, ``[n]`` told by a field before, ``[n+1]`` one more, ``[n-m]`` the difference modulo 256,
  ``[n/hour]`` intervals in an hour of a density code, ``[n?]`` one if it is not 0, ``[u8]`` told right in
  front, ``[*]`` to the end;
- ``( ... )`` at the end: there only when octets are left;
- ``+name``: the fields of a record; ``@name``: a node of the table's own;
- ``|`` between whole layouts: the first whose length fits.

Source: spec parts A and B.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.layouts.counts import Count, Fixed, InFront, Told, ToTheEnd
from meterwire.gdw1376.layouts.leaves import COUNTED, SIZED
from meterwire.gdw1376.layouts.nodes import (
    Bit,
    Bits,
    CutShort,
    Field,
    Many,
    MayEnd,
    Node,
    One,
    Values,
    build_all,
    read_all,
)

_TOKEN: Final = re.compile(r"\s+|[\w.#+@*?/=~-]+|[\[\](){}:,|]|.")
_COUNT: Final = re.compile(
    r"(?P<name>[a-z_]\w*)(?:\+(?P<more>\d+)|-(?P<minus>\w+)|(?P<hour>/hour)|(?P<any>\?))?$"
)
_BIT: Final = re.compile(
    r"(?P<width>\d+)(?:\+(?P<offset>\d+)|=(?P<words>[\w/-]+)|(?P<letters>~)|(?P<bcd>b))?$"
)


@dataclass(frozen=True, slots=True)
class Layout:
    """How a content stands on the wire.

    Args:
        alternatives: layouts of different lengths, nearly always one.

    """

    alternatives: tuple[tuple[Node, ...], ...]

    def read(self, octets: bytes) -> list[Field] | None:
        """The fields at the beginning of ``octets``; ``None`` where they end too early.

        Of several alternatives the first that takes all octets counts.
        """
        for nodes in self.alternatives:
            try:
                fields = read_all(nodes, octets, 0, {})
            except CutShort:
                continue
            if len(self.alternatives) == 1 or (fields[-1].end if fields else 0) == len(octets):
                return fields
        return None

    def build(self, values: Values) -> bytes:
        """The octets of values.

        Raises:
            LocalProtocolError: a value is missing, is in no field, or does not fit.

        """
        refusal = LocalProtocolError("there is no layout")
        for nodes in self.alternatives:
            try:
                return build_all(nodes, values, {})
            except LocalProtocolError as error:
                refusal = error
        raise refusal


def parse(
    text: str, records: Mapping[str, str] | None = None, own: Mapping[str, Node] | None = None
) -> Layout:
    """The layout that ``text`` writes.

    Args:
        text: in the notation above; empty for a content without octets.
        records: layouts by the name behind ``+``.
        own: nodes by the name behind ``@``.

    Raises:
        LocalProtocolError: the notation is broken, or a name in it is unknown.

    """
    reader = _Reader(text, records or {}, own or {})
    alternatives = [reader.nodes()]
    while reader.next_is("|"):
        alternatives.append(reader.nodes())
    reader.expect("")
    return Layout(tuple(alternatives))


class _Reader:
    """Reads one layout from the left."""

    def __init__(self, text: str, records: Mapping[str, str], own: Mapping[str, Node]) -> None:
        self.text = text
        self.records = records
        self.own = own
        self.tokens: list[str] = [token for token in _TOKEN.findall(text) if not token.isspace()] + [""]
        self.at = 0

    def take(self) -> str:
        token = self.tokens[min(self.at, len(self.tokens) - 1)]
        self.at += 1
        return token

    def next_is(self, wanted: str) -> bool:
        if self.at >= len(self.tokens) or self.tokens[self.at] != wanted:
            return False
        self.at += 1
        return True

    def expect(self, wanted: str) -> None:
        if (found := self.take()) != wanted:
            raise self.broken(f"{wanted or 'the end'!r} wanted, not {found!r}")

    def broken(self, why: str) -> LocalProtocolError:
        return LocalProtocolError(f"layout {self.text!r}: {why}")

    def nodes(self) -> tuple[Node, ...]:
        found: list[Node] = []
        while self.tokens[self.at] not in {"", "|", ")", "}"}:
            found += self.node()
        return tuple(found)

    def node(self) -> list[Node]:
        if self.next_is("("):
            inner = self.nodes()
            self.expect(")")
            return [MayEnd(inner)]
        name = self.take()
        if name.startswith("+"):
            return [*self.record(name[1:])]
        if name.startswith("@"):
            return [self.own[name[1:]]]
        if name in {"b8", "b16", "b32"}:
            return [self.bits(int(name[1:]) // 8)]
        self.expect(":")
        return [self.field(name)]

    def record(self, name: str) -> tuple[Node, ...]:
        if name not in self.records:
            raise self.broken(f"unknown record {name!r}")
        (nodes,) = parse(self.records[name], self.records, self.own).alternatives
        return nodes

    def field(self, name: str) -> Node:
        for opening, closing in (("{", "}"), ("(", ")")):
            if self.next_is(opening):
                inner = self.nodes()
                self.expect(closing)
                return Many(name, inner, self.count(), named=opening == "{")
        kind = self.take()
        if kind in COUNTED:
            return One(name, COUNTED[kind], self.count())
        if kind not in SIZED:
            raise self.broken(f"unknown kind {kind!r} of {name}")
        leaf, octets = SIZED[kind]
        one = One(name, leaf, Fixed(octets))
        return Many(name, (one,), self.count(), named=False) if self.tokens[self.at] == "[" else one

    def count(self) -> Count:
        self.expect("[")
        text = self.take()
        self.expect("]")
        if text.isdecimal():
            return Fixed(int(text))
        if text == "*":
            return ToTheEnd()
        if text in {"u8", "u16"}:
            return InFront(int(text[1:]) // 8)
        if (found := _COUNT.match(text)) is None:
            raise self.broken(f"{text!r} is no count")
        return Told(
            found["name"],
            more=int(found["more"] or 0),
            minus=found["minus"] or "",
            per_hour=bool(found["hour"]),
            if_any=bool(found["any"]),
        )

    def bits(self, octets: int) -> Bits:
        self.expect("(")
        found = [self.bit()]
        while self.next_is(","):
            found.append(self.bit())
        self.expect(")")
        if sum(bit.width for bit in found) != 8 * octets:
            raise self.broken(f"bits of {found[0].name} do not fill {octets} octets")
        return Bits(octets, tuple(found))

    def bit(self) -> Bit:
        name = self.take()
        self.expect(":")
        if (found := _BIT.match(self.take())) is None:
            raise self.broken(f"the bits of {name} are not understood")
        return Bit(
            "" if name == "_" else name,
            int(found["width"]),
            int(found["offset"] or 0),
            tuple((found["words"] or "").split("/")) if found["words"] else (),
            bool(found["letters"]),
            bool(found["bcd"]),
        )
