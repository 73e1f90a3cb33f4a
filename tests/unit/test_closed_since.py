"""Since when somebody has current whom another hand has closed, and what counts as current."""

from __future__ import annotations

import dataclasses
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from meterlink.drivers.control import SwitchRecord
from meterlink.model.act import Act, Topic
from meterlink.orders.life.closed_since import closed_since, told_since
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.paid.looking_in import shows_supply
from tests.support.orders import NOON, standing

MINUTE = timedelta(minutes=1)


def _act(recorded: datetime | None, open_at: datetime | None = None) -> Act:
    """What a look at noon writes."""
    seen = standing(closes=SwitchRecord(count=4, occurred_at=recorded))
    body = told_since(seen, NOON, open_at=open_at)
    return Act(
        topic=Topic.SUPPLY, subject="m", step=1, verb="seen_closed", at=NOON, actor="meterlink", body=body
    )


def test_the_record_of_the_meter_says_since_when() -> None:
    """Who looks late would make a closing late that came in time."""
    assert NOON - MINUTE == closed_since(_act(NOON - MINUTE), NOON - 9 * MINUTE)


@pytest.mark.parametrize(
    ("recorded", "open_at"),
    [
        (None, None),
        (NOON + MINUTE, None),  # a clock that is ahead
        (NOON - 10 * MINUTE, None),  # from before the wait
        (NOON - 9 * MINUTE, None),
        (NOON - 5 * MINUTE, NOON - 2 * MINUTE),  # it was seen open since
    ],
)
def test_without_a_record_of_this_wait_the_look_counts(
    recorded: datetime | None, open_at: datetime | None
) -> None:
    """An earlier closing, or a clock that is wrong, would make punctual what came late (CTRL-16)."""
    assert NOON == closed_since(_act(recorded, open_at), NOON - 9 * MINUTE)


def test_any_other_proof_counts_when_it_came() -> None:
    """The count of those who were in time would change for orders that end as ever."""
    act = dataclasses.replace(_act(None), body={})
    assert NOON == closed_since(act, NOON - 9 * MINUTE)


@pytest.mark.parametrize(
    ("shown", "is_supply"),
    [
        ({}, True),
        ({"currents_a": (Decimal(0),), "power_w": Decimal(0)}, True),
        ({"voltages_v": (Decimal(0),)}, False),
        ({"voltages_v": None, "currents_a": None, "power_w": None}, False),
        ({"contact_open": True}, False),
        ({"contact_open": None}, False),
        ({"command_open": True}, False),
        ({"command_open": None}, False),
    ],
)
def test_supply_is_command_and_contact_closed_with_voltage(shown: dict[str, Any], is_supply: bool) -> None:
    """Somebody would be told to have current who sits in the dark (CTRL-19)."""
    seen = dataclasses.replace(standing(contact_open=False, command_open=False), **shown)
    assert is_supply is shows_supply(seen, SwitchFacts())
