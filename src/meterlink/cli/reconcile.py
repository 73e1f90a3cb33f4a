"""``meterlink reconcile``: its options. What it shows stands in ``reconcile_show``."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language


def reconcile(
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="Day of the payments, in the plant.")],
    as_json: AsJson = False,
    lang: Language = None,
    config: Config = FIRST_CONFIG,
) -> None:
    """Compare payments, log and meters: what was paid, what became of it, what the wallets hold. 对账。

    Reads the wallet of every local-prepayment meter. A wallet that does not agree raises the alarm
    WALLET_DRIFT and opens a work item. The daemon compares by itself each day that ended: at 00:30 of the
    plant, or when it starts later than that; a gap that it finds raises CHANNEL_GAP, a wallet that it could
    not compare for three nights WALLET_UNREAD. It takes the role billing, operator, approver or dispatcher.

    \b
    Examples:
      meterlink reconcile --day 2026-11-22
      meterlink reconcile --day 2026-11-22 --json

    \b
    Exit codes: 0 all agrees; 1 something does not, or could not be read; 2 wrong arguments; 7 journal;
    8 you may not; 10 no daemon.
    """
    from meterlink.cli.reconcile_show import Reconciling

    raise typer.Exit(Reconciling(config, as_json=as_json, lang=lang).compared(day.date().isoformat()))
