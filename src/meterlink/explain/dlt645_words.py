"""The fields of DL/T 645 commands in words: what each is called, and how it is shown."""

from __future__ import annotations

from meterlink.explain.parts import NOTHING, Text, same
from meterwire.dlt645 import dictionary
from meterwire.dlt645.items.bit_words import bits_set
from meterwire.dlt645.link.functions import Edition

COMMANDS = {
    0x1A: "trip",
    0x1B: "permit_close",
    0x1C: "direct_close",
    0x1D: "trip_auto_direct_close",
    0x1E: "trip_auto_permit_close",
    0x2A: "alarm_on",
    0x2B: "alarm_off",
    0x3A: "guarantee_on",
    0x3B: "guarantee_off",
}
"""N1 of a control request."""

_COMMANDS_ZH = {
    0x1A: "跳闸",
    0x1B: "合闸允许",
    0x1C: "直接合闸",
    0x1D: "跳闸后自动合闸",
    0x1E: "跳闸后自动合闸允许",
    0x2A: "报警",
    0x2B: "报警解除",
    0x3A: "保电",
    0x3B: "保电解除",
}
_NAMES = {
    "di": Text("data identifier", "数据标识"),
    "level": Text("password level", "密码权限"),
    "password": Text("password", "密码"),
    "new_level": Text("new password level", "新密码权限"),
    "new_password": Text("new password", "新密码"),
    "operator_code": Text("operator code", "操作者代码"),
    "payload": Text("data", "数据"),
    "sealed": Text("enciphered data and MAC", "密文及 MAC"),
    "meter_address": Text("address of the meter", "电表通信地址"),
    "new_address": Text("new address", "新通信地址"),
    "pattern": Text("freeze time, 99 is every", "冻结时间，99 为通配"),
    "word": Text("baud word", "通信速率特征字"),
    "event": Text("event to clear", "清零事件标识"),
    "clock": Text("time", "时间"),
    "signal": Text("signal of the terminal", "多功能端子输出信号"),
    "command": Text("command", "控制命令"),
    "duration": Text("duration, units of 5 minutes", "时限，单位 5 分钟"),
    "expires": Text("valid until", "命令有效截止时间"),
    "mac": Text("MAC", "MAC"),
    "cipher": Text("cipher block", "密文"),
    "execution_word": Text("execution word", "执行状态字"),
    "data": Text("data", "数据"),
    "count": Text("number of records", "记录条数"),
    "since": Text("from the time", "起始时间"),
    "sequence": Text("sequence number", "帧序号"),
    "cipher1": Text("cipher 1", "密文1"),
    "cipher2": Text("cipher 2", "密文2"),
    "rand1": Text("random number 1", "随机数1"),
    "rand2": Text("random number 2", "随机数2"),
    "div": Text("diversifier", "分散因子"),
    "esam_serial": Text("serial number of the security chip", "ESAM 序列号"),
    "minutes": Text("authentication validity", "身份认证有效时长"),
    "customer": Text("customer number", "客户编号"),
    "remaining_cents": Text("remaining amount", "剩余金额"),
    "amount_cents": Text("purchased amount", "购电金额"),
    "preset_cents": Text("preset amount", "预置金额"),
    "purchase_count": Text("purchase count", "购电次数"),
    "order_number": Text("order number", "订单号"),
    "mac1": Text("MAC 1", "MAC1"),
    "mac2": Text("MAC 2", "MAC2"),
    "key_info": Text("key information", "密钥信息"),
    "key_cipher": Text("enciphered key", "密钥密文"),
    "read_length": Text("length to read", "回抄长度"),
    "read_start": Text("first octet to read", "回抄起始地址"),
    "read_file": Text("file to read", "回抄文件标识"),
    "read_directory": Text("directory to read", "回抄目录"),
    "esam_data": Text("data of the security chip", "ESAM 数据"),
    "meter_number": Text("meter number", "表号"),
}


def field_words(name: str, raw: bytes, protocol: Edition) -> tuple[Text, Text]:
    """What a field of a command is called, and what ``raw`` in it says."""
    return _NAMES[name], _says(name, raw, protocol)


def security_words(name: str, value: int | str) -> tuple[Text, Text]:
    """What a field of a security frame is called, and what it says."""
    base, _, number = name.rpartition("_")
    if number.isdigit():
        words = _NAMES[base]
        called = Text(f"{words.en} {number}", f"{words.zh}{number}")
    else:
        called = _NAMES[name]
    if isinstance(value, str):
        return called, same(value.upper())
    if name.endswith("_cents"):
        return called, Text(f"{value // 100}.{value % 100:02d} yuan", f"{value // 100}.{value % 100:02d} 元")
    return called, Text(f"{value} min", f"{value} 分钟") if name == "minutes" else same(str(value))


def _says(name: str, raw: bytes, protocol: Edition) -> Text:
    digits = raw[::-1].hex().upper()
    pairs = [digits[at : at + 2] for at in range(0, len(digits), 2)]
    if name == "di":
        entry = dictionary(protocol).by_di(int(digits, 16))
        return same(digits) if entry is None else Text(f"{digits}, {entry.en}", f"{digits}，{entry.zh}")
    if name == "command":
        en = COMMANDS.get(raw[0], "unknown").replace("_", " ")
        return Text(f"{digits}H, {en}", f"{digits}H，{_COMMANDS_ZH.get(raw[0], '未知')}")
    if name == "signal":
        known = _SIGNALS.get(raw[0], Text("unknown", "未知"))
        return Text(f"{digits}, {known.en}", f"{digits}，{known.zh}")
    if name in _WORDS:
        bits = bits_set(_WORDS[name], raw)
        return Text(", ".join(bit.en for bit in bits), "、".join(bit.zh for bit in bits))
    if name in {"count", "sequence"}:
        return same(str(raw[0]))
    shown = _SHOWN.get(name)
    return same(shown.format(*pairs, all=digits)) if shown else NOTHING


_SIGNALS = {
    0: Text("second pulse of the clock", "时钟秒脉冲"),
    1: Text("demand period", "需量周期"),
    2: Text("switch of the tariff period", "时段投切"),
}
_WORDS = {"word": "baud_word", "execution_word": "execution"}
_SHOWN = {
    "since": "20{}-{}-{} {}:{}",
    **dict.fromkeys(("clock", "expires"), "20{}-{}-{} {}:{}:{}"),
    **dict.fromkeys(("password", "new_password", "operator_code", "meter_address", "new_address"), "{all}"),
    **dict.fromkeys(("level", "new_level", "duration"), "{all}H"),
    **dict.fromkeys(("mac", "cipher"), "{all}"),
    "pattern": "{}-{} {}:{}",
    "event": "{all}",
}
