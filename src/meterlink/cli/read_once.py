"""Asking one meter once and showing what it said, to a person or to a program."""

from __future__ import annotations

import asyncio
import json
import random
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.bus.queue import Priority
from meterlink.cli.console import stderr
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import spoken
from meterlink.cli.own_line import own_line_url
from meterlink.cli.read_show import (
    PLANT_TIME,
    Row,
    ending,
    rows_of,
    show_failure,
    show_rows,
    show_trace,
)
from meterlink.cli.saying import say
from meterlink.clock import SystemClock
from meterlink.config import SecretRef
from meterlink.drivers.base import Driver, MeterAnswer, Window
from meterlink.drivers.choose import answer_octets_max, driver_for
from meterlink.drivers.profiles import MeterProfiles
from meterlink.drivers.reports import Report
from meterlink.errors import (
    ConfigError,
    MeterlinkError,
    Refused,
    ReplyTimeout,
)
from meterlink.explain.parts import printable
from meterlink.model.address import meter_address
from meterlink.model.line_url import SerialUrl
from meterlink.model.payload import time_out
from meterlink.model.protocols import PROTOCOLS, meter_protocol
from meterlink.trace import TraceRing
from meterlink.transports.open import open_line
from meterprofiles import Profile

_TRY_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What was asked for, as given on the command line.

    Args:
        line: a line's URL.
        address: digits of the meter's address.
        items: names of the catalogue, at least one.
        protocol: how the meter talks.
        model: as on its nameplate, or empty.
        profile: name or file of the profile that serves it, in place of protocol and model; or empty.
        profiles: folder of users' own profiles.
        timeout_ms: wait for the first octet of an answer; ``None``: the profile's.
        tries: how often to ask a silent meter.
        preamble: FEH octets before a request, 0 to 16; ``None``: the profile's.
        password_file: holds the meter's password; ``None``: CONNECT as the profile says.
        count: of records: how many; 0: not said.
        since: of records: from when on, without a zone, in plant time; ``None``: not said.

    """

    line: str
    address: str
    items: tuple[str, ...]
    protocol: str
    timeout_ms: int | None
    tries: int
    preamble: int | None
    model: str = ""
    profile: str = ""
    profiles: Path | None = None
    password_file: Path | None = None
    count: int = 0
    since: datetime | None = None

    @property
    def window(self) -> Window | None:
        """Which records are wanted; ``None`` when nothing was said about it."""
        if not self.count and self.since is None:
            return None
        since = None if self.since is None else self.since.replace(tzinfo=PLANT_TIME)
        return Window(count=self.count or 1, since=since)


def ask_and_show(question: Question, *, as_json: bool, trace: bool) -> ExitCode:
    """Ask, print, and say how it went.

    Args:
        question: what to ask.
        as_json: one JSON document on standard output, also for a failure.
        trace: show the octets both ways.

    Returns:
        the command's exit code.

    """
    ring = TraceRing(SystemClock())
    asides: dict[str, Report] = {}
    answers: list[MeterAnswer] = []
    failure: MeterlinkError | None = None
    try:
        answers = asyncio.run(_ask(question, ring, lambda told: asides.update({told.summary: told})))
    except MeterlinkError as error:
        failure = error
    rows = [row for answer in answers for row in rows_of(answer)]
    traced = ring if trace else None
    if as_json:
        _show_json(question, rows, failure, traced)
    else:
        _show(question, rows, failure, traced)
    _show_asides(asides)
    return ending(rows, [] if failure is None else [type(failure).__name__])


async def _ask(question: Question, ring: TraceRing, report: Callable[[Report], None]) -> list[MeterAnswer]:
    profile = _profile(question)
    url, address = own_line_url(question.line), meter_address(question.address)
    driver = driver_for(
        profile,
        SystemClock(),
        random_octets=secrets.token_bytes,
        preamble=question.preamble,
        password_of=lambda _: _password(question),
        report=report,
    )
    for item in question.items:
        driver.check_item(item)
        if question.window is not None:
            driver.check_window(item, question.window)
    timeout_ms = question.timeout_ms or profile.timing.reply_timeout_ms
    timing = Timing(
        reply_timeout_s=timeout_ms / 1000,
        octet_gap_s=profile.timing.octet_gap_ms / 1000,
        turnaround_s=profile.timing.turnaround_ms / 1000 if isinstance(url, SerialUrl) else 0.0,
        character_s=url.character_s if isinstance(url, SerialUrl) else 0.0,
        answer_octets_max=answer_octets_max(profile),
    )
    line = Line(str(url), opener=lambda: open_line(url), timing=timing, rng=random.Random(), trace=ring)  # noqa: S311
    answers: list[MeterAnswer] = []
    failure: MeterlinkError | None = None
    async with asyncio.TaskGroup() as group:
        owner = group.create_task(line.run(), name="bus[read].owner")
        try:
            for item in question.items:
                answers.append(await _try(question, driver, line, address, item, timeout_ms=timeout_ms))
        except MeterlinkError as error:  # inside the group, which would wrap it
            failure = error
        owner.cancel()
    if failure is not None:
        raise failure
    return answers


def _profile(question: Question) -> Profile:
    """The profile of the meter that is asked.

    Raises:
        ConfigError: no such protocol or profile, or one that is wrong.

    """
    known = MeterProfiles(question.profiles)
    if not question.profile and meter_protocol(question.protocol) is None:
        raise ConfigError(
            f"protocol {question.protocol!r}: write one of {', '.join(PROTOCOLS)}",
            f"规约 {question.protocol!r}:请写以下之一:{'、'.join(PROTOCOLS)}",
        )
    found = (
        known.chosen(question.profile) if question.profile else known.find(question.protocol, question.model)
    )
    if question.password_file is None:
        return found
    if found.protocol != "dlt698.45":
        raise ConfigError(
            f"--password-file: {found.protocol} reads without a password; leave it out",
            f"--password-file:{found.protocol} 抄读不用密码,请去掉该选项",
        )
    return replace(found, association=replace(found.association, connect="password"))


def _password(question: Question) -> str:
    """What the password file holds.

    Raises:
        ConfigError: it cannot be read, or nobody named one.

    """
    if question.password_file is None:
        raise ConfigError(
            "the profile wants a password: name the file that holds it with --password-file",
            "规约档案需要密码:请用 --password-file 指定存放密码的文件",
        )
    return SecretRef(f"file:{question.password_file}").reveal()


async def _try(
    question: Question, driver: Driver, line: Line, address: str, item: str, *, timeout_ms: int
) -> MeterAnswer:
    ask = partial(driver.read, line, address, item, window=question.window, priority=Priority.ON_DEMAND)
    for _ in range(question.tries - 1):
        try:
            return await ask()
        except ReplyTimeout:
            await asyncio.sleep(_TRY_PAUSE_S)
    try:
        return await ask()
    except ReplyTimeout:
        tries = f"{question.tries} tries of {timeout_ms} ms"
        raise ReplyTimeout(f"no answer from {address} on {line.name} ({tries})") from None


def _show(
    question: Question, rows: list[Row], failure: MeterlinkError | None, ring: TraceRing | None
) -> None:
    if rows:
        show_rows(f"meter 电能表 {question.address.zfill(12)}  {question.line}", rows)
    if ring is not None:
        show_trace(ring)
    if failure is not None:
        show_failure(type(failure).__name__, failure.said(spoken()))


def _show_asides(summaries: Iterable[str]) -> None:
    """What a meter told besides; on the error stream, so that the answer stays what was asked for."""
    console = stderr()
    for summary in summaries:
        console.print(
            f"note: the meter told, too: {printable(summary)}; `meterlink run` keeps it "
            "（电表随应答上报，meterlink run 会保存）",
            markup=False,
        )


def _show_json(
    question: Question, rows: list[Row], failure: MeterlinkError | None, ring: TraceRing | None
) -> None:
    document: dict[str, Any] = {
        "line": question.line,
        "protocol": question.protocol,
        **{key: getattr(question, key) for key in ("model", "profile") if getattr(question, key)},
        "address": question.address.zfill(12),
        "values": [row.as_json() for row in rows],
        "error": None if failure is None else _error_json(failure),
    }
    if ring is not None:
        document["trace"] = [
            {"at": time_out(entry.at), "direction": entry.direction, "octets": entry.hexadecimal()}
            for entry in ring
        ]
    say(json.dumps(document, ensure_ascii=False, indent=2))


def _error_json(error: MeterlinkError) -> dict[str, Any]:
    row: dict[str, Any] = {"kind": type(error).__name__, "message": str(error)}
    if isinstance(error, Refused):
        row["error_word"] = error.error_word.hex().upper()
    return row
