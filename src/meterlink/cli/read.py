"""``meterlink read``: its options. What it does stands in ``read_once``."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from meterlink.cli.options import AsJson

_LINE_HELP = "tcp://HOST:PORT or serial:///dev/ttyUSB0?baud=2400&parity=even"
_ITEM_HELP = "What to read; may be given several times. `meterlink items` lists all."

Line = Annotated[str, typer.Option(help=_LINE_HELP, show_default=False)]
Address = Annotated[str, typer.Option(help="12 digits as on the nameplate.", show_default=False)]
Items = Annotated[list[str], typer.Option(help=_ITEM_HELP, show_default=False)]
Protocol = Annotated[str, typer.Option(help="How the meter talks: dlt645-2007, dlt645-1997, dlt698.45.")]
Model = Annotated[str, typer.Option(help="As on its nameplate: the profile that serves it.")]
ProfileName = Annotated[
    str, typer.Option(help="A profile by its name, or its .yaml file; in place of protocol and model.")
]
ProfileFolder = Annotated[Path | None, typer.Option(help="Folder of your own profiles.", show_default=False)]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="dlt698.45: CONNECT with the password in this file.", show_default=False),
]
TimeoutMs = Annotated[
    int | None,
    typer.Option(min=50, max=120_000, help="Wait for the first octet. Default: the profile's."),
]
Tries = Annotated[int, typer.Option(min=1, max=10, help="How often to ask a silent meter.")]
Preamble = Annotated[
    int | None,
    typer.Option(min=0, max=16, help="FEH octets before the request. Default: the profile's (4)."),
]
Count = Annotated[
    int,
    typer.Option(
        min=0,
        max=255,
        help="Load records, curves, freezes: how many; dlt645: 1 to 9, dlt698.45: 1 to 255.",
        show_default=False,
    ),
]
Since = Annotated[
    datetime | None,
    typer.Option(
        "--from",
        formats=["%Y-%m-%d %H:%M"],
        help="Load records, curves, freezes: from this time on, UTC+8.",
    ),
]
Trace = Annotated[bool, typer.Option("--trace", help="Show the octets both ways.")]


def read(
    line: Line,
    address: Address,
    item: Items,
    protocol: Protocol = "dlt645-2007",
    model: Model = "",
    profile: ProfileName = "",
    profiles: ProfileFolder = None,
    password_file: PasswordFile = None,
    timeout_ms: TimeoutMs = None,
    tries: Tries = 2,
    preamble: Preamble = None,
    count: Count = 0,
    since: Since = None,
    as_json: AsJson = False,
    trace: Trace = False,
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
