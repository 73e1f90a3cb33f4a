"""``[[security_providers]]``, and what a meter's entry says of orders to it: who proves them, and how.

Source: control-and-prepayment, section 7.1; CTRL-25; decision 26.
"""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, Field, model_validator

from meterlink.config.fault import Fault
from meterlink.config.secret_ref import Secret
from meterlink.config.table import Name, Table
from meterlink.model.host import is_host

PROVIDERS_MAX: Final = 32
"""A configuration with more is refused; a site has one encryption machine, perhaps two."""
ARGUMENTS_MAX: Final = 64
PASSWORD: Final = "password"  # noqa: S105 - a word, no secret
"""What a meter's ``security`` says where a password in plain is all the proof."""
_PORT_MAX: Final = 65_535


def _provider_url(text: str) -> str:
    fault = Fault(
        "write tcp://HOST:PORT or unix:///path/of/a/socket", "请写 tcp://主机:端口 或 unix:///套接字路径"
    )
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise fault from None
    if parts.username is not None or parts.query or parts.fragment or not _is_place(parts, port):
        raise fault
    return text


def _is_place(parts: SplitResult, port: int | None) -> bool:
    if parts.scheme == "unix":
        return not parts.netloc and len(parts.path) > 1
    named = is_host(parts.hostname) and port is not None and 1 <= port <= _PORT_MAX
    return parts.scheme == "tcp" and named and parts.path in {"", "/"}


class SecurityProviderSettings(Table):
    """Who makes the proofs for orders: the adapter of the site (see security-providers.md)."""

    name: Name = Field(description="What meters call it; `password` is taken.")
    command: tuple[str, ...] = Field(
        (),
        max_length=ARGUMENTS_MAX,
        description="The adapter as a program with its arguments; it is asked over its standard input.",
    )
    url: Annotated[str, AfterValidator(_provider_url)] | None = Field(
        None,
        description="Or where it listens: tcp://HOST:PORT or unix:///path. The lines are not enciphered.",
    )
    timeout_s: float = Field(10.0, ge=0.1, le=10.0, description="For one operation; then the order fails.")

    @model_validator(mode="after")
    def _one_way(self) -> SecurityProviderSettings:
        if self.name == PASSWORD:
            raise Fault(
                "a provider cannot be called password: a meter without provider says that",
                "安全认证不能取名 password:该词表示电表不用安全认证而用密码",
            )
        if bool(self.command) == (self.url is not None):
            raise Fault(
                "a provider has either a command or a url", "安全认证须写 command 或 url,二者必须且只能有一个"
            )
        if self.command and not self.command[0].strip():
            raise Fault("the command begins with the name of a program", "command 的第一项须为程序名")
        return self


class MeterSecurity(Table):
    """What a meter's entry says of orders to it; without ``security`` nothing is ever sent but reads."""

    security: Name | None = Field(
        None,
        description="Who proves orders to it: the name of a [[security_providers]] entry, or `password`. "
        "Without it no order is sent.",
    )
    control_password: Secret | None = Field(
        None, description='By reference: file:/path or env:NAME. With `security = "password"` alone.'
    )
    control_level: int = Field(
        2, ge=0, le=99, description="Level of that password in DL/T 645: 2 or 4 for most meters."
    )
    allow_plaintext_control: bool = Field(
        False,
        description="Let orders go out under a password that anybody on the line can read: laboratory and "
        "sub-meters only. Its profile may allow it as well.",
    )
    lab: bool = Field(
        False, description="A simulated or laboratory meter: a provider with published keys may serve it."
    )

    @model_validator(mode="after")
    def _fits(self) -> MeterSecurity:
        if (self.security == PASSWORD) != (self.control_password is not None):
            raise Fault(
                'control_password goes with security = "password": give both, or leave the password out',
                'control_password 须与 security = "password" 同时使用:请两者都写,或去掉密码',
            )
        return self


def check_providers(
    providers: tuple[SecurityProviderSettings, ...], meters: tuple[MeterSecurity, ...]
) -> None:
    """Every provider once, and each meter's among them.

    Raises:
        ValueError: a meter names one that is not there, or two have one name.

    """
    names = [provider.name for provider in providers]
    for name in names:
        if names.count(name) > 1:
            raise Fault(
                f"two [[security_providers]] have the same name {name!r}",
                f"两个 [[security_providers]] 的 name 相同:{name!r}",
            )
    for number, meter in enumerate(meters, start=1):
        if meter.security not in {None, PASSWORD, *names}:
            known = ", ".join([PASSWORD, *names])
            raise Fault(
                f"[[meters]] number {number}: no security provider is named {meter.security!r} "
                f"(there are: {known})",
                f"[[meters]] 第 {number} 项:没有名为 {meter.security!r} 的安全认证(已有:{known})",
            )
