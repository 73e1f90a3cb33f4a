"""Values: signs that a make adds, filling, delimiters behind blocks, dates, bits, and what repr hides."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest

from meterwire.dlt645 import AbnormalReply, Entry, ItemValue, dictionary
from meterwire.dlt645.items import formats as fmt
from meterwire.dlt645.items import security
from meterwire.dlt645.items.bit_words import bit_words, bits_set
from meterwire.dlt645.items.families import Row
from meterwire.dlt645.items.freeze_block import FreezeBlock
from meterwire.dlt645.items.load_records import LoadRecords
from meterwire.dlt645.items.shapes import Fields, Group
from meterwire.dlt645.link.functions import EDITIONS, Edition
from meterwire.errors import RemoteProtocolError
from meterwire.primitives.checksum import sum8


def _entry(di: int, edition: Edition = "dlt645-2007", signed: frozenset[str] = frozenset()) -> Entry:
    entry = dictionary(edition, signed=signed).by_di(di)
    assert entry is not None
    return entry


def _values(di: int, data: str, edition: Edition = "dlt645-2007") -> tuple[ItemValue, ...]:
    return _entry(di, edition).decode(bytes.fromhex(data))


# --- signs that a make adds ----------------------------------------------------------------------


def _load_record(values: str) -> str:
    body = bytes.fromhex("0012310125" + values)
    record = b"\xa0\xa0" + bytes((len(body),)) + body
    return (record + bytes((sum8(record), 0xE5))).hex()


_ENERGY, _FREEZE = "12000080", "0000091015"


@pytest.mark.parametrize(
    ("di", "data", "quantity", "expected"),
    [
        (0x00010000, _ENERGY, "forward_active_energy", "-0.12"),
        (0x0001FF00, _ENERGY * 2, "forward_active_energy", "-0.12"),
        (0x05060101, _ENERGY, "forward_active_energy", "-0.12"),
        (0x0506FF01, _FREEZE + _ENERGY * 10, "forward_active_energy", "-0.12"),
        (0x0504FF01, _FREEZE + _ENERGY * 2, "forward_active_energy", "-0.12"),
        (0x06100601, "0013250822" + _ENERGY, "forward_active_energy", "-0.12"),
        (0x06010002, _load_record("AAAAAA" + _ENERGY * 4 + "AAAAAA"), "forward_active_energy", "-0.12"),
        (0x02010100, "1682", "voltage", "-21.6"),
        (0x061001FF, "0013250822" + "168216821682", "voltage", "-21.6"),
        (0x06010002, _load_record("168216821682" + "341280" * 3 + "0250" + "AA" * 6), "voltage", "-21.6"),
    ],
)
def test_a_sign_of_a_make_holds_wherever_the_quantity_stands(
    di: int, data: str, quantity: str, expected: str
) -> None:
    """The register would be negative, and the same register in a freeze or a record 800,000 kWh."""
    values = _entry(di, signed=frozenset({quantity})).decode(bytes.fromhex(data))
    found = {value.text for value in values if value.item.partition(".")[0] == quantity}
    assert {expected} == found


def _groups(row: Row) -> Iterator[Group]:
    for shape in row.entry(row.first).shapes:
        match shape:
            case Fields():
                yield from (shape.head, *shape.repeated)
            case FreezeBlock():
                yield from (group for part in shape.parts for group in part)
            case LoadRecords():
                yield from shape.classes


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_sign_of_a_make_reaches_every_field(edition: Edition) -> None:
    """A record nobody thought of would keep the wrong sign; and nothing else may get one."""
    signed = frozenset({"voltage", "active_power", "forward_active_energy", "forward_active_max_demand"})
    fields = 0
    usual, turned = dictionary(edition), dictionary(edition, signed=signed)
    for row, other in zip(usual.rows, turned.rows, strict=True):
        for group, changed in zip(_groups(row), _groups(other), strict=True):
            for label, before, after in zip(group.labels, group.layout, changed.layout, strict=True):
                if label.item.partition(".")[0] in signed and isinstance(after, fmt.Number):
                    fields += 1
                    assert after.signed, f"{row.pattern} {label.item}"
                else:
                    assert before == after
    assert fields >= {"dlt645-2007": 100, "dlt645-1997": 8}[edition]


# --- filling -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("di", "data"),
    [
        (0x04000106, "9999999999"),
        (0x04000B02, "9999"),
        (0x04000101, "99999999"),
        (0x04000102, "999999"),
        (0x04000106, "FFFFFFFFFF"),
        (0x04000106, "0000000000"),
    ],
)
def test_a_time_that_is_not_set_is_absent(di: int, data: str) -> None:
    """A settlement day that is not used would be shown as the 99th at 99 o'clock."""
    (value,) = _values(di, data)
    assert (None, "absent") == (value.content, value.problem)


@pytest.mark.parametrize("di", range(0x04000501, 0x04000508))
def test_a_status_word_that_is_filled_is_absent(di: int) -> None:
    """A meter without the word would be told to have every fault at once."""
    (value,) = _values(di, "FFFF")
    assert (None, "absent") == (value.content, value.problem)
    assert ("0000", None) == (_values(di, "0000")[0].content, _values(di, "0000")[0].problem)


def test_a_filled_word_within_a_block_is_absent_alone() -> None:
    """A single-phase meter would have every fault of phases b and c."""
    values = _values(0x040005FF, "0000" * 4 + "FFFF" * 2 + "0000")
    assert [None] * 4 + ["absent"] * 2 + [None] == [value.problem for value in values]


@pytest.mark.parametrize("di", [0x04000902, 0x04000602, 0x04001104])
def test_a_word_that_people_set_may_have_all_its_bits(di: int) -> None:
    """A meter that was told to freeze everything would seem to have no mode word."""
    entry = _entry(di)
    (value,) = entry.decode(b"\xff" * entry.octets)
    assert ("FF" * entry.octets, None) == (value.content, value.problem)


# --- a delimiter behind a block ------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
def test_every_block_may_be_closed_by_a_delimiter(edition: Edition) -> None:
    """A make that closes its blocks with AAH could not be read; of a single item it is no delimiter."""
    blocks = 0
    for row in dictionary(edition).rows:
        entry = row.entry(row.first)
        digits = row.digits(row.first)
        asked = [digits[4:6], digits[6:]] if edition == "dlt645-2007" else []
        values = entry.decode(row.sample)
        if "FF" in asked and row.access != "s":  # FF in the identifier of a security frame asks for nothing
            blocks += 1
            assert values == entry.decode(row.sample + b"\xaa"), row.pattern
        elif len(entry.shapes) == 1 and isinstance(shape := entry.shapes[0], Fields) and not shape.repeated:
            with pytest.raises(RemoteProtocolError):
                entry.decode(row.sample + b"\xaa")
    assert (blocks > 20) == (edition == "dlt645-2007")


@pytest.mark.parametrize(("di", "octets"), [(0x040005FF, 14), (0x040005FF, 18), (0x1001FF01, 195)])
def test_a_closed_block_has_the_values_of_an_open_one(di: int, octets: int) -> None:
    """The status words of a whole make would be missing."""
    data = bytes(octets)
    assert _entry(di).decode(data) == _entry(di).decode(data + b"\xaa")


def test_a_delimiter_behind_each_part_of_a_freeze_is_none_of_its_digits() -> None:
    """A delimited set as long as a plain one would be read across its delimiters."""
    data = "0000091015AA" + ("78563412" * 3 + "AA") * 3
    assert 45 == len(bytes.fromhex(data))
    values = _values(0x0506FF01, data)
    assert 10 == len(values)
    assert {Decimal("123456.78")} == {value.content for value in values[1:]}


# --- dates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("di", "data", "expected"),
    [
        (0x04000101, "02080926", "2026-09-08T00:00:00"),
        (0x0400010C, "20561502080926", "2026-09-08T15:56:20"),
        (0x05060001, "5015080926", "2026-09-08T15:50:00"),
        (0x04000101, "02310226", None),
        (0x04030001, "05080926", None),
        (0x04000403, b"20260908".rjust(32, b"\0")[::-1].hex(), None),
        (0x0400040C, b"2026-09-08"[::-1].hex(), None),
    ],
)
def test_only_a_time_is_a_moment(di: int, data: str, expected: str | None) -> None:
    """An asset number would be taken for a day, and a holiday's day table for an hour."""
    (value,) = _values(di, data)
    assert value.content is not None
    assert expected == (value.moment.isoformat() if value.moment else None)


def test_an_operator_code_is_no_date() -> None:
    """Who set a clock would be shown as the day on which it was set."""
    values = _values(0x03300401, "20260908" + "200815080926" + "200915080926")
    assert [False, True, True] == [value.moment is not None for value in values]
    assert [None] * 3 == [fmt.moment(text) for text in ("04000101", "20260908", "2026-09-08 05")]


# --- demand over the limit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "unit"), [(1, "kW"), (2, "kW"), (3, "kvar"), (4, "kvar"), (5, "kvar"), (6, "kvar")]
)
def test_the_demand_over_its_limit_has_its_unit(kind: int, unit: str) -> None:
    """A reactive demand would be kept as an active one."""
    values = _values(0x03120001 + (kind << 8), "2027150809262028150809264523013015080926")
    assert [("1.2345", unit)] == [(value.text, value.unit) for value in values if value.value is not None]


def test_the_demands_over_their_limits_are_counted_apart() -> None:
    """Six counts under one name would be one count, that of the last quadrant."""
    values = _values(0x03120000, "".join(f"0{number}0000" for number in range(1, 7)))
    names = [
        *(f"{direction}_demand_over_limit_count" for direction in ("forward", "reverse")),
        *(f"reactive_demand_over_limit_count_q{quadrant}" for quadrant in range(1, 5)),
    ]
    expected = [(name, Decimal(number)) for number, name in enumerate(names, start=1)]
    assert expected == [(value.item, value.content) for value in values]


def test_each_value_of_a_record_has_its_own_time() -> None:
    """The registers before and after a disturbance would be one, and a freeze would be frozen twice."""
    disturbed = [value.period for value in _values(0x03350001, "00" * 28)]
    assert ["last.1"] * 2 + ["last.1/start"] * 2 + ["last.1/end"] * 2 == disturbed
    assert {"daily_freeze/last.1"} == {value.period for value in _values(0x05060901, "00" * 8)}


# --- bits ----------------------------------------------------------------------------------------


def _bits(di: int, data: str, edition: Edition = "dlt645-2007") -> list[str]:
    format_ = _entry(di, edition).format
    assert isinstance(format_, fmt.Hex)
    return [bit.name for bit in bits_set(format_.word, bytes.fromhex(data))]


def test_the_kinds_of_report_have_names() -> None:
    """Nobody could tell which faults a meter reports."""
    assert ["relay_circuit_fault", "close_done"] == _bits(0x04001104, "0180" + "00" * 6)
    assert ["current_cut", "voltage_sequence"] == _bits(0x04001104, "0000" + "0001" + "0100" + "0000")
    assert ["key_update"] == _bits(0x04001104, "00" * 7 + "80")
    assert 15 + 9 + 11 + 16 == len(bit_words()["report_mode_word"])


def test_the_rest_days_of_1997_have_names() -> None:
    """Nobody could tell on which days an old meter rests."""
    assert ["sunday_works", "saturday_works"] == _bits(0xC022, "41", "dlt645-1997")


# --- what repr hides -----------------------------------------------------------------------------


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_password_does_not_show_in_the_repr_of_its_value(edition: Edition) -> None:
    """A password that a meter gave away would stand in every log of its values."""
    hidden = 0
    for row in dictionary(edition).rows:
        for value in row.entry(row.first).decode(row.sample):
            if value.item != "password" and value.item not in security.SECRET_ITEMS:
                continue
            hidden += 1
            assert str(value.content) not in repr(value)
            assert repr(value.raw) not in repr((value,))
            assert value.item in repr(value)
    assert hidden > (20 if edition == "dlt645-2007" else 0)
    assert "'1234.56'" in repr(_values(0x00010000, "56341200")[0])


def test_an_error_word_that_is_none_does_not_show() -> None:
    """A meter that answers a refusal with what it was sent would give a password to the log."""
    known = AbnormalReply(address="000000000161", function=0x14, error_word=b"\x04")
    assert r"error_word=b'\x04'" in repr(known)
    assert "(04H)" in known.sentence()
    secret = AbnormalReply(address="000000000161", function=0x14, error_word=b"\x02V4\x12")
    assert "error_word=<4 octets>" in repr(secret)
    for language, said in (("en", "(4 octets)"), ("zh", "（4 字节）")):
        sentence = secret.sentence(language)  # type: ignore[arg-type]
        assert said in sentence
        assert "12" not in sentence
