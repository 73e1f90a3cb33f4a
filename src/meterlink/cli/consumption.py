"""``meterlink consumption``: what a customer consumed between two freezes."""

from __future__ import annotations

from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language


def consumption(
    meter: Annotated[str, typer.Argument(help="Our id of the meter that stands there at the end.")],
    first: Annotated[str, typer.Option("--from", help="First day, in the plant: 2026-11-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day; the same for one day.")],
    item: Annotated[list[str] | None, typer.Option(help="A register. May be repeated.")] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Of one day whose end is missing: keep an estimate beside it.")
    ] = False,
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    lang: Language = None,
) -> None:
    """Show what was consumed from the beginning of a day to the end of one. 用电量。

    Exact, across roll-over, change of multiplier and exchange of the meter, and never estimated: where an end
    is missing or may not be used there is no amount, and the reason stands in its place. Without --item it is
    forward_active_energy.

    With --estimate a day whose freeze at the end is missing gets an estimate, which stands beside the missing
    amount, labelled as such, and is taken back when the real reading comes; never two days in a row.

    \b
    Examples:
      meterlink consumption kitchen --from 2026-11-01 --to 2026-11-30
      meterlink consumption kitchen --from 2026-11-21 --to 2026-11-21 --item forward_active_energy.t1 --json
      meterlink consumption kitchen --from 2026-11-21 --to 2026-11-21 --estimate

    \b
    Exit codes: 0 each has an amount; 1 an estimate cannot be made; 2 wrong arguments or configuration, or
    nothing to estimate; 6 one has none, an estimate is none; 7 journal; 8 not allowed.
    """
    from meterlink.cli.consumption_look import ConsumptionLook

    look = ConsumptionLook(config, as_json=as_json, lang=lang)
    items = item or ["forward_active_energy"]
    raise typer.Exit(look.show(meter, first, last, items, is_estimating=estimate))
