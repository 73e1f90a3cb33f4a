"""SECURITY: an APDU in an envelope, plain or enciphered, with what proves it. Source: spec section 3.10."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from meterwire.dlt698.apdus.parts import Dar, Declared, apdu
from meterwire.dlt698.axdr.coding import SECRET, OctetString
from meterwire.dlt698.axdr.selection import Sid, SidMac
from meterwire.dlt698.axdr.syntax import OneOf
from meterwire.dlt698.axdr.values import Octets


@dataclass(frozen=True, slots=True)
class PlainUnit:
    """A whole APDU, readable."""

    octets: Octets

    def __repr__(self) -> str:
        """Its length: what it holds is for ``decode_apdu``, which knows the secrets in it."""
        return f"PlainUnit({len(self.octets)} octets)"


@dataclass(frozen=True, slots=True, repr=False)
class CipherUnit(Declared):
    """A whole APDU, enciphered."""

    octets: Annotated[bytes, OctetString(), SECRET]


class Rn(NamedTuple):
    """A random number of the client; the answer's MAC proves it was made for it."""

    rn: Octets


class RnMac(NamedTuple):
    """A random number and a MAC."""

    rn: Octets
    mac: Annotated[bytes, OctetString(), SECRET]

    def __repr__(self) -> str:
        """All but the MAC."""
        return f"RnMac(rn={self.rn!r}, mac=<hidden>)"


class Mac(NamedTuple):
    """A MAC."""

    mac: Annotated[bytes, OctetString(), SECRET]

    def __repr__(self) -> str:
        """Nothing of it."""
        return "Mac(<hidden>)"


VERIFICATIONS = {0: SidMac, 1: Rn, 2: RnMac, 3: Sid}
Verification = Annotated[SidMac | Rn | RnMac | Sid, OneOf(VERIFICATIONS, "verification")]


@apdu(0x10)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SecurityRequest(Declared):
    """From the client; the APDU within has its own PIID and tail."""

    unit: Annotated[PlainUnit | CipherUnit, OneOf({0: PlainUnit, 1: CipherUnit}, "unit")]
    verify: Verification


@apdu(0x90)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class SecurityResponse(Declared):
    """From the server; a DAR stands for an envelope that it did not accept."""

    unit: Annotated[PlainUnit | CipherUnit | Dar, OneOf({0: PlainUnit, 1: CipherUnit, 2: Dar}, "unit")]
    verify: Annotated[Mac, OneOf({0: Mac}, "verification")] | None = None
