"""The one owner of a carrier module's port: opens it, starts the module, and lets lanes read through it.

After each opening, and whenever the module says that it began anew (03-F10), the module is started: who it
is, what it can, whom it knows (``starting``). Meanwhile lanes wait, or are told what is being done. What was
under way when the module began anew is lost, and its lanes are told so. A module that leads the reading by
itself is paused (12-F2) before the first read of ours, and goes on (12-F3) when there was none for a while;
or it leads our reads too, where the configuration says so (``led``).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import tzinfo
from typing import Any, Final

import structlog

from meterlink.bus.dialling import Dialling, Opener
from meterlink.clock import Clock, apart
from meterlink.config.carriers import MODULE_LEADS, READ_TIMEOUT_MAX_S, CarrierSettings
from meterlink.drivers.carrier.asking import Asking, ModuleDenied
from meterlink.drivers.carrier.counts import Counts
from meterlink.drivers.carrier.hearing import ModuleHearing
from meterlink.drivers.carrier.in_step import InStep
from meterlink.drivers.carrier.latency import Latencies
from meterlink.drivers.carrier.leading import Leading
from meterlink.drivers.carrier.led import Led
from meterlink.drivers.carrier.payload import CODES, Outgoing
from meterlink.drivers.carrier.port import Flooded, ModulePort
from meterlink.drivers.carrier.reading import MeterCall, Reader
from meterlink.drivers.carrier.starting import START_MAX_S, ModuleFacts, Starting
from meterlink.drivers.carrier.window import Window
from meterlink.drivers.reports import Report
from meterlink.drivers.seldom import Seldom
from meterlink.errors import BusFull, LineBusy, LineError, LineLost, MeterlinkError, ReplyTimeout
from meterlink.model.protocols import MeterProtocol
from meterlink.transports.backoff import Backoff
from meterlink.transports.stream import ByteStream
from meterwire.errors import LocalProtocolError

FLOODED_PAUSE_S: Final = 1.0
FLOODED_PAUSE_MAX_S: Final = 600.0
"""A module that sent too much is called again after pauses that double, from the first to the longest."""
CALM_S: Final = 3_600.0
"""A connection that has lasted so long begins them anew."""
READY_WAIT_S: Final = 60.0
"""So long a lane waits for a module that is being started, before its meters are told why not."""
_log = structlog.get_logger(__name__)


class CarrierOwner:
    """One module on one line.

    Args:
        name: of the line.
        settings: of the module.
        opener: opens the port; raises ``LineLost`` or ``LineBusy``.
        meters: protocol by address, of the meters of the line.
        clock: wall time.
        rng: jitter of opening.
        zone: what the meters' clocks show.
        character_s: time of one octet on the wire; 0 where the rate is not known.
        report: where reports go; each is confirmed when it has been kept.

    Attributes:
        counts: what happened.
        facts: what is known of the module; ``None``: nothing yet.
        in_step: its table of nodes, and how it compares with the roster.
        stage: what is being done with it, for people; empty: meters are read.
        latencies: how long its nodes take.

    """

    def __init__(
        self,
        name: str,
        settings: CarrierSettings,
        *,
        opener: Opener,
        meters: Mapping[str, MeterProtocol],
        clock: Clock,
        rng: random.Random,
        zone: tzinfo,
        character_s: float,
        report: Callable[[Report], None],
    ) -> None:
        self.name = name
        self.settings = settings
        self.counts = Counts()
        self.facts: ModuleFacts | None = None
        self.stage = "not opened yet"
        self.latencies = Latencies(first_s=settings.read_timeout_s, most_s=READ_TIMEOUT_MAX_S)
        self.roster = {
            address: settings.dlt698_code if protocol == "dlt698.45" else CODES[protocol]
            for address, protocol in meters.items()
            if protocol in CODES
        }
        self.in_step = InStep(name, settings, self.roster, clock=clock, report=report)
        self._dialling = Dialling(name, opener, rng)
        self._flooded = Backoff(rng, first_s=FLOODED_PAUSE_S, max_s=FLOODED_PAUSE_MAX_S)
        self._readies = Seldom(clock.monotonic_s)
        self._not_led = Seldom(clock.monotonic_s)
        self._character_s = character_s
        self._hearing = ModuleHearing(
            name,
            clock=clock,
            zone=zone,
            report=report,
            counts=self.counts,
            reset=self._began_anew,
            moved=self._nodes_moved,
        )
        self._window: Window | None = None
        self._reader: Reader | None = None
        self._asking: Asking | None = None
        self._trouble = ""
        self._ready = asyncio.Event()
        self._group: asyncio.TaskGroup | None = None
        self._wanted = asyncio.Event()
        self._is_reset = False
        self._leading: Leading | None = None
        self._carrying: set[asyncio.Task[None]] = set()

    # --- for lanes -----------------------------------------------------------------------------

    @property
    def trouble(self) -> str:
        """Why no meter is read through it now; empty: they are."""
        return self._trouble

    @property
    def window(self) -> Window | None:
        """How many meters are read at once; ``None``: it is not open."""
        return self._window

    @property
    def way(self) -> str:
        """By which function meters are read; empty: it is not open."""
        return self._reader.way if self._reader is not None else ""

    async def until_ready(self) -> None:
        """Wait until meters can be read.

        Raises:
            LineLost: they cannot, and why.

        """
        if self._reader is None and self._trouble:
            raise LineLost(f"{self.name}: {self._trouble}")
        try:
            async with asyncio.timeout(READY_WAIT_S):
                await self._ready.wait()
        except TimeoutError:
            raise LineLost(self._why_not()) from None

    async def begin(
        self, lane: int, outgoing: Outgoing, is_pressed: Callable[[], bool] = lambda: False
    ) -> MeterCall:
        """Give a request for a meter to the module; returns when it has left.

        Args:
            lane: who asks; one at a time.
            outgoing: what is sent.
            is_pressed: somebody waits for it, or for something behind it: where the module leads, it is not
                waited for.

        Raises:
            LineLost: the module is not ready, or began anew.
            LineBusy: others were first for too long.
            ReplyTimeout: the module cannot carry it.

        """
        reader, group, loop = self._reader, self._group, asyncio.get_running_loop()
        if reader is None or group is None or not self._ready.is_set():
            raise LineLost(self._why_not())
        code = reader.code_of(outgoing, self.roster.get(outgoing.address))
        call = MeterCall(lane, outgoing, code, loop.create_future(), loop.create_future())
        carrying = self._carry_out(reader, call, is_pressed)
        try:
            task = group.create_task(carrying, name=f"carrier[{self.name}].lane{lane}")
        except RuntimeError:  # the port has just broken
            carrying.close()
            raise LineLost(self._why_not()) from None
        self._carrying.add(task)
        task.add_done_callback(self._carrying.discard)
        futures: list[asyncio.Future[Any]] = [call.sent, call.answer]
        try:
            await asyncio.wait(futures, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            call.answer.cancel()
            raise
        if call.answer.done():
            call.answer.result()  # raises what went wrong before it left
        return call

    async def _carry_out(self, reader: Reader, call: MeterCall, is_pressed: Callable[[], bool]) -> None:
        led, outgoing = self._hearing.led, call.outgoing
        try:
            can_wait = outgoing.is_read and len(outgoing.frames) == 1
            if led is not None and can_wait and await led.carry_out(call, is_pressed):
                return
            if self._leading is not None:
                await self._leading.before_read()
            if not call.answer.done():
                await reader.carry_out(call)
        except LocalProtocolError as error:
            call.fail(ReplyTimeout(f"meter {call.outgoing.address}: the frame cannot be carried: {error}"))
        except (BusFull, ModuleDenied) as error:
            call.fail(ReplyTimeout(f"meter {call.outgoing.address}: {error}"))
        except MeterlinkError as error:
            call.fail(error)
        except BaseException:
            call.fail(LineLost(f"{self.name}: {self._trouble or 'the carrier module was given up'}"))
            raise

    def _why_not(self) -> str:
        return f"{self.name}: {self._trouble or 'the carrier module is being started: ' + self.stage}"

    # --- the port ------------------------------------------------------------------------------

    async def run(self) -> None:
        """Own the port until cancelled; fresh state at each call."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                self.stage = "opening the port"
                try:
                    stream = await self._dialling.open(loop.time())
                except (LineLost, LineBusy) as error:
                    self._trouble = str(error)
                    await asyncio.sleep(max(0.1, self._dialling.due_at - loop.time()))
                    continue
                opened_s = loop.time()
                broke = await self._while_open(stream)
                if isinstance(broke, Flooded) or not self._dialling.is_flapping:
                    _log.warning("carrier_lost", line=self.name, reason=self._trouble)
                if loop.time() - opened_s >= CALM_S:
                    self._flooded.reset()
                if isinstance(broke, Flooded):
                    await asyncio.sleep(self._flooded.next_s())
        finally:
            self._close("the owner has stopped")

    async def _while_open(self, stream: ByteStream) -> LineError | None:
        """Use a port until it breaks; what broke it."""
        error: LineError | None = None
        port = ModulePort(
            stream,
            self.counts.strays,
            character_s=self._character_s,
            called=lambda call: self._hearing.take(port, call),
            heard=self._dialling.works,
            late=self.latencies.note,
        )
        self._asking = Asking(port, self.counts.denied)
        self._leading = Leading(self.name, self._asking, self._not_led)
        try:
            await apart(self._at_work(port, self._asking, self._leading), f"carrier[{self.name}].open")
        except* LineError as errors:
            error = next(_leaves(errors))
            self._trouble = str(error)
        finally:
            self._close("its port was closed" if error is None else str(error))
            await stream.aclose()
        return error

    async def _at_work(self, port: ModulePort, asking: Asking, leading: Leading) -> None:
        async with asyncio.TaskGroup() as group:
            self._group = group
            group.create_task(port.run(), name=f"carrier[{self.name}].port")
            group.create_task(self._lead(port, asking), name=f"carrier[{self.name}].starter")
            group.create_task(leading.run(), name=f"carrier[{self.name}].leader")

    def _close(self, reason: str) -> None:
        self._ready.clear()
        self._reader = self._window = self._group = self._asking = self._leading = None
        self._is_reset = False
        self.stage = reason
        self._hearing.forget()

    # --- the module ----------------------------------------------------------------------------

    async def _lead(self, port: ModulePort, asking: Asking) -> None:
        """Start the module, and again when it has begun anew; compare it with the roster when that is due."""
        while True:
            self._wanted.clear()
            self._is_reset = False
            async with asyncio.TaskGroup() as starting:
                one = starting.create_task(self._start(port, asking), name=f"carrier[{self.name}].start")
                watch = starting.create_task(self._until_reset(one), name=f"carrier[{self.name}].watch")
                await asyncio.wait([one])
                watch.cancel()
            while not self._is_reset:
                await self._until_wanted()
                if not self._is_reset and self.in_step.takes_turn():
                    await self._compare(asking)
            self._ready.clear()
            self._reader = None
            for task in self._carrying:
                task.cancel()
            port.fail(LineLost(f"{self.name}: the carrier module began anew; what was under way is lost"))

    async def _until_wanted(self) -> None:
        """Until something is to be done; a comparison is, once a day."""
        with suppress(TimeoutError):
            async with asyncio.timeout_at(self.in_step.due_s):
                await self._wanted.wait()
        self._wanted.clear()

    async def _until_reset(self, starting: asyncio.Task[None]) -> None:
        while not self._is_reset:
            await self._wanted.wait()
            self._wanted.clear()
        starting.cancel()

    async def _start(self, port: ModulePort, asking: Asking) -> None:
        """One start.

        Raises:
            LineLost: the module cannot be used, or took too long.

        """
        self.counts.starts += 1
        begun = Starting(asking, self.settings, self.roster, self._at_stage)
        try:
            async with asyncio.timeout(START_MAX_S):
                self.facts = await begun.facts()
                self._hearing.main_node = self.facts.main_node
                await self.in_step.bring(begun, self.facts.main_node)
                troubles = await begun.begin(self.facts)
        except TimeoutError:
            why = f"the carrier module was not started within {START_MAX_S:g} s: {self.stage}"
            raise LineLost(why) from None
        except (ModuleDenied, ReplyTimeout, BusFull) as error:
            raise LineLost(str(error)) from None
        self._open_window(port, self.facts)
        if self._leading is not None:
            self._leading.begin(leads=self.facts.leads)
        self._at_stage("")
        self._trouble = ""
        self._ready.set()
        if times := self._readies.times():
            for trouble in troubles:
                _log.info("carrier_trouble", line=self.name, reason=trouble)
            _log.info("carrier_ready", line=self.name, way=self.way, vendor=self.facts.vendor, times=times)

    def _open_window(self, port: ModulePort, facts: ModuleFacts) -> None:
        timeout_s = facts.monitor_timeout_s
        if 0 < timeout_s < READ_TIMEOUT_MAX_S:
            self.latencies.least_s = timeout_s + 2.0  # the module itself says then that a node is silent
        if self.settings.read_by == MODULE_LEADS and self._hearing.led is None:
            self._hearing.led = Led(self.roster, self.latencies, self.counts.strays, self.counts.calls)
        self._window = Window(self.settings.window)
        self._reader = Reader(
            port,
            self.settings,
            way=facts.way,
            window=self._window,
            latencies=self.latencies,
            denied=self.counts.denied,
            unknown=self._lacks,
        )

    async def _compare(self, asking: Asking) -> None:
        assert self.facts is not None
        begun = Starting(asking, self.settings, self.roster, self._at_stage)
        await self.in_step.bring(begun, self.facts.main_node)
        self._at_stage("")

    def begin_sync(self, *, dry_run: bool) -> None:
        """Compare the module's table with the roster now, beside the reading; one at a time.

        Args:
            dry_run: change nothing.

        Raises:
            LineLost: the module is not ready.

        """
        if self.in_step.is_asked:
            return
        if self._group is None or self._asking is None or not self._ready.is_set():
            raise LineLost(self._why_not())
        self.in_step.begin(self._group, self._asking, dry_run=dry_run)

    async def leave(self) -> None:
        """Before ``run`` is cancelled: a module that was paused goes on by itself."""
        if self._leading is not None:
            await self._leading.leave()

    def _began_anew(self) -> None:
        self._is_reset = True
        self._wanted.set()

    def _at_stage(self, stage: str) -> None:
        self.stage = stage

    def _nodes_moved(self, addresses: Sequence[str]) -> None:
        """The module reports nodes."""
        if self.in_step.moved(addresses):
            self._wanted.set()

    def _lacks(self, address: str) -> None:
        """The module does not know a meter."""
        if self.in_step.lacks(address):
            self._wanted.set()


def _leaves(errors: BaseExceptionGroup[LineError]) -> Iterator[LineError]:
    for error in errors.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
