"""``[web]``: where billing pulls from us over HTTP. Only on this machine, until there is TLS."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Final, NamedTuple

from pydantic import AfterValidator, Field, model_validator

from meterlink.config.fault import Fault
from meterlink.config.table import Table

PORT_MAX: Final = 65_535


class Endpoint(NamedTuple):
    """Where we listen.

    Args:
        host: an address, or ``localhost``.
        port: 0: any that is free.

    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)


def is_loopback(host: str) -> bool:
    """Whether a name or an address is that of this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def endpoint_of(text: str) -> Endpoint:
    """Where ``HOST:PORT`` is; an address of version 6 stands in brackets.

    Raises:
        ValueError: it is none.

    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not (port.isascii() and port.isdecimal()) or int(port) > PORT_MAX:
        raise Fault(
            f"{text[:64]!r}: write ADDRESS:PORT, e.g. 127.0.0.1:8645 or [::1]:8645",
            f"{text[:64]!r}:请写 地址:端口,例如 127.0.0.1:8645 或 [::1]:8645",
        )
    if host != "localhost":
        try:
            ipaddress.ip_address(host)
        except ValueError:
            raise Fault(
                f"{host[:64]!r}: write an address of this machine, e.g. 127.0.0.1",
                f"{host[:64]!r}:请写本机的地址,例如 127.0.0.1",
            ) from None
    return Endpoint(host, int(port))


def _listen(text: str) -> str:
    if text:
        endpoint_of(text)
    return text


class WebTlsSettings(Table):
    """The certificate that callers see, and its key, both PEM. With it, other machines may call."""

    certificate: Path = Field(description="The certificate, with those between it and its authority.")
    key: Path = Field(description="Its private key; readable by the daemon's user alone.")


class WebSettings(Table):
    """Where billing pulls from us over HTTP. Without this table nobody can. Needs the extra `web`."""

    listen: Annotated[str, AfterValidator(_listen)] = Field(
        "127.0.0.1:8645",
        description="`ADDRESS:PORT`; port 0: any that is free, the ready line tells it; empty: no port. "
        "Another address than one of loopback needs `[web.tls]`.",
    )
    socket: Path | None = Field(
        None,
        description="A unix socket for programs of this machine; its owner and group alone may open it.",
    )
    tls: WebTlsSettings | None = Field(
        None, description="Table `[web.tls]`: `certificate` and `key`, files in PEM. Holds for `listen`."
    )

    @model_validator(mode="after")
    def _reachable(self) -> WebSettings:
        if not self.listen and self.socket is None:
            raise Fault(
                "[web] listens nowhere: give listen or socket, or leave [web] out",
                "[web] 没有监听任何地址:请写 listen 或 socket,或去掉 [web]",
            )
        if self.listen and not endpoint_of(self.listen).is_loopback and self.tls is None:
            raise Fault(
                f"[web] listen = {self.listen!r} is open to other machines, and tokens and readings would go "
                "there in clear: listen on 127.0.0.1 or a socket, or configure [web.tls]",
                f"[web] listen = {self.listen!r} 对其他机器开放,令牌和数据会以明文传送:请监听 127.0.0.1 或 "
                "socket,或配置 [web.tls]",
            )
        return self
