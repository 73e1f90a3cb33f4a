"""Where the password of a meter comes from, for drivers whose protocol knows one."""

from __future__ import annotations

from collections.abc import Callable

from meterlink.errors import ConfigError

PasswordOf = Callable[[str], str]
"""The password of the meter of an address; raises ``ConfigError`` where there is none."""


def no_password(address: str) -> str:
    """Where no password is known.

    Raises:
        ConfigError: always.

    """
    raise ConfigError(
        f"the profile of meter {address} wants a password: name it (`password`)",
        f"电表 {address} 的规约档案需要密码:请写 `password`",
    )
