"""The laboratory's provider behind the daemon's protocol, in this process and without time."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from meterlink.drivers.proving import Begun645, Begun698, Envelope698, Purse698
from meterlink.errors import SecurityFailed
from metersim.security.keys import LAB_ROOT
from metersim.security.provider import LabProvider, Trouble, Wallet645, Wallet698
from metersim.security.suite698 import Level


class LabSecurity:
    """A ``Provider`` that asks ``LabProvider``.

    Args:
        random_octets: as of the provider; seeded by default.
        root: of its keys.
        named: how it names itself.

    Attributes:
        asked: names of the operations that were asked, in order.
        fails: operations that fail, with what code.
        given: every octet string that it gave out or got and that is a secret: for tests that look for them.

    """

    def __init__(
        self,
        random_octets: Callable[[int], bytes] | None = None,
        *,
        root: bytes = LAB_ROOT,
        named: str = "lab",
    ) -> None:
        self._lab = LabProvider(random_octets or random.Random(7).randbytes, root=root)
        self._named = named
        self.asked: list[str] = []
        self.fails: dict[str, str] = {}
        self.given: list[bytes] = []

    @property
    def open(self) -> int:
        """Handles that nobody has closed."""
        return self._lab.open

    async def name(self) -> str:
        return self._named

    async def auth645(self, div: bytes) -> Begun645:
        with self._asked("auth645"):
            begun = Begun645(*self._lab.auth645(div))
        self.given += begun.rand1, begun.cipher1
        return begun

    async def control645(self, ctx: str, *, rand2: bytes, n1: int, n2: int, expiry: datetime) -> bytes:
        with self._asked("control645"):
            block = self._lab.control645(ctx, rand2, n1=n1, n2=n2, expiry=expiry)
        self.given += rand2, block[:16], block[16:]
        return block

    async def wallet645(
        self, ctx: str, *, rand2: bytes, kind: str, amount: int, count: int, customer: str
    ) -> tuple[bytes, bytes]:
        with self._asked("wallet645"):
            macs = self._lab.wallet645(
                ctx, rand2, kind=Wallet645(kind), amount=amount, count=count, customer=customer
            )
        self.given += rand2, *macs
        return macs

    async def verify645(self, ctx: str, *, rand2: bytes, apdu: bytes, data: bytes, mac: bytes) -> None:
        self.given += rand2, mac
        with self._asked("verify645"):
            self._lab.verify645(ctx, rand2, apdu=apdu, data=data, mac=mac)

    async def init698(self, *, key_state: int, div: bytes, counter: int) -> Begun698:
        with self._asked("init698"):
            begun = Begun698(*self._lab.init698(key_state, div, counter))
        self.given += begun
        return begun

    async def verify698(self, *, key_state: int, div: bytes, r1: bytes, data: bytes, sign: bytes) -> str:
        self.given += r1, data, sign
        with self._asked("verify698"):
            return self._lab.verify698(key_state, div, r1, data=data, sign=sign)

    async def protect698(self, session: str, *, level: int, task: int, apdu: bytes) -> Envelope698:
        del task
        with self._asked("protect698"):
            envelope = Envelope698(*self._lab.protect698(session, Level(level), apdu))
        self.given += [octets for octets in (envelope.data, envelope.mac) if octets]
        return envelope

    async def open698(self, session: str, *, level: int, data: bytes, mac: bytes | None) -> bytes:
        self.given += [octets for octets in (data, mac) if octets]
        with self._asked("open698"):
            return self._lab.open698(session, Level(level), data, mac)

    async def purse698(self, session: str, *, kind: str, amount: int, count: int, customer: str) -> Purse698:
        with self._asked("purse698"):
            purse = Purse698(
                *self._lab.purse698(
                    session, kind=Wallet698(kind), amount=amount, count=count, customer=customer
                )
            )
        self.given.append(purse.mac)
        return purse

    async def close(self, handle: str) -> None:
        with self._asked("close"):
            self._lab.close(handle)

    @contextmanager
    def _asked(self, operation: str) -> Iterator[None]:
        self.asked.append(operation)
        if code := self.fails.get(operation):
            raise SecurityFailed(f"the provider failed in {operation}", code=code)
        try:
            yield
        except Trouble as trouble:
            code = "mac" if trouble.code == "not_verified" else trouble.code
            raise SecurityFailed(trouble.what, code=code) from None
