"""Every row of the dictionaries: samples, names, overlaps, values and their problems."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire import catalogue
from meterwire.dlt645 import Entry, dictionary
from meterwire.dlt645.items import formats as fmt
from meterwire.dlt645.items.dialects import choices, switches
from meterwire.dlt645.items.dictionary import Dictionary
from meterwire.dlt645.items.families import Row
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.item_value import Content
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


def _first(row: Row) -> Entry:
    return row.entry(row.first)


@in_batches(_ROWS, [row.pattern for row in _ROWS])
def test_every_row_has_a_sample_that_survives(row: Row) -> None:
    """A row nobody ever decoded would be wrong in silence."""
    entry = _first(row)
    assert row.sample, "give the row a sample"
    values = entry.decode(row.sample)
    assert all(value.problem is None and value.content is not None for value in values)
    assert row.sample == entry.encode([value.content for value in values])


@in_batches(_ROWS, [row.pattern for row in _ROWS])
def test_every_name_stands_in_the_catalogue_with_its_dimensions(row: Row) -> None:
    """The same quantity would get a second name in another protocol."""
    for values in (row.first, tuple(slot.range[-1] for slot in row.slots)):
        entry = row.entry(values)
        for label in [entry.label, *(value.label for value in entry.decode(row.sample))]:
            name, *dimensions = label.item.split(".")
            kinds = {{"t": "tariff", "h": "order"}.get(dimension[0], "phase") for dimension in dimensions}
            assert kinds <= set(catalogue.quantity(name).dimensions)


def test_an_identifier_has_one_entry_and_a_name_one_identifier() -> None:
    """Asking by name would read something else than asking by identifier."""
    seen: dict[str, int] = {}
    for entry in dictionary().entries():
        assert entry.item not in seen
        seen[entry.item] = entry.di
    assert len(seen) > 20_000
    assert list(seen.values()) == list(dictionary().identifiers())
    for di in (
        0x00010000,
        0x0001FF0C,
        0x00013F00,
        0x02010300,
        0x0201FF00,
        0x020AFF01,
        0x020A01FF,
        0x00290005,
    ):
        by_di = dictionary().by_di(di)
        assert by_di is not None
        assert by_di == dictionary().by_name(by_di.item)


def test_rows_that_overlap_are_refused() -> None:
    """Which of two rows wins would depend on their order in the file."""
    voltage = next(row for row in _ROWS if row.pattern == "0201{phase}00")
    with pytest.raises(LocalProtocolError, match="overlap"):
        Dictionary([voltage, voltage])


@pytest.mark.parametrize(
    ("item", "di"),
    [
        ("forward_active_energy", 0x00010000),
        ("forward_active_energy.t1", 0x00010100),
        ("forward_active_energy.t63", 0x00013F00),
        ("forward_active_energy.*", 0x0001FF00),
        ("forward_active_energy@settlement.1", 0x00010001),
        ("forward_active_energy.*@settlement.12", 0x0001FF0C),
        ("forward_active_energy@settlement.*", 0x000100FF),
        ("forward_active_energy.b", 0x00290000),
        ("forward_active_max_demand.t2", 0x01010200),
        ("voltage.a", 0x02010100),
        ("voltage.*", 0x0201FF00),
        ("active_power", 0x02030000),
        ("active_power.c", 0x02030300),
        ("voltage_harmonic.c.h21", 0x020A0315),
        ("frequency", 0x02800002),
    ],
)
def test_names_and_identifiers_belong_together(item: str, di: int) -> None:
    """The plan would poll something else than its items say."""
    by_name, by_di = dictionary().by_name(item), dictionary().by_di(di)
    assert by_name is not None
    assert (di, item) == (by_name.di, by_name.item)
    assert by_name == by_di


@pytest.mark.parametrize(
    "item",
    ["", "nonsense", "voltage", "voltage.d", "voltage.t1", "frequency.a", "active_power.*@settlement.1"],
)
def test_a_name_that_is_none_has_no_entry(item: str) -> None:
    """A typing error in a configuration would read something nearby."""
    assert dictionary().by_name(item) is None


@pytest.mark.parametrize(
    "di", [0x0001FFFF, 0x00014000, 0x0001000D, 0x02010400, 0x020A0116, 0x99999999, 0xFFFFFFFF]
)
def test_an_identifier_outside_every_family_has_no_entry(di: int) -> None:
    """Octets nobody defined would be shown as a quantity."""
    assert dictionary().by_di(di) is None


def _contents(di: int, data: str) -> list[tuple[str, str | None, str | None]]:
    entry = dictionary().by_di(di)
    assert entry is not None
    return [(value.item, value.text, value.problem) for value in entry.decode(bytes.fromhex(data))]


@pytest.mark.parametrize(
    ("di", "data", "expected"),
    [
        (0x00010000, "78563412", [("forward_active_energy", "123456.78", None)]),
        (0x00010000, "99999999", [("forward_active_energy", "999999.99", None)]),
        (0x00010000, "00000000", [("forward_active_energy", "0.00", None)]),
        (0x00010000, "FFFFFFFF", [("forward_active_energy", None, "absent")]),
        (0x00010000, "1600009A", [("forward_active_energy", None, "invalid-bcd")]),
        (0x00000000, "56341280", [("combined_active_energy", "-1234.56", None)]),
        (0x00000000, "99999979", [("combined_active_energy", "799999.99", None)]),
        (0x00000000, "FFFFFFFF", [("combined_active_energy", None, "absent")]),
        (0x00000000, "000000FA", [("combined_active_energy", None, "invalid-bcd")]),
        (0x00000000, "0000008A", [("combined_active_energy", None, "invalid-bcd")]),
        (0x02030000, "123480", [("active_power", "-0.3412", None)]),
        (
            0x0202FF00,
            "341280FFFFFFFFFFFF",
            [("current.a", "-1.234", None), ("current.b", None, "absent"), ("current.c", None, "absent")],
        ),
        (0x0201FF00, "5622", [("voltage.a", "225.6", None)]),
        (
            0x0001FF00,
            "2901000062000000AA",
            [("forward_active_energy", "1.29", None), ("forward_active_energy.t1", "0.62", None)],
        ),
        (
            0x01010000,
            "4523013018070926",
            [
                ("forward_active_max_demand", "1.2345", None),
                ("forward_active_max_demand_at", "2026-09-07 18:30", None),
            ],
        ),
        (
            0x01010000,
            "0000000000000000",
            [("forward_active_max_demand", "0.0000", None), ("forward_active_max_demand_at", None, "absent")],
        ),
    ],
)
def test_values_signs_and_gaps(
    di: int, data: str, expected: list[tuple[str, str | None, str | None]]
) -> None:
    """A filling or a broken digit would become a number, or a sign a thousand kilowatt-hours."""
    assert expected == _contents(di, data)


@pytest.mark.parametrize(
    ("di", "data"),
    [
        (0x00010000, ""),
        (0x00010000, "785634"),
        (0x00010000, "7856341200"),
        (0x00010000, "78563412AA"),
        (0x0201FF00, "5622FF"),
        (0x0201FF00, ""),
        (0x0201FF00, "5622FFFFFFFFFFFF"),
    ],
)
def test_a_length_that_does_not_fit_is_refused(di: int, data: str) -> None:
    """Octets of a neighbour would be read as digits of this item."""
    entry = dictionary().by_di(di)
    assert entry is not None
    with pytest.raises(RemoteProtocolError) as refusal:
        entry.decode(bytes.fromhex(data))
    assert refusal.value.kind == "length"


@given(row=st.sampled_from(dictionary().rows), data=st.data())
def test_any_data_gives_values_or_a_refusal(row: Row, data: st.DataObject) -> None:
    """A meter with a dead clock or a dead memory would stop the gateway."""
    values = [data.draw(st.sampled_from(choices)) for choices in row.choices]
    digits = row.digits(values)
    if (entry := dictionary().by_di(int(digits, 16))) is None:
        assert row.match(digits) is None
        return
    size = entry.octets * data.draw(st.integers(0, 3)) + data.draw(st.sampled_from([0, 0, 0, 1]))
    try:
        found = entry.decode(data.draw(st.binary(min_size=size, max_size=size)))
    except RemoteProtocolError as error:
        assert error.kind == "length"
        return
    assert all((value.content is None) == (value.problem is not None) for value in found)


@given(format_=st.builds(fmt.Number, st.integers(1, 8), st.integers(0, 4), st.booleans()), data=st.data())
def test_numbers_survive_both_ways(format_: fmt.Number, data: st.DataObject) -> None:
    """The simulator would send another number than it reports."""
    digits = data.draw(st.text("0123456789", min_size=2 * format_.octets, max_size=2 * format_.octets))
    raw = bytearray.fromhex(digits)
    if format_.signed:
        raw[-1] = raw[-1] & 0x7F | data.draw(st.sampled_from([0, 0x80]))
    content, problem = format_.decode(bytes(raw))
    if problem is None:
        assert bytes(raw) == format_.encode(content)
    else:
        assert content is None


@pytest.mark.parametrize(
    ("format_", "content"),
    [
        (fmt.Number(6, 2), Decimal("1000000")),
        (fmt.Number(6, 2), Decimal("-1")),
        (fmt.Number(6, 2), Decimal("0.001")),
        (fmt.Number(6, 2), Decimal("NaN")),
        (fmt.Number(6, 2), "12"),
        (fmt.Number(6, 2, signed=True), Decimal("800000")),
        (fmt.Time("YYMMDDhhmm"), "2026-09-08"),
        (fmt.Time("YYMMDDhhmm"), Decimal(1)),
    ],
)
def test_content_out_of_range_is_refused(format_: fmt.Format, content: Content) -> None:
    """A simulated meter would answer with digits cut off."""
    with pytest.raises(LocalProtocolError):
        format_.encode(content)


@pytest.mark.parametrize("values", [0, 2, 3])
def test_an_entry_takes_its_number_of_values(values: int) -> None:
    """A meter would send half a demand."""
    entry = dictionary().by_name("voltage.a")
    assert entry is not None
    with pytest.raises(LocalProtocolError):
        entry.encode([Decimal(1)] * values)


def test_search_finds_by_chinese_and_english_words() -> None:
    """`meterlink items --search` would miss what it lists."""
    wanted = {"voltage.a", "clock_battery_voltage"}
    for text in ("电压", "Voltage"):
        assert wanted <= {entry.item for entry in dictionary().search(text)}
    assert dictionary().search("没有") == []


def test_an_unknown_edition_is_refused() -> None:
    """A typing error would decode with the wrong tables."""
    with pytest.raises(LocalProtocolError, match="dlt645-2007"):
        dictionary("dlt645-2008")


def test_the_catalogue_refuses_an_unknown_name() -> None:
    """A dictionary could name a quantity that nobody defined."""
    with pytest.raises(LocalProtocolError):
        catalogue.quantity("forward_activ_energy")
    assert catalogue.quantity("voltage").unit == "V"
