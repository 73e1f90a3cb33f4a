"""``metersim run``: a plant as a process, until a signal ends it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Annotated

import typer

from meterprofiles import ProfileError, chosen, packaged
from meterprofiles.schema import DLT698
from metersim.cli import table
from metersim.cli.api import Anywhere, Api, ApiPlace, ServedAt, api_place, both, bound, opened
from metersim.cli.common import endpoints, failed, stopping
from metersim.dlt645.following import PIECE_OCTETS_MAX
from metersim.dlt698.terminal import HEARTBEAT_S
from metersim.line.answers import AnswerFile
from metersim.line.numbers import number_of
from metersim.plant.at import At
from metersim.plant.built import BuiltPlant
from metersim.plant.capture import CaptureFile
from metersim.plant.checked import PlantError
from metersim.plant.clocks import PlantClock
from metersim.plant.figures import PROTOCOLS, Figures
from metersim.plant.happening_runner import HappeningReport
from metersim.plant.opening import open_plant
from metersim.plant.plant import Plant, load_plant
from metersim.serving.served import SystemClock

ANY_LOOPBACK_PORT = "127.0.0.1:0"

PlantFile = Annotated[
    Path | None,
    typer.Argument(
        metavar="PLANT.yaml",
        help="What stands where (`metersim new` writes one). Without it the options say it.",
    ),
]
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
    typer.Option(
        metavar="FILE",
        help="Append every answer given to FILE, one JSON line each. All its octets are in it, also random "
        "numbers and MACs of authentications; a new file is readable for its owner only.",
    ),
]
Capture = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Append all octets that pass to FILE, one JSON line each; see metersim replay. Passwords are in "
        "it in clear; a new file is readable for its owner only.",
    ),
]
NoTable = Annotated[
    bool, typer.Option("--no-table", help="No live table, also when standard error is a terminal.")
]
GrowthKw = Annotated[
    str,
    typer.Option(
        metavar="KW", help="Mean power that each meter counts, 0 to 10000 kW; it shows 79.9999 at most."
    ),
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

_BESIDE_A_FILE = frozenset({"plant_file", "answers", "capture", "no_table", "api", "api_anywhere"})


def run(
    context: typer.Context,
    plant_file: PlantFile = None,
    meters: Meters = 1,
    lines: Lines = 1,
    seed: Seed = 1,
    tcp: Tcp = None,
    pty: Pty = False,
    link: Link = None,
    answers: Answers = None,
    capture: Capture = None,
    no_table: NoTable = False,
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
    api: Api = None,
    api_anywhere: Anywhere = False,
) -> None:
    """Serve simulated meters until Ctrl-C or SIGTERM.

    A plant file says what stands where (``metersim new`` writes one); without one, the options do.
    When the lines are open, one JSON line on standard output says where they are and which meters they
    have; everything else goes to standard error.

    \b
    Examples:
      metersim run plant.yaml --no-table --capture capture.jsonl
      metersim run plant.yaml --api 127.0.0.1:0
      metersim run --meters 8 --tcp 127.0.0.1:6450 --answers answers.jsonl
      metersim run --meters 3 --garbage 1 --td-ms 0 --growth-kw 7200
      metersim run --pty --link /tmp/ttyMETER --first-address 161
      metersim run --profile my-meter.yaml --meters 3
      metersim run --protocol dlt698.45 --meters 3 --tcp 127.0.0.1:6980
      metersim run --protocol dlt698.45 --lines 2 --dial 127.0.0.1:9698 --heartbeat-s 30

    \b
    Exit codes: 0 ended by a signal; 1 a line or a file cannot be opened; 2 wrong arguments or plant file.
    """
    with _told_as_wrong():
        if plant_file is not None:
            _refuse_figures(context)
            plant = load_plant(plant_file)
        else:
            way = _Way(tcp=tcp, pty=pty, link=link, dial=dial, login=login)
            figures = Figures(
                lines=lines,
                meters=meters,
                seed=seed,
                growth_kw=_growth_kw(growth_kw),
                first_address=first_address,
                reply_delay_ms=td_ms,
                garbage=garbage,
                protocol=protocol,
                piece_octets=piece_octets,
                profile=chosen(profile, packaged()) if profile else None,
                first_block=first_block,
            )
            plant = figures.plant(way.places(figures), login=login, heartbeat_s=heartbeat_s)
        place = api_place(plant.api if api is None else api, anywhere=api_anywhere)
    _run(plant, place, answers=answers, capture=capture, with_table=table.is_wanted() and not no_table)


@contextmanager
def _told_as_wrong() -> Iterator[None]:
    """What is wrong with arguments or a plant file ends the program with exit code 2."""
    try:
        yield
    except PlantError as error:
        failed(error, 2)
    except (ValueError, ProfileError) as error:
        raise typer.BadParameter(str(error)) from None


def _run(
    plant: Plant,
    place: ApiPlace | None,
    *,
    answers: Path | None,
    capture: Path | None,
    with_table: bool,
) -> None:
    """Serve a plant; what cannot be opened ends the program."""
    try:
        with ExitStack() as stack:
            record = stack.enter_context(AnswerFile(answers)) if answers else None
            tap = stack.enter_context(CaptureFile(capture, SystemClock())) if capture else None
            clock = PlantClock(wall=SystemClock(), start=plant.start, speed=plant.time)
            served = stack.enter_context(bound(place, plant, clock))
            built = BuiltPlant(
                plant,
                clock=clock,
                record=both(record, served.exchanges.answered if served else None),
                capture=both(tap, served.exchanges if served else None),
            )
            asyncio.run(_serve(built, served, with_table=with_table))
    except OSError as error:
        failed(error)


def _refuse_figures(context: typer.Context) -> None:
    """Refuse options of the plant beside a plant file.

    Raises:
        ValueError: there is one.

    """
    for name in context.params:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE" and name not in _BESIDE_A_FILE:
            raise ValueError(f"--{name.replace('_', '-')}: the plant file says it; change it there")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Way:
    """How lines are reached, as the options say."""

    tcp: str | None
    pty: bool
    link: Path | None
    dial: str | None
    login: bool

    def places(self, figures: Figures) -> tuple[At, ...]:
        """Where each line is to be opened.

        Raises:
            ValueError: the options contradict each other, or one is no endpoint.

        """
        if sum([self.pty, self.tcp is not None, self.dial is not None]) > 1:
            raise ValueError("choose one of --tcp, --pty and --dial")
        if self.link and not self.pty:
            raise ValueError("--link goes with --pty")
        if (self.login or self.dial) and figures.model.protocol != DLT698:
            raise ValueError(f"--dial and --login go with --protocol {DLT698}")
        if self.login and (self.pty or self.dial):
            raise ValueError("--login goes with --tcp")
        numbers = range(figures.lines)
        if self.pty:
            return tuple(
                At(kind="pty", link=_numbered(self.link, number, len(numbers))) for number in numbers
            )
        if self.dial:
            host, port = endpoints("--dial", self.dial)
            return tuple(At(kind="dial", host=host, port=port) for _ in numbers)
        host, port = endpoints("--tcp", self.tcp or ANY_LOOPBACK_PORT, len(numbers))
        return tuple(At(host=host, port=port + number if port else 0) for number in numbers)


async def _serve(built: BuiltPlant, served: ServedAt | None, *, with_table: bool) -> None:
    """Open every line and the API, say so, and wait for a signal."""
    stop = stopping()
    if not with_table:  # which tells it itself
        built.happenings.when_failed(_tell_failed)
    async with (
        open_plant(built) as urls,
        opened(served, built, urls) as api,
        asyncio.TaskGroup() as group,
    ):
        happening = group.create_task(built.run(), name="plant.happenings")
        typer.echo(_ready_line(built, urls, api))
        if with_table:
            await table.show(built, urls, stop)
        else:
            typer.echo(f"metersim: {len(built.meters)} meters; Ctrl-C ends", err=True)
            await stop.wait()
        happening.cancel()


def _tell_failed(report: HappeningReport) -> None:
    typer.echo(f"metersim: {report.name} cannot happen: {report.last_error}", err=True)


def _ready_line(built: BuiltPlant, urls: dict[str, str], api: str | None) -> str:
    """Everything a program has to know to use the plant, on one line."""
    through: dict[str, dict[str, object]] = {
        row.line.name: {"concentrator": row.address} for row in built.plant.concentrators
    }
    through |= {name: {"carrier": True} for name, line in built.lines.items() if line.carrier is not None}
    through |= {row.line.name: {"terminal": row.address} for row in built.plant.terminals}
    lines = [
        {
            "name": name,
            "url": url,
            **through.get(name, {}),
            "meters": list(built.lines[name].meters),
            "garbage": built.garbage(name),
        }
        for name, url in urls.items()
    ]
    ready = {"ready": True, "plant": built.plant.plant, "seed": built.plant.seed, "lines": lines}
    if api is not None:
        ready["api"] = api
    return json.dumps(ready, separators=(",", ":"))


def _growth_kw(text: str) -> Decimal:
    try:
        return number_of(text)
    except ValueError:
        raise ValueError(f"--growth-kw {text}: write a number of kW, as 0.5") from None


def _numbered(link: Path | None, number: int, lines: int) -> Path | None:
    return link.with_name(f"{link.name}{number}") if link and lines > 1 else link
