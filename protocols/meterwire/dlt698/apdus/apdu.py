"""Whole APDUs, octets <-> dataclasses: the table of services. Source: spec section 3.1."""

from __future__ import annotations

from typing import Any, Final, cast

from meterwire.dlt698.apdus import action, association, get, link_management, proxy, report, security, set
from meterwire.dlt698.apdus.parts import SERVICES as SERVICES  # noqa: PLC0414 - filled by the imports above
from meterwire.dlt698.apdus.security import PlainUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.coding import Span
from meterwire.dlt698.axdr.lengths import APDU_OCTETS_MAX, broken
from meterwire.dlt698.axdr.syntax import decoded, encoded, syntax_of
from meterwire.errors import LocalProtocolError

Apdu = (
    link_management.LinkRequest
    | link_management.LinkResponse
    | link_management.ClientErrorResponse
    | link_management.ServerErrorResponse
    | association.ConnectRequest
    | association.ConnectResponse
    | association.ReleaseRequest
    | association.ReleaseResponse
    | association.ReleaseNotification
    | get.GetRequestNormal
    | get.GetRequestNormalList
    | get.GetRequestRecord
    | get.GetRequestRecordList
    | get.GetRequestNext
    | get.GetRequestMD5
    | get.GetResponseNormal
    | get.GetResponseNormalList
    | get.GetResponseRecord
    | get.GetResponseRecordList
    | get.GetResponseNext
    | get.GetResponseMD5
    | set.SetRequestNormal
    | set.SetRequestNormalList
    | set.SetThenGetRequestNormalList
    | set.SetResponseNormal
    | set.SetResponseNormalList
    | set.SetThenGetResponseNormalList
    | action.ActionRequestNormal
    | action.ActionRequestNormalList
    | action.ActionThenGetRequestNormalList
    | action.ActionResponseNormal
    | action.ActionResponseNormalList
    | action.ActionThenGetResponseNormalList
    | report.ReportNotificationList
    | report.ReportNotificationRecordList
    | report.ReportNotificationTransData
    | report.ReportResponseList
    | report.ReportResponseRecordList
    | report.ReportResponseTransData
    | proxy.ProxyGetRequestList
    | proxy.ProxyGetRequestRecord
    | proxy.ProxySetRequestList
    | proxy.ProxySetThenGetRequestList
    | proxy.ProxyActionRequestList
    | proxy.ProxyActionThenGetRequestList
    | proxy.ProxyTransCommandRequest
    | proxy.ProxyGetResponseList
    | proxy.ProxyGetResponseRecord
    | proxy.ProxySetResponseList
    | proxy.ProxySetThenGetResponseList
    | proxy.ProxyActionResponseList
    | proxy.ProxyActionThenGetResponseList
    | proxy.ProxyTransCommandResponse
    | security.SecurityRequest
    | security.SecurityResponse
)

LATER_EDITIONS: Final = frozenset(
    {b"\x45", b"\x46", b"\x49", b"\xc5", b"\xc6", b"\xc9"}  # compact GET, SET and PROXY
    | {bytes((service, choice)) for service in (0x05, 0x85) for choice in (7, 8)}  # simplified records
    | {bytes((service, choice)) for service in (0x08, 0x88) for choice in (4, 5, 6)}
)
"""Heads of services that came after the 2017 text; they are refused by name."""

_DECODERS: Final = {head: syntax_of(cls).decode for head, cls in SERVICES.items()}
_ENCODERS: Final = {cls: (head, syntax_of(cls).encode) for head, cls in SERVICES.items()}
_WITH_CHOICE: Final = frozenset(head[:1] for head in SERVICES if len(head) == 2)


def head_of(octets: bytes) -> bytes:
    """The octets that tell the service: the first, and the second where the service has choices."""
    return octets[:2] if octets[:1] in _WITH_CHOICE else octets[:1]


def _decode(octets: bytes, at: int, depth: int) -> tuple[Any, int]:
    decode = _DECODERS.get(octets[:2])
    if decode is not None:
        return decode(octets, 2, depth)
    decode = _DECODERS.get(octets[:1])
    if decode is None:
        raise _unknown(head_of(octets))
    return decode(octets, 1, depth)


def _unknown(head: bytes) -> Exception:
    if not head or (len(head) == 1 and head in _WITH_CHOICE):
        return IndexError()
    name = head.hex(" ").upper()
    if head in LATER_EDITIONS:
        return broken(f"service {name}H is of a later edition and not supported", "later-edition", 0)
    if len(head) == 2:
        return broken(f"service {head[0]:02X}H has no choice {head[1]}", "choice", 1)
    return broken(f"{name}H is no service", "service", 0)


def decode_apdu(octets: bytes) -> Apdu:
    """Decode one APDU.

    Args:
        octets: the whole of it, and nothing behind; at most ``APDU_OCTETS_MAX``.

    Raises:
        RemoteProtocolError: they are no APDU; ``kind`` is ``"truncated"``, ``"trailing"``, ``"service"``,
            ``"later-edition"``, ``"choice"``, ``"optional"``, ``"type"``, ``"length"``, ``"limit"``,
            ``"depth"`` or ``"rows"``. Anything else is a bug in us.

    Source: spec section 3.

    """
    return cast("Apdu", decoded(_decode, octets))


def encode_apdu(apdu: Apdu) -> bytes:
    """Encode one APDU, with the shortest lengths.

    Raises:
        LocalProtocolError: a value does not fit its declaration.

    Source: spec section 3.

    """
    try:
        head, encode = _ENCODERS[type(apdu)]
    except KeyError:
        raise LocalProtocolError(f"{type(apdu).__name__} is no APDU") from None
    octets = head + encoded(encode, apdu)
    if len(octets) > APDU_OCTETS_MAX:
        raise LocalProtocolError(f"{len(octets)} octets are more than an APDU can have")
    return octets


def walk_apdu(octets: bytes) -> Span:
    """The fields of one APDU with their octets; the first part is the service (and choice).

    Raises:
        RemoteProtocolError: as ``decode_apdu``.

    """
    apdu = decode_apdu(octets)
    head = head_of(octets)
    cls: Any = type(apdu)
    body = syntax_of(cls).walk(octets, len(head), cls.__name__)
    service = Span("service", 0, len(head), head)
    return Span(body.name, 0, len(octets), apdu, (service, *body.parts))


def inner_apdu(envelope: SecurityRequest | SecurityResponse) -> Apdu | None:
    """The APDU in a SECURITY envelope; ``None`` when it is enciphered or a DAR.

    Raises:
        RemoteProtocolError: it is plain, and no APDU.

    """
    return decode_apdu(envelope.unit.octets) if isinstance(envelope.unit, PlainUnit) else None
