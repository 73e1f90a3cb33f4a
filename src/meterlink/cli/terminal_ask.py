"""What ``meterlink terminal`` does: ask the daemon, and show what a concentrator answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import typer

from meterlink.cli.asking import Asking
from meterlink.cli.exit_codes import ExitCode

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "head": "terminal {terminal}, line {line}: {count} meters in its archive",
        "agrees": "archive and roster agree",
        "missing": "of the roster, and not in the archive: the terminal collects nothing of them",
        "strange": "in the archive, and not of the roster",
        "doubled": "several times in the archive",
        "other_protocol": "said to speak something else than in the roster",
        "unreadable": "entries that cannot be read: {count}",
        "would": "would be entered: {count} (do it with --do)",
        "entered": "entered: {count}",
        "nobody": "not in the roster",
    },
    "zh": {
        "head": "终端 {terminal},线路 {line}:档案中有 {count} 块电能表",
        "agrees": "终端档案与本地档案一致",
        "missing": "本地档案有而终端档案没有:终端不会采集",
        "strange": "终端档案有而本地档案没有",
        "doubled": "在终端档案中重复",
        "other_protocol": "规约与本地档案不同",
        "unreadable": "无法识别的条目:{count}",
        "would": "将下发:{count} 条(加 --do 执行)",
        "entered": "已下发:{count} 条",
        "nobody": "不在本地档案",
    },
}
_KINDS: Final = ("missing", "strange", "doubled", "other_protocol")


class TerminalAsking(Asking):
    """One command's way of asking; see ``Asking``."""

    def archive(self, line: str) -> int:
        """Show an archive; the exit code."""
        return self._told(self._asked("terminal.archive", line=line))

    def download(self, line: str, *, is_dry: bool) -> int:
        """Enter what lacks, or show it; the exit code."""
        return self._told(self._asked("terminal.download", line=line, dry_run=is_dry))

    def _told(self, result: Mapping[str, Any]) -> int:
        self._show(result, self._tell_archive)
        return ExitCode.OK if result["agrees"] else ExitCode.FAILURE

    def _tell_archive(self, result: Mapping[str, Any]) -> None:
        words = _WORDS[self._lang]
        count = len(result["meters"])
        typer.echo(words["head"].format(terminal=result["terminal"], line=result["line"], count=count))
        for one in result["meters"]:
            where = one["port"] if one["point"] is None else f"{one['port']} pn {one['point']}"
            whose = one["meter"] or words["nobody"]
            typer.echo(f"  {one['number']:>4}  {one['address']}  {one['protocol']:<12}  {where}  {whose}")
        for kind in _KINDS:
            if result[kind]:
                typer.echo(f"{words[kind]}: {', '.join(map(_named, result[kind]))}")
        if result["unreadable"]:
            typer.echo(words["unreadable"].format(count=result["unreadable"]))
        if "dry_run" in result:
            what, done = ("would", "to_enter") if result["dry_run"] else ("entered", "entered")
            typer.echo(words[what].format(count=len(result[done])))
        if result["agrees"]:
            typer.echo(words["agrees"])


def _named(one: Mapping[str, str] | str) -> str:
    if isinstance(one, str):
        return one
    protocol = f", {one['protocol']}" if "protocol" in one else ""
    return f"{one['address']} ({one['meter']}{protocol})"
