"""A head-end of DL/T 645 for tests of a simulated meter, with the seals of the lab suite."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Final

from metersim.dlt645.meter import Meter
from metersim.security.keys import diversifier_of
from metersim.security.provider import LabProvider, Wallet645
from meterwire.dlt645 import (
    AbnormalReply,
    Frame,
    Message,
    ReadReply,
    ReadRequest,
    dictionary,
    from_frame,
    to_frame,
)
from meterwire.dlt645.items import security
from meterwire.dlt645.messages.control import (
    ControlRequest,
    SealedControlRequest,
    SecurityReply,
    SecurityRequest,
)
from meterwire.dlt645.messages.programming import WriteRequest
from meterwire.item_value import Content

OPERATOR: Final = "87654321"
PLANT_TIME: Final = timezone(timedelta(hours=8))
VALID: Final = timedelta(minutes=5)
_ITEMS = dictionary("dlt645-2007")


class HeadEnd:
    """Speaks with one meter; its own time is the true one.

    Attributes:
        now: true time; tests move it.

    """

    def __init__(self, meter: Meter, now: datetime) -> None:
        self.meter = meter
        self.now = now
        self.provider = LabProvider(random.Random(7).randbytes)
        self._ctx = ""
        self._rand2 = b""

    def say(self, message: Message) -> Message | None:
        """The answer to a message; ``None``: silence."""
        return self.say_frame(to_frame(message))

    def say_frame(self, frame: Frame) -> Message | None:
        """The answer to a frame, whoever would build it."""
        answer = self.meter.answer(frame, self.now)
        return None if answer is None else from_frame(answer.frame)

    def read(self, item: str) -> list[Content] | None:
        """The contents of an item; ``None``: the meter has no such data."""
        entry = _ITEMS.by_name(item)
        assert entry is not None, item
        answer = self.say(ReadRequest(address=self.meter.address, di=entry.di))
        if isinstance(answer, AbnormalReply):
            return None
        assert isinstance(answer, ReadReply)
        return [value.content for value in entry.decode(answer.data)]

    def plain(self, n1: int, **more: object) -> Message | None:
        """A control command under a password."""
        given = {
            "level": 2,
            "password": "000000",
            "expires": wire_time(self.now + timedelta(minutes=5)),
            **more,
        }
        return self.say(
            ControlRequest(address=self.meter.address, operator_code=OPERATOR, command=n1, **given)  # type: ignore[arg-type]
        )

    def authenticate(self, number: str | None = None) -> Message | None:
        """Begin an authentication."""
        div = diversifier_of(number or self.meter.text("meter_number") or "")
        self._ctx, rand1, cipher1 = self.provider.auth645(div)
        fields = {"cipher1": cipher1.hex(), "rand1": rand1.hex(), "div": div.hex()}
        answer = self.secure(0x070000FF, **fields)
        if isinstance(answer, SecurityReply):
            self._rand2 = self.fields(answer)["rand2"]
        return answer

    def sealed(
        self, n1: int, n2: int = 0, *, valid: timedelta = timedelta(minutes=5), **more: object
    ) -> Message | None:
        """A control command in cipher."""
        return self.say(self.sealed_message(n1, n2, valid=valid, **more))

    def sealed_message(
        self, n1: int, n2: int = 0, *, valid: timedelta = timedelta(minutes=5), **more: object
    ) -> SealedControlRequest:
        """The same, not yet sent."""
        expiry = (self.now + valid).astimezone(PLANT_TIME)
        block = self.provider.control645(self._ctx, self._rand2, n1=n1, n2=n2, expiry=expiry)
        given = {"password": "010000", "cipher": block[:16].hex(), "mac": block[16:].hex(), **more}
        return SealedControlRequest(address=self.meter.address, operator_code=OPERATOR, **given)  # type: ignore[arg-type]

    def secure(self, di: int, **values: int | str) -> Message | None:
        """A command of 03H."""
        payload = security.join(di, "request", values) if values else b""
        request = SecurityRequest(address=self.meter.address, di=di, operator_code=OPERATOR, payload=payload)
        return self.say(request)

    def set_validity(self, minutes: int) -> Message | None:
        """How long authentications hold."""
        mac = self.provider.param_mac645(self._ctx, self._rand2, bytes.fromhex(f"{minutes:04d}"))
        return self.secure(0x070001FF, minutes=minutes, mac=mac.hex())

    def buy(
        self, cents: int, count: int, *, customer: str, opens: bool = False, spoil: str = ""
    ) -> Message | None:
        """A top-up, or the opening of the account; ``spoil`` names a MAC that is wrong."""
        kind = Wallet645.OPEN if opens else Wallet645.TOP_UP
        money, who = self.provider.wallet645(
            self._ctx, self._rand2, kind=kind, amount=cents, count=count, customer=customer
        )
        macs = {"mac1": money.hex(), "mac2": who.hex()}
        if spoil:
            macs[spoil] = "00000000"
        return self.secure(
            0x070101FF if opens else 0x070102FF,
            amount_cents=cents,
            purchase_count=count,
            customer=customer,
            **macs,
        )

    def initialise(self, cents: int) -> Message | None:
        """Set the wallet up."""
        mac1, mac2 = self.provider.wallet645(
            self._ctx, self._rand2, kind=Wallet645.INITIALISE, amount=cents, count=0, customer=""
        )
        return self.secure(0x070103FF, preset_cents=cents, purchase_count=0, mac1=mac1.hex(), mac2=mac2.hex())

    def write(self, item: str, content: Content, level: int = 2, password: str = "000000") -> Message | None:
        """A write under a password, with a MAC (99H) or in cipher (98H)."""
        entry = _ITEMS.by_name(item)
        assert entry is not None, item
        data = entry.encode([content])
        if level == 0x99:
            mac = self.provider.param_mac645(self._ctx, self._rand2, data[::-1])
            data += mac[::-1]
        elif level == 0x98:
            di = entry.di.to_bytes(4, "big")
            cipher, mac = self.provider.param_enc645(self._ctx, self._rand2, di, data[::-1])
            data = cipher[::-1] + mac[::-1]
        return self.say(
            WriteRequest(
                address=self.meter.address,
                di=entry.di,
                level=level,
                password=password,
                operator_code=OPERATOR,
                payload=data,
            )
        )

    def verified(self, apdu: bytes, data: bytes, mac: bytes) -> None:
        """Check the MAC of what was read out of the module.

        Raises:
            Trouble: it is wrong.

        """
        self.provider.verify645(self._ctx, self._rand2, apdu=apdu, data=data, mac=mac)

    @staticmethod
    def fields(answer: Message | None) -> dict[str, bytes]:
        """The fields of an answer to 03H, highest octet first."""
        assert isinstance(answer, SecurityReply), answer
        found = security.split(answer.di, "reply", answer.payload)
        assert found is not None
        return {one.field.name: one.raw[::-1] for one in found}


def wire_time(at: datetime) -> bytes:
    """N3..N8 of a plain control command."""
    return bytes.fromhex(f"{at.astimezone(PLANT_TIME):%y%m%d%H%M%S}")[::-1]
