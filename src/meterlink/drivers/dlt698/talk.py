"""Asking meters of DL/T 698.45: one association a meter, requests in it, and refusals in words.

Most meters answer in the association that is always there. Where the profile says so, a CONNECT goes first;
what it brought is kept until the meter ends it, stays silent or refuses, and then it is sent again: once for
a request that found the association gone. Service numbers go on from exchange to exchange, so that a late
answer never passes for that of a later question.
Source: spec dlt698, sections 2.1, 3.3, 3.4 and 3.10.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.clock import Clock
from meterlink.drivers.dlt698.along import Asides
from meterlink.drivers.dlt698.portion import Portion
from meterlink.drivers.passwords import PasswordOf
from meterlink.errors import BadAnswer, ConfigError, LineError, Refused, ReplyTimeout
from meterprofiles import AssociationTraits, Profile
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.association import ConnectResponse, Mechanism, NullSecurity, PasswordSecurity
from meterwire.dlt698.apdus.enumerations import meaning
from meterwire.dlt698.apdus.get import GetResponseNext, GetResponseNormal, GetResponseRecord
from meterwire.dlt698.apdus.parts import Dar, Piid
from meterwire.dlt698.apdus.security import SecurityResponse
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions.association import CONNECT_ALLOWED, Association, AssociationState, Offer
from meterwire.dlt698.sessions.client import ClientSession, with_random_number
from meterwire.dlt698.sessions.matching import ERRORS
from meterwire.errors import LocalProtocolError, RemoteProtocolError

ASSOCIATIONS_MAX: Final = 4_096
"""Meters of one line whose association is remembered; of more, the one asked longest ago is forgotten."""
PASSWORD_MAX: Final = 64
"""Longest password that is sent; meters take 8 to 16 characters."""
_IDLE_SHARE: Final = 0.9
"""Of the agreed silence, after which an association is taken for ended: clocks do not run alike."""
_GONE: Final = frozenset({Dar(15), Dar(20), Dar(23)})
"""DARs of a meter that takes us for a stranger."""

NO_SUCH_OBJECT: Final = frozenset({Dar(4), Dar(5), Dar(6)})
"""The meter does not have what was asked for: undefined, of another class, or not there.
Any other DAR may end."""
_CONNECT_OTHER: Final = 255
"""Result of a CONNECT with no reason; also that of an association which is open already."""

_NO_SERVICE: Final = 2
_OTHER: Final = 255
"""Types of ERROR: there is no such service; anything else."""

RequestOf = Callable[[Piid], Apdu]
"""Makes a request with a service number."""


class RequestRefused(Refused):
    """An ERROR in the place of an answer: nothing of the request was taken.

    Args:
        message: one sentence for an operator.
        error: its type.

    """

    def __init__(self, message: str, *, error: int) -> None:
        super().__init__(message, error_word=bytes([error]))
        self.error = error

    @property
    def is_of_service(self) -> bool:
        """Whether it says that there is no such service, whatever is asked by it."""
        return self.error == _NO_SERVICE

    @property
    def may_be_too_long(self) -> bool:
        """Whether the reason may be that the answer would be longer than it can send."""
        return self.error == _OTHER


class Asking(Protocol):
    """Who carries a request to a meter: straight, or through somebody who asks it for us."""

    async def ask(self, line: Exchanging, address: str, request_of: RequestOf, *, priority: Priority) -> Any:
        """See ``Talk.ask``."""

    def lost(self, address: str) -> None:
        """See ``Talk.lost``."""

    def portion(self, address: str) -> Portion:
        """How much a meter is asked for at once."""


class Talk:
    """The associations with the meters of one profile on one line.

    Args:
        clock: for the silence that ends an association.
        profile: of the meters.
        preamble: FEH octets before each frame, 0 to 16.
        password_of: asked when a CONNECT needs it, and not kept.
        random_octets: gives as many random octets as it is asked for.
        asides_of: makes the ear for what the meter of an address tells along with its answers.

    Attributes:
        breaks: how often the line was found broken.

    """

    def __init__(
        self,
        clock: Clock,
        profile: Profile,
        *,
        preamble: int,
        password_of: PasswordOf,
        random_octets: Callable[[int], bytes],
        asides_of: Callable[[str], Asides],
    ) -> None:
        self.breaks = 0
        self._asides_of = asides_of
        self._clock = clock
        self._traits: AssociationTraits = profile.association
        self._preamble = preamble
        self._password_of = password_of
        self._protect = with_random_number(random_octets) if self._traits.wrap_reads else None
        self._random_octets = random_octets
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def ask(
        self,
        line: Exchanging,
        address: str,
        request_of: RequestOf,
        *,
        priority: Priority,
        may_repeat: bool = True,
    ) -> Any:
        """The answer to one request, whole and out of its envelope.

        Args:
            line: running.
            address: of the meter, 12 digits.
            request_of: makes the request.
            priority: who goes first.
            may_repeat: it does no harm twice; ``False``: it leaves once, whatever comes back.

        Raises:
            Refused: the meter said no, to the association or to the whole request.
            BadAnswer: it answered in pieces that make no whole, or what cannot be read.
            ConfigError: the password is missing, or cannot be sent.
            ReplyTimeout, LineLost, LineBusy, LineClosed, BusFull: from the line.

        """
        kept = self._of(address)
        fresh = await self._connect(line, kept, priority)
        session = await self._exchange(line, kept, request_of, priority)
        if may_repeat and self._traits.connect != "never" and not fresh and _is_gone(session):
            kept.association.lost()
            await self._connect(line, kept, priority)
            session = await self._exchange(line, kept, request_of, priority)
        return whole_answer(session, address)

    async def leave(self, line: Exchanging, address: str, *, priority: Priority) -> None:
        """Close what may be open, for somebody who begins an association of his own; no answer will do.

        Raises:
            LineLost, LineBusy, LineClosed, BusFull: from the line.

        """
        if self._traits.connect == "never":
            return
        kept = self._of(address)
        with suppress(ReplyTimeout, BadAnswer):
            await self._carry(line, kept, kept.association.release(), priority)
        kept.association.lost()

    def lost(self, address: str) -> None:
        """Somebody else has ended what was agreed with a meter, by an association of his own."""
        if address in self._kept:
            self._kept[address].association.lost()

    def portion(self, address: str) -> Portion:
        """How much a meter is asked for at once."""
        return self._of(address).portion

    async def _connect(self, line: Exchanging, kept: _Kept, priority: Priority) -> bool:
        """Open the association where one is wanted and none is open; whether that was done."""
        if self._traits.connect == "never":
            return False
        async with kept.connecting:  # several plans may want it at once, and a second CONNECT be refused
            association = kept.association
            if association.agreed is not None:
                idle_s = self._clock.monotonic_s() - kept.used_s
                if idle_s > _IDLE_SHARE * association.agreed.timeout_s > 0:
                    association.lost()
            if association.state is AssociationState.CONNECTED:
                return False
            result = await self._ask_to_connect(line, kept, priority)
            if result == _CONNECT_OTHER:  # an association that we took for lost may still be open
                await self._carry(line, kept, association.release(), priority)
                result = await self._ask_to_connect(line, kept, priority)
            if result != CONNECT_ALLOWED:
                words = code_words("connect_result", result)
                raise Refused(f"meter {kept.address} refused to connect: {words}", error_word=bytes([result]))
            return True

    async def _ask_to_connect(self, line: Exchanging, kept: _Kept, priority: Priority) -> int:
        """The result of one CONNECT."""
        session = _session_of(kept.association, self._mechanism(kept.address))
        await self._carry(line, kept, session, priority)
        reply = session.reply
        if isinstance(reply, ConnectResponse):
            return int(reply.result)
        whole_answer(session, kept.address)
        raise BadAnswer(f"meter {kept.address} answered a CONNECT with something else")

    def _mechanism(self, address: str) -> Mechanism:
        if self._traits.connect == "null":
            return NullSecurity()
        password = self._password_of(address)
        if not (password.isascii() and password.isprintable() and 0 < len(password) <= PASSWORD_MAX):
            raise ConfigError(
                f"the password of meter {address} cannot be sent: 1 to {PASSWORD_MAX} characters of ASCII",
                f"电表 {address} 的密码无法发送:须为 1 至 {PASSWORD_MAX} 个 ASCII 字符",
            )
        return PasswordSecurity(password)

    async def _exchange(
        self, line: Exchanging, kept: _Kept, request_of: RequestOf, priority: Priority
    ) -> ClientSession:
        session = kept.association.exchange(request_of(kept.association.next_piid()))
        await self._carry(line, kept, session, priority)
        return session

    async def _carry(self, line: Exchanging, kept: _Kept, session: ClientSession, priority: Priority) -> None:
        association = kept.association
        try:
            await line.exchange(session, priority=priority)
        except ReplyTimeout:
            kept.asides.heard(session)  # blocks that came may have brought something
            association.lost()
            if session.fault is not None:
                raise _unreadable(kept.address, session.fault) from None
            raise
        except LineError:
            self.breaks += 1
            association.lost()
            raise
        kept.asides.heard(session)
        association.settle(session)
        kept.used_s = self._clock.monotonic_s()

    def _of(self, address: str) -> _Kept:
        kept = self._kept.get(address)
        if kept is None:
            server = ServerAddress(address, logical=self._traits.logical)
            first = self._random_octets(1)[0]  # the numbers of an earlier life of ours are not used again
            kept = _Kept(
                address,
                Association(
                    server,
                    client=self._traits.client,
                    offer=Offer(version=self._traits.version),
                    preamble=self._preamble,
                    protect=self._protect,
                    first_number=first,
                ),
                self._asides_of(address),
                Portion(self._clock.monotonic_s),
            )
            self._kept[address] = kept
            if len(self._kept) > ASSOCIATIONS_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(address)
        return kept


class _Kept:
    """A meter's association, what it tells besides, how much it answers, and when it was last heard."""

    __slots__ = ("address", "asides", "association", "connecting", "portion", "used_s")

    def __init__(self, address: str, association: Association, asides: Asides, portion: Portion) -> None:
        self.address = address
        self.association = association
        self.asides = asides
        self.portion = portion
        self.connecting = asyncio.Lock()
        self.used_s = 0.0


def refusal(meter: str, what: str, dar: Dar) -> Refused:
    """The error for a DAR in the place of an answer.

    Args:
        meter: who refused, for the message.
        what: was asked.
        dar: why not.

    """
    words = f"{meter} refused {what}: {code_words('dar', dar)}"
    return Refused(words, error_word=bytes([dar]), no_such=dar in NO_SUCH_OBJECT)


def _session_of(association: Association, mechanism: Mechanism) -> ClientSession:
    try:
        return association.connect(mechanism)
    except LocalProtocolError:  # its words might hold the password
        raise ConfigError("the password of a meter cannot be sent", "电表的密码无法发送") from None


def _is_gone(session: ClientSession) -> bool:
    """Whether the meter no longer knows the association."""
    reply = session.reply
    if session.released is not None or isinstance(reply, ERRORS):
        return True
    dar: object
    match reply:
        case SecurityResponse():
            dar = reply.unit
        case GetResponseNormal():
            dar = reply.result.result
        case GetResponseRecord():
            dar = reply.record.result
        case _:
            return False
    return isinstance(dar, Dar) and dar in _GONE


def whole_answer(session: ClientSession, address: str) -> Any:
    """The answer that a finished exchange brought.

    Args:
        session: finished.
        address: of the meter, for messages.

    Raises:
        Refused: the meter said no to the whole request.
        BadAnswer: it answered in pieces that make no whole, or what cannot be read.

    """
    reply = session.reply
    if isinstance(reply, ERRORS):
        words = code_words("error_type", reply.error)
        raise RequestRefused(f"meter {address} answered with an error: {words}", error=reply.error)
    if isinstance(reply, SecurityResponse):
        if isinstance(reply.unit, Dar):
            raise refusal(f"meter {address}", "the envelope", reply.unit)
        raise BadAnswer(f"meter {address} answered enciphered, which nobody here can read")
    if isinstance(reply, GetResponseNext) and isinstance(reply.result, Dar):
        raise refusal(f"meter {address}", "the next block", reply.result)
    if reply is None:
        if session.released is not None:
            raise BadAnswer(f"meter {address} ended the association")
        if session.fault is not None:
            raise _unreadable(address, session.fault)
        raise BadAnswer(f"meter {address} answered in blocks that make no whole")
    return reply


def _unreadable(address: str, fault: RemoteProtocolError) -> BadAnswer:
    """The error for a meter that is there: nobody shall look for it on the wires.

    The fault's own words may name an octet of the answer, and that could be one of a secret.
    """
    place = "" if fault.offset is None else f" at octet {fault.offset}"
    return BadAnswer(f"meter {address} answered, but its answer cannot be used: {fault.kind}{place}")


def code_words(enumeration: str, code: int) -> str:
    """What a code of the standard means, in both languages, and its number."""
    found = meaning(enumeration, code)
    words = f"{found.en} {found.zh}" if found else "of no meaning in the standard"
    return f"{words} ({enumeration.replace('_', ' ')} {int(code)})"
