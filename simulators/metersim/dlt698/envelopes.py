"""Envelopes of a meter: opened before anything in them is looked at, and put around the answer likewise.

Four kinds are known, by what is in them and what proves it: plain with a random number, whose answer has a
MAC (reads need no more); plain with identifier and MAC; enciphered with an identifier; enciphered with
identifier and MAC. What cannot be opened is answered with a DAR in an envelope, and nothing in it is done.
Source: spec section 5.2 of control and prepayment.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from metersim.dlt698.circumstances import (
    NOT_AUTHENTICATED,
    OTHER,
    OUT_OF_RANGE,
    SUSPENDED,
    UNDECIPHERABLE,
    WRONG_MAC,
    Strength,
)
from metersim.security.failures import Cause, NotAccepted
from metersim.security.module import LabModule
from metersim.security.suite698 import Level, Sealed
from meterwire.dlt698.apdus.association import SecurityData, SymmetricSecurity
from meterwire.dlt698.apdus.parts import Dar
from meterwire.dlt698.apdus.security import (
    CipherUnit,
    Mac,
    PlainUnit,
    Rn,
    SecurityRequest,
    SecurityResponse,
)
from meterwire.dlt698.axdr.selection import Sid, SidMac

DARS: Final = {
    Cause.SUSPENDED: SUSPENDED,
    Cause.NOT_AUTHENTICATED: NOT_AUTHENTICATED,
    Cause.WRONG_PROOF: NOT_AUTHENTICATED,
    Cause.WRONG_MAC: WRONG_MAC,
    Cause.OLD_COUNTER: NOT_AUTHENTICATED,
    Cause.OUT_OF_RANGE: OUT_OF_RANGE,
}
CONNECT_RESULTS: Final = {Cause.WRONG_MAC: 4, Cause.OLD_COUNTER: 2}
"""Results of a CONNECT: signature error, symmetric decryption error; anything else is "other"."""
CONNECT_OTHER: Final = 255
_STRENGTHS: Final = {
    Level.PLAIN_MAC: Strength.PLAIN_MAC,
    Level.CIPHER: Strength.CIPHER,
    Level.CIPHER_MAC: Strength.CIPHER_MAC,
}


class Opened(NamedTuple):
    """What was in an envelope.

    Args:
        octets: the APDU.
        reads: how its reads are protected.
        changes: how everything else in it is.

    """

    octets: bytes
    reads: Strength
    changes: Strength


class Envelopes:
    """Opens and closes the envelopes of one meter, and proves it in a CONNECT.

    Args:
        made: makes its security module; asked once, and not before it is needed.
        shows: what the meter's clock shows at a true time.

    """

    def __init__(self, made: Callable[[], LabModule], shows: Callable[[datetime], datetime]) -> None:
        self._made = made
        self._shows = shows
        self._at: datetime | None = None
        self._last: tuple[SecurityRequest, Opened | Dar] | None = None

    @functools.cached_property
    def module(self) -> LabModule:
        """The security module."""
        return self._made()

    def begin(self, at: datetime) -> None:
        """Octets came in at a true time; whatever is opened and closed now belongs to it."""
        self._at = at
        self._last = None

    def connect(self, auth: SymmetricSecurity, at: datetime) -> tuple[int, SecurityData | None]:
        """Result of a CONNECT by keys, and the meter's proof."""
        try:
            proof = self.module.association.connect(auth.ciphertext, auth.signature, self._shows(at))
        except NotAccepted as refused:
            return CONNECT_RESULTS.get(refused.cause, CONNECT_OTHER), None
        return 0, SecurityData(*proof)

    def end(self) -> None:
        """The association is over."""
        if "module" in self.__dict__:
            self.module.association.end()

    def valid(self, at: datetime) -> bool:
        """Whether there is an association by keys at a true time."""
        return "module" in self.__dict__ and self.module.association.valid(self._shows(at))

    @property
    def limit_s(self) -> int:
        """How long an association by keys holds."""
        return 60 * self.module.association.limit_minutes

    def open(self, envelope: SecurityRequest) -> Opened | Dar:
        """What is in an envelope, or why it stays closed; the same one is opened once."""
        if self._last is None or self._last[0] is not envelope:
            self._last = envelope, self._opened(envelope)
        return self._last[1]

    def seal(self, envelope: SecurityRequest, octets: bytes) -> SecurityResponse:
        """An answer in an envelope that suits that of the request."""
        opened = self.open(envelope)
        if isinstance(opened, Dar):
            return SecurityResponse(unit=opened)
        if isinstance(envelope.verify, Rn):
            mac = self.module.association.read_mac(envelope.verify.rn, octets)
            return SecurityResponse(unit=PlainUnit(octets), verify=Mac(mac))
        level = _level(envelope)
        assert level is not None, "it was opened"
        sealed = self.module.association.seal_answer(level, octets)
        unit = PlainUnit(sealed.data) if level is Level.PLAIN_MAC else CipherUnit(sealed.data)
        return SecurityResponse(unit=unit, verify=None if sealed.mac is None else Mac(sealed.mac))

    @property
    def _now(self) -> datetime:
        assert self._at is not None, "octets came in"
        return self._shows(self._at)

    def _opened(self, envelope: SecurityRequest) -> Opened | Dar:
        level, verify = _level(envelope), envelope.verify
        if isinstance(verify, Rn) and isinstance(envelope.unit, PlainUnit):
            try:
                self.module.association.read_mac(verify.rn, b"")
            except NotAccepted as refused:
                return DARS[refused.cause]
            return Opened(envelope.unit.octets, Strength.PLAIN_MAC, Strength.PLAIN)
        if level is None or not isinstance(verify, Sid | SidMac):
            return WRONG_MAC
        mac = verify.mac if isinstance(verify, SidMac) else None
        sealed = Sealed(envelope.unit.octets, mac)
        try:
            octets = self.module.association.open_request(
                level, verify.id, verify.data, sealed=sealed, shown=self._now
            )
        except NotAccepted as refused:
            undeciphered = level is Level.CIPHER and refused.cause is Cause.WRONG_MAC
            return UNDECIPHERABLE if undeciphered else DARS.get(refused.cause, OTHER)
        return Opened(octets, _STRENGTHS[level], _STRENGTHS[level])


def _level(envelope: SecurityRequest) -> Level | None:
    """How it is wrapped; ``None`` when no meter takes it so."""
    match envelope.unit, envelope.verify:
        case PlainUnit(), SidMac():
            return Level.PLAIN_MAC
        case CipherUnit(), Sid():
            return Level.CIPHER
        case CipherUnit(), SidMac():
            return Level.CIPHER_MAC
        case _:
            return None
