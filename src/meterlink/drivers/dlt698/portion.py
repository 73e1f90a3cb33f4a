"""How much one device of DL/T 698.45 is asked for at once, as it has shown that it can answer.

A device that cannot cut its answer into pieces says "other" (ERROR 255) to a request whose answer would be
too long; so it may to a request that it does not like for another reason. So less is asked for, half by half;
what was answered then is remembered. Where even the least is refused and nothing smaller was ever answered,
length was not the reason, and for a while nobody tries.
Source: spec dlt698, sections 1.8 and 3.10.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

REMEMBERED_S: Final = 86_400.0
"""So long what was learned holds: a device may get another program."""


class Portion:
    """What one device is known to answer.

    Args:
        now_s: monotonic time.

    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._octets: int | None = None
        self._until_s = 0.0
        self._in_vain_until_s = 0.0
        self._is_proved = False

    def of(self, octets: int) -> int:
        """How long an answer may become.

        Args:
            octets: by our guess, were nothing known; 1 or more.

        """
        if self._octets is None or self._now_s() >= self._until_s:
            self._octets, self._is_proved = None, False
            return octets
        return min(octets, self._octets)

    def halved(self, octets: int, *, least: int) -> bool:
        """An answer may have been too long; whether less is to be asked for, which ``of`` then says.

        Args:
            octets: of that answer, by our guess.
            least: of the smallest answer that can be asked for.

        """
        now_s = self._now_s()
        if octets <= least:
            if not self._is_proved:
                self._octets, self._in_vain_until_s = None, now_s + REMEMBERED_S
            return False
        if now_s < self._in_vain_until_s:
            return False
        self._octets, self._until_s = max(least, octets // 2), now_s + REMEMBERED_S
        self._is_proved = False
        return True

    def answered(self) -> None:
        """It answered what was asked for."""
        self._is_proved = self._octets is not None
