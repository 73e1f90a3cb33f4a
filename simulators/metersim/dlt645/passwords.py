"""The passwords of a meter: by level, with a count of wrong ones that locks a level for a day.

Source: DL/T 645-2007, 7.9 (change of a password); control-and-prepayment, 1.3.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

LEVELS: Final = range(10)
"""0 is the highest."""
ERRORS_MAX: Final = 3
"""Wrong passwords after which a level is locked."""
LOCKED_FOR: Final = timedelta(days=1)
FIRST_PASSWORD: Final = "000000"  # noqa: S105 - what meters leave the factory with
"""Of every level of which nobody said another."""

_PASSWORD = re.compile("[0-9]{6}").fullmatch


@dataclass(slots=True)
class _Errors:
    """Wrong passwords of one level, and when the last one came, by the meter's clock."""

    count: int = 0
    last: datetime | None = None


class Passwords:
    """The passwords of one meter; they never show.

    Args:
        passwords: by level, 6 digits; the others are `FIRST_PASSWORD`.

    Raises:
        ValueError: no level, or no password.

    """

    def __init__(self, passwords: Mapping[int, str] | None = None) -> None:
        self._passwords = dict.fromkeys(LEVELS, FIRST_PASSWORD) | dict(passwords or {})
        if self._passwords.keys() != set(LEVELS):
            raise ValueError("passwords are of levels 0 to 9")
        if not all(map(_PASSWORD, self._passwords.values())):
            raise ValueError("a password is 6 decimal digits")
        self._errors: dict[int, _Errors] = {}

    def __repr__(self) -> str:
        """Nothing of them."""
        return "Passwords(<hidden>)"

    def check(self, level: int, password: str, shown: datetime) -> bool:
        """Whether this is the password of the level, and the level is not locked.

        A wrong one counts, a right one ends the count; while the level is locked neither does anything.

        Args:
            level: any number; one that is no level has no password.
            password: 6 digits.
            shown: by the meter's clock.

        """
        if level not in LEVELS or self.locked(level, shown):
            return False
        if hmac.compare_digest(self._passwords[level], password):
            self._errors.pop(level, None)
            return True
        errors = self._errors.setdefault(level, _Errors())
        if errors.count >= ERRORS_MAX:  # it was locked, and is no longer
            errors.count = 0
        errors.count += 1
        errors.last = shown
        return False

    def locked(self, level: int, shown: datetime) -> bool:
        """Whether too many wrong ones came for the level; a clock that was set back does not unlock it."""
        errors = self._errors.get(level)
        if errors is None or errors.count < ERRORS_MAX or errors.last is None:
            return False
        return shown - errors.last < LOCKED_FOR

    def change(self, level: int, password: str) -> None:
        """Take a new password.

        Raises:
            ValueError: no level, or no password.

        """
        if level not in LEVELS or not _PASSWORD(password):
            raise ValueError("a password is 6 decimal digits, of a level 0 to 9")
        self._passwords[level] = password
        self._errors.pop(level, None)
