"""Which meters stood before a meter, as a roster with exchanges and retirements says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from meterlink.roster.lineage import PREDECESSORS_MAX, predecessors
from tests.support.rosters import NOW, by_id, meter

_CUSTOMER = "000012345678"
_DAY = timedelta(days=1)


def _gone(number: int, days: int = 1, **keys: Any) -> Any:
    return meter(number, in_service_until=NOW - days * _DAY, **keys)


def _before(*meters: Any) -> dict[str, tuple[str, ...]]:
    return predecessors(by_id(meters), NOW)


def test_what_was_replaced_stands_before_its_successor() -> None:
    """After the second exchange nobody would know any more whom the first meter's records protect."""
    assert {"m3": ("m1", "m2"), "m2": ("m1",)} == _before(
        _gone(1), _gone(2, replaces="m1"), meter(3, replaces="m2")
    )
    assert {} == _before(meter(1), meter(2)), "nobody stood there"
    assert {} == _before(meter(3, replaces="m9")), "a meter that the roster does not know"


def test_a_ring_of_exchanges_ends() -> None:
    """A roster that was typed wrong would hang the daemon."""
    assert {"m1": ("m2",), "m2": ("m1",)} == _before(_gone(1, replaces="m2"), meter(2, replaces="m1"))


def test_a_meter_of_the_customer_that_went_without_exchange_stands_before_what_he_has() -> None:
    """Whoever gives a customer another id in a table would make everybody forget who is protected."""
    told: dict[str, Any] = {"customer_number": _CUSTOMER}
    assert {"m2": ("m1",)} == _before(_gone(1, **told), meter(2, **told))
    assert {} == _before(_gone(1, **told), meter(2, customer_number="000087654321")), "another customer"
    assert {} == _before(_gone(1), meter(2)), "of nobody that we know"
    assert {} == _before(meter(1, **told), meter(2, **told)), "both are there"
    successor = meter(3, replaces="m1", **told)
    assert {"m3": ("m1",)} == _before(_gone(1, **told), meter(2, **told), successor), "it has a successor"


def test_so_many_are_looked_at_and_no_more() -> None:
    """The rules of one order would read the log of everything that a landlord ever had."""
    told: dict[str, Any] = {"customer_number": _CUSTOMER}
    old = [_gone(number, number + 1, **told) for number in range(1, PREDECESSORS_MAX + 2)]
    exchanged = _gone(900, 900, **told), meter(901, replaces="m900", **told)
    found = _before(*old, *exchanged)["m901"]
    assert PREDECESSORS_MAX == len(found)
    assert ("m1", "m900") == found[-2:], "its own place, and who went last"
    assert not {"m100", "m101"} & set(found)
