"""What people tell that a meter showed last, against what was read of it: impossible, or doubtful."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from meterlink.errors import BadRequest
from meterlink.journal.roster_log import RosterLog
from meterlink.model.history import Shown
from meterlink.validation.case import step
from meterlink.validation.facts import MeterFacts
from meterlink.validation.turnover import USUAL_DAYS, Usual, is_doubtful, most, usual_day

_DAY = timedelta(days=1)
_ONE = Decimal(1)


class Doubt(NamedTuple):
    """A register that was told, and cannot be believed unseen. Source: VEE-12.

    Args:
        meter: our id of it.
        item: the register.
        told: what people say that it showed.
        newest: what was read of it last.
        most: what it may have counted since, in its unit.

    """

    meter: str
    item: str
    told: Decimal
    newest: Decimal
    most: Decimal

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        told = {"told": self.told, "newest": self.newest, "most": self.most}
        return {
            "meter": self.meter,
            "item": self.item,
            **{key: format(value, "f") for key, value in told.items()},
        }


async def check_last(
    log: RosterLog, facts: MeterFacts | None, meter: str, registers: Mapping[str, Decimal], at: datetime
) -> tuple[Doubt, ...]:
    """Refuse a last register that was passed before; the doubtful ones.

    Of what was read only that counts which billing may use, and of the time in which the meter hung there:
    what came behind its end, under its name, is another meter's. A register may have rolled over since.

    Args:
        log: of the journal.
        facts: of the meter; ``None``: they are not known, and no register can have rolled over.
        meter: our id of it.
        registers: what it is told to have shown, by item.
        at: when; aware.

    Raises:
        BadRequest: it cannot have shown that.
        JournalError: the file cannot be read.

    """
    doubts = []
    for item, value in registers.items():
        newest = await log.newest_shown(meter, item, until=at)
        if newest is None:
            continue
        if not _may_follow(newest, value, at, item, facts):
            raise BadRequest(
                f"{item}: meter {meter!r} was read with {newest.value} already, so it cannot have shown "
                f"{value} at the end: look at the photo again / 止码小于已抄示数"
            )
        if facts is not None:
            days = await log.valid_days(meter, item, (at - USUAL_DAYS * _DAY, at))
            made = step(newest, Shown(at, value), item, facts)
            usual = Usual(usual_day(days, item, facts))
            if is_doubtful(made, usual, facts, _ONE):
                limit = most(usual, made.span, facts, _ONE)
                doubts.append(Doubt(meter, item, value, newest.value, limit))
    return tuple(doubts)


def _may_follow(newest: Shown, value: Decimal, at: datetime, item: str, facts: MeterFacts | None) -> bool:
    if value >= newest.value:
        return True
    return facts is not None and step(newest, Shown(at, value), item, facts).counted >= 0
