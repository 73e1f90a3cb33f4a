"""A case as people and programs see it: whom it is about, where it stands, every step with its reasons."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from meterlink.model.act import KeptAct
from meterlink.model.payload import time_out
from meterlink.orders.cases.machine import Case
from meterlink.orders.life.view import step_view


def case_view(acts: Sequence[KeptAct]) -> dict[str, Any]:
    """A case with its whole history.

    Args:
        acts: all of them.

    Raises:
        ValueError: they are not those of a case.

    """
    return {**case_summary(Case.of(acts)), "steps": [step_view(kept.act) for kept in acts]}


def case_summary(case: Case) -> dict[str, Any]:
    """A case without its history."""
    return {
        "id": case.id,
        "meter": case.meter,
        "reason": case.reason,
        "policy": case.policy,
        "state": case.state.value,
        "is_open": case.is_open,
        "opened_by": case.opened_by,
        "opened_at": time_out(case.opened_at),
        "since": time_out(case.since),
        "lapses_at": _time(case.lapses_at),
        "noticed_at": _time(case.noticed_at),
        "earliest_at": _time(case.earliest_at),
        "approved_by": case.approved_by,
        "approved_at": _time(case.approved_at),
        "order": case.order,
    }


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else time_out(instant)
