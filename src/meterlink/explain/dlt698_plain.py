"""698.45 APDUs in the terms of the conformance vectors: plain JSON values. Source: spec section 11."""

from __future__ import annotations

import dataclasses
import math
from functools import singledispatch
from typing import Any, Final

from meterwire.dlt698.apdus import association, get, link_management, parts, proxy
from meterwire.dlt698.apdus.apdu import Apdu, head_of, inner_apdu
from meterwire.dlt698.apdus.enumerations import name_of
from meterwire.dlt698.apdus.security import PlainUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr import selection, values
from meterwire.errors import RemoteProtocolError

SERVICES: Final = {
    0x01: "LINK-Request", 0x81: "LINK-Response", 0x02: "CONNECT-Request", 0x82: "CONNECT-Response",
    0x03: "RELEASE-Request", 0x83: "RELEASE-Response", 0x84: "RELEASE-Notification",
    0x05: "GET-Request", 0x85: "GET-Response", 0x06: "SET-Request", 0x86: "SET-Response",
    0x07: "ACTION-Request", 0x87: "ACTION-Response", 0x08: "REPORT-Response", 0x88: "REPORT-Notification",
    0x09: "PROXY-Request", 0x89: "PROXY-Response", 0x10: "SECURITY-Request", 0x90: "SECURITY-Response",
    0x6E: "ERROR-Response", 0xEE: "ERROR-Response",
}  # fmt: skip
"""Name of the service by the first octet of an APDU."""
_FROM_SERVER: Final = frozenset({0x01, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0xEE})
_TRAILING: Final = "trailing apdu bytes"
_ELSE: Final[dict[Any, str]] = {get.GetResponseMD5: "md5", proxy.ProxyTransCommandResponse: "reply"}
"""What a result is called that is no DAR."""


ENVELOPES_MAX: Final = 4
"""Envelopes in each other that are opened; deeper ones are shown as their octets."""


def plain_apdu(apdu: Apdu, octets: bytes, depth: int = 0) -> dict[str, Any]:
    """The APDU that was decoded from the octets, which stands in ``depth`` envelopes."""
    service = octets[0]
    said: dict[str, Any] = {"service": SERVICES[service]}
    if isinstance(apdu, SecurityRequest | SecurityResponse):
        return said | _envelope(apdu, depth)
    if len(head_of(octets)) == 2:
        said["choice"] = type(apdu).__name__
    if service in {0x6E, 0xEE}:
        said["side"] = "server" if service == 0xEE else "client"
    for field in dataclasses.fields(apdu):
        value = getattr(apdu, field.name)
        said |= _member(apdu, field.name, value)
    said["piid"] = _piid(apdu.piid, service)
    return said


def _member(apdu: Apdu, name: str, value: Any) -> dict[str, Any]:
    if name == "result" and not isinstance(value, parts.AttributeResult):
        return _result_member(apdu, value)
    if isinstance(apdu, link_management.LinkRequest) and name == "type":
        return {"type": name_of("link_type", value)}
    if name == "follow_report" and value is not None:
        choice = "normal" if isinstance(value, parts.AttributeResults) else "record"
        return {name: {"choice": choice, "items": plain(value.items)}}
    return {name: plain(value)}


def _result_member(apdu: Apdu, result: Any) -> dict[str, Any]:
    if isinstance(result, link_management.LinkResult):
        return {"clock_trusted": int(result.clock_trusted), "result": result.code}
    if isinstance(result, parts.Dar):
        return {"dar": int(result)}
    if isinstance(result, parts.AttributeResults | parts.RecordResults):
        name = "results" if isinstance(result, parts.AttributeResults) else "records"
        return {name: plain(result.items)}
    return {_ELSE.get(type(apdu), "result"): plain(result)}


def _piid(piid: parts.Piid, service: int) -> dict[str, int]:
    said = {"priority": int(piid.high_priority), "number": piid.number}
    if service in _FROM_SERVER:
        return said | {"acd": int(piid.acd)}
    return said | ({"reserved_bit6": 1} if piid.acd else {})


def _envelope(apdu: SecurityRequest | SecurityResponse, depth: int) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if isinstance(apdu.unit, parts.Dar):
        said = {"unit": "error", "dar": int(apdu.unit)}
    else:
        unit = "plaintext" if isinstance(apdu.unit, PlainUnit) else "ciphertext"
        said = {"unit": unit, "payload_hex": plain(apdu.unit.octets)}
        said |= _payload(apdu, depth)
    verify = apdu.verify
    kinds = {"SidMac": "SID_MAC", "Rn": "RN", "RnMac": "RN_MAC", "Sid": "SID", "Mac": "MAC"}
    said["verify"] = None if verify is None else {"kind": kinds[type(verify).__name__], **plain(verify)}
    return said


def _payload(apdu: SecurityRequest | SecurityResponse, depth: int) -> dict[str, Any]:
    """What a plain envelope holds; an envelope is good though its content is not."""
    if depth >= ENVELOPES_MAX:
        return {"payload_error": f"envelopes more than {ENVELOPES_MAX} deep are not opened"}
    try:
        inner = inner_apdu(apdu)
    except RemoteProtocolError as error:
        return {"payload_error": _TRAILING if error.kind == "trailing" else str(error)}
    if inner is None or not isinstance(apdu.unit, PlainUnit):
        return {}
    return {"payload": plain_apdu(inner, apdu.unit.octets, depth + 1)}


# --- values --------------------------------------------------------------------------------------------


def _fields(value: Any) -> dict[str, Any]:
    names = value._fields if hasattr(value, "_fields") else [one.name for one in dataclasses.fields(value)]
    return {name: plain(getattr(value, name)) for name in names}


def text_of(value: str) -> str:
    r"""Characters, whatever the octets were: meters write Chinese into ASCII strings.

    An octet that is part of none stands as ``\xff``, its own number.
    """
    try:
        octets, encoding = value.encode("ascii", "surrogateescape"), "gb18030"
    except UnicodeEncodeError:  # it was UTF-8
        octets, encoding = value.encode("utf-8", "surrogateescape"), "utf-8"
    return octets.decode(encoding, "backslashreplace")


@singledispatch
def plain(value: Any) -> Any:
    """A value of ``meterwire.dlt698`` as JSON has it."""
    if dataclasses.is_dataclass(value) or hasattr(value, "_fields"):
        return _fields(value)
    return value


@plain.register
def _(value: bytes) -> str:
    return value.hex().upper()


@plain.register
def _(value: str) -> str:
    return value if value.isascii() else text_of(value)


@plain.register
def _(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


@plain.register
def _(value: tuple) -> Any:  # type: ignore[type-arg]
    return _fields(value) if hasattr(value, "_fields") else [plain(one) for one in value]


@plain.register(values.BitString)
@plain.register(values.DateTime)
@plain.register(values.DateTimeS)
@plain.register(values.Date)
@plain.register(values.Time)
def _(value: object) -> str:
    return str(value)


@plain.register
def _(value: selection.Oad) -> str:
    return str(value)


@plain.register
def _(value: selection.Omd) -> str:
    return str(value)


@plain.register
def _(value: selection.Ti) -> dict[str, Any]:
    return {"unit": name_of("ti_unit", value.unit), "value": value.value}


@plain.register
def _(value: selection.Tsa) -> dict[str, Any]:
    if not value.raw:
        return {"raw": ""}
    return {
        "raw": plain(value.raw),
        "addr": value.digits,
        "type": value.kind,
        "logical": value.logical,
    }


@plain.register
def _(value: selection.Comdcb) -> dict[str, Any]:
    baud = name_of("baud", value.baud)
    return {
        "baud": int(baud) if str(baud).isdigit() else baud,
        "parity": name_of("parity", value.parity),
        "databits": value.databits,
        "stopbits": value.stopbits,
        "flow": name_of("flow", value.flow),
    }


@plain.register
def _(value: selection.Sid) -> dict[str, Any]:
    return {"id": f"{value.id:08X}", "data": plain(value.data)}


@plain.register
def _(value: selection.SidMac) -> dict[str, Any]:
    return {"id": f"{value.id:08X}", "data": plain(value.data), "mac": plain(value.mac)}


@plain.register
def _(value: selection.Region) -> dict[str, Any]:
    return {
        "kind": name_of("region", value.kind),
        "start": plain(value.start),
        "end": plain(value.end),
    }


@plain.register
def _(value: values.Data) -> dict[str, Any]:
    if value.type == "null":
        return {"type": "null"}
    if value.type == "OI":
        return {"type": "OI", "value": f"{value.value:04X}"}
    if value.type == "CSD":
        return {"type": "CSD", "value": _column(value.value)}
    if value.type == "RCSD":
        return {"type": "RCSD", "value": [_column(one) for one in value.value]}
    return {"type": value.type, "value": plain(value.value)}


def _column(value: selection.Oad | selection.Road) -> dict[str, Any]:
    return {"oad" if isinstance(value, selection.Oad) else "road": plain(value)}


def _values(meters: Any) -> dict[str, Any]:
    return {"value": plain(meters.values)} if hasattr(meters, "values") else {}


def _register_choices() -> None:
    """Selectors, meter sets and mechanisms show which alternative they are."""
    for selector, cls in selection.SELECTORS.items():
        plain.register(cls, lambda value, selector=selector: {"selector": selector, **_fields(value)})
    for choice, meters in selection.METER_SETS.items():
        head = {"choice": choice, "name": name_of("meter_set", choice)}
        plain.register(meters, lambda value, head=head: head | _values(value))
    for number, mechanism in association.MECHANISMS.items():
        name = name_of("mechanism", number)
        plain.register(mechanism, lambda value, name=name: {"mechanism": name, **_fields(value)})


_register_choices()


@plain.register
def _(value: selection.SelectRanges) -> dict[str, Any]:
    return {"selector": 3, "items": [_fields(item) for item in value.items]}


@plain.register
def _(value: parts.Dar) -> int:
    return int(value)


@plain.register
def _(value: parts.TimeTag) -> dict[str, Any]:
    return {"time": plain(value.sent_at), "delay": plain(value.delay)}


@plain.register
def _(value: parts.AttributeResult) -> dict[str, Any]:
    return {"oad": plain(value.oad), **_result(value.result)}


def _result(result: parts.Dar | values.Data) -> dict[str, Any]:
    return {"dar": int(result)} if isinstance(result, parts.Dar) else {"data": plain(result)}


@plain.register
def _(value: parts.RecordRequest) -> dict[str, Any]:
    return {
        "oad": plain(value.oad),
        "rsd": plain(value.rsd),
        "rcsd": [_column(one) for one in value.rcsd],
    }


@plain.register
def _(value: parts.RecordResult) -> dict[str, Any]:
    said = {"oad": plain(value.oad), "rcsd": [_column(one) for one in value.rcsd]}
    if isinstance(value.result, parts.Dar):
        return said | {"dar": int(value.result)}
    return said | {"rows": [[plain(cell) for cell in row] for row in value.result]}
