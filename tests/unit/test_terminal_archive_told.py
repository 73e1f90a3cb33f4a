"""What an event tells of an archive that differs from the roster."""

from __future__ import annotations

from meterlink.drivers.terminal_archive import ADDRESSES_TOLD_MAX, told_of


def test_an_event_names_so_many_addresses_of_a_kind_and_no_empty_kind() -> None:
    """A terminal that was exchanged has two thousand strangers: each would stand in one event."""
    addresses = [f"{number:012d}" for number in range(ADDRESSES_TOLD_MAX + 1)]
    told = told_of({"missing": addresses, "strange": addresses[:-1], "doubled": []})
    assert {"missing", "strange"} == set(told)
    assert addresses[:-1] == told["missing"].split(", ") == told["strange"].split(", ")
