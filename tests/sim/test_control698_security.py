"""Proofs for orders of DL/T 698.45: without one nothing is sent, and nothing of one is shown."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.control import Verdict
from meterlink.errors import NoControl, ReplyTimeout, SecurityFailed
from meterlink.model.order import OrderKind
from meterprofiles import AssociationTraits
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import ConnectRequest, ConnectResponse, ReleaseRequest
from meterwire.dlt698.apdus.get import GetResponseNormalList
from meterwire.dlt698.apdus.parts import AttributeResult
from meterwire.dlt698.apdus.security import SecurityRequest
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.deframer import Found
from tests.support.ordered698 import (
    PASSWORD,
    REPLY_DELAY_S,
    START,
    AsyncLab,
    Ordered,
    Said,
    as_answer,
    local,
    of_another_key,
    plain,
    unanswered,
)
from tests.support.secured698 import ADDRESS, CUSTOMER

NONE = Verdict.NONE
TRIP, TOP_UP = OrderKind.TRIP, OrderKind.TOP_UP


# --- security ---


@pytest.mark.parametrize("op", ["init698", "verify698", "protect698", "purse698"])
@pytest.mark.parametrize("code", ["away", "not_verified"])
def test_without_a_proof_nothing_is_sent(op: str, code: str) -> None:
    """A provider that fails costs the order, never its protection; and the meter is left as it was found."""
    here = local()
    here.lab.fails[op] = code
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TOP_UP))
    assert code == caught.value.code
    assert not any(isinstance(one, SecurityRequest | ActionRequestNormal) for one in here.heard)
    assert 1 == here.lab.asked.count(op) or op == "protect698"
    assert 0 == here.lab.open
    connected = [type(one) for one in here.heard if isinstance(one, ConnectRequest | ReleaseRequest)]
    assert connected in ([], [ConnectRequest, ReleaseRequest])
    assert [] == here.obeyed


@pytest.mark.parametrize("fault", ["no mac", "in the open"])
def test_an_envelope_that_is_none(fault: str) -> None:
    """An adapter that is asked for ciphertext and MAC and gives less must not get an order sent in plain."""
    here = Ordered()
    here.lab.envelope = {
        "no mac": lambda made, _: made._replace(mac=None),
        "in the open": lambda made, apdu: made._replace(data=apdu),
    }[fault]
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TRIP))
    assert "unfit" == caught.value.code
    assert not any(isinstance(one, SecurityRequest) for one in here.heard)


def test_a_meter_that_does_not_prove_itself() -> None:
    """Somebody who answers every CONNECT with "allowed" would get an order that only the meter may read."""
    here = Ordered()

    def silent_about_itself(found: Found, said: bytes) -> Said:
        answer = decode_apdu(link.decode(said).user_data)
        if isinstance(answer, ConnectResponse):
            answer = replace(answer, security_data=None)
        return [(REPLY_DELAY_S, as_answer(found, encode_apdu(answer)))]

    here.tap = silent_about_itself
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TRIP))
    assert "not_verified" == caught.value.code
    assert ["init698"] == here.lab.asked


def test_an_answer_that_the_provider_cannot_open() -> None:
    """It was sent and obeyed: the failure comes too late to be one of the order."""
    here = Ordered()
    here.lab.fails["open698"] = "away"
    assert NONE is here.order(here.command(TRIP)).verdict
    assert ["trip"] == here.obeyed


def test_keys_of_another_laboratory() -> None:
    """The meter finds the signature wrong: that is a wrong MAC, and shuts it (section 1.3)."""
    here = Ordered()
    here.lab = AsyncLab(root=bytes(16))
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TRIP))
    assert "mac" == caught.value.code
    assert 1 == sum(isinstance(one, ConnectRequest) for one in here.heard)
    assert [] == here.obeyed


def test_another_meter_at_the_place() -> None:
    """Keys and customer are those of a meter number: an exchanged meter must not get the old one's order."""
    here = Ordered()
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TRIP, meter_number="202611220002"))
    assert "other_meter" == caught.value.code
    assert [] == here.lab.asked


def test_whose_keys_are_asked_for() -> None:
    """Test keys are told apart by the module's serial, those of a utility by the meter (section 5.1)."""
    here = Ordered()
    here.order(here.command(TRIP))
    assert [(0, here.meter.envelopes.module.serial, 1)] == here.lab.begun
    production = bytes.fromhex("7FFFFFFFF07F80FF8000000000000000")

    def of_a_utility(found: Found, said: bytes) -> Said:
        answer = decode_apdu(link.decode(said).user_data)
        if isinstance(answer, GetResponseNormalList):
            results = tuple(
                AttributeResult(oad, Data("octet-string", production)) if str(oad) == "F1000400" else one
                for one in answer.results
                for oad in [one.oad]
            )
            return [(REPLY_DELAY_S, as_answer(found, encode_apdu(replace(answer, results=results))))]
        return [(REPLY_DELAY_S, said)]

    here.tap = of_a_utility
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TRIP))
    assert "no_production_keys" == caught.value.code
    assert (1, bytes.fromhex(f"0000{ADDRESS}"), 2) == here.lab.begun[-1]


def test_a_meter_that_insists_gets_nothing_in_plain() -> None:
    """It would refuse and count; the configuration is wrong, and says so before anything is sent."""
    here = Ordered(enforced=True)
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TRIP), plain())
    assert "enforced" == caught.value.code
    assert not any(isinstance(one, ConnectRequest) for one in here.heard)


def test_money_never_goes_in_plain() -> None:
    """Section 2.2: a wallet that takes money without a MAC is protected by its address alone."""
    here = local(enforced=False)
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TOP_UP), plain())
    assert "no_keys" == caught.value.code
    assert [] == here.heard


@pytest.mark.parametrize("address", ["999999999999", "AAAAAAAAAAAA", "0", "", "1234567890123"])
def test_nobody_is_asked_but_one_meter(address: str) -> None:
    """CTRL-23: every relay on the bus would move."""
    here = Ordered()

    async def scene(line: Line) -> None:
        for asked in (
            here.driver.prepare(line, address, here.command(TRIP), here.lab),
            here.driver.prepare(line, address, here.command(TRIP), plain()),
            here.driver.identity(line, address),
            here.driver.clock(line, address),
            here.driver.standing(line, address),
            here.driver.purse(line, address, here.lab),
        ):
            with pytest.raises(NoControl):
                await asked

    here.run(scene)
    assert [] == here.heard


@pytest.mark.parametrize(
    "fields",
    [
        {"valid_for": timedelta()},
        {"valid_for": timedelta(seconds=0.5)},
        {"valid_for": timedelta(seconds=65_536)},
        {"expires_at": START + timedelta(microseconds=1)},
        {"kind": TOP_UP},
        {"kind": TOP_UP, "amount_cents": 0, "purchase_count": 1, "customer_number": CUSTOMER},
        {"kind": TOP_UP, "amount_cents": 2**32, "purchase_count": 1, "customer_number": CUSTOMER},
        {"kind": TOP_UP, "amount_cents": 1, "purchase_count": 0, "customer_number": CUSTOMER},
        {"kind": TOP_UP, "amount_cents": 1, "purchase_count": 1, "customer_number": "12"},
    ],
)
def test_an_order_that_has_no_form(fields: dict[str, object]) -> None:
    """A tag of no time holds for ever; money without a count could be credited twice."""
    here = Ordered()
    with pytest.raises(ValueError, match=r"valid|top-up"):
        here.order(replace(here.command(TRIP), **fields))  # type: ignore[arg-type]
    assert [] == here.heard


# --- the reader of the same meter ---


@pytest.mark.parametrize("connect", ["never", "null", "password"])
def test_the_reader_learns_that_its_association_is_over(connect: str) -> None:
    """It would ask into an association that the order has ended, and its meter fall silent for hours."""
    here = Ordered(association=AssociationTraits(connect=connect))  # type: ignore[arg-type]

    async def scene(line: Line) -> None:
        item = "forward_active_energy"
        await here.reader.read(line, ADDRESS, item, priority=Priority.ON_DEMAND)
        await here.reader.read(line, ADDRESS, item, priority=Priority.ON_DEMAND)
        assert (connect != "never") == _connects(here)
        prepared = await here.driver.prepare(line, ADDRESS, here.command(TRIP), here.lab)
        assert {ADDRESS} == set(here.lost)
        await here.driver.send(line, prepared)
        await here.driver.standing(line, ADDRESS)
        here.lost.clear()
        await here.driver.finish(line, prepared)
        here.heard.clear()
        await here.driver.identity(line, ADDRESS)
        assert (connect != "never") == _connects(here)
        here.heard.clear()
        await here.reader.read(line, ADDRESS, item, priority=Priority.ON_DEMAND)
        assert (connect != "never") == _connects(here)

    here.run(scene)
    assert ["trip"] == here.obeyed
    assert {ADDRESS} == set(here.lost)


def test_a_reader_waits_while_an_order_holds_the_line() -> None:
    """Its question in between would end the order's association, and its answer be taken for the order's."""
    here = Ordered(association=AssociationTraits(connect="password"))

    async def scene(line: Line) -> None:
        async def read() -> None:
            await here.reader.read(line, ADDRESS, "voltage.*", priority=Priority.ON_DEMAND)
            done.append("read")

        done: list[str] = []
        async with asyncio.TaskGroup() as group, line.hold(priority=Priority.CONTROL) as held:
            prepared = await here.driver.prepare(held, ADDRESS, here.command(TRIP), here.lab)
            group.create_task(read())
            await asyncio.sleep(5)
            await here.driver.send(held, prepared)
            assert (await here.driver.standing(held, ADDRESS)).command_open is True
            await here.driver.finish(held, prepared)
            done.append("order")
        assert ["order", "read"] == done

    here.run(scene)
    assert ["trip"] == here.obeyed


def _connects(here: Ordered) -> int:
    return sum(isinstance(one, ConnectRequest) for one in here.heard)


def test_an_open_association_is_closed_first() -> None:
    """Some meters refuse a second CONNECT while there is one: an order must not depend on it."""
    here = Ordered(association=AssociationTraits(connect="password"))
    here.order(here.command(TRIP))
    services = [type(one) for one in here.heard if isinstance(one, ConnectRequest | ReleaseRequest)]
    assert [ConnectRequest, ReleaseRequest, ConnectRequest, ReleaseRequest] == services


def test_a_silent_meter_is_one_timeout() -> None:
    """Before anything was begun a meter that does not answer is told as it is to a reader."""
    here = Ordered()
    here.tap = unanswered
    with pytest.raises(ReplyTimeout):
        here.order(here.command(TRIP))
    assert [] == here.lab.asked


# --- secrets ---


def test_no_secret_shows_anywhere() -> None:
    """Traces, logs and errors stand on disks for years; who reads them could switch meters."""
    here = local()
    shown: list[str] = []
    with capture_logs() as logged:
        for tap in (None, unanswered, of_another_key):
            for kind in (TRIP, TOP_UP):

                async def scene(line: Line, kind: OrderKind = kind, tap: object = tap) -> None:
                    prepared = await here.driver.prepare(line, ADDRESS, here.command(kind), here.lab)
                    shown.append(f"{prepared!r} {prepared.frame_hash}")
                    here.tap = tap  # type: ignore[assignment]
                    shown.append(repr(await here.driver.send(line, prepared)))
                    here.tap = None
                    await here.driver.finish(line, prepared)

                here.run(scene)
        here.lab.wrong_mac = bytes.fromhex("DEADBEEF")
        shown.append(repr(here.order(here.command(TRIP))))
    shown += [entry.hexadecimal() for entry in here.trace]
    shown += map(str, logged)
    text = " ".join(shown).casefold()
    assert len(here.lab.secrets) > 20
    assert not [secret for secret in here.lab.secrets if secret.casefold() in text]
    assert 64 == len(shown[0].split()[-1])


def test_no_password_shows_anywhere() -> None:
    """In plain it is on the wire for everybody, and still not in our files."""
    here = Ordered(enforced=False)
    word = "31415926"
    shown: list[str] = []
    for kind in (TRIP, OrderKind.DIRECT_CLOSE):
        try:
            shown.append(repr(here.order(here.command(kind), plain(word))))
        except SecurityFailed as error:
            shown.append(repr(error) + str(error))
    shown += [entry.hexadecimal() for entry in here.trace]
    assert len(shown) > 4
    text = " ".join(shown).casefold()
    assert word not in text
    assert word.encode().hex() not in text
    assert PASSWORD.encode().hex() not in text
