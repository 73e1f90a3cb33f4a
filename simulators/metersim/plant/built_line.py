"""One line of a plant and its meters, at work: asked, counted, and changed from outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Final

from metersim.carrier.module import CarrierModule
from metersim.dlt645.meter import Meter
from metersim.dlt698 import Meter698
from metersim.dlt698.terminal import Habits, Terminal
from metersim.line.item_patterns import near
from metersim.line.language import Speaker
from metersim.line.line import Clock, Duplex, Line
from metersim.line.memory import MemoryDuplex, memory_pair
from metersim.plant.beside import beside
from metersim.plant.happening_runner import HappeningReport
from metersim.plant.happenings import Happening
from metersim.plant.making import Named
from metersim.plant.rows import LineRow
from metersim.plant.watched import Tap, Traffic, watched
from metersim.serving.serial_server import SerialServer
from metersim.serving.served import Served
from metersim.works.memory import Control
from metersim.works.orders import OBEYED
from metersim.works.works import Works

ANSWER_WAIT_S: Final = 5.0
"""How long somebody who asks a meter waits, unless told otherwise."""
OCTET_GAP_S: Final = 0.5
"""Silence that ends an answer."""


@dataclass(slots=True)
class Counts:
    """What a line has seen.

    Args:
        answers: that left.
        faulty: of them, those that a fault befell.
        last: address of the meter that answered last; empty: none has.

    """

    answers: int = 0
    faulty: int = 0
    last: str = ""


class BuiltMeter:
    """One meter of a plant.

    Args:
        named: its place in the plant.
        speaker: the meter as its line hears it.
        line: its line.
        clock: the true time.
        befall: lets something happen at once.

    Attributes:
        address: 12 digits.
        row: what it is.
        speaker: as given.
        answers: that it gave, whatever befell them.

    """

    __slots__ = ("_befall", "_clock", "answers", "line", "row", "speaker")

    def __init__(
        self,
        named: Named,
        speaker: Speaker,
        line: BuiltLine,
        clock: Clock,
        befall: Callable[[Happening], HappeningReport],
    ) -> None:
        self.row = named.row
        self._befall = befall
        self.speaker = speaker
        self.line = line
        self.answers = 0
        self._clock = clock

    @property
    def address(self) -> str:
        """12 digits."""
        return self.speaker.address

    @property
    def works(self) -> Works:
        """What it measures with."""
        assert isinstance(self.speaker, Meter | Meter698), "a plant is built of these"
        return self.speaker.works

    def value(self, item: str, at: datetime | None = None) -> Decimal | None:
        """What it shows for an item; ``None`` when it has no such number.

        Args:
            item: of the catalogue, e.g. ``"forward_active_energy.t1"``.
            at: true time, aware, past or now; ``None``: now.

        """
        return self.speaker.value(item, at or self._clock.utc_now())

    def obeyed(self, kind: str | None = None) -> tuple[Control, ...]:
        """Every control that it obeyed, oldest first.

        Args:
            kind: e.g. ``"trip"``; ``None``: of every kind.

        Raises:
            ValueError: no control is called so; the message has names that are near.

        """
        if kind is not None and kind not in OBEYED:
            known = ", ".join(OBEYED)
            raise ValueError(f"{kind!r}: no control is called so{near(kind, OBEYED)}; there are {known}")
        self.works.advance(self._clock.utc_now())
        return tuple(one for one in self.works.memory.controls if kind is None or one.kind == kind)

    def press_key(self) -> bool:
        """Press the key at the meter; whether that closed its contact."""
        at = self.works.advance(self._clock.utc_now())
        return self.works.switch.press_key(at)

    def set(self, item: str, value: Decimal) -> HappeningReport:
        """Set a register.

        Args:
            item: e.g. ``"forward_active_energy"``.
            value: in its unit, 0 or more.

        Raises:
            ValueError: it is no register of this meter, or the value has no room.

        """
        return self.befall(Happening(what="register_set", at=timedelta(), item=item, value=value))

    def befall(self, happening: Happening) -> HappeningReport:
        """Let something happen to this meter now.

        Args:
            happening: what; whom and when it names does not matter.

        Raises:
            ValueError: this meter cannot have it; the message says why.

        """
        return self._befall(replace(happening, meter=self.address, line="*"))

    async def exchange(self, request: bytes, *, wait_s: float = ANSWER_WAIT_S) -> bytes:
        """Ask over a new connection to its line; all octets that come back, ``b""`` for silence.

        Args:
            request: octets of a frame.
            wait_s: how long to wait for the first octet of an answer, over 0 s; it has ended when nothing
                came for half a second.

        """
        heard = b""
        async with self.line.connect_meters() as client:
            await client.send(request)
            try:
                while True:
                    async with asyncio.timeout(OCTET_GAP_S if heard else wait_s):
                        heard += await client.receive()
            except TimeoutError:
                return heard


class BuiltLine:
    """One line of a plant.

    Args:
        name: how it is called.
        row: what the plant says of it.
        clock: the true time.
        tap: told of all octets that pass; ``None``: nobody is.

    Attributes:
        counts: what it has seen.
        traffic: what went over it.
        terminal: who logs in; ``None``: nobody does.
        carrier: the module before its meters; it works while the plant runs. ``None``: there is none.

    """

    def __init__(self, name: str, row: LineRow, *, clock: Clock, tap: Tap | None = None) -> None:
        self.name = name
        self.row = row
        self.counts = Counts()
        self.traffic = Traffic(clock, tap)
        self.meters: Mapping[str, BuiltMeter] = {}
        self._clock = clock
        self._line: Line | None = None
        self._served: Served | None = None
        self.terminal: Terminal | None = None
        self.carrier: CarrierModule | None = None

    @property
    def wires(self) -> Line:
        """The line itself."""
        assert self._line is not None, "a line is built with its meters"
        return self._line

    def hang(
        self, meters: Mapping[str, BuiltMeter], line: Line, *, seed: int, carrier: CarrierModule | None = None
    ) -> None:
        """Put the meters on it; done once, by who builds it.

        Args:
            meters: by address.
            line: their wires.
            seed: of the plant.
            carrier: the module before them, where there is one.

        """
        self.meters = MappingProxyType(dict(meters))
        self._line = line
        self.carrier = self._served = carrier
        if self.row.logs_in:
            calling = Habits(heartbeat_s=self.row.heartbeat_s)
            self.terminal = Terminal(line, clock=self._clock, habits=calling)
            self._served = self.terminal
        elif self.row.server is not None:
            habits = self.row.server
            self._served = SerialServer(
                carrier or line, habits if habits.seed else replace(habits, seed=seed)
            )

    async def serve(self, duplex: Duplex) -> None:
        """Answer what comes over ``duplex`` until the other side ends it.

        Args:
            duplex: the connection; several may be served at once.

        """
        served = self._served or self.wires
        await served.serve(watched(duplex, self.traffic))

    def connect(self) -> AbstractAsyncContextManager[MemoryDuplex]:
        """A connection from the same process; gives the client's end of it."""
        return connected(self, self.name)

    def connect_meters(self) -> AbstractAsyncContextManager[MemoryDuplex]:
        """The same to the meters' own wires, past what stands before them."""
        return self.connect() if self.carrier is None else connected(self.wires, self.name)


@asynccontextmanager
async def connected(served: Served, name: str) -> AsyncIterator[MemoryDuplex]:
    """A connection from the same process; gives the client's end of it.

    Args:
        served: what answers over it.
        name: what it is called in the plant.

    """
    ours, theirs = memory_pair()
    async with beside(served.serve(ours), name=f"plant[{name}].client", ending=theirs.close):
        yield theirs
