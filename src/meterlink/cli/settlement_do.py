"""What ``meterlink settle`` does: ask the daemon that runs, or open the journal where none does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from meterlink.audit.keys import GatewayKey
from meterlink.billing import days
from meterlink.cli.alone import own_name, people_of
from meterlink.cli.desk import DaemonAway, Desk, Refusal, leave
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.explained import explained
from meterlink.cli.language import Lang, chosen
from meterlink.cli.saying import say
from meterlink.cli.waiting import waiting_bar
from meterlink.clock import SystemClock
from meterlink.config import Settings, data_dir, load_settings
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import SOCKET_FILE
from meterlink.daemon.refusals import told
from meterlink.daemon.settling import AREAS, SETTLE, billing_of, check_may_bill, settled, settler_of
from meterlink.drivers.profiles import MeterProfiles
from meterlink.errors import BadRequest, JournalError, MeterlinkError
from meterlink.journal.journal import Journal

_NOTHING: Final = {"en": "nothing is new", "zh": "无新增"}
_WOULD: Final = {"en": "would be sealed: ", "zh": "将封存:"}
_KINDS: Final = {
    "seal": {"en": "seal", "zh": "封存"},
    "supplement": {"en": "supplement {number}", "zh": "补充 {number}"},
}
_LINE: Final = {
    "en": "{freezes} freezes; of {in_service} meters {with_freeze} with a freeze "
    "({valid} valid, {suspect} suspect, {rejected} rejected), {missing} missing",
    "zh": "{freezes} 条冻结;在运 {in_service} 块,有冻结 {with_freeze} 块"
    "(有效 {valid}、可疑 {suspect}、拒用 {rejected}),缺失 {missing} 块",
}
_NO_AREA: Final = {"en": "(no area)", "zh": "(无台区)"}

Answers = list[Mapping[str, Any]]
Tell = Callable[[int, int], None]


class Settling:
    """One command that seals days.

    Args:
        config: the configuration.
        as_json: one document on standard output in place of text.
        lang: asked for; ``None``: the locale's.

    """

    def __init__(self, config: Path, *, as_json: bool, lang: Lang | None) -> None:
        self._as_json = as_json
        self._lang = chosen(lang)
        with explained():
            self._settings = load_settings(config)
            self._profiles = MeterProfiles(self._settings.gateway.profiles)

    def settle(self, day: str, area: str | None, *, dry_run: bool) -> int:
        """Seal a day of one area or of all; the exit code."""
        try:
            days.parsed(day)
            with waiting_bar("settle") as tell:
                answers = self._answers(day, area, dry_run, tell)
        except BadRequest as error:
            leave(Refusal(told(error)), as_json=self._as_json, lang=self._lang)
        except (Refusal, DaemonAway) as error:
            leave(error, as_json=self._as_json, lang=self._lang)
        if self._as_json:
            say(json.dumps({"day": day, "dry_run": dry_run, "areas": answers}, ensure_ascii=False))
        else:
            for one in answers:
                say(self._line(one, dry_run))
        return ExitCode.OK

    def _answers(self, day: str, area: str | None, dry_run: bool, tell: Tell) -> Answers:
        try:
            desk = Desk(data_dir(self._settings) / SOCKET_FILE)
        except DaemonAway:
            return self._directly(day, area, dry_run, tell)
        with desk:
            areas = self._wanted(area) or desk.ask(AREAS, day=day)["areas"]
            found: Answers = []
            for number, one in enumerate(areas):
                tell(number, len(areas))
                found.append(_named(one, desk.ask(SETTLE, day=day, area=one, dry_run=dry_run)))
            return found

    def _wanted(self, area: str | None) -> Sequence[str]:
        """The areas that are asked for or configured; none: all that there are."""
        return (area,) if area is not None else billing_of(self._settings).areas

    def _directly(self, day: str, area: str | None, dry_run: bool, tell: Tell) -> Answers:
        user = own_name()
        try:
            check_may_bill(people_of(self._settings), user)
            return asyncio.run(_settled_here(self, self._wanted(area), day, dry_run, user, tell))
        except MeterlinkError as error:
            raise Refusal(told(error)) from None

    @property
    def settings(self) -> Settings:
        """Of the configuration."""
        return self._settings

    @property
    def profiles(self) -> MeterProfiles:
        """Of the meters."""
        return self._profiles

    def _line(self, answer: Mapping[str, Any], dry_run: bool) -> str:
        lang = self._lang
        area = answer["area"] or _NO_AREA[lang]
        if not answer["is_new"]:
            return f"{area}  {_NOTHING[lang]}"
        kind = _KINDS[answer["kind"]][lang].format(number=answer["number"] - 1)
        would = _WOULD[lang] if dry_run else ""
        line = _LINE[lang].format(freezes=answer["freezes"], **answer["counts"])
        return f"{area}  {would}{kind}  {line}" + ("" if dry_run else f"\n  {answer['folder']}")


async def _settled_here(
    command: Settling, wanted: Sequence[str], day: str, dry_run: bool, user: str, tell: Tell
) -> Answers:
    """Seal with the lock on the journal that a daemon would have."""
    folder, clock = data_dir(command.settings), SystemClock()
    path = folder / JOURNAL_FILE
    if not path.exists():
        raise JournalError(f"{path}: there is no journal")
    async with Journal.open(path, clock=clock, is_start=False) as journal:
        settler = settler_of(
            command.settings,
            command.profiles,
            folder,
            acts=journal.acts,
            key=GatewayKey.open(folder),
            clock=clock,
        )
        areas = wanted or await settler.areas(days.parsed(day))
        found: Answers = []
        for number, area in enumerate(areas):
            tell(number, len(areas))
            answer = await settled(settler, day, area, actor=user, dry_run=dry_run)
            found.append(_named(area, answer.as_json()))
        return found


def _named(area: str, answer: Mapping[str, Any]) -> Mapping[str, Any]:
    return {**answer, "area": area}
