"""A reconciliation for people: channels with their gaps, and every wallet that does not agree."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from meterlink.cli.asking import Asking
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.saying import say

_Language = Literal["en", "zh"]
_VERDICTS: Final[Mapping[str, Mapping[_Language, str]]] = {
    "agrees": {"en": "agrees", "zh": "一致"},
    "no_ledger": {"en": "count agrees, no balance statement", "zh": "购电次数一致,无余额记录"},
    "drift": {"en": "DOES NOT AGREE", "zh": "不一致"},
    "unread": {"en": "not read", "zh": "未读到"},
    "unknown": {"en": "cannot be compared", "zh": "无法核对"},
}
_WORDS: Final[Mapping[str, Mapping[_Language, str]]] = {
    "channel": {
        "en": "channel {name}: {received} received, {settled} in the meters, {gap} to be cleared ({count})",
        "zh": "渠道{name}:收款{received}元,已到表{settled}元,待清{gap}元({count}笔)",
    },
    "none": {"en": "no payment of that day", "zh": "当日无缴费"},
    "meter": {
        "en": "{meter}: {verdict}; ledger {ledger}, paid since {since}, wallet {wallet}, "
        "on its way {flight}, drift {drift}; purchases {expected} expected, {found} found",
        "zh": "{meter}:{verdict};账面{ledger},其后缴费{since},表内{wallet},在途{flight},差额{drift};"
        "购电次数应为{expected},实为{found}",
    },
    "cut": {
        "en": "not all records were looked at: there were too many that day, or the log begins later",
        "zh": "未能全部核对:当日记录过多,或日志始于该日之后",
    },
}


class Reconciling(Asking):
    """One command's way of having payments compared, and showing what was found."""

    def compared(self, day: str) -> int:
        """Ask the daemon to compare, and show what it found; the exit code."""
        found = self._asked("reconcile", day=day)
        self._show(found, self._tell)
        return ExitCode.OK if found["agrees"] else ExitCode.FAILURE

    def _tell(self, result: Mapping[str, Any]) -> None:
        for one in result["channels"]:
            say(
                _WORDS["channel"][self._lang].format(
                    name=one["channel"] or "-",
                    received=_yuan(one["received_cents"]),
                    settled=_yuan(one["settled_cents"]),
                    gap=_yuan(one["gap_cents"]),
                    count=len(one["waiting"]),
                )
            )
            for waiting in one["waiting"]:
                say(f"  {waiting}")
        if not result["channels"]:
            say(_WORDS["none"][self._lang])
        for one in result["meters"]:
            say(_WORDS["meter"][self._lang].format(**_meter(one, self._lang)))
            if one["told"]:
                say(f"  {one['told']}")
        if not result["is_whole"]:
            say(_WORDS["cut"][self._lang], err=True)


def _meter(one: Mapping[str, Any], language: _Language) -> dict[str, str]:
    return {
        "meter": one["meter"],
        "verdict": _VERDICTS[one["verdict"]][language],
        "ledger": _yuan(one["ledger_cents"]),
        "since": _yuan(one["paid_since_cents"]),
        "wallet": _yuan(one["wallet_cents"]),
        "flight": _yuan(one["in_flight_cents"]),
        "drift": _yuan(one["drift_cents"]),
        "expected": _count(one["count_expected"]),
        "found": _count(one["count_found"]),
    }


def _yuan(cents: int | None) -> str:
    return "-" if cents is None else str(Decimal(cents).scaleb(-2))


def _count(value: int | None) -> str:
    return "-" if value is None else str(value)
