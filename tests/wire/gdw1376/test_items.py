"""Which items of the catalogue the values of concentrators are."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from meterwire.gdw1376.formats.times import Moment
from meterwire.gdw1376.functions.items import interval, item_values
from meterwire.gdw1376.messages.terminal import decode
from tests.support.vectors import octets, vectors

_VECTORS = {vector["id"]: octets(vector) for vector in vectors("gdw1376.jsonl")}


def _items(name: str) -> list[tuple[str, object, int]]:
    (unit,) = decode(_VECTORS[name]).units
    assert unit.function is not None
    found = item_values(unit.function, unit.values)
    return [(one.item, one.content, one.interval) for one in found]


def test_a_daily_freeze_brings_total_and_tariffs() -> None:
    """The peak energy of a customer would be billed as the valley's."""
    expected = ["1234.5600", "2.1000", "612.2000", "610.1000", "9.1600"]
    names = ["", ".t1", ".t2", ".t3", ".t4"]
    items = [f"forward_active_energy{name}" for name in names]
    assert [(one, Decimal(value), 0) for one, value in zip(items, expected, strict=True)] == _items("g1-053")


def test_values_of_the_moment_bring_phases_and_the_neutral() -> None:
    """A voltage of phase A would be kept for phase B."""
    found = {item: content for item, content, _ in _items("g1-024")}
    assert Decimal("1.1173") == found["active_power"]
    assert Decimal("0.3724") == found["active_power.c"]
    assert Decimal("0.999") == found["power_factor"]
    assert [Decimal("219.0"), Decimal("220.0")] == [found["voltage.a"], found["voltage.b"]]
    assert "neutral_current" in found
    assert found["apparent_power"] is None


def test_a_demand_brings_its_time() -> None:
    """A maximum demand without its time cannot be billed."""
    found = {item: content for item, content, _ in _items("g1-097")}
    assert Decimal("12.3456") == found["forward_active_max_demand"]
    assert Moment(month=8, day=3, hour=18, minute=30) == found["forward_active_max_demand_at"]
    assert Decimal("1.2500") == found["combined_reactive_max_demand_1.t1"]


def test_a_curve_brings_one_value_an_interval() -> None:
    """The load of one hour would be kept for another."""
    expected = [Decimal("1.2345"), Decimal("-0.5000"), None, Decimal("12.0000")]
    assert [("active_power", value, number) for number, value in enumerate(expected)] == _items("g1-099")


@pytest.mark.parametrize(("density", "minutes"), [(1, 15), (2, 30), (3, 60), (254, 5), (255, 1)])
def test_a_density_says_how_far_points_are_apart(density: int, minutes: int) -> None:
    """A curve of 15 minutes would be stretched over four days."""
    assert timedelta(minutes=minutes) == interval(density)


def test_a_density_that_means_nothing_is_none() -> None:
    """A curve without data would get slots."""
    assert [interval(0), interval(7)] == [None, None]
