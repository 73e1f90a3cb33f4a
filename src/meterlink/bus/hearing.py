"""Telling a connection that died without a word from meters that are silent.

A serial server that loses its power, or a mobile network that forgets us, ends no connection: what we send is
carried nowhere, and the kernel needs a quarter of an hour to say so. On a line that asks and hears not one
octet for long, of no meter, the connection is opened anew. Where that does not help it is tried less and less
often: then it is the meters after all. A line that brings octets and never an answer may only be noisy, so it
is given an hour.
"""

from __future__ import annotations

from typing import Final

DEAF_AFTER_S: Final = 120.0
"""So long a line may ask and hear nothing: each of its meters has been put aside by then."""
DEAF_AFTER_MAX_S: Final = 3_600.0
"""A line without any living meter is opened anew no more often than this, in the end."""
SILENCES_MIN: Final = 3
"""One question in two minutes says little."""


class Hearing:
    """What is heard on one line."""

    def __init__(self) -> None:
        self._since_s = 0.0
        self._silences = 0
        self._patience_s = DEAF_AFTER_S
        self._noisy = False

    def opened(self, now_s: float) -> None:
        """The line was opened.

        Args:
            now_s: loop time, as for the others.

        """
        self._since_s, self._silences, self._noisy = now_s, 0, False

    def heard(self, now_s: float) -> None:
        """An answer came, or half of one that broke us."""
        self._since_s, self._silences, self._patience_s, self._noisy = now_s, 0, DEAF_AFTER_S, False

    def noise(self) -> None:
        """Something came that was no answer: the connection is alive, or somebody plays with it."""
        self._noisy = True

    def is_deaf(self, now_s: float) -> bool:
        """Whether the line is to be opened anew, after another question to which no answer came."""
        self._silences += 1
        patience_s = DEAF_AFTER_MAX_S if self._noisy else self._patience_s
        if self._silences < SILENCES_MIN or now_s - self._since_s < patience_s:
            return False
        self._patience_s = min(2 * self._patience_s, DEAF_AFTER_MAX_S)
        return True
