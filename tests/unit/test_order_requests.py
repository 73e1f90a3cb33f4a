"""The requests of the control socket: what the documentation names, and arguments that are wrong."""

from __future__ import annotations

import math
import re
from typing import Any

import pytest
from docs.generate import DOCS

from meterlink.daemon.brake_requests import BrakeRequests
from meterlink.daemon.case_requests import CaseRequests
from meterlink.daemon.evidence_requests import EvidenceRequests
from meterlink.daemon.order_requests import OrderRequests, number, order_in, text
from meterlink.errors import BadRequest
from meterlink.model.order import AMOUNT_MAX_CENTS, NAME_MAX, NOT_ORDERED, OrderKind

_ANY: Any = None
_TABLES = [
    OrderRequests(_ANY, _ANY, _ANY).table,
    CaseRequests(_ANY).table,
    EvidenceRequests(_ANY, _ANY, _ANY, protecting=_ANY, held=_ANY, people=_ANY).table,
    BrakeRequests(_ANY, _ANY, _ANY, _ANY, _ANY, _ANY, _ANY).table,
]
_ORDER = {
    "id": "o-1",
    "kind": "trip",
    "meter": "m1",
    "reason": "why",
    "deadline_at": "2026-11-24T12:00:00Z",
    "payment": "",
    "case": "",
    "reference": "",
}


def test_every_request_stands_in_the_documentation() -> None:
    """A program could not find out what it may ask, or would ask for what is not there."""
    page = (DOCS / "control-socket.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:order|case|evidence|control)\.[a-z_]+)`", page)) - {"control.sock"}
    assert {name for table in _TABLES for name in table} == named


@pytest.mark.parametrize("beginning", ["pay-close-", "pay-top-up-", "case-", "probe-"])
def test_nobody_takes_an_id_that_is_the_daemons_own(beginning: str) -> None:
    """Whoever took it before would keep the reconnection of a customer who has paid from being made."""
    with pytest.raises(BadRequest, match="daemon's own"):
        order_in({"order": {**_ORDER, "id": f"{beginning}0123456789abcdef01234567"}})


def test_an_order_is_taken_as_it_is() -> None:
    """A right order would be refused, or changed."""
    order = order_in({"order": _ORDER})
    assert ("o-1", "person", None) == (order.id, order.origin.value, order.amount_cents)


@pytest.mark.parametrize(
    "change",
    [
        {"id": ""},
        {"id": "a b"},
        {"id": "x" * 65},
        {"kind": "explode"},
        {"reason": ""},
        {"reason": "x" * 501},
        {"deadline_at": "2026-11-24T12:00:00"},
        {"deadline_at": "soon"},
        {"deadline_at": 7},
        {"amount_cents": 1},
        {"kind": "top_up"},
        {"kind": "top_up", "amount_cents": 0},
        {"kind": "top_up", "amount_cents": AMOUNT_MAX_CENTS + 1},
        {"kind": "top_up", "amount_cents": 10**400},
        {"kind": "top_up", "amount_cents": 1.5},
        {"kind": "top_up", "amount_cents": math.nan},
        {"kind": "top_up", "amount_cents": True},
        {"kind": "top_up", "amount_cents": "100"},
        {"kind": ["trip"]},
        {"reason": 7},
        {"meter": ["m1"]},
        {"meter": "m" * (NAME_MAX + 1)},
        {"payment": None},
        {"case": {"id": "c1"}},
        {"reference": 10**400},
        {"reference": "x" * (NAME_MAX + 1)},
        {"deadline_at": "9999-12-31T23:59:59-08:00"},
        {"deadline_at": "0001-01-01T00:00:00+08:00"},
        {"origin": "payment"},
        {"origin": "nobody"},
        {"more": 1},
    ],
)
def test_what_is_no_order_is_refused_in_words(change: dict[str, Any]) -> None:
    """A malformed order would end in an error of the program, or in an order."""
    with pytest.raises(BadRequest):
        order_in({"order": {**_ORDER, **change}})


def test_an_order_at_every_limit() -> None:
    """A right order would be refused."""
    name = "x" * NAME_MAX
    names = {"meter": name, "payment": name, "case": name, "reference": name}
    order = order_in({"order": {**_ORDER, **names, "kind": "top_up", "amount_cents": AMOUNT_MAX_CENTS}})
    assert (AMOUNT_MAX_CENTS, name, name) == (order.amount_cents, order.meter, order.reference)


@pytest.mark.parametrize("given", [None, [], "x", {}, {"id": "o-1"}])
def test_what_is_no_table_is_refused(given: object) -> None:
    """The same."""
    with pytest.raises(BadRequest):
        order_in({"order": given})


@pytest.mark.parametrize("value", [None, 1, "x" * 4_097])
def test_text_is_text(value: object) -> None:
    """An argument of another kind would go on into the log."""
    with pytest.raises(BadRequest):
        text({"key": value}, "key")


@pytest.mark.parametrize("value", [None, "1", True, -1, 61, 1.5])
def test_a_number_is_a_number(value: object) -> None:
    """A caller could wait for ever, or by a truth value."""
    with pytest.raises(BadRequest):
        number({"key": value}, "key", 0, 60)


_NEVER_ORDERED = (
    "initialise_wallet",
    "open_account",
    "refund",
    "trip_auto_direct_close",
    "trip_auto_permit_close",
    "update_keys",
)


@pytest.mark.parametrize("kind", _NEVER_ORDERED)
def test_what_meters_know_and_nobody_orders_here_is_refused_by_its_name(kind: str) -> None:
    """Who asks for a trip that closes by itself would read of eight other words, and not why."""
    with pytest.raises(BadRequest, match=f"{kind} is not ordered by this program: ") as refused:
        order_in({"order": {**_ORDER, "kind": kind}})
    assert NOT_ORDERED[kind] in str(refused.value)


def test_no_kind_of_order_takes_money_out_or_commissions() -> None:
    """A refund or an erased wallet would need rules of its own, and none is written (TOP-09, TOP-10)."""
    switches = {"trip", "permit_close", "direct_close", "guarantee_on", "guarantee_off"}
    assert {*switches, "alarm_on", "alarm_off", "top_up"} == {kind.value for kind in OrderKind}
    assert {*_NEVER_ORDERED} == {*NOT_ORDERED}
