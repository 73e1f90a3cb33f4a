"""What a module begins by itself: answered at once, or kept by the journal and then confirmed.

A report that is told again while it waits for the journal is dropped; one that the journal has kept is
confirmed again and kept once (its key says so). Source: spec gdw1376, A8 and A13.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import tzinfo
from typing import Any, Final

import structlog

from meterlink.clock import Clock
from meterlink.drivers.carrier.calls import Calls, nodes_of
from meterlink.drivers.carrier.counts import Counts
from meterlink.drivers.carrier.led import Led
from meterlink.drivers.carrier.notices import notice_of_reset
from meterlink.drivers.carrier.port import ModulePort
from meterlink.drivers.reports import Report
from meterlink.drivers.seldom import Seldom
from meterwire.errors import LocalProtocolError
from meterwire.gdw1376.functions import module
from meterwire.gdw1376.messages.module import Message

RESET_REPEAT_S: Final = 10.0
"""The same 03-F10 within this is a repeat whose confirmation was lost, and not another beginning."""
RESET_TOLD_S: Final = 60.0
"""One event and one line of the log in so long say that a module begins anew again and again."""
CALLS_KEPT: Final = 1_000
"""Reports that wait for the journal; a repeat of one of them is not kept twice."""
CALL_WAITS_S: Final = 60.0
"""A report that was not confirmed for so long is taken again: there may have been no room for it."""
NOBODY: Final = "000000000000"
"""Stands for a main node that nobody knows yet."""
_DONE_SKIP: Final = 1
_READ_DATA: Final = 2
_log = structlog.get_logger(__name__)


class ModuleHearing:
    """Takes what one module begins.

    Args:
        name: of the line.
        clock: wall time.
        zone: what the meters' clocks show.
        report: where reports go; each is confirmed when it has been kept.
        counts: what happened.
        reset: is called when the module says that it began anew.
        moved: is called with the addresses of nodes that it says have come or gone.

    Attributes:
        main_node: address of the module; empty until it is known.
        led: the reads that the module leads; ``None``: we lead.

    """

    def __init__(
        self,
        name: str,
        *,
        clock: Clock,
        zone: tzinfo,
        report: Callable[[Report], None],
        counts: Counts,
        reset: Callable[[], None],
        moved: Callable[[Sequence[str]], None],
    ) -> None:
        self.main_node = ""
        self._name = name
        self._clock = clock
        self._zone = zone
        self._report = report
        self.led: Led | None = None
        self._counts = counts
        self._reset = reset
        self._moved = moved
        self._calls = Calls(name, zone)
        self._waiting: dict[str, float] = {}
        self._last_reset: tuple[float, bytes] | None = None
        self._refused = Seldom(clock.monotonic_s)
        self._resets = Seldom(clock.monotonic_s, RESET_TOLD_S)

    def forget(self) -> None:
        """The port was closed: what waits is told again."""
        self._waiting.clear()
        self.led = None

    def take(self, port: ModulePort, call: Message) -> None:
        """Answer, or keep and then confirm, what the module began.

        Args:
            port: at which it did.
            call: its frame.

        """
        frame = call.frame
        known = f"{frame.afn:02X}-F{frame.fn}" if call.function is not None else "other"
        self._counts.calls[known] += 1
        try:
            if frame.afn == module.ROUTE_READ:
                self._asked_what_to_read(port, call)
            elif frame.afn == module.REPORT:
                self._reported(port, call)
            elif (frame.afn, frame.fn) == (module.QUERY, 10):
                self._began_anew(port, call)
        except LocalProtocolError as error:
            if times := self._refused.times():
                _log.info("carrier_call_refused", line=self._name, call=known, reason=str(error), times=times)

    def _asked_what_to_read(self, port: ModulePort, call: Message) -> None:
        """AFN 14: where we lead, what is due is read by us, so the module goes on to the next meter."""
        if self.led is not None and call.frame.fn == 1:
            self.led.asked(port, call)
            return
        answers: dict[int, dict[str, Any]] = {
            1: {
                "read_flag": _DONE_SKIP,
                "delay_related": 0,
                "len": 0,
                "payload": b"",
                "sub_nodes": 0,
                "sub_node_addrs": [],
            },
            2: {"time": f"{self._clock.utc_now().astimezone(self._zone):%y%m%d%H%M%S}"},
            3: {"len": 0, "payload": b""},
        }
        if (values := answers.get(call.frame.fn)) is not None:
            port.reply(call, values)

    def _reported(self, port: ModulePort, call: Message) -> None:
        if self.led is not None and call.frame.fn == _READ_DATA and self.led.reported(port, call):
            return
        now_s = asyncio.get_running_loop().time()
        life = self._counts.resets

        def kept() -> None:
            self._waiting.pop(report.key, None)
            if life == self._counts.resets:  # else its number is that of another report by now
                port.confirm(call)  # one that was closed since sends nothing, and the module tells it again

        report = self._calls.report_of(call, self.main_node or NOBODY, self._clock.utc_now(), kept)
        if now_s - self._waiting.get(report.key, float("-inf")) < CALL_WAITS_S:
            self._counts.repeated += 1
            return
        if len(self._waiting) >= CALLS_KEPT:
            self._waiting = {key: at for key, at in self._waiting.items() if now_s - at < CALL_WAITS_S}
        if len(self._waiting) < CALLS_KEPT:
            self._waiting[report.key] = now_s
            self._report(report)
            if nodes := nodes_of(call):
                self._moved(nodes)

    def _began_anew(self, port: ModulePort, call: Message) -> None:
        """03-F10 by itself: it was reset, and all must be done again."""
        now_s = asyncio.get_running_loop().time()
        told = bytes((call.frame.info.sequence,)) + call.frame.data
        port.confirm(call)
        last, self._last_reset = self._last_reset, (now_s, told)
        if last is not None and last[1] == told and now_s - last[0] < RESET_REPEAT_S:
            self._last_reset = last
            return
        self._counts.resets += 1
        self._calls.begin_anew(self._clock.utc_now())
        self._waiting.clear()
        if self.led is not None:
            self.led.begin_anew()
        if times := self._resets.times():
            _log.warning("carrier_reset", line=self._name, times=times)
            main_node = self.main_node or str(call.values.get("main_node", ""))
            self._report(notice_of_reset(self._name, main_node, self._clock.utc_now()))
        self._reset()
