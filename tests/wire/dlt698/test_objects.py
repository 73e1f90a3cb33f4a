"""Rows of the object model: their samples, their names, and what an answer that does not fit becomes."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meterwire import catalogue, dlt645
from meterwire.dlt645.items.bit_words import bit_words as bit_words_645
from meterwire.dlt698.axdr.data import data_from_octets, data_to_octets
from meterwire.dlt698.axdr.selection import Oad, Omd, Road, ScalerUnit, SidMac
from meterwire.dlt698.axdr.values import NULL, BitString, Data, Date, DateTime, DateTimeS, Time
from meterwire.dlt698.objects.bit_words import bit_words, bits_set
from meterwire.dlt698.objects.dictionary import Entry, dictionary, items_in
from meterwire.dlt698.objects.item_values import contents_of
from meterwire.dlt698.objects.notation import Array, Leaf, Structure, Table, Type, parse
from meterwire.dlt698.objects.object_rows import CHAPTERS, Object, Row, class_rows
from meterwire.dlt698.objects.shapes import SCALER_MAX
from meterwire.dlt698.objects.units import unit, units
from meterwire.errors import LocalProtocolError
from tests.wire.dlt698.data_strategies import datas

_MARKS = {"", "1", "2+", "?"}


def _entry(descriptor: str) -> Entry:
    found = dictionary().entry(Oad.of(descriptor))
    assert found is not None
    return found


def _entry_of(one: Object, row: Row) -> Entry:
    descriptor = Omd(one.oi, row.number) if row.is_method else Oad(one.oi, row.number, 0)
    found = dictionary().entry(descriptor)
    assert found is not None, str(descriptor)
    return found


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_samples_decode_and_encode_back(chapter: str) -> None:
    """A value of an object would be wrong, lost, or be answered by the simulator as something else."""
    tried = 0
    for one in (one for one in dictionary().objects if one.chapter == chapter):
        for row in one.rows:
            entry = _entry_of(one, row)
            data = data_from_octets(row.sample)
            values = entry.decode(data)
            where = f"{entry.descriptor} {row.written}"
            assert not [value for value in values if value.problem not in {None, "empty"}], where
            assert len(values) == len({value.label.key for value in values}), where
            assert row.sample == data_to_octets(entry.encode(contents_of(values))), where
            tried += 1
    assert tried > 0


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_names_are_in_the_catalogue(chapter: str) -> None:
    """An item could carry a name, a dimension or a unit that no other protocol knows."""
    for one in (one for one in dictionary().objects if one.chapter == chapter):
        for row in one.rows:
            entry = _entry_of(one, row)
            for value in entry.decode(data_from_octets(row.sample)):
                if value.item.startswith(f"{one.oi:04X}"):
                    continue
                quantity, *dimensions = value.item.removesuffix(".*").split(".")
                kinds = {_kind(dimension) for dimension in dimensions}
                assert kinds <= set(catalogue.quantity(quantity).dimensions), value.item


def _kind(dimension: str) -> str:
    return {"t": "tariff", "h": "order"}.get(dimension[0], "phase")


def test_every_row_says_who_agrees_and_what_it_is() -> None:
    """A reader could not tell a sure row from a doubtful one, or would see no words."""
    rows = {id(row): row for one in dictionary().objects for row in one.rows}
    rows |= {id(row): row for members in class_rows().values() for row in members.values()}
    for row in rows.values():
        assert row.by in _MARKS or set(row.by) <= set("PTHC"), row
        assert row.en, row
        assert row.zh, row


@pytest.mark.parametrize("item", [
    "forward_active_energy", "reverse_active_energy.t4", "forward_active_energy.a", "combined_active_energy",
    "reactive_energy_q3.t1", "forward_apparent_energy", "forward_active_max_demand",
    "forward_active_max_demand_at.t2", "reverse_active_max_demand.b", "voltage.a", "current.c",
    "active_power", "active_power.b", "power_factor", "phase_angle.a", "frequency", "neutral_current",
    "voltage_harmonic.a.h3", "active_demand", "meter_temperature", "clock_battery_voltage", "price",
    "meter_status_word_3", "remaining_balance", "overdraft_balance", "meter_number", "demand_period",
    "active_constant", "trip_current", "trip_wait", "alarm_money_1", "tariff_price",
])  # fmt: skip
def test_items_of_dlt645_have_the_same_name_and_unit(item: str) -> None:
    """One quantity read through two protocols would land in two series, or in one with two units."""
    other = dlt645.dictionary("dlt645-2007").by_name(item)
    found = dictionary().by_name(item) or dictionary().by_name(item.replace("_at", ""))
    assert found is not None
    assert other is not None or item.partition(".")[0].endswith("_at")
    entry = dictionary().entry(found)
    assert entry is not None
    values = {value.item: value for value in entry.decode(_sample_of(entry))}
    quantity = item.partition(".")[0]
    assert catalogue.quantity(quantity).unit == values[item].unit


def _sample_of(entry: Entry) -> Data:
    data = data_from_octets(entry.row.sample)
    return data.value[min(entry.index, len(data.value)) - 1] if entry.index else data


def test_bits_of_status_words_are_named_as_in_dlt645() -> None:
    """A relay that is open would be called something else when another protocol says so."""
    for word, bits in bit_words().items():
        others = {bit.place: bit for bit in bit_words_645()[word]}
        for bit in bits:
            if (word, bit.place) not in {
                ("meter_status_word_1", 6), ("meter_status_word_7", 9), ("meter_status_word_7", 10),
            }:  # fmt: skip
                assert others[bit.place].name == bit.name, (word, bit)


def test_status_words_are_read_in_either_order() -> None:
    """The relay of a meter would be seen where its authentication stands."""
    as_bits = Data("array", (NULL, NULL, Data("bit-string", BitString(bytes.fromhex("0A00"), 16))))
    as_number = Data("array", (NULL, NULL, Data("bit-string", BitString(bytes.fromhex("0050"), 16))))
    entry = _entry("20140200")
    first, other = entry.decode(as_bits)[2], entry.decode(as_number, "number")[2]
    assert ("meter_status_word_3", "0050") == (first.item, first.content)
    assert "0050" == other.content
    names = [bit.name for bit in bits_set("meter_status_word_3", int(str(first.content), 16))]
    assert ["relay_open", "command_open"] == names
    assert as_number.value[2] == entry.encode({"meter_status_word_3": "0050"}, "number").value[2]


def test_an_eighth_status_word_is_kept_under_its_number() -> None:
    """A meter with one word more could not be read at all."""
    word = Data("bit-string", BitString(bytes(2), 16))
    values = _entry("20140200").decode(Data("array", (word,) * 8))
    assert 8 == len(values)
    assert ("meter_status_words", "number.8") == (values[7].item, values[7].period)


def test_power_is_counted_in_the_unit_of_the_catalogue() -> None:
    """A meter's 2.3 kW would stand as 2300 beside those of the other protocol."""
    (value,) = _entry("20040201").decode(Data("double-long", 23000))
    assert (Decimal("2.3000"), "kW") == (value.value, value.unit)
    assert "2.3000" == value.text


def test_the_scaler_of_the_device_counts_before_the_dictionary() -> None:
    """A meter with other decimals would be wrong by a power of ten."""
    entry = _entry("00100201").scaled(ScalerUnit(-3, 33))
    assert Decimal("1.234") == entry.decode(Data("double-long-unsigned", 1234))[0].value
    in_kw = _entry("20040201").scaled(ScalerUnit(-2, 28))
    assert Decimal("12.34") == in_kw.decode(Data("double-long", 1234))[0].value
    (value,) = _entry("20000201").scaled(ScalerUnit(-1, 36)).decode(Data("long-unsigned", 2200))
    assert (None, "unit") == (value.content, value.problem)
    with pytest.raises(LocalProtocolError, match="no unit 200"):
        _entry("20000201").scaled(ScalerUnit(-1, 200))
    with pytest.raises(LocalProtocolError, match="no unit"):
        unit("furlong")


def test_a_scaler_that_cannot_be_true_is_none() -> None:
    """A device's 100 would make a register of a hundred digits of an octet that was read wrongly."""
    energy = _entry("00100201")
    for scaler in (-SCALER_MAX, SCALER_MAX):
        (value,) = energy.scaled(ScalerUnit(scaler, 33)).decode(Data("double-long-unsigned", 3))
        assert Decimal(3).scaleb(scaler) == value.value
    for scaler in (-SCALER_MAX - 1, SCALER_MAX + 1, 100, -128):
        with pytest.raises(LocalProtocolError, match=f"a scaler of {scaler} is none"):
            energy.scaled(ScalerUnit(scaler, 33))


def test_every_unit_of_the_table_converts_to_one_that_is_its_own() -> None:
    """A value would be converted twice, or into a unit that nobody has."""
    names = {one.name for one in units().values()}
    for one in units().values():
        assert one.counted_in in names
        if one.name != "other":
            assert one.counted_in == unit(one.counted_in).counted_in


@pytest.mark.parametrize(("oad", "data", "content", "problem"), [
    ("00100201", Data("long64-unsigned", 123456), Decimal("1234.56"), None),
    ("00100201", Data("array", (Data("double-long-unsigned", 1),)), Decimal("0.01"), None),
    ("00100201", NULL, None, "absent"),
    ("00100201", Data("octet-string", b"1"), None, "type"),
    ("00100201", Data("enum", 1), None, "type"),
    ("00100201", Data("float32", 1.5), None, "type"),
    ("00100201", Data("array", (NULL, NULL)), None, "type"),
    ("00100200", Data("double-long-unsigned", 1), None, "type"),
    ("00100200", NULL, None, "absent"),
    ("00100200", Data("array", ()), None, "empty"),
    ("20140201", Data("bit-string", BitString(b"\x01", 8)), None, "size"),
    ("202A0200", Data("octet-string", bytes.fromhex("05000000000001")), "000000000001", None),
    ("202A0200", Data("octet-string", bytes.fromhex("000000000001")), "000000000001", None),
    ("202A0200", Data("octet-string", b"12"), None, "type"),
    ("40000200", Data("date_time_s", DateTimeS(2026, 1, 2, 3, 4, 5)), "2026-01-02 03:04:05", None),
    ("40000200", Data("octet-string", bytes(7)), None, "type"),
    ("40060200", Data("structure", (Data("enum", 1),)), None, "shape"),
    ("40060200", Data("structure", (Data("enum", 1),) * 3), None, "shape"),
    ("40060200", Data("array", (Data("enum", 1),) * 2), Decimal(1), None),
    ("40060200", Data("enum", 1), None, "type"),
    ("20240200", NULL, None, "absent"),
    ("20240200", Data("OAD", Oad.of("F2010201")), "OAD:F2010201", None),
    ("20240200", Data("enum", 3), "enum:3", None),
])  # fmt: skip
def test_what_does_not_fit_has_a_problem_and_no_number(
    oad: str, data: Data, content: object, problem: str | None
) -> None:
    """A meter that sends another type would bring a wrong number, or none although it can be read."""
    value = _entry(oad).decode(data)[0]
    assert (content, problem) == (value.content, value.problem)


def test_no_demand_yet_is_zero_without_a_moment() -> None:
    """The first night of a meter would bring a demand in the year 0, or an error."""
    sample = bytes.fromhex("020206000000001C00000000000000")
    value, at = _entry("10100201").decode(data_from_octets(sample))
    assert (Decimal("0.0000"), "0000-00-00 00:00:00", None) == (value.value, at.text, at.moment)
    assert sample == data_to_octets(_entry("10100201").encode(contents_of([value, at])))


def test_a_single_phase_meter_answers_less() -> None:
    """An array of one or two elements would be read as an error, or as another phase."""
    voltage = _entry("20000200").decode(data_from_octets(bytes.fromhex("01011208A3")))
    assert [("voltage.a", "221.1")] == [(value.item, value.text) for value in voltage]
    factor = _entry("200A0200").decode(data_from_octets(bytes.fromhex("01021003E81003E8")))
    assert ["power_factor", "power_factor.a"] == [value.item for value in factor]


def test_the_neutral_may_stand_behind_the_phases() -> None:
    """A neutral current would be read as a phase that does not exist."""
    values = _entry("20010200").decode(Data("array", (Data("double-long", 5000),) * 4))
    assert ["current.a", "current.b", "current.c", "neutral_current"] == [value.item for value in values]


def test_when_around_an_event_a_quantity_was_taken_is_its_period() -> None:
    """A register at the start of an outage would be taken for the present one."""
    (value,) = _entry("00102201").decode(Data("double-long-unsigned", 1))
    assert ("forward_active_energy", "start") == (value.item, value.period)
    assert dictionary().entry(Oad.of("0010E201")) is None


@pytest.mark.parametrize("oad", ["12340200", "00101F00", "00100000", "40060203"])
def test_what_no_object_has_is_unknown(oad: str) -> None:
    """An attribute could be made up."""
    assert dictionary().entry(Oad.of(oad)) is None


def test_passwords_and_keys_are_not_shown() -> None:
    """The password of a connection, or a key block, would reach a log."""
    (value,) = _entry("44010200").decode(Data("visible-string", "00000000"))
    assert "0000" not in f"{value!r}{value.content}{value.text}"
    assert Data("visible-string", "00000000") == _entry("44010200").encode(contents_of([value]))


@pytest.mark.parametrize(("oad", "content"), [
    ("00100201", Decimal("1.234")), ("00100201", "a"), ("40000200", "yesterday"), ("40010200", "4"),
    ("00100201", Decimal("NaN")), ("20240200", "enum"), ("202A0200", "xx"), ("20140201", "one"),
])  # fmt: skip
def test_a_content_that_does_not_fit_is_refused(oad: str, content: Decimal | str) -> None:
    """The simulator would answer something else than it was told, or fall over."""
    entry = _entry(oad)
    with pytest.raises(LocalProtocolError):
        entry.encode({entry.item: content})


def test_nothing_to_encode_is_refused() -> None:
    """A misspelt item would be answered as NULL."""
    with pytest.raises(LocalProtocolError, match=r"forward_active_energy\.\*"):
        _entry("00100200").encode({"forward_active_enregy": Decimal(1)})


@pytest.mark.parametrize("text", [
    "furlong", "array(long", "array[month](long)", "structure{a:long", "structure{a}", "long long", "array",
])  # fmt: skip
def test_a_type_that_is_none_is_refused(text: str) -> None:
    """A slip in the dictionary would be found by a meter's answer."""
    with pytest.raises(LocalProtocolError, match="type"):
        parse(text)


_ENTRIES = [_entry_of(one, row) for one in dictionary().objects for row in one.rows]


@given(st.sampled_from(_ENTRIES), datas(), st.sampled_from(["bit0_first", "number"]))
def test_any_data_gives_values_or_problems(entry: Entry, data: Data, order: str) -> None:
    """An odd answer would stop the reading of the others."""
    values = entry.decode(data, "number" if order == "number" else "bit0_first")
    for value in values:
        assert (value.content is None) == (value.problem is not None) or data.type == "null"


@given(datas())
@example(Data("date_time", DateTime(65535, 13, 255, 7, 24, 60, 255, 65535)))
@example(Data("date", Date(0, 0, 0, 255)))
@example(Data("time", Time(255, 99, 0)))
@example(Data("date_time_s", DateTimeS(65534, 254, 100, 0, 0, 255)))
@example(Data("utf8-string", "电表:1"))
@example(Data("OMD", Omd.of("80008100")))
@example(Data("OI", 0x3011))
@example(Data("Scaler_Unit", ScalerUnit(-2, 33)))
@example(Data("SID_MAC", SidMac(1, b"2", b"3456")))
@example(Data("CSD", Road(Oad.of("50040200"), (Oad.of("00100200"),))))
def test_what_can_be_any_type_keeps_its_type_and_octets(data: Data) -> None:
    """An event's source or a scheme's content would come back as something else."""
    entry = _entry("20240200")
    assert data_to_octets(data) == data_to_octets(entry.encode(contents_of(entry.decode(data))))


def _leaves(kind: Type) -> list[Leaf]:
    if isinstance(kind, Array):
        return _leaves(kind.element)
    if isinstance(kind, Structure):
        return [leaf for field in kind.fields for leaf in _leaves(field.type)]
    return [] if isinstance(kind, Table) else [kind]


def test_words_of_bits_are_known() -> None:
    """A status word would be shown without its bits."""
    words = {leaf.word for entry in _ENTRIES for leaf in _leaves(entry.type) if leaf.word}
    assert words == set(bit_words())


def test_items_named_inside_types_are_in_the_catalogue() -> None:
    """A member of a structure could carry a name that no other protocol knows."""
    items = {item for entry in _ENTRIES for item in items_in(entry.type)}
    for item in items:
        catalogue.quantity(item.partition("@")[0].partition(".")[0])
    assert len(items) > 0
