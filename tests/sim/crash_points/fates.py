"""Who decides at which points a program dies: a list of them, chance alone, or chance that doubles the world.

A world that is played anew for each of its points plays the way there each time. Doubled, it plays that way
once: at a point the process forks. In the copy the program is dead from then on; the copy plays to the end,
tells what became of it, and is gone. The original has waited, and goes on to its next point as if nothing
had been. What both share stays the original's alone: the journal's file is copied and its connection never
touched again, neither by the dead nor by who comes after it.
"""

from __future__ import annotations

import asyncio
import gc
import math
import os
import pickle
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, NoReturn, Protocol

AGAIN: Final = (0.0, 0.6, 0.3)
"""How readily the program dies in its second life too, and in its third: once or so in each, however long."""
AGAIN_EARLY: Final = 40
"""The further behind so many points of such a life, the more seldom."""
LIVES_MAX: Final = 1 + len(AGAIN)
"""More than that would be other lives of the same kind."""
KILLS_MAX: Final = 200
"""A program that has died so often in one world dies no more there."""
DEEDS_OF_A_START: Final = 1
"""Each life tells the disk that it begins."""
SPREAD: Final = 1.2
"""How much the lives of such a program differ: of a normal deviate, on a scale of logarithms. One life in
twenty is seven times as long as one in the middle, so that an order comes through, however near they lie."""
SELDOM_FACTOR: Final = 6.0
"""So much more readily it dies at a kind of point at which it has not died yet in its world."""
IN_DOUBT: Final = ("sending", "accepted", "unconfirmed")
"""States of an order whose frame may be anywhere; few points lie in them."""
IN_DOUBT_FACTOR: Final = 6.0
"""So much more readily it dies there."""


@dataclass
class Tally:
    """What became of worlds.

    Args:
        played: worlds with a death.
        kills: deaths, each at a point of its own.
        alike: points that were not played: nothing outside had changed since the point before, not even time.
        again: worlds among those played with more than one death.
        ends: orders by the state in which they ended.
        deaths: by what stood on the disk of the order told last, and the kind of point.
        wrong: complaints, each behind the points at which its world died.

    """

    played: int = 0
    kills: int = 0
    alike: int = 0
    again: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    deaths: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[tuple[int, ...], str]] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count those too."""
        self.played += other.played
        self.kills += other.kills
        self.alike += other.alike
        self.again += other.again
        self.ends.update(other.ends)
        self.deaths.update(other.deaths)
        self.wrong += other.wrong


Outside = Callable[[], object]


class Fate(Protocol):
    """What decides over the lives of a world's program.

    Attributes:
        kills: the points at which it died so far, one of each life.
        is_copy: the process is the copy of another, whose files it leaves alone.

    """

    kills: tuple[int, ...]
    is_copy: bool

    def dies(self, point: int, what: str, deeds: int, outside: Outside) -> bool:
        """Whether the program dies here.

        Args:
            point: of this life.
            what: the point is.
            deeds: what this life has brought to the disk and to the line, counted.
            outside: tells what there is beside the program; where it is equal, so is all that can follow.

        """


class Listed:
    """A point of the first life, of the second, ...; the life behind the last is not ended.

    Args:
        points: those.

    Attributes:
        distinct: points of the first life at which something outside has changed since the one before.

    """

    is_copy = False

    def __init__(self, points: Sequence[int] = ()) -> None:
        self.kills: tuple[int, ...] = ()
        self.distinct: list[int] = []
        self._points = tuple(points)
        self._outside: object = None

    def dies(self, point: int, what: str, deeds: int, outside: Outside) -> bool:
        """See ``Fate.dies``."""
        life = len(self.kills)
        if not life and (found := outside()) != self._outside:
            self.distinct.append(point)
            self._outside = found
        if life == len(self._points) or point != self._points[life]:
            return False
        self.kills = (*self.kills, point)
        return True


class Often:
    """Again and again through one world, most readily where the program has not died there yet.

    No life ends before it has brought something to the disk or to the line, beside the row of its start. Time
    that passed is not enough: a program that starts and dies again would have been killed at one point.

    Args:
        seed: which points.
        apart: of two deaths, in points, in the middle; a life's own is drawn for it (``SPREAD``).
        kills_max: nobody dies more often.

    Attributes:
        tally: of this world; without how it ended.

    """

    is_copy = False

    def __init__(self, seed: int, apart: float, *, kills_max: int = KILLS_MAX) -> None:
        self.kills: tuple[int, ...] = ()
        self.tally = Tally()
        self._apart = apart
        self._kills_max = kills_max
        self._chance = random.Random(seed)
        self._died_at: set[str] = set()
        self._readiness = self._drawn()

    def dies(self, point: int, what: str, deeds: int, outside: Outside) -> bool:
        """See ``Fate.dies``."""
        if deeds <= DEEDS_OF_A_START or len(self.kills) == self._kills_max:
            return False
        factor = 1.0 if what in self._died_at else SELDOM_FACTOR
        if what.startswith(IN_DOUBT):
            factor *= IN_DOUBT_FACTOR
        if self._chance.random() >= factor * self._readiness:
            return False
        self.kills = (*self.kills, point)
        self._died_at.add(what)
        self._readiness = self._drawn()
        self.tally.kills += 1
        self.tally.deaths[what] += 1
        return True

    def _drawn(self) -> float:
        """How readily a life ends at a point."""
        return 1 / (self._apart * math.exp(self._chance.gauss(0, SPREAD)))


class Doubling:
    """Every point of the first life, and some of the later ones, each in a process of its own.

    Args:
        seed: which of the later ones.
        lives_max: the last of which nobody ends.

    Attributes:
        tally: of the worlds that were played to their end; without the one that goes on here.

    """

    def __init__(self, seed: int, *, lives_max: int = LIVES_MAX) -> None:
        self.kills: tuple[int, ...] = ()
        self.is_copy = False
        self.tally = Tally()
        self._seed = seed
        self._lives_max = lives_max
        self._chance = random.Random(seed)
        self._outside: object = None
        self._tell_to = -1

    def dies(self, point: int, what: str, deeds: int, outside: Outside) -> bool:
        """See ``Fate.dies``; true in the copy, and false in the original once the copy is gone."""
        life = len(self.kills)
        if life == self._lives_max - 1:
            return False
        if (found := outside()) == self._outside:
            self.tally.alike += not life
            return False
        self._outside = found
        if life and self._chance.random() >= AGAIN[life] / (AGAIN_EARLY + point):
            return False
        return self._doubled(point, what)

    def tell(self, ends: Sequence[str], complaints: Sequence[str]) -> NoReturn:
        """In a copy: tell what became of it, and be gone."""
        self.tally.played += 1
        self.tally.kills += 1
        self.tally.again += len(self.kills) > 1
        self.tally.ends.update(ends)
        self.tally.wrong += [(self.kills, told) for told in complaints]
        try:
            with os.fdopen(self._tell_to, "wb") as pipe:
                pickle.dump(self.tally, pipe)
        finally:
            os._exit(0)

    def _doubled(self, point: int, what: str) -> bool:
        hear_from, tell_to = os.pipe()
        loop = asyncio.get_running_loop()
        copy = os.fork()
        if copy == 0:
            asyncio._set_running_loop(loop)  # asyncio forgets it in a copy
            gc.disable()  # a copy is gone before it fills, and looking for garbage would copy every page
            os.close(hear_from)
            self.is_copy, self._tell_to = True, tell_to
            self.kills = (*self.kills, point)
            self.tally = Tally(deaths=Counter({what: 1}))
            self._chance = random.Random(f"{self._seed} {self.kills}")
            return True
        os.close(tell_to)
        with os.fdopen(hear_from, "rb") as pipe:
            told = pipe.read()
        os.waitpid(copy, 0)
        if told:
            self.tally.add(pickle.loads(told))
        else:
            self.tally.wrong.append(((*self.kills, point), "its process died"))
        return False


class Some(Doubling):
    """Doubles at some points only.

    Args:
        seed: of the world.
        points: those.

    """

    def __init__(self, seed: int, points: Iterable[int]) -> None:
        super().__init__(seed, lives_max=2)
        self._points = frozenset(points)

    def dies(self, point: int, what: str, deeds: int, outside: Outside) -> bool:
        """See ``Fate.dies``."""
        return point in self._points and super().dies(point, what, deeds, outside)
