"""Which line a meter means: one of ``[[lines]]``, or a URL of its own."""

from __future__ import annotations

from pydantic import ValidationError

from meterlink.config.fault import Fault, first_of
from meterlink.config.lines import LineSettings
from meterlink.errors import ConfigError
from meterlink.model.line_text import parse_line_url
from meterlink.model.line_url import LineUrl, ListenUrl, SerialUrl, TcpUrl


class LineFinder:
    """Lines by name and by URL; a URL that no [[lines]] entry has makes a line of its own."""

    def __init__(self, lines: tuple[LineSettings, ...]) -> None:
        self._by_name = {line.name: line for line in lines}
        self._by_url = {line.url: line for line in lines}
        self._found: dict[str, LineSettings] = {}  # thousands of meters name few lines

    def find(self, wanted: str) -> LineSettings:
        """The line of that name or URL.

        Args:
            wanted: what a meter says.

        Raises:
            Fault: there is none, and it is no URL.

        """
        if (line := self._by_name.get(wanted) or self._found.get(wanted)) is not None:
            return line
        if "://" not in wanted:
            names = sorted(self._by_name)[:5]
            raise Fault(
                f"no line is named {wanted!r} (there are: {', '.join(names) or 'none'}); "
                "a URL like tcp://HOST:PORT does as well",
                f"没有名为 {wanted!r} 的线路(已有:{'、'.join(names) or '无'});也可以直接写 tcp://主机:端口",
            )
        try:
            url = parse_line_url(wanted)
        except ConfigError as error:
            raise Fault.of(error) from None
        if str(url) not in self._by_url:
            try:
                line = LineSettings.model_validate({"name": _name_of(url), "url": str(url)})
            except ValidationError as error:
                raise Fault(*first_of(error)[1]) from None
            self._by_url[str(url)] = line
        self._found[wanted] = self._by_url[str(url)]
        return self._found[wanted]


_IN_NAMES = str.maketrans(dict.fromkeys('+#/\\"$ ', "_"))
"""What a serial server may call itself, and no line."""


def _name_of(url: LineUrl) -> str:
    if isinstance(url, SerialUrl):
        return url.device.rpartition("/")[2][-64:]
    if isinstance(url, ListenUrl):
        return url.who.translate(_IN_NAMES)
    if isinstance(url, TcpUrl) and url.terminal:
        return url.terminal
    return f"{url.host}:{url.port}"[-64:]
