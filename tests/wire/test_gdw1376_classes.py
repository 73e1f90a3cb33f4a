"""Which functions of 1376.1 hold an item: the table that a head-end asks by."""

from __future__ import annotations

import pytest

from meterwire.catalogue import quantities
from meterwire.gdw1376.functions.classes import NOW, choices, class_functions, holders
from meterwire.gdw1376.functions.tables import lines

CLASSES = [NOW, "daily_freeze", "monthly_freeze", "curve"]


@pytest.mark.parametrize("name", CLASSES)
def test_every_function_of_a_class_is_known_and_of_its_time_mark(name: str) -> None:
    """A row without a function is asked for by nobody; one of another mark would be asked for in vain."""
    marks = {NOW: "", "daily_freeze": "day", "monthly_freeze": "month", "curve": "curve"}
    wanted = sum(
        int(row["last"]) - int(row["first"]) + 1 for row in lines("classes.csv") if row["class"] == name
    )
    found = class_functions(name)
    assert wanted == len(found)
    assert {marks[name]} == {one.mark for one in found}
    assert set(holders(name)) <= set(quantities())


@pytest.mark.parametrize(
    ("name", "item", "expected"),
    [
        (NOW, "forward_active_energy.*", [[129, 33]]),
        (NOW, "voltage.a", [[25]]),
        (NOW, "voltage.*", [[25]]),
        (NOW, "voltage", []),
        (NOW, "neutral_current", [[25]]),
        (NOW, "active_power", [[25]]),
        (NOW, "meter_clock", []),
        ("daily_freeze", "forward_active_energy", [[161, 1]]),
        ("daily_freeze", "forward_active_energy.t4", [[161, 1]]),
        ("daily_freeze", "forward_active_energy.*", [[161, 1]]),
        ("daily_freeze", "forward_active_energy.a", [[153]]),
        ("daily_freeze", "reactive_energy_q4", [[168, 1]]),
        ("daily_freeze", "voltage.a", []),
        ("monthly_freeze", "reverse_active_energy", [[179, 18]]),
        ("curve", "voltage.*", [[89], [90], [91]]),
        ("curve", "voltage.b", [[90]]),
        ("curve", "active_power", [[81]]),
        ("curve", "neutral_current", [[95]]),
        ("curve", "nothing_of_the_kind", []),
    ],
)
def test_what_is_asked_for_an_item(name: str, item: str, expected: list[list[int]]) -> None:
    """Phases would be asked for tariffs, half of a block, or the block where the quantity alone would do."""
    assert expected == [[one.fn for one in among] for among in choices(name, item)]
