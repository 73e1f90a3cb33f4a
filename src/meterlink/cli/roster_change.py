"""What ``meterlink roster plan``, ``apply`` and ``exchange`` do: a file against the roster."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from meterlink.cli.console import stderr
from meterlink.cli.desk import DaemonAway, Refusal, leave
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.explained import explained
from meterlink.cli.language import Lang, chosen
from meterlink.cli.roster_ways import Outcome, Way, way_to
from meterlink.cli.roster_words import fault_lines, plan_json, plan_lines, said
from meterlink.cli.saying import say
from meterlink.clock import SystemClock
from meterlink.config import data_dir, load_settings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.drivers.profiles import MeterProfiles
from meterlink.journal import roster_rows
from meterlink.journal.reader import JournalReader
from meterlink.model.roster_change import KeptRoster
from meterlink.roster.book import Held
from meterlink.roster.cells import Ratio, Time
from meterlink.roster.checks import Checks, many_retired, overwritten, put_back
from meterlink.roster.faults import CellRefused, Fault, Words
from meterlink.roster.files import Wanted, read_file
from meterlink.roster.plan import Plan, plan, result
from meterlink.roster.saying import Saying

DEFAULT_REGISTER: Final = "forward_active_energy"
"""What a register is of that is told without an item."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Planned:
    """A file against the roster."""

    file: Path
    held: Held
    wanted: Wanted
    plan: Plan
    faults: Sequence[Fault]


class RosterChanging:
    """One command that changes the roster, or would.

    Args:
        config: the configuration.
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, config: Path, *, as_json: bool, lang: Lang | None) -> None:
        self._as_json = as_json
        self._lang = chosen(lang)
        with explained():
            self._settings = load_settings(config)
            self._profiles = MeterProfiles(self._settings.gateway.profiles)

    def plan(
        self, file: Path, *, partial: bool, saying: Saying = Saying.NOTHING, retire_many: bool = False
    ) -> int:
        """Show what a file would change; the exit code."""
        planned = self._planned(file, partial=partial, saying=saying, retire_many=retire_many)
        self._show(planned)
        return ExitCode.USAGE if planned.faults else ExitCode.OK

    def apply(
        self,
        file: Path,
        *,
        partial: bool,
        yes: bool,
        revision: int | None,
        note: str,
        saying: Saying = Saying.NOTHING,
        retire_many: bool = False,
    ) -> int:
        """Make the roster what a file says; the exit code."""
        planned = self._planned(file, partial=partial, saying=saying, retire_many=retire_many)
        at = planned.held.revision
        if revision not in {None, at}:
            say(said(self._lang, "revision_is", at, revision), err=True)
            return ExitCode.FORBIDDEN
        if planned.faults or planned.plan.is_empty:
            self._show(planned)
            return ExitCode.USAGE if planned.faults else ExitCode.OK
        if not self._as_json:
            self._show(planned)
        if not yes and not self._confirmed():
            say(said(self._lang, "not_confirmed"), err=True)
            return ExitCode.FAILURE
        touched = planned.plan.touched
        with self._way() as way, self._progress(said(self._lang, "writing"), len(touched)) as tell:
            outcome = way.apply(touched, revision=at, note=note, tell=tell, saying=saying)
        return self._told(outcome, planned.file, planned.wanted.rows, is_daemon=way.is_daemon)

    def exchange(
        self, told: Mapping[str, str], times: tuple[str, str], last: Sequence[str], first: Sequence[str]
    ) -> int:
        """Note an exchange; the exit code."""
        removed_at, installed_at = (self._cell(Time(), time) for time in times)
        args = {
            **self._with_ratios(told),
            "removed_at": removed_at,
            "installed_at": installed_at,
            "last": self._registers(last),
            "first": self._registers(first),
        }
        with self._way() as way:
            outcome = way.exchange(args)
        return self._told(outcome, told["meter"], {}, is_daemon=way.is_daemon, refused="refused_exchange")

    def turn(self, told: Mapping[str, str], at: str, registers: Sequence[str], **words: bool) -> int:
        """Note another ratio, or that a meter was taken out; the exit code."""
        args = {
            **self._with_ratios(told),
            "at": self._cell(Time(), at),
            "registers": self._registers(registers),
            **words,
        }
        with self._way() as way:
            outcome = way.turn(args)
        return self._told(outcome, told["meter"], {}, is_daemon=way.is_daemon)

    def correct(self, told: Mapping[str, str], last: Sequence[str], first: Sequence[str]) -> int:
        """Tell a last or first register again; the exit code."""
        end, registers = ("last", last) if last else ("first", first)
        with self._way() as way:
            outcome = way.correct({**told, "end": end, "registers": self._registers(registers)})
        return self._told(outcome, told["meter"], {}, is_daemon=way.is_daemon)

    def _with_ratios(self, told: Mapping[str, str]) -> dict[str, str]:
        """The same with ratios as numbers: 30 for 150/5."""
        ratios = {key: self._cell(Ratio(), told[key]) for key in ("ct", "pt") if told.get(key)}
        return {**told, **ratios}

    def _planned(self, file: Path, *, partial: bool, saying: Saying, retire_many: bool) -> _Planned:
        now = SystemClock().utc_now()
        with explained(), self._progress(said(self._lang, "reading", file), None) as tell:
            held = self._held()
            zone = self._settings.gateway.plant_time
            wanted = read_file(file, held.meters, at=now, zone=zone, tell=tell)
        found = plan(held.meters, wanted.meters, now, partial=partial)
        checks = Checks(self._settings, self._profiles)
        faults = [*wanted.faults]
        faults += checks.faults(result(held.meters, found.touched), found.touched, now, wanted.rows)
        faults += overwritten(held.meters, found.touched, wanted.rows, saying)
        faults += put_back(held.meters, found.touched, wanted.rows, now, self._told_gone())
        if not retire_many:
            faults += many_retired(held.meters, len(found.retired), now, named=len(wanted.meters))
        return _Planned(
            file=file,
            held=held,
            wanted=wanted,
            plan=found,
            faults=tuple(sorted(faults, key=lambda fault: fault.row)),
        )

    def _held(self) -> Held:
        """The roster as the journal has it; an empty one where there is no journal yet."""
        path = data_dir(self._settings) / JOURNAL_FILE
        if not path.exists():
            return Held.of(KeptRoster(revision=0, entries={}))
        with JournalReader(path) as reader:
            reader.check()
            return Held.of(reader.roster())

    def _told_gone(self) -> set[str]:
        """Meters of which it was told that they were taken out; none where there is no journal yet."""
        path = data_dir(self._settings) / JOURNAL_FILE
        if not path.exists():
            return set()
        with JournalReader(path) as reader:
            return reader.look(roster_rows.told_gone)

    def _show(self, planned: _Planned) -> None:
        if self._as_json:
            document = {
                **plan_json(planned.plan, planned.held.meters, planned.held.revision),
                "refused": [fault.as_json() for fault in planned.faults],
                "faults": len(planned.faults),
                "encoding": planned.wanted.encoding,
            }
            say(json.dumps(document, ensure_ascii=False))
            return
        if planned.wanted.encoding == "gb18030":
            say(said(self._lang, "gb18030", planned.file), err=True)
        if planned.faults:
            self._tell_faults(planned.file, planned.faults, len(planned.faults))
            return
        for line in plan_lines(self._lang, planned.plan, planned.held.meters, planned.held.revision):
            say(line)
        if planned.plan.is_empty:
            say(said(self._lang, "nothing"))

    def _told(
        self,
        outcome: Outcome,
        of: Path | str,
        rows: Mapping[str, int],
        *,
        is_daemon: bool,
        refused: str = "refused",
    ) -> int:
        """Show what became of a change of a file, or of a meter."""
        if self._as_json:
            say(json.dumps(outcome, ensure_ascii=False))
        elif "refused" not in outcome:
            counts = (outcome[key] for key in ("revision", "added", "changed", "retired"))
            say(said(self._lang, "done", *counts))
            for one in outcome.get("doubts", ()):
                doubt = (one[key] for key in ("meter", "item", "told", "newest", "most"))
                say(said(self._lang, "doubt", *doubt), err=True)
            if is_daemon:
                say(said(self._lang, "daemon"))
        else:
            faults = [_fault_in(told, rows) for told in outcome["refused"]]
            self._tell_faults(of, faults, outcome["count"], refused)
        return ExitCode.USAGE if "refused" in outcome else ExitCode.OK

    def _tell_faults(
        self, of: Path | str, faults: Sequence[Fault], count: int, refused: str = "refused"
    ) -> None:
        for line in fault_lines(self._lang, of, faults):
            say(line, err=True)
        if count > len(faults):
            say(said(self._lang, "more", count - len(faults)), err=True)
        say(said(self._lang, refused, count), err=True)

    def _confirmed(self) -> bool:
        if not sys.stdin.isatty():
            return False
        return typer.confirm(said(self._lang, "ask"), err=True)

    @contextmanager
    def _way(self) -> Iterator[Way]:
        """How the roster is changed; what goes wrong there ends the command."""
        with explained():
            try:
                with way_to(self._settings, self._profiles) as way:
                    yield way
            except (Refusal, DaemonAway) as error:
                leave(error, as_json=self._as_json, lang=self._lang)

    @contextmanager
    def _progress(self, what: str, total: int | None) -> Iterator[Callable[[int], None]]:
        """A bar on standard error, where that is a terminal."""
        console = stderr(soft_wrap=False)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)

    def _cell(self, cell: Time | Ratio, text: str) -> str:
        try:
            return str(cell.read(text.strip(), self._settings.gateway.plant_time))
        except CellRefused as refusal:
            say(refusal.words.zh if self._lang == "zh" else refusal.words.en, err=True)
            raise typer.Exit(ExitCode.USAGE) from None

    def _registers(self, told: Sequence[str]) -> dict[str, str]:
        found: dict[str, str] = {}
        for one in told:
            item, _, value = one.rpartition("=")
            try:
                number = Decimal(value)
            except InvalidOperation:
                say(f"{one!r}: write VALUE or ITEM=VALUE / 请写 示数 或 数据项=示数", err=True)
                raise typer.Exit(ExitCode.USAGE) from None
            found[item or DEFAULT_REGISTER] = str(number)
        return found


def _fault_in(told: Mapping[str, Any], rows: Mapping[str, int]) -> Fault:
    """A fault that the daemon told, with the row of the file."""
    return Fault(
        row=rows.get(told["meter"], told["row"]),
        column=told["column"],
        meter=told["meter"],
        words=Words(told["en"], told["zh"]),
    )
