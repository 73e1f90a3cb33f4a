"""Which security an order to a meter gets: what the configuration says, and nothing else.

A provider that fails is never replaced by a password, nor by another provider. A password in plain needs a
word of permission of its own, from the meter's entry or from its profile.
Source: control-and-prepayment, section 7.1; CTRL-25; decision 26.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final
from urllib.parse import urlsplit

from meterlink.config import MeterSettings, SecretRef, Settings
from meterlink.config.security import PASSWORD, SecurityProviderSettings
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.proving import Plain, Security
from meterlink.errors import ConfigError, SecurityFailed
from meterlink.security.adapter import Adapter, Opener
from meterlink.security.external import ExternalProvider
from meterlink.transports import adapter as streams

CONTROL_PASSWORD_MAX: Final = 16
"""Longest password that is sent; meters take 6 digits (DL/T 645) or 8 characters (DL/T 698.45)."""


class Securities:
    """The providers of a configuration, and who gets which.

    Args:
        settings: checked.
        profiles: of the meters.
        rng: jitter of reaching providers again.
        opener_of: makes what reaches a provider.

    Attributes:
        profiles: as given; others once the meters have others.

    """

    def __init__(
        self,
        settings: Settings,
        profiles: MeterProfiles,
        *,
        rng: random.Random,
        opener_of: Callable[[SecurityProviderSettings], Opener] | None = None,
    ) -> None:
        make = opener_of or opener
        self.profiles = profiles
        self._adapters = {
            one.name: Adapter(one.name, make(one), rng=rng, timeout_s=one.timeout_s)
            for one in settings.security_providers
        }

    def of(self, meter: MeterSettings) -> Security:
        """What proves an order to a meter.

        Raises:
            SecurityFailed: nothing does; code ``none``, or ``plaintext`` where a password is not allowed.

        """
        if meter.security is None:
            raise SecurityFailed(
                f"meter {meter.id!r} names no security: no order can be proved to it", code="none"
            )
        if meter.security != PASSWORD:
            return ExternalProvider(self._adapters[meter.security], lab_allowed=meter.lab)
        if not _plaintext_allowed(meter, self.profiles):
            raise SecurityFailed(_forbidden(meter), code="plaintext")
        return Plain(level=meter.control_level, password=partial(_reveal, meter))

    async def aclose(self) -> None:
        """Let all providers go."""
        for adapter in self._adapters.values():
            with suppress(SecurityFailed):
                await adapter.aclose()


def check_security(settings: Settings, profiles: MeterProfiles) -> None:
    """Refuse a configuration by which a meter could not be ordered about as it says.

    Raises:
        ConfigError: a password in plain where nobody has allowed it.

    """
    for number, meter in enumerate(settings.meters, start=1):
        if meter.security == PASSWORD and not _plaintext_allowed(meter, profiles):
            raise ConfigError(
                f"[[meters]] number {number}: {_forbidden(meter)}",
                f'[[meters]] 第 {number} 项:电表 {meter.id!r} 的 security = "password" 可被线路上任何人读取:'
                "试验表或分表请写 allow_plaintext_control = true,否则请指定安全认证",
            )


def opener(settings: SecurityProviderSettings) -> Opener:
    """How a provider is reached: the program that is started, or the place that is dialled."""
    if settings.command:
        return partial(streams.open_process, settings.command)
    assert settings.url is not None, "it was checked"
    parts = urlsplit(settings.url)
    if parts.scheme == "unix":
        return partial(streams.open_unix, parts.path)
    assert parts.hostname is not None and parts.port is not None, "it was checked"
    return partial(streams.open_tcp, parts.hostname, parts.port)


def _plaintext_allowed(meter: MeterSettings, profiles: MeterProfiles) -> bool:
    return (
        meter.allow_plaintext_control
        or profiles.find(meter.protocol, meter.model).control.allow_plaintext_control
    )


def _forbidden(meter: MeterSettings) -> str:
    return (
        f'meter {meter.id!r} has security = "password", which anybody on the line can read: write '
        "allow_plaintext_control = true if it is a laboratory or sub-meter, or name a provider"
    )


def _reveal(meter: MeterSettings) -> str:
    """The password, when it is needed; it is not kept."""
    assert meter.control_password is not None, "it was checked"
    try:
        password = SecretRef(meter.control_password).reveal()
    except ConfigError as error:
        raise SecurityFailed(f"meter {meter.id!r}: {error}", code="away") from None
    if not (password.isascii() and password.isprintable() and 0 < len(password) <= CONTROL_PASSWORD_MAX):
        raise SecurityFailed(
            f"the control password of meter {meter.id!r} cannot be sent: "
            f"1 to {CONTROL_PASSWORD_MAX} characters of ASCII",
            code="bad_password",
        )
    return password
