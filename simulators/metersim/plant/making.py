"""A row of a plant and an address in, a meter out."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from meterprofiles.schema import DLT698, MODBUS, MemoryTraits
from metersim.dlt645.meter import Meter
from metersim.dlt698 import Limits, Meter698
from metersim.dlt698.meter import FACTORY_PASSWORD
from metersim.dlt698.modes import Modes
from metersim.line.language import Speaker
from metersim.modbus.meter import MeterModbus
from metersim.plant.rows import PRESET_CENTS, MeterRow
from metersim.works.controlled import Wallet
from metersim.works.freezes import CURVE, DAILY, MONTHLY, SETTLEMENT
from metersim.works.load import Load
from metersim.works.moments import INSTALLED_AT
from metersim.works.plate import Plate
from metersim.works.works import Works

_TABLES: Final = {
    "daily_freeze": (DAILY.name,),
    "monthly_freeze": (SETTLEMENT, MONTHLY.name),
    "curve": (CURVE.name,),
}
"""By key of a profile's memory: the tables that are so deep."""


class Named(NamedTuple):
    """A meter of a plant.

    Args:
        address: 12 digits.
        line: name of its line.
        row: what it is.

    """

    address: str
    line: str
    row: MeterRow


def speaker(named: Named, *, seed: int, start: datetime) -> Speaker:
    """The meter of a row.

    Args:
        named: which.
        seed: of the plant.
        start: true time at which the plant begins.

    """
    row = named.row
    works = works_of(named, seed=seed, start=start)
    if row.profile.protocol == DLT698:
        limits = Limits(first_block=row.first_block)
        return Meter698(
            named.address,
            seed=seed,
            limits=limits,
            works=works,
            password=row.password or FACTORY_PASSWORD,
            modes=Modes(enforced=row.modes_enforced),
        )
    if row.profile.protocol in MODBUS:
        return MeterModbus(named.address, profile=row.profile, works=works)
    return Meter(
        named.address,
        seed=seed,
        profile=row.profile,
        piece_octets=row.piece_octets,
        works=works,
        passwords=row.passwords,
    )


def works_of(named: Named, *, seed: int, start: datetime) -> Works:
    """What a meter of a row measures with.

    Args:
        named: which.
        seed: of the plant.
        start: true time at which the plant begins.

    """
    row, traits = named.row, named.row.profile.meter
    has_wallet = row.character.payment == "local"
    first = start if has_wallet else INSTALLED_AT  # money of years ago is spent
    plate = Plate(
        address=named.address,
        meter_number=row.meter_number or "",
        customer_number=row.customer_number or "",
        phases=traits.phases,
        ct_ratio=row.ct_ratio,
        pt_ratio=row.pt_ratio,
        voltage_v=Decimal(traits.voltage_v),
        basic_current_a=Decimal(traits.basic_current_a),
        max_current_a=Decimal(traits.max_current_a),
        sums=row.sums,
        settlement_day=row.settlement_day,
        depths=depths_of(row.profile.memory),
    )
    return Works(
        plate,
        seed=seed,
        timetable=None if row.tariffs is None else row.tariffs.timetable,
        load=Load(kind=row.load, mean_kw=row.mean_kw, feed_in_share=row.feed_in_share),
        since=row.since or first,
        clock_ahead=timedelta(microseconds=int(row.clock_ahead_s * 1_000_000)),
        clock_ahead_at=start,
        drift_s_per_day=row.clock_drift_s_per_day,
        control=row.character,
        wallet=_wallet(row) if has_wallet else None,
    )


def depths_of(memory: MemoryTraits) -> tuple[tuple[str, int], ...]:
    """How deep the tables of a meter are, as far as its profile says so.

    Args:
        memory: of the profile.

    """
    said = [key for key in _TABLES if key in memory.sure]
    return tuple((table, getattr(memory, key)) for key in said for table in _TABLES[key])


def _wallet(row: MeterRow) -> Wallet:
    cents = PRESET_CENTS if row.preset_cents is None else row.preset_cents
    return Wallet(preset_cents=cents, opened=True)
