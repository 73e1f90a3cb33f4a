"""Orders of DL/T 698.45 whose end nobody has seen: obeyed once at most, never called what they are not."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from meterlink.bus.line import Line
from meterlink.drivers.control import ControlAnswer, Verdict
from meterlink.drivers.dlt698.control import Prepared698
from meterlink.drivers.dlt698.control_session import NUMBERS_AN_ORDER
from meterlink.errors import MeterlinkError, ReplyTimeout, SecurityFailed
from meterlink.model.order import OrderKind
from meterlink.security.external import ExternalProvider
from meterwire.dlt698.apdus.action import ActionRequestNormal, ActionResponseNormal
from meterwire.dlt698.apdus.apdu import decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import ReleaseRequest
from meterwire.dlt698.apdus.parts import ActionResult, Dar, Piid
from meterwire.dlt698.apdus.security import Mac, PlainUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.selection import Omd
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.deframer import Found
from tests.support.adapters import Program, adapter_of
from tests.support.ordered698 import (
    REPLY_DELAY_S,
    Ordered,
    Said,
    as_answer,
    late,
    local,
    of_another_key,
    plain,
    unanswered,
)
from tests.support.secured698 import ADDRESS

ACCEPTED = Verdict.ACCEPTED
NONE = Verdict.NONE
UNSENT = Verdict.UNSENT
TRIP, TOP_UP = OrderKind.TRIP, OrderKind.TOP_UP


# --- answers that are none ---


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


@pytest.mark.parametrize(
    "tap", [unanswered, late, _broken, _in_the_open, _in_an_open_envelope, _received, of_another_key]
)
@pytest.mark.parametrize("kind", [TRIP, TOP_UP])
def test_an_answer_that_proves_nothing(kind: OrderKind, tap: object) -> None:
    """The meter obeyed, and nobody knows: the order reads back, and is never called refused or done."""
    here = local()
    answer = here.order(here.command(kind), tap=tap)  # type: ignore[arg-type]
    assert NONE is answer.verdict
    assert [kind.value] == here.obeyed
    assert 1 == sum(isinstance(one, SecurityRequest) for one in here.heard)


@pytest.mark.parametrize("fault", ["number", "method", "tag"])
def test_a_proved_answer_to_another_call(fault: str) -> None:
    """The meter's keys say who answers, not what: number, method and tag have to fit as well (fact 7)."""
    here = Ordered()

    def foreign(found: Found, said: bytes) -> Said:
        del said
        call = decode_apdu(here.lab.protected[-1])
        assert isinstance(call, ActionRequestNormal)
        assert call.time_tag is not None
        answer = ActionResponseNormal(piid=call.piid, item=ActionResult(call.item.omd, Dar(0)))
        tag = call.time_tag._replace(sent_at=call.time_tag.sent_at._replace(second=59))
        wrong = {
            "number": replace(answer, piid=Piid.of(call.piid.number - 1)),
            "method": replace(answer, item=ActionResult(Omd(0x8000, 130), Dar(0))),
            "tag": replace(answer, time_tag=tag),
        }[fault]
        return [(REPLY_DELAY_S, as_answer(found, here.sealed(wrong)))]

    assert NONE is here.order(here.command(TRIP), tap=foreign).verdict
    assert "open698" in here.lab.asked


def test_an_envelope_without_a_mac_is_not_opened() -> None:
    """An adapter may open what bears no proof, as documented for level 3: it must not be asked to."""
    here = Ordered()

    def bare(found: Found, said: bytes) -> Said:
        answer = decode_apdu(link.decode(said).user_data)
        assert isinstance(answer, SecurityResponse)
        return [(REPLY_DELAY_S, as_answer(found, encode_apdu(replace(answer, verify=None))))]

    with capture_logs() as logged:
        assert NONE is here.order(here.command(TRIP), tap=bare).verdict
    assert "open698" not in here.lab.asked
    assert "answer_broke_us" not in [one["event"] for one in logged]


def test_a_late_answer_is_nobody_s() -> None:
    """The answer to a trip that comes during the next order's exchanges answers none of them (fact 7)."""
    here = Ordered()
    kept: list[bytes] = []

    def keeps(found: Found, said: bytes) -> Said:
        del found
        kept.append(said)
        return []

    def repeats(found: Found, said: bytes) -> Said:
        del found
        return [(0.01, kept[0]), (0.01, kept[0]), (0.01, said)]

    assert NONE is here.order(here.command(TRIP), tap=keeps).verdict
    here.tap = repeats
    assert here.standing().command_open is True

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
        here.tap = late
        busy = asyncio.ensure_future(here.driver.identity(line, ADDRESS)) if not after_s else None
        await asyncio.sleep(0)
        sending = asyncio.ensure_future(here.driver.send(line, prepared))
        await asyncio.sleep(after_s)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        if not prepared.session.was_sent:
            assert b"" == prepared.session.octets_to_send()
        if busy is not None:
            with pytest.raises(ReplyTimeout):
                await busy
        await asyncio.sleep(30)
        return prepared.session.was_sent

    was_sent = here.run(scene)
    assert bool(after_s) is was_sent
    assert (["trip"] if was_sent else []) == here.obeyed


# --- the whole way, and any moment ---


def test_a_provider_at_the_end_of_a_stream() -> None:
    """The lines of the site's adapter carry all that an order needs; one that hangs costs one order."""
    here = Ordered()
    provider: list[ExternalProvider] = []

    async def scene(line: Line) -> tuple[ControlAnswer, str]:
        async with asyncio.TaskGroup() as programs:
            program = Program(programs, name="lab")
            adapter = adapter_of(program)
            provider.append(ExternalProvider(adapter, lab_allowed=True))
            prepared = await here.driver.prepare(line, ADDRESS, here.command(TRIP), provider[0])
            answer = await here.driver.send(line, prepared)
            await here.driver.finish(line, prepared)

            async def hangs(program: Program, request: dict[str, object]) -> None:
                if request["op"] != "protect698":
                    await program.answer(request)

            program.behaviour = hangs
            with pytest.raises(SecurityFailed) as caught:
                await here.driver.prepare(line, ADDRESS, here.command(OrderKind.ALARM_ON), provider[0])
            await adapter.aclose()
            await program.end()
        return answer, caught.value.code

    answer, code = here.run(scene)
    assert (ACCEPTED, "slow") == (answer.verdict, code)
    assert ["trip"] == here.obeyed
    assert isinstance(here.heard[-1], ReleaseRequest)


@pytest.mark.parametrize("seed", range(60))
def test_an_order_that_is_cancelled_at_any_moment(seed: int) -> None:
    """Stopped between any two octets it is obeyed at most once, and never if its octets have not left."""
    here = local()
    rng = random.Random(seed)
    kind = rng.choice(list(OrderKind))
    here.tap = rng.choice([None, None, unanswered, late])
    security = here.lab if rng.random() < 0.7 else plain()
    prepared: list[Prepared698] = []

    async def order(line: Line) -> None:
        prepared.append(await here.driver.prepare(line, ADDRESS, here.command(kind), security))
        await here.driver.send(line, prepared[0])
        await here.driver.finish(line, prepared[0])

    async def scene(line: Line) -> None:
        running = asyncio.ensure_future(order(line))
        await asyncio.sleep(rng.choice([rng.uniform(0, 0.15), rng.uniform(0, 5)]))
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError, MeterlinkError):
            await running
        await asyncio.sleep(60)

    here.run(scene)
    may_have_left = bool(prepared) and prepared[0].session.was_sent
    assert len(here.obeyed) <= may_have_left
