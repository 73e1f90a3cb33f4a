"""Control of meters of DL/T 645-2007: look, prove, and send one command once.

A control (1CH) goes in plain under a password, or enciphered under level 98H after an identity
authentication; a top-up (03H) only after one. Which of them is the caller's ``Security``, and nothing falls
back from one to the other. ``prepare`` builds the octets; a session gives them out once, whatever happens.

The edition of 1997 has no control of its own in any source that we have: it is refused in words.
Source: control-and-prepayment, sections 1, 2 and 8.
"""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final

import structlog

from meterlink.bus.line import Exchanging
from meterlink.clock import Clock
from meterlink.drivers.control import (
    NOTHING_KNOWN,
    ClockLook,
    Command,
    ControlAnswer,
    Identity,
    Known,
    Opening,
    Prepared,
    Purse,
    Standing,
)
from meterlink.drivers.dlt645.control_looks import PRIORITY, STANDARD_BITS, Looks645, bits_of
from meterlink.drivers.dlt645.control_proof import (
    TOP_UP,
    Authentication,
    Desk645,
    Fields,
    authenticate,
    ended_if_it_fails,
)
from meterlink.drivers.dlt645.control_purse import Purses645
from meterlink.drivers.dlt645.control_verdict import answer_of
from meterlink.drivers.dlt645.talk import Talk645
from meterlink.drivers.one_meter import of_one_meter
from meterlink.drivers.proving import Plain, Security
from meterlink.errors import BusFull, LineError, NoControl, ReplyTimeout, SecurityFailed
from meterlink.model.order import OrderKind
from meterlink.model.zone import CHINA_TIME
from meterlink.trace import blanked
from meterprofiles import Profile
from meterwire.dlt645 import encode, to_frame
from meterwire.dlt645.items.dialects import dialect
from meterwire.dlt645.messages.control import ControlRequest, SealedControlRequest, SecurityRequest
from meterwire.dlt645.messages.secrets import secret_ranges
from meterwire.dlt645.sessions.command import CommandSession, State
from meterwire.errors import LocalProtocolError

_log = structlog.get_logger(__name__)

CODES: Final[dict[OrderKind, int]] = {
    OrderKind.TRIP: 0x1A,
    OrderKind.PERMIT_CLOSE: 0x1B,
    OrderKind.DIRECT_CLOSE: 0x1C,
    OrderKind.ALARM_ON: 0x2A,
    OrderKind.ALARM_OFF: 0x2B,
    OrderKind.GUARANTEE_ON: 0x3A,
    OrderKind.GUARANTEE_OFF: 0x3B,
}
"""N1 of each order. Trips that undo themselves (1DH, 1EH) are none of ours: a power cut ends them early."""
_WORDS_ASKED: Final = "010000"
"""In the place of a password: P2 = 01 asks for words of two octets. One source."""
_NO_WORDS: Final = "000000"
_CIPHER_OCTETS: Final = 16
_BLOCK_OCTETS: Final = 20
_Request = ControlRequest | SealedControlRequest | SecurityRequest


@dataclass(slots=True, eq=False, kw_only=True)
class Prepared645:
    """A control that is ready; see ``Prepared``.

    Args:
        kind: what it orders.
        session: gives its octets out, once.
        frame_hash: as ``Prepared`` has it.
        authentication: that it stands on; ``None``: in plain.
        is_sent: whether it was given to a line.

    """

    kind: OrderKind
    session: CommandSession = field(repr=False)
    frame_hash: str
    authentication: Authentication | None = field(repr=False)
    is_sent: bool = False


class Dlt645ControlDriver:
    """The control driver of DL/T 645-2007; see ``ControlDriver``.

    Args:
        clock: ours.
        profile: what the meters speak, and how.
        preamble: FEH octets before each request, 0 to 16, where it is not the profile's.
        zone: what the meters' clocks show.

    Raises:
        NoControl: the profile's edition has none.

    """

    def __init__(
        self,
        clock: Clock,
        *,
        profile: Profile,
        preamble: int | None = None,
        zone: tzinfo = CHINA_TIME,
    ) -> None:
        if profile.protocol != "dlt645-2007":
            raise NoControl(
                f"meters of {profile.protocol} (profile {profile.name}) take no control from this program: "
                "no source tells how; switch them by hand, with a field order"
            )
        talk = Talk645(clock, profile, preamble=preamble)
        spoken = dialect(profile.edition, profile.dialect)
        self._preamble = talk.preamble
        self._zone = zone
        self._cipher_level = spoken.cipher_level
        self._asks_words = profile.control.asks_words
        self._is_split = profile.control.cipher_block == "split"
        self._has_command = spoken.name == "state_grid"
        self._looks = Looks645(clock=clock, talk=talk, dictionary=profile.dictionary, zone=zone)
        self._purses = Purses645(clock=clock, looks=self._looks, preamble=talk.preamble)

    # --- looking ---

    async def identity(self, line: Exchanging, address: str) -> Identity:
        """See ``ControlDriver.identity``."""
        return await self._looks.identity(line, of_one_meter(address))

    async def firmware(self, line: Exchanging, address: str) -> tuple[str, ...]:
        """See ``ControlDriver.firmware``."""
        return await self._looks.firmware(line, of_one_meter(address))

    async def clock(self, line: Exchanging, address: str) -> ClockLook:
        """See ``ControlDriver.clock``."""
        return await self._looks.clock_look(line, of_one_meter(address))

    async def standing(self, line: Exchanging, address: str, known: Known = NOTHING_KNOWN) -> Standing:
        """See ``ControlDriver.standing``; of a dialect without supplements only the contact is known."""
        bits = bits_of(known) if self._has_command else STANDARD_BITS
        return await self._looks.standing(line, of_one_meter(address), bits)

    async def opening(self, line: Exchanging, address: str) -> Opening:
        """See ``ControlDriver.opening``."""
        return await self._looks.opening(line, of_one_meter(address))

    async def purse(self, line: Exchanging, address: str, security: Security | None = None) -> Purse:
        """See ``ControlDriver.purse``."""
        if security is None or isinstance(security, Plain):
            return await self._purses.plain(line, of_one_meter(address))
        return await self._purses.proven(line, of_one_meter(address), security)

    # --- sending ---

    async def prepare(
        self, line: Exchanging, address: str, command: Command, security: Security
    ) -> Prepared645:
        """See ``ControlDriver.prepare``."""
        desk = Desk645(
            address=of_one_meter(address), operator_code=command.operator_code, preamble=self._preamble
        )
        if isinstance(security, Plain):
            return self._ready(command.kind, self._plain_request(desk, command, security), None)
        if command.kind is not OrderKind.TOP_UP and self._cipher_level is None:
            raise NoControl(f"the dialect of meter {address} has no level for enciphered commands")
        authentication = await authenticate(line, desk, command.meter_number, security)
        async with ended_if_it_fails(line, authentication):
            request = await self._proven_request(authentication, command)
            return self._ready(command.kind, request, authentication)

    async def send(self, line: Exchanging, prepared: Prepared) -> ControlAnswer:
        """See ``ControlDriver.send``."""
        assert isinstance(prepared, Prepared645), "it was prepared by this driver"
        if prepared.is_sent:
            raise ValueError("a control is sent once; prepare another one")
        prepared.is_sent = True
        session, failure = prepared.session, ""
        try:
            await line.exchange(session, priority=PRIORITY)
        except asyncio.CancelledError:
            if session.state is State.SENDING:
                session.expire()  # what has not left by now never will
            raise
        except (ReplyTimeout, LineError, BusFull) as error:
            failure = str(error)
        except Exception as error:  # noqa: BLE001 - its octets may have left, whatever is wrong with us
            failure = f"this program broke over the answer ({type(error).__name__}): the log has it whole"
            _log.error("answer_broke_us", line=line.name, kind=prepared.kind, exc_info=error)
        session.expire()
        return answer_of(session, prepared.kind, failure, is_proved=prepared.authentication is not None)

    async def finish(self, line: Exchanging, prepared: Prepared) -> None:
        """See ``ControlDriver.finish``."""
        assert isinstance(prepared, Prepared645), "it was prepared by this driver"
        if prepared.authentication is not None:
            await prepared.authentication.end(line)

    def _ready(
        self, kind: OrderKind, request: _Request, authentication: Authentication | None
    ) -> Prepared645:
        """The request with its octets built, so that nothing is left that could go wrong before they leave.

        Raises:
            SecurityFailed: a field of it does not fit.

        """
        try:
            session = CommandSession(request, preamble=self._preamble)
            octets = encode(to_frame(request))
        except LocalProtocolError as error:
            raise SecurityFailed(f"meter {request.address}: {error}", code="unfit") from None
        frame_hash = hashlib.sha256(blanked(octets, secret_ranges(octets))).hexdigest()
        return Prepared645(kind=kind, session=session, frame_hash=frame_hash, authentication=authentication)

    def _plain_request(self, desk: Desk645, command: Command, security: Plain) -> ControlRequest:
        if command.kind is OrderKind.TOP_UP:
            raise SecurityFailed(
                f"meter {desk.address}: money needs the proof of a provider, and the configuration has a "
                "password only",
                code="no_keys",
            )
        return ControlRequest(
            address=desk.address,
            level=security.level,
            password=security.password(),
            operator_code=desk.operator_code,
            command=CODES[command.kind],
            expires=bytes.fromhex(f"{self._civil(command.expires_at):%y%m%d%H%M%S}")[::-1],
        )

    async def _proven_request(self, authentication: Authentication, command: Command) -> _Request:
        if command.kind is OrderKind.TOP_UP:
            return await _top_up(authentication, command)
        block = await authentication.provider.control645(
            authentication.ctx,
            rand2=authentication.rand2,
            n1=CODES[command.kind],
            n2=0,
            expiry=self._civil(command.expires_at),
        )
        if len(block) != _BLOCK_OCTETS:
            raise SecurityFailed(
                f"the provider gave a block of {len(block)} octets, not of {_BLOCK_OCTETS}", code="unfit"
            )
        if self._is_split:  # the block is turned round as a whole below: so each part is by itself
            block = block[_CIPHER_OCTETS:] + block[:_CIPHER_OCTETS]
        assert self._cipher_level is not None, "it was asked for before"
        return SealedControlRequest(
            address=authentication.desk.address,
            level=self._cipher_level,
            password=_WORDS_ASKED if self._asks_words else _NO_WORDS,
            operator_code=command.operator_code,
            cipher=block[:_CIPHER_OCTETS].hex(),
            mac=block[_CIPHER_OCTETS:].hex(),
        )

    def _civil(self, at: datetime) -> datetime:
        """What the meter's clock shows, without zone."""
        return at.astimezone(self._zone).replace(tzinfo=None)


async def _top_up(authentication: Authentication, command: Command) -> SecurityRequest:
    assert command.amount_cents is not None, "a top-up has an amount"
    assert command.purchase_count is not None, "a top-up has a count"
    mac1, mac2 = await authentication.provider.wallet645(
        authentication.ctx,
        rand2=authentication.rand2,
        kind="top_up",
        amount=command.amount_cents,
        count=command.purchase_count,
        customer=command.customer_number,
    )
    values: Fields = {
        "amount_cents": command.amount_cents,
        "purchase_count": command.purchase_count,
        "mac1": mac1.hex(),
        "customer": command.customer_number,
        "mac2": mac2.hex(),
    }
    try:
        return authentication.desk.request(TOP_UP, values)
    except LocalProtocolError as error:
        raise SecurityFailed(f"meter {authentication.desk.address}: {error}", code="unfit") from None
