"""``metersim replay``: a line that answers as recorded meters did."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Annotated

import typer

from meterprofiles.schema import PROTOCOLS
from metersim.api.masking import masked
from metersim.cli.common import WRONG, endpoints, failed, stopping
from metersim.plant.capture import CaptureError, read_capture
from metersim.plant.replay import Replay, Summary
from metersim.serving.pty import open_pty
from metersim.serving.tcp import open_tcp

SHOWN_MAX = 20
"""Requests of the summary that are written out."""

Capture = Annotated[
    Path,
    typer.Argument(
        metavar="CAPTURE.jsonl",
        help="What `metersim run --capture` writes, or a document of `meterlink read --json --trace`.",
    ),
]
Tcp = Annotated[str, typer.Option(metavar="HOST:PORT", help="Serve there; port 0 takes a free one.")]
Pty = Annotated[bool, typer.Option("--pty", help="Serve on a pseudo-terminal instead.")]
Link = Annotated[Path | None, typer.Option(metavar="PATH", help="With --pty: make a symbolic link to it.")]
Strict = Annotated[
    bool,
    typer.Option("--strict", help="Silent to what was not recorded octet by octet."),
]
AsJson = Annotated[bool, typer.Option("--json", help="The summary as one JSON line on standard output.")]


def replay(
    capture: Capture,
    tcp: Tcp = "127.0.0.1:0",
    pty: Pty = False,
    link: Link = None,
    strict: Strict = False,
    as_json: AsJson = False,
) -> None:
    """Answer as recorded meters did, until Ctrl-C or SIGTERM.

    A request that was recorded gets what came back then, in the same pieces and after the same delays; asked
    again, it gets its next answer, and the last one from then on. A request that was not recorded gets the
    answer to the same question to the same meter, where there is one. At the end a summary says what was
    never asked.

    \b
    Each line of a capture:
      {"at": "2026-10-01T00:00:00.120+00:00", "direction": "out", "octets": "68610100..."}
    with out: to the meters, in: from the meters, and "line" where there are several.

    \b
    Examples:
      metersim run plant.yaml --capture capture.jsonl
      metersim replay capture.jsonl --tcp 127.0.0.1:6450
      metersim replay capture.jsonl --pty --link /tmp/ttyMETER --strict

    \b
    Exit codes: 0 ended by a signal; 1 it cannot serve there; 2 wrong arguments or capture.
    """
    try:
        if link and not pty:
            raise ValueError("--link goes with --pty")
        host, port = endpoints("--tcp", tcp)
        line = Replay(read_capture(capture), strict=strict)
    except CaptureError as error:
        failed(error, WRONG)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    try:
        asyncio.run(_serve(open_pty(line, link) if pty else open_tcp(line, host, port)))
    except OSError as error:
        failed(error)
    if as_json:
        typer.echo(json.dumps(_document(line.summary), separators=(",", ":")))
    else:
        _tell(line.summary)


async def _serve(place: AbstractAsyncContextManager[str]) -> None:
    stop = stopping()
    async with place as url:
        typer.echo(json.dumps({"ready": True, "url": url}, separators=(",", ":")))
        await stop.wait()


def _document(summary: Summary) -> dict[str, object]:
    return {
        "requests": summary.requests,
        "asked": summary.asked,
        "unknown": summary.unknown,
        "unknown_requests": [masked(octets, PROTOCOLS) for octets in summary.unknown_requests],
        "never_asked": [masked(octets, PROTOCOLS) for octets in summary.never_asked],
    }


def _tell(summary: Summary) -> None:
    typer.echo(
        f"metersim: {summary.asked} requests answered as recorded, {summary.unknown} were not recorded; "
        f"{len(summary.never_asked)} of {summary.requests} recorded ones were never asked",
        err=True,
    )
    for what, requests in (
        ("not recorded", summary.unknown_requests),
        ("never asked", summary.never_asked),
    ):
        for octets in requests[:SHOWN_MAX]:
            typer.echo(f"  {what}: {masked(octets, PROTOCOLS)}", err=True)
        if len(requests) > SHOWN_MAX:
            typer.echo(f"  {what}: and {len(requests) - SHOWN_MAX} more", err=True)
