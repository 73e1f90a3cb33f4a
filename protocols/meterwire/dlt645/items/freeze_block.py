"""Layout of a freeze block: its parts find their own ends.

Source: DL/T 645-2007, annex A.6; spec section 8.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from meterwire.dlt645.items.shapes import DELIMITER, TARIFFS_USUAL, Group
from meterwire.dlt645.items.values import Given, ItemValue
from meterwire.errors import LocalProtocolError


@dataclass(frozen=True, slots=True)
class FreezeBlock:
    """All parts of one freeze (05 xx FF nn): time, registers with their tariffs, variables.

    A meter leaves out what its mode word switches off. With a delimiter behind each part the parts
    show themselves; without, the length must be that of the whole set for some number of tariffs, or
    of the short sets of single-phase meters (time and one or two registers of total and 4 tariffs).

    Args:
        parts: for each part its groups: the total and each tariff, or the one group it is.
        tariffs: tariffs beside the total in the short sets.

    """

    parts: tuple[tuple[Group, ...], ...]
    tariffs: int = TARIFFS_USUAL
    _plain_sets: tuple[tuple[int, ...], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """List the sets that need no delimiters: how many groups of each part; the usual ones first."""
        counts = [self.tariffs, *range(max(map(len, self.parts)))]
        usual, *others = (tuple(1 + count if len(part) > 1 else 1 for part in self.parts) for count in counts)
        object.__setattr__(self, "_plain_sets", (usual, *others, usual[:2], usual[:3]))

    @property
    def octets(self) -> int:
        """Octets of the whole set with ``tariffs`` tariffs."""
        return self._octets(self._plain_sets[0])

    @property
    def items(self) -> tuple[str, ...]:
        """None that are sure to be there."""
        return ()

    def decode(self, data: bytes) -> tuple[ItemValue, ...] | None:
        """The values in ``data``; ``None`` when the parts do not fit."""
        counts, gap = self._counts(data)
        if counts is None:
            return None
        values: list[ItemValue] = []
        at = 0
        for part, count in zip(self.parts, counts, strict=False):
            for group in part[:count]:
                group.extend(values, data, at)
                at += group.octets
            at += gap
        return tuple(values)

    def delimiters(self, data: bytes) -> int:
        """One for each part, or one behind all of them."""
        counts, gap = self._counts(data)
        assert counts is not None, "decode takes the data"
        return len(counts) if gap else len(data) - self._octets(counts)

    def is_whole(self, data: bytes) -> bool:
        """All parts with the usual tariffs, or the short set of two registers."""
        counts, gap = self._counts(data)
        usual = self._plain_sets[0]
        return counts is not None and (
            len(counts) == len(self.parts) if gap else counts in {usual, usual[:3]}
        )

    def encode(self, values: Sequence[Given], delimiters: int | None = None) -> bytes:
        """Undo ``decode``; by default with delimiters only where the parts do not show otherwise.

        Raises:
            LocalProtocolError: values of another block or in another order, one out of its range, contents
                alone that are no whole or short set, or a number of delimiters that tells no parts.

        """
        counts = self._counts_of(values)
        parts = self._parts(values, counts)
        plain = self._plain_set(sum(map(len, parts))) == counts
        if plain and (delimiters is None or delimiters in {0, 1}):
            return b"".join(parts) + DELIMITER * (delimiters or 0)
        delimiters = len(parts) if delimiters is None else delimiters
        if not max(1, len(parts)) <= delimiters <= len(self.parts):
            raise LocalProtocolError(
                f"{delimiters} delimiters do not tell the {len(parts)} parts of a freeze"
            )
        return b"".join(part + DELIMITER for part in [*parts, *[b""] * (delimiters - len(parts))])

    def _octets(self, counts: Sequence[int]) -> int:
        return sum(count * part[0].octets for count, part in zip(counts, self.parts, strict=False))

    def _plain_set(self, octets: int) -> tuple[int, ...] | None:
        return next((counts for counts in self._plain_sets if self._octets(counts) == octets), None)

    def _counts(self, data: bytes) -> tuple[tuple[int, ...] | None, int]:
        """How many groups of each part are there, and the octets of the delimiter behind each part."""
        # Delimiters first: where one stands, a register without them would have a digit that is none.
        if (counts := self._delimited(data)) is not None:
            return counts, 1
        counts = self._plain_set(len(data))
        if counts is None and data.endswith(DELIMITER):
            counts = self._plain_set(len(data) - 1)
        return counts, 0

    def _delimited(self, data: bytes) -> tuple[int, ...] | None:
        counts: list[int] = []
        at = 0
        for part in self.parts:
            if at >= len(data):
                break
            unit = part[0].octets
            ends = range(at, at + unit * len(part) + 1, unit)
            end = next((end for end in ends if data[end : end + 1] == DELIMITER), None)
            if end is None:
                return None
            counts.append((end - at) // unit)
            at = end + 1
        return tuple(counts) if counts and at == len(data) else None

    def _counts_of(self, values: Sequence[Given]) -> tuple[int, ...]:
        """How many groups of each part the values are; parts at the end that are not there do not count."""
        if all(isinstance(value, ItemValue) for value in values):
            counts = self._labelled(values)
        else:
            sizes = [len(part[0].layout) for part in self.parts]
            fitting = (
                counts
                for counts in self._plain_sets
                if sum(count * size for count, size in zip(counts, sizes, strict=False)) == len(values)
            )
            counts = next(fitting, None)
        if counts is None:
            raise LocalProtocolError(f"a freeze block does not take these {len(values)} values")
        return counts

    def _labelled(self, values: Sequence[Given]) -> tuple[int, ...] | None:
        counts: list[int] = []
        at = 0
        for part in self.parts:
            count = 0
            while count < len(part) and part[count].begins(values, at):
                at += len(part[count].layout)
                count += 1
            counts.append(count)
        while counts and not counts[-1]:
            counts.pop()
        return tuple(counts) if at == len(values) else None

    def _parts(self, values: Sequence[Given], counts: tuple[int, ...]) -> list[bytes]:
        """The octets of each part."""
        parts: list[bytes] = []
        at = 0
        for part, count in zip(self.parts, counts, strict=False):
            octets = b""
            for group in part[:count]:
                octets += group.encode(values[at : at + len(group.layout)])
                at += len(group.layout)
            parts.append(octets)
        return parts
