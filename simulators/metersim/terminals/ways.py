"""How a concentrator does what others do otherwise, and what happens to it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from metersim.dlt698.admission import Limits
from metersim.dlt698.terminal import Habits
from metersim.terminals.collector import Persistence
from metersim.terminals.proxy import ProxyHabits
from metersim.terminals.store import ROWS_KEPT_MAX
from metersim.terminals.tables import NothingFound
from meterwire.dlt698.sessions.transfer import Sizes

RESET_S: Final = 30.0
"""How long it takes to be there again."""
RESET_S_MAX: Final = 3600.0
NETWORK_SIZES: Final = Sizes(1024, 2000)
"""What its masters take before sizes are agreed on. Source: spec section 1.8."""
_LIMITS: Final = Limits()
_CALL: Final = Habits()
_PERSISTENCE: Final = Persistence()
_PROXY: Final = ProxyHabits()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mishap:
    """What happens to a concentrator once.

    Args:
        reset_at_block: it is reset when it would give the block of an answer that is so many, 1 or more;
            ``None``: never.
        reset_s: how long it takes to be there again, 0 to 3,600 s.

    Raises:
        ValueError: a figure out of its range.

    """

    reset_at_block: int | None = None
    reset_s: float = RESET_S

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.reset_at_block is not None and self.reset_at_block < 1:
            raise ValueError(f"block {self.reset_at_block} of an answer: 1 is the first")
        if not 0 <= self.reset_s <= RESET_S_MAX:
            raise ValueError(f"a reset of {self.reset_s} s: 0 to {RESET_S_MAX:g} s")


NO_MISHAP: Final = Mishap()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ways:
    """How a concentrator does what others do otherwise.

    Args:
        password: that lets a client change something; ``None``: everybody can.
        limits: its sizes in a CONNECT, and how it numbers blocks.
        sizes: what it sends at most while no sizes are agreed on.
        call: how it logs in.
        persistence: how hard it tries to read a meter.
        proxy: how it asks for its master.
        nothing_found: how it says that it has no record.
        report_daily: it reports each day what it collected, when it is allowed to.
        reports_allowed: as delivered; a master can change it (4300, attribute 8).
        rows_max: rows that it keeps in all.
        mishap: what happens to it.

    """

    password: str | None = field(default=None, repr=False)
    limits: Limits = _LIMITS
    sizes: Sizes = NETWORK_SIZES
    call: Habits = _CALL
    persistence: Persistence = _PERSISTENCE
    proxy: ProxyHabits = _PROXY
    nothing_found: NothingFound = "zero_rows"
    report_daily: bool = False
    reports_allowed: bool = False
    rows_max: int = ROWS_KEPT_MAX
    mishap: Mishap = NO_MISHAP
