"""Which words of a security provider mean "later": the same proof may be asked for anew, in a while.

They say that a machine or its program is away, busy, or was started anew, and nothing of the key, the meter
or the order; nothing has left, so nothing can come twice. What says that a proof is wrong or not to be had is
the end of the order, and so is every word that is not known here: it may be an adapter's own for a refusal.

Source: CTRL-17; control-and-prepayment, sections 1.3 and 7.1; docs/security-providers.md.
"""

from __future__ import annotations

from typing import Final

from meterlink.errors import SecurityFailed

OURS: Final = frozenset({"away", "slow", "busy", "rubbish"})
"""Our own codes that do: it is not there, is late, has too much to do, or its answer came broken."""
TOLD: Final = frozenset({"busy", "internal", "overloaded", "restarting", "unavailable", "unknown_handle"})
"""Codes of an adapter that do. One that was started anew knows no handle of before (``unknown_handle``); the
next try begins with an authentication of its own."""
LATER: Final = OURS | TOLD


def may_come_later(failure: SecurityFailed) -> bool:
    """Whether the proof may be asked for anew."""
    return failure.code in LATER
