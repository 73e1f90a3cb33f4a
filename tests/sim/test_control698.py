"""Orders to simulated DL/T 698.45 meters: what the meter obeyed is asked of the meter itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from meterlink.bus.line import Line
from meterlink.drivers.control import Cause, ControlAnswer, Verdict
from meterlink.errors import Refused, SecurityFailed
from meterlink.model.order import OrderKind
from metersim.dlt698.admission import Limits
from meterwire.dlt698.apdus.action import ActionRequestNormal, ActionResponseNormal
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import ConnectRequest, ReleaseRequest
from meterwire.dlt698.apdus.get import GetRequestNormalList
from meterwire.dlt698.apdus.link_management import ServerErrorResponse
from meterwire.dlt698.apdus.parts import ActionResult, Dar
from meterwire.dlt698.apdus.security import SecurityRequest
from meterwire.dlt698.link.deframer import Found
from meterwire.dlt698.sessions.transfer import FRAME_OCTETS_LEAST
from tests.support.ordered698 import (
    REPLY_DELAY_S,
    START,
    Ordered,
    Said,
    as_answer,
    local,
    plain,
)
from tests.support.secured698 import ADDRESS, CUSTOMER

SWITCHING = [kind for kind in OrderKind if kind is not OrderKind.TOP_UP]
ACCEPTED = Verdict.ACCEPTED
REJECTED = Verdict.REJECTED
NONE = Verdict.NONE
TRIP, TOP_UP = OrderKind.TRIP, OrderKind.TOP_UP


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
    assert (5_000, 0) == (here.purse().remaining_cents, here.purse().purchase_count)
    assert ACCEPTED is here.order(here.command(TOP_UP)).verdict
    assert ["top_up"] == here.lab.purses  # of no other kind is a proof ever asked (TOP-10)
    after = here.purse(here.lab)
    assert (15_000, 1, CUSTOMER, True) == (
        after.remaining_cents,
        after.purchase_count,
        after.customer_number,
        after.proven,
    )
    assert ["top_up"] == here.obeyed
    assert here.works.account is not None
    assert here.works.account.limits.hoarding == after.hoarding_limit_cents
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
    before = here.standing()
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
    after = here.standing()
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
    seen = here.standing()
    assert (True, True) == (seen.guarantee, seen.alarm)


def test_status_word_3_is_used_where_its_order_is_known() -> None:
    """Read the wrong way round, an authentication bit is taken for the contact (fact 9): nothing is told."""
    here = Ordered()
    here.order(here.command(TRIP))
    assert here.standing(bit_order="msb_first").contact_open is True
    wrong = here.standing(bit_order="number")
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
        Ordered().purse()


def test_a_list_that_is_refused_is_asked_one_by_one() -> None:
    """Some meters take no lists: they would stand nowhere, and no order could ever be sent to them."""
    here = Ordered()

    def no_lists(found: Found, said: bytes) -> Said:
        request = decode_apdu(found.frame.user_data)
        if not isinstance(request, GetRequestNormalList):
            return [(REPLY_DELAY_S, said)]
        error = ServerErrorResponse(piid=request.piid, error=255)
        return [(REPLY_DELAY_S, as_answer(found, encode_apdu(error)))]

    whole = here.standing()
    here.tap = no_lists
    one_by_one = here.standing()
    assert replace(whole, taken_at=START, power_w=None, voltages_v=None, currents_a=None) == replace(
        one_by_one, taken_at=START, power_w=None, voltages_v=None, currents_a=None
    )
    assert one_by_one.power_w is not None


def test_a_meter_of_small_frames() -> None:
    """An order that has to go in pieces is obeyed when the last one is there, and once."""
    here = Ordered(limits=Limits(frame=FRAME_OCTETS_LEAST))
    assert ACCEPTED is here.order(here.command(TRIP)).verdict
    assert ["trip"] == here.obeyed


# --- what a meter refuses ---


def test_a_trip_under_guarantee_says_why() -> None:
    """The DAR tells no cause; the error word does, and an order that ends so is not a fault of keys."""
    here = Ordered()
    here.order(here.command(OrderKind.GUARANTEE_ON))
    answer = here.order(here.command(TRIP))
    assert (REJECTED, Cause.GUARANTEE, "03") == (answer.verdict, answer.cause, answer.word)
    assert ["guarantee_on"] == here.obeyed


def test_the_error_word_tells_nothing_of_money() -> None:
    """It is of the last control: a top-up that is refused without a reason was not refused by a guarantee."""
    here = local()
    here.order(here.command(OrderKind.GUARANTEE_ON))
    assert Cause.GUARANTEE is here.order(here.command(TRIP)).cause

    def refuses(found: Found, said: bytes) -> Said:
        if not isinstance(decode_apdu(found.frame.user_data), SecurityRequest):
            return [(REPLY_DELAY_S, said)]
        call = decode_apdu(here.lab.protected[-1])
        assert isinstance(call, ActionRequestNormal)
        answer = ActionResponseNormal(piid=call.piid, item=ActionResult(call.item.omd, Dar(255)))
        return [(REPLY_DELAY_S, as_answer(found, here.sealed(answer)))]

    answer = here.order(here.command(TOP_UP), tap=refuses)
    assert (REJECTED, Cause.UNTOLD, "FF") == (answer.verdict, answer.cause, answer.word)


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
    assert 15_000 == here.purse().remaining_cents


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
