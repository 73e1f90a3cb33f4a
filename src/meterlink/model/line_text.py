"""The text of a line's URL, taken apart; what is wrong with it is told in both languages."""

from __future__ import annotations

from functools import lru_cache
from typing import Final, get_args
from urllib.parse import parse_qsl, urlsplit

from meterlink.errors import ConfigError
from meterlink.model.address import terminal_address
from meterlink.model.host import is_host
from meterlink.model.line_url import (
    BAUD_RATES,
    LineUrl,
    ListenUrl,
    Parity,
    Rfc2217Url,
    SerialUrl,
    TcpUrl,
)

URLS_KEPT: Final = 4_096
"""URLs kept taken apart: thousands of meters stand on few lines."""
DEVICE_CHARACTERS_MAX: Final = 64
"""Of the text with which a serial server registers."""


@lru_cache(maxsize=URLS_KEPT)
def parse_line_url(text: str) -> LineUrl:
    """Read a line's URL.

    Raises:
        ConfigError: another scheme, a missing part, an unknown option or a value out of range.

    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise _wrong(text, str(error), f"无法识别({error})") from None
    if parts.hostname and parts.scheme in ("tcp", "rfc2217", "listen") and not is_host(parts.hostname):
        raise _wrong(
            text,
            f"no host can be called {parts.hostname!r}; between two dots stand 1 to 63 characters",
            f"主机名 {parts.hostname!r} 无效:两点之间须为 1 至 63 个字符",
        )
    if parts.scheme == "tcp":
        return _tcp(text, parts.hostname, port, parts.query, rest=parts.path)
    if parts.scheme == "rfc2217":
        return _rfc2217(text, parts.hostname, port, parts.query, rest=parts.path)
    if parts.scheme == "serial":
        return _serial(text, parts.netloc + parts.path, parts.query)
    if parts.scheme == "listen":
        return _listen(text, parts.hostname, port, parts.query, rest=parts.path)
    raise _wrong(
        text,
        "a line is tcp://HOST:PORT, serial:///dev/ttyUSB0?baud=2400&parity=even, "
        "rfc2217://HOST:PORT?baud=2400&parity=even or listen://0.0.0.0:PORT?terminal=ADDRESS",
        "应为 tcp://主机:端口、serial:///dev/ttyUSB0?baud=2400&parity=even、"
        "rfc2217://主机:端口?baud=2400&parity=even 或 listen://0.0.0.0:端口?terminal=通信地址",
    )


def _wrong(text: str, en: str, zh: str) -> ConfigError:
    """What is wrong with a line's URL."""
    return ConfigError(en, zh).behind(f"line {text!r}: ", f"线路 {text!r}:")


def _tcp(text: str, host: str | None, port: int | None, query: str, *, rest: str) -> TcpUrl:
    if not host or not port or rest.strip("/"):
        raise _wrong(
            text,
            "write tcp://HOST:PORT, with a port of 1 to 65535 and nothing behind, or "
            "?terminal=ADDRESS of a concentrator that is dialled",
            "请写 tcp://主机:端口,端口为 1 至 65535,其后不写其他内容;"
            "主动连接的集中器在其后写 ?terminal=通信地址",
        )
    options = _options(text, query, known=("terminal",), example="?terminal=111111111111")
    return TcpUrl(host=host, port=port, terminal=_terminal(text, options) if options else "")


def _rfc2217(text: str, host: str | None, port: int | None, query: str, *, rest: str) -> Rfc2217Url:
    if not host or not port or rest.strip("/"):
        raise _wrong(
            text,
            "write rfc2217://HOST:PORT?baud=2400&parity=even, with a port of 1 to 65535",
            "请写 rfc2217://主机:端口?baud=2400&parity=even,端口为 1 至 65535",
        )
    options = _options(text, query, known=("baud", "parity"), example="?baud=2400&parity=even")
    return Rfc2217Url(host=host, port=port, baud=_baud(text, options), parity=_parity(text, options))


def _listen(text: str, host: str | None, port: int | None, query: str, *, rest: str) -> ListenUrl:
    if not host or port is None or rest.strip("/"):
        raise _wrong(
            text,
            "write listen://0.0.0.0:PORT?terminal=ADDRESS, with a port of 0 to 65535",
            "请写 listen://0.0.0.0:端口?terminal=通信地址,端口为 0 至 65535",
        )
    options = _options(text, query, known=("terminal", "device"), example="?terminal=111111111111")
    if len([value for value in options.values() if value]) != 1:
        raise _wrong(
            text,
            "who calls? One port serves many, each is a line of its own: add ?terminal= and the address that "
            "a concentrator logs in with, or ?device= and the text with which a serial server registers",
            "未写由谁拨入。一个端口可服务多台设备,每台各为一条线路:请加上 ?terminal= 和集中器的登录地址,或 "
            "?device= 和串口服务器的注册内容",
        )
    if options.get("terminal"):
        return ListenUrl(host=host, port=port, terminal=_terminal(text, options))
    return ListenUrl(host=host, port=port, device=_device(text, options["device"]))


def _terminal(text: str, options: dict[str, str]) -> str:
    try:
        return terminal_address(options["terminal"])
    except ConfigError as error:
        raise error.behind(f"line {text!r}: ", f"线路 {text!r}:") from None


def _device(text: str, device: str) -> str:
    if len(device) > DEVICE_CHARACTERS_MAX or not device.isascii() or not device.isprintable():
        raise _wrong(
            text,
            f"device is 1 to {DEVICE_CHARACTERS_MAX} printable characters of ASCII",
            f"device 须为 1 至 {DEVICE_CHARACTERS_MAX} 个可见的 ASCII 字符",
        )
    return device


def _serial(text: str, device: str, query: str) -> SerialUrl:
    if not device.startswith("/"):
        raise _wrong(
            text,
            "write the device's whole path: serial:///dev/ttyUSB0 (three slashes)",
            "请写串口设备的完整路径:serial:///dev/ttyUSB0(三个斜杠)",
        )
    options = _options(text, query, known=("baud", "parity"), example="?baud=2400&parity=even")
    return SerialUrl(device=device, baud=_baud(text, options), parity=_parity(text, options))


def _options(text: str, query: str, *, known: tuple[str, ...], example: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=bool(query))
    except ValueError:
        raise _wrong(text, f"options are written {example}", f"选项的写法为 {example}") from None
    options = dict(pairs)
    if unknown := sorted(set(options) - set(known)):
        raise _wrong(
            text,
            f"unknown option {unknown[0]!r}; known here: {' and '.join(known)}",
            f"未知的选项 {unknown[0]!r};此处可用:{'、'.join(known)}",
        )
    if len(options) < len(pairs):
        raise _wrong(text, "an option is given twice", "同一选项写了两次")
    return options


def _baud(text: str, options: dict[str, str]) -> int:
    baud = options.get("baud", "2400")
    if baud not in {str(rate) for rate in BAUD_RATES}:
        raise _wrong(
            text,
            f"baud must be one of {', '.join(map(str, BAUD_RATES))}",
            f"baud(波特率)须为以下之一:{'、'.join(map(str, BAUD_RATES))}",
        )
    return int(baud)


def _parity(text: str, options: dict[str, str]) -> Parity:
    wanted = options.get("parity", "even")
    for parity in get_args(Parity):
        if parity == wanted:
            return parity  # type: ignore[no-any-return]
    raise _wrong(text, "parity must be even, none or odd", "parity(校验)须为 even(偶)、none(无)或 odd(奇)")
