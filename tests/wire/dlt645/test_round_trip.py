"""What is decoded encodes back to the same octets: every row, every shape, every way of delimiting.

Three things are left out on purpose, and do not come back:

- a damaged load record (another start than A0 A0, a wrong checksum or end, classes that do not fit): its
  values are none;
- octets behind the last whole load record: they are no record;
- delimiters of load records after the first one, where a meter would write more or fewer of them than in the
  first: no make does.

Of contents alone (without the octets of ``ItemValue.raw``) what surrounds a text does not come back, nor what
fills or breaks a field that has no content.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import Entry, dictionary
from meterwire.dlt645.items import formats as fmt
from meterwire.dlt645.items import security
from meterwire.dlt645.items.dialects import choices, switches
from meterwire.dlt645.items.families import Layout, Row
from meterwire.dlt645.items.framing import pieces
from meterwire.dlt645.items.freeze_block import FreezeBlock
from meterwire.dlt645.items.load_records import LoadRecords
from meterwire.dlt645.items.open_shapes import MixedBlock, OpenRecord
from meterwire.dlt645.items.security_shape import SecurityPayload
from meterwire.dlt645.items.shapes import Fields, Group
from meterwire.dlt645.items.values import Form
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.item_value import Content
from meterwire.primitives.checksum import sum8
from tests.support.batches import in_batches

_TURNED = {name: switch.values[-1].name for name, switch in switches("dlt645-2007").items()}
_ROWS = (
    *dictionary().rows,
    *dictionary("dlt645-1997").rows,
    *(row for row in dictionary("dlt645-2007", "standard").rows if row.pattern.startswith("040005")),
    *(
        row
        for row in dictionary(layout=choices("dlt645-2007", _TURNED)).rows
        if (row.pattern, row.format) not in {(known.pattern, known.format) for known in dictionary().rows}
    ),
)
_FILLINGS = (b"\xff", b"\x00", b"\x99", b"\xee")


# --- data of every shape -------------------------------------------------------------------------


def _digits(octets: int, dice: random.Random) -> bytes:
    return bytes(dice.randrange(10) << 4 | dice.randrange(10) for _ in range(octets))


def _field(format_: fmt.Format, dice: random.Random) -> bytes:
    """One field: mostly digits, also with a sign, filled, or broken."""
    kind = dice.randrange(10)
    if kind < 6:
        return _digits(format_.octets, dice)
    if kind == 6:
        raw = bytearray(_digits(format_.octets, dice))
        raw[-1] |= 0x80
        return bytes(raw)
    if kind < 9:
        return dice.choice(_FILLINGS) * format_.octets
    return dice.randbytes(format_.octets)


def _group(group: Group, dice: random.Random) -> bytes:
    return b"".join(_field(format_, dice) for format_ in group.layout)


def _of_fields(shape: Fields, dice: random.Random) -> Iterator[bytes]:
    counts = {shape.least, shape.least + 1, shape.usual, len(shape.repeated), shape.most}
    for count in sorted(count for count in counts if shape.least <= count <= shape.most):
        data = _group(shape.head, dice)
        for place in range(count):
            data += _group(shape.repeated[min(place, len(shape.repeated) - 1)], dice)
        yield data
        if shape.delimited:
            yield data + b"\xaa"
    if shape.optional:
        yield b""


def _part(part: Sequence[Group], count: int, dice: random.Random) -> bytes:
    return b"".join(_group(group, dice) for group in part[:count])


def _of_freeze(block: FreezeBlock, dice: random.Random) -> Iterator[bytes]:
    for tariffs in (0, 1, 4, 8, 63):
        whole = [_part(part, 1 + tariffs, dice) for part in block.parts]
        yield b"".join(whole)
        yield b"".join(whole) + b"\xaa"
        yield b"".join(part + b"\xaa" for part in whole)
        some = [_part(part, dice.randint(0, 1 + tariffs), dice) for part in block.parts]
        yield b"".join(part + b"\xaa" for part in some[: dice.randint(1, len(some))])
    for parts in (2, 3):
        yield b"".join(_part(part, 5, dice) for part in block.parts[:parts])


def _record(records: LoadRecords, delimiters: int, dice: random.Random) -> bytes:
    body = _digits(records.time.octets, dice)
    for group in records.classes[:delimiters]:
        values = _group(group, dice) if dice.randrange(2) else b""
        body += values.lstrip(b"\xaa").ljust(group.octets, b"\x00") if values else b""
        body += b"\xaa"
    record = b"\xa0\xa0" + bytes((len(body),)) + body
    return record + bytes((sum8(record), 0xE5))


def _of_records(records: LoadRecords, dice: random.Random) -> Iterator[bytes]:
    for delimiters in range(len(records.classes) + 1):
        for count in range(4):
            yield b"".join(_record(records, delimiters, dice) for _ in range(count))


def _of_block(block: MixedBlock, dice: random.Random) -> Iterator[bytes]:
    data = b""
    for format_ in block.group.layout:
        data += _field(format_, dice)
        yield data
        yield data + b"\xaa"


def _data(entry: Entry, dice: random.Random) -> Iterator[bytes]:
    """Data in every shape of the entry."""
    for shape in entry.shapes:
        match shape:
            case Fields():
                yield from _of_fields(shape, dice)
            case FreezeBlock():
                yield from _of_freeze(shape, dice)
            case LoadRecords():
                yield from _of_records(shape, dice)
            case OpenRecord():
                for octets in (0 if shape.head.layout else 1, 1, 40):
                    yield _group(shape.head, dice) + dice.randbytes(octets)
            case MixedBlock():
                yield from _of_block(shape, dice)
            case SecurityPayload():
                for direction in security.DIRECTIONS:
                    for layout in security.layouts(shape.di, direction):
                        octets = sum(field.octets if field.octets > 0 else 8 for field in layout)
                        yield dice.randbytes(octets)
            case _:
                raise AssertionError(f"how does {shape!r} look?")


def _entries(row: Row) -> Iterator[Entry]:
    """The first member of a family, and its blocks."""
    yield row.entry(row.first)
    for place, slot in enumerate(row.slots):
        if slot.block:
            yield row.entry((*row.first[:place], slot.all, *row.first[place + 1 :]))


# --- there and back ------------------------------------------------------------------------------


@in_batches(_ROWS, [row.pattern for row in _ROWS])
def test_what_decodes_encodes_back(row: Row) -> None:
    """A simulated meter could not say what a real one said, or would say it with other octets."""
    dice = random.Random(row.pattern)
    decoded = 0
    for entry in _entries(row):
        for data in _data(entry, dice):
            try:
                values = entry.decode(data)
            except RemoteProtocolError:
                continue  # a broken digit looked like a delimiter
            decoded += 1
            assert data == entry.encode(values, entry.form(data))
            if values:
                assert values == entry.decode(entry.encode(values)), "the usual form holds the same"
    assert decoded > 0


@in_batches(_ROWS, [row.pattern for row in _ROWS])
def test_every_octet_of_what_decodes_has_its_place(row: Row) -> None:
    """An explanation would show a value at another octet, or a delimiter where a digit stands."""
    dice = random.Random(row.pattern)
    for entry in _entries(row):
        for data in _data(entry, dice):
            try:
                values = entry.decode(data)
            except RemoteProtocolError:
                continue
            found = pieces(entry, data)
            assert data == b"".join(piece.octets for piece in found)
            assert list(values) == [piece.value for piece in found if piece.value is not None]
            assert {b"\xaa"} >= {piece.octets for piece in found if piece.kind == "delimiter"}


_FORMATS = sorted(
    {
        field.format
        for row in _ROWS
        for layout in row.layouts
        if isinstance(layout, Layout)
        for field in (*layout.head, *layout.unit)
    },
    key=repr,
)


@pytest.mark.parametrize("format_", _FORMATS, ids=repr)
@given(data=st.data())
def test_content_alone_gives_its_octets(format_: fmt.Format, data: st.DataObject) -> None:
    """The simulator would send another value than it keeps."""
    size = format_.octets
    digits = st.text("0123456789", min_size=2 * size, max_size=2 * size).map(bytes.fromhex)
    raw = data.draw(digits | st.binary(min_size=size, max_size=size))
    content, problem = format_.decode(raw)
    if problem is not None:
        assert content is None
    elif isinstance(format_, fmt.Text):
        if "\ufffd" not in str(content):  # no text that could be sent
            assert (content, None) == format_.decode(format_.encode(content))
    else:
        assert raw == format_.encode(content)


def _entry(di: int) -> Entry:
    entry = dictionary().by_di(di)
    assert entry is not None
    return entry


def _load_record(*classes: str, delimiters: int = 6) -> bytes:
    body = bytes.fromhex("0012310125") + b"".join(
        bytes.fromhex(one) + b"\xaa" for one in classes[:delimiters]
    )
    record = b"\xa0\xa0" + bytes((len(body),)) + body
    return record + bytes((sum8(record), 0xE5))


_CLASS_1 = "162216221622" + "341280" * 3 + "0250"
_ALL = (_CLASS_1, "123480" * 8, "9889" * 4, "78563412" * 4, "78563412" * 4, "452381" * 2)


@pytest.mark.parametrize(
    ("di", "data"),
    [
        (0x06010002, _load_record(_CLASS_1, "", "", "", "", "")),
        (0x06020002, _load_record("", "123480" * 8, "", "", "", "")),
        (0x06000002, _load_record(*_ALL) + _load_record(*_ALL)),
        (0x06000002, _load_record(*_ALL) + _load_record(_CLASS_1, "", "", "", "", "")),
        (0x0506FF01, bytes.fromhex("0000091015" + "78563412" * 10)),
        (0x0504FF01, bytes.fromhex("0000091015" + "78563412" * 2)),
        (0x1D00FF01, bytes.fromhex("00001231012511223344" + "78563412" * 2)),
        (0x03010101, bytes.fromhex("000012310125300112310125" + "1622")),
        (0x03010000, bytes.fromhex("010000" * 3)),
        (0x040005FF, bytes(18)),
        (0x04001104, b"\x11" * 6),
        (0x04040101, bytes.fromhex("00010000")),
        (0x03300201, bytes.fromhex("00001231012511223344" + "4523010012310125" * 23)),
    ],
)
def test_contents_alone_find_their_shape(di: int, data: bytes) -> None:
    """Whoever has numbers and no octets, as a simulated meter, could say them in the usual shape only."""
    entry = _entry(di)
    assert data == entry.encode([value.content for value in entry.decode(data)])


@pytest.mark.parametrize(
    ("di", "data"),
    [(0x04000103, "1500"), (0x04000205, "07"), (0x04800001, "31323334"), (0x04000106, "FF" * 5)],
)
def test_values_as_decoded_keep_their_octets(di: int, data: str) -> None:
    """A parameter would be written back in another length, or "absent" as "never"."""
    entry, octets = _entry(di), bytes.fromhex(data)
    assert octets == entry.encode(entry.decode(octets))


def test_a_changed_value_is_not_sent_with_its_old_octets() -> None:
    """Who changes what a meter said would send what it had said before."""
    entry = _entry(0x04000103)
    (value,) = entry.decode(b"\x15")
    assert b"\x30" == entry.encode([value._replace(content=Decimal(30))])


@pytest.mark.parametrize(
    ("di", "data", "form"),
    [
        (0x04000103, "15", Form(2)),
        (0x04000103, "15", Form(0, 1)),
        (0x0001FF00, "78563412", Form(0, 2)),
        (0x0506FF01, "0000091015AA" + "78563412" * 2 + "AA", Form(0, 0)),
        (0x0506FF01, "0000091015AA" + "78563412" * 2 + "AA", Form(0, 13)),
        (0x06010002, _load_record(_CLASS_1, "", "", "", "", "").hex(), Form(0, 0)),
        (0x06010002, _load_record(_CLASS_1, "", "", "", "", "").hex(), Form(0, 7)),
    ],
)
def test_a_form_that_is_not_possible_is_refused(di: int, data: str, form: Form) -> None:
    """A meter would be simulated that nobody, ourselves included, can read."""
    entry = _entry(di)
    values = entry.decode(bytes.fromhex(data))
    with pytest.raises(LocalProtocolError):
        entry.encode(values, form)


def test_values_that_say_nothing_of_their_class_are_refused() -> None:
    """Four numbers would be sent as power factors, and be energies."""
    entry = _entry(0x06000002)
    four: list[Content] = ["2025-01-31 12:00", *[Decimal(1)] * 4]
    without_time: list[Content] = [Decimal(1)] * 8
    for contents in (four, without_time, [None]):
        with pytest.raises(LocalProtocolError):
            entry.encode(contents)
    energies = entry.decode(_load_record("", "", "", "78563412" * 4, "", ""))
    for wrong in (energies[1:], energies[::-1], (*energies, energies[1])):
        with pytest.raises(LocalProtocolError):
            entry.encode(wrong)
    freeze = _entry(0x0506FF01)
    frozen = freeze.decode(bytes.fromhex("0000091015" + "78563412" * 10))
    for no_freeze in (frozen[::-1], [value.content for value in frozen[:-1]], []):
        with pytest.raises(LocalProtocolError):
            freeze.encode(no_freeze)
