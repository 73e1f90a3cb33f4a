"""A meter is replaced by another: two entries, two series, and the registers of that moment kept; no I/O.

Source: VEE-12.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from meterlink.config.fault import first_of
from meterlink.config.meters import MeterSettings
from meterlink.drivers.registers import check_register
from meterlink.errors import BadRequest, ConfigError, UnknownItem, with_chinese
from meterlink.model.payload import time_out
from meterlink.model.roster_change import Entry
from meterlink.roster.columns import BY_KEY
from meterlink.roster.entries import Meters, entry_of, is_gone

REGISTERS_MAX: Final = 32
"""Registers that are told of one exchange."""
REGISTER_MAX: Final = Decimal(10) ** 10
"""What a register can show at most, in its unit."""
EVIDENCE_MAX: Final = 200
"""Characters that say where the registers are to be seen."""
AHEAD_MAX: Final = timedelta(minutes=5)
"""How far in the future an exchange may lie: the clocks of people."""
_OF_THE_METER: Final = ("model", "firmware")


_OPTIONS: Final = {
    "id": "--new-id",
    "meter_number": "--new-number",
    "address": "--new-address",
    "model": "--new-model",
    "firmware": "--new-firmware",
    "ct": "--new-ct",
    "pt": "--new-pt",
}
"""How a person tells what is of the new meter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """One exchange.

    Args:
        old: id of the meter that was taken out.
        new: id of the one that was put in; its readings are kept under it.
        meter_number: of the new one, 12 digits.
        address: of the new one; empty: its number.
        model: of the new one; empty: as the old one.
        firmware: of the new one; empty: not told.
        removed_at: when the old one was taken out; aware.
        installed_at: when the new one was put in; aware, not before ``removed_at``.
        last: what the old one showed, by item, in the item's unit.
        first: what the new one showed, by item.
        evidence: where that is to be seen: a photo, a read-out.
        ct: of the transformers before the new one; ``None``: as before the old one.
        pt: the same.

    """

    old: str
    new: str
    meter_number: str
    removed_at: datetime
    installed_at: datetime
    last: Mapping[str, Decimal]
    first: Mapping[str, Decimal]
    address: str = ""
    model: str = ""
    firmware: str = ""
    evidence: str = ""
    ct: Decimal | None = None
    pt: Decimal | None = None

    def body(self) -> dict[str, Any]:
        """As the log keeps it."""
        return {
            "old": self.old,
            "new": self.new,
            "removed_at": time_out(self.removed_at),
            "installed_at": time_out(self.installed_at),
            "last": {item: str(value) for item, value in sorted(self.last.items())},
            "first": {item: str(value) for item, value in sorted(self.first.items())},
            "evidence": self.evidence,
        }


def exchanged(meters: Meters, exchange: Exchange, now: datetime) -> tuple[MeterSettings, MeterSettings]:
    """The two entries after an exchange: the old meter, out of service, and the new one in its place.

    Args:
        meters: the roster as it is.
        exchange: what was done.
        now: wall time.

    Raises:
        BadRequest: it cannot have been so; the message says why.
        ConfigError: what is told of the new meter is none.

    """
    old = meters.get(exchange.old)
    if old is None or is_gone(old, now):
        raise BadRequest(f"there is no meter {exchange.old!r} in service / 没有在运的表 {exchange.old!r}")
    if exchange.new in meters:
        raise BadRequest(
            f"the id {exchange.new!r} is another meter's: give the new one another (--new-id), because both "
            "series stay apart / 新表标识已被占用"
        )
    _check_times(old, exchange, now)
    _check_registers(exchange)
    entry = {key: value for key, value in entry_of(old).items() if key not in _OF_THE_METER}
    told: dict[str, Any] = {
        "id": exchange.new,
        "meter_number": exchange.meter_number,
        "address": exchange.address or exchange.meter_number,
        "model": exchange.model or old.model,
        "firmware": exchange.firmware,
        "pending_replacement": False,
        "in_service_since": exchange.installed_at.isoformat(),
        "replaces": old.id,
    }
    told |= {key: value for key, value in (("ct", exchange.ct), ("pt", exchange.pt)) if value is not None}
    gone = {"in_service_until": exchange.removed_at, "pending_replacement": False}
    return old.model_copy(update=gone), _new_meter({**entry, **told, "in_service_until": None})


def _new_meter(entry: Entry) -> MeterSettings:
    """The entry of the new meter.

    Raises:
        ConfigError: it is none; the message says what to give otherwise.

    """
    try:
        return MeterSettings.model_validate(dict(entry))
    except ValidationError as error:
        place, said = first_of(error)
        key = place.partition(".")[0]
        column, option = BY_KEY.get(key), _OPTIONS.get(key, "")
        zh = column.zh if column else key
        ask, ask_zh = (f": give another `{option}`", f",请用 `{option}` 重新给出") if option else ("", "")
        where = f"{key}: " if key else ""
        raise ConfigError(
            f"the new meter: {where}{said.en}{ask}",
            f"新表的{zh}不符合要求:{said.zh}{ask_zh}",
        ) from None


def _check_times(old: MeterSettings, exchange: Exchange, now: datetime) -> None:
    if exchange.removed_at > now + AHEAD_MAX or exchange.installed_at > now + AHEAD_MAX:
        raise BadRequest("an exchange is told when it was done, and that time is not yet / 换表时间在将来")
    if exchange.installed_at < exchange.removed_at:
        raise BadRequest("the new meter came after the old one went / 装表时间早于拆表时间")
    if old.in_service_since is not None and exchange.removed_at <= old.in_service_since:
        raise BadRequest(f"meter {old.id!r} was not in service yet at that time / 拆表时间早于投运时间")


def _check_registers(exchange: Exchange) -> None:
    if not exchange.last or set(exchange.last) != set(exchange.first):
        raise BadRequest(
            "of each register both must be told: what the old meter showed and what the new one did "
            "/ 每个示数须同时给出旧表止码和新表起码"
        )
    for registers in (exchange.last, exchange.first):
        check_registers(registers)
    check_evidence(exchange.evidence)


def check_registers(told: Mapping[str, Decimal]) -> None:
    """Refuse what no registers can have shown.

    Args:
        told: by item.

    Raises:
        BadRequest: the message says which and why.

    """
    if len(told) > REGISTERS_MAX:
        raise BadRequest(f"at most {REGISTERS_MAX} registers / 示数最多 {REGISTERS_MAX} 个")
    for item, value in told.items():
        try:
            check_register(item)
        except UnknownItem as error:
            raise with_chinese(BadRequest(str(error)), error.said("zh")) from None
        if not (value.is_finite() and 0 <= value < REGISTER_MAX):
            raise BadRequest(f"{item}: {value} is nothing that a register shows / 示数不合理")


def check_evidence(evidence: str) -> None:
    """Refuse what is too long to be kept.

    Raises:
        BadRequest: it is.

    """
    if len(evidence) > EVIDENCE_MAX:
        raise BadRequest(f"the evidence has at most {EVIDENCE_MAX} characters / 凭证说明过长")
