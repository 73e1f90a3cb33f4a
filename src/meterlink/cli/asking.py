"""How a command asks the daemon, and shows its answer: one JSON document, or words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

from meterlink.cli.desk import ANSWER_TIMEOUT_S, DaemonAway, Desk, Refusal, desk_of, leave
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import Lang, chosen
from meterlink.cli.saying import say
from meterlink.model.payload import time_in


class Asking:
    """One command's way of asking and showing; a command that has more to say than values says how.

    Args:
        config: the daemon's configuration.
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, config: Path, *, as_json: bool, lang: Lang | None) -> None:
        self._config = config
        self._as_json = as_json
        self._lang: Literal["en", "zh"] = chosen(lang)

    def done(self, op: str, **args: Any) -> int:
        """Ask for something, and show what became of it; the exit code."""
        self._show(self._asked(op, **args), self._tell)
        return ExitCode.OK

    def _tell(self, result: Mapping[str, Any]) -> None:
        """What a person sees of an answer."""
        say("  ".join(str(value) for value in result.values()))

    def _at_desk(self, within_s: float = ANSWER_TIMEOUT_S) -> Desk:
        """A connection to the daemon, which answers so soon; ends the command where there is none."""
        return desk_of(self._config, as_json=self._as_json, lang=self._lang, answer_s=within_s)

    def _asked(self, op: str, *, within_s: float = ANSWER_TIMEOUT_S, **args: Any) -> dict[str, Any]:
        """The daemon's answer; ends the command where there is none."""
        with self._at_desk(within_s) as desk:
            return self._of(desk, op, **args)

    def _of(self, desk: Desk, op: str, **args: Any) -> dict[str, Any]:
        """The daemon's answer at a desk; ends the command where there is none."""
        try:
            return desk.ask(op, **args)
        except (Refusal, DaemonAway) as error:
            leave(error, as_json=self._as_json, lang=self._lang)

    def _show(self, result: Mapping[str, Any], tell: Callable[[Mapping[str, Any]], None]) -> None:
        """Show an answer whole to a program, and to a person as ``tell`` does."""
        if self._as_json:
            say(json.dumps(result, ensure_ascii=False))
        else:
            tell(result)


def tell_left_out(result: Mapping[str, Any], lang: Literal["en", "zh"]) -> None:
    """Say how many older ones a list does not show; nothing where it shows all."""
    if count := result["left_out"]:
        words = f"另有{count}条较早的未列出" if lang == "zh" else f"{count} older ones are not listed"
        say(words, err=True)


def local(instant: str) -> str:
    """An instant of an answer, as the clock on the wall shows it."""
    return time_in(instant).astimezone().isoformat(sep=" ", timespec="seconds")
