"""``meterlink qualify``: its options. The walk itself is in ``qualify_walk``, the probes in the daemon."""

from __future__ import annotations

from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language
from meterlink.cli.usage import Wrong


def qualify(
    meter: Annotated[str, typer.Argument(help="Our id of the meter at which you stand.")] = "",
    work_order: Annotated[
        str,
        typer.Option(help="Record probe_order, SENDER:ID; a meter of the laboratory needs none."),
    ] = "",
    yes: Annotated[
        bool,
        typer.Option(
            "--yes-i-stand-at-the-meter",
            help="You stand at the meter, its load may be switched, and no probe is asked about.",
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do nothing; list the probes.")] = False,
    listing: Annotated[bool, typer.Option("--list", help="List the models that are qualified.")] = False,
    show: Annotated[str, typer.Option(help="Show what is proven of a model.", show_default=False)] = "",
    leave: Annotated[bool, typer.Option("--leave", help="End what was begun at the meter.")] = False,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Find out at a meter what its model does, before orders may go to any of that model. 型号验证。

    A person stands at the meter, and its load may be switched. What is found is signed and kept; without it
    no switching order goes to a meter of that model and firmware. Where a walk has ended and left the
    contact open, the same command closes it, with your yes.

    \b
    Examples:
      meterlink qualify --dry-run
      meterlink qualify m7 --work-order desk:w12
      meterlink qualify bench1 --yes-i-stand-at-the-meter --json
      meterlink qualify --list
      meterlink qualify --show DDZY102

    \b
    Exit codes: 0 qualified, closed, or shown; 2 wrong arguments; 4 a contradiction: not qualified; 7 journal;
    8 a rule or your role forbids it, or something at the meter has to be done first; 10 no daemon.
    """
    from meterlink.cli.qualify_walk import Qualifying

    qualifying = Qualifying(config, as_json=as_json, lang=lang, is_confirmed=yes)
    if dry_run:
        raise typer.Exit(qualifying.planned())
    if listing or show:
        raise typer.Exit(qualifying.listed(show))
    if not meter:
        raise Wrong(
            "name the meter at which you stand, or give --list, --show or --dry-run",
            "请给出您所在现场的电表,或使用 --list、--show、--dry-run",
        )
    if as_json and not yes and not leave:
        raise Wrong(
            "--json asks nothing: give --yes-i-stand-at-the-meter with it",
            "--json 不作询问:请同时给出 --yes-i-stand-at-the-meter",
        )
    raise typer.Exit(qualifying.left(meter) if leave else qualifying.walked(meter, work_order))
