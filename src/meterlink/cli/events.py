"""``meterlink events``: its options; ``events_look`` has what it shows."""

from __future__ import annotations

from typing import Annotated

import typer

from meterlink.cli.completion import kinds_like, meters_like
from meterlink.cli.options import FIRST_CONFIG, AsJsonLines, Config, Language


def events(
    meter: Annotated[
        str,
        typer.Argument(
            help="Our id of the meter; without it all meters.", show_default=False, autocompletion=meters_like
        ),
    ] = "",
    since: Annotated[
        str,
        typer.Option(
            help="Only events that began on this day (2026-11-21) or at this time (2026-11-21T13:15), or "
            "later, by the clock of the plant unless it has a zone.",
            show_default=False,
        ),
    ] = "",
    kind: Annotated[
        str,
        typer.Option(
            help="Only this kind: power_down; voltage_loss for all phases; voltage_loss.a.",
            show_default=False,
            autocompletion=kinds_like,
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=1, max=5_000, help="At most so many, the newest.")] = 100,
    as_json: AsJsonLines = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """List what meters and terminals have told of events, each once, oldest first. 事件记录。

    Looks into the journal, while the daemon runs or without it. A plan of class `event` reads the memories of
    the meters; what terminals report by themselves stands here too.

    \b
    Examples:
      meterlink events
      meterlink events kitchen --since 2026-11-21
      meterlink events --kind voltage_loss --json

    \b
    Exit codes: 0 shown; 2 wrong arguments; 7 journal.
    """
    from meterlink.cli.events_look import show_events

    raise typer.Exit(
        show_events(config, meter=meter, since=since, kind=kind, limit=limit, as_json=as_json, lang=lang)
    )
