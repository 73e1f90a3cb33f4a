"""What lines say of each other: two that are one, ports that two want, registrations that are alike."""

from __future__ import annotations

from collections.abc import Iterable

from meterlink.config.fault import Fault
from meterlink.config.lines import LineSettings, registration_of
from meterlink.config.serial_server import HEARTBEAT_OCTETS_MIN, is_told_apart
from meterlink.model.line_url import LineUrl, ListenUrl, SerialUrl, TcpUrl


def same_place(lines: Iterable[LineSettings]) -> tuple[LineSettings, LineSettings] | None:
    """The first two lines of different URLs that are one and the same; ``None``: there are none.

    Only one of them could be opened, and the meters of the other would be silent for ever.
    """
    first: dict[str, LineSettings] = {}
    for line in lines:
        if (other := first.setdefault(line.parsed_url.place, line)).url != line.url:
            return other, line
    return None


def check_places(lines: Iterable[LineSettings]) -> None:
    """Refuse lines that are written in two ways.

    Raises:
        Fault: two are one and the same.

    """
    if (found := same_place(lines)) is not None:
        one, other = found
        raise Fault(
            f"the lines {one.url} ({one.name}) and {other.url} ({other.name}) are one and the same, and only "
            "one of them could be opened: write one URL for both",
            f"线路 {one.url}({one.name})与 {other.url}({other.name})是同一条线路,只能打开其中一个:"
            "请统一写成一个地址",
        )


def check_listeners(urls: Iterable[LineUrl]) -> None:
    """Refuse what the second listener would find at start: the port taken, by ourselves.

    Raises:
        Fault: two hosts or two kinds of callers of one port, or one caller on two lines.

    """
    ports: dict[int, ListenUrl] = {}
    callers: dict[tuple[str, str], ListenUrl] = {}
    for url in urls:
        if not isinstance(url, ListenUrl):
            continue
        other = ports.setdefault(url.port, url) if url.port else url
        if other.host != url.host:
            raise Fault(
                f"line {str(url)!r}: another line listens on port {url.port} of {other.host}; "
                "write the same host for all lines of one port",
                f"线路 {str(url)!r}:另一条线路在 {other.host} 上监听端口 {url.port};"
                "同一端口的线路须写同一个监听主机",
            )
        if other.caller != url.caller:
            raise Fault(
                f"line {str(url)!r}: on port {url.port} callers of another kind are waited for ({other}); "
                "one port serves one kind: give them two",
                f"线路 {str(url)!r}:端口 {url.port} 等待的是另一类设备({other});一个端口只服务一类设备:"
                "请使用两个端口",
            )
        if (twice := callers.setdefault((url.caller, url.who), url)) is not url:
            raise Fault(
                f"line {str(url)!r}: {_whom(url)} is already that of line {twice}",
                f"线路 {str(url)!r}:{_whom_zh(url)} 已属于线路 {twice}",
            )


def _whom(url: ListenUrl) -> str:
    return f"terminal {url.terminal}" if url.terminal else f"device {url.device}"


def _whom_zh(url: ListenUrl) -> str:
    return f"终端 {url.terminal}" if url.terminal else f"串口服务器 {url.device}"


def check_serial_servers(lines: Iterable[LineSettings]) -> None:
    """Refuse registrations of which nobody could say whose they are.

    Raises:
        Fault: one of a port begins with another, or a cable or terminal has such settings.

    """
    ports: dict[tuple[str, int], dict[bytes, LineSettings]] = {}
    for line in lines:
        url = line.parsed_url
        is_none = isinstance(url, SerialUrl) or (isinstance(url, ListenUrl | TcpUrl) and url.terminal)
        if line.serial_server is not None and is_none:
            raise Fault(
                f"line {line.name!r} has `serial_server` settings, but {url} is no serial server",
                f"线路 {line.name!r} 有 `serial_server` 设置,但 {url} 不是串口服务器",
            )
        device = url.device if isinstance(url, ListenUrl) else ""
        _check_texts(line, device)
        if not (isinstance(url, ListenUrl) and device):
            continue
        text = registration_of(line)
        there = ports.setdefault(url.endpoint, {})
        for other, whose in there.items():
            if text.startswith(other) or other.startswith(text):
                both = f"{ascii(other)[1:]}, {ascii(text)[1:]}"
                raise Fault(
                    f"lines {whose.name!r} and {line.name!r}: one registration begins with the other "
                    f"({both}), so nobody could say whose it is; "
                    'let an end mark follow both, as registration = "{device}\\r\\n"',
                    f"线路 {whose.name!r} 与 {line.name!r}:一个注册包以另一个开头({both}),无法区分:请让两者"
                    '都以结束符结尾,例如 registration = "{device}\\r\\n"',
                )
        there[text] = line


def _check_texts(line: LineSettings, device: str) -> None:
    """Refuse what would be taken out of a meter's answer; what dials in has its registration taken off first.

    Raises:
        Fault: a heartbeat with its device, or the registration of one that is dialled, is too short.

    """
    if (told := line.serial_server) is None:
        return
    looked_for = told.heartbeats_of(device)
    if not device and (registration := told.registration_of("")):
        looked_for = (registration, *looked_for)
    for text in looked_for:
        if not is_told_apart(text):
            raise Fault(
                f"line {line.name!r}: {ascii(text)[1:]} of its serial server can stand in a meter's frame, "
                f"and would be taken out of it: set one of {HEARTBEAT_OCTETS_MIN} octets or more at the "
                "serial server, not all the same",
                f"线路 {line.name!r}:串口服务器发送的 {ascii(text)[1:]} 可能出现在电表的帧中并被误删:请在串口"
                f"服务器上改为 {HEARTBEAT_OCTETS_MIN} 个字节以上且不全相同的内容",
            )
