"""What ``meterlink order`` asks of the daemon, and how the answers are shown."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final, Literal

from meterlink.cli.asking import Asking, local, tell_left_out
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.order_words import (
    ABOUT,
    FINDINGS,
    LATER_ENDS,
    LATER_STEPS,
    STATES,
    STOPS_LATER,
    STOPS_NOT_LATER,
    STOPS_NOW,
    UNCLEAR,
    VERBS,
)
from meterlink.cli.saying import say
from meterlink.cli.usage import Wrong
from meterlink.model.order import Order, OrderKind, OrderState

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
_NOTHING: Final = {"en": "", "zh": ""}


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
    """What the daemon is asked for: an order, and with minutes from now these instead of its deadline.

    The daemon counts them, so that the same line again means the same order.

    Raises:
        Wrong: the arguments are no order.

    """
    if (deadline is None) == (within_min is None):
        raise Wrong("give one of --deadline and --within", "--deadline 与 --within 须给出且只给出一个")
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
        raise Wrong(str(error), f"工单内容有误:{error}") from None
    body = {"id": order.id, **order.body}
    if within_min is None:
        return {"order": body}
    del body["deadline_at"]
    return {"order": body, "within_min": within_min}


def _cents(text: str) -> int:
    try:
        cents = Decimal(text) * 100
        if cents == int(cents):
            return int(cents)
    except (InvalidOperation, ValueError, OverflowError):
        pass
    raise ValueError(f"{text!r} is no amount in yuan with at most two decimals")


class OrderAsking(Asking):
    """One command's way of asking about orders and showing them."""

    def shown(self, op: str, *, wait: bool = False, **args: Any) -> int:
        """Ask for something that ends in an order, and show it; the exit code."""
        with self._at_desk() as desk:
            order = self._of(desk, op, **args)
            shown = 0
            if wait and not self._as_json:
                shown = self._timeline(order, 0)
            while wait and not _has_ended(order):
                order = self._of(
                    desk, "order.follow", id=order["id"], step=len(order["steps"]), wait_s=FOLLOW_S
                )
                if not self._as_json:
                    shown = self._timeline(order, shown)
        if self._as_json or not wait:
            self._show(order, self._tell)
        elif order.get("is_unclear"):
            say(_state(order, self._lang))  # its last step says no more than that the meter said no
        if op == "order.create" or wait:
            return _exit_code(order)
        return ExitCode.OK

    def judged(self, op: str, **args: Any) -> int:
        """Ask which rules would stop something, and show them; the exit code.

        An order that is there already is asked of no rule: creating it again makes nothing and shows it, and
        so does this, with the same exit code.
        """
        result = self._asked(op, **args)
        if op == "order.dry_run" and not result["rules"]:
            known = self._asked("order.show", id=args["order"]["id"])
            self._show({**result, "known": known} if self._as_json else known, self._known)
            return _exit_code(known)
        self._show(result, self._verdicts)
        return ExitCode.FORBIDDEN if _stopping(result) or result["later"] else ExitCode.OK

    def _known(self, order: Mapping[str, Any]) -> None:
        """An order that is there already."""
        say("该工单已存在,不会新建:" if self._lang == "zh" else "it is there already, nothing would be made:")
        self._heading(order)

    def listed(self, *, meter: str, everything: bool) -> int:
        """List orders; the exit code."""
        self._show(self._asked("order.list", meter=meter, all=everything), self._lines)
        return ExitCode.OK

    def _tell(self, result: Mapping[str, Any]) -> None:
        self._heading(result)
        self._timeline(result, 0)

    def _verdicts(self, result: Mapping[str, Any]) -> None:
        """The rules that would stop it now, and those that would at its later steps, or that none would."""
        stopping, later = _stopping(result), result["later"]
        if stopping and later:
            say(STOPS_NOW[self._lang])
        for one in stopping:
            say(f"{one['rule']}: {one[self._lang]}")
        if not stopping:
            passed = len(result["rules"])
            say(f"{passed} 条规则均通过" if self._lang == "zh" else f"all {passed} rules of this step pass")
        if later or not stopping:  # of a step that cannot be taken, the next ones are not asked
            say((STOPS_LATER if later else STOPS_NOT_LATER)[self._lang])
        for one in later:
            step, end = LATER_STEPS[one["stage"]][self._lang], LATER_ENDS.get(one["on_stop"], _NOTHING)
            say(f"  {step}  {one['rule']}: {one[self._lang]}{end[self._lang]}")

    def _lines(self, result: Mapping[str, Any]) -> None:
        if not result["orders"]:
            say("没有工单" if self._lang == "zh" else "no orders")
        for order in result["orders"]:
            state = _state(order, self._lang)
            say(f"{order['id']}  {order['kind']}  {order['meter']}  {state}  {order['created_at']}")
        tell_left_out(result, self._lang)

    def _heading(self, order: Mapping[str, Any]) -> None:
        say(f"{order['id']}  {order['kind']}  {order['meter']}  {_state(order, self._lang)}")
        for key, words in ABOUT.items():
            if (value := _about(order, key)) != "":
                say(f"  {words[self._lang]}: {value}")

    def _timeline(self, order: Mapping[str, Any], shown: int) -> int:
        """The steps behind those that were shown; how many are now."""
        for step in order["steps"][shown:]:
            verb = VERBS.get(step["verb"], {}).get(self._lang, step["verb"])
            say(f"  {local(step['at'])}  {verb}  ({step['actor']})")
            for verdict in step["rules"]:
                if not verdict["passed"]:
                    say(f"      {verdict['rule']}: {verdict[self._lang]}")
            if step["told"]:
                say(f"      {step['told']}")
            if step["verb"] == "find":
                say(f"      {finding_of(step, self._lang)}")
        return len(order["steps"])


def finding_of(step: Mapping[str, Any], lang: Literal["en", "zh"]) -> str:
    """What a step found on the spot, for people: the finding and what shows it."""
    body = step["body"]
    words = FINDINGS[body["finding"]][lang]
    return f"{body['finding']} ({words}): {body['evidence']}"


def _about(order: Mapping[str, Any], key: str) -> str:
    """One thing that an order was created with, for people; empty: it has none."""
    value = order.get(key)
    if not value:
        return ""
    if key == "deadline_at":
        return local(value)
    return f"{Decimal(value) / 100:.2f}" if key == "amount_cents" else str(value)


def _stopping(result: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [one for one in result["rules"] if not one["passed"]]


def _has_ended(order: Mapping[str, Any]) -> bool:
    """Whether nothing more is to be waited for; who presses the key at the meter may come tomorrow."""
    return not order["is_open"] or order["state"] == OrderState.WAITING_FOR_KEY


def _state(order: Mapping[str, Any], lang: Literal["en", "zh"]) -> str:
    """Where an order stands, for people."""
    return (UNCLEAR if order.get("is_unclear") else STATES[OrderState(order["state"])])[lang]


def _exit_code(order: Mapping[str, Any]) -> int:
    """What a command ends with; a no of which no look proves that nothing was done is none."""
    if order.get("is_unclear"):
        return ExitCode.UNKNOWN
    return _ENDS.get(OrderState(order["state"]), ExitCode.OK)
