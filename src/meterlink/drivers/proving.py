"""How a control is proved to a meter: with a password in plain, or by a provider that holds keys.

Which of the two a meter gets is configuration, and nothing falls back from one to the other.
Source: control-and-prepayment, section 7.1; decision 26.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, NamedTuple, Protocol

LAB: Final = "lab"
"""How providers name themselves whose keys are published. Source: CTRL-25."""


class Begun645(NamedTuple):
    """What an identity authentication of DL/T 645 begins with."""

    ctx: str
    rand1: bytes
    cipher1: bytes

    def __repr__(self) -> str:
        """Nothing of it."""
        return "Begun645(<hidden>)"


class Begun698(NamedTuple):
    """What a CONNECT of DL/T 698.45 begins with."""

    r1: bytes
    cipher1: bytes
    sign1: bytes

    def __repr__(self) -> str:
        """Nothing of it."""
        return "Begun698(<hidden>)"


class Envelope698(NamedTuple):
    """A request in its envelope; no MAC at level 3."""

    sid: bytes
    additional: bytes
    data: bytes
    mac: bytes | None

    def __repr__(self) -> str:
        """Nothing of it."""
        return "Envelope698(<hidden>)"


class Purse698(NamedTuple):
    """What goes with money into a wallet operation."""

    sid: bytes
    additional: bytes
    mac: bytes

    def __repr__(self) -> str:
        """Nothing of it."""
        return "Purse698(<hidden>)"


class Provider(Protocol):
    """Who holds the keys; the operations of ``docs/security-providers.md``, octets highest first.

    Every method raises ``SecurityFailed``: away, slower than its time, or it says no. None is asked twice for
    one thing, and none falls back to anything.
    """

    async def name(self) -> str:
        """As ``health`` tells it; ``lab`` for a laboratory's. Source: CTRL-25."""

    async def auth645(self, div: bytes) -> Begun645:
        """Begin an identity authentication; ``div`` is 0000 and the meter number, 8 octets."""

    async def control645(self, ctx: str, *, rand2: bytes, n1: int, n2: int, expiry: datetime) -> bytes:
        """Cipher and MAC of a control, 20 octets; ``expiry`` is the meter's civil time, without zone."""

    async def wallet645(
        self, ctx: str, *, rand2: bytes, kind: str, amount: int, count: int, customer: str
    ) -> tuple[bytes, bytes]:
        """Both MACs of a wallet operation; ``amount`` in cents."""

    async def verify645(self, ctx: str, *, rand2: bytes, apdu: bytes, data: bytes, mac: bytes) -> None:
        """Check what the meter's module gave out."""

    async def init698(self, *, key_state: int, div: bytes, counter: int) -> Begun698:
        """Begin an association; ``counter`` is the meter's session counter and one."""

    async def verify698(self, *, key_state: int, div: bytes, r1: bytes, data: bytes, sign: bytes) -> str:
        """Check the meter's side of it; the handle of the session."""

    async def protect698(self, session: str, *, level: int, task: int, apdu: bytes) -> Envelope698:
        """Put a request into an envelope; levels 2 to 4, task types as the encryption machine's."""

    async def open698(self, session: str, *, level: int, data: bytes, mac: bytes | None) -> bytes:
        """Take an answer out of its envelope."""

    async def purse698(self, session: str, *, kind: str, amount: int, count: int, customer: str) -> Purse698:
        """What proves a wallet operation; ``amount`` in cents."""

    async def close(self, handle: str) -> None:
        """Forget a ``ctx`` or a ``session``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A password in the frame: laboratory and sub-meters only.

    Args:
        level: 645: of the password, 2 or 4 for most; 698.45 does not use it.
        password: gives it when it is needed: 6 digits (645), or what an association or method 131 takes.

    """

    level: int
    password: Callable[[], str] = field(repr=False)


Security = Plain | Provider
