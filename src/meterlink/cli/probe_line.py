"""Trying what a meter may speak on a line, and showing what was found."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.cli.console import stderr
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import spoken
from meterlink.cli.own_line import own_line_url
from meterlink.cli.saying import say
from meterlink.drivers.probe import Found, Try, find_meter
from meterlink.errors import ConfigError, LineError, MeterlinkError
from meterlink.model.address import meter_address
from meterlink.model.line_url import LineUrl, Parity, SerialUrl
from meterlink.transports.open import open_line

_RATES = (2400, 9600, 1200, 4800, 19200, 600)
"""Likeliest first: meters leave the factory with 2400, newer ones with 9600. Source: spec dlt645, 1.1."""
_PARITIES: tuple[Parity, ...] = ("even", "none")
"""Even is the standard's; some cheap devices use none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What was asked for, as given on the command line.

    Args:
        line: a line's URL.
        address: digits of the meter's address; empty: unknown.
        timeout_ms: wait for the first octet of an answer.

    """

    line: str
    address: str
    timeout_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """One try, and how the line was set for it."""

    url: LineUrl
    tried: Try


class _Show:
    """Progress for people; a record for programs."""

    def __init__(self, *, quiet: bool) -> None:
        self.steps: list[_Step] = []
        self._console = stderr(quiet=quiet)

    def tell(self, url: LineUrl, tried: Try) -> None:
        self.steps.append(_Step(url=url, tried=tried))
        if tried.found:
            outcome = f"answers: {tried.found.address} 有应答"
        elif tried.heard:
            outcome = f"{tried.heard} octets that are no answer 收到乱码"
        else:
            outcome = "silence 无应答"
        self._console.print(f"{url}  {tried.protocol}  {outcome}", markup=False)

    @property
    def heard(self) -> bool:
        return any(step.tried.heard for step in self.steps)


def search_and_show(search: Search, *, as_json: bool) -> ExitCode:
    """Search, print, and say how it went.

    Args:
        search: where.
        as_json: one JSON document on standard output, also for a failure.

    Returns:
        the command's exit code.

    """
    show = _Show(quiet=as_json)
    found: Found | None = None
    failure: MeterlinkError | None = None
    try:
        found = asyncio.run(_search(search, show))
    except MeterlinkError as error:
        failure = error
    if as_json:
        say(json.dumps(_document(search, show, found, failure), ensure_ascii=False, indent=2))
    else:
        _show_person(show, found, failure)
    if failure is not None:
        return _code(failure)
    return ExitCode.OK if found else ExitCode.NO_ANSWER


async def _search(search: Search, show: _Show) -> Found | None:
    url = own_line_url(search.line)
    address = meter_address(search.address) if search.address else ""
    for setting in _settings(url):
        if (found := await _ask(setting, search, address, show)) is not None:
            return found
    return None


async def _ask(url: LineUrl, search: Search, address: str, show: _Show) -> Found | None:
    timing = Timing(
        reply_timeout_s=search.timeout_ms / 1000,
        character_s=url.character_s if isinstance(url, SerialUrl) else 0.0,
    )
    line = Line(str(url), opener=lambda: open_line(url), timing=timing, rng=random.Random())  # noqa: S311
    found: Found | None = None
    failure: MeterlinkError | None = None
    async with asyncio.TaskGroup() as group:
        owner = group.create_task(line.run(), name="bus[probe].owner")
        try:
            found = await find_meter(line, address=address, tell=lambda tried: show.tell(url, tried))
        except MeterlinkError as error:  # inside the group, which would wrap it
            failure = error
        owner.cancel()
    if failure is not None:
        raise failure
    return found


def _settings(url: LineUrl) -> Iterator[LineUrl]:
    """The line's settings to try: as the URL says, then all others."""
    yield url
    if not isinstance(url, SerialUrl):
        return
    for parity in _PARITIES:
        for baud in _RATES:
            if (baud, parity) != (url.baud, url.parity):
                yield replace(url, baud=baud, parity=parity)


def _show_person(show: _Show, found: Found | None, failure: MeterlinkError | None) -> None:
    console = stderr()
    if failure is not None:
        console.print(f"error: {failure.said(spoken())}", markup=False)
    elif found is None:
        console.print(f"nobody answered 无表应答\n{_hint(show)}", markup=False)
    else:
        url = show.steps[-1].url
        say(f"meter 电能表 {found.address}  {found.protocol}  {url}")
        say(f"meterlink read --line '{url}' --protocol {found.protocol} --address {found.address} ", nl=False)
        say("--item forward_active_energy")


def _hint(show: _Show) -> str:
    if show.heard:
        return (
            "octets came that are no answer: several meters at once (give --address), or another rate "
            "behind the serial server（有数据但无法识别：总线上可能有多块表，或串口服务器波特率不符）"
        )
    return "check the wires A/B, the meter's power and the serial server（请检查 485 接线 A/B、电表供电）"


def _document(
    search: Search, show: _Show, found: Found | None, failure: MeterlinkError | None
) -> dict[str, Any]:
    url = show.steps[-1].url if found else None
    serial = url if isinstance(url, SerialUrl) else None
    return {
        "line": search.line,
        "found": None
        if found is None
        else {
            "line": str(url),
            "protocol": found.protocol,
            "address": found.address,
            "baud": serial.baud if serial else None,
            "parity": serial.parity if serial else None,
        },
        "tries": [
            {"line": str(step.url), "protocol": step.tried.protocol, "octets_heard": step.tried.heard}
            for step in show.steps
        ],
        "error": None if failure is None else {"kind": type(failure).__name__, "message": str(failure)},
    }


def _code(error: MeterlinkError) -> ExitCode:
    if isinstance(error, ConfigError):
        return ExitCode.USAGE
    return ExitCode.LINE if isinstance(error, LineError) else ExitCode.FAILURE
