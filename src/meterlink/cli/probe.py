"""``meterlink probe``: its options. What it does stands in ``probe_line``."""

from __future__ import annotations

from typing import Annotated

import typer

from meterlink.cli.options import AsJson


def probe(
    line: Annotated[str, typer.Option(help="tcp://HOST:PORT or serial:///dev/ttyUSB0.", show_default=False)],
    address: Annotated[
        str, typer.Option(help="12 digits, where several meters share the line.", show_default=False)
    ] = "",
    timeout_ms: Annotated[int, typer.Option(min=50, max=120_000, help="Wait for the first octet.")] = 1000,
    as_json: AsJson = False,
) -> None:
    """Find out by asking how a meter talks: protocol, address, on serial lines rate and parity. 探测电表。

    Without --address the line must have one meter: it is asked for its address. On a serial line every
    rate is tried with even parity and with none, the one in the URL first. Nothing but reads is sent.

    \b
    Examples:
      meterlink probe --line serial:///dev/ttyUSB0
      meterlink probe --line tcp://192.0.2.10:4001 --json
      meterlink probe --line tcp://192.0.2.10:4001 --address 000000000161 --timeout-ms 3000

    \b
    Exit codes: 0 found; 2 wrong arguments; 3 nobody answered; 5 the line.
    """
    from meterlink.cli.logs import set_up_logs
    from meterlink.cli.probe_line import Search, search_and_show

    set_up_logs("error", "console")
    search = Search(line=line, address=address, timeout_ms=timeout_ms)
    raise typer.Exit(search_and_show(search, as_json=as_json))
