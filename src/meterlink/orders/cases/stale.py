"""The alarm that an account is not known well enough for its case to go on, once a day for each meter.

Source: ARR-05.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

from meterlink.orders.attention.alarms import Alarms, Seen
from meterlink.orders.evidence.records import BalanceStatement
from meterlink.orders.people import DAEMON
from meterlink.orders.rules import Facts, Verdict

STALE_BALANCE: Final = "STALE_BALANCE"
"""The alarm."""


class StaleBalances:
    """Tells of accounts; what was told today is told no more.

    Args:
        alarms: where it is told.

    """

    def __init__(self, alarms: Alarms) -> None:
        self._alarms = alarms
        self._day: date | None = None
        self._told: set[str] = set()

    async def tell(self, meter: str, verdicts: Sequence[Verdict], facts: Facts) -> None:
        """Raise the alarm where what the rules say of a case is that its account is not known.

        Args:
            meter: our id of it.
            verdicts: what keeps the case.
            facts: by which they were given.

        Raises:
            JournalError: it was not kept.

        """
        stale = next((one for one in verdicts if one.rule == "CTRL-01" and not one.passed), None)
        if stale is None:
            return
        today = facts.calendar.day(facts.now)
        if self._day != today:
            self._day, self._told = today, set()
        if meter in self._told:
            return
        newest = facts.told.newest(BalanceStatement)
        seen = Seen(
            rule=STALE_BALANCE,
            origin="ARR-05",
            meter=meter,
            area=facts.meter.area,
            value=stale.en,
            threshold=f"{facts.settings.evidence_age_max_hours} h",
            evidence=(f"evidence:{newest.full_id}",) if newest else (),
        )
        await self._alarms.raise_(seen, actor=DAEMON)
        self._told.add(meter)
