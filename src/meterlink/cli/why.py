"""``meterlink why`` and ``meterlink completeness``: their options; ``collection_look`` has what they show."""

from __future__ import annotations

import enum
from datetime import datetime
from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language


class By(enum.StrEnum):
    """What a table of completeness has a row for."""

    METER = "meter"
    LINE = "line"
    AREA = "area"
    CLASS = "class"


def why(
    meter: Annotated[str, typer.Argument(help="Our id of the meter, its number or its address.")],
    slot: Annotated[
        str,
        typer.Argument(
            help="A day (2026-11-21) for the freeze that ends it, or a time (2026-11-21T13:15), by the clock "
            "of the plant unless it has a zone."
        ),
    ],
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Say in one sentence why a slot of a meter is not there, or when it was kept. 为何缺数。

    Asks the daemon, or looks into the journal where none runs.

    \b
    Examples:
      meterlink why kitchen 2026-11-21
      meterlink why kitchen 2026-11-21T13:15 --json

    \b
    Exit codes: 0 kept, or nothing is due; 1 not kept; 2 wrong arguments, or no such meter; 7 journal.
    """
    from meterlink.cli.collection_look import CollectionLook

    raise typer.Exit(CollectionLook(config, as_json=as_json, lang=lang).why(meter, slot))


def completeness(
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day of the data, in the plant.")],
    area: Annotated[
        str | None, typer.Option(help='Only this transformer area; "" is that of meters without one.')
    ] = None,
    by: Annotated[By, typer.Option(help="What a row is for.")] = By.LINE,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Show the success rate and the completeness of a day. 采集成功率与完整率。

    Success rate (采集成功率): of the slots that are due, the share that was read on time: a freeze before the
    next one, a point of a curve within two hours, a value of the moment in its slot. Completeness (完整率):
    the share that is kept by now, backfill (补抄) included. Slots of meters out of service are not counted,
    nor slots whose time has not come. A freeze belongs to the day that it ends.

    \b
    Examples:
      meterlink completeness --day 2026-11-21
      meterlink completeness --day 2026-11-21 --area north --by meter --json

    \b
    Exit codes: 0 shown; 2 wrong arguments, or no such area; 7 journal.
    """
    from meterlink.cli.collection_look import CollectionLook

    look = CollectionLook(config, as_json=as_json, lang=lang)
    raise typer.Exit(look.completeness(day.date(), by.value, area))
