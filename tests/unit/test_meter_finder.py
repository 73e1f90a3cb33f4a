"""Which meter people mean: an id, a number, an address, and what to write when that is not clear."""

from __future__ import annotations

import pytest

from meterlink.config import Settings
from meterlink.daemon.meter_finder import COMPARED_MAX, NAMED_MAX, MeterFinder
from meterlink.errors import BadRequest, Unknown


def _finder(*meters: tuple[str, str, str, str]) -> MeterFinder:
    """Of (id, address, number, line)."""
    return MeterFinder(
        Settings.model_validate(
            {
                "gateway": {"id": "gw", "site": "s"},
                "lines": [{"name": f"l{n}", "url": f"tcp://127.0.0.1:{n}"} for n in range(1, 9)],
                "plans": [{"name": "p", "every_s": 60, "items": ["voltage.a"]}],
                "meters": [
                    {"id": id_, "address": address, "meter_number": number, "line": line}
                    for id_, address, number, line in meters
                ],
            }
        )
    )


def test_an_id_a_number_or_an_address_means_a_meter() -> None:
    """Whoever stands at a meter knows what its plate says, not what we call it."""
    finder = _finder(
        ("east-1", "000000000161", "000000004711", "l1"),
        ("east-2", "000000000162", "", "l2"),
        ("162", "000000000163", "", "l1"),
    )
    found = [finder.find(text) for text in ("east-1", "161", "4711", "000000000162", "162", "163")]
    assert ["east-1", "east-1", "east-1", "east-2", "162", "162"] == [meter.id for _, meter in found]
    assert ["l1", "l1", "l1", "l2", "l1", "l1"] == [line for line, _ in found]


def test_a_number_of_several_meters_is_refused() -> None:
    """The neighbour's meter would be read, and nobody would notice."""
    same_address = [(f"m{n}", "000000000001", "", f"l{n}") for n in range(1, 9)]
    with pytest.raises(BadRequest, match=r"of 8 meters: write the id: m1, m2, m3, m4, m5, \.\.\.$"):
        _finder(*same_address).find("1")
    crossed = _finder(("a", "000000000001", "000000000002", "l1"), ("b", "000000000002", "", "l1"))
    with pytest.raises(BadRequest, match=r"of 2 meters: write the id: a, b$"):
        crossed.find("2")
    assert "a" == crossed.find("1")[1].id


@pytest.mark.parametrize("text", ["", "m1x", "９", "000000000000000001", "-1"])
def test_what_is_no_meter_is_told(text: str) -> None:
    """A slip of the pen would be a riddle, or another meter."""
    with pytest.raises(Unknown, match="is in service here"):
        _finder(("m17", "000000000001", "", "l1")).find(text)


def test_near_ones_are_named_among_many() -> None:
    """A typing error in a town of meters would name none, or hold the daemon up for seconds."""
    count = 3 * COMPARED_MAX
    finder = _finder(*[(f"town-{n:05d}", f"{n:012d}", "", "l1") for n in range(count)])
    with pytest.raises(Unknown) as raised:
        finder.find("tovn-04711")
    assert "near it: town-04711" in str(raised.value)
    with pytest.raises(Unknown) as raised:
        finder.find("town-99999")
    assert NAMED_MAX == str(raised.value).count("town-") - 1
    with pytest.raises(Unknown) as raised:
        finder.find("zzzzzzzz")
    assert "near it" not in str(raised.value)
