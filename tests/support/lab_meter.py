"""The meter of the LAB-SM4 suite's printed values, and its clock."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from metersim.security.failures import FailureLimits
from metersim.security.module import LabModule

METER = "202611220001"
DIVERSIFIER = bytes.fromhex("0000202611220001")
SERIAL = "5101000000000001"
CUSTOMER = "000012345678"
SHOWN = datetime(2026, 11, 22, 15, 0, tzinfo=timezone(timedelta(hours=8)))
EXPIRES = datetime(2026, 11, 22, 15, 30)  # noqa: DTZ001 - the meter's civil time
MINUTE = timedelta(minutes=1)


def lab_module(*, seed: int = 1, limits: FailureLimits | None = None) -> LabModule:
    """Its security module."""
    return LabModule(METER, seed=seed, serial=SERIAL, limits=limits)
