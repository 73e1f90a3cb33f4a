"""The identity authentication of DL/T 645-2007 (03H): begun with a provider's proof, used, and ended.

The provider proves us to the meter; the meter answers a random number, over which every order of the session
is proved. A meter holds it for five minutes, and a new one ends the one before. Nothing here is ever tried
twice: a wrong proof counts against the meter's lockout, and whoever fails stops.
Source: control-and-prepayment, sections 1.3, 2.1, 2.2 and 7.1.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

from meterlink.bus.line import Exchanging
from meterlink.drivers.control import Cause
from meterlink.drivers.dlt645.control_looks import PRIORITY
from meterlink.drivers.dlt645.control_verdict import cause_of
from meterlink.drivers.proving import Provider
from meterlink.errors import BadAnswer, MeterlinkError, Refused, SecurityFailed
from meterwire.dlt645 import AbnormalReply
from meterwire.dlt645.items import security
from meterwire.dlt645.messages.control import SecurityReply, SecurityRequest
from meterwire.dlt645.sessions.command import CommandSession

AUTHENTICATE: Final = 0x070000FF
END: Final = 0x070002FF
TOP_UP: Final = 0x070102FF
STATE: Final = 0x078102FF

_METER_NUMBER: Final = re.compile(r"[0-9]{12}").fullmatch
_OPERATOR_CODE: Final = re.compile(r"[0-9A-Fa-f]{8}").fullmatch
_CODES: Final = {
    Cause.MAC: "mac",
    Cause.SUSPENDED: "locked",
    Cause.AUTHENTICATION_TIMEOUT: "refused_by_meter",
}
"""What is wrong with the proof when a meter says no for such a cause."""

Fields = dict[str, int | str]
"""The fields of a security frame by name; octets as digits, highest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk645:
    """Where security commands to one meter are given up.

    Args:
        address: of the meter.
        operator_code: 8 hexadecimal digits.
        preamble: FEH octets before each request.

    """

    address: str
    operator_code: str
    preamble: int

    def request(self, di: int, values: Fields | None = None) -> SecurityRequest:
        """A command of 03H."""
        payload = security.join(di, "request", values) if values else b""
        return SecurityRequest(address=self.address, di=di, operator_code=self.operator_code, payload=payload)

    async def ask(self, line: Exchanging, request: SecurityRequest) -> Fields:
        """The fields of the answer.

        Raises:
            SecurityFailed: the meter said no, to the authentication or for want of one.
            Refused: it said no to anything else.
            BadAnswer: the answer has not the fields that it should.
            ReplyTimeout, LineError, BusFull: from the line.

        """
        session = CommandSession(request, preamble=self.preamble)
        await line.exchange(session, priority=PRIORITY)
        what = f"meter {self.address}, security command {request.di:08X}"
        match session.reply:
            case AbnormalReply() as refusal:
                raise _refused(refusal, f"{what}: {refusal.sentence('en')}", request.di)
            case SecurityReply(payload=payload, has_following=False) as reply:
                if (fields := security.split(reply.di, "reply", payload)) is not None:
                    return {one.field.name: one.value for one in fields}
        raise BadAnswer(f"{what}: the answer has not the fields of one")


def _refused(refusal: AbnormalReply, told: str, di: int) -> SecurityFailed | Refused:
    """A refusal, as an error: whatever was wrong with an authentication, it is the proof."""
    cause = cause_of(refusal, is_proved=False)  # an authentication carries no MAC
    if di == AUTHENTICATE or cause in _CODES:
        return SecurityFailed(told, code=_CODES.get(cause, "refused_by_meter"))
    return Refused(told, error_word=refusal.error_word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Authentication:
    """One that a meter has accepted.

    Args:
        desk: of the meter.
        provider: who proves.
        ctx: the provider's handle.
        rand2: the meter's random number.

    """

    desk: Desk645
    provider: Provider
    ctx: str = field(repr=False)
    rand2: bytes = field(repr=False)

    async def verify(self, data: bytes, mac: str) -> None:
        """Check what the meter's module gave out without being asked for a part of it.

        Raises:
            SecurityFailed: the proof is wrong, or the provider is away.

        """
        await self.provider.verify645(self.ctx, rand2=self.rand2, apdu=b"", data=data, mac=bytes.fromhex(mac))

    async def end(self, line: Exchanging) -> None:
        """End it at both sides; what goes wrong there ends with the meter's five minutes."""
        with contextlib.suppress(MeterlinkError):
            session = CommandSession(self.desk.request(END), preamble=self.desk.preamble)
            await line.exchange(session, priority=PRIORITY)
        with contextlib.suppress(MeterlinkError):
            await self.provider.close(self.ctx)


async def authenticate(
    line: Exchanging, desk: Desk645, meter_number: str, provider: Provider
) -> Authentication:
    """Begin an authentication.

    Args:
        line: running, or held.
        desk: of the meter.
        meter_number: 12 digits; keys are derived from it, not from the address.
        provider: who proves.

    Raises:
        SecurityFailed: the provider is away, slow or says no; or the meter says no.
        BadAnswer: the meter's answer does not fit.
        ReplyTimeout, LineError, BusFull: from the line.

    """
    if not _METER_NUMBER(meter_number):
        raise SecurityFailed(f"meter {desk.address}: its number is not of 12 digits", code="unfit")
    if not _OPERATOR_CODE(desk.operator_code):
        raise SecurityFailed("an operator code has 8 hexadecimal digits", code="unfit")
    div = bytes.fromhex(f"0000{meter_number}")
    begun = await provider.auth645(div)
    values: Fields = {"cipher1": begun.cipher1.hex(), "rand1": begun.rand1.hex(), "div": div.hex()}
    try:
        answer = await desk.ask(line, desk.request(AUTHENTICATE, values))
        rand2 = bytes.fromhex(str(answer["rand2"]))
    except MeterlinkError:
        with contextlib.suppress(MeterlinkError):
            await provider.close(begun.ctx)
        raise
    return Authentication(desk=desk, provider=provider, ctx=begun.ctx, rand2=rand2)


@contextlib.asynccontextmanager
async def ended_if_it_fails(line: Exchanging, authentication: Authentication) -> AsyncIterator[None]:
    """End an authentication when what it was for fails; cancelled, the meter's five minutes end it."""
    try:
        yield
    except MeterlinkError:
        await authentication.end(line)
        raise
