"""Where a line is reached: its text in a plant file or an option, and its value."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic.dataclasses import dataclass

PORT_MAX: Final = 65_535


@dataclass(frozen=True, kw_only=True, slots=True)
class At:
    """Where a line is reached.

    Args:
        kind: ``tcp`` waits at ``host:port``, ``dial`` calls there, ``pty`` is a pseudo-terminal, ``listen``
            is reached from the same process only.
        host: of ``tcp`` and ``dial``.
        port: of ``tcp`` and ``dial``; of ``tcp`` 0 takes a free one.
        link: of ``pty``: a symbolic link to make for it; ``None``: none.

    """

    kind: Literal["tcp", "pty", "dial", "listen"] = "tcp"
    host: str = "127.0.0.1"
    port: int = 0
    link: Path | None = None

    def __str__(self) -> str:
        """As a plant file has it."""
        if self.kind in {"tcp", "dial"}:
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"{self.kind}://{host}:{self.port}"
        return f"pty:{self.link}" if self.link else self.kind


def endpoint(text: str) -> tuple[str, int]:
    """Host and port of ``HOST:PORT``.

    Raises:
        ValueError: it is none.

    """
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise ValueError(f"{text}: write HOST:PORT, as 127.0.0.1:6450")
    if int(port) > PORT_MAX:
        raise ValueError(f"{text}: a port is at most {PORT_MAX}")
    return host.strip("[]"), int(port)


def at_of(value: object) -> At:
    """Where a line is reached, out of its text.

    Raises:
        ValueError: it is no such place.

    """
    if isinstance(value, At):
        return value
    text = str(value)
    kind, sign, rest = text.partition("://")
    if sign and kind in {"tcp", "dial"}:
        host, port = endpoint(rest)
        if kind == "dial" and port == 0:
            raise ValueError(f"{text}: name the port that is called")
        return At(kind="tcp" if kind == "tcp" else "dial", host=host, port=port)
    if text in {"pty", "listen"}:
        return At(kind="pty" if text == "pty" else "listen")
    if text.startswith("pty:") and text != "pty:":
        return At(kind="pty", link=Path(text.removeprefix("pty:")))
    raise ValueError(f"{text!r}: write tcp://HOST:PORT, pty, pty:/path/of/link, dial://HOST:PORT or listen")
