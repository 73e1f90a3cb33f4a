"""``meterlink read``: its options. What it does stands in ``read_once``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

_LINE_HELP = "tcp://HOST:PORT or serial:///dev/ttyUSB0?baud=2400&parity=even"
_ITEM_HELP = "What to read; may be given several times. `meterlink items` lists all."


def read(
    line: Annotated[str, typer.Option(help=_LINE_HELP, show_default=False)],
    address: Annotated[str, typer.Option(help="12 digits as on the nameplate.", show_default=False)],
    item: Annotated[list[str], typer.Option(help=_ITEM_HELP, show_default=False)],
    protocol: Annotated[
        str, typer.Option(help="How the meter talks: dlt645-2007, dlt645-1997, dlt698.45.")
    ] = "dlt645-2007",
    model: Annotated[str, typer.Option(help="As on its nameplate: the profile that serves it.")] = "",
    profile: Annotated[
        str, typer.Option(help="A profile by its name, or its .yaml file; in place of protocol and model.")
    ] = "",
    profiles: Annotated[
        Path | None, typer.Option(help="Folder of your own profiles.", show_default=False)
    ] = None,
    password_file: Annotated[
        Path | None,
        typer.Option(help="dlt698.45: CONNECT with the password in this file.", show_default=False),
    ] = None,
    timeout_ms: Annotated[
        int | None,
        typer.Option(min=50, max=120_000, help="Wait for the first octet. Default: the profile's."),
    ] = None,
    tries: Annotated[int, typer.Option(min=1, max=10, help="How often to ask a silent meter.")] = 2,
    preamble: Annotated[
        int | None,
        typer.Option(min=0, max=16, help="FEH octets before the request. Default: the profile's (4)."),
    ] = None,
    count: Annotated[
        int,
        typer.Option(
            min=0,
            max=255,
            help="Load records, curves, freezes: how many; dlt645: 1 to 9, dlt698.45: 1 to 255.",
            show_default=False,
        ),
    ] = 0,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--from",
            formats=["%Y-%m-%d %H:%M"],
            help="Load records, curves, freezes: from this time on, UTC+8.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
    trace: Annotated[bool, typer.Option("--trace", help="Show the octets both ways.")] = False,
) -> None:
    """Ask one meter once: the value, its unit, the time of the answer. 召测一块表。

    Owns the line while it reads; refused while the daemon has it.

    \b
    Examples:
      meterlink read --line tcp://127.0.0.1:5000 --address 000000000161 --item forward_active_energy
      meterlink read --line "serial:///dev/ttyUSB0?baud=2400&parity=even" --address 000000000161 \\
          --item "voltage.*" --item "forward_active_energy.*" --trace
      meterlink read --line tcp://127.0.0.1:5000 --address 161 --item frequency --profile my-meter.yaml
      meterlink read --line tcp://127.0.0.1:5000 --address 161 --item "load_records@class.1/load_which.2" \\
          --count 3
      meterlink read --line tcp://127.0.0.1:5000 --address 161 --item "voltage.a@curve" \\
          --from "2026-11-22 08:00" --count 8
      meterlink read --line tcp://127.0.0.1:5000 --protocol dlt698.45 --address 161 \\
          --item "forward_active_energy.*@daily_freeze/last.1"

    \b
    Exit codes: 0 read; 2 wrong arguments; 3 no answer; 4 the meter refused; 5 the line; 6 no value.
    """
    from meterlink.cli.logs import set_up_logs
    from meterlink.cli.read_once import Question, ask_and_show

    set_up_logs("error", "console")
    question = Question(
        line=line,
        address=address,
        items=tuple(item),
        protocol=protocol,
        model=model,
        profile=profile,
        profiles=profiles,
        timeout_ms=timeout_ms,
        tries=tries,
        preamble=preamble,
        password_file=password_file,
        count=count,
        since=since,
    )
    raise typer.Exit(ask_and_show(question, as_json=as_json, trace=trace))
