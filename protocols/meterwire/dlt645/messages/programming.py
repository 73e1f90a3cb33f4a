"""Programming: data written into a meter, and its passwords changed.

Source: DL/T 645-2007, 7.2 to 7.15; DL/T 645-1997, 6; spec section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import construct as c

from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.command import ACCESS, Command, Layouts, Password
from meterwire.errors import LocalProtocolError

_PASSWORD_DI = 0x04000C00  # 04 00 0C 01 is the password of level 0, 04 00 0C 0A that of level 9
_LEVELS = range(10)


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteRequest(Command):
    """Head-end: write one data identifier (14H; 04H in 1997).

    Args:
        di: what to write.
        level: password level, 0 to 9, or 96H to 99H with a security chip.
        password: 6 digits.
        operator_code: 8 hexadecimal digits, highest first; empty in 1997.
        payload: the data as it goes on the wire (with a MAC behind under level 99H).

    """

    di: int
    level: int
    password: str = field(repr=False)
    operator_code: str = ""
    payload: bytes = field(repr=False)

    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x14): c.Struct("di" / c.Int32ul, *ACCESS, "payload" / c.GreedyBytes),
        ("dlt645-1997", 0x04): c.Struct(
            "di" / c.Int16ul, "level" / c.Byte, "password" / Password, "payload" / c.GreedyBytes
        ),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePasswordRequest(Command):
    """Head-end: a new password (18H; 0FH in 1997).

    Args:
        di: 04 00 0C nn, the password to change; 0 in 1997.
        level: level of the old password.
        password: the old one, 6 digits.
        new_level: level of the new password.
        new_password: 6 digits.

    """

    di: int = 0
    level: int
    password: str = field(repr=False)
    new_level: int
    new_password: str = field(repr=False)

    _PASSWORDS = (
        "level" / c.Byte,
        "password" / Password,
        "new_level" / c.Byte,
        "new_password" / Password,
        c.Terminated,
    )
    LAYOUTS: ClassVar[Layouts] = {
        ("dlt645-2007", 0x18): c.Struct("di" / c.Int32ul, *_PASSWORDS),
        ("dlt645-1997", 0x0F): c.Struct(*_PASSWORDS),
    }

    def check(self, edition: Edition) -> None:
        """Refuse an identifier of no password, and a level that may not change it (00 is the highest).

        Raises:
            LocalProtocolError: as said.

        """
        Command.check(self, edition)
        if edition == "dlt645-1997":
            return
        changed = self.di - _PASSWORD_DI - 1
        if changed not in _LEVELS:
            raise LocalProtocolError(
                f"{self.di:08X} is no password; those of levels 0 to 9 are 04000C01 to 0A"
            )
        if self.level > changed:
            sentence = f"the password of level {changed} is not changed under level {self.level}"
            raise LocalProtocolError(f"{sentence}: take its own level or a higher one (0 is the highest)")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangePasswordReply(Command):
    """Meter: the new password stands (98H; 8FH in 1997)."""

    new_level: int
    new_password: str = field(repr=False)

    _NEW = c.Struct("new_level" / c.Byte, "new_password" / Password, c.Terminated)
    LAYOUTS: ClassVar[Layouts] = {("dlt645-2007", 0x18): _NEW, ("dlt645-1997", 0x0F): _NEW}
    FROM_METER = True
