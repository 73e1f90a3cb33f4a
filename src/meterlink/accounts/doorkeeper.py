"""Who lets a token in: by the file as it is at the moment, and slower the more often somebody is refused."""

from __future__ import annotations

from typing import Final

from meterlink.accounts.token_file import Signature, TokenFile
from meterlink.accounts.tokens import Token, holder_of
from meterlink.clock import Clock
from meterlink.errors import TokenRefused

REFUSALS_AT_ONCE: Final = 20
"""Refusals that are answered at once."""
REFUSALS_A_SECOND: Final = 1.0
"""And how many more with each second that passes."""


class Doorkeeper:
    """Lets tokens in. Used by several threads.

    Args:
        file: of the tokens; it is read again when it changes.
        clock: of the daemon.

    """

    def __init__(self, file: TokenFile, clock: Clock) -> None:
        self._file = file
        self._clock = clock
        self._held: tuple[Signature | None, tuple[Token, ...]] = (None, ())

    def let_in(self, shown: str) -> Token:
        """The token that somebody shows.

        Raises:
            TokenRefused: it is not known, has expired, or was revoked.
            TokensUnusable: the file cannot be used, and nobody is let in.

        """
        signature = self._file.signature()
        if signature is None or signature != self._held[0]:
            self._held = signature, self._file.tokens()
        found = holder_of(shown, self._held[1], self._clock.utc_now())
        if found is None:
            raise TokenRefused("the token is not known, has expired, or was revoked")
        return found


class Patience:
    """How many refusals are answered at once: a bucket that fills again with time.

    Whoever shows a good token is not kept waiting by those who do not.

    Args:
        clock: of the daemon.

    Attributes:
        refused: how many there were since the start.

    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._left = float(REFUSALS_AT_ONCE)
        self._at_s = clock.monotonic_s()
        self.refused = 0

    def try_again_s(self) -> int | None:
        """Count a refusal; ``None``: it is answered as such; else the seconds to wait."""
        now_s = self._clock.monotonic_s()
        self._left = min(REFUSALS_AT_ONCE, self._left + (now_s - self._at_s) * REFUSALS_A_SECOND)
        self._at_s = now_s
        self.refused += 1
        if self._left < 1:
            return max(1, round((1 - self._left) / REFUSALS_A_SECOND))
        self._left -= 1
        return None
