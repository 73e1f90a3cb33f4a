"""What a concentrator does as it is delivered: a freeze a day, a curve, and if it is wanted a report."""

from __future__ import annotations

from typing import Final

from metersim.terminals.schemes import BY_FREEZE_TIME, STAMP_TODAY, ReportScheme, Scheme
from metersim.terminals.tasks import REPORT, Task
from meterwire.dlt698.apdus.parts import RecordRequest
from meterwire.dlt698.axdr.selection import AllMeters, Oad, Road, SelectLast, Ti
from meterwire.dlt698.objects.records import (
    COLLECTION_STORED_AT,
    COLLECTION_SUCCEEDED_AT,
    FROZEN_AT,
    METER_ADDRESS,
)

_DAILY: Final = Oad(0x5004, 2, 0)
_ENERGIES: Final = tuple(map(Oad.of, ("00000200", "00100200", "00200200")))
_VARIABLES: Final = tuple(
    map(Oad.of, ("20000200", "20010200", "20040200", "200A0200", "00100200", "00200200"))
)
_COLLECTED: Final = Oad(0x6012, 3, 0)

DAILY_SCHEME: Final = Scheme(
    number=1,
    depth=62,
    kind=BY_FREEZE_TIME,
    columns=(Road(_DAILY, (FROZEN_AT, *_ENERGIES)),),
    stamp=STAMP_TODAY,
)
"""The freeze of this midnight."""
CURVE_SCHEME: Final = Scheme(number=2, depth=3 * 96, columns=_VARIABLES)
"""Present values, stored under the time at which they were asked for."""
DAILY_TASK: Final = Task(number=1, period=Ti(3, 1), scheme=1, delay=Ti(1, 5))
"""Each day at 00:05."""
CURVE_TASK: Final = Task(number=2, period=Ti(1, 15), scheme=2, priority=2)
"""Each quarter of an hour."""
DAILY_REPORT: Final = ReportScheme(
    number=1,
    content=RecordRequest(
        _COLLECTED,
        SelectLast(1, AllMeters()),
        (METER_ADDRESS, COLLECTION_STORED_AT, COLLECTION_SUCCEEDED_AT, *DAILY_SCHEME.columns),
    ),
)
REPORT_TASK: Final = Task(number=3, period=Ti(3, 1), kind=REPORT, scheme=1, delay=Ti(1, 30), priority=3)
"""Each day at 00:30."""
