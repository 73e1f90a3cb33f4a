"""A client of DL/T 698.45 with a security provider, before a simulated meter that can be ordered about."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from metersim.dlt698 import Meter698
from metersim.dlt698.modes import Modes
from metersim.security.provider import LabProvider, Wallet698
from metersim.security.suite698 import Level
from metersim.works.controlled import Wallet
from metersim.works.cost_control import REMOTE, CostControl
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.works import Works
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


def works_of(
    control: CostControl = REMOTE, *, preset_cents: int = 0, since: datetime = AT - timedelta(days=1)
) -> Works:
    """The works of the meter.

    Args:
        control: what its relay and its wallet are like.
        preset_cents: money that the wallet begins with.
        since: when it was first switched on.

    """
    plate = Plate(address=ADDRESS, customer_number=CUSTOMER)
    load = Load(mean_kw=Decimal("0.5"))
    wallet = Wallet(preset_cents=preset_cents) if control.payment == "local" else None
    return Works(plate, seed=1, load=load, since=since, control=control, wallet=wallet)


class Secured(Client):
    """A client with a provider.

    Args:
        works: of the meter.
        enforced: whether the meter insists on its security modes.
        at: true time of whatever is asked.

    """

    def __init__(self, works: Works | None = None, *, enforced: bool = False, at: datetime = AT) -> None:
        self.works = works or works_of()
        self.meter = Meter698(ADDRESS, seed=1, works=self.works, modes=Modes(enforced=enforced))
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
        shown = self.works.clock.shows(self.at)
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
