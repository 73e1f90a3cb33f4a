"""A line that a command opens by itself, without the daemon."""

from __future__ import annotations

from meterlink.errors import ConfigError
from meterlink.model.line_text import parse_line_url
from meterlink.model.line_url import LineUrl, TcpUrl


def own_line_url(text: str) -> LineUrl:
    """The URL of a line with meters on it.

    Args:
        text: as given.

    Raises:
        ConfigError: it is no line, or a concentrator, which the daemon asks.

    """
    url = parse_line_url(text)
    if isinstance(url, TcpUrl) and url.terminal:
        raise ConfigError(
            f"line {text!r}: the meters are behind terminal {url.terminal}: let the daemon ask it "
            "(`meterlink read METER ITEM`, without --line)",
            f"线路 {text!r}:电表在终端 {url.terminal} 之下:请通过守护进程召测"
            "(`meterlink read 电表 数据项`,不带 --line)",
        )
    return url
