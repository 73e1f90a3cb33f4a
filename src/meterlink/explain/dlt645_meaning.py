"""What commands, control and security frames of DL/T 645 mean, in the terms of the vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from meterlink.explain.dlt645_words import COMMANDS
from meterlink.explain.parts import Said
from meterwire.dlt645 import Frame, dictionary
from meterwire.dlt645.items import formats, security
from meterwire.dlt645.items.bit_words import bits_set
from meterwire.dlt645.link.functions import CONTROL, READ, SECURITY, WRITES, Edition
from meterwire.dlt645.messages.command_codec import Span, field_spans
from meterwire.dlt645.messages.control import CIPHER_LEVELS, MAC_LEVELS
from meterwire.dlt645.messages.secrets import MAC_OCTETS
from meterwire.errors import RemoteProtocolError

_AUTO_CLOSE = {0x1D, 0x1E}
_MINUTES_A_UNIT = 5
_NO_DATE = {bytes(6), b"\x99" * 6}  # seen where a meter has no clock
_METER_TYPES = ("not_prepaid", "energy_prepaid", "money_prepaid", "reserved")
_PARAMETERS = {0x04001001: "alarm1_yuan", 0x04001002: "alarm2_yuan", 0x04001003: "overdraft_limit_yuan"}
_BALANCES = {"00900200": "remaining_yuan", "00900201": "overdraft_yuan"}
_RELAY_RECORD = ("time", "operator", "fwd_active_kwh", "rev_active_kwh", "q1", "q2", "q3", "q4")


def command_out(frame: Frame, spans: tuple[Span, ...], protocol: Edition) -> dict[str, Any]:
    """The fields of a command as the vectors list them."""
    raw = {span.name: frame.data[span.start : span.end] for span in spans}
    if frame.function not in {*WRITES, SECURITY} or "di" not in raw:
        return {"raw": _hex(frame.data)} if frame.data else {}
    size = len(raw["di"])
    out = {"di": raw["di"][::-1].hex().upper(), "raw": _hex(frame.data[size:])}
    if frame.function in WRITES:
        out |= {
            "password_level": _hex(raw["level"]),
            "password": raw["password"][::-1].hex(),
            "payload": _hex(raw.get("payload", b"")),
        }
        if protocol == "dlt645-2007":
            out["operator"] = _hex(raw["operator_code"])
    return out


def invalid_expiry(frame: Frame, spans: tuple[Span, ...]) -> RemoteProtocolError | None:
    """Why a control request is refused for its expiry; all 00 and all 99 are known to be sent."""
    for span in spans:
        octets = frame.data[span.start : span.end]
        if span.name == "expires" and octets not in _NO_DATE and _moment(octets) is None:
            sentence = f"the expiry {octets[::-1].hex()} is no date and time"
            return RemoteProtocolError(sentence, kind="invalid_expiry", octets=frame.data, offset=span.start)
    return None


def meaning(frame: Frame, said: Said) -> dict[str, Any]:
    """What the frame means for control, security and prepayment; empty where it means nothing there."""
    if frame.abnormal:
        return _refused(frame)
    chosen: dict[tuple[int, bool], Callable[[Frame, Said], dict[str, Any]]] = {
        (CONTROL, False): _control,
        (CONTROL, True): _executed,
        (SECURITY, False): _security,
        (SECURITY, True): _security,
        (READ, True): _state,
    }
    if (told := chosen.get((frame.function, frame.from_meter))) and said.protocol == "dlt645-2007":
        return told(frame, said)
    if frame.function in WRITES:
        return _parameter(frame, said)
    return {"ok": True} if frame.from_meter and not frame.data else {}


def _refused(frame: Frame) -> dict[str, Any]:
    word = frame.data
    if frame.function == SECURITY:
        out: dict[str, Any] = {"serr": _high(word), "errors": _names("serr", word)}
        return {"ok": False, **(out if len(word) == 2 else {"err": _high(word)})}
    if frame.function == CONTROL and len(word) == 2:
        return {"ok": False, "error_word": _high(word), "errors": _names("control_error", word)}
    return {"ok": False, "err": _high(word[:1]), "errors": _names("control_err", word[:1])}


def _control(frame: Frame, said: Said) -> dict[str, Any]:
    spans = field_spans(frame, said.protocol)
    if spans is None:
        return {}
    raw = {span.name: frame.data[span.start : span.end] for span in spans}
    out: dict[str, Any] = {
        "password_level": _high(raw["level"]),
        "password": _high(raw["password"]),
        "operator": _high(raw["operator_code"]),
    }
    if "cipher" in raw:
        return out | {"ciphertext": _high(raw["cipher"]), "mac": _high(raw["mac"])}
    command, duration = raw["command"][0], raw["duration"][0]
    out |= {"n1": _hex(raw["command"]), "n2": _hex(raw["duration"]), "command": COMMANDS.get(command)}
    out["expires"] = _moment(raw["expires"])
    if out["expires"] is None:
        out["expires_raw"] = _hex(raw["expires"])
    if command in _AUTO_CLOSE:
        out["hold_minutes"] = duration * _MINUTES_A_UNIT
    return out


def _executed(frame: Frame, _said: Said) -> dict[str, Any]:
    if len(frame.data) != 2:
        return {"ok": True}
    return {"ok": True, "exec_word": _high(frame.data), "exec": _names("execution", frame.data)}


def _security(frame: Frame, _said: Said) -> dict[str, Any]:
    di = int.from_bytes(frame.data[:4], "little")
    payload = frame.data[4:] if frame.from_meter else frame.data[8:]
    if frame.from_meter and not payload:
        return {"ok": True}
    fields = security.split(di, "reply" if frame.from_meter else "request", payload)
    out = {value.field.name: value.value for value in fields or ()}
    return out if frame.from_meter else {"operator": _high(frame.data[4:8]), **out}


def _parameter(frame: Frame, said: Said) -> dict[str, Any]:
    if frame.from_meter:
        return {"ok": True}
    if "payload" not in said.decoded or "operator" not in said.decoded:
        return {}
    level, payload = int(said.decoded["password_level"], 16), bytes.fromhex(said.decoded["payload"])
    out: dict[str, Any] = {
        "password_level": said.decoded["password_level"],
        "operator": bytes.fromhex(said.decoded["operator"])[::-1].hex(),
    }
    if level in CIPHER_LEVELS | MAC_LEVELS and len(payload) >= MAC_OCTETS:
        out["mac"] = _high(payload[-MAC_OCTETS:])
        payload = payload[:-MAC_OCTETS]
    di = int(said.decoded["di"], 16)
    entry = dictionary("dlt645-2007").by_di(di)
    if (
        level not in CIPHER_LEVELS
        and di in _PARAMETERS
        and entry is not None
        and len(payload) == entry.octets
    ):
        out[_PARAMETERS[di]] = entry.decode(payload)[0].text
    return out


def _state(_frame: Frame, said: Said) -> dict[str, Any]:
    di, values = said.decoded.get("di", ""), said.values
    if di in _BALANCES and values:
        return {_BALANCES[di]: values[0].text}
    if di == "04000503" and values:
        return _status_word_3(values[0].raw)
    if di[:4] in {"1D00", "1E00"} and di[4:6] == "FF" and len(values) == len(_RELAY_RECORD):
        texts = [value.text for value in values]
        texts[0] = (texts[0] or "").replace(" ", "T")
        texts[1] = _high(values[1].raw)
        return dict(zip(_RELAY_RECORD, texts, strict=True))
    return {}


def _status_word_3(raw: bytes) -> dict[str, Any]:
    names = {bit.name for bit in bits_set("meter_status_word_3", raw)}
    out: dict[str, Any] = {"word": _high(raw)}
    out |= {
        name: name in names
        for name in ("relay_open", "command_open", "pre_trip_alarm", "guarantee", "auth_valid")
    }
    out["meter_type"] = _METER_TYPES[raw[1] & 3]
    out["local_account_open"] = "local_account_closed" not in names
    out["remote_account_open"] = "remote_account_closed" not in names
    return out


def _moment(octets: bytes) -> str | None:
    content, _ = formats.parse("YYMMDDhhmmss").decode(octets)
    moment = formats.moment(content)
    return None if moment is None else moment.isoformat()


def _names(word: str, octets: bytes) -> list[str]:
    return [bit.name for bit in bits_set(word, octets)]


def _high(octets: bytes) -> str:
    """Hexadecimal digits as people write them, highest first."""
    return octets[::-1].hex().upper()


def _hex(octets: bytes) -> str:
    return octets.hex().upper()
