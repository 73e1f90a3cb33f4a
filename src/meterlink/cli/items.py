"""``meterlink items``: what can be read, by name, with 中文, unit and identifier."""

from __future__ import annotations

import enum
import sys
from typing import Annotated

import typer

from meterlink.cli.language import chosen
from meterlink.cli.options import AsJsonLines, Language
from meterlink.cli.saying import say
from meterlink.cli.tables import print_table
from meterlink.cli.usage import Wrong


class Protocol(enum.StrEnum):
    """Protocols with a dictionary."""

    DLT645_2007 = "dlt645-2007"
    DLT645_1997 = "dlt645-1997"
    DLT698_45 = "dlt698.45"


def items(
    protocol: Annotated[Protocol, typer.Option(help="Whose dictionary.")] = Protocol.DLT645_2007,
    search: Annotated[str, typer.Option(help="Part of a name, in English or 中文, or an identifier.")] = "",
    dialect: Annotated[
        str,
        typer.Option(
            help="2007: standard (the text alone), state_grid (with its supplements) or southern_grid. "
            "Default: state_grid."
        ),
    ] = "",
    json: AsJsonLines = False,
    lang: Language = None,
) -> None:
    """List the items of a dictionary, one family of identifiers a line. 数据项目录。

    \b
    Examples:
      meterlink items --search 电压
      meterlink items --search max_demand --json
      meterlink items --search 05060101
      meterlink items --dialect standard --search 冻结
      meterlink items --protocol dlt698.45 --search 电压
    """
    from meterlink.explain import catalogue

    try:
        families = catalogue.families(protocol.value, search, dialect)
    except catalogue.UnknownDialect as error:
        raise Wrong(str(error), f"没有该方言:{error}", param_hint="--dialect") from None
    if json:
        for family in families:
            say(family.as_json())
    else:
        print_table(catalogue.table(families, chosen(lang), whole=not sys.stdout.isatty()))
    if not families:
        say(f"no item of {protocol.value} has {search!r} in its name or is that identifier", err=True)
        raise typer.Exit(1)
