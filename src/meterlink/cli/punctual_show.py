"""How many had current in time, for people: the share, and each who waited longer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from meterlink.cli.asking import Asking
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.saying import say

_WORDS: Final[Mapping[str, Mapping[Literal["en", "zh"], str]]] = {
    "none": {"en": "{first} to {last}: nobody waited for current", "zh": "{first}至{last}:无人等待复电"},
    "share": {
        "en": "{first} to {last}: {in_time} of {decided} had current within 30 minutes ({share} %, wanted "
        "{wanted} %); {waiting} may still have it in time",
        "zh": "{first}至{last}:{decided}户中{in_time}户在30分钟内复电({share} %,要求{wanted} %);"
        "另有{waiting}户尚在时限内",
    },
    "late": {"en": "late: {meter}  {cause}", "zh": "超时:{meter}  {cause}"},
    "cut": {
        "en": "not all orders were looked at: there are too many in those days",
        "zh": "未能全部统计:所选日期内工单过多",
    },
}


class Punctual(Asking):
    """One command's way of having waits counted, and showing them."""

    def counted(self, day: str, days: int) -> int:
        """Ask the daemon to count, and show what it found; the exit code."""
        found = self._asked("reconnections", day=day, days=days)
        self._show(found, self._tell)
        return ExitCode.OK if found["is_kept"] and found["is_whole"] else ExitCode.FAILURE

    def _tell(self, result: Mapping[str, Any]) -> None:
        decided = result["in_time"] + len(result["late"])
        share = 100 * result["in_time"] // decided if decided else 100
        which = "share" if decided or result["waiting"] else "none"
        words = {**result, "decided": decided, "share": share, "wanted": result["wanted_percent"]}
        say(_WORDS[which][self._lang].format(**words))
        for one in result["late"]:
            say("  " + _WORDS["late"][self._lang].format(**one))
        if not result["is_whole"]:
            say(_WORDS["cut"][self._lang], err=True)
