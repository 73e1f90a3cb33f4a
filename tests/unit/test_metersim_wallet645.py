"""The wallet of a simulated meter of DL/T 645, as a head-end sees it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from metersim.works.cost_control import LOCAL
from metersim.works.switch import State
from meterwire.dlt645.messages.control import SecurityReply
from tests.support.ordered645 import (
    ADDRESS,
    CUSTOMER,
    DAY,
    MINUTE,
    NUMBER,
    T0,
    a_head_end,
    a_shopkeeper,
    bits,
    state_of,
    word_3,
)


def test_an_account_is_opened_and_topped_up() -> None:
    """The way of money in the field could not be rehearsed."""
    here = a_head_end(LOCAL)
    here.meter.works.advance(T0)
    assert State.OPEN is state_of(here)  # there is no money in it yet
    here.authenticate()
    assert isinstance(here.initialise(0), SecurityReply)
    opened = here.buy(5_000, 1, customer=CUSTOMER, opens=True)
    assert SecurityReply(address=ADDRESS, di=0x070101FF) == opened
    assert isinstance(here.buy(10_000, 2, customer=CUSTOMER), SecurityReply)
    assert [Decimal("150.00")] == here.read("remaining_balance")
    assert [Decimal("0.00")] == here.read("overdraft_balance")
    assert State.WAITS_FOR_KEY is state_of(here)
    assert "A210" == word_3(here)
    assert [CUSTOMER] == here.read("customer_number")
    memory = here.meter.works.memory
    assert {"trip": 1, "initialise": 1, "open_account": 1, "permit_close": 1, "top_up": 1} == memory.counts()
    assert {"amount_cents": "10000", "purchase_count": "2"} == dict(memory.controls[-1].details)


def test_a_top_up_after_a_lost_answer_is_not_credited_twice() -> None:
    """A customer would have the money twice, or a head-end would take `repeated` for a failure."""
    here = a_shopkeeper()
    assert isinstance(here.buy(10_000, 2, customer=CUSTOMER), SecurityReply)
    assert ["repeat_topup"] == bits(here.buy(10_000, 2, customer=CUSTOMER))
    here.authenticate()
    assert ["repeat_topup"] == bits(here.buy(10_000, 2, customer=CUSTOMER))
    assert [Decimal("200.00")] == here.read("remaining_balance")
    assert 1 == here.meter.works.memory.count("top_up")


@pytest.mark.parametrize(
    ("cents", "count", "customer", "spoil", "bit"),
    [
        (100, 2, "000000000001", "", "customer_number_mismatch"),
        (100, 2, CUSTOMER, "mac2", "esam_verification_failed"),
        (100, 1, CUSTOMER, "mac1", "repeat_topup"),
        (100, 3, CUSTOMER, "mac1", "purchase_count_error"),
        (99_999_999, 2, CUSTOMER, "mac1", "hoarding_limit_exceeded"),
        (100, 2, CUSTOMER, "mac1", "esam_verification_failed"),
        (0, 2, CUSTOMER, "", "other"),
    ],
)
def test_refusals_of_money(cents: int, count: int, customer: str, spoil: str, bit: str) -> None:
    """A head-end would be told another reason, or the wallet would be touched."""
    here = a_shopkeeper()
    assert [bit] == bits(here.buy(cents, count, customer=customer, spoil=spoil))
    assert [Decimal("100.00")] == here.read("remaining_balance")
    assert 0 == here.meter.works.memory.count("top_up")


def test_money_needs_an_authentication() -> None:
    """A replayed frame would pay."""
    here = a_shopkeeper()
    here.now += 5 * MINUTE
    assert ["identity_auth_failed"] == bits(here.buy(100, 2, customer=CUSTOMER))
    assert ["identity_auth_failed"] == bits(here.initialise(100))
    assert ["identity_auth_failed"] == bits(here.secure(0x078102FF))


def test_a_meter_of_remote_cost_control_has_no_wallet() -> None:
    """Money would go into a meter that keeps none."""
    here = a_head_end()
    here.authenticate()
    assert ["other"] == bits(here.buy(100, 1, customer=CUSTOMER, opens=True))
    assert ["other"] == bits(here.secure(0x078102FF))
    assert here.read("remaining_balance") is None
    assert isinstance(here.secure(0x070002FF), SecurityReply)


def test_state_and_read_back_are_proved_by_the_module() -> None:
    """A head-end could not tell a real balance from a made one, or amount and count would be exchanged."""
    here = a_shopkeeper()
    state = here.fields(here.secure(0x078102FF))
    money, count = state["remaining_cents"], state["purchase_count"]
    assert (10_000, 1) == (int.from_bytes(money, "big"), int.from_bytes(count, "big"))
    here.verified(b"", money, state["mac1"])
    here.verified(b"", count, state["mac2"])
    assert CUSTOMER == state["customer"].hex()
    flag = {"read_length": "0008", "read_start": "0000", "read_file": "0001", "read_directory": "df01"}
    back = here.fields(here.secure(0x078001FF, **flag))
    assert money + count == back["esam_data"]
    here.verified(bytes.fromhex("df01000100000008"), back["esam_data"], back["mac"])
    for wrong in (
        {"read_file": "0002"},
        {"read_start": "0001"},
        {"read_length": "0000"},
        {"read_directory": "0000"},
    ):
        assert ["other"] == bits(here.secure(0x078001FF, **{**flag, **wrong}))


def test_the_wallet_runs_dry_and_a_top_up_brings_the_light_back() -> None:
    """Local prepayment would not prepay."""
    here = a_shopkeeper()
    assert here.meter.works.switch.press_key(here.now)
    here.now += 60 * DAY
    assert State.OPEN is state_of(here)
    trip = here.meter.works.memory.moves[-1]
    assert ("account", T0 < trip.moved_at < here.now) == (trip.came_by, True)
    assert [Decimal("0.00")] == here.read("remaining_balance")
    here.authenticate()
    assert isinstance(here.buy(5_000, 2, customer=CUSTOMER), SecurityReply)
    assert State.WAITS_FOR_KEY is state_of(here)


def test_other_security_commands_are_refused() -> None:
    """A key would seem to be changed, or a layout of another make would be taken for ours."""
    here = a_shopkeeper()
    assert ["other"] == bits(
        here.secure(0x070201FF, key_info="00000001", mac="00000000", key_cipher="00" * 32)
    )
    export: dict[str, int | str] = {
        "amount_cents": 100,
        "order_number": "00" * 8,
        "mac1": "00" * 4,
        "meter_address": ADDRESS,
        "mac2": "00" * 4,
    }
    assert ["other"] == bits(here.secure(0x070102FF, **export))
    assert ["other"] == bits(here.set_validity(0))


def test_infrared_authentication() -> None:
    """A handheld could not prove itself, or could do so twice with one number."""
    here = a_head_end()
    asked = here.fields(here.secure(0x078003FF, rand1="a1b2c3d4e5f60718"))
    assert (NUMBER, 8) == (asked["meter_number"].hex(), len(asked["rand2"]))
    assert ["identity_auth_failed"] == bits(here.secure(0x070003FF, cipher2="00" * 8))
    assert ["identity_auth_failed"] == bits(here.secure(0x070003FF, cipher2="00" * 8))
