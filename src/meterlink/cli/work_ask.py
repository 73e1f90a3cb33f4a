"""What ``meterlink work note`` and its neighbours do: ask the daemon, and say where the item stands now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meterlink.cli.asking import Asking
from meterlink.cli.saying import say

_DONE: Final = {
    "open": {"en": "{id}: open", "zh": "{id}:未结"},
    "proposed": {
        "en": "{id}: open; {by} wants it closed, and a second person must say so too",
        "zh": "{id}:未结;{by} 已提议关闭,需第二人确认",
    },
    "acknowledged": {"en": "{id}: acknowledged", "zh": "{id}:已确认"},
    "closed": {"en": "{id}: closed", "zh": "{id}:已结"},
}


class WorkAsking(Asking):
    """One command's way of writing to a work item or an alarm, and showing where it stands then."""

    def _tell(self, result: Mapping[str, Any]) -> None:
        words = _DONE[_stands(result)][self._lang]
        say(words.format(id=result["id"], by=result.get("proposed_by")))


def _stands(result: Mapping[str, Any]) -> str:
    """Which words: an alarm has a state, a work item is open or not."""
    if "state" in result:
        return str(result["state"])
    if not result["is_open"]:
        return "closed"
    return "proposed" if result["proposed_by"] else "open"
