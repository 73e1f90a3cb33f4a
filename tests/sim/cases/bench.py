"""The daemon's own composition of orders and cases with one meter on its line; it dies where it is told to.

A life is one run of the program. What is told under an id is told the same in every life, as senders do.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import sqlite3
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line as BusLine
from meterlink.config import Settings
from meterlink.daemon.ordering import Ordering, OrderWorld
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import EvidenceRefused, JournalError
from meterlink.journal.journal import Journal
from meterlink.journal.reader import JournalReader
from meterlink.model.act import KeptAct, Topic
from meterlink.model.reading import Record
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from metersim import Line, Simulation, Station
from tests.sim.crash_points.fates import Fate, Listed
from tests.sim.crash_points.points import Points, TappedStream, tapped_store
from tests.support.case_stories import AGREEMENT, M
from tests.support.control_bench import ADDRESS, CUSTOMER, NUMBER, PASSWORD, a_meter
from tests.support.crash import copy_journal
from tests.support.order_gateway import HOLIDAYS, OPEN_TO_ALL, PEOPLE, TUESDAY, Proved
from tests.support.records import reading
from tests.support.simulated import Duplex

TIMING: Final = Timing(reply_timeout_s=1.0, octet_gap_s=0.5, answer_max_s=2.0)
DYING_S: Final = 60.0
"""So long a program may take to notice that it was cancelled."""

Script = Callable[["CaseBench"], Awaitable[None]]


class CaseBench:
    """One meter, its evidence and its cases.

    Args:
        folder: for the journals; empty.
        by_policy: whether the customer has agreed to policies.
        control: other keys of ``[control]``.
        meter_keys: other keys of the meter.
        start: first wall time.

    Attributes:
        ordered_at: the point at which a script saw the order of its case.

    """

    def __init__(
        self,
        folder: Path,
        *,
        by_policy: bool = False,
        control: Mapping[str, object] | None = None,
        meter_keys: Mapping[str, object] | None = None,
        start: datetime = TUESDAY,
    ) -> None:
        files = {"people.toml": PEOPLE, "holidays.toml": HOLIDAYS, "password": PASSWORD}
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o600)
        self._sim = Simulation(seed=1, start=start)
        self._folder = folder
        self._meter = a_meter(OPEN_TO_ALL)
        self._settings = _settings(folder, by_policy, control or {}, meter_keys or {})
        self._documents: dict[str, dict[str, Any]] = {}
        self._kills: tuple[int, ...] = ()
        self._is_copy = False
        self._graves: list[sqlite3.Connection] = []
        self._ordering: Ordering | None = None
        self._points = _points_of(Listed())
        self.ordered_at = 0

    @property
    def passed(self) -> int:
        """How many points of its life the program has passed."""
        return self._points.count

    def live(self, script: Script, *, kill_at: int | None = None, fate: Fate | None = None) -> Points:
        """One life of the program, which ends with the script, or at a point; see ``Points``.

        Args:
            script: what people do.
            kill_at: the point; by default the life ends with the script.
            fate: decides instead. In a copy that it makes the life ends, and the original goes on.

        """
        fate = fate or Listed(() if kill_at is None else (kill_at,))
        self._points = _points_of(fate)
        return self._sim.run(self._live(script, self._points, fate))

    def pass_by(self, span: timedelta) -> None:
        """Time goes on while no program runs."""
        self._sim.run(asyncio.sleep(span.total_seconds()))

    def configured(self, *, by_policy: bool = False, **meter_keys: object) -> None:
        """The next life has another configuration of the meter."""
        self._settings = _settings(self._folder, by_policy, {}, meter_keys)

    def now(self) -> datetime:
        """The time."""
        return self._sim.clock.utc_now()

    def number_of(self, _meter: str) -> str:
        """The customer number of the meter."""
        return CUSTOMER

    async def ask(self, user: str, op: str, **args: Any) -> Mapping[str, Any]:
        """What a local user asks."""
        assert self._ordering is not None, "the program runs"
        return await self._ordering.answer(user, op, args)

    async def told(self, *records: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Take records in; one of an id that was told before is told as it was."""
        first = [self._documents.setdefault(str(one["id"]), dict(one)) for one in records]
        answer = await self.ask("billing", "evidence.add", records=first)
        found: list[Mapping[str, Any]] = answer["records"]
        assert [] == [one for one in found if "refused" in one]
        return found

    async def meant(self, policy: Mapping[str, Any]) -> None:
        """Two persons mean a policy, once."""
        first = self._documents.setdefault(str(policy["id"]), dict(policy))
        await self.ask("anna", "evidence.add", records=[first])
        with contextlib.suppress(EvidenceRefused):  # they meant it in an earlier life
            await self.ask("both", "evidence.confirm", id=f"{policy['sender']}:{policy['id']}")

    def obeyed(self) -> list[str]:
        """The kinds of what the meter obeyed, as it says."""
        return [control.kind for control in self._meter.works.memory.controls]

    def acts(self, topic: Topic) -> list[KeptAct]:
        """All acts of a topic in the journal of the newest life, in order."""
        try:
            with JournalReader(self._path()) as reader:
                subjects = reader.subjects(topic, only_open=False, limit=1_000)
                found = itertools.chain.from_iterable(reader.acts_of_subject(topic, one) for one in subjects)
                return sorted(found, key=lambda kept: kept.number)
        except JournalError:
            assert self._kills, "the first journal can be read"
            return []  # it was killed before its file had a schema

    async def _live(self, script: Script, points: Points, fate: Fate) -> Points:
        points.dying.append(self._leave)
        ends: list[ByteStream] = []
        async with asyncio.TaskGroup() as plant:
            daemon = asyncio.create_task(self._daemon(script, points, plant, ends), name="daemon")
            killed = asyncio.create_task(points.killed.wait(), name="killer")
            await asyncio.wait([daemon, killed], return_when=asyncio.FIRST_COMPLETED)
            killed.cancel()
            if points.is_dead:
                daemon.cancel()
                await asyncio.wait([daemon], timeout=DYING_S)
                assert daemon.done(), "a cancelled program goes on"
                if not daemon.cancelled():
                    daemon.exception()  # what a dead program complains of is nobody's business
            else:
                await daemon
            for end in ends:
                await end.aclose()
        self._is_copy = self._is_copy or fate.is_copy
        while self._graves and not self._is_copy:  # what a copy shares with its original stays
            self._graves.pop().close()
        return points

    def _leave(self) -> None:
        """Keep the file for the next life, as this one leaves it."""
        left = self._path()
        self._kills = (*self._kills, self._points.count)
        copy_journal(left, self._path())

    async def _daemon(
        self, script: Script, points: Points, plant: asyncio.TaskGroup, ends: list[ByteStream]
    ) -> None:
        clock = self._sim.clock
        async with Journal.open(
            self._path(), clock=clock, opener=tapped_store(points, self._graves)
        ) as journal:
            with contextlib.suppress(JournalError):
                taken = reading(M, slot=self.now().replace(microsecond=0))
                await journal.keep(Record(meter=M, data_class="instant", readings=(taken,)))
            assert self._settings.control is not None
            ordering = Ordering(
                self._settings,
                self._settings.control,
                journal,
                MeterProfiles(),
                clock=clock,
                rng=self._sim.random,
                world=OrderWorld(models=Proved()),
            )
            await ordering.load()
            try:
                await self._work(ordering, script, points, plant, ends)
            finally:
                self._ordering = None
                await ordering.aclose()

    async def _work(
        self,
        ordering: Ordering,
        script: Script,
        points: Points,
        plant: asyncio.TaskGroup,
        ends: list[ByteStream],
    ) -> None:
        far = Line([Station(meter=self._meter)], clock=self._sim.clock)

        async def opener() -> ByteStream:
            ours, theirs = memory_line()
            ends.append(theirs)
            plant.create_task(far.serve(Duplex(theirs)), name="meters")
            return TappedStream(ours, points)

        (line_settings, meters), *_ = self._settings.meters_by_line()
        worker = ordering.of_line(
            line_settings,
            meters,
            reply_timeout=timedelta(seconds=TIMING.whole_answer_s),
            password_of=lambda _: "",
            association_lost=lambda _: None,
        )
        async with asyncio.TaskGroup() as group:
            line = BusLine("line1", opener=opener, timing=TIMING, rng=self._sim.random)
            beside = [
                group.create_task(line.run(), name="line"),
                group.create_task(ordering.run(), name="orders"),
            ]
            running = group.create_task(worker.run(line), name="worker")
            self._ordering = ordering
            await script(self)
            worker.stop()
            await running
            for task in beside:
                task.cancel()

    def _path(self) -> Path:
        return self._folder / f"life{''.join(f'-{point}' for point in self._kills)}.sqlite3"


def _points_of(fate: Fate) -> Points:
    return Points(fate, outside=object)  # which is like no other: no point is left out


def _settings(
    folder: Path, by_policy: bool, control: Mapping[str, object], keys: Mapping[str, object]
) -> Settings:
    meter = {
        "id": M,
        "address": ADDRESS,
        "line": "line1",
        "protocol": "dlt645-2007",
        "model": "generic-remote-cost-control",
        "meter_number": NUMBER,
        "customer_number": CUSTOMER,
        "area": "east",
        "motor_load": False,
        "lab": True,
        "security": "password",
        "control_password": f"file:{folder / 'password'}",
        "allow_plaintext_control": True,
        "agreement": AGREEMENT if by_policy else "",
        **keys,
    }
    return Settings.model_validate(
        {
            "gateway": {"id": "gw", "site": "sim"},
            "lines": [{"name": "line1", "url": "tcp://127.0.0.1:1"}],
            "meters": [meter],
            "control": {
                "people": folder / "people.toml",
                "holidays": folder / "holidays.toml",
                "operator_code": "20261124",
                **control,
            },
        }
    )
