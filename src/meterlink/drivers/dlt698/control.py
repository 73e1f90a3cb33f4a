"""Control of meters of DL/T 698.45: look, prove, and send one method call once.

With a provider the call goes in an association that both sides have proved, enciphered and with a MAC, and
its answer counts only if it is proved too. Under a password a close carries it, and everything else goes in
an association by password, where the meter does not insist on more. Which of the two is the caller's
``Security``, and nothing falls back from one to the other.
Source: control-and-prepayment, sections 4, 5 and 8.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from functools import partial
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
    Verdict,
)
from meterlink.drivers.dlt698 import control_looks as looks
from meterlink.drivers.dlt698.along import Asides
from meterlink.drivers.dlt698.control_asking import Asking698
from meterlink.drivers.dlt698.control_orders import (
    TASK_OTHER,
    TASKS,
    action_item,
    check,
    time_tag,
)
from meterlink.drivers.dlt698.control_session import (
    NUMBERS_AN_ORDER,
    PRIORITY,
    Agreement,
    Desk698,
    agree,
    agree_by_password,
    ended_if_it_fails,
)
from meterlink.drivers.dlt698.control_verdict import answer_of, explained, ours
from meterlink.drivers.dlt698.items import PROTOCOL
from meterlink.drivers.dlt698.talk import Talk, refusal
from meterlink.drivers.one_meter import of_one_meter
from meterlink.drivers.passwords import PasswordOf, no_password
from meterlink.drivers.proving import Plain, Provider, Security
from meterlink.drivers.reports import nobody_keeps
from meterlink.errors import (
    BusFull,
    LineError,
    NoControl,
    ReplyTimeout,
    SecurityFailed,
)
from meterlink.model.order import CLOSES, OrderKind
from meterlink.model.zone import CHINA_TIME
from meterlink.trace import blanked
from meterprofiles import Profile
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import Apdu
from meterwire.dlt698.apdus.get import (
    GetRequestNormal,
    GetResponseNormal,
)
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.apdus.security import SecurityResponse
from meterwire.dlt698.axdr.selection import Oad, SidMac
from meterwire.dlt698.axdr.values import Data
from meterwire.dlt698.objects.bit_words import BitOrder
from meterwire.dlt698.sessions.client import ClientSession
from meterwire.dlt698.sessions.matching import answers

_log = structlog.get_logger(__name__)

SECURITY_MODE: Final = Oad(0xF101, 2, 0)
_NOT_ENFORCED: Final = Data("enum", 0)
_ORDERS: Final[Mapping[str, BitOrder]] = {"msb_first": "bit0_first", "number": "number"}
"""How status words are sent, by the name of the fact."""
_NO_SUCH: Final = frozenset({Dar(4), Dar(6)})
_SHOWN_S: Final = timedelta(seconds=1)
"""A clock that shows whole seconds shows each for one."""


@dataclass(slots=True, eq=False, kw_only=True)
class Prepared698:
    """A control that is ready; see ``Prepared``.

    Args:
        request: the call, as the meter will read it.
        session: gives its octets out, once.
        frame_hash: as ``Prepared`` has it.
        agreement: that it stands on.
        is_sent: whether it was given to a line.

    """

    request: ActionRequestNormal = field(repr=False)
    session: ClientSession = field(repr=False)
    frame_hash: str
    agreement: Agreement = field(repr=False)
    is_sent: bool = False


class Dlt698ControlDriver:
    """The control driver of DL/T 698.45; see ``ControlDriver``.

    Args:
        clock: ours.
        profile: how the meters want to be spoken to.
        random_octets: gives as many random octets as it is asked for, other ones each time.
        preamble: FEH octets before each frame, 0 to 16, where it is not the profile's.
        zone: what the meters' clocks show.
        password_of: the password of a meter, where the profile reads under one.
        association_lost: is told the address of a meter whose association with its reader we have ended.

    """

    def __init__(
        self,
        clock: Clock,
        *,
        profile: Profile,
        random_octets: Callable[[int], bytes],
        preamble: int | None = None,
        zone: tzinfo = CHINA_TIME,
        password_of: PasswordOf = no_password,
        association_lost: Callable[[str], None] = lambda _: None,
    ) -> None:
        if profile.protocol != PROTOCOL:
            raise NoControl(f"profile {profile.name} is of {profile.protocol}, not of {PROTOCOL}")
        self._clock = clock
        self._zone = zone
        self._traits = profile.association
        self._preamble = profile.line.preamble if preamble is None else preamble
        self._association_lost = association_lost
        self._number = random_octets(1)[0]  # the numbers of an earlier life of ours are not used again
        self._talk = Talk(
            clock,
            profile,
            preamble=self._preamble,
            password_of=password_of,
            random_octets=random_octets,
            asides_of=partial(Asides, clock=clock, zone=zone, report=nobody_keeps),
        )
        self._asking = Asking698(self._talk)

    # --- looking ---

    async def identity(self, line: Exchanging, address: str) -> Identity:
        """See ``ControlDriver.identity``."""
        seen = await self._asking.given(line, address, looks.IDENTITY)
        return looks.identity(seen, f"meter {address}")

    async def firmware(self, line: Exchanging, address: str) -> tuple[str, ...]:
        """See ``ControlDriver.firmware``."""
        return looks.versions(await self._asking.one(line, of_one_meter(address), looks.VERSIONS))

    async def clock(self, line: Exchanging, address: str) -> ClockLook:
        """See ``ControlDriver.clock``."""
        of_one_meter(address)
        began_s = self._clock.monotonic_s()
        shown = await self._asking.one(line, address, looks.CLOCK)
        took = timedelta(seconds=self._clock.monotonic_s() - began_s)
        half_way = self._clock.utc_now() - took / 2
        if isinstance(shown, Dar):
            raise refusal(f"meter {address}", "its clock", shown)
        meter_at = looks.clock_shows(shown, f"meter {address}", self._zone)
        # The second that is shown began up to a second ago: its middle is the best guess.
        return ClockLook(offset=meter_at + _SHOWN_S / 2 - half_way, error=(took + _SHOWN_S) / 2)

    async def standing(self, line: Exchanging, address: str, known: Known = NOTHING_KNOWN) -> Standing:
        """See ``ControlDriver.standing``."""
        seen: dict[Oad, Data | Dar] = {}
        for oads in (looks.SWITCH, looks.LOAD, looks.RECORDS):
            seen.update(await self._asking.look(line, address, oads))
        return looks.standing(
            seen,
            taken_at=self._clock.utc_now(),
            zone=self._zone,
            order=_ORDERS.get(known.get("bit_order", "")),
            relay_bits=known.get("attr5_bits", ""),
        )

    async def opening(self, line: Exchanging, address: str) -> Opening:
        """See ``ControlDriver.opening``."""
        told = await self._asking.one(line, of_one_meter(address), looks.TRIP_CURRENT)
        return looks.opening(told)

    async def purse(self, line: Exchanging, address: str, security: Security | None = None) -> Purse:
        """See ``ControlDriver.purse``."""
        seen = dict(await self._asking.look(line, address, looks.PURSE))
        if security is None or isinstance(security, Plain):
            return self._purse(seen, address, is_proven=False)
        identity = await self.identity(line, address)
        agreement = await self._agreed(line, address, identity.meter_number, security)
        try:
            seen[looks.WALLET] = await self._proven(line, agreement, looks.WALLET)
        finally:
            await agreement.end(line)
        return self._purse(seen, address, is_proven=True)

    # --- sending ---

    async def prepare(
        self, line: Exchanging, address: str, command: Command, security: Security
    ) -> Prepared698:
        """See ``ControlDriver.prepare``."""
        of_one_meter(address)
        check(command)
        if isinstance(security, Plain):
            return await self._prepared_in_plain(line, address, command, security)
        agreement = await self._agreed(line, address, command.meter_number, security)
        async with ended_if_it_fails(line, agreement):
            request = self._call(agreement, command, proof=await _money_proof(agreement, command))
            sealed = await agreement.sealed(request, TASKS[command.kind])
            return _ready(agreement, request, sealed)

    async def send(self, line: Exchanging, prepared: Prepared) -> ControlAnswer:
        """See ``ControlDriver.send``."""
        assert isinstance(prepared, Prepared698), "it was prepared by this driver"
        if prepared.is_sent:
            raise ValueError("a control is sent once; prepare another one")
        prepared.is_sent = True
        session, failure = prepared.session, "nothing came back"
        try:
            await line.exchange(session, priority=PRIORITY)
        except asyncio.CancelledError:
            if not session.was_sent:
                session.expire()  # what has not left by now never will
            raise
        except (ReplyTimeout, LineError, BusFull) as error:
            failure = str(error)
        except Exception as error:  # noqa: BLE001 - its octets may have left, whatever is wrong with us
            failure = ours(error)
        session.expire()
        if not session.was_sent:
            return ControlAnswer(verdict=Verdict.UNSENT, told=f"nothing has left: {failure}")
        answer = await answer_of(prepared.agreement, prepared.request, session, failure)
        return await explained(line, prepared.agreement, prepared.request, answer)

    async def finish(self, line: Exchanging, prepared: Prepared) -> None:
        """See ``ControlDriver.finish``."""
        assert isinstance(prepared, Prepared698), "it was prepared by this driver"
        await prepared.agreement.end(line)

    # --- how it is prepared ---

    async def _agreed(self, line: Exchanging, address: str, number: str, provider: Provider) -> Agreement:
        return await agree(line, self._desk(address), self._asking.look, number, provider)

    async def _prepared_in_plain(
        self, line: Exchanging, address: str, command: Command, plain: Plain
    ) -> Prepared698:
        if command.kind is OrderKind.TOP_UP:
            raise SecurityFailed(
                f"meter {address}: money needs the proof of a provider, and the configuration has a password "
                "only",
                code="no_keys",
            )
        desk = self._desk(address)
        if command.kind in CLOSES:
            agreement = Agreement(desk=desk, association=desk.association())
            request = self._call(agreement, command, password=plain.password())
            return _ready(agreement, request, request)
        await self._check_takes_plain(line, address)
        agreement = await agree_by_password(line, desk, plain)
        async with ended_if_it_fails(line, agreement):
            request = self._call(agreement, command)
            return _ready(agreement, request, request)

    async def _check_takes_plain(self, line: Exchanging, address: str) -> None:
        """A meter that insists on protection would refuse, and count that; one without modes has none."""
        [(_, mode)] = (await self._asking.look(line, address, (SECURITY_MODE,))).items()
        if mode != _NOT_ENFORCED and mode not in _NO_SUCH:
            raise SecurityFailed(
                f"meter {address} enforces its security modes, or does not say: a provider is needed",
                code="enforced",
            )

    def _call(
        self,
        agreement: Agreement,
        command: Command,
        *,
        proof: SidMac | None = None,
        password: str | None = None,
    ) -> ActionRequestNormal:
        return ActionRequestNormal(
            piid=agreement.association.next_piid(),
            item=action_item(command, proof=proof, password=password),
            time_tag=time_tag(command, self._zone),
        )

    def _desk(self, address: str) -> Desk698:
        self._number += NUMBERS_AN_ORDER
        return Desk698(
            address=address,
            traits=self._traits,
            preamble=self._preamble,
            first_number=self._number,
            leave=partial(self._talk.leave, address=address, priority=PRIORITY),
            begun=self._lost,
        )

    def _lost(self, address: str) -> None:
        self._talk.lost(address)
        self._association_lost(address)

    # --- asking ---

    async def _proven(self, line: Exchanging, agreement: Agreement, oad: Oad) -> Data | Dar:
        """An attribute out of an envelope that the meter has proved.

        Raises:
            SecurityFailed: it is not proved.

        """
        request = GetRequestNormal(piid=agreement.association.next_piid(), oad=oad)
        session = agreement.session(await agreement.sealed(request, TASK_OTHER), inside=request)
        await line.exchange(session, priority=PRIORITY)
        reply = session.reply
        told = await agreement.opened(reply) if isinstance(reply, SecurityResponse) else None
        if isinstance(told, Dar):
            raise refusal(f"meter {agreement.desk.address}", "the envelope", told)
        if not isinstance(told, GetResponseNormal) or not answers(request, told):
            raise SecurityFailed(
                f"meter {agreement.desk.address} has not proved its answer", code="not_verified"
            )
        return told.result.result

    def _purse(self, seen: looks.Seen, address: str, *, is_proven: bool) -> Purse:
        if isinstance(wallet := seen[looks.WALLET], Dar):
            raise refusal(f"meter {address}", "its wallet", wallet)
        taken_at = self._clock.utc_now()
        return looks.purse(seen, f"meter {address}", taken_at=taken_at, is_proven=is_proven)


async def _money_proof(agreement: Agreement, command: Command) -> SidMac | None:
    """What goes with money into its call; ``None`` for every other order."""
    if command.kind is not OrderKind.TOP_UP:
        return None
    assert agreement.provider is not None, "in plain no money goes"
    assert command.amount_cents is not None, "it was checked"
    assert command.purchase_count is not None, "it was checked"
    made = await agreement.provider.purse698(
        agreement.handle,
        kind="top_up",
        amount=command.amount_cents,
        count=command.purchase_count,
        customer=command.customer_number,
    )
    return SidMac(int.from_bytes(made.sid, "big"), made.additional, made.mac)


def _ready(agreement: Agreement, request: ActionRequestNormal, sent: Apdu) -> Prepared698:
    """The call with its octets built, so that nothing is left that could go wrong before they leave."""
    octets = agreement.session(sent, inside=request).octets_to_send()
    session = agreement.session(sent, inside=request)
    frame_hash = hashlib.sha256(blanked(octets, session.secret_ranges(octets))).hexdigest()
    return Prepared698(request=request, session=session, frame_hash=frame_hash, agreement=agreement)
