"""What ``meterlink work note`` and its neighbours do: ask the daemon, and say where the item stands now."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal

import typer

from meterlink.cli.desk import DaemonAway, Refusal, desk_of, leave

_Language = Literal["en", "zh"]
_DONE: Final = {
    "open": {"en": "{id}: open", "zh": "{id}:未结"},
    "proposed": {
        "en": "{id}: open; {by} wants it closed, and a second person must say so too",
        "zh": "{id}:未结;{by} 已提议关闭,需第二人确认",
    },
    "acknowledged": {"en": "{id}: acknowledged", "zh": "{id}:已确认"},
    "closed": {"en": "{id}: closed", "zh": "{id}:已结"},
}


def ask(op: str, config: Path, *, as_json: bool, lang: _Language, args: Mapping[str, str]) -> None:
    """Ask, and tell; a refusal ends the command with its exit code.

    Args:
        op: one of ``work_desk.OPS`` that answers with one item or alarm.
        config: whose daemon.
        as_json: for programs.
        lang: for people.
        args: of the op.

    """
    try:
        with desk_of(config) as desk:
            result = desk.ask(op, **args)
    except (Refusal, DaemonAway) as error:
        leave(error, as_json=as_json, lang=lang)
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False))
    else:
        typer.echo(_DONE[_stands(result)][lang].format(id=result["id"], by=result.get("proposed_by")))


def _stands(result: Mapping[str, Any]) -> str:
    """Which words: an alarm has a state, a work item is open or not."""
    if "state" in result:
        return str(result["state"])
    if not result["is_open"]:
        return "closed"
    return "proposed" if result["proposed_by"] else "open"
