"""Records that are known in part, blocks of unlike fields, and the payloads of security frames."""

from __future__ import annotations

from decimal import Decimal

import pytest

from meterwire.dlt645 import ItemValue, dictionary
from meterwire.dlt645.items import security
from meterwire.dlt645.link.functions import Edition
from meterwire.errors import LocalProtocolError, RemoteProtocolError
from meterwire.item_value import Content

_MAC = "A1A2A3A4"
_KEY = ("key_information", "key_cipher")
_CUSTOMER = "785634120000"


def _decoded(di: int, data: str, edition: Edition = "dlt645-2007") -> tuple[ItemValue, ...]:
    entry = dictionary(edition).by_di(di)
    assert entry is not None
    values = entry.decode(bytes.fromhex(data))
    assert bytes.fromhex(data.removesuffix("AA")) == entry.encode([value.content for value in values])
    return values


def _refusal(di: int, data: str, edition: Edition = "dlt645-2007") -> str:
    """The kind of fault for which the octets are refused."""
    entry = dictionary(edition).by_di(di)
    assert entry is not None
    with pytest.raises(RemoteProtocolError) as refusal:
        entry.decode(bytes.fromhex(data))
    return refusal.value.kind


def _texts(values: tuple[ItemValue, ...]) -> list[tuple[str, str | None]]:
    return [(value.item, value.text) for value in values]


@pytest.mark.parametrize("di", [0x03360001, 0x0337000A])
def test_what_is_known_of_a_record_is_decoded_and_the_rest_kept(di: int) -> None:
    """A relay that opened by itself would show no time, or its unknown items would be guessed."""
    start, end = ("event_started_at", "2026-09-08 15:20:30"), ("event_ended_at", "2026-09-08 15:21:00")
    times = "302015080926" + "002115080926"
    assert [start, end] == _texts(_decoded(di, times))
    assert [start, end, ("record_rest", "0102FF")] == _texts(_decoded(di, times + "0102FF"))
    assert "length" == _refusal(di, times[:-2])
    assert "length" == _refusal(di, "")


@pytest.mark.parametrize("di", [0x03300F01, 0x03301002, 0x03301203, 0x03301304, 0x0330140A, 0x03340001])
def test_a_record_of_unknown_layout_is_one_field(di: int) -> None:
    """A published name without a published layout would not be told from an unknown identifier."""
    (value,) = _decoded(di, "00010203FF")
    assert ("record_rest", "00010203FF", "") == (value.item, value.text, value.unit)
    assert value.period.startswith("last.")
    assert "length" == _refusal(di, "")


@pytest.mark.parametrize("contents", [[], ["00", "00"], ["0x"], [Decimal(1)], [None]])
def test_an_open_record_takes_octets_and_nothing_else(contents: list[Content]) -> None:
    """A simulated meter would send octets that nobody wrote down."""
    entry = dictionary().by_di(0x03300F01)
    assert entry is not None
    with pytest.raises(LocalProtocolError):
        entry.encode(contents)


@pytest.mark.parametrize(("data", "count"), [("030000", 1), ("030000" + "450100", 2)])
@pytest.mark.parametrize("di", [0x03340000, 0x03350000, 0x03360000, 0x03370000])
def test_a_counter_may_have_its_total_time_behind(di: int, data: str, count: int) -> None:
    """The general rule of the chapter has both, the supplements are read with the count alone."""
    entry = dictionary().by_di(di)
    assert entry is not None
    values = entry.decode(bytes.fromhex(data))
    assert [Decimal(3), Decimal(145)][:count] == [value.value for value in values]
    assert ["", "min"][:count] == [value.unit for value in values]


_POWERS = ["active_power", "active_power.a", "active_power.b", "active_power.c"]
_LIMITS = ["forward_power_limit", "reverse_power_limit"]


@pytest.mark.parametrize(
    ("data", "items"),
    [
        ("563412", _POWERS[:1]),
        ("563412" * 2, _POWERS[:2]),
        ("563412" * 4, _POWERS),
        ("563412" * 4 + "AA", _POWERS),
        ("563412" * 4 + "50082507", _POWERS + _LIMITS),
        ("563412" * 4 + "50082507AA", _POWERS + _LIMITS),
    ],
)
def test_a_block_of_1997_holds_as_many_fields_as_the_meter_has(data: str, items: list[str]) -> None:
    """Four powers would be refused because two limits are missing, or a delimiter read as a digit."""
    assert items == [value.item for value in _decoded(0xB63F, data, "dlt645-1997")]


@pytest.mark.parametrize("data", ["", "5634", "56341200", "563412AAAA", "563412" * 4 + "50082507AAAA"])
def test_a_block_that_ends_inside_a_field_is_refused(data: str) -> None:
    """Half a power would be shown as a power."""
    assert "length" == _refusal(0xB63F, data, "dlt645-1997")


def test_a_whole_block_keeps_a_last_octet_that_looks_like_a_delimiter() -> None:
    """A rest-day word of AAH would get lost."""
    entry = dictionary("dlt645-1997").by_di(0xC02F)
    assert entry is not None
    assert ["1E", "2F", "AA"] == [value.content for value in entry.decode(bytes.fromhex("1E2FAA"))]


@pytest.mark.parametrize("values", [0, 7])
def test_a_block_takes_one_to_all_of_its_fields(values: int) -> None:
    """A simulated meter would answer with a field that the block has not."""
    entry = dictionary("dlt645-1997").by_di(0xB63F)
    assert entry is not None
    with pytest.raises(LocalProtocolError):
        entry.encode([Decimal(0)] * values)


def test_a_top_up_has_its_amount_in_yuan_and_every_field_its_name() -> None:
    """Cents would be taken for yuan: the classic fault of prepayment."""
    values = _decoded(0x070102FF, "10270000" + "05000000" + _MAC + _CUSTOMER + _MAC)
    assert [
        ("purchase_amount_money", "100.00"),
        ("purchase_count", "5"),
        ("mac_1", "A4A3A2A1"),
        ("customer_number", "000012345678"),
        ("mac_2", "A4A3A2A1"),
    ] == _texts(values)
    assert (values[0].unit, values[3].zh) == ("yuan", "客户编号")


def test_the_reply_to_an_authentication_is_told_by_its_length() -> None:
    """The answer would be called an unknown length, since the request is longer."""
    texts = _texts(_decoded(0x070000FF, "01020304" + "1122334455667788"))
    assert [("random_2", "04030201"), ("esam_serial_number", "8877665544332211")] == texts
    assert "length" == _refusal(0x070000FF, "00" * 13)


@pytest.mark.parametrize("keys", range(1, security.KEYS_MAX + 1))
def test_an_update_names_each_of_its_keys(keys: int) -> None:
    """Of four keys three would be shown as one blob, and not be hidden as keys."""
    values = _decoded(0x070301FF, ("01020304" + "5A" * 32) * keys + _MAC)
    names = [(f"{name}", f"number.{key}") for key in range(1, keys + 1) for name in _KEY]
    assert [*names, ("mac", "")] == [(value.item, value.period) for value in values]
    found = security.split(0x070301FF, "request", b"".join(value.raw for value in values))
    assert found is not None
    hidden = [one.field.name for one in found if one.field.name in security.SECRETS]
    assert [*(f"key_cipher_{key}" for key in range(1, keys + 1)), "mac"] == hidden


def test_what_is_hidden_in_a_frame_is_hidden_as_a_value() -> None:
    """A key would not stand in the log of a frame, but in that of its values."""
    fields = {
        field
        for row in dictionary().rows
        for direction in security.DIRECTIONS
        if row.access == "s"
        for layout in security.layouts(int(row.pattern, 16), direction)
        for field in layout
    }
    hidden = {field.item.partition("@")[0] for field in fields if field.name in security.SECRETS}
    assert security.SECRET_ITEMS == hidden


def test_more_keys_than_an_update_may_have_are_refused() -> None:
    """A length that no meter takes would be given names."""
    assert "length" == _refusal(0x070301FF, "00" * (36 * (security.KEYS_MAX + 1) + 4))


@pytest.mark.parametrize("octets", [1, 60])
def test_a_read_back_gives_what_stands_between_flag_and_mac(octets: int) -> None:
    """The wallet's own record could not be told from the seal behind it."""
    data = "00010200010001DF"
    values = _decoded(0x078001FF, data + "5A" * octets + _MAC)
    flag = [f"esam_read_{part}" for part in ("length", "start", "file", "directory")]
    assert [*flag, "esam_data", "mac"] == [value.item for value in values]
    assert octets == len(values[4].raw)
    assert flag == [value.item for value in _decoded(0x078001FF, data)]
    assert "length" == _refusal(0x078001FF, data + _MAC)


def test_minutes_that_are_no_digits_are_reported() -> None:
    """A broken lifetime would be shown as a number."""
    entry = dictionary().by_di(0x070001FF)
    assert entry is not None
    minutes, _ = entry.decode(bytes.fromhex("0A00" + _MAC))
    assert (None, "invalid-bcd") == (minutes.content, minutes.problem)


@pytest.mark.parametrize("contents", [[], [Decimal("1.005")] * 5, [Decimal(-1)] * 5, ["1"] * 5, [None] * 5])
def test_values_that_fit_no_payload_are_refused_without_saying_them(contents: list[Content]) -> None:
    """A key could get into an error text, or an amount be rounded."""
    entry = dictionary().by_di(0x070102FF)
    assert entry is not None
    with pytest.raises(LocalProtocolError) as refusal:
        entry.encode(contents)
    assert str(refusal.value) == "top_up: the value does not fit"


def test_limits_of_reactive_demand_have_reactive_units_and_names() -> None:
    """Kilovars over the limit would be shown as kilowatts, and six counters under one name."""
    record = "302015080926" + "002115080926" + "452301" + "3020080926"
    for kind, item, unit in ((1, "demand_over_limit", "kW"), (6, "reactive_demand_over_limit", "kvar")):
        entry = dictionary().by_di(0x03120001 | kind << 8)
        assert entry is not None
        demand = entry.decode(bytes.fromhex(record))[2]
        assert (item, "1.2345", unit) == (demand.item, demand.text, demand.unit)
    counts = dictionary().by_di(0x03120000)
    assert counts is not None
    assert 6 == len(set(counts.items))
