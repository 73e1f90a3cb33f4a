"""Dialects and layout switches: overlays that state differences only, and what each of them changes."""

from __future__ import annotations

import itertools
import re
from decimal import Decimal

import pytest
from docs.generate_dlt645 import disputed_facts

from meterwire.dlt645 import Entry, dictionary
from meterwire.dlt645.items.bit_words import bit_words, bits_set
from meterwire.dlt645.items.dialects import Choices, choices, dialect, dialects, switches, table
from meterwire.dlt645.items.dictionary import from_table
from meterwire.dlt645.items.overlays import ABSENT, overlaid, signed
from meterwire.dlt645.items.shapes import Fields
from meterwire.dlt645.items.tables import Line, lines
from meterwire.dlt645.messages.control import CIPHER_LEVELS, MAC_LEVELS
from meterwire.errors import LocalProtocolError, RemoteProtocolError

_2007 = "dlt645-2007"


def _turned(**values: str) -> Choices:
    return choices(_2007, values)


def _entry(item: str, layout: Choices = (), dialect_name: str = "") -> Entry:
    entry = dictionary(_2007, dialect_name, layout).by_name(item)
    assert entry is not None, item
    return entry


# --- overlays --------------------------------------------------------------------------------


def _line(di: str, name: str = "voltage.a", format_: str = "3.1") -> Line:
    return {"di": di, "name": name, "format": format_, "access": "r", "sample": "1622", "clause": "5.3"}


_TABLE = [
    _line("02010100"),
    _line("02010200", "voltage.b"),
    _line("05070000", "frozen_at@step_switch_freeze"),
]


def test_an_overlay_states_differences() -> None:
    """A dialect would have to repeat its base, and the two would drift apart."""
    overlay: list[Line] = [
        {"di": "02010100", "becomes": "02010000"},
        {"di": "02010200", "format": ABSENT},
        {"di": "0507*", "name": "@monthly_freeze"},
        _line("02010300", "voltage.c"),
    ]
    assert [
        _line("02010000"),
        _line("05070000", "frozen_at@monthly_freeze"),
        _line("02010300", "voltage.c"),
    ] == overlaid(_TABLE, overlay, "x.csv")


@pytest.mark.parametrize(
    ("overlay", "said"),
    [
        ([_line("02010100")], "x.csv: repeats name, format, access, sample, clause of 02010100"),
        ([{"di": "02010100", "format": "3.1"}], "repeats format of 02010100"),
        ([{"di": "02010100"}], "repeats 02010100; state what is different only"),
        (
            [{"di": "0201*", "format": "2.1"}, {"di": "02010100", "name": "current.a"}],
            "two lines change 02010100",
        ),
        ([{"di": "02010100", "becomes": "02010200"}], "two lines have the identifier 02010200"),
        ([{"di": "02010400", "name": "voltage.a"}], "has no 02010400; a new line needs format, access"),
        ([_line("0203*")], "has no 0203*"),
        ([_line("02010300"), _line("02010300")], "two lines have the identifier 02010300"),
    ],
)
def test_an_overlay_that_does_not_fit_is_refused(overlay: list[Line], said: str) -> None:
    """A row nobody reads would stand in a file, or two rows would claim one identifier."""
    with pytest.raises(LocalProtocolError) as caught:
        overlaid(_TABLE, overlay, "x.csv")
    assert said in str(caught.value)


def test_two_families_of_an_overlay_and_its_base_do_not_overlap() -> None:
    """Which of two rows answers would depend on their order."""
    base = [line for line in table(_2007, "standard") if line["di"] == "0201{phase}00"]
    both = overlaid(base, [_line("02010100")], "x.csv")
    assert ["0201{phase}00", "02010100"] == [line["di"] for line in both]
    with pytest.raises(LocalProtocolError, match=r"rows 0201\{phase\}00 and 02010100 overlap"):
        from_table(both, 8)


def test_signs_are_added_where_a_quantity_has_none() -> None:
    """A load that feeds back would be read as a huge one."""
    demand = _line("01010000", "forward_active_max_demand|forward_active_max_demand_at", "2.4|YYMMDDhhmm")
    rows = [_line("B630", "active_power", "2.4/2.2"), demand, _line("0201", "active_power", "record:x")]
    wanted = frozenset({"active_power", "forward_active_max_demand"})
    assert ["s2.4/s2.2", "s2.4|YYMMDDhhmm", "record:x"] == [line["format"] for line in signed(rows, wanted)]


# --- dialects --------------------------------------------------------------------------------


def test_each_edition_has_one_default_dialect() -> None:
    """A meter of which nobody said anything would be read in no dialect or in two."""
    for edition in (_2007, "dlt645-1997"):
        assert 1 == sum(one.default for one in dialects() if one.edition == edition)
    assert dialect(_2007).name == "state_grid"
    assert dictionary(_2007) is not dictionary(_2007, "standard")


def test_the_standard_has_the_rows_without_the_supplements() -> None:
    """A daily freeze would be asked of a meter that was made before the supplements."""
    supplemented = {row.pattern for row in dictionary().rows}
    standard = {row.pattern for row in dictionary(_2007, "standard").rows}
    assert standard < supplemented
    assert not [row.clause for row in dictionary(_2007, "standard").rows if row.clause.endswith("EXT")]
    added = [line for line in lines("state_grid.csv") if line["clause"]]
    assert all(line["clause"].endswith("EXT") for line in added)
    assert dictionary(_2007, "standard").by_name("frozen_at@daily_freeze/last.1") is None
    assert dictionary().by_name("frozen_at@daily_freeze/last.1") is not None


def test_the_supplements_name_bits_that_the_standard_keeps_in_reserve() -> None:
    """A reserved bit of an old meter would be told as a trip."""

    def bits(dialect_name: str, item: str) -> list[tuple[str, ...]]:
        shape = _entry(item, dialect_name=dialect_name).shapes[0]
        assert isinstance(shape, Fields)
        words = [getattr(format_, "word", "") for format_ in shape.head.layout]
        return [tuple(bit.name for bit in bits_set(word, b"\xff\xff")) for word in words]

    assert "relay_open" == bits("standard", "meter_status_word_3")[0][-1]
    assert "guarantee" in bits("state_grid", "meter_status_word_3")[0]
    whole = bits("standard", "meter_status_words")
    assert [len(names) for names in whole] == [5, 6, 5, 9, 9, 9, 7]
    assert [len(names) for names in bits("state_grid", "meter_status_words")] == [12, 6, 16, 9, 9, 9, 11]
    assert {"meter_status_word_1_2007", "meter_status_word_3_2007", "meter_status_word_7_2007"} == {
        word for word in bit_words() if word.startswith("meter_") and word.endswith("_2007")
    }


def test_what_is_known_of_the_southern_grid_is_its_levels() -> None:
    """An enciphered command to a meter of the Southern Grid would be refused, or printed in plain."""
    south, state = dialect(_2007, "southern_grid"), dialect(_2007)
    assert (0x96, 0x97) == (south.cipher_level, south.mac_level)
    assert (0x98, 0x99) == (state.cipher_level, state.mac_level)
    assert (frozenset({0x96, 0x98}), frozenset({0x97, 0x99})) == (CIPHER_LEVELS, MAC_LEVELS)
    assert table(_2007, "standard") == table(_2007, "southern_grid")


def test_1997_shares_no_identifier_with_2007() -> None:
    """It could then be an overlay, and should be."""
    old, new = ({line["di"] for line in table(edition)} for edition in ("dlt645-1997", _2007))
    assert not old & new
    assert not switches("dlt645-1997")


@pytest.mark.parametrize(
    ("protocol", "name", "wanted", "said"),
    [
        ("dlt645-2008", "", {}, "no dictionary for 'dlt645-2008'; there is dlt645-2007, dlt645-1997"),
        (_2007, "fujian", {}, "has no dialect 'fujian'; there is standard, state_grid, southern_grid"),
        (_2007, "", {"x": "y"}, "has no switch 'x'; there is variable_numbering"),
        (_2007, "", {"harmonics": "volts"}, "harmonics is one of percent, absolute, not 'volts'"),
        ("dlt645-1997", "", {"harmonics": "percent"}, "has no switch 'harmonics'; there is none"),
        (_2007, "standard", {"freeze_07": "monthly"}, "freeze_07 = monthly: the table below has no 0507*"),
    ],
)
def test_what_nobody_knows_is_refused(protocol: str, name: str, wanted: dict[str, str], said: str) -> None:
    """A typing error would read with the usual layout in silence."""
    with pytest.raises(LocalProtocolError) as caught:
        dictionary(protocol, name, tuple(wanted.items()))
    assert said in str(caught.value)


# --- switches --------------------------------------------------------------------------------


def test_one_dictionary_for_each_way_to_mean_it() -> None:
    """The same tables would be built again for each meter."""
    assert dictionary() is dictionary(_2007) is dictionary(_2007, "state_grid")
    assert dictionary() is dictionary(_2007, "", (("harmonics", "percent"),))
    assert () == _turned(harmonics="percent", freeze_07="step_switch")
    one, other = (
        _turned(harmonics="absolute", freeze_07="monthly"),
        _turned(freeze_07="monthly", harmonics="absolute"),
    )
    assert dictionary(_2007, "", one) is dictionary(_2007, "", other)


@pytest.mark.parametrize(
    ("switch", "item", "usual", "turned"),
    [
        ("variable_numbering", "neutral_current", 0x02800001, 0x02800000),
        ("variable_numbering", "frequency", 0x02800002, 0x02800001),
        ("variable_numbering", "battery_working_time", 0x0280000A, 0x02800009),
        ("variable_numbering", "step_price", 0x0280000B, 0x0280000B),
        ("relay_records", "relay_trip_record@items/last.1", 0x1D00FF01, 0x1D01FF01),
        ("relay_records", "event_at@relay_close_record/items/last.3", 0x1E000103, 0x1E010103),
        ("relay_records", "relay_trip_count@item", 0x1D000001, 0x1D000001),
    ],
)
def test_a_switch_changes_what_is_asked(switch: str, item: str, usual: int, turned: int) -> None:
    """A meter that numbers otherwise would be asked for its neighbour."""
    value = switches(_2007)[switch].values[-1].name
    assert (usual, turned) == (_entry(item).di, _entry(item, _turned(**{switch: value})).di)


@pytest.mark.parametrize(
    ("switch", "di", "data", "usual", "turned"),
    [
        ("variable_numbering", 0x02800002, "0250", "frequency 50.02 Hz", None),
        ("variable_numbering", 0x02800001, "0250", None, "frequency 50.02 Hz"),
        (
            "harmonics",
            0x020A0103,
            "1203",
            "voltage_harmonic.a.h3 3.12 %",
            "voltage_harmonic_value.a.h3 3.12 V",
        ),
        (
            "harmonics",
            0x020B0205,
            "1200",
            "current_harmonic.b.h5 0.12 %",
            "current_harmonic_value.b.h5 0.12 A",
        ),
        (
            "freeze_07",
            0x05070002,
            "0000010926",
            "frozen_at@step_switch_freeze/last.2 2026-09-01 00:00",
            "frozen_at@monthly_freeze/last.2 2026-09-01 00:00",
        ),
    ],
)
def test_a_switch_changes_what_is_read(
    switch: str, di: int, data: str, usual: str | None, turned: str | None
) -> None:
    """The same octets would be taken for another quantity."""
    layout = _turned(**{switch: switches(_2007)[switch].values[-1].name})
    for expected, known in ((usual, dictionary()), (turned, dictionary(layout=layout))):
        entry = known.by_di(di)
        assert entry is not None
        if expected is None:
            with pytest.raises(RemoteProtocolError):
                entry.decode(bytes.fromhex(data))
            continue
        (value,) = entry.decode(bytes.fromhex(data))
        name = f"{value.item}@{value.period}" if value.period else value.item
        assert expected == f"{name} {value.text} {value.unit}".rstrip()


@pytest.mark.parametrize(
    ("switch", "item", "content", "usual", "turned"),
    [
        ("demand_period", "demand_period", Decimal(15), "15", "1500"),
        ("demand_period", "slide_time", Decimal(5), "05", "0500"),
        ("holiday_count", "holiday_count", Decimal(12), "1200", "12"),
        ("active_accuracy", "active_accuracy", "0.5S", "53352E30", "000053352E30"),
        ("report_mode_word", "report_mode_word", "FEDC", None, None),
    ],
)
def test_a_switch_changes_what_is_written_and_both_are_read(
    switch: str, item: str, content: Decimal | str, usual: str | None, turned: str | None
) -> None:
    """A meter would refuse a parameter of the other length."""
    layout = _turned(**{switch: switches(_2007)[switch].values[-1].name})
    written = []
    for entry in (_entry(item), _entry(item, layout)):
        own = content if usual else str(content).zfill(2 * entry.octets)
        octets = entry.encode([own])
        written.append(octets)
    if usual and turned:
        assert [usual, turned] == [octets.hex().upper() for octets in written]
    assert len(written[0]) != len(written[1])
    for entry, octets in itertools.product((_entry(item), _entry(item, layout)), written):
        (value,) = entry.decode(octets)
        assert value.problem is None
        assert value.content is not None


@pytest.mark.parametrize("screen", ["scroll_screen@number.1", "key_screen@number.254"])
def test_screens_are_written_in_the_length_of_the_meter(screen: str) -> None:
    """A sub-number would be written to a meter that knows none."""
    turned = _entry(screen, _turned(screen_items="four_octets"))
    assert (5, 4) == (_entry(screen).octets, turned.octets)
    assert bytes.fromhex("0100010000") == _entry(screen).encode(["0000010001"])
    assert bytes.fromhex("00000100") == turned.encode(["00010000"])


def test_every_switch_stands_in_a_test_and_says_why() -> None:
    """A switch without a reason or a test would be a rumour."""
    tested = {"variable_numbering", "harmonics", "freeze_07", "relay_records", "screen_items"}
    tested |= {"demand_period", "holiday_count", "active_accuracy", "report_mode_word"}
    assert tested | {"load_follow_up"} == set(switches(_2007)), "the last stands in test_session"
    for switch in switches(_2007).values():
        assert len(switch.values) >= 2
        assert all(value.en and value.why for value in switch.values)
    with_rows = {(line["switch"], line["value"]) for line in lines("switch_rows.csv")}
    assert with_rows == {
        (switch.name, value.name)
        for switch in switches(_2007).values()
        for value in switch.values[1:]
        if switch.name != "load_follow_up"
    }


def test_all_switches_can_be_turned_at_once() -> None:
    """Two overlays would change the same row, and their order would decide."""
    values = {name: switch.values[-1].name for name, switch in switches(_2007).items()}
    assert len(dictionary().rows) == len(dictionary(layout=choices(_2007, values)).rows)


def test_a_block_of_registers_stays_fast_in_every_layout() -> None:
    """Turning a switch would make every read of a plant slow."""
    for layout in ((), _turned(harmonics="absolute", variable_numbering="from_00")):
        (shape,) = _entry("forward_active_energy.*", layout).shapes
        assert isinstance(shape, Fields)
        assert shape._row is not None, "the fast path is there"


def test_each_switch_stands_once_in_the_table_of_disputed_facts() -> None:
    """Nobody would find out that a model can be told apart, or by what name."""
    said = " ".join(fact["decided"] for fact in disputed_facts())
    assert sorted(switches(_2007)) == sorted(re.findall(r"switch (\w+)", said))
