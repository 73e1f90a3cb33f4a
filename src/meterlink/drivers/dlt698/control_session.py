"""An association for one order: agreed on with a provider's proof or a password, used, and ended.

A provider proves us by the meter's session counter and takes the meter's proof in return; what is sent then
goes enciphered and with a MAC, and an answer counts only out of such an envelope. Nothing here is tried
twice: a wrong proof counts against the meter's lockout, and whoever fails stops.

A meter has one association at a time. So this one ends that of whoever reads the meter, who has to be told.
Source: control-and-prepayment, sections 1.3, 4.7, 5.1, 5.2 and 7.1.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from meterlink.bus.line import Exchanging
from meterlink.bus.queue import Priority
from meterlink.drivers.dlt698.control_looks import METER_NUMBER, Seen, meter_number
from meterlink.drivers.dlt698.control_orders import LEVEL
from meterlink.drivers.dlt698.talk import code_words, whole_answer
from meterlink.drivers.proving import Plain, Provider
from meterlink.errors import BadAnswer, MeterlinkError, SecurityFailed
from meterprofiles import AssociationTraits
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import (
    ConnectResponse,
    Mechanism,
    PasswordSecurity,
    SecurityData,
    SymmetricSecurity,
)
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.apdus.security import CipherUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.selection import Oad, SidMac
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.sessions.association import CONNECT_ALLOWED, Association, AssociationState, Offer
from meterwire.dlt698.sessions.client import ClientSession
from meterwire.errors import LocalProtocolError, RemoteProtocolError

PRIORITY: Final = Priority.CONTROL
"""Of everything that an order asks: it holds the line."""
TIMEOUT_S: Final = 600
"""Silence after which a meter may end the association of an order that has never ended it."""
NUMBERS_AN_ORDER: Final = 8
"""Service numbers that one association may use; the next one goes on behind them."""

SERIAL, KEY_VERSION, COUNTERS = (Oad(0xF100, attribute, 0) for attribute in (2, 4, 7))
FACTS: Final = (METER_NUMBER, SERIAL, KEY_VERSION, COUNTERS)
"""What a provider has to know of a meter. Source: section 5.1, step 1."""
TEST_KEYS, UTILITY_KEYS = 0, 1
_SERIAL_OCTETS: Final = 8
_COUNTER_MAX: Final = 0xFFFF_FFFF
_REFUSALS: Final[Mapping[int, str]] = {2: "mac", 3: "mac", 4: "mac"}
"""Results of a CONNECT that mean a wrong proof; every other one is ``refused_by_meter``."""


class Look(Protocol):
    """Asks a meter for attributes in the clear."""

    async def __call__(self, line: Exchanging, address: str, oads: tuple[Oad, ...]) -> Seen:
        """What it answered; what it refused is a DAR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk698:
    """Where associations with one meter are begun.

    Args:
        address: of the meter.
        traits: how it wants to be spoken to.
        preamble: FEH octets before each frame.
        first_number: service number behind which ours begin.
        leave: closes an association that a reader may have left open: there are meters that refuse another
            one beside it.
        begun: is told that another association begins, which ends the reader's.

    """

    address: str
    traits: AssociationTraits
    preamble: int
    first_number: int
    leave: Callable[[Exchanging], Awaitable[None]]
    begun: Callable[[str], None]

    def association(self) -> Association:
        """A fresh one."""
        return Association(
            ServerAddress(self.address, logical=self.traits.logical),
            client=self.traits.client,
            offer=Offer(version=self.traits.version, timeout_s=TIMEOUT_S),
            preamble=self.preamble,
            first_number=self.first_number,
        )

    async def connect(self, line: Exchanging, association: Association, auth: Mechanism) -> ConnectResponse:
        """CONNECT, once.

        Raises:
            SecurityFailed: the meter said no.
            BadAnswer: it answered something else.
            ReplyTimeout, LineError, BusFull: from the line.

        """
        try:
            session = association.connect(auth)
        except LocalProtocolError:  # its words might hold the password
            raise SecurityFailed(f"meter {self.address}: the proof cannot be sent", code="unfit") from None
        self.begun(self.address)
        await line.exchange(session, priority=PRIORITY)
        association.settle(session)
        answer = whole_answer(session, self.address)
        if not isinstance(answer, ConnectResponse):
            raise BadAnswer(f"meter {self.address} answered a CONNECT with something else")
        if answer.result != CONNECT_ALLOWED:
            words = code_words("connect_result", answer.result)
            code = _REFUSALS.get(answer.result, "refused_by_meter")
            raise SecurityFailed(f"meter {self.address} refused to connect: {words}", code=code)
        return answer


@dataclass(slots=True, eq=False, kw_only=True)
class Agreement:
    """An association that was agreed on for one order.

    Args:
        desk: where.
        association: it; in the preset one where nothing had to be agreed on.
        provider: who proves; ``None``: nobody, everything goes in plain.
        handle: the provider's, of the session.

    """

    desk: Desk698
    association: Association
    provider: Provider | None = None
    handle: str = field(default="", repr=False)

    def session(self, request: Apdu, *, inside: Apdu | None = None) -> ClientSession:
        """One request in it, ready and not sent.

        Raises:
            SecurityFailed: it cannot be built.

        """
        try:
            return self.association.exchange(request, inside=inside)
        except LocalProtocolError as error:
            raise SecurityFailed(f"meter {self.desk.address}: {error}", code="unfit") from None

    async def sealed(self, apdu: Apdu, task: int) -> SecurityRequest:
        """A request in its envelope.

        Raises:
            SecurityFailed: there is no envelope.

        """
        assert self.provider is not None, "in plain there are no envelopes"
        plain = encode_apdu(apdu)
        made = await self.provider.protect698(self.handle, level=LEVEL, task=task, apdu=plain)
        if made.mac is None or plain in made.data:
            raise SecurityFailed("the provider gave an envelope that is open", code="unfit")
        verify = SidMac(int.from_bytes(made.sid, "big"), made.additional, made.mac)
        return SecurityRequest(unit=CipherUnit(made.data), verify=verify)

    async def opened(self, reply: SecurityResponse) -> Any:
        """What an answer holds, proved; a DAR of an envelope that the meter has not opened.

        Raises:
            SecurityFailed: it is not proved, or holds nothing that can be read.

        """
        assert self.provider is not None, "in plain there are no envelopes"
        if isinstance(reply.unit, Dar):
            return reply.unit
        if not isinstance(reply.unit, CipherUnit) or reply.verify is None:
            raise SecurityFailed("the answer is not enciphered, or has no MAC", code="not_verified")
        octets = await self.provider.open698(
            self.handle, level=LEVEL, data=reply.unit.octets, mac=reply.verify.mac
        )
        try:
            return decode_apdu(octets)
        except RemoteProtocolError:
            raise SecurityFailed("what the answer's envelope holds cannot be read", code="unfit") from None

    async def end(self, line: Exchanging) -> None:
        """End it at both sides; what goes wrong there ends with the meter's own time."""
        if self.association.state is AssociationState.CONNECTED:
            with contextlib.suppress(MeterlinkError):
                session = self.association.release()
                await line.exchange(session, priority=PRIORITY)
            self.association.lost()
        if self.provider is not None and self.handle:
            handle, self.handle = self.handle, ""
            with contextlib.suppress(MeterlinkError):
                await self.provider.close(handle)
        self.desk.begun(self.desk.address)


@contextlib.asynccontextmanager
async def ended_if_it_fails(line: Exchanging, agreement: Agreement) -> AsyncIterator[None]:
    """End an agreement when what it was for fails; cancelled, the meter's own time ends it."""
    try:
        yield
    except MeterlinkError:
        await agreement.end(line)
        raise


async def agree(line: Exchanging, desk: Desk698, look: Look, number: str, provider: Provider) -> Agreement:
    """An association that a provider has proved, both ways.

    Args:
        line: running, or held.
        desk: of the meter.
        look: asks it what the provider has to know.
        number: of the meter that is meant.
        provider: who proves.

    Raises:
        SecurityFailed: the provider is away, slow or says no; the meter says no, or is another one.
        BadAnswer: the meter's answer does not fit.
        ReplyTimeout, LineError, BusFull, Refused: from the line and the meter.

    """
    facts = _Facts.of(await look(line, desk.address, FACTS), desk.address)
    if facts.number != number:
        raise SecurityFailed(
            f"meter {desk.address} says that it is number {facts.number}, and {number} is meant",
            code="other_meter",
        )
    await desk.leave(line)
    begun = await provider.init698(**facts.keys, counter=facts.counter + 1)
    agreement = Agreement(desk=desk, association=desk.association(), provider=provider)
    auth = SymmetricSecurity(begun.cipher1, begun.sign1)
    async with ended_if_it_fails(line, agreement):
        told = (await desk.connect(line, agreement.association, auth)).security_data
        if not isinstance(told, SecurityData):
            raise SecurityFailed(f"meter {desk.address} has not proved itself", code="not_verified")
        agreement.handle = await provider.verify698(
            **facts.keys, r1=begun.r1, data=told.rn, sign=told.signature
        )
    return agreement


async def agree_by_password(line: Exchanging, desk: Desk698, plain: Plain) -> Agreement:
    """An association by the meter's password.

    Raises:
        SecurityFailed: there is no password, or the meter says no.
        BadAnswer, ReplyTimeout, LineError, BusFull: see ``agree``.

    """
    await desk.leave(line)
    agreement = Agreement(desk=desk, association=desk.association())
    async with ended_if_it_fails(line, agreement):
        await desk.connect(line, agreement.association, PasswordSecurity(plain.password()))
    return agreement


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a provider has to know of a meter."""

    number: str
    serial: bytes
    key_version: bytes
    counter: int

    @classmethod
    def of(cls, seen: Seen, address: str) -> _Facts:
        """Out of what the meter answered.

        Raises:
            BadAnswer: something is missing.

        """
        counters = seen.get(COUNTERS)
        first = counters.value[0] if isinstance(counters, Data) and counters.value else None
        serial, version = (_octets(seen.get(oad)) for oad in (SERIAL, KEY_VERSION))
        counter = first.value if isinstance(first, Data) else None
        fits = len(serial) == _SERIAL_OCTETS and version
        if not fits or not isinstance(counter, int) or not 0 <= counter < _COUNTER_MAX:
            raise BadAnswer(
                f"meter {address} does not tell serial, key version and session counter of its module"
            )
        number = meter_number(seen[METER_NUMBER], f"meter {address}")
        return cls(number=number, serial=serial, key_version=version, counter=counter)

    @property
    def keys(self) -> dict[str, Any]:
        """Which keys, and of whom: test keys are told apart by the module's serial, others by the meter."""
        if any(self.key_version):
            return {"key_state": UTILITY_KEYS, "div": bytes.fromhex(f"0000{self.number}")}
        return {"key_state": TEST_KEYS, "div": self.serial}


def _octets(data: Data | Dar | None) -> bytes:
    return data.value if isinstance(data, Data) and data.type == "octet-string" else b""
