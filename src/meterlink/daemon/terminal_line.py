"""A line that is a terminal of Q/GDW 1376.1: its connection, the way through it, and who looks after it."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Final

from meterlink.bus.dialling import Opener
from meterlink.bus.exchange import ANSWER_OCTETS_MAX, Timing
from meterlink.bus.line import Line
from meterlink.bus.listener import Door, Listener
from meterlink.bus.work import LineWork
from meterlink.config import LineSettings, SecretRef
from meterlink.config.terminal1376 import Terminal1376Settings
from meterlink.drivers.base import Driver
from meterlink.drivers.gdw1376.archivist import Archivist1376
from meterlink.drivers.gdw1376.clock import Clock1376
from meterlink.drivers.gdw1376.driver import Gdw1376Driver
from meterlink.drivers.gdw1376.reporter import Reporter
from meterlink.drivers.gdw1376.settings import TerminalSettings, password_of
from meterlink.drivers.gdw1376.station import Station, timing_of
from meterlink.drivers.gdw1376.tunnel import through
from meterlink.drivers.reports import Report

_BAUD_CODES: Final = {rate: code for code, rate in enumerate((300, 600, 1200, 2400, 4800, 7200, 9600, 19200))}
"""Of the control octet of AFN 10. Source: spec gdw1376, B3."""


class TerminalLine:
    """The two lines of one terminal: that of its connection, and above it that of the meters behind it.

    Args:
        name: of both.
        station: the terminal.
        way: opens the connection, or the door through which the terminal comes.
        rng: jitter of reopening.
        ear: makes the session of a connection that we open.
        work: where is noted what is done with the meters.
        roster: addresses of the meters that should be behind it.
        report: where goes what it tells.

    Attributes:
        line: of the meters.
        archivist: shows and fills the terminal's archive.
        clock: reads and sets the terminal's clock.

    """

    def __init__(
        self,
        name: str,
        station: Station,
        *,
        way: Opener | Door,
        rng: random.Random,
        ear: Callable[[], Listener] | None,
        work: LineWork,
        roster: Collection[str],
        report: Callable[[Report], None],
    ) -> None:
        self.station = station
        self.connection = Line(
            name,
            opener=way,
            timing=timing_of(station.settings),
            rng=rng,
            ear=ear if callable(way) else None,
            ear_parses=True,
        )
        self.line = Line(
            name,
            opener=through(station, self.connection),
            timing=tunnel_timing(station.settings),
            rng=rng,
            work=work,
        )
        self.reporter = Reporter(station, roster, report)
        self.archivist = Archivist1376(station, self.connection, self.line)
        self.clock = Clock1376(station, self.connection)

    def around(self, driver: Driver) -> Driver:
        """The driver of meters behind the terminal."""
        return Gdw1376Driver(driver, self.station, self.connection)


def tunnel_timing(settings: TerminalSettings) -> Timing:
    """Timers of the line of the meters: the terminal has waited for them before anything comes."""
    return Timing(
        reply_timeout_s=settings.forward_timeout_s,
        octet_gap_s=settings.octet_timeout_ms / 1000,
        answer_max_s=settings.forward_timeout_s,
        answer_octets_max=ANSWER_OCTETS_MAX,
    )


def terminal_settings(line: LineSettings) -> TerminalSettings:
    """What is configured of the terminal that a line is."""
    assert line.terminal_1376 is not None, "the line is a terminal of Q/GDW 1376.1"
    told = line.terminal if isinstance(line.terminal, Terminal1376Settings) else Terminal1376Settings()
    place = told.password
    plain = TerminalSettings(
        name=line.terminal_1376,
        wide=told.wide,
        master=told.master,
        heartbeat_s=told.heartbeat_min * 60.0,
        time_tag_min=told.time_tag_min,
        port=told.port,
        baud_code=None if told.baud is None else _BAUD_CODES[told.baud],
        parity=told.parity,
        frame_timeout_s=told.frame_timeout_s,
        octet_timeout_ms=told.octet_timeout_ms,
        reply_timeout_s=float(told.reply_timeout_s),
        units_max=told.units_max,
        store_wait_s=told.store_wait_min * 60.0,
        fresh_s=told.fresh_min * 60.0,
    )
    if place is None:
        return plain
    return replace(plain, password=lambda: password_of(SecretRef(place).reveal()))
