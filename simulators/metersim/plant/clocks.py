"""The plant's true time outside simulations: the machine's, or one that runs faster and began elsewhere.

Only what the meters take for the time is sped up. Delays on a line stay as they are, so clients need no
other timeouts.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from time import monotonic
from typing import Final

from metersim.line.line import Clock

JUMP_MAX: Final = timedelta(days=3_660)
"""Longest jump of a plant's clock."""
SPEED_MAX: Final = 3600


class PlantClock:
    """A clock that starts where it is told to and runs so many times as fast as the wall clock.

    Args:
        wall: the machine's clock.
        start: what it shows first, aware; ``None``: what the wall clock shows.
        speed: 1 to 3,600.
        monotonic_s: seconds that never go back.

    Raises:
        ValueError: ``speed`` is out of range.

    """

    def __init__(
        self,
        *,
        wall: Clock,
        start: datetime | None = None,
        speed: int = 1,
        monotonic_s: Callable[[], float] = monotonic,
    ) -> None:
        self._wall = wall
        self._monotonic_s = monotonic_s
        self._follows_wall = start is None and speed == 1
        self._shown = start or wall.utc_now()
        self._since_s = monotonic_s()
        self._speed = _checked(speed)
        self._when_changed: list[Callable[[], None]] = []

    def when_changed(self, told: Callable[[], None]) -> None:
        """Have something called after each jump and each change of speed: by who sleeps until a true time."""
        self._when_changed.append(told)

    @property
    def speed(self) -> int:
        """How many times as fast as the wall clock it runs."""
        return self._speed

    def utc_now(self) -> datetime:
        """The plant's true time, aware."""
        if self._follows_wall:
            return self._wall.utc_now()
        return self._shown + timedelta(seconds=(self._monotonic_s() - self._since_s) * self._speed)

    def run_at(self, speed: int) -> None:
        """Run so many times as fast from now on.

        Raises:
            ValueError: ``speed`` is out of range.

        """
        _checked(speed)
        self._anchor()
        self._speed = speed
        self._tell()

    def jump(self, by: timedelta) -> None:
        """Skip some time, as if it had passed at once.

        Args:
            by: how much, 0 to ten years; time never goes back.

        Raises:
            ValueError: ``by`` is out of range.

        """
        if not timedelta() <= by <= JUMP_MAX:
            raise ValueError(f"a jump by {by}: 0 to {JUMP_MAX.days} days forward")
        self._anchor()
        self._shown += by
        self._tell()

    def _tell(self) -> None:
        for told in self._when_changed:
            told()

    def _anchor(self) -> None:
        self._shown = self.utc_now()
        self._since_s = self._monotonic_s()
        self._follows_wall = False


def _checked(speed: int) -> int:
    if not 1 <= speed <= SPEED_MAX:
        raise ValueError(f"a clock that runs {speed} times as fast: 1 to {SPEED_MAX}")
    return speed
