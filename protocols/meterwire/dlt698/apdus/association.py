"""CONNECT and RELEASE: an association is opened, closed, or times out. Source: spec sections 3.3 and 3.4."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, NamedTuple

from meterwire.dlt698.apdus.parts import Declared, FollowReport, Piid, TimeTag, apdu
from meterwire.dlt698.axdr.coding import SECRET, Characters, Fixed, OctetString, Text
from meterwire.dlt698.axdr.syntax import OneOf
from meterwire.dlt698.axdr.values import DateTimeS, DoubleLongUnsigned, LongUnsigned, Unsigned

PROTOCOL_CONFORMANCE_OCTETS = 8
FUNCTION_CONFORMANCE_OCTETS = 16
ProtocolConformance = Annotated[bytes, Fixed(PROTOCOL_CONFORMANCE_OCTETS)]
FunctionConformance = Annotated[bytes, Fixed(FUNCTION_CONFORMANCE_OCTETS)]


@dataclass(frozen=True, slots=True, repr=False)
class NullSecurity(Declared):
    """Mechanism 0."""


@dataclass(frozen=True, slots=True, repr=False)
class PasswordSecurity(Declared):
    """Mechanism 1."""

    password: Annotated[str, Text("ascii"), SECRET]


@dataclass(frozen=True, slots=True, repr=False)
class SymmetricSecurity(Declared):
    """Mechanism 2."""

    ciphertext: Annotated[bytes, OctetString(), SECRET]
    signature: Annotated[bytes, OctetString(), SECRET]


@dataclass(frozen=True, slots=True, repr=False)
class SignatureSecurity(Declared):
    """Mechanism 3."""

    ciphertext: Annotated[bytes, OctetString(), SECRET]
    signature: Annotated[bytes, OctetString(), SECRET]


MECHANISMS = {0: NullSecurity, 1: PasswordSecurity, 2: SymmetricSecurity, 3: SignatureSecurity}
Mechanism = NullSecurity | PasswordSecurity | SymmetricSecurity | SignatureSecurity


@apdu(0x02)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConnectRequest(Declared):
    """The client asks for an association.

    Args:
        piid: service number.
        version: of the protocol the client expects, e.g. 16H.
        protocol_conformance: 64 bits, bit 0 first.
        function_conformance: 128 bits, bit 0 first.
        tx_max: longest frame the client sends, in octets.
        rx_max: longest frame the client takes, in octets.
        rx_window: frames the client takes before it confirms.
        apdu_max: longest APDU the client takes, in octets.
        timeout_s: the association ends after so many silent seconds.
        auth: how the client proves itself.
        time_tag: when it was sent.

    """

    piid: Piid
    version: LongUnsigned
    protocol_conformance: ProtocolConformance
    function_conformance: FunctionConformance
    tx_max: LongUnsigned
    rx_max: LongUnsigned
    rx_window: Unsigned
    apdu_max: LongUnsigned
    timeout_s: DoubleLongUnsigned
    auth: Annotated[Mechanism, OneOf(MECHANISMS, "authentication mechanism")]
    time_tag: TimeTag | None = None


class FactoryVersion(NamedTuple):
    """Maker and versions, as characters."""

    vendor: Annotated[str, Characters(4)]
    sw_version: Annotated[str, Characters(4)]
    sw_date: Annotated[str, Characters(6)]
    hw_version: Annotated[str, Characters(4)]
    hw_date: Annotated[str, Characters(6)]
    extra: Annotated[str, Characters(8)]


class SecurityData(NamedTuple):
    """What the server proves itself with."""

    rn: Annotated[bytes, OctetString(), SECRET]
    signature: Annotated[bytes, OctetString(), SECRET]

    def __repr__(self) -> str:
        """Nothing of it."""
        return "SecurityData(<hidden>)"


@apdu(0x82)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ConnectResponse(Declared):
    """The server's answer; the sizes are the server's own.

    Args:
        piid: PIID-ACD.
        factory: maker and versions.
        version: of the protocol.
        protocol_conformance: 64 bits, bit 0 first.
        function_conformance: 128 bits, bit 0 first.
        tx_max: longest frame the server sends, in octets.
        rx_max: longest frame the server takes, in octets.
        rx_window: frames the server takes before it confirms.
        apdu_max: longest APDU the server takes, in octets.
        timeout_s: the association ends after so many silent seconds.
        result: 0 allowed, 1 password wrong, 2 to 4 security, 5 version, 255 other.
        security_data: the server's proof.
        follow_report: what the server reports besides.
        time_tag: as in the request.

    """

    piid: Piid
    factory: FactoryVersion
    version: LongUnsigned
    protocol_conformance: ProtocolConformance
    function_conformance: FunctionConformance
    tx_max: LongUnsigned
    rx_max: LongUnsigned
    rx_window: Unsigned
    apdu_max: LongUnsigned
    timeout_s: DoubleLongUnsigned
    result: Unsigned
    security_data: SecurityData | None = None
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x03)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReleaseRequest(Declared):
    """The client closes the association."""

    piid: Piid
    time_tag: TimeTag | None = None


@apdu(0x83)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReleaseResponse(Declared):
    """The server has closed it; result 0."""

    piid: Piid
    result: Unsigned = 0
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None


@apdu(0x84)
@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class ReleaseNotification(Declared):
    """The server tells that the association timed out."""

    piid: Piid
    connected_at: DateTimeS
    server_time: DateTimeS
    follow_report: FollowReport = None
    time_tag: TimeTag | None = None
