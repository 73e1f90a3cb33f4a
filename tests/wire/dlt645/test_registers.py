"""The fast path for blocks of registers beside the declared layout."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import dictionary
from meterwire.dlt645.items.formats import Number
from meterwire.dlt645.items.registers import RegisterRow
from meterwire.dlt645.items.shapes import Fields
from meterwire.item_value import Label

_BLOCKS = [("dlt645-2007", 0x0001FF00), ("dlt645-2007", 0x0201FF00), ("dlt645-1997", 0x901F)]
_PLAIN = st.integers(0, 99).map(lambda number: bytes.fromhex(f"{number:02d}"))


def _shape(edition: str, di: int) -> Fields:
    entry = dictionary(edition).by_di(di)
    assert entry is not None
    (shape,) = entry.shapes
    assert isinstance(shape, Fields)
    return shape


@pytest.mark.parametrize(("edition", "di"), _BLOCKS)
@given(octets=st.lists(st.one_of(_PLAIN, _PLAIN, _PLAIN, st.binary(min_size=1, max_size=1)), max_size=24))
def test_a_block_is_what_its_declaration_says(edition: str, di: int, octets: list[bytes]) -> None:
    """The hand-written way would give other values than the declared layout, or take rubbish for digits."""
    shape, data = _shape(edition, di), b"".join(octets)
    size = shape.repeated[0].octets
    count, rest = divmod(len(data), size)
    if rest or not 1 <= count <= len(shape.repeated):
        return  # another length: the fast path never answers, checked below
    declared = [
        value
        for place, group in enumerate(shape.repeated[:count])
        for value in group.values(data, place * size)
    ]
    assert tuple(declared) == shape.decode(data)


@pytest.mark.parametrize(("edition", "di"), _BLOCKS)
def test_only_whole_registers_of_plain_digits_go_the_fast_way(edition: str, di: int) -> None:
    """A block with a hole, a delimiter or half a register would come out as numbers."""
    shape = _shape(edition, di)
    size = shape.repeated[0].octets
    labels = tuple(group.labels[0] for group in shape.repeated)
    (number,) = {group.layout[0] for group in shape.repeated}
    row = RegisterRow(labels, number)  # type: ignore[arg-type]
    whole = bytes(size * len(labels))
    assert len(labels) == len(row.decode(whole) or ())
    refused = [b"", whole[:-1], whole + bytes(size), whole[:-size] + b"\xff" * size, b"\x0a" + whole[1:]]
    assert [None] * len(refused) == [row.decode(data) for data in refused]


_LABEL = Label("x", "", "x", "x", "")


@given(
    number=st.builds(Number, st.integers(1, 8), st.integers(0, 4)), count=st.integers(1, 8), data=st.data()
)
def test_a_row_of_numbers_is_the_numbers(number: Number, count: int, data: st.DataObject) -> None:
    """A block would give other values than the same registers one by one."""
    octets = number.octets
    digits = data.draw(st.text("0123456789", min_size=2 * octets * count, max_size=2 * octets * count))
    raw = bytes.fromhex(digits)
    row = RegisterRow((_LABEL,) * count, number).decode(raw)
    one_by_one = [number.decode(raw[at : at + octets]) for at in range(0, len(raw), octets)]
    assert row is not None
    assert one_by_one == [(value.content, value.problem) for value in row]
    assert [str(content) for content, _ in one_by_one] == [str(value.content) for value in row]
