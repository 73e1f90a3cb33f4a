"""CONNECT: who is admitted to a meter, by what, and in which sizes both sides talk from then on.

Source: DL/T 698.45-2017, 7.3.2; spec section 5.1 of control and prepayment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from metersim.dlt698.circumstances import Circumstances
from metersim.dlt698.envelopes import Envelopes
from metersim.dlt698.registers import FACTORY
from meterwire.dlt698.apdus.association import (
    ConnectRequest,
    ConnectResponse,
    NullSecurity,
    PasswordSecurity,
    SecurityData,
    SymmetricSecurity,
)
from meterwire.dlt698.link.frame import FRAME_OCTETS_MAX
from meterwire.dlt698.sessions.transfer import FRAME_OCTETS_LEAST

CONNECT_ALLOWED, WRONG_PASSWORD, VERSION_MISMATCH, OTHER = 0, 1, 5, 255
VERSION: Final = 0x16
TIMEOUT_S_MAX: Final = 0xFFFFFFFF
_PROTOCOL_BITS: Final = (0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 17, 20, 21, 22, 23, 24, 25, 26)
_SECURITY_BITS: Final = (*_PROTOCOL_BITS, 31)
_FUNCTION_BITS: Final = (0, 1, 7, 17)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a meter says of itself in a CONNECT, and how it numbers blocks.

    Args:
        frame: longest frame that it sends and takes, 64 to 16,385 octets.
        apdu: longest APDU that it takes, 64 to 16,385 octets.
        timeout_s: an association may be silent so long, 1 s or more.
        first_block: number of an answer's first block: 1 in the standard's example, 0 in some firmware.

    Raises:
        ValueError: a figure out of its range.

    """

    frame: int = 1024
    apdu: int = 2000
    timeout_s: int = 7200
    first_block: int = 1

    def __post_init__(self) -> None:
        """Check the ranges."""
        check_octets("a frame", self.frame)
        check_octets("an APDU", self.apdu)
        if not 1 <= self.timeout_s <= TIMEOUT_S_MAX:
            raise ValueError(f"an association that ends after {self.timeout_s} s: 1 to {TIMEOUT_S_MAX}")
        if self.first_block not in {0, 1}:
            raise ValueError(f"blocks that begin with number {self.first_block}: 0 or 1")


class Admission:
    """Admits clients to one meter.

    Args:
        password: that a client has to know who wants to change something; ``None``: nobody can by one.
        limits: the meter's sizes.
        envelopes: prove it to clients that have keys; ``None``: it has no security module.

    """

    def __init__(self, *, password: str | None, limits: Limits, envelopes: Envelopes | None = None) -> None:
        self._password = password
        self._limits = limits
        self._envelopes = envelopes

    def connect(self, request: ConnectRequest, how: Circumstances) -> ConnectResponse:
        """Names no more than the client did: there are clients that take more for a broken agreement."""
        limits = self._limits
        services = _PROTOCOL_BITS if self._envelopes is None else _SECURITY_BITS
        result, security_data = self._admitted(request, how)
        silent_s = limits.timeout_s
        if security_data is not None and self._envelopes is not None:
            silent_s = min(silent_s, self._envelopes.limit_s)
        return ConnectResponse(
            piid=request.piid,
            factory=FACTORY,
            version=min(request.version, VERSION),
            protocol_conformance=_common(request.protocol_conformance, services),
            function_conformance=_common(request.function_conformance, _FUNCTION_BITS),
            tx_max=_at_most(request.rx_max, limits.frame),
            rx_max=_at_most(request.tx_max, limits.frame),
            rx_window=1,
            apdu_max=_at_most(request.apdu_max, limits.apdu),
            timeout_s=_at_most(request.timeout_s, silent_s),
            result=result,
            security_data=security_data,
            time_tag=request.time_tag,
        )

    def _admitted(self, request: ConnectRequest, how: Circumstances) -> tuple[int, SecurityData | None]:
        """Result, and the meter's proof; whatever comes, the association before it is over."""
        if self._envelopes is not None:
            self._envelopes.end()
        match request.auth:
            case NullSecurity():
                return CONNECT_ALLOWED, None
            case PasswordSecurity(password):
                return CONNECT_ALLOWED if password == self._password else WRONG_PASSWORD, None
            case SymmetricSecurity() as proof if self._envelopes is not None:
                return self._envelopes.connect(proof, how.at)
            case _:
                return OTHER, None  # certificates are for terminals


def check_octets(what: str, octets: int) -> None:
    """Whether a size can be told and be kept to.

    Raises:
        ValueError: it cannot.

    """
    if not FRAME_OCTETS_LEAST <= octets <= FRAME_OCTETS_MAX:
        raise ValueError(f"{octets} octets of {what}: {FRAME_OCTETS_LEAST} to {FRAME_OCTETS_MAX}")


def _at_most(named: int, own: int) -> int:
    """The smaller of what both name; 0 names nothing."""
    return min(named or own, own)


def _bits(numbers: tuple[int, ...], octets: int) -> bytes:
    word = sum(1 << octets * 8 - 1 - number for number in numbers)
    return word.to_bytes(octets, "big")


def _common(theirs: bytes, ours: tuple[int, ...]) -> bytes:
    """What both sides know."""
    known = _bits(ours, len(theirs))
    return bytes(one & other for one, other in zip(theirs, known, strict=True))
