"""``meterlink order``: its options. The daemon does what they ask for, see ``desk``."""

from __future__ import annotations

import enum
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from meterlink.cli.language import Lang
from meterlink.cli.options import FIRST_CONFIG, AsJson, Comment, Config, Language, Reason
from meterlink.cli.order_kinds import Kind

app = typer.Typer(
    no_args_is_help=True,
    help="Disconnect, reconnect, top up: create orders, approve, arm and operate them. 控制与充值命令。",
)


class Finding(enum.StrEnum):
    """What two persons found of an order of unknown outcome."""

    DONE = "done"
    NOT_DONE = "not_done"


_ID = Annotated[str, typer.Argument(help="The order's id, made by who creates it.", show_default=False)]
_DRY = Annotated[
    bool, typer.Option("--dry-run", help="Do nothing; say what would stop it, now or later, and why.")
]
_WAIT = Annotated[
    bool, typer.Option("--wait", help="Follow the order until it has ended, or waits for the key.")
]


@app.command()
def create(
    order_id: _ID,
    kind: Kind,
    meter: Annotated[str, typer.Option(help="Our id of the meter.", show_default=False)],
    reason: Reason,
    deadline: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%S%z"],
            help="No meter obeys after this, e.g. 2026-11-22T18:00:00+08:00.",
            show_default=False,
        ),
    ] = None,
    within: Annotated[
        int | None, typer.Option(min=1, max=1440, help="Or: minutes from now.", show_default=False)
    ] = None,
    amount: Annotated[
        str, typer.Option(help="Of a top-up: yuan, with at most two decimals.", show_default=False)
    ] = "",
    payment: Annotated[str, typer.Option(help="Id of the payment record.", show_default=False)] = "",
    case: Annotated[str, typer.Option(help="Id of the disconnect case.", show_default=False)] = "",
    reference: Annotated[
        str, typer.Option(help="Id of the consent, filing, dispute or work order.", show_default=False)
    ] = "",
    dry_run: _DRY = False,
    wait: _WAIT = False,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Create an order; the same id with the same content is the same order, however often it is sent. 创建。

    \b
    Examples:
      meterlink order create t-1 --kind trip --meter m7 --reason "arrears, case 12" --case c12 --within 60
      meterlink order create r-1 --kind permit_close --meter m7 --reason "paid" --payment p9 --within 30
      meterlink order create w-1 --kind top_up --meter m8 --amount 100.00 --payment p10 \\
          --reason "paid at counter" --deadline 2026-11-22T18:00:00+08:00
      meterlink order create t-1 --kind trip --meter m7 --reason test --within 60 --dry-run --lang zh

    \b
    Exit codes: 0 created; 2 wrong arguments; 7 journal; 8 a rule forbids it, or the id is taken by another
    order; 10 no daemon. With --wait also: 1 relay fault; 4 the meter did not do it; 9 outcome unknown.
    With --dry-run 8 also where a rule would stop a later step, as things stand.
    """
    from meterlink.cli.order_ask import OrderAsking, created

    asking = OrderAsking(config, as_json=as_json, lang=lang)
    asked = created(
        order_id,
        kind=kind,
        meter=meter,
        reason=reason,
        deadline=deadline,
        within_min=within,
        amount=amount,
        payment=payment,
        case=case,
        reference=reference,
    )
    if dry_run:
        raise typer.Exit(asking.judged("order.dry_run", **asked))
    raise typer.Exit(asking.shown("order.create", wait=wait, **asked))


@app.command()
def approve(
    order_id: _ID,
    reason: Comment = "",
    dry_run: _DRY = False,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Approve somebody else's order. 审批通过。

    \b
    Examples:
      meterlink order approve t-1
      meterlink order approve t-1 --dry-run --lang zh

    \b
    Exit codes: 0 approved; 2 no such order; 7 journal; 8 a rule or its state forbids it; 10 no daemon.
    """
    _verb("approve", order_id, dry_run, config, as_json, lang, reason=reason)


@app.command()
def reject(
    order_id: _ID,
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Refuse somebody else's order. 审批驳回。

    \b
    Example:
      meterlink order reject t-1 --reason "the notice went to the wrong address"

    \b
    Exit codes: 0 refused; 2 no such order; 7 journal; 8 its state forbids it; 10 no daemon.
    """
    _verb("reject", order_id, False, config, as_json, lang, reason=reason)


@app.command()
def arm(order_id: _ID, as_json: AsJson = False, lang: Language = None, config: Config = FIRST_CONFIG) -> None:
    """Make an order ready for ``operate``, for 60 seconds. 预置。

    \b
    Example:
      meterlink order arm t-1

    \b
    Exit codes: 0 armed; 2 no such order; 7 journal; 8 a rule or its state forbids it; 10 no daemon.
    """
    _verb("arm", order_id, False, config, as_json, lang)


@app.command()
def operate(
    order_id: _ID,
    dry_run: _DRY = False,
    wait: _WAIT = False,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Have an armed order carried out. 执行。

    \b
    Examples:
      meterlink order operate t-1 --wait
      meterlink order operate t-1 --dry-run

    \b
    Exit codes: 0 queued, or with --wait done; 2 no such order; 7 journal; 8 a rule or its state forbids it;
    10 no daemon. With --wait also: 1 relay fault; 4 the meter did not do it; 9 outcome unknown.
    """
    _verb("operate", order_id, dry_run, config, as_json, lang, wait=wait)


@app.command()
def cancel(
    order_id: _ID,
    reason: Reason,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Take back an order that has not been sent. 撤销。

    \b
    Example:
      meterlink order cancel t-1 --reason "customer has paid"

    \b
    Exit codes: 0 cancelled; 2 no such order; 7 journal; 8 it has been sent, or ended; 10 no daemon.
    """
    _verb("cancel", order_id, False, config, as_json, lang, reason=reason)


@app.command()
def find(
    order_id: _ID,
    finding: Annotated[Finding, typer.Option(help="What was found.", show_default=False)],
    evidence: Annotated[str, typer.Option(help="What shows it, for people.", show_default=False)],
    instead: Annotated[
        Finding | None,
        typer.Option(help="The finding that stands and shall go.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Say what became of an order that ended unknown; a second person confirms it. 现场核实。

    Where somebody has found something already, name what goes: `--instead done`.

    \b
    Examples:
      meterlink order find t-1 --finding done --evidence "contact open, seen by Fred at 14:20"
      meterlink order find t-1 --finding not_done --instead done --evidence "that was the house next door"

    \b
    Exit codes: 0 kept; 2 no such order; 7 journal; 8 its state or your role forbids it, or another finding
    stands than you say; 10 no daemon.
    """
    told: dict[str, Any] = {"finding": finding.value, "evidence": evidence}
    if instead:
        told["instead"] = instead.value
    _verb("find", order_id, False, config, as_json, lang, **told)


@app.command()
def confirm(
    order_id: _ID,
    found: Annotated[
        Finding | None,
        typer.Option(help="Which finding; without it, on a terminal, you are asked.", show_default=False),
    ] = None,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Confirm what somebody else found; the meter may be ordered about again. 核实确认。

    Say which finding: somebody may have told another one since you looked, and then nothing is confirmed.
    On a terminal the finding that stands is shown, and you are asked.

    \b
    Examples:
      meterlink order confirm t-1 --found done
      meterlink order confirm t-1

    \b
    Exit codes: 0 confirmed; 1 you said no; 2 no such order, or no --found without a terminal or with --json;
    7 journal; 8 its state or your role forbids it, or another finding stands; 10 no daemon.
    """
    from meterlink.cli.order_confirm import Confirming

    asking = Confirming(config, as_json=as_json, lang=lang)
    raise typer.Exit(asking.confirmed(order_id, found.value if found else ""))


@app.command()
def show(
    order_id: _ID,
    wait: _WAIT = False,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Show an order and everything that happened to it. 查看。

    \b
    Examples:
      meterlink order show t-1
      meterlink order show t-1 --wait --json

    \b
    Exit codes: 0 shown; 2 no such order; 7 journal; 10 no daemon. With --wait as of operate.
    """
    _verb("show", order_id, False, config, as_json, lang, wait=wait)


@app.command()
def punctual(
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Last day, in the plant.")],
    days: Annotated[int, typer.Option(min=1, max=366, help="So many days, that one the last.")] = 1,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Count who had current within 30 minutes after what cleared the debt; 95 % should. 复电及时率。

    Of those whom an order of ours had cut off, from the record that cleared the debt to the first proof that
    the contact is closed, the key included. Each night the daemon counts the last 30 days, and raises the
    alarm RECONNECT_SHARE where the day before has brought them, 20 at least, below 95 %.

    \b
    Examples:
      meterlink order punctual --day 2026-11-22
      meterlink order punctual --day 2026-11-30 --days 30 --lang zh
      meterlink order punctual --day 2026-11-22 --json

    \b
    Exit codes: 0 at least 95 %; 1 fewer, or not all could be looked at; 2 wrong arguments; 7 journal;
    8 you may not; 10 no daemon.
    """
    from meterlink.cli.punctual_show import Punctual

    asking = Punctual(config, as_json=as_json, lang=lang)
    raise typer.Exit(asking.counted(day.date().isoformat(), days))


@app.command("list")
def list_orders(
    meter: Annotated[str, typer.Option(help="Orders of one meter only.", show_default=False)] = "",
    everything: Annotated[bool, typer.Option("--all", help="Also those that have ended.")] = False,
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """List the open orders, or all. 列表。

    \b
    Examples:
      meterlink order list
      meterlink order list --meter m7 --all --json

    \b
    Exit codes: 0 listed; 7 journal; 10 no daemon.
    """
    from meterlink.cli.order_ask import OrderAsking

    raise typer.Exit(
        OrderAsking(config, as_json=as_json, lang=lang).listed(meter=meter, everything=everything)
    )


def _verb(
    verb: str,
    order_id: str,
    dry_run: bool,
    config: Path,
    as_json: bool,
    lang: Lang | None,
    *,
    wait: bool = False,
    **args: Any,
) -> None:
    """One of the verbs that take an order's id."""
    from meterlink.cli.order_ask import OrderAsking

    asking = OrderAsking(config, as_json=as_json, lang=lang)
    ask: Callable[..., int] = asking.judged if dry_run else asking.shown
    if dry_run:
        raise typer.Exit(ask("order.check", id=order_id, verb=verb))
    raise typer.Exit(ask(f"order.{verb}", wait=wait, id=order_id, **args))
