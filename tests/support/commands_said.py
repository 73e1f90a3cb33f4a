"""What the commands that take a journal elsewhere say and write, for whoever looks for secrets in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Final

from typer.testing import CliRunner

from meterlink.billing.days import end_of
from meterlink.cli import app
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.journal.journal import Journal
from meterlink.model.data_classes import DAILY_FREEZE
from meterlink.model.reading import Record
from meterlink.model.zone import CHINA_TIME
from metersim import Simulation
from tests.support.records import reading

_CONFIG: Final = """\
[gateway]
data_dir = "{folder}"
[[lines]]
name = "line1"
url = "tcp://127.0.0.1:1"
"""


def said_by_commands(folder: Path, sim: Simulation, meter: str) -> Iterator[tuple[str, str | bytes]]:
    """Run them on the journal of a folder that no daemon has open; by place, what came out.

    Args:
        folder: data directory of a gateway.
        sim: whose time it is.
        meter: our id of one that gets a freeze, so that there is something to export.

    """
    config, copy = folder / "commands.toml", folder / "backup.sqlite3"
    config.write_text(_CONFIG.format(folder=folder), encoding="utf-8")
    copy.unlink(missing_ok=True)
    day = sim.clock.utc_now().date()
    sim.run(_keep_freeze(folder, sim, meter, day))
    for place, *words in (
        ("export", "export", "daily", "--day", f"{day}", "--format", "json"),
        ("export", "export", "daily", "--day", f"{day}"),
        ("journal", "journal", "status", "--json"),
        ("journal", "journal", "status"),
        ("journal", "journal", "check", "--json"),
        ("journal", "journal", "backup", str(copy)),
    ):
        done = CliRunner().invoke(app, [*words, "-c", str(config)])
        assert not done.exit_code, done.output
        yield place, done.output
    yield "journal", copy.read_bytes()


async def _keep_freeze(folder: Path, sim: Simulation, meter: str, day: date) -> None:
    freeze = reading(meter, slot=end_of(day, CHINA_TIME))
    async with Journal.open(folder / JOURNAL_FILE, clock=sim.clock) as journal:
        await journal.keep(Record(meter=meter, data_class=DAILY_FREEZE, readings=(freeze,)))
