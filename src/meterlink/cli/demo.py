"""``meterlink demo``: its options. What it does stands in ``demonstration``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def demo(
    once: Annotated[
        bool,
        typer.Option("--once", help="End with 0 when every meter has come through, else with 1."),
    ] = False,
    meters: Annotated[int, typer.Option(min=1, max=100, help="Simulated meters.")] = 8,
    seed: Annotated[int, typer.Option(help="Seed of the plant: the same seed, the same meters.")] = 1,
    folder: Annotated[
        Path, typer.Option("--dir", help="Where everything is written; made anew at each start.")
    ] = Path("demo-data"),
) -> None:
    """Start a simulated plant and the daemon, and watch readings arrive. 演示。

    Nothing needs to be installed or configured: the embedded broker and line-protocol files serve.

    \b
    Examples:
      meterlink demo             # a live table until Ctrl-C
      meterlink demo --once      # a check: ends when every simulated meter has been read right
    """
    from meterlink.cli.demonstration.play import play
    from meterlink.cli.logs import set_up_logs

    set_up_logs("error", "console")

    raise typer.Exit(play(folder, meters=meters, seed=seed, once=once))
