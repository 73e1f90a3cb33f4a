"""``meterlink control``: the switch that stops all trips, what is held, freezes, and who is sent out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from meterlink.cli.completion import granted_like
from meterlink.cli.language import Lang
from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language, Reason

app = typer.Typer(
    no_args_is_help=True,
    help="Stop all trips at once, let them go again, release what is held. 停电总开关与隔离。",
)

_ORDER = Annotated[str, typer.Argument(help="Id of the order.", show_default=False)]
_AREA = Annotated[str, typer.Option(help="Transformer area; *: every one.")]


@app.command()
def stop(
    reason: Reason, as_json: AsJson = False, lang: Language = None, config: Config = FIRST_CONFIG
) -> None:
    """Stop all trips, also those that wait for their line. Reconnections go on. 停止全部停电。

    \b
    Example:
      meterlink control stop --reason "wrong list was imported"

    \b
    Exit codes: 0 stopped; 7 journal; 8 you may not; 10 no daemon.
    """
    _do("stop", config, as_json, lang, reason=reason)


@app.command()
def resume(
    reason: Reason, as_json: AsJson = False, lang: Language = None, config: Config = FIRST_CONFIG
) -> None:
    """Ask that trips go again, or agree as the second person, within the hour. 恢复停电操作(双人)。

    \b
    Example:
      meterlink control resume --reason "the list was withdrawn"

    \b
    Exit codes: 0 asked, or resumed; 7 journal; 8 you may not, or nothing is stopped; 10 no daemon.
    """
    _do("resume", config, as_json, lang, reason=reason)


@app.command()
def status(as_json: AsJson = False, lang: Language = None, config: Config = FIRST_CONFIG) -> None:
    """Say whether trips are stopped, and which orders are held. 状态。

    \b
    Example:
      meterlink control status --lang zh

    \b
    Exit codes: 0 told; 7 journal; 8 you may not; 10 no daemon.
    """
    _do("status", config, as_json, lang)


@app.command()
def release(
    order: _ORDER,
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Let an order go on that a cap or a brake holds. 放行。

    \b
    Example:
      meterlink control release t-1 --reason "checked with the area"

    \b
    Exit codes: 0 released; 2 no such order; 7 journal; 8 you may not, or it is not held; 10 no daemon.
    """
    _do("release", config, as_json, lang, id=order, reason=reason)


@app.command()
def delete(
    order: _ORDER,
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """End an order that is held. 删除。

    \b
    Example:
      meterlink control delete t-1 --reason "not this customer"

    \b
    Exit codes: 0 ended; 2 no such order; 7 journal; 8 you may not, or it is not held; 10 no daemon.
    """
    _do("delete", config, as_json, lang, id=order, reason=reason)


@app.command("release-batch")
def release_batch(
    batch: Annotated[str, typer.Argument(help="Name of the batch, as rule CTRL-24 tells it.")],
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Say that somebody has looked at the failures of a batch; it goes on. 放行批次。

    \b
    Example:
      meterlink control release-batch "2026-11-22:person:clara" --reason "adapter was replaced"

    \b
    Exit codes: 0 released; 7 journal; 8 you may not; 10 no daemon.
    """
    _do("release_batch", config, as_json, lang, batch=batch, reason=reason)


@app.command()
def freeze(
    reason: Reason,
    area: _AREA = "*",
    until: Annotated[str, typer.Option(help="Last moment, with its zone; empty: until lifted.")] = "",
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Forbid trips because of weather or an event. 暂停停电(天气、活动)。

    \b
    Example:
      meterlink control freeze --area east --until 2026-11-25T00:00:00+08:00 --reason "cold wave"

    \b
    Exit codes: 0 frozen; 2 wrong arguments; 7 journal; 8 you may not; 10 no daemon.
    """
    _do("freeze", config, as_json, lang, area=area, until=until, reason=reason)


@app.command()
def lift(
    reason: Reason,
    area: _AREA = "*",
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """End a freeze. 解除暂停。

    \b
    Example:
      meterlink control lift --area east --reason "warm again"

    \b
    Exit codes: 0 lifted; 7 journal; 8 you may not; 10 no daemon.
    """
    _do("lift", config, as_json, lang, area=area, reason=reason)


@app.command()
def grant(
    order: _ORDER,
    person: Annotated[str, typer.Argument(help="Name of the field staff.", show_default=False)],
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Let one person operate one reconnection once, for four hours. 现场复电一次性授权。

    It takes a closing that a person has created and nobody has operated. The order that a field order names
    has ended, and what a payment began goes by itself: nobody operates those, so a clerk creates a new one.

    \b
    Examples:
      meterlink order create r-1 --kind permit_close --meter m7 --payment billing:p1 \\
          --reason "field order" --within 60
      meterlink control grant r-1 fred

    \b
    Exit codes: 0 granted; 2 no such order; 7 journal; 8 you may not, or nobody operates that order;
    10 no daemon.
    """
    _do("grant", config, as_json, lang, id=order, person=person)


@app.command()
def revoke(
    order: Annotated[
        str,
        typer.Argument(help="Id of the order.", show_default=False, autocompletion=granted_like),
    ],
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Take the authorisation of a reconnection back from field staff. 收回现场复电授权。

    Whoever had it operates the order no more, and what it let him operate is not sent, and not sent again.
    A frame that has left cannot be called back. To send somebody else, grant it to that person: this takes
    it from the first.

    \b
    Examples:
      meterlink control revoke r-1 --reason "fred is not on duty today"
      meterlink control revoke r-1 --reason "人员调班" --lang zh

    \b
    Exit codes: 0 taken back; 2 no such order; 7 journal; 8 you may not, or nobody has it; 10 no daemon.
    """
    _do("revoke", config, as_json, lang, id=order, reason=reason)


@app.command()
def unlock(
    meter: Annotated[str, typer.Argument(help="Our id of the meter.", show_default=False)],
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Prove orders to a meter again that a wrong MAC, or a refused proof, has shut. 解除电表下令锁定。

    \b
    Example:
      meterlink control unlock m-17 --reason "its keys were updated; checked with the provider"

    \b
    Exit codes: 0 unlocked; 7 journal; 8 you may not, or it is not shut; 10 no daemon.
    """
    _do("unlock", config, as_json, lang, meter=meter, reason=reason)


@app.command()
def trust(
    reason: Reason, as_json: AsJson = False, lang: Language = None, config: Config = FIRST_CONFIG
) -> None:
    """Trust a journal that was put back, once somebody has looked; two persons, within the hour. 核实日志。

    \b
    Example:
      meterlink control trust --reason "3 orders of the day cancelled, meters read"

    \b
    Exit codes: 0 said, or agreed; 7 journal; 8 you may not, or nobody doubts it; 10 no daemon.
    """
    _do("trust", config, as_json, lang, reason=reason)


def _do(op: str, config: Path, as_json: bool, lang: Lang | None, **args: Any) -> None:
    from meterlink.cli.control_ask import ControlAsking

    raise typer.Exit(ControlAsking(config, as_json=as_json, lang=lang).done(f"control.{op}", **args))
