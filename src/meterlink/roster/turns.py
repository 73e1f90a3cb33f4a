"""A meter gets other transformers, or is taken out and none put in its place; no I/O.

What its registers showed then parts what came before from what came behind, as of an exchange (VEE-12).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from decimal import Decimal
from typing import Any, Final

from meterlink.config.meters import MeterSettings
from meterlink.errors import BadRequest
from meterlink.model.payload import time_out
from meterlink.model.roster_change import KeptChange
from meterlink.roster.entries import Meters, entry_of, meter_of
from meterlink.roster.exchange import AHEAD_MAX, check_evidence, check_registers

RATIO: Final = "ratio"
"""Verb of the revision that tells since when a ratio holds."""
REMOVE: Final = "remove"
"""Verb of the revision that tells of a meter that nobody put another in place of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """One turn.

    Args:
        meter: our id of it.
        at: when it was; aware.
        registers: what they showed, by item, in the item's unit; none: that is not known.
        ct: from then on; ``None``: it was taken out.
        pt: the same; ``None`` with ``ct``: as it was.
        evidence: where that is to be seen.
        only: whether the meter that came in its place since has transformers of its own, so that a ratio is
            none of it.
        void_later: whether ratios that were told of later times are meant to be void.

    """

    meter: str
    at: datetime
    registers: Mapping[str, Decimal]
    ct: Decimal | None = None
    pt: Decimal | None = None
    evidence: str = ""
    only: bool = False
    void_later: bool = False

    @property
    def verb(self) -> str:
        """``ratio`` or ``remove``."""
        return REMOVE if self.ct is None else RATIO

    def body(self) -> dict[str, Any]:
        """As the log keeps it."""
        return {
            "meter": self.meter,
            "at": time_out(self.at),
            "registers": {item: str(value) for item, value in sorted(self.registers.items())},
            "evidence": self.evidence,
        }


def turned(meters: Meters, turn: Turn, now: datetime) -> MeterSettings:
    """The entry after a turn.

    Args:
        meters: the roster as it is.
        turn: what was done.
        now: wall time.

    Raises:
        BadRequest: it cannot have been so; the message says why.
        ConfigError: a ratio is none.

    """
    old = meters.get(turn.meter)
    if old is None:
        raise BadRequest(f"there is no meter {turn.meter!r} / 没有电能表 {turn.meter!r}")
    if turn.at > now + AHEAD_MAX:
        raise BadRequest("it is told when it was done, and that time is not yet / 时间在将来")
    if old.in_service_since is not None and turn.at < old.in_service_since:
        raise BadRequest(f"meter {old.id!r} was not in service yet at that time / 该时刻尚未投运")
    check_evidence(turn.evidence)
    if turn.registers:
        check_registers(turn.registers)
    if turn.ct is None:
        return _removed(meters, old, turn)
    if old.in_service_until is not None and turn.at >= old.in_service_until:
        raise BadRequest(f"meter {old.id!r} was out of service at that time / 该时刻已退运")
    new = meter_of({**entry_of(old), "ct": turn.ct, "pt": old.pt if turn.pt is None else turn.pt})
    if not turn.only:
        _check_behind(meters, new)
    return new


def check_void(
    turn: Turn, new: MeterSettings, old: MeterSettings, changes: Sequence[KeptChange], zone: tzinfo
) -> None:
    """Refuse a ratio by which another one that was told of a later time would be void without a word.

    Where that other one is the same ratio nothing is lost: it was told too late, and holds from earlier on.

    Args:
        turn: what is told now.
        new: the entry with it.
        old: the entry before it.
        changes: of the meter, in the order in which they were told.
        zone: of the plant, by whose clock people tell when it was.

    Raises:
        BadRequest: it would be, and nobody has said that this is meant.

    """
    standing: list[datetime] = []
    for one in changes:
        if one.since is not None and one.verb == RATIO:
            standing = [*(since for since in standing if since < one.since), one.since]
    later = [since for since in standing if since > turn.at]
    is_lost = len(later) > 1 or (later and new.ct * new.pt != old.ct * old.pt)
    if not is_lost or turn.void_later:
        return
    since = later[0].astimezone(zone).isoformat(sep=" ")
    raise BadRequest(
        f"another ratio of meter {turn.meter!r} was told since {since}, which is later and would be void "
        f"(`meterlink roster history {turn.meter}`): if that is meant, say so (`--void-later`), and tell "
        f"again what holds since then / 已登记 {since} 起的另一倍率(可用 meterlink roster history 查看),"
        "时刻更晚,将随之作废:确需如此时请加 --void-later,并重新登记其后的倍率"
    )


def _check_behind(meters: Meters, meter: MeterSettings) -> None:
    """Refuse a ratio that the meter which came in its place since has not: it stands behind the same ones.

    Raises:
        BadRequest: it has another.

    """
    behind = next((one for one in meters.values() if one.replaces == meter.id), None)
    if behind is None or behind.ct * behind.pt == meter.ct * meter.pt:
        return
    since = "" if behind.in_service_since is None else f' --at "{behind.in_service_since.isoformat()}"'
    raise BadRequest(
        f"meter {meter.id!r} was replaced by {behind.id!r}, which has the ratio {behind.ct * behind.pt:f} "
        f"and would go on with it: tell it first (`meterlink roster ratio {behind.id} --ct {meter.ct:f}"
        f"{since}`), or say that it has transformers of its own (`--only`) / 已换装为 {behind.id!r},其倍率为 "
        f"{behind.ct * behind.pt:f}:请先登记新表的倍率;新表确有自己的互感器时请加 --only"
    )


def _removed(meters: Meters, old: MeterSettings, turn: Turn) -> MeterSettings:
    if not turn.registers:
        raise BadRequest("what its registers showed must be told / 须登记止码")
    if other := next((one.id for one in meters.values() if one.replaces == old.id), None):
        raise BadRequest(f"meter {old.id!r} was replaced by {other!r} / 已换装为 {other!r}")
    return old.model_copy(update={"in_service_until": turn.at, "pending_replacement": False})
