"""One line with its owner and its pollers, built from the configuration."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence

from meterlink.acquisition.plans import Plan, Point
from meterlink.acquisition.poller import Keeper, Poller
from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.clock import Clock
from meterlink.config import LineSettings, MeterSettings, PlanSettings, Settings
from meterlink.drivers.dlt645 import Dlt645Driver
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import ConfigError, UnknownItem
from meterlink.model.line_url import LineUrl, SerialUrl
from meterlink.transports.stream import ByteStream
from meterprofiles import Profile

LineOpener = Callable[[LineUrl], Awaitable[ByteStream]]


class LinePart:
    """A line and everything that uses it; runs until told to stop.

    Args:
        settings: the line.
        meters: who is on it.
        plans: what is read.
        profiles: which of them serves which meter.
        keeper: the journal.
        clock: wall time.
        opener: opens a line by its URL.
        rng: jitter.

    """

    def __init__(
        self,
        settings: LineSettings,
        meters: Sequence[MeterSettings],
        plans: Sequence[PlanSettings],
        *,
        profiles: MeterProfiles,
        keeper: Keeper,
        clock: Clock,
        opener: LineOpener,
        rng: random.Random,
    ) -> None:
        self.name = settings.name
        self._settings = settings
        self._served: dict[Profile, list[Point]] = {}
        for meter in meters:
            point = Point(meter=meter.id, address=meter.address)
            profile = profiles.find(meter.protocol, meter.model)
            self._served.setdefault(profile, []).append(point)
        self._plans = [
            Plan(name=plan.name, every_s=plan.every_s, items=plan.items, tries=plan.tries) for plan in plans
        ]
        self._keeper = keeper
        self._clock = clock
        self._opener = opener
        self._rng = rng
        self._pollers: list[Poller] = []
        self._stopping = False

    def stop(self) -> None:
        """Let ``run`` end after the exchanges in hand."""
        self._stopping = True
        for poller in self._pollers:
            poller.stop()

    async def run(self) -> None:
        """Own the line and poll its meters until stopped; fresh state at each call."""
        url = self._settings.parsed_url
        line = Line(
            self.name,
            opener=lambda: self._opener(url),
            timing=line_timing(self._settings, self._served),
            rng=self._rng,
        )
        named = {
            f"{plan.name}.{profile.name}": self._poller(plan, profile, line)
            for profile in self._served
            for plan in self._plans
        }
        self._pollers = list(named.values())
        if self._stopping:
            return
        async with asyncio.TaskGroup() as group:
            owner = group.create_task(line.run(), name=f"bus[{self.name}].owner")
            async with asyncio.TaskGroup() as polling:
                for name, poller in named.items():
                    polling.create_task(poller.run(), name=f"poller[{self.name}].{name}")
            owner.cancel()

    def _poller(self, plan: Plan, profile: Profile, line: Line) -> Poller:
        """One plan for the meters of one profile."""
        return Poller(
            plan=plan,
            points=self._served[profile],
            line=line,
            driver=Dlt645Driver(self._clock, profile=profile, preamble=self._settings.preamble),
            keeper=self._keeper,
            clock=self._clock,
        )


def profiles_of(settings: Settings) -> MeterProfiles:
    """The profiles of a configuration, each meter of which has one.

    Raises:
        ConfigError: a profile is wrong, or a meter has none or several; the message names it.

    """
    profiles = MeterProfiles(settings.gateway.profiles)
    for number, meter in enumerate(settings.meters, start=1):
        try:
            profiles.find(meter.protocol, meter.model)
        except ConfigError as error:
            raise ConfigError(f"[[meters]] number {number} ({meter.id}): {error}") from None
    return profiles


def check_items(settings: Settings, clock: Clock, profiles: MeterProfiles) -> None:
    """Refuse a plan with an item that a meter's protocol has not or that cannot be kept, before a port opens.

    Raises:
        UnknownItem: the message names the plan, and near items.

    """
    served = {profiles.find(meter.protocol, meter.model) for meter in settings.meters}
    for profile in sorted(served, key=lambda one: one.name):
        driver = Dlt645Driver(clock, profile=profile)
        for plan in settings.plans:
            for item in plan.items:
                try:
                    driver.check_instant(item)
                except UnknownItem as error:
                    raise UnknownItem(f"[[plans]] {plan.name!r}: {error}") from None


def line_timing(settings: LineSettings, served: Iterable[Profile]) -> Timing:
    """The line's timers: as configured, else what the slowest of its meters needs.

    Args:
        settings: the line.
        served: the profiles of its meters, at least one.

    """
    slowest = [profile.timing for profile in served]
    reply_ms = _given(settings.reply_timeout_ms, max(each.reply_timeout_ms for each in slowest))
    gap_ms = _given(settings.octet_gap_ms, max(each.octet_gap_ms for each in slowest))
    serial = isinstance(settings.parsed_url, SerialUrl)
    quiet_ms = max(each.turnaround_ms for each in slowest) if serial else 0
    return Timing(
        reply_timeout_s=reply_ms / 1000,
        octet_gap_s=gap_ms / 1000,
        answer_max_s=settings.answer_max_ms / 1000,
        character_s=settings.character_s,
        turnaround_s=_given(settings.turnaround_ms, quiet_ms) / 1000,
    )


def _given(configured: int | None, otherwise: int) -> int:
    return otherwise if configured is None else configured
