"""Orders to simulated DL/T 698.45 meters: what the meter obeyed is asked of the meter itself."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.drivers.control import Cause, ControlAnswer, Purse, Standing, Verdict
from meterlink.drivers.control698_session import NUMBERS_AN_ORDER
from meterlink.drivers.proving import Security
from meterlink.errors import NoControl, Refused, ReplyTimeout, SecurityFailed
from meterlink.model.order import OrderKind
from meterprofiles import AssociationTraits
from metersim.works.cost_control import LOCAL
from meterwire.dlt698.apdus.action import ActionRequestNormal, ActionResponseNormal
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import ConnectRequest, ReleaseRequest
from meterwire.dlt698.apdus.get import GetResponseNormalList
from meterwire.dlt698.apdus.parts import ActionResult, AttributeResult, Dar, Piid
from meterwire.dlt698.apdus.security import Mac, PlainUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.selection import Omd
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.deframer import Found
from tests.support.ordered698 import PASSWORD, REPLY_DELAY_S, START, AsyncLab, Ordered, Said, as_answer, plain
from tests.support.secured698 import ADDRESS, CUSTOMER

SWITCHING = [kind for kind in OrderKind if kind is not OrderKind.TOP_UP]
ACCEPTED, REJECTED, NONE, UNSENT = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.NONE, Verdict.UNSENT
TRIP, TOP_UP = OrderKind.TRIP, OrderKind.TOP_UP
LATE = timedelta(minutes=6)


def local(*, enforced: bool = True) -> Ordered:
    return Ordered(LOCAL, enforced=enforced, opened_cents=5_000)


def standing(here: Ordered, **driver: object) -> Standing:
    looking = here.driver_of(**driver) if driver else here.driver
    return here.run(lambda line: looking.standing(line, ADDRESS))


def purse(here: Ordered, security: Security | None = None) -> Purse:
    return here.run(lambda line: here.driver.purse(line, ADDRESS, security))


# --- what is obeyed ---


@pytest.mark.parametrize("kind", SWITCHING)
def test_each_order_is_obeyed_once(kind: OrderKind) -> None:
    """A meter that insists on ciphertext and MAC takes what the provider proved, and takes it once."""
    here = Ordered()
    answer = here.order(here.command(kind))
    assert ControlAnswer(verdict=ACCEPTED, word="00", told=answer.told) == answer
    assert [kind.value] == here.obeyed
    assert 0 == here.lab.open
    assert isinstance(here.heard[-1], ReleaseRequest)
    task = 8 if kind in {TRIP, OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE} else 3
    assert ["init698", "verify698", f"protect698 4 {task}", "open698", "close"] == here.lab.asked


@pytest.mark.parametrize("kind", SWITCHING)
def test_each_order_in_plain(kind: OrderKind) -> None:
    """A laboratory's meter without modes takes them under its password; a close carries it itself."""
    here = Ordered(enforced=False)
    assert ACCEPTED is here.order(here.command(kind), plain()).verdict
    assert [kind.value] == here.obeyed
    assert [] == here.lab.asked
    closes = kind in {OrderKind.PERMIT_CLOSE, OrderKind.DIRECT_CLOSE}
    assert closes is not any(isinstance(one, ConnectRequest) for one in here.heard)


def test_a_top_up_is_credited_once() -> None:
    """Money goes to the customer and meter that the order names, with the count that it names."""
    here = local()
    assert (5_000, 0) == (purse(here).remaining_cents, purse(here).purchase_count)
    assert ACCEPTED is here.order(here.command(TOP_UP)).verdict
    after = purse(here, here.lab)
    assert (15_000, 1, CUSTOMER, True) == (
        after.remaining_cents,
        after.purchase_count,
        after.customer_number,
        after.proven,
    )
    assert ["top_up"] == here.obeyed
    assert after.hoarding_limit_cents is not None
    assert "protect698 4 3" in here.lab.asked
    assert 0 == here.lab.open


def test_a_close_under_a_password_is_taken_by_a_meter_that_insists() -> None:
    """Section 5.3: method 131 is the one that needs no more; it must not be refused here first."""
    here = Ordered()
    assert ACCEPTED is here.order(here.command(OrderKind.DIRECT_CLOSE), plain()).verdict
    assert ["direct_close"] == here.obeyed


# --- how it stands ---


def test_a_standing_before_and_after_a_trip() -> None:
    """Decision 22 compares these: a bit that is read wrongly lets a trip go out twice."""
    here = Ordered()
    before = standing(here)
    assert (False, False, False, False) == (
        before.contact_open,
        before.command_open,
        before.alarm,
        before.guarantee,
    )
    assert before.trips.count is not None
    assert before.closes.occurred_at is not None
    assert before.currents_a is not None
    assert before.currents_a[0] > Decimal(0)
    assert before.voltages_v is not None
    assert Decimal(200) < before.voltages_v[0] < Decimal(250)
    assert before.power_w is not None
    assert Decimal(100) < before.power_w < Decimal(20_000)
    here.order(here.command(TRIP))
    here.sim.run(asyncio.sleep(60))
    after = standing(here)
    assert (True, True) == (after.contact_open, after.command_open)
    assert before.trips.count + 1 == after.trips.count
    assert after.trips.occurred_at is not None
    assert timedelta() <= here.now - after.trips.occurred_at < timedelta(minutes=2)
    assert {Decimal(0)} == set(after.currents_a or ())
    assert "relay_command" in dict(after.raw)
    assert "040880" == dict(after.raw)["relay_command"]


def test_guarantee_and_alarm_show() -> None:
    """A trip under a guarantee is accepted and does nothing (fact 4): it has to be seen before."""
    here = Ordered()
    here.order(here.command(OrderKind.GUARANTEE_ON))
    here.order(here.command(OrderKind.ALARM_ON))
    seen = standing(here)
    assert (True, True) == (seen.guarantee, seen.alarm)


def test_status_word_3_is_used_where_its_order_is_known() -> None:
    """Read the wrong way round, an authentication bit is taken for the contact (fact 9): nothing is told."""
    here = Ordered()
    here.order(here.command(TRIP))
    assert standing(here, word_3_order="bit0_first").contact_open is True
    wrong = standing(here, word_3_order="number")
    assert (None, None) == (wrong.contact_open, wrong.command_open)


def test_identity_and_clock() -> None:
    """CTRL-12 and CTRL-13 stand on these."""
    here = Ordered()

    async def scene(line: Line) -> None:
        who = await here.driver.identity(line, ADDRESS)
        assert (ADDRESS, ADDRESS) == (who.address, who.meter_number)
        look = await here.driver.clock(line, ADDRESS)
        assert abs(look.offset) <= look.error
        assert timedelta(seconds=0.5) <= look.error < timedelta(seconds=1)

    here.run(scene)
    here.works.clock.set(here.works.clock.shows(here.now) + timedelta(minutes=7), here.now)
    look = here.run(lambda line: here.driver.clock(line, ADDRESS))
    assert abs(look.offset - timedelta(minutes=7)) <= look.error


def test_a_meter_without_wallet_refuses_to_show_one() -> None:
    """A remote meter has no money (section 2.3): an order of money to it has no ground."""
    with pytest.raises(Refused, match="its wallet"):
        purse(Ordered())


# --- what a meter refuses ---


def test_a_trip_under_guarantee_says_why() -> None:
    """The DAR tells no cause; the error word does, and an order that ends so is not a fault of keys."""
    here = Ordered()
    here.order(here.command(OrderKind.GUARANTEE_ON))
    answer = here.order(here.command(TRIP))
    assert (REJECTED, Cause.GUARANTEE, "03") == (answer.verdict, answer.cause, answer.word)
    assert ["guarantee_on"] == here.obeyed


def test_a_trip_that_comes_too_late() -> None:
    """The time tag ends where the deadline stands by the meter's clock (decision 23)."""
    here = Ordered()
    command = here.command(TRIP, expires_at=here.now.replace(microsecond=0) - timedelta(seconds=2))
    answer = here.order(command)
    assert (REJECTED, Cause.EXPIRED, "20") == (answer.verdict, answer.cause, answer.word)
    assert [] == here.obeyed
    in_time = here.command(TRIP, expires_at=here.now.replace(microsecond=0) + timedelta(seconds=2))
    assert ACCEPTED is here.order(in_time).verdict


@pytest.mark.parametrize("seconds", [1, 59, 61, 300])
def test_the_tag_ends_to_the_second(seconds: int) -> None:
    """A tag in minutes of an order of seconds would hold longer than the deadline."""
    here = Ordered()

    async def scene(line: Line) -> ControlAnswer:
        expires_at = (here.now + timedelta(seconds=seconds)).replace(microsecond=0)
        command = here.command(TRIP, expires_at=expires_at, valid_for=timedelta(seconds=seconds))
        prepared = await here.driver.prepare(line, ADDRESS, command, here.lab)
        await asyncio.sleep(seconds + 1.5)
        return await here.driver.send(line, prepared)

    assert Cause.EXPIRED is here.run(scene).cause
    assert [] == here.obeyed


@pytest.mark.parametrize(
    ("fields", "cause", "word"),
    [
        ({"purchase_count": 0xFFFF}, Cause.PURCHASE_COUNT, "19"),
        ({"customer_number": "999999999999"}, Cause.CUSTOMER, "18"),
        ({"amount_cents": 0x7FFF_FFFF}, Cause.HOARDING, "1A"),
    ],
)
def test_money_that_a_meter_does_not_take(fields: dict[str, object], cause: Cause, word: str) -> None:
    """Each of them is somebody's mistake, and not the same person's."""
    here = local()
    answer = here.order(here.command(TOP_UP, **fields))
    assert (REJECTED, cause, word) == (answer.verdict, answer.cause, answer.word)
    assert [] == here.obeyed


def test_a_top_up_of_a_count_that_is_there() -> None:
    """REPEATED says that the money is in the meter already: never a reason to send it again (section 2.1)."""
    here = local()
    here.order(here.command(TOP_UP))
    answer = here.order(here.command(TOP_UP))
    assert (REJECTED, Cause.REPEATED, "15") == (answer.verdict, answer.cause, answer.word)
    assert ["top_up"] == here.obeyed
    assert 15_000 == purse(here).remaining_cents


def test_an_authentication_that_has_lapsed() -> None:
    """The one refusal after which an order may be proved anew (decision 21)."""
    here = Ordered()

    async def scene(line: Line) -> ControlAnswer:
        prepared = await here.driver.prepare(line, ADDRESS, here.command(TRIP), here.lab)
        here.meter.envelopes.end()
        answer = await here.driver.send(line, prepared)
        await here.driver.finish(line, prepared)
        return answer

    answer = here.run(scene)
    assert (REJECTED, Cause.AUTHENTICATION_TIMEOUT, "17") == (answer.verdict, answer.cause, answer.word)


@pytest.mark.parametrize("kind", [TRIP, TOP_UP])
def test_a_wrong_mac(kind: OrderKind) -> None:
    """Section 1.3: after the first one everything stops, so it has to be told from every other refusal."""
    here = local()
    here.lab.wrong_mac = bytes(4)
    answer = here.order(here.command(kind))
    assert (REJECTED, Cause.MAC, "16") == (answer.verdict, answer.cause, answer.word)
    assert [] == here.obeyed


def test_a_wrong_password() -> None:
    """It is counted by the meter, and never tried twice."""
    here = Ordered(enforced=False)
    answer = here.order(here.command(OrderKind.PERMIT_CLOSE), plain("12345678"))
    assert (REJECTED, Cause.PASSWORD, "0F") == (answer.verdict, answer.cause, answer.word)
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TRIP), plain("12345678"))
    assert "refused_by_meter" == caught.value.code
    assert 1 == sum(isinstance(one, ConnectRequest) for one in here.heard)
    assert "12345678" not in str(caught.value)
    assert [] == here.obeyed


@pytest.mark.parametrize(
    ("dar", "verdict", "cause"),
    [
        (0, ACCEPTED, Cause.UNTOLD),
        (1, NONE, Cause.UNTOLD),
        (2, NONE, Cause.UNTOLD),
        (3, REJECTED, Cause.UNTOLD),
        (8, REJECTED, Cause.UNTOLD),
        (15, REJECTED, Cause.PASSWORD),
        (20, REJECTED, Cause.PASSWORD),
        (21, REJECTED, Cause.REPEATED),
        (22, REJECTED, Cause.MAC),
        (23, REJECTED, Cause.AUTHENTICATION_TIMEOUT),
        (24, REJECTED, Cause.CUSTOMER),
        (25, REJECTED, Cause.PURCHASE_COUNT),
        (26, REJECTED, Cause.HOARDING),
        (28, REJECTED, Cause.MAC),
        (31, REJECTED, Cause.SUSPENDED),
        (32, REJECTED, Cause.EXPIRED),
        (33, NONE, Cause.UNTOLD),
        (77, REJECTED, Cause.UNTOLD),
        (255, REJECTED, Cause.UNTOLD),
    ],
)
def test_every_result(dar: int, verdict: Verdict, cause: Cause) -> None:
    """A result that may mean "done" must not end the order as refused, nor the other way round."""

    def says(found: Found, _: bytes) -> Said:
        request = decode_apdu(found.frame.user_data)
        if not isinstance(request, ActionRequestNormal):
            return [(REPLY_DELAY_S, _)]
        result = ActionResponseNormal(piid=request.piid, item=ActionResult(request.item.omd, Dar(dar)))
        return [(REPLY_DELAY_S, as_answer(found, encode_apdu(result)))]

    here = Ordered(enforced=False)
    answer = here.order(here.command(TRIP), plain(), tap=says)
    assert (verdict, cause, f"{dar:02X}") == (answer.verdict, answer.cause, answer.word)


# --- answers that are none ---


def _lost(found: Found, said: bytes) -> Said:
    del found, said
    return []


def _late(found: Found, said: bytes) -> Said:
    del found
    return [(10.0, said)]


def _broken(found: Found, said: bytes) -> Said:
    del found
    return [(REPLY_DELAY_S, said[:-4] + b"\0\0\0\x16")]


def _in_the_open(found: Found, said: bytes) -> Said:
    """A plain answer to an enciphered call, as anybody could give."""
    del said
    answer = ActionResponseNormal(piid=Piid.of(1), item=ActionResult(Omd(0x8000, 129), Dar(0)))
    return [(n / 1000, as_answer(found, encode_apdu(replace(answer, piid=Piid.of(n))))) for n in range(64)]


def _in_an_open_envelope(found: Found, said: bytes) -> Said:
    del said
    answer = ActionResponseNormal(piid=Piid.of(1), item=ActionResult(Omd(0x8000, 129), Dar(0)))
    inner = (encode_apdu(replace(answer, piid=Piid.of(n))) for n in range(64))
    sealed = (SecurityResponse(unit=PlainUnit(one), verify=Mac(bytes(4))) for one in inner)
    return [(0.001, as_answer(found, encode_apdu(one))) for one in sealed]


def _received(found: Found, said: bytes) -> Said:
    del said
    return [(REPLY_DELAY_S, as_answer(found, encode_apdu(SecurityResponse(unit=Dar(0)))))]


def _of_another_key(found: Found, said: bytes) -> Said:
    answer = decode_apdu(bytes.fromhex("900110FBC0558F2C96A5A55CF76F955965B2C30100046CD6CB79"))
    return [(REPLY_DELAY_S, as_answer(found, encode_apdu(answer))), (0.0, said)]


@pytest.mark.parametrize(
    "tap", [_lost, _late, _broken, _in_the_open, _in_an_open_envelope, _received, _of_another_key]
)
@pytest.mark.parametrize("kind", [TRIP, TOP_UP])
def test_an_answer_that_proves_nothing(kind: OrderKind, tap: object) -> None:
    """The meter obeyed, and nobody knows: the order reads back, and is never called refused or done."""
    here = local()
    answer = here.order(here.command(kind), tap=tap)  # type: ignore[arg-type]
    assert NONE is answer.verdict
    assert [kind.value] == here.obeyed
    assert 1 == sum(isinstance(one, SecurityRequest) for one in here.heard)


def test_a_late_answer_is_nobody_s() -> None:
    """The answer to a trip that comes during the next order's exchanges answers none of them (fact 7)."""
    here = Ordered()
    late: list[bytes] = []

    def keeps(found: Found, said: bytes) -> Said:
        del found
        late.append(said)
        return []

    def repeats(found: Found, said: bytes) -> Said:
        del found
        return [(0.01, late[0]), (0.01, late[0]), (0.01, said)]

    assert NONE is here.order(here.command(TRIP), tap=keeps).verdict
    here.tap = repeats
    assert standing(here).command_open is True

    async def scene(line: Line) -> ControlAnswer:
        prepared = await here.driver.prepare(line, ADDRESS, here.command(OrderKind.ALARM_ON), here.lab)
        answer = await here.driver.send(line, prepared)
        await here.driver.finish(line, prepared)
        return answer

    assert NONE is here.run(scene).verdict
    assert ["trip", "alarm_on"] == here.obeyed


def test_an_answer_to_an_earlier_call_in_plain() -> None:
    """Without envelopes number, method and tag are all there is: each of them has to fit."""
    here = Ordered(enforced=False)

    def foreign(found: Found, said: bytes) -> Said:
        request = decode_apdu(found.frame.user_data)
        if not isinstance(request, ActionRequestNormal):
            return [(REPLY_DELAY_S, said)]
        number, omd, tag = request.piid.number, request.item.omd, request.time_tag
        assert tag is not None
        earlier = tag._replace(sent_at=tag.sent_at._replace(minute=(tag.sent_at.minute + 1) % 60))
        answers = [
            ActionResponseNormal(piid=Piid.of(number - 1), item=ActionResult(omd, Dar(0))),
            ActionResponseNormal(piid=request.piid, item=ActionResult(Omd(0x8000, 130), Dar(0))),
            ActionResponseNormal(piid=request.piid, item=ActionResult(omd, Dar(0)), time_tag=earlier),
        ]
        return [(0.01, as_answer(found, encode_apdu(one))) for one in answers]

    assert NONE is here.order(here.command(TRIP), plain(), tap=foreign).verdict
    assert ["trip"] == here.obeyed


def test_service_numbers_go_on_from_order_to_order() -> None:
    """A late answer to the order before would bear the number of the present one."""
    here = Ordered(enforced=False)
    for _ in range(3):
        here.order(here.command(OrderKind.ALARM_ON), plain())
    numbers = [one.piid.number for one in here.heard if isinstance(one, ActionRequestNormal)]
    assert 3 == len(set(numbers))
    assert {NUMBERS_AN_ORDER} == {(after - before) % 64 for before, after in itertools.pairwise(numbers)}


# --- sending ---


def test_what_has_not_left_is_told() -> None:
    """UNSENT is the one end after which the order may go again without a read-back."""
    here = Ordered()

    async def scene(line: Line) -> ControlAnswer:
        prepared = await here.driver.prepare(line, ADDRESS, here.command(TRIP), here.lab)
        here.plugged = False
        await line._close("pulled out")
        answer = await here.driver.send(line, prepared)
        here.plugged = True
        await asyncio.sleep(60)
        with pytest.raises(ValueError, match="once"):
            await here.driver.send(line, prepared)
        await here.driver.finish(line, prepared)
        return answer

    assert UNSENT is here.run(scene).verdict
    assert [] == here.obeyed


def test_a_control_is_sent_once() -> None:
    """Whoever holds a prepared control twice would otherwise switch twice."""
    here = Ordered()

    async def scene(line: Line) -> None:
        prepared = await here.driver.prepare(line, ADDRESS, here.command(TRIP), here.lab)
        await here.driver.send(line, prepared)
        with pytest.raises(ValueError, match="once"):
            await here.driver.send(line, prepared)
        await here.driver.finish(line, prepared)
        await here.driver.finish(line, prepared)

    here.run(scene)
    assert ["trip"] == here.obeyed


@pytest.mark.parametrize("after_s", [0.0, 0.01, 0.5])
def test_a_cancelled_sending(after_s: float) -> None:
    """Cancelled before its turn it never leaves; afterwards it is obeyed once, and the order reads back."""
    here = Ordered()

    async def scene(line: Line) -> bool:
        prepared = await here.driver.prepare(line, ADDRESS, here.command(TRIP), here.lab)
        here.tap = _late
        busy = asyncio.ensure_future(here.driver.identity(line, ADDRESS)) if not after_s else None
        await asyncio.sleep(0)
        sending = asyncio.ensure_future(here.driver.send(line, prepared))
        await asyncio.sleep(after_s)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        if busy is not None:
            with pytest.raises(ReplyTimeout):
                await busy
        await asyncio.sleep(30)
        return prepared.session.was_sent

    was_sent = here.run(scene)
    assert bool(after_s) is was_sent
    assert (["trip"] if was_sent else []) == here.obeyed


# --- security ---


@pytest.mark.parametrize("op", ["init698", "verify698", "protect698", "purse698"])
@pytest.mark.parametrize("code", ["away", "not_verified"])
def test_without_a_proof_nothing_is_sent(op: str, code: str) -> None:
    """A provider that fails costs the order, never its protection; and the meter is left as it was found."""
    here = local()
    here.lab.failing[op] = code
    with pytest.raises(SecurityFailed) as caught:
        here.order(here.command(TOP_UP))
    assert code == caught.value.code
    assert not any(isinstance(one, SecurityRequest | ActionRequestNormal) for one in here.heard)
    assert 1 == here.lab.asked.count(op) or op == "protect698"
    assert 0 == here.lab.open
    connected = [type(one) for one in here.heard if isinstance(one, ConnectRequest | ReleaseRequest)]
    assert connected in ([], [ConnectRequest, ReleaseRequest])
    assert [] == here.obeyed


def test_an_answer_that_the_provider_cannot_open() -> None:
    """It was sent and obeyed: the failure comes too late to be one of the order."""
    here = Ordered()
    here.lab.failing["open698"] = "away"
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
        await here.driver.send(line, prepared)
        await here.driver.standing(line, ADDRESS)
        await here.driver.finish(line, prepared)
        here.heard.clear()
        await here.reader.read(line, ADDRESS, item, priority=Priority.ON_DEMAND)
        assert (connect != "never") == _connects(here)

    here.run(scene)
    assert ["trip"] == here.obeyed
    assert {ADDRESS} == set(here.lost)


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
    here.tap = _lost
    with pytest.raises(ReplyTimeout):
        here.order(here.command(TRIP))
    assert [] == here.lab.asked


# --- secrets ---


def test_no_secret_shows_anywhere() -> None:
    """Traces, logs and errors stand on disks for years; who reads them could switch meters."""
    here = local()
    shown: list[str] = []
    with capture_logs() as logged:
        for tap in (None, _lost, _of_another_key):
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
