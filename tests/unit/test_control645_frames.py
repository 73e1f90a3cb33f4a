"""What a control driver of DL/T 645-2007 sends, octet by octet, and what it makes of every answer."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterlink.bus.exchange import Session
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.choose import control_driver_for
from meterlink.drivers.control import Cause, Command, ControlAnswer, Verdict
from meterlink.drivers.dlt645.control import CODES, Dlt645ControlDriver
from meterlink.drivers.dlt645.control_verdict import CAUSES, EXECUTED
from meterlink.drivers.proving import Plain, Security
from meterlink.errors import BadAnswer, NoControl, SecurityFailed
from meterlink.model.order import OrderKind
from meterlink.model.zone import CHINA_TIME
from meterprofiles import generic
from meterprofiles.schema import CIPHER_BLOCKS, ControlTraits
from metersim.loop import Simulation
from meterwire.dlt645 import Frame, encode
from meterwire.dlt645.items import security
from meterwire.dlt645.items.bit_words import bit_words
from meterwire.dlt645.messages.control import ORDERS, TIMED_ORDERS
from tests.support.lab_provider import LabSecurity
from tests.support.scripted_line import Answers, ScriptedLine
from tests.support.vectors import vectors

METER, OPERATOR, CUSTOMER = "202611220001", "87654321", "000012345678"
UNTIL = datetime(2026, 11, 22, 15, 30, tzinfo=CHINA_TIME)
RAND1, RAND2 = bytes.fromhex("a1b2c3d4e5f60718"), bytes.fromhex("0badc0de")
SEALED_TRIP = bytes.fromhex(
    "68010022112620681C1CCB333333547698BA29E295AD0068ED6AB0326D5620A8A1D0354D7CB59F16"
)
"""CTL645-011, which is disputed for what it says of the inside of its cipher, not for its octets."""
CONTROL, SECURITY = 0x1C, 0x03
AUTHENTICATE = 0x070000FF
PLAIN = Plain(level=2, password=lambda: "123456")


def _clock() -> Clock:
    return Simulation().clock


def _driver(**traits: Any) -> Dlt645ControlDriver:
    profile = replace(generic("dlt645-2007"), control=ControlTraits(**traits))
    return Dlt645ControlDriver(_clock(), profile=profile, preamble=0)


def _provider() -> LabSecurity:
    """The lab's, whose first random number is that of the published frames."""
    later = random.Random(1)
    numbers = iter([RAND1])
    return LabSecurity(lambda size: next(numbers, b"") if size == len(RAND1) else later.randbytes(size))


def _command(kind: OrderKind) -> Command:
    top_up = kind is OrderKind.TOP_UP
    return Command(
        kind=kind,
        expires_at=UNTIL,
        valid_for=timedelta(minutes=5),
        operator_code=OPERATOR,
        meter_number=METER,
        amount_cents=10_000 if top_up else None,
        purchase_count=5 if top_up else None,
        customer_number=CUSTOMER if top_up else "",
    )


def _answering(last: Frame | bytes | None) -> Answers:
    """A meter that accepts an authentication, and says ``last`` to everything else."""
    accepted = security.join(AUTHENTICATE, "reply", {"rand2": RAND2.hex(), "esam_serial": "5101000000000001"})

    def answer(request: Frame) -> Frame | bytes | None:
        if request.function == SECURITY and request.data[:4] == AUTHENTICATE.to_bytes(4, "little"):
            return Frame(address=METER, function=SECURITY, data=request.data[:4] + accepted, from_meter=True)
        return last

    return answer


def _sent(
    kind: OrderKind, proof: Security, answer: Frame | bytes | None = None, **traits: Any
) -> tuple[ControlAnswer, list[bytes]]:
    line, driver = ScriptedLine(_answering(answer)), _driver(**traits)

    async def order() -> ControlAnswer:
        prepared = await driver.prepare(line, METER, _command(kind), proof)
        return await driver.send(line, prepared)

    return asyncio.run(order()), line.sent


def _said(data: str, *, abnormal: bool = False, more: bool = False, **other: Any) -> Frame:
    """A meter's answer to a control, unless ``other`` says something else."""
    frame = Frame(
        address=METER,
        function=CONTROL,
        data=bytes.fromhex(data),
        from_meter=True,
        abnormal=abnormal,
        has_following=more,
    )
    return frame._replace(**other)


# --- octets --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vector", "kind", "is_plain"),
    [
        ("CTL645-003", OrderKind.PERMIT_CLOSE, True),
        ("CTL645-011", OrderKind.TRIP, False),
        ("PAY645-001", OrderKind.TOP_UP, False),
    ],
)
def test_the_published_frames_are_what_is_sent(vector: str, kind: OrderKind, is_plain: bool) -> None:
    """Octets in another order are a different command, another amount, or a MAC error that counts."""
    published = {one["id"]: bytes.fromhex(one["hex"]) for one in vectors("control.jsonl")}
    published["CTL645-011"] = SEALED_TRIP
    _, sent = _sent(kind, PLAIN if is_plain else _provider())
    expected = [published[vector]] if is_plain else [published["SEC645-001"], published[vector]]
    assert expected == sent


def test_the_end_of_an_order_ends_the_authentication() -> None:
    """Whoever comes next on the line would be authenticated for five minutes."""
    line, driver = ScriptedLine(_answering(None)), _driver()

    async def order() -> None:
        prepared = await driver.prepare(line, METER, _command(OrderKind.TRIP), _provider())
        await driver.finish(line, prepared)

    asyncio.run(order())
    end = Frame(address=METER, function=SECURITY, data=bytes.fromhex("FF02000721436587"))
    assert encode(end) == line.sent[-1]


def test_words_are_asked_for_where_the_driver_is_told_to() -> None:
    """P2 = 01 has one source: sent to all, some make might take it for a wrong password."""
    asked, silent = (_sent(OrderKind.TRIP, _provider(), asks_words=asks)[1][-1] for asks in (True, False))
    places = [index for index, octets in enumerate(zip(asked, silent, strict=True)) if len(set(octets)) > 1]
    assert [13, len(asked) - 2] == places, "P2 and the checksum"
    assert (0x34, 0x33) == (asked[13], silent[13])


def test_every_kind_of_order_has_its_code() -> None:
    """A kind without one would break in the hand of whoever sends it; 1D and 1E are never sent."""
    assert set(OrderKind) - {OrderKind.TOP_UP} == CODES.keys() == EXECUTED.keys()
    assert set(ORDERS) - set(TIMED_ORDERS) == set(CODES.values())


# --- answers -------------------------------------------------------------------------------------


def test_every_bit_of_both_words_has_a_cause() -> None:
    """A reason that is not in the table would count for nothing beside another one."""
    named = {bit.name for word in ("control_error", "serr") for bit in bit_words()[word]}
    assert named == CAUSES.keys()


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        (0x0001, Cause.SUSPENDED),
        (0x0002, Cause.MAC),
        (0x0004, Cause.PASSWORD),
        (0x0008, Cause.AUTHENTICATION_TIMEOUT),
        (0x0010, Cause.EXPIRED),
        (0x0020, Cause.GUARANTEE),
        (0x0040, Cause.GUARANTEE),
        (0x0080, Cause.UNTOLD),
        (0x0100, Cause.UNTOLD),
        (0x000A, Cause.MAC),
        (0x0028, Cause.GUARANTEE),
        (0x0108, Cause.UNTOLD),
        (0x8000, Cause.POSSIBLY_MAC),  # no bit that anybody has named
        (0x0000, Cause.POSSIBLY_MAC),
    ],
)
def test_why_a_control_was_refused(word: int, cause: Cause) -> None:
    """Only a missing authentication that stands alone lets an order go out again."""
    refusal = _said(word.to_bytes(2, "little").hex(), abnormal=True)
    answer, _ = _sent(OrderKind.TRIP, _provider(), refusal)
    assert (Verdict.REJECTED, cause, f"{word:04X}") == (answer.verdict, answer.cause, answer.word)


@pytest.mark.parametrize(
    ("word", "cause"),
    [
        (0x0001, Cause.UNTOLD),
        (0x0002, Cause.REPEATED),
        (0x0004, Cause.MAC),
        (0x0008, Cause.AUTHENTICATION_TIMEOUT),
        (0x0010, Cause.CUSTOMER),
        (0x0020, Cause.PURCHASE_COUNT),
        (0x0040, Cause.HOARDING),
        (0x0080, Cause.UNTOLD),
        (0x0100, Cause.SUSPENDED),
        (0x0200, Cause.UNTOLD),
        (0x000A, Cause.REPEATED),
    ],
)
def test_why_a_top_up_was_refused(word: int, cause: Cause) -> None:
    """A repeated top-up is money that is there: for any other cause it would be given back, or sent anew."""
    refusal = _said(word.to_bytes(2, "little").hex(), abnormal=True, function=SECURITY)
    answer, _ = _sent(OrderKind.TOP_UP, _provider(), refusal)
    assert (Verdict.REJECTED, cause, f"{word:04X}") == (answer.verdict, answer.cause, answer.word)


def test_a_split_block_is_turned_round_part_by_part() -> None:
    """A rail-mounted meter would count each order as a wrong MAC; a State Grid meter the other way round."""
    proved = [_sent(OrderKind.TRIP, _provider(), cipher_block=form)[1][-1][-22:-2] for form in CIPHER_BLOCKS]
    whole, split = (bytes(octet - 0x33 & 0xFF for octet in block) for block in proved)
    cipher, mac = whole[::-1][:16], whole[::-1][16:]
    assert cipher[::-1] + mac[::-1] == split


@pytest.mark.parametrize("octets", ["04", "00", "FF", "0000", "112233"])
@pytest.mark.parametrize(("kind", "function"), [(OrderKind.TRIP, CONTROL), (OrderKind.TOP_UP, SECURITY)])
def test_a_refusal_of_what_was_proved_that_tells_no_cause_may_hide_a_wrong_mac(
    kind: OrderKind, function: int, octets: str
) -> None:
    """Order after order would go to a meter that counts wrong MACs, until it locks itself (section 1.3)."""
    answer, _ = _sent(kind, _provider(), _said(octets, abnormal=True, function=function))
    assert (Verdict.REJECTED, Cause.POSSIBLY_MAC) == (answer.verdict, answer.cause)
    assert "wrong MAC" in answer.told


@pytest.mark.parametrize("octet", range(256))
def test_a_refusal_of_one_octet_tells_no_cause(octet: int) -> None:
    """A firmware says 04 whatever the cause: read as a wrong password, somebody would change passwords."""
    answer, _ = _sent(OrderKind.TRIP, PLAIN, _said(f"{octet:02X}", abnormal=True))
    assert (Verdict.REJECTED, Cause.UNTOLD, f"{octet:02X}") == (answer.verdict, answer.cause, answer.word)
    assert "password" not in answer.told


@pytest.mark.parametrize("kind", list(EXECUTED))
@pytest.mark.parametrize("bit", [one.name for one in bit_words()["execution"]])
def test_an_execution_word_answers_its_own_order(kind: OrderKind, bit: str) -> None:
    """The late answer to a close would confirm a trip."""
    place = next(one.place for one in bit_words()["execution"] if one.name == bit)
    answer, _ = _sent(kind, _provider(), _said((1 << place).to_bytes(2, "little").hex()))
    expected = Verdict.ACCEPTED if bit in EXECUTED[kind] else Verdict.NONE
    assert (expected, f"{1 << place:04X}") == (answer.verdict, answer.word)


def test_a_delayed_trip_says_so() -> None:
    """Who waits at the meter would think that it does not work."""
    answer, _ = _sent(OrderKind.TRIP, _provider(), _said("0800"))
    assert "trip delayed by the trip delay" in answer.told


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (_said(""), Verdict.ACCEPTED),
        (_said("", more=True), Verdict.ACCEPTED),  # D5 calls for a read of the report word
        (_said("0000"), Verdict.ACCEPTED),
        (_said("04", abnormal=True, more=True), Verdict.REJECTED),
        (_said("112233", abnormal=True), Verdict.REJECTED),
        (_said("", abnormal=True), Verdict.NONE),  # no refusal without its word
        (_said("", address="202611220002"), Verdict.NONE),
        (_said("", address="999999999999"), Verdict.NONE),
        (_said("", address="AAAAAAAAAAAA"), Verdict.NONE),
        (_said("", from_meter=False), Verdict.NONE),
        (_said("", function=0x14), Verdict.NONE),
        (_said("04", abnormal=True, function=0x11), Verdict.NONE),
        (_said("FF020107", function=SECURITY), Verdict.NONE),
        (encode(_said(""))[:-1], Verdict.NONE),
        (bytes(200), Verdict.NONE),
        (None, Verdict.NONE),
    ],
)
def test_what_answers_a_control(answer: Frame | bytes | None, verdict: Verdict) -> None:
    """A neighbour's word, or an echo, would be taken for the meter's own."""
    found, sent = _sent(OrderKind.TRIP, PLAIN, answer)
    assert (verdict, 1) == (found.verdict, len(sent))
    assert found.told


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (_said("FF020107", function=SECURITY), Verdict.ACCEPTED),
        (_said("FF020107", function=SECURITY, more=True), Verdict.ACCEPTED),
        (_said("FF020007", function=SECURITY), Verdict.NONE),  # 070002FF: an authentication that ended
        (_said("FF010107", function=SECURITY), Verdict.NONE),  # 070101FF: an account that was opened
        (_said("", function=SECURITY), Verdict.NONE),
        (_said("05", function=SECURITY, abnormal=True), Verdict.REJECTED),
        (_said(""), Verdict.NONE),
    ],
)
def test_what_answers_a_top_up(answer: Frame, verdict: Verdict) -> None:
    """The answer to another security command would settle a payment."""
    found, sent = _sent(OrderKind.TOP_UP, _provider(), answer)
    assert (verdict, 2) == (found.verdict, len(sent))


@given(st.binary(max_size=80))
def test_any_octets_are_an_answer_to_somebody(octets: bytes) -> None:
    """Rubbish on the line would break an order, or count as its answer."""
    found, _ = _sent(OrderKind.TRIP, PLAIN, octets)
    assert Verdict.NONE is found.verdict


def test_long_words_are_not_repeated() -> None:
    """What is longer than a word may hold a cipher block, which would stand in the record for ever."""
    secret = "5A" * 20
    for abnormal in (True, False):
        found, _ = _sent(OrderKind.TRIP, PLAIN, _said(secret, abnormal=abnormal))
        assert "" == found.word
        assert secret not in found.told


# --- authentication ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "code"),
    [("0400", "mac"), ("0001", "locked"), ("0800", "refused_by_meter"), ("05", "refused_by_meter")],
)
def test_a_meter_that_refuses_the_authentication(word: str, code: str) -> None:
    """A module that counts wrong proofs would be suspended by the next orders."""
    refusal = Frame(
        address=METER, function=SECURITY, data=bytes.fromhex(word), from_meter=True, abnormal=True
    )
    line, provider = ScriptedLine(lambda _: refusal), _provider()
    with pytest.raises(SecurityFailed) as raised:
        asyncio.run(_driver().prepare(line, METER, _command(OrderKind.TRIP), provider))
    assert (code, 1, 0) == (raised.value.code, len(line.sent), provider.open)


@pytest.mark.parametrize("last", [True, False])
def test_an_authentication_that_is_not_answered_whole(last: bool) -> None:
    """An order would be proved over half a random number, and count as a wrong MAC."""
    payload = AUTHENTICATE.to_bytes(4, "little") + bytes(12 if not last else 7)
    part = Frame(address=METER, function=SECURITY, data=payload, from_meter=True, has_following=not last)
    line, provider = ScriptedLine(lambda _: part), _provider()
    with pytest.raises(BadAnswer):
        asyncio.run(_driver().prepare(line, METER, _command(OrderKind.TRIP), provider))
    assert 0 == provider.open


def test_octets_that_have_not_left_when_it_is_cancelled_never_leave() -> None:
    """The line's owner may hold the session a moment longer than whoever gave it the order."""
    seen: list[Session] = []

    class Slow:
        name = "slow"

        async def exchange(self, session: Session, *, priority: Priority) -> None:
            del priority
            seen.append(session)
            await asyncio.Event().wait()

    async def order() -> None:
        driver = _driver()
        prepared = await driver.prepare(Slow(), METER, _command(OrderKind.TRIP), PLAIN)
        sending = asyncio.ensure_future(driver.send(Slow(), prepared))
        await asyncio.sleep(0)
        sending.cancel()
        await asyncio.wait([sending])

    asyncio.run(order())
    assert (b"", True) == (seen[0].octets_to_send(), seen[0].finished)


# --- who gets a driver ---------------------------------------------------------------------------


def test_meters_of_1997_are_refused_in_words() -> None:
    """Frames of 2007 to a meter of 1997 are commands of somebody else."""
    with pytest.raises(NoControl, match="by hand"):
        control_driver_for(generic("dlt645-1997"), _clock(), random_octets=bytes)


def test_meters_of_2007_get_their_driver() -> None:
    """Orders would find nobody who can carry them out."""
    driver = control_driver_for(generic("dlt645-2007"), _clock(), random_octets=bytes)
    assert isinstance(driver, Dlt645ControlDriver)


@pytest.mark.parametrize(("dialect", "level"), [("state_grid", 0x98), ("southern_grid", 0x96)])
def test_the_level_of_an_enciphered_command_is_the_dialects(dialect: str, level: int) -> None:
    """A meter of the Southern Grid would count every order as a wrong password."""
    line, profile = ScriptedLine(_answering(None)), replace(generic("dlt645-2007"), dialect=dialect)
    driver = Dlt645ControlDriver(_clock(), profile=profile, preamble=0)

    async def order() -> None:
        await driver.send(line, await driver.prepare(line, METER, _command(OrderKind.TRIP), _provider()))

    asyncio.run(order())
    assert level == line.sent[-1][10] - 0x33


def test_a_dialect_without_cipher_takes_none() -> None:
    """An enciphered frame under a level that nobody knows is a wrong password in the meter's eyes."""
    line, profile = ScriptedLine(_answering(None)), replace(generic("dlt645-2007"), dialect="standard")
    driver = Dlt645ControlDriver(_clock(), profile=profile)
    with pytest.raises(NoControl):
        asyncio.run(driver.prepare(line, METER, _command(OrderKind.TRIP), _provider()))
    assert [] == line.sent


def test_a_provider_that_gives_a_short_block() -> None:
    """A cut block would go out as a command with a wrong MAC, and count against the meter."""

    class Short(LabSecurity):
        async def control645(self, ctx: str, *, rand2: bytes, n1: int, n2: int, expiry: datetime) -> bytes:
            return (await super().control645(ctx, rand2=rand2, n1=n1, n2=n2, expiry=expiry))[:16]

    line, provider = ScriptedLine(_answering(None)), Short()
    with pytest.raises(SecurityFailed) as raised:
        asyncio.run(_driver().prepare(line, METER, _command(OrderKind.TRIP), provider))
    assert ("unfit", 0) == (raised.value.code, provider.open)
