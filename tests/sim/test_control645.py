"""Orders to simulated meters of DL/T 645-2007: what came back, and what the meters' own memories say."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.control import Cause, ControlAnswer, Verdict
from meterlink.drivers.dlt645.control import CODES
from meterlink.drivers.proving import Security
from meterlink.errors import NoControl, SecurityFailed
from meterlink.model.order import OrderKind
from meterprofiles.schema import ControlTraits
from metersim.security.failures import FailureLimits
from metersim.works.cost_control import PLAIN, REMOTE
from tests.support.control_bench import (
    ADDRESS,
    ASKS_WORDS,
    OPERATOR,
    PASSWORD,
    ControlBench,
    a_meter,
    a_shop,
)
from tests.support.lab_provider import LabSecurity

TRIP, PERMIT, CLOSE, TOP_UP = (
    OrderKind.TRIP,
    OrderKind.PERMIT_CLOSE,
    OrderKind.DIRECT_CLOSE,
    OrderKind.TOP_UP,
)
SWITCHES = tuple(CODES)
IN_WORDS = replace(REMOTE, words="always")
_FOREVER = timedelta(days=2)


# --- obeyed --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", SWITCHES)
def test_every_order_in_cipher_is_obeyed_once(kind: OrderKind) -> None:
    """A head-end that reports an order as taken, and a meter that knows nothing of it, or has it twice."""
    bench = ControlBench()
    assert Verdict.ACCEPTED is bench.order(kind).verdict
    assert [(kind.value, OPERATOR)] == [(one.kind, one.operator) for one in bench.controls()]
    assert 0 == bench.security.open, "the provider's handle was closed"


@pytest.mark.parametrize("kind", SWITCHES)
def test_every_order_in_plain_is_obeyed_once(kind: OrderKind) -> None:
    """Sub-meters know no cipher; nobody may be asked for one behind the back of their configuration."""
    bench = ControlBench(a_meter(PLAIN))
    assert Verdict.ACCEPTED is bench.order(kind, bench.plain()).verdict
    assert [(kind.value, OPERATOR)] == [(one.kind, one.operator) for one in bench.controls()]
    assert [] == bench.security.asked


def test_a_top_up_is_credited_once() -> None:
    """A customer pays twice, or has paid and stays in the dark."""
    bench = ControlBench(a_shop(preset_cents=5_000))
    assert Verdict.ACCEPTED is bench.order(TOP_UP, amount_cents=10_000, purchase_count=1).verdict
    assert ["top_up"] == bench.obeyed()

    async def look(line: Line) -> tuple[int, int, bool]:
        purse = await bench.driver.purse(line, ADDRESS, bench.security)
        return purse.remaining_cents, purse.purchase_count, purse.proven

    assert (15_000, 1, True) == bench.run(look)


def test_an_authentication_ends_with_its_order() -> None:
    """Whoever is on the line next could use it for five minutes."""
    bench = ControlBench()

    async def authenticated(line: Line) -> list[bool]:
        async with line.hold(priority=Priority.CONTROL) as held:
            prepared = await bench.prepared(held, CLOSE)
            found = [await bench.is_authenticated(held)]
            await bench.driver.finish(held, prepared)
            return [*found, await bench.is_authenticated(held)]

    assert [True, False] == bench.run(authenticated)


# --- refused by the meter ------------------------------------------------------------------------


def test_a_modern_meter_refuses_a_trip_in_plain_and_does_not_tell_why() -> None:
    """A cause would be read out of a word that has none, and a rule go by it."""
    bench = ControlBench()
    answer = bench.order(TRIP, bench.plain())
    assert (Verdict.REJECTED, Cause.UNTOLD, "04") == (answer.verdict, answer.cause, answer.word)
    assert "does not tell why" in answer.told
    assert [] == bench.obeyed()
    assert Verdict.ACCEPTED is bench.order(CLOSE, bench.plain()).verdict


def test_a_wrong_password_is_told_and_not_tried_again() -> None:
    """A meter that counts wrong passwords would be locked for a day."""
    bench = ControlBench(a_meter(IN_WORDS))
    answer = bench.order(CLOSE, bench.plain("111111"))
    assert (Verdict.REJECTED, Cause.PASSWORD, "0004") == (answer.verdict, answer.cause, answer.word)
    assert [] == bench.obeyed()
    assert 1 == len([entry for entry in bench.trace if entry.direction == "out"])


def test_a_trip_under_guarantee() -> None:
    """A hospital's meter refuses, and the program would not know that it is one."""
    bench = ControlBench(profile=ASKS_WORDS)
    assert Verdict.ACCEPTED is bench.order(OrderKind.GUARANTEE_ON).verdict
    answer = bench.order(TRIP)
    assert (Verdict.REJECTED, Cause.GUARANTEE, "0020") == (answer.verdict, answer.cause, answer.word)
    assert [] == bench.obeyed("trip")


def test_an_order_whose_time_is_over() -> None:
    """A trip of yesterday would open a contact today."""
    bench = ControlBench(profile=ASKS_WORDS)
    late = bench.sim.clock.utc_now() - timedelta(minutes=1)
    answer = bench.order(TRIP, expires_at=late)
    assert (Verdict.REJECTED, Cause.EXPIRED) == (answer.verdict, answer.cause)
    assert [] == bench.obeyed()


def test_an_authentication_that_is_over() -> None:
    """The one refusal after which an order may go out again would not be known from the others."""
    bench = ControlBench(profile=ASKS_WORDS)

    async def wait_too_long(line: Line) -> ControlAnswer:
        prepared = await bench.driver.prepare(
            line,
            ADDRESS,
            bench.command(TRIP, expires_at=bench.sim.clock.utc_now() + _FOREVER),
            bench.security,
        )
        await asyncio.sleep(301)
        return await bench.driver.send(line, prepared)

    answer = bench.run(wait_too_long)
    assert (Verdict.REJECTED, Cause.AUTHENTICATION_TIMEOUT) == (answer.verdict, answer.cause)


class _Spoilt(LabSecurity):
    """A provider with the wrong control key."""

    async def control645(self, ctx: str, **what: Any) -> bytes:
        block = await super().control645(ctx, **what)
        return block[:-1] + bytes([block[-1] ^ 1])

    async def wallet645(self, ctx: str, **what: Any) -> tuple[bytes, bytes]:
        money, customer = await super().wallet645(ctx, **what)
        return money[:-1] + bytes([money[-1] ^ 1]), customer


@pytest.mark.parametrize("kind", [TRIP, TOP_UP])
def test_a_wrong_mac_is_a_cause_of_its_own(kind: OrderKind) -> None:
    """Orders with the wrong keys would go on until the meter's module is suspended."""
    bench = ControlBench(a_shop(), profile=ASKS_WORDS)
    answer = bench.order(kind, _Spoilt())
    assert (Verdict.REJECTED, Cause.MAC) == (answer.verdict, answer.cause)
    assert [] == bench.obeyed()


@pytest.mark.parametrize(
    ("more", "cause"),
    [
        ({"purchase_count": 0}, Cause.REPEATED),
        ({"purchase_count": 2}, Cause.PURCHASE_COUNT),
        ({"customer_number": "000012345679"}, Cause.CUSTOMER),
        ({"amount_cents": 99_999_999}, Cause.HOARDING),
    ],
)
def test_why_money_is_refused(more: dict[str, Any], cause: Cause) -> None:
    """REPEATED says that the money is there already; taken for another cause it would be sent again."""
    bench = ControlBench(a_shop())
    answer = bench.order(TOP_UP, **more)
    assert (Verdict.REJECTED, cause) == (answer.verdict, answer.cause)
    assert [] == bench.obeyed()


def test_a_meter_that_wants_a_split_block_obeys_one_and_only_one() -> None:
    """Each order to it would count as a wrong MAC, until it locks itself."""
    meter = a_meter(replace(IN_WORDS, cipher_block="split"))
    assert Cause.MAC is ControlBench(meter).order(TRIP).cause
    split = replace(ASKS_WORDS, control=ControlTraits(cipher_block="split"))
    bench = ControlBench(meter, profile=split)
    assert Verdict.ACCEPTED is bench.order(TRIP).verdict
    assert ["trip"] == bench.obeyed()
    assert Cause.MAC is ControlBench(a_meter(IN_WORDS), profile=split).order(TRIP).cause


def test_a_suspended_meter_is_left_alone() -> None:
    """Each further try would count against a meter that is locked already."""
    bench = ControlBench(profile=ASKS_WORDS)
    for _ in range(FailureLimits().suspend_at):
        assert Cause.MAC is bench.order(TRIP, _Spoilt()).cause
    with pytest.raises(SecurityFailed) as raised:
        bench.order(TRIP)
    assert "locked" == raised.value.code


# --- no proof ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "operation"),
    [(TRIP, "auth645"), (TRIP, "control645"), (TOP_UP, "auth645"), (TOP_UP, "wallet645")],
)
def test_without_proof_nothing_is_sent(kind: OrderKind, operation: str) -> None:
    """A provider that is down would turn into an order in plain, or an authentication that stays open."""
    bench = ControlBench(a_shop())
    bench.security.fails[operation] = "away"
    with pytest.raises(SecurityFailed) as raised:
        bench.order(kind)
    assert "away" == raised.value.code
    assert [] == bench.obeyed()
    assert 0 == bench.security.open
    assert not bench.run(bench.is_authenticated), "the meter's side was ended too"


def test_the_authentication_of_another_meter() -> None:
    """Keys go by the meter number: a meter that was exchanged must not obey the order for the old one."""
    bench = ControlBench()
    with pytest.raises(SecurityFailed) as raised:
        bench.order(TRIP, meter_number="000000000007")
    assert "refused_by_meter" == raised.value.code
    assert 0 == bench.security.open
    with pytest.raises(SecurityFailed, match="12 digits"):
        bench.order(TRIP, meter_number="7")


def test_money_is_never_sent_under_a_password() -> None:
    """No top-up of this protocol is proved by one; a frame without MACs is for another vendor's dialect."""
    bench = ControlBench(a_shop())
    with pytest.raises(SecurityFailed) as raised:
        bench.order(TOP_UP, bench.plain())
    assert "no_keys" == raised.value.code
    assert () == tuple(bench.trace)


def test_what_fits_no_frame_is_no_order() -> None:
    """A password of five digits would break the daemon, and show itself in the traceback."""
    bench = ControlBench()
    for security in (bench.plain("12345"), bench.plain(level=0x98)):
        with pytest.raises(SecurityFailed) as raised:
            bench.order(CLOSE, security)
        assert "unfit" == raised.value.code
        assert "12345" not in str(raised.value)
    with pytest.raises(SecurityFailed):
        bench.order(CLOSE, operator_code="ABCXYZ")
    assert [] == bench.obeyed()


# --- to one meter only ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "address", ["999999999999", "AAAAAAAAAAAA", "AAAAAA000161", "161", "", "00000000016A", "０" * 12]
)
@pytest.mark.parametrize("security", ["plain", "provider"])
def test_never_to_more_than_one_meter(address: str, security: str) -> None:
    """Some meters obey such frames: every relay of the bus would move (CTRL-23)."""
    bench = ControlBench(a_meter(replace(PLAIN, obeys_everybody=True)))
    proof: Security = bench.plain() if security == "plain" else bench.security

    async def ask(line: Line) -> None:
        for looking in (bench.driver.identity, bench.driver.clock, bench.driver.standing, bench.driver.purse):
            with pytest.raises(NoControl):
                await looking(line, address)
        with pytest.raises(NoControl):
            await bench.driver.prepare(line, address, bench.command(TRIP), proof)

    bench.run(ask)
    assert () == tuple(bench.trace)
    assert [] == bench.obeyed()


# --- secrets -------------------------------------------------------------------------------------


def test_no_secret_is_seen() -> None:
    """Passwords, random numbers, cipher blocks and MACs in a log open every meter of the same keys."""
    bench = ControlBench(a_shop())
    texts: list[str] = []

    async def everything(line: Line) -> None:
        for kind, proof in ((TRIP, bench.security), (TOP_UP, bench.security), (CLOSE, bench.plain())):
            prepared = await bench.prepared(line, kind, proof)
            texts.extend((repr(prepared), repr(prepared.authentication), repr(proof), prepared.frame_hash))
            texts.append(repr(await bench.driver.send(line, prepared)))
            await bench.driver.finish(line, prepared)
            texts.append(repr(await bench.driver.purse(line, ADDRESS, bench.security)))

    bench.run(everything)
    assert ["trip", "top_up", "direct_close"] == bench.obeyed()
    shown = [entry.octets for entry in bench.trace] + [
        bytes((octet - 0x33) % 256 for octet in entry.octets) for entry in bench.trace
    ]
    secrets = {*bench.security.given, bytes.fromhex(PASSWORD)}
    assert 8 <= len(secrets)
    for secret in secrets:
        for octets in (secret, secret[::-1]):
            assert not any(octets in piece for piece in shown)
            assert not any(octets.hex() in text.lower() for text in texts)


def test_the_hash_of_a_frame_does_not_go_over_its_secrets() -> None:
    """A hash over a password of six digits gives the password away."""
    bench = ControlBench()

    async def hashes(line: Line) -> list[str]:
        proofs: list[tuple[OrderKind, Security]] = [
            (TRIP, bench.security),
            (TRIP, bench.security),
            (CLOSE, bench.security),
            (CLOSE, bench.plain()),
            (CLOSE, bench.plain("123456")),
            (PERMIT, bench.plain()),
        ]
        return [(await bench.prepared(line, kind, proof)).frame_hash for kind, proof in proofs]

    trip, again, sealed_close, close, other_password, permit = bench.run(hashes)
    assert trip == again == sealed_close, "all that differs is inside the cipher"
    assert close == other_password
    assert 3 == len({trip, close, permit})
    assert 64 == len(bytes.fromhex(trip).hex())
