"""The people of a draft, who tell the running gateway of its roster as the command does, at its socket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

from meterlink.config.meters import MeterSettings
from meterlink.daemon.control_socket import Handler
from meterlink.journal.reader import JournalReader
from meterlink.roster.entries import entry_of, meters_of
from meterlink.roster.plan import plan
from metersim import SimClock
from tests.sim.soak.draft import Act, Draft, MeterDraft, at
from tests.sim.soak.plant import REGISTER, Plant
from tests.sim.soak.spans import Span

_USER: Final = "office"


def told_of(one: MeterDraft) -> Mapping[str, object]:
    """The entry of a meter, as in a file."""
    keys = ("id", "address", "line", "protocol", "model")
    return {key: getattr(one, key) for key in keys}


class Office:
    """Tells what the draft says, at its time.

    Args:
        draft: of it.
        plant: knows what exchanged meters showed.
        clock: the true time.
        journal: the gateway's file, from which the command knows the roster.

    """

    def __init__(self, draft: Draft, plant: Plant, clock: SimClock, journal: Path) -> None:
        self._draft = draft
        self._plant = plant
        self._clock = clock
        self._journal = journal
        self._desk: Handler | None = None

    @asynccontextmanager
    async def open_desk(self, _: Path, handler: Handler) -> AsyncIterator[None]:
        """The daemon's control socket."""
        self._desk = handler
        yield
        self._desk = None

    async def run(self, life: Span) -> None:
        """Tell all that is to be told in one life of the daemon."""
        for act in self._draft.acts:
            if life.begin <= act.at_s < life.end:
                await asyncio.sleep(act.at_s - self._clock.monotonic_s())
                await self._tell(act)

    async def _tell(self, act: Act) -> None:
        answer = await (self._exchange(act.meter) if act.what == "exchange" else self._apply(act))
        assert "refused" not in answer, f"{act} was refused: {answer}"

    async def _exchange(self, one: MeterDraft) -> Mapping[str, Any]:
        assert one.exchanged_at is not None
        when = at(one.exchanged_at).isoformat()
        last, first = ({REGISTER: str(value)} for value in self._plant.registers[one.id])
        return await self._ask(
            "roster.exchange",
            meter=one.id,
            new=f"{one.id}n",
            meter_number=self._plant.new_number(one),
            address=one.address,
            removed_at=when,
            installed_at=when,
            last=last,
            first=first,
            evidence="work order",
        )

    async def _apply(self, act: Act) -> Mapping[str, Any]:
        """What ``meterlink roster apply --partial`` does."""
        now = self._clock.utc_now()
        with JournalReader(self._journal) as reader:
            kept = reader.roster()
        meters = meters_of(kept.entries.values())
        if act.what == "add":
            wanted = MeterSettings.model_validate(told_of(act.meter))
        elif act.what == "move":
            assert act.meter.moves is not None
            wanted = meters[act.meter.id].model_copy(update={"line": act.meter.moves[1]})
        else:
            wanted = meters[act.meter.id].model_copy(update={"in_service_until": now})
        entries = [entry_of(one) for one in plan(meters, [wanted], now, partial=True).touched]
        ticket = (await self._ask("roster.begin"))["ticket"]
        await self._ask("roster.put", ticket=ticket, entries=entries)
        return await self._ask("roster.commit", ticket=ticket, revision=kept.revision)

    async def _ask(self, op: str, **args: Any) -> Mapping[str, Any]:
        assert self._desk is not None, "people come when the daemon is up"
        return await self._desk(_USER, op, args)
