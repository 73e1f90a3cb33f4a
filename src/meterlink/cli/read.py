"""``meterlink read``: its options. What it does stands in ``read_asked`` and, for a line, ``read_once``."""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from meterlink.cli.completion import items_like, meters_like
from meterlink.cli.options import FIRST_CONFIG, AsJson, Config
from meterlink.cli.usage import Wrong

_LINE_HELP = "Open this line and read without the daemon: tcp://HOST:PORT or serial:///dev/ttyUSB0?baud=2400&parity=even"
_ITEM_HELP = "What to read; may be given several times. `meterlink items` lists all."
_ONLY_WITH_LINE: Final = (
    "address",
    "protocol",
    "model",
    "profile",
    "profiles",
    "password_file",
    "timeout_ms",
    "preamble",
    "trace",
)
_ONLY_WITHOUT_LINE: Final = ("config", "timeout")

Meter = Annotated[
    str,
    typer.Argument(
        help="Which meter the daemon shall read: our id, or a meter number or address that no other has.",
        show_default=False,
        autocompletion=meters_like,
    ),
]
Wanted = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="ITEM...", help="What to read of it.", show_default=False, autocompletion=items_like
    ),
]
Line = Annotated[str, typer.Option(help=_LINE_HELP, show_default=False)]
Address = Annotated[str, typer.Option(help="With --line: 12 digits as on the nameplate.", show_default=False)]
Items = Annotated[
    list[str] | None, typer.Option(help=_ITEM_HELP, show_default=False, autocompletion=items_like)
]
Protocol = Annotated[
    str,
    typer.Option(help="With --line: how the meter talks: dlt645-2007, dlt645-1997, dlt698.45."),
]
Model = Annotated[str, typer.Option(help="With --line: as on its nameplate: the profile that serves it.")]
ProfileName = Annotated[
    str,
    typer.Option(
        help="With --line: a profile by its name, or its .yaml file; in place of protocol and model."
    ),
]
ProfileFolder = Annotated[
    Path | None, typer.Option(help="With --line: folder of your own profiles.", show_default=False)
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(help="With --line, dlt698.45: CONNECT with the password in this file.", show_default=False),
]
TimeoutMs = Annotated[
    int | None,
    typer.Option(min=50, max=120_000, help="With --line: wait for the first octet. Default: the profile's."),
]
Tries = Annotated[
    int, typer.Option(min=1, max=10, help="How often to ask a silent meter; the daemon: 3 at most.")
]
Preamble = Annotated[
    int | None,
    typer.Option(
        min=0, max=16, help="With --line: FEH octets before the request. Default: the profile's (4)."
    ),
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
Trace = Annotated[bool, typer.Option("--trace", help="With --line: show the octets both ways.")]
Timeout = Annotated[
    int,
    typer.Option(min=1, max=600, help="Without --line: seconds for all of it, with waiting for the line."),
]


def read(
    context: typer.Context,
    meter: Meter = "",
    wanted: Wanted = None,
    line: Line = "",
    address: Address = "",
    item: Items = None,
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
    timeout: Timeout = 60,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    trace: Trace = False,
) -> None:
    """Ask one meter now: the values, their units, the time of the answer. 召测一块表。

    The running daemon reads METER, before everything that its plans read.
    Each ITEM has its own result; one that the meter refuses costs the others nothing.
    Ctrl-C takes the request back.
    What is read so is shown and not kept.
    With `--line` the command owns the line while it reads, and knows no roster; refused while the daemon has
    the line.

    \b
    Examples:
      meterlink read m000000000161 forward_active_energy "voltage.*"
      meterlink read 000000000161 "voltage.a@curve" --from "2026-11-22 08:00" --count 8 --json
      meterlink read --line tcp://127.0.0.1:5000 --address 000000000161 --item forward_active_energy
      meterlink read --line "serial:///dev/ttyUSB0?baud=2400&parity=even" --address 000000000161 \\
          --item "voltage.*" --item "forward_active_energy.*" --trace
      meterlink read --line tcp://127.0.0.1:5000 --address 161 --item frequency --profile my-meter.yaml
      meterlink read --line tcp://127.0.0.1:5000 --address 161 --item "load_records@class.1/load_which.2" \\
          --count 3
      meterlink read --line tcp://127.0.0.1:5000 --protocol dlt698.45 --address 161 \\
          --item "forward_active_energy.*@daily_freeze/last.1"

    \b
    Exit codes, of several items that failed that of the first: 0 read; 2 wrong arguments, no such meter;
    3 no answer in time; 4 the meter refused; 5 the line; 6 no value; 8 you may not; 10 no daemon.
    """
    items = (*(wanted or ()), *(item or ()))
    if line:
        raise typer.Exit(_read_line(context, meter, items, as_json=as_json, trace=trace))
    _refuse_given(
        context,
        _ONLY_WITH_LINE,
        (
            "goes with --line; without it the daemon knows the METER",
            "须与 --line 同用;不用 --line 时由守护进程按档案抄读",
        ),
    )
    if not meter or not items:
        raise Wrong(
            "name a METER and its ITEMs for the daemon, or open a line with --line, --address and --item",
            "请给出 METER 和 ITEM 由守护进程抄读,或用 --line、--address、--item 自行打开线路",
        )
    from meterlink.cli.read_asked import Asked, ask_daemon

    asked = Asked(meter=meter, items=items, count=count, since=since, tries=tries, timeout_s=timeout)
    raise typer.Exit(ask_daemon(asked, config, as_json=as_json))


def _read_line(
    context: typer.Context, meter: str, items: tuple[str, ...], *, as_json: bool, trace: bool
) -> int:
    """Read without the daemon, as the options say that ``Question`` has too; the exit code."""
    given = context.params
    _refuse_given(
        context,
        _ONLY_WITHOUT_LINE,
        ("is of the daemon, and --line reads without it", "由守护进程使用,--line 不经过守护进程"),
    )
    if meter:
        raise Wrong(
            "--line knows no roster: name the meter with --address, not as METER",
            "--line 不使用档案:请用 --address 给出表地址",
        )
    if not given["address"] or not items:
        raise Wrong("--line needs --address and --item", "--line 需要 --address 和 --item")
    from meterlink.cli.logs import set_up_logs
    from meterlink.cli.read_once import Question, ask_and_show

    set_up_logs("error", "console")
    options = {field.name: given[field.name] for field in fields(Question) if field.name in given}
    return ask_and_show(Question(items=items, **options), as_json=as_json, trace=trace)


def _refuse_given(context: typer.Context, names: tuple[str, ...], why: tuple[str, str]) -> None:
    """Refuse options that the way of reading has no use for: they would seem to hold."""
    for name in names:
        source = context.get_parameter_source(name)
        if source is not None and source.name == "COMMANDLINE":
            option = f"--{name.replace('_', '-')}"
            raise Wrong(f"{option} {why[0]}", f"{option} {why[1]}")
