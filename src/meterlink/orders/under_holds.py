"""Work that is opened while an inspector may be setting a hold: what was looked at still holds on the disk.

Whoever opens work that may end with a closing has looked at the holds of its meter before. A hold that is
written between that look and the opening finds no work to mark, and the opening knows of no hold: somebody
would go there and close. So every opening passes here, whoever makes it: its words are those of the holds as
the log has them behind a number, and it is written only if no evidence of that meter came behind that number.

Source: HOLD-01; business-rules 2.2, HELD.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import NamedTuple, Protocol

from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Basis


class Holds(Protocol):
    """What inspectors hold back."""

    def concerns(self, act: Act) -> bool:
        """Whether an act opens work that may end with a closing."""

    async def on(self, opening: Act) -> Act | None:
        """An opening that they concern, as it may be written now; ``None``: not while a hold stands.

        Raises:
            JournalError: the log cannot be read.

        """

    def basis(self, meters: Collection[str], number: int) -> Basis:
        """What ``on`` looks at for the work of some meters, one at least, as of a number of the log."""


class Openings(NamedTuple):
    """Acts as they may be written.

    Attributes:
        acts: without those that a hold forbids.
        basis: what that rests on; ``None``: nothing that could change.

    """

    acts: list[Act]
    basis: Basis | None


async def under_holds(acts: Iterable[Act], log: ActLog, holds: Holds | None) -> Openings:
    """What may be written of some acts, with the words of the holds that stand now.

    Args:
        acts: of any topics, in their order.
        log: they will be appended to.
        holds: knows them; ``None``: nobody holds anything back here.

    Raises:
        JournalError: the log cannot be read.

    """
    plain = list(acts)
    meters = frozenset(act.meter for act in plain if holds is not None and holds.concerns(act))
    if holds is None or not meters:
        return Openings(plain, None)
    number = await log.newest_number()
    told = [await holds.on(act) if holds.concerns(act) else act for act in plain]
    return Openings([act for act in told if act is not None], holds.basis(meters, number))


def both(one: Basis | None, other: Basis | None) -> Basis | None:
    """What two decisions rest on, of which the first has looked first."""
    if one is None or other is None:
        return one or other
    meters = one.others | other.others | {other.meter}
    return replace(one, here=one.here | other.here, others=meters - {one.meter})
