"""A client of DL/T 698.45 with a security provider, before a simulated meter that can be ordered about."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from metersim.dlt698 import Meter698
from metersim.dlt698.modes import Modes
from metersim.security.provider import LabProvider, Wallet698
from metersim.security.suite698 import Level
from metersim.works.account import Account, AccountLimits
from metersim.works.clock import MeterClock
from metersim.works.cost_control import REMOTE, CostControl
from metersim.works.memory import ControlMemory
from metersim.works.switch import Switch
from metersim.works.works import Works, usual_works
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.association import ConnectResponse, SymmetricSecurity
from meterwire.dlt698.apdus.get import GetRequestNormal
from meterwire.dlt698.apdus.parts import ActionItem, ActionResult, Dar, TimeTag
from meterwire.dlt698.apdus.security import (
    CipherUnit,
    PlainUnit,
    Rn,
    SecurityRequest,
    SecurityResponse,
)
from meterwire.dlt698.axdr.selection import Oad, Omd, Sid, SidMac, Ti
from meterwire.dlt698.axdr.values import NULL, Data, DateTimeS
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from tests.support.meter698 import AT, Client, found

ADDRESS = "202611220001"
CUSTOMER = "000012345678"
DIVERSIFIER = bytes.fromhex(f"0000{ADDRESS}")
RELAY = Data("OAD", Oad(0xF205, 2, 1))
SINCE = AT - timedelta(days=10)


@dataclass(slots=True)
class Parts:
    """Clock, switch, wallet and memory of a meter whose current and energy the test says."""

    works: Works
    switch: Switch
    memory: ControlMemory
    account: Account | None
    current_a: Decimal = Decimal(0)
    used: int = 0

    @property
    def clock(self) -> MeterClock:
        return self.works.clock

    def advance(self, at: datetime) -> None:
        self.switch.advance(at)


def parts(
    character: CostControl = REMOTE, *, wallet_cents: int | None = None, limits: AccountLimits | None = None
) -> Parts:
    """Of one meter; with a wallet when money is named.

    Args:
        character: of the meter.
        wallet_cents: money that it begins with.
        limits: of the wallet.

    """
    works = usual_works(ADDRESS, seed=1, since=SINCE)
    memory = ControlMemory(shows=works.clock.shows)
    switch = Switch(memory=memory, since=SINCE, character=character, current_a=lambda _: made.current_a)
    made = Parts(works, switch, memory, None)
    if wallet_cents is not None:
        made.account = Account(
            switch,
            since=SINCE,
            energy=lambda _: (made.used, 0, 0, 0),
            preset_cents=wallet_cents,
            limits=limits,
            customer_number=CUSTOMER,
            opened=True,
        )
    return made


class Secured(Client):
    """A client with a provider.

    Args:
        made: what the meter is made of.
        enforced: whether the meter insists on its security modes.
        at: true time of whatever is asked.

    """

    def __init__(self, made: Parts | None = None, *, enforced: bool = False, at: datetime = AT) -> None:
        self.parts = made or parts()
        self.meter = Meter698(
            ADDRESS,
            seed=1,
            works=self.parts.works,
            controlled=self.parts,
            modes=Modes(enforced=enforced),
        )
        super().__init__(self.meter, at=at)
        self.provider = LabProvider(random.Random(7).randbytes)
        self.session = ""

    def associate(self, counter: int = 1) -> ConnectResponse:
        """CONNECT by keys; the provider checks the meter's proof."""
        begun = self.provider.init698(0, DIVERSIFIER, counter)
        answer: ConnectResponse = self.run(
            self.association.connect(SymmetricSecurity(begun.cipher1, begun.sign1))
        )
        if answer.security_data is not None:
            data, sign = answer.security_data
            self.session = self.provider.verify698(0, DIVERSIFIER, begun.r1, data=data, sign=sign)
        return answer

    def envelope(self, apdu: Apdu, level: Level = Level.CIPHER_MAC) -> SecurityRequest:
        """A request as the provider protects it."""
        made = self.provider.protect698(self.session, level, encode_apdu(apdu))
        unit = PlainUnit(made.data) if level is Level.PLAIN_MAC else CipherUnit(made.data)
        sid = int.from_bytes(made.sid, "big")
        verify = Sid(sid, made.additional) if made.mac is None else SidMac(sid, made.additional, made.mac)
        return SecurityRequest(unit=unit, verify=verify)

    def send(self, request: Apdu) -> Any:
        """The meter's answer, as it came."""
        heard = self.say(found(request, ServerAddress(ADDRESS)))
        return decode_apdu(link.decode(heard).user_data)

    def sealed(self, apdu: Apdu, level: Level = Level.CIPHER_MAC) -> Any:
        """The answer to a request in an envelope, out of its own; the DAR of an envelope that is refused."""
        answer = self.send(self.envelope(apdu, level))
        assert isinstance(answer, SecurityResponse)
        if isinstance(answer.unit, Dar):
            return answer.unit
        mac = answer.verify.mac if answer.verify else None
        return decode_apdu(self.provider.open698(self.session, level, answer.unit.octets, mac))

    def proved(self, oad: str) -> Any:
        """A read with a random number, its answer proved."""
        rn = self.provider.rand698()
        inner = GetRequestNormal(piid=self.association.next_piid(), oad=Oad.of(oad))
        answer = self.send(SecurityRequest(unit=PlainUnit(encode_apdu(inner)), verify=Rn(rn)))
        assert isinstance(answer, SecurityResponse)
        assert isinstance(answer.unit, PlainUnit)
        assert answer.verify is not None
        self.provider.verify_read698(ADDRESS, rn, data=answer.unit.octets, mac=answer.verify.mac)
        result: Any = decode_apdu(answer.unit.octets)
        return result.result.result

    def tag(self) -> TimeTag:
        """A time tag of now, good for five minutes."""
        shown = self.parts.clock.shows(self.at)
        return TimeTag(DateTimeS.of(shown), Ti(1, 5))

    def action(self, oi: int, method: int, data: Data = NULL, *, tagged: bool = True) -> ActionRequestNormal:
        """A call of a method."""
        item = ActionItem(Omd(oi, method), data)
        piid = self.association.next_piid()
        return ActionRequestNormal(piid=piid, item=item, time_tag=self.tag() if tagged else None)

    def order(self, oi: int, method: int, data: Data = NULL, level: Level = Level.CIPHER_MAC) -> ActionResult:
        """What came of a method that was called in an envelope."""
        answer: ActionResult = self.sealed(self.action(oi, method, data), level).item
        return answer

    def purse(
        self, operation: int, cents: int, count: int, *, customer: str = CUSTOMER, proof_of: int | None = None
    ) -> Data:
        """The parameter of a wallet operation; ``proof_of``: the MAC is over that amount."""
        made = self.provider.purse698(
            self.session,
            kind=Wallet698.TOP_UP,
            amount=cents if proof_of is None else proof_of,
            count=count,
            customer=customer,
        )
        members = (
            Data("integer", operation),
            Data("double-long-unsigned", cents),
            Data("double-long-unsigned", count),
            Data("octet-string", bytes.fromhex(customer)),
            Data("SID_MAC", SidMac(int.from_bytes(made.sid, "big"), made.additional, made.mac)),
            Data("octet-string", bytes.fromhex(ADDRESS)),
        )
        return Data("structure", members)


def trip_data(
    *, delay_min: int = 0, limit_min: int = 0, auto_close: bool = False, relay: Data = RELAY
) -> Data:
    """The parameter of method 129."""
    members = (
        relay,
        Data("unsigned", delay_min),
        Data("long-unsigned", limit_min),
        Data("bool", auto_close),
    )
    return Data("array", (Data("structure", members),))


def close_data(code: int, *, relay: Data = RELAY, password: str | None = None) -> Data:
    """The parameter of method 130, or 131 with a password."""
    members = [relay, Data("enum", code)]
    if password is not None:
        members.append(Data("visible-string", password))
    return Data("array", (Data("structure", tuple(members)),))
