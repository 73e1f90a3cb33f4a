"""``meterlink order confirm``: a second person agrees to the finding that he has seen, and to no other."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import typer

from meterlink.cli.asking import local
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.order_ask import OrderAsking, finding_of
from meterlink.cli.saying import say
from meterlink.cli.usage import Wrong


class Confirming(OrderAsking):
    """One command's way of confirming a finding."""

    def confirmed(self, order_id: str, finding: str) -> int:
        """Confirm a finding; the exit code.

        Args:
            order_id: of which order.
            finding: ``done`` or ``not_done``; empty: show the one that stands and ask.

        Raises:
            Wrong: no finding is named, and nobody can be asked: a program never is.

        """
        if finding:
            return self.shown("order.confirm", id=order_id, finding=finding)
        if self._as_json or not can_be_asked():
            raise Wrong(
                "say which finding: --found done or --found not_done",
                "须指明核实结论:--found done 或 --found not_done",
            )
        order = self._asked("order.show", id=order_id)
        step = _step_that_found(order)
        if step is None:
            # Nobody found anything: the daemon says so, and what the order's state is.
            return self.shown("order.confirm", id=order_id, finding="done")
        self._say_what_stands(order, step)
        if not typer.confirm("是否确认该结论" if self._lang == "zh" else "Do you confirm it?", err=True):
            return ExitCode.FAILURE
        seen = order["found"]
        return self.shown("order.confirm", id=order_id, finding=seen["finding"], step=seen["step"])

    def _say_what_stands(self, order: Mapping[str, Any], step: Mapping[str, Any]) -> None:
        """Show the order and its finding to a person, before he is asked."""
        say(f"{order['id']}  {order['kind']}  {order['meter']}", err=True)
        say(f"  {local(step['at'])}  {step['actor']}  {finding_of(step, self._lang)}", err=True)


def can_be_asked() -> bool:
    """Whether a person sits at the command."""
    return sys.stdin is not None and sys.stdin.isatty()


def _step_that_found(order: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The step of the finding that stands; ``None``: there is none."""
    found = order["found"]
    return None if found is None else next(one for one in order["steps"] if one["step"] == found["step"])
