"""What 698.45 APDUs of control, wallet and security are about, in the terms of ``control-keys.md``.

Source: control-and-prepayment, sections 4 to 6.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from meterlink.explain.dlt698_plain import plain, text_of
from meterwire.dlt645.items.bit_words import bit_words
from meterwire.dlt698.apdus import association, parts
from meterwire.dlt698.apdus.apdu import Apdu, inner_apdu
from meterwire.dlt698.apdus.enumerations import name_of
from meterwire.dlt698.apdus.security import CipherUnit, SecurityRequest, SecurityResponse
from meterwire.dlt698.axdr.selection import Oad, Omd, Sid, SidMac
from meterwire.dlt698.axdr.values import BitString, Data
from meterwire.dlt698.link.frame import Frame
from meterwire.errors import RemoteProtocolError

_COMMANDS: Final = {
    Omd(0x8000, 127): "alarm_on",
    Omd(0x8000, 128): "alarm_off",
    Omd(0x8000, 129): "trip",
    Omd(0x8000, 130): "close",
    Omd(0x8000, 131): "plaintext_close",
    Omd(0x8001, 127): "guarantee_on",
    Omd(0x8001, 128): "guarantee_off",
    Omd(0x8002, 127): "reminder_on",
    Omd(0x8002, 128): "reminder_off",
}
_WALLET: Final = Omd(0xF100, 6)
_OPERATIONS: Final = {0: "open_account", 1: "topup", 2: "refund"}
_CLOSE_MODES: Final = {0: "permit", 1: "direct"}
_VERIFICATIONS: Final = {"SidMac": "SID_MAC", "Rn": "RN", "RnMac": "RN_MAC", "Sid": "SID", "Mac": "MAC"}


def meaning_of(apdu: Apdu, octets: bytes, frame: Frame) -> dict[str, Any]:
    """The purpose of an APDU that came in a frame."""
    said: dict[str, Any] = {
        "sa": frame.server.digits,
        "address_type": frame.server.kind.name.lower(),
        "ca": f"{frame.client:02X}",
        "service": type(apdu).__name__,
    }
    if isinstance(apdu, SecurityRequest | SecurityResponse):
        return _inside(apdu, frame) | said | _envelope(apdu)
    return said | _content(apdu, frame)


def _inside(envelope: SecurityRequest | SecurityResponse, frame: Frame) -> dict[str, Any]:
    """The purpose of what a plain envelope holds; nothing where nobody here can read it."""
    try:
        inner = inner_apdu(envelope)
    except RemoteProtocolError:
        return {}
    if inner is None or isinstance(inner, SecurityRequest | SecurityResponse):
        return {}
    return _content(inner, frame)


def _content(apdu: Any, frame: Frame) -> dict[str, Any]:
    said: dict[str, Any] = {}
    said["piid_acd" if frame.from_server else "piid"] = f"{apdu.piid:02X}"
    tag = getattr(apdu, "time_tag", None)
    said["time_tag"] = None if tag is None else {"sent": str(tag.sent_at), "allow": plain(tag.delay)}
    if isinstance(apdu, association.ConnectRequest | association.ConnectResponse):
        return said | _association(apdu)
    return said | _body(apdu)


def _body(apdu: Any) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if hasattr(apdu, "oads"):
        said["oads"] = [str(oad) for oad in apdu.oads]
    if isinstance(oad := getattr(apdu, "oad", None), Oad):
        said["oad"] = str(oad)
    if items := _items_of(apdu):
        told = [_item(item) for item in items]
        return said | (told[0] if len(told) == 1 else {"items": told})
    results = getattr(apdu, "results", None) or [getattr(apdu, "result", None)]
    for result in results:
        if isinstance(result, parts.AttributeResult):
            said |= _attribute(result, single=len(results) == 1)
    return said


def _items_of(apdu: Any) -> list[Any]:
    """What is set, called, or answered to either: of a list, and through a concentrator, each."""
    if hasattr(apdu, "item"):
        return [apdu.item]
    if hasattr(apdu, "items"):
        return list(apdu.items)
    return [item for target in getattr(apdu, "targets", ()) for item in target.items]


def _item(item: Any) -> dict[str, Any]:
    said: dict[str, Any] = {}
    if isinstance(item, Oad):
        return {"oad": str(item)}
    if isinstance(item, parts.AttributeResult):
        return _attribute(item, single=True)
    for name in ("oad", "omd"):
        if hasattr(item, name):
            said[name] = str(getattr(item, name))
    if hasattr(item, "dar"):
        return said | _verdict(item.dar)
    return said | (_guarded(_call, item.omd, item.data) if hasattr(item, "omd") else {})


def _attribute(result: parts.AttributeResult, *, single: bool) -> dict[str, Any]:
    said: dict[str, Any] = {"oad": str(result.oad)} if single else {}
    if isinstance(result.result, parts.Dar):
        return said | (_verdict(result.result) if single else {})
    told = _ATTRIBUTES.get(result.oad)
    return said if told is None else said | _guarded(told, result.result)


def _guarded(tell: Callable[..., dict[str, Any]], *arguments: Any) -> dict[str, Any]:
    """Nothing, where a meter sends something else than the object is declared to be."""
    try:
        return tell(*arguments)
    except (TypeError, ValueError, AttributeError, IndexError, KeyError):
        return {}


def _verdict(dar: parts.Dar) -> dict[str, Any]:
    if dar == parts.SUCCESS:
        return {"dar": 0, "ok": True}
    return {"dar": int(dar), "ok": False, "error": name_of("dar", dar)}


# --- methods -------------------------------------------------------------------------------------------


def _call(omd: Omd, data: Data) -> dict[str, Any]:
    command = _COMMANDS.get(omd)
    if omd == _WALLET:
        return _wallet(data.value)
    if command is None:
        return {}
    said: dict[str, Any] = {"command": command}
    if command == "reminder_on":
        return said | _guarded(_reminder, data.value)
    if omd.oi == 0x8000 and data.type == "array":
        return said | _guarded(_relays, command, data.value)
    return said


def _relays(command: str, elements: Sequence[Data]) -> dict[str, Any]:
    return {"relays": [_relay(command, [member.value for member in element.value]) for element in elements]}


def _relay(command: str, members: list[Any]) -> dict[str, Any]:
    if command == "trip":
        oad, delay, limit, auto_close = members
        return {"oad": str(oad), "alarm_delay_min": delay, "limit_min": limit, "auto_close": auto_close}
    said = {"oad": str(members[0]), "mode": _CLOSE_MODES.get(members[1], members[1])}
    return said | ({"password": text_of(members[2])} if command == "plaintext_close" else {})


def _reminder(members: Sequence[Data]) -> dict[str, Any]:
    hours, text = members
    octets = text.value.encode("ascii", "surrogateescape")
    return {
        "hours_mask": plain(hours.value),
        "text_hex": plain(octets),
        "text_gbk": text_of(text.value),
    }


def _wallet(members: Sequence[Data]) -> dict[str, Any]:
    operation, amount, count, customer, proof, *meter = members
    said = {
        "operation": _OPERATIONS.get(operation.value, operation.value),
        "amount_cents": amount.value,
        "purchase_count": count.value,
        "customer": plain(customer.value),
    }
    if isinstance(proof.value, SidMac):
        said |= _sid(proof.value) | {"mac": plain(proof.value.mac)}
    return said | ({"meter_number": plain(meter[0].value)} if meter else {})


def _sid(sid: Sid | SidMac) -> dict[str, Any]:
    return {"sid": f"{sid.id:08X}", "additional": plain(sid.data)}


# --- attributes ----------------------------------------------------------------------------------------


def _relay_commands(data: Data) -> dict[str, Any]:
    """Command state; relay 1 is the first bit."""
    bits: BitString = data.value
    return {"command_state_bits": plain(bits.octets), "relay1_command": "trip" if bits.bit(0) else "close"}


def _relay_outputs(data: Data) -> dict[str, Any]:
    names = ("descriptor", "state", "switch", "wiring")
    rows = [dict(zip(names, map(plain, _members(relay)), strict=True)) for relay in data.value]
    return {"relay": rows}


def _control_errors(data: Data) -> dict[str, Any]:
    bits: BitString = data.value
    words = [bit.name for bit in bit_words()["control_error"] if bits.bit(bit.place)]
    return {"bits": plain(bits.octets), "errors": words}


def _balance(data: Data) -> dict[str, Any]:
    amount, count = _members(data)
    return {"remaining_yuan": str(Decimal(amount).scaleb(-2)), "purchase_count": count}


def _counters(data: Data) -> dict[str, Any]:
    names = ("session_counter", "report_counter", "broadcast_counter")
    return dict(zip(names, _members(data), strict=True))


def _members(data: Data) -> list[Any]:
    return [member.value for member in data.value]


_ATTRIBUTES: Final[dict[Oad, Callable[[Data], dict[str, Any]]]] = {
    Oad(0x8000, 5, 0): _relay_commands,
    Oad(0x8001, 2, 0): lambda data: {"guarantee": data.value},
    Oad(0xF205, 2, 0): _relay_outputs,
    Oad(0x2041, 2, 0): _control_errors,
    Oad(0x202C, 2, 0): _balance,
    Oad(0x4002, 2, 0): lambda data: {"meter_number": plain(data.value)},
    Oad(0xF100, 2, 0): lambda data: {"esam_serial": plain(data.value)},
    Oad(0xF100, 4, 0): lambda data: {"key_version": plain(data.value)},
    Oad(0xF100, 7, 0): _counters,
}

# --- association and envelope --------------------------------------------------------------------------


def _association(apdu: association.ConnectRequest | association.ConnectResponse) -> dict[str, Any]:
    said: dict[str, Any] = {
        "version": f"{apdu.version:04X}",
        "send_max": apdu.tx_max,
        "recv_max": apdu.rx_max,
        "window": apdu.rx_window,
        "max_apdu": apdu.apdu_max,
        "timeout_s": apdu.timeout_s,
    }
    if isinstance(apdu, association.ConnectResponse):
        said |= {
            "vendor": apdu.factory.vendor,
            "software": apdu.factory.sw_version,
            "result": apdu.result,
        }
        proof = apdu.security_data
        if proof is not None:
            said |= {"cipher2_len": len(proof.rn), "sign2": plain(proof.signature)}
        return said
    auth = plain(apdu.auth)
    names = {"ciphertext": "cipher1", "signature": "sign1"}
    return said | {names.get(key, key): value for key, value in auth.items()}


def _envelope(apdu: SecurityRequest | SecurityResponse) -> dict[str, Any]:
    if isinstance(apdu.unit, parts.Dar):
        return _verdict(apdu.unit)
    encrypted = isinstance(apdu.unit, CipherUnit)
    said: dict[str, Any] = {"encrypted": encrypted}
    said["application" if encrypted else "inner"] = plain(apdu.unit.octets)
    if apdu.verify is None:
        return said
    said["verification"] = _VERIFICATIONS[type(apdu.verify).__name__]
    if isinstance(apdu.verify, Sid | SidMac):
        said |= _sid(apdu.verify)
    for name in ("rn", "mac"):
        if hasattr(apdu.verify, name):
            said[name] = plain(getattr(apdu.verify, name))
    return said
