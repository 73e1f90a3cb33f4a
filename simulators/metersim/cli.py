"""The ``metersim`` command."""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, ExitStack
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from meterprofiles import ProfileError, chosen, packaged
from metersim.dlt645.following import PIECE_OCTETS_MAX
from metersim.dlt698 import Limits
from metersim.dlt698.terminal import HEARTBEAT_S, Habits, Terminal, open_dialling
from metersim.line.answers import AnswerFile
from metersim.line.line import Line
from metersim.plant.plant import DLT698, PROTOCOLS, Plant
from metersim.security.hsm import Hsm
from metersim.security.keys import LAB_ROOT, read_root
from metersim.security.process import HsmService, serve_pipes
from metersim.security.provider import LabProvider
from metersim.security.sm4 import SecurityUnavailable
from metersim.serving.serve import SystemClock, open_pty, open_tcp

ANY_LOOPBACK_PORT = "127.0.0.1:0"
PORT_MAX = 65_535

Place = Callable[[Line, int], AbstractAsyncContextManager[str]]
"""Opens the line of that number; gives its URL."""

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    help="A plant of electricity meters without hardware.",
)


def main() -> None:
    """Run the command line."""
    app(prog_name="metersim")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"metersim {version('meterlink')}")
        raise typer.Exit


@app.callback()
def _metersim(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    pass


Meters = Annotated[int, typer.Option(help="Meters on each line.")]
Lines = Annotated[int, typer.Option(help="Lines.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same meters and faults.")]
Tcp = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help=f"Serve over TCP; port 0 takes a free one. The default is {ANY_LOOPBACK_PORT}. "
        "With several lines the next line gets the next port.",
    ),
]
Pty = Annotated[bool, typer.Option("--pty", help="Serve on pseudo-terminals instead.")]
Link = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH", help="With --pty: make a symbolic link to it. With several lines PATH0, PATH1, ..."
    ),
]
Answers = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Append every answer given to FILE, one JSON line each."),
]
GrowthKw = Annotated[
    str, typer.Option(metavar="KW", help="Mean power that each meter counts, 0 to 10000 kW.")
]
FirstAddress = Annotated[int, typer.Option(help="Address of the first meter; the others follow.")]
TdMs = Annotated[
    int | None,
    typer.Option(help="Response delay Td of each meter in milliseconds. Default: the profile's (20)."),
]
Protocol = Annotated[str, typer.Option(help=f"What the meters speak: {', '.join(PROTOCOLS)}.")]
ProfileName = Annotated[
    str,
    typer.Option(
        "--profile",
        metavar="NAME|FILE",
        help="Which model the meters are: a profile by its name, or its .yaml file. In place of --protocol.",
    ),
]
PieceOctets = Annotated[
    int, typer.Option(help="Most data octets in a frame, 1 to 195; longer answers come in pieces.")
]
Dial = Annotated[
    str | None,
    typer.Option(
        metavar="HOST:PORT",
        help="Dial a master in place of being dialled; the first meter of each line logs in (dlt698.45).",
    ),
]
Login = Annotated[
    bool, typer.Option("--login", help="Begin each TCP connection with a LINK login (dlt698.45).")
]
FirstBlock = Annotated[
    int, typer.Option(help="Number of the first block of an answer (dlt698.45): 1, or 0 as in some firmware.")
]
HeartbeatS = Annotated[int, typer.Option(help="Seconds between heartbeats of what logged in, 1 to 65535.")]
Garbage = Annotated[
    int, typer.Option(help="The last N meters of each line give silence, rubbish, late or foreign answers.")
]


@app.command()
def run(
    meters: Meters = 1,
    lines: Lines = 1,
    seed: Seed = 1,
    tcp: Tcp = None,
    pty: Pty = False,
    link: Link = None,
    answers: Answers = None,
    growth_kw: GrowthKw = "0.5",
    first_address: FirstAddress = 1,
    td_ms: TdMs = None,
    garbage: Garbage = 0,
    protocol: Protocol = "dlt645-2007",
    piece_octets: PieceOctets = PIECE_OCTETS_MAX,
    profile: ProfileName = "",
    dial: Dial = None,
    login: Login = False,
    heartbeat_s: HeartbeatS = HEARTBEAT_S,
    first_block: FirstBlock = 1,
) -> None:
    """Serve simulated meters until Ctrl-C or SIGTERM.

    When the lines are open, one JSON line on standard output says where they are and which meters they
    have; everything else goes to standard error.

    \b
    Examples:
      metersim run --meters 8
      metersim run --meters 8 --tcp 127.0.0.1:6450 --answers answers.jsonl
      metersim run --meters 3 --garbage 1 --td-ms 0 --growth-kw 7200
      metersim run --pty --link /tmp/ttyMETER --first-address 161
      metersim run --profile my-meter.yaml --meters 3
      metersim run --protocol dlt698.45 --meters 3 --tcp 127.0.0.1:6980
      metersim run --protocol dlt698.45 --lines 2 --dial 127.0.0.1:9698 --heartbeat-s 30

    \b
    Exit codes: 0 ended by a signal; 1 a line or the file cannot be opened; 2 wrong arguments.
    """
    try:
        plant = Plant(
            lines=lines,
            meters=meters,
            seed=seed,
            growth_kw=_decimal(growth_kw),
            first_address=first_address,
            reply_delay_ms=td_ms,
            garbage=garbage,
            protocol=protocol,
            piece_octets=piece_octets,
            profile=chosen(profile, packaged()) if profile else None,
            limits=Limits(first_block=first_block),
        )
        way = _Way(tcp=tcp, pty=pty, link=link, dial=dial, login=login, heartbeat_s=heartbeat_s)
        place = way.place(plant)
    except (ValueError, ProfileError) as error:
        raise typer.BadParameter(str(error)) from None
    try:
        with ExitStack() as stack:
            record = stack.enter_context(AnswerFile(answers)) if answers else None
            built = plant.build(clock=SystemClock(), record=record)
            asyncio.run(_serve(plant, [place(line, number) for number, line in enumerate(built)]))
    except OSError as error:
        typer.echo(f"metersim: {error}", err=True)
        raise typer.Exit(1) from None


@app.command()
def hsm(
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            help="Take connections there in place of standard input; port 0 takes a free one.",
        ),
    ] = None,
    root_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Root key: 32 hexadecimal digits. Default: the suite's published one."
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="Random numbers that come again, for tests. Default: of the operating system."),
    ] = None,
    verbose: Annotated[
        bool,
        typer.Option("--verbose", help="A line on standard error for each request: operation, outcome."),
    ] = False,
) -> None:
    """Be the security provider of a laboratory: the LAB-SM4 suite in the ``external`` protocol.

    One JSON object a line comes in, one goes out; docs/security-providers.md describes them. It makes
    proofs for simulated meters only: its keys are published, and it says ``lab`` in ``health``.

    \b
    Examples:
      echo '{"id": 1, "op": "health"}' | metersim hsm
      metersim hsm --listen 127.0.0.1:9645

    \b
    Exit codes: 0 its input ended, or a signal; 1 it cannot listen, or there is no SM4; 2 wrong arguments.
    """
    try:
        randomness = os.urandom if seed is None else random.Random(seed).randbytes  # noqa: S311 - asked for
        root = read_root(root_file) if root_file else LAB_ROOT
        offered = Hsm(LabProvider(randomness, root=root), told=_tell if verbose else None)
        place = _endpoint("--listen", listen) if listen else None
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    except SecurityUnavailable as error:
        typer.echo(f"metersim: {error}", err=True)
        raise typer.Exit(1) from None
    try:
        if place is None:
            serve_pipes(offered, sys.stdin.fileno(), sys.stdout.fileno())
        else:
            asyncio.run(_listen(offered, *place))
    except OSError as error:
        typer.echo(f"metersim: {error}", err=True)
        raise typer.Exit(1) from None


def _tell(line: str) -> None:
    typer.echo(f"metersim hsm: {line}", err=True)


async def _listen(offered: Hsm, host: str, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with open_tcp(HsmService(offered), host, port) as url:
        typer.echo(json.dumps({"ready": True, "url": url}, separators=(",", ":")))
        await stop.wait()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How lines are reached, as the options say."""

    tcp: str | None
    pty: bool
    link: Path | None
    dial: str | None
    login: bool
    heartbeat_s: int

    def place(self, plant: Plant) -> Place:
        """How each line is to be opened.

        Raises:
            ValueError: the options contradict each other, or one is no endpoint.

        """
        if sum([self.pty, self.tcp is not None, self.dial is not None]) > 1:
            raise ValueError("choose one of --tcp, --pty and --dial")
        if self.link and not self.pty:
            raise ValueError("--link goes with --pty")
        if (self.login or self.dial) and plant.model.protocol != DLT698:
            raise ValueError(f"--dial and --login go with --protocol {DLT698}")
        if self.login and (self.pty or self.dial):
            raise ValueError("--login goes with --tcp")
        if self.pty:
            return lambda line, number: open_pty(line, _numbered(self.link, number, plant.lines), plant.port)
        habits = Habits(heartbeat_s=self.heartbeat_s)
        if self.dial:
            host, port = _endpoint("--dial", self.dial)
            return lambda line, _: open_dialling(_terminal(line, habits), host, port)
        host, port = _endpoint("--tcp", self.tcp or ANY_LOOPBACK_PORT, plant.lines)
        if self.login:
            return lambda line, number: open_tcp(_terminal(line, habits), host, port + number if port else 0)
        return lambda line, number: open_tcp(line, host, port + number if port else 0)


def _terminal(line: Line, habits: Habits) -> Terminal:
    return Terminal(line, clock=SystemClock(), habits=habits)


async def _serve(plant: Plant, opened: list[AbstractAsyncContextManager[str]]) -> None:
    """Open every line, say so, and wait for a signal."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    failure: OSError | None = None
    async with AsyncExitStack() as stack:
        try:
            urls = [await stack.enter_async_context(line) for line in opened]
        except OSError as error:
            failure = error  # raised below, where no line's task group wraps it
        else:
            typer.echo(_ready_line(plant, urls))
            typer.echo(f"metersim: {plant.meters * plant.lines} meters; Ctrl-C ends", err=True)
            await stop.wait()
    if failure:
        raise failure


def _ready_line(plant: Plant, urls: list[str]) -> str:
    lines = [
        {"url": url, "meters": plant.addresses(number), "garbage": plant.garbage_addresses(number)}
        for number, url in enumerate(urls)
    ]
    return json.dumps({"ready": True, "lines": lines}, separators=(",", ":"))


def _endpoint(option: str, text: str, lines: int = 1) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isascii() or not port.isdigit():
        raise ValueError(f"{option} {text}: write HOST:PORT, as 127.0.0.1:6450")
    if int(port) + lines - 1 > PORT_MAX:
        raise ValueError(f"{option} {text}: a port is at most {PORT_MAX}, and each line needs one")
    return host.strip("[]"), int(port)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"--growth-kw {text}: write a number of kW, as 0.5") from None
    if not number.is_finite():
        raise ValueError(f"--growth-kw {text}: write a number of kW, as 0.5")
    return number


def _numbered(link: Path | None, number: int, lines: int) -> Path | None:
    return link.with_name(f"{link.name}{number}") if link and lines > 1 else link
