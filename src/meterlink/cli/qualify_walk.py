"""Walking a person at a meter through the probes, on a terminal: what is next, yes or no, what was found."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import typer

from meterlink.cli.asking import Asking
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import Lang
from meterlink.cli.saying import say
from meterlink.orders.qualifying.standpoint import plan

WAIT_S: Final = 30
"""How long the daemon keeps one request that waits for an order."""
WAITS_MAX: Final = 60
"""Requests in a row that found nothing new; then the person is told to come back."""
_RESULTS: Final = {
    "qualified": ("{model} is qualified with this firmware", "该型号与固件验证通过"),
    "closed": ("{model}: the contact is closed again; nothing is proven", "已恢复合闸,未验证"),
    "stopped": ("not qualified", "验证未通过"),
    "left": ("ended; nothing is proven", "已终止,未验证"),
}


class Qualifying(Asking):
    """One command's way of walking and showing.

    Args:
        config: the daemon's configuration.
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.
        is_confirmed: the person has said yes to every probe beforehand.

    """

    def __init__(self, config: Path, *, as_json: bool, lang: Lang | None, is_confirmed: bool) -> None:
        super().__init__(config, as_json=as_json, lang=lang)
        self._is_confirmed = is_confirmed
        self._shown: dict[str, str] = {}

    def planned(self) -> int:
        """List the probes; the exit code."""
        self._show({"probes": plan()}, self._tell_probes)
        return ExitCode.OK

    def listed(self, model: str) -> int:
        """Show what is proven; the exit code."""
        tell = partial(self._tell_models, with_facts=bool(model))
        self._show(self._asked("qualify.list", model=model), tell)
        return ExitCode.OK

    def left(self, meter: str) -> int:
        """End what was begun at a meter; the exit code."""
        return self._ended(self._asked("qualify.leave", meter=meter))

    def walked(self, meter: str, work_order: str) -> int:
        """Go through all probes; the exit code."""
        with self._at_desk() as desk:
            walk = self._of(desk, "qualify.begin", meter=meter, work_order=work_order)
            waited = 0
            while not walk["result"]:
                confirmed = self._yes_to(walk)
                if confirmed is None:
                    return ExitCode.FORBIDDEN
                walk = self._of(desk, "qualify.step", id=walk["id"], confirmed=confirmed, wait_s=WAIT_S)
                self._tell_facts(walk["facts"])
                waited = waited + 1 if walk["waits"] else 0
                if waited >= WAITS_MAX:
                    self._say("nothing new came: run the command again", "长时间无进展:请重新运行该命令")
                    return ExitCode.FORBIDDEN
        return self._ended(walk)

    def _yes_to(self, walk: Mapping[str, Any]) -> str | None:
        """The probe that may go, empty: none has to be asked for; ``None``: the person does not go on."""
        if todo := walk["todo"]:
            say(todo[self._lang], err=self._as_json)
            if walk["waits"]:
                return ""
            return "" if not self._is_confirmed and self._says_yes("go on", "继续") else None
        probe = walk["next"]
        if not probe:
            return ""
        name = str(probe["probe"])
        self._say(f"{name}: {probe['en']}", f"{name}:{probe['zh']}")
        if self._is_confirmed or self._says_yes("you stand at the meter, may it go", "您在现场,可以执行吗"):
            return name
        return None

    def _says_yes(self, en: str, zh: str) -> bool:
        return typer.confirm(zh if self._lang == "zh" else f"{en}?", default=False)

    def _ended(self, walk: Mapping[str, Any]) -> int:
        self._show(walk, self._tell)
        return ExitCode.REFUSED if walk["result"] == "stopped" else ExitCode.OK

    def _tell(self, result: Mapping[str, Any]) -> None:
        """How the walk ended."""
        en, zh = _RESULTS[result["result"]]
        self._say(en.format(model=result["meter"]), zh)
        if result["stop"]:
            self._say(result["stop"]["en"], result["stop"]["zh"])

    def _tell_probes(self, result: Mapping[str, Any]) -> None:
        for number, probe in enumerate(result["probes"], start=1):
            say(f"{number:2d}  {probe['probe']:<20}  {probe['kind']:<14}  {probe[self._lang]}")

    def _tell_models(self, result: Mapping[str, Any], *, with_facts: bool) -> None:
        for one in result["models"]:
            say(f"{one['protocol']}  {one['model']}  {one['firmware']}  {one['by']}  {one['at']}")
            if with_facts:
                self._tell_facts(one["facts"])

    def _tell_facts(self, facts: Mapping[str, str]) -> None:
        """Those that were not told before."""
        for key, value in facts.items():
            if self._shown.get(key) != value:
                self._shown[key] = value
                self._say(f"  {key}: {value}", f"  {key}: {value}")

    def _say(self, en: str, zh: str) -> None:
        if not self._as_json:
            say(zh if self._lang == "zh" else en)
