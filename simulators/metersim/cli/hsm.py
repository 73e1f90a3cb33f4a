"""``metersim hsm``: the security provider of a laboratory, as a process."""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
from pathlib import Path
from typing import Annotated

import typer

from metersim.cli.common import endpoints, failed, stopping
from metersim.security.hsm import Hsm
from metersim.security.keys import LAB_ROOT, read_root
from metersim.security.process import HsmService, serve_pipes
from metersim.security.provider import LabProvider
from metersim.security.sm4 import SecurityUnavailable
from metersim.serving.tcp import open_tcp


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
        place = endpoints("--listen", listen) if listen else None
    except (ValueError, OSError) as error:
        raise typer.BadParameter(str(error)) from None
    except SecurityUnavailable as error:
        failed(error)
    try:
        if place is None:
            serve_pipes(offered, sys.stdin.fileno(), sys.stdout.fileno())
        else:
            asyncio.run(_listen(offered, *place))
    except OSError as error:
        failed(error)


def _tell(line: str) -> None:
    typer.echo(f"metersim hsm: {line}", err=True)


async def _listen(offered: Hsm, host: str, port: int) -> None:
    stop = stopping()
    async with open_tcp(HsmService(offered), host, port) as url:
        typer.echo(json.dumps({"ready": True, "url": url}, separators=(",", ":")))
        await stop.wait()
