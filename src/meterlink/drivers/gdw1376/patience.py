"""How long a terminal waits for a meter whose frame it forwards: as configured, less for one that is dead.

A wait must be long enough for the farthest meter of a carrier, and each silence costs all of it: three dead
meters would take half of a terminal's time. So a meter that was silent twice in a row is given no more than
twice what the slowest answer of late took through this terminal. Once an hour it is given the whole wait,
for it may be far away and no more than slow. Commands always have the whole wait: what becomes of a command
is worth any. A terminal that goes on waiting all the same, and says nothing in time, is given it always.
"""

from __future__ import annotations

import math
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

SILENCES_BELIEVED: Final = 2
"""Silences in a row after which a meter is waited for less; one lost answer proves nothing."""
ANSWERS_KEPT: Final = 256
"""Answers of which the slowest counts: those of all meters of a terminal in a night."""
ANSWERS_MIN: Final = 8
"""Fewer say nothing of how long answers take there."""
MARGIN: Final = 2.0
"""So many times the slowest answer a silent meter is waited for."""
SHORTEST_S: Final = 10
"""However quick the others are."""
WHOLE_EVERY_S: Final = 3_600.0
"""A silent meter is waited for as configured again after this."""
SILENT_MAX: Final = 2_048
"""Silent meters that are remembered; of more, the longest known one is waited for as configured."""


@dataclass(slots=True)
class _Silence:
    """``times``: in a row. ``whole_s``: when it was last waited for as configured, monotonic."""

    times: int
    whole_s: float


class Patience:
    """What one terminal's meters have shown.

    Args:
        whole_s: the configured wait, seconds.
        now_s: monotonic time.

    """

    def __init__(self, whole_s: int, now_s: Callable[[], float]) -> None:
        self._whole_s = whole_s
        self._now_s = now_s
        self._took_s: deque[float] = deque(maxlen=ANSWERS_KEPT)
        self._silent: OrderedDict[str, _Silence] = OrderedDict()
        self._is_heeded = True

    def wait_s(self, address: str | None) -> int:
        """How long to wait for a meter's answer to a read, whole seconds, at least 1.

        Args:
            address: of the meter; ``None``: nobody knows which one it is.

        """
        silence = None if address is None or not self._is_heeded else self._silent.get(address)
        if silence is None or silence.times < SILENCES_BELIEVED or len(self._took_s) < ANSWERS_MIN:
            return self._whole_s
        if self._now_s() - silence.whole_s >= WHOLE_EVERY_S:
            return self._whole_s
        return min(self._whole_s, max(SHORTEST_S, math.ceil(MARGIN * max(self._took_s))))

    def nothing_said(self, address: str, waited_s: int) -> None:
        """The terminal has said nothing at all, for a meter's silence or for its own.

        Args:
            address: of the meter.
            waited_s: how long it was to wait for it.

        """
        if waited_s < self._whole_s:
            self._is_heeded = False  # it is still at that frame, and the next one would be in vain
        else:
            self.silent(address, waited_s)

    def answered(self, address: str, took_s: float) -> None:
        """A meter has answered.

        Args:
            address: of it.
            took_s: from the request to the answer.

        """
        self._took_s.append(took_s)
        self._silent.pop(address, None)

    def silent(self, address: str, waited_s: int) -> None:
        """A meter has not answered.

        Args:
            address: of it.
            waited_s: how long it was waited for.

        """
        before = self._silent.pop(address, _Silence(0, -math.inf))
        whole_s = self._now_s() if waited_s >= self._whole_s else before.whole_s
        self._silent[address] = _Silence(before.times + 1, whole_s)
        if len(self._silent) > SILENT_MAX:
            self._silent.popitem(last=False)
