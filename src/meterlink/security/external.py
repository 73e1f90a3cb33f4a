"""The provider that the site brings: the operations of ``Provider`` in the words of its protocol.

Source: control-and-prepayment, section 7.1; docs/security-providers.md.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from meterlink.drivers.proving import Begun645, Begun698, Envelope698, Purse698
from meterlink.security.adapter import Adapter
from meterlink.security.lines import HANDLE_MAX, Json, Result

APDU_OCTETS_MAX: Final = 16_384
"""Longest APDU in either direction."""
SIGNATURE_OCTETS_MAX: Final = 256
"""What opens a CONNECT: 32 and 4 octets by symmetric keys; certificates take more."""
ADDITIONAL_OCTETS_MAX: Final = 64
MAC_OCTETS: Final = 4
SID_OCTETS: Final = 4


class ExternalProvider:
    """One provider in the eyes of one meter.

    Args:
        adapter: asks it; shared with the other meters.
        lab_allowed: whether the meter is marked for a laboratory's provider.

    """

    def __init__(self, adapter: Adapter, *, lab_allowed: bool) -> None:
        self._adapter = adapter
        self._lab_allowed = lab_allowed

    def __repr__(self) -> str:
        """Whose it is."""
        return f"ExternalProvider({self._adapter.name!r})"

    async def name(self) -> str:
        """See ``Provider.name``."""
        return await self._adapter.told_name()

    # --- DL/T 645 ---

    async def auth645(self, div: bytes) -> Begun645:
        """See ``Provider.auth645``."""
        said = await self._ask("auth645", {"div": _hex(div)})
        return Begun645(said.text("ctx", HANDLE_MAX), said.octets("rand1", 8), said.octets("cipher1", 8))

    async def control645(self, ctx: str, *, rand2: bytes, n1: int, n2: int, expiry: datetime) -> bytes:
        """See ``Provider.control645``."""
        at = expiry.replace(tzinfo=None).isoformat(timespec="seconds")
        args = {"ctx": ctx, "rand2": _hex(rand2), "n1": n1, "n2": n2, "expiry": at}
        return (await self._ask("control645", args)).octets("block", 20)

    async def wallet645(
        self, ctx: str, *, rand2: bytes, kind: str, amount: int, count: int, customer: str
    ) -> tuple[bytes, bytes]:
        """See ``Provider.wallet645``."""
        money = _money(kind, amount, count, customer)
        said = await self._ask("wallet645", {"ctx": ctx, "rand2": _hex(rand2), **money})
        return said.octets("mac1", MAC_OCTETS), said.octets("mac2", MAC_OCTETS)

    async def verify645(self, ctx: str, *, rand2: bytes, apdu: bytes, data: bytes, mac: bytes) -> None:
        """See ``Provider.verify645``."""
        proof = {"apdu": _hex(apdu), "data": _hex(data), "mac": _hex(mac)}
        await self._ask("verify645", {"ctx": ctx, "rand2": _hex(rand2), **proof})

    # --- DL/T 698.45 ---

    async def init698(self, *, key_state: int, div: bytes, counter: int) -> Begun698:
        """See ``Provider.init698``."""
        said = await self._ask("init698", {"key_state": key_state, "div": _hex(div), "counter": counter})
        return Begun698(
            said.octets("r1", 16),
            said.octets("cipher1", 1, SIGNATURE_OCTETS_MAX),
            said.octets("sign1", 1, SIGNATURE_OCTETS_MAX),
        )

    async def verify698(self, *, key_state: int, div: bytes, r1: bytes, data: bytes, sign: bytes) -> str:
        """See ``Provider.verify698``."""
        proof = {"r1": _hex(r1), "data": _hex(data), "sign": _hex(sign)}
        said = await self._ask("verify698", {"key_state": key_state, "div": _hex(div), **proof})
        return said.text("session", HANDLE_MAX)

    async def protect698(self, session: str, *, level: int, task: int, apdu: bytes) -> Envelope698:
        """See ``Provider.protect698``."""
        args = {"session": session, "level": level, "task": task, "apdu": _hex(apdu)}
        said = await self._ask("protect698", args)
        return Envelope698(
            said.octets("sid", SID_OCTETS),
            said.octets("additional", 0, ADDITIONAL_OCTETS_MAX),
            said.octets("data", 1, APDU_OCTETS_MAX),
            said.octets_or_none("mac", MAC_OCTETS),
        )

    async def open698(self, session: str, *, level: int, data: bytes, mac: bytes | None) -> bytes:
        """See ``Provider.open698``."""
        proof = None if mac is None else _hex(mac)
        args = {"session": session, "level": level, "data": _hex(data), "mac": proof}
        return (await self._ask("open698", args)).octets("apdu", 1, APDU_OCTETS_MAX)

    async def purse698(self, session: str, *, kind: str, amount: int, count: int, customer: str) -> Purse698:
        """See ``Provider.purse698``."""
        said = await self._ask("purse698", {"session": session, **_money(kind, amount, count, customer)})
        return Purse698(
            said.octets("sid", SID_OCTETS),
            said.octets("additional", 0, ADDITIONAL_OCTETS_MAX),
            said.octets("mac", MAC_OCTETS),
        )

    async def close(self, handle: str) -> None:
        """See ``Provider.close``."""
        await self._ask("close", {"handle": handle})

    async def _ask(self, op: str, args: Json) -> Result:
        return await self._adapter.ask(op, args, lab_allowed=self._lab_allowed)


def _hex(octets: bytes) -> str:
    return octets.hex().upper()


def _money(kind: str, amount: int, count: int, customer: str) -> Json:
    return {"kind": kind, "amount": amount, "count": count, "customer": customer}
