"""What was seen of a meter, as it is written into the body of an act, both ways."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from meterlink.drivers.control import (
    Cause,
    ClockLook,
    ControlAnswer,
    Purse,
    Standing,
    SwitchRecord,
    Verdict,
)
from meterlink.model.payload import number_in, time_in, time_out

_MICROSECOND: Final = timedelta(microseconds=1)

Seen = Standing | Purse
"""How a meter stood, or the money in it."""


def seen_out(seen: Seen) -> dict[str, Any]:
    """As JSON without fractions."""
    return purse_out(seen) if isinstance(seen, Purse) else standing_out(seen)


def seen_in(body: Mapping[str, Any]) -> Seen:
    """Undo ``seen_out``.

    Raises:
        ValueError, TypeError, KeyError, ArithmeticError: that is neither.

    """
    return purse_in(body) if "purchase_count" in body else standing_in(body)


def standing_out(standing: Standing) -> dict[str, Any]:
    """How a meter stood."""
    return {
        "taken_at": time_out(standing.taken_at),
        "contact_open": standing.contact_open,
        "command_open": standing.command_open,
        "alarm": standing.alarm,
        "guarantee": standing.guarantee,
        "currents_a": _numbers_out(standing.currents_a),
        "voltages_v": _numbers_out(standing.voltages_v),
        "power_w": None if standing.power_w is None else str(standing.power_w),
        "trips": _record_out(standing.trips),
        "closes": _record_out(standing.closes),
        "raw": [list(word) for word in standing.raw],
    }


def standing_in(body: Mapping[str, Any]) -> Standing:
    """Undo ``standing_out``.

    Raises:
        ValueError, TypeError, KeyError, ArithmeticError: that is none.

    """
    return Standing(
        taken_at=time_in(body["taken_at"]),
        contact_open=_truth_in(body["contact_open"]),
        command_open=_truth_in(body["command_open"]),
        alarm=_truth_in(body["alarm"]),
        guarantee=_truth_in(body["guarantee"]),
        currents_a=_numbers_in(body["currents_a"]),
        voltages_v=_numbers_in(body["voltages_v"]),
        power_w=None if body["power_w"] is None else number_in(body["power_w"]),
        trips=_record_in(body["trips"]),
        closes=_record_in(body["closes"]),
        raw=tuple((name, word) for name, word in body["raw"]),
    )


def purse_out(purse: Purse) -> dict[str, Any]:
    """The money in a meter."""
    return {
        "taken_at": time_out(purse.taken_at),
        "remaining_cents": purse.remaining_cents,
        "purchase_count": purse.purchase_count,
        "customer_number": purse.customer_number,
        "hoarding_limit_cents": purse.hoarding_limit_cents,
        "proven": purse.proven,
    }


def purse_in(body: Mapping[str, Any]) -> Purse:
    """Undo ``purse_out``.

    Raises:
        ValueError, TypeError, KeyError: that is none.

    """
    fields = dict(body)
    return Purse(taken_at=time_in(fields.pop("taken_at")), **fields)


def clock_out(clock: ClockLook) -> dict[str, Any]:
    """What the meter's clock showed, in whole microseconds."""
    return {"offset_us": clock.offset // _MICROSECOND, "error_us": clock.error // _MICROSECOND}


def clock_in(body: Mapping[str, Any]) -> ClockLook:
    """Undo ``clock_out``.

    Raises:
        TypeError, KeyError: that is none.

    """
    return ClockLook(offset=body["offset_us"] * _MICROSECOND, error=body["error_us"] * _MICROSECOND)


def answer_out(answer: ControlAnswer) -> dict[str, Any]:
    """What came back for a control."""
    return {
        "verdict": answer.verdict.value,
        "cause": answer.cause.value,
        "word": answer.word,
        "told": answer.told,
    }


def answer_in(body: Mapping[str, Any]) -> ControlAnswer:
    """Undo ``answer_out``.

    Raises:
        ValueError, KeyError: that is none.

    """
    return ControlAnswer(
        verdict=Verdict(body["verdict"]),
        cause=Cause(body["cause"]),
        word=body["word"],
        told=body["told"],
    )


def _record_out(record: SwitchRecord) -> dict[str, Any]:
    occurred_at = None if record.occurred_at is None else time_out(record.occurred_at)
    return {"count": record.count, "occurred_at": occurred_at, "operator_code": record.operator_code}


def _record_in(body: Mapping[str, Any]) -> SwitchRecord:
    occurred_at: datetime | None = None if body["occurred_at"] is None else time_in(body["occurred_at"])
    return SwitchRecord(count=body["count"], occurred_at=occurred_at, operator_code=body["operator_code"])


def _numbers_out(values: tuple[Decimal, ...] | None) -> list[str] | None:
    return None if values is None else [str(value) for value in values]


def _numbers_in(values: list[object] | None) -> tuple[Decimal, ...] | None:
    return None if values is None else tuple(number_in(value) for value in values)


def _truth_in(value: object) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise TypeError("expected true, false or null")
