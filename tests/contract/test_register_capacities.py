"""Where registers begin again at 0, held against what their fields on the wire can say."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest

from meterlink.drivers.registers import DISPLAYED, WIDTH_698, capacities
from meterlink.model.protocols import MeterProtocol
from meterwire import catalogue, dlt645
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt698.axdr.data import data_from_octets
from meterwire.dlt698.objects.dictionary import dictionary

_STEP: Final = Decimal("0.01")
_PROTOCOLS: Final[tuple[MeterProtocol, ...]] = ("dlt645-2007", "dlt645-1997", "dlt698.45")


def _counters() -> list[str]:
    return [name for name in catalogue.quantities() if capacities("dlt645-2007", name)]


def test_the_registers_of_bills_are_among_them() -> None:
    """A register that nobody watches may go back unseen; one with a sign goes back every day."""
    found = _counters()
    assert {"forward_active_energy", "reverse_active_energy", "reactive_energy_q1"} <= set(found)
    for name in ("combined_active_energy", "combined_reactive_energy_1", "remaining_energy", "voltage"):
        assert () == capacities("dlt645-2007", name)
    assert all(capacities(protocol, name) for protocol in _PROTOCOLS for name in found)


@pytest.mark.parametrize("edition", ["dlt645-2007", "dlt645-1997"])
def test_a_field_of_645_ends_where_its_register_does(edition: Edition) -> None:
    """A field of other digits would roll over elsewhere, and each of its roll-overs be a step back."""
    entries = [found for name in _counters() if (found := dlt645.dictionary(edition).by_name(name))]
    assert 5 <= len(entries)
    for entry in entries:
        (full,) = entry.decode(b"\x99" * entry.octets)
        assert (DISPLAYED,) == capacities(edition, entry.item)
        assert full.value is not None
        assert DISPLAYED == full.value + _STEP


def test_a_field_of_698_is_wider_than_the_display() -> None:
    """The other place where such a register may begin again."""
    oad = dictionary().by_name("forward_active_energy")
    assert oad is not None
    entry = dictionary().entry(oad)
    assert entry is not None
    (full, *_) = entry.decode(data_from_octets(bytes.fromhex("010106FFFFFFFF")))
    assert full.value is not None
    assert (DISPLAYED, full.value + _STEP) == capacities("dlt698.45", full.item)
    assert WIDTH_698 == full.value + _STEP
