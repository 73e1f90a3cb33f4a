"""What ``meterlink order`` asks of the daemon, and how the answers are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Final, Literal

import typer

from meterlink.cli.desk import DaemonAway, Desk, Refusal, desk_of, leave
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import Lang, chosen
from meterlink.cli.order_words import STATES, VERBS
from meterlink.model.order import Order, OrderKind, OrderState
from meterlink.model.payload import time_in

FOLLOW_S: Final = 30
"""How long the daemon keeps one request that waits for news."""
_ENDS: Final = {
    OrderState.DONE: ExitCode.OK,
    OrderState.WAITING_FOR_KEY: ExitCode.OK,
    OrderState.NOT_DONE: ExitCode.REFUSED,
    OrderState.REJECTED: ExitCode.REFUSED,
    OrderState.RELAY_FAULT: ExitCode.FAILURE,
    OrderState.UNKNOWN: ExitCode.UNKNOWN,
    OrderState.REFUSED: ExitCode.FORBIDDEN,
    OrderState.CANCELLED: ExitCode.FORBIDDEN,
    OrderState.EXPIRED: ExitCode.FORBIDDEN,
}
"""What a command that waited ends with; a state without one goes on."""


def created(
    order_id: str,
    *,
    kind: OrderKind,
    meter: str,
    reason: str,
    deadline: datetime | None,
    within_min: int | None,
    amount: str,
    payment: str,
    case: str,
    reference: str,
) -> dict[str, Any]:
    """An order as it is given to the daemon.

    Raises:
        typer.BadParameter: the arguments are no order.

    """
    if (deadline is None) == (within_min is None):
        raise typer.BadParameter("give one of --deadline and --within")
    until = deadline or datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=within_min or 0)
    try:
        order = Order(
            id=order_id,
            kind=kind,
            meter=meter,
            reason=reason,
            deadline_at=until,
            amount_cents=_cents(amount) if amount else None,
            payment=payment,
            case=case,
            reference=reference,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    return {"id": order.id, **order.body}


def _cents(text: str) -> int:
    try:
        cents = Decimal(text) * 100
        if cents == int(cents):
            return int(cents)
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r} is no amount in yuan with at most two decimals")


class Asking:
    """One command's way of asking and showing.

    Args:
        config: the daemon's configuration.
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, config: Path, *, as_json: bool, lang: Lang | None) -> None:
        self._config = config
        self._as_json = as_json
        self._lang: Literal["en", "zh"] = chosen(lang)

    def shown(self, op: str, *, wait: bool = False, **args: Any) -> int:
        """Ask for something that ends in an order, and show it; the exit code."""
        with desk_of(self._config) as desk:
            try:
                order = desk.ask(op, **args)
                shown = 0
                if wait and not self._as_json:
                    shown = self._timeline(order, 0)
                while wait and not _has_ended(order):
                    order = desk.ask(
                        "order.follow", id=order["id"], step=len(order["steps"]), wait_s=FOLLOW_S
                    )
                    if not self._as_json:
                        shown = self._timeline(order, shown)
            except (Refusal, DaemonAway) as error:
                leave(error, as_json=self._as_json, lang=self._lang)
        if self._as_json:
            typer.echo(json.dumps(order, ensure_ascii=False))
        elif not wait:
            self._heading(order)
            self._timeline(order, 0)
        if op == "order.create" or wait:
            return _exit_code(order)
        return ExitCode.OK

    def judged(self, op: str, **args: Any) -> int:
        """Ask which rules would stop something, and show them; the exit code."""
        result = self.asked(op, **args)
        stopping = [one for one in result["rules"] if not one["passed"]]
        if self._as_json:
            typer.echo(json.dumps(result, ensure_ascii=False))
        else:
            for one in stopping:
                typer.echo(f"{one['rule']}: {one[self._lang]}")
            if not stopping:
                passed = len(result["rules"])
                typer.echo(
                    f"{passed} 条规则均通过"
                    if self._lang == "zh"
                    else f"all {passed} rules of this step pass"
                )
        return ExitCode.FORBIDDEN if stopping else ExitCode.OK

    def listed(self, *, meter: str, everything: bool) -> int:
        """List orders; the exit code."""
        result = self.asked("order.list", meter=meter, all=everything)
        if self._as_json:
            typer.echo(json.dumps(result, ensure_ascii=False))
            return ExitCode.OK
        for order in result["orders"]:
            state = STATES[OrderState(order["state"])][self._lang]
            typer.echo(f"{order['id']}  {order['kind']}  {order['meter']}  {state}  {order['created_at']}")
        return ExitCode.OK

    def done(self, op: str, **args: Any) -> int:
        """Ask for something that ends in a word or two; the exit code."""
        result = self.asked(op, **args)
        if self._as_json:
            typer.echo(json.dumps(result, ensure_ascii=False))
        elif "held" in result:
            self._limits(result)
        else:
            typer.echo("  ".join(str(value) for value in result.values()))
        return ExitCode.OK

    def asked(self, op: str, **args: Any) -> dict[str, Any]:
        """The daemon's answer; ends the command where there is none."""
        with desk_of(self._config) as desk:
            return self.of(desk, op, **args)

    def of(self, desk: Desk, op: str, **args: Any) -> dict[str, Any]:
        """The daemon's answer at a desk; ends the command where there is none."""
        try:
            return desk.ask(op, **args)
        except (Refusal, DaemonAway) as error:
            leave(error, as_json=self._as_json, lang=self._lang)

    def _limits(self, told: Mapping[str, Any]) -> None:
        """Whether trips are stopped, and what is held."""
        is_zh = self._lang == "zh"
        if stopped_by := told["stopped_by"]:
            typer.echo(f"停电操作已被{stopped_by}停止" if is_zh else f"all trips are stopped by {stopped_by}")
        else:
            typer.echo("停电操作未被停止" if is_zh else "trips are not stopped")
        if asked_by := told["resume_asked_by"]:
            typer.echo(
                f"{asked_by}申请恢复,等待第二人"
                if is_zh
                else f"{asked_by} asks to resume; a second person must agree"
            )
        for meter in told["shut_meters"]:
            typer.echo(
                f"{meter}  MAC错误,已锁定" if is_zh else f"{meter}  shut for orders: it met a wrong MAC"
            )
        for one in told["held"]:
            words = "已隔离" if is_zh else "held"
            typer.echo(f"{one['order']}  {words}  {one['meter']}  {one['area']}  {one['batch']}")

    def _heading(self, order: Mapping[str, Any]) -> None:
        state = STATES[OrderState(order["state"])][self._lang]
        typer.echo(f"{order['id']}  {order['kind']}  {order['meter']}  {state}")

    def _timeline(self, order: Mapping[str, Any], shown: int) -> int:
        """The steps behind those that were shown; how many are now."""
        for step in order["steps"][shown:]:
            at = time_in(step["at"]).astimezone().isoformat(sep=" ", timespec="seconds")
            verb = VERBS.get(step["verb"], {}).get(self._lang, step["verb"])
            typer.echo(f"  {at}  {verb}  ({step['actor']})")
            for verdict in step["rules"]:
                if not verdict["passed"]:
                    typer.echo(f"      {verdict['rule']}: {verdict[self._lang]}")
            if step["told"]:
                typer.echo(f"      {step['told']}")
        return len(order["steps"])


def _has_ended(order: Mapping[str, Any]) -> bool:
    """Whether nothing more is to be waited for; who presses the key at the meter may come tomorrow."""
    return not order["is_open"] or order["state"] == OrderState.WAITING_FOR_KEY


def _exit_code(order: Mapping[str, Any]) -> int:
    return _ENDS.get(OrderState(order["state"]), ExitCode.OK)
