"""The live table: one row a meter, one column a station."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from rich.table import Table

from meterlink.cli.demonstration.stations import Files, Journal, Simulator, Station, field_name
from meterlink.cli.demonstration.verdict import Verdict

_ENERGY = "forward_active_energy"
_HEADINGS = ("meter 电能表", "simulator 模拟表", "journal 日志库", "MQTT", "files 文件", "voltage A", "✓")
ROWS_MAX = 30
"""Meters shown; all are read."""


def draw(
    meters: Sequence[str],
    simulator: Simulator,
    journal: Journal,
    mqtt: Station,
    files: Files,
    verdict: Verdict,
) -> Table:
    """What has arrived where, newest values."""
    table = Table(
        title="meterlink demo: forward active energy 正向有功电能, kWh",
        caption=f"{len(verdict.through)} of {len(meters)} meters through 已贯通 · "
        f"values seen 数据条数: simulator {simulator.count}, journal {journal.count}, "
        f"MQTT {mqtt.count}, files {files.count} · Ctrl-C ends 退出",
    )
    for heading in (
        "meter 电能表",
        "simulator 模拟表",
        "journal 日志库",
        "MQTT",
        "files 文件",
        "voltage A",
        "✓",
    ):
        table.add_column(heading, justify="left" if heading.startswith("meter") else "right")
    for meter in meters[:ROWS_MAX]:
        table.add_row(
            meter,
            *(_text(station.latest(meter, _ENERGY)) for station in (simulator, journal, mqtt)),
            _text(files.latest(meter, field_name(_ENERGY))),
            _text(files.latest(meter, field_name("voltage.a"))),
            "✓" if meter in verdict.through else "",
        )
    return table


def _text(value: Decimal | None) -> str:
    return "-" if value is None else str(value)
