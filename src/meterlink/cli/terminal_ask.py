"""What ``meterlink terminal`` does: ask the daemon, and show what a concentrator answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from meterlink.cli.asking import Asking
from meterlink.cli.desk import DaemonAway, Refusal, leave
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.saying import say

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
        "new": "new",
        "-": "not read",
        "changed": "stands there as {stood_as}, and becomes {protocol}",
        "nobody": "not in the roster",
        "clock": "terminal {terminal}, line {line}: its clock shows {shows}, {ahead_s:+d} s against ours",
        "no_time": "terminal {terminal}, line {line}: its clock shows no time",
        "would_set": "it would be set (do it with --do)",
        "set": "it was set",
        "settings": "set {settings} times in the last 30 days",
        "is_broken": "it is off although it was set: the clock is broken, have it exchanged",
        "ours": "this machine's clock is not said to be right: `clock_trusted` of [gateway]",
        "right": "it is right: there is nothing to set",
        "far": "it is more than 15 minutes off or lost: look at the terminal; to set it all the same, --far",
        "near_hour": "not within 5 minutes of a full hour: its hourly values would suffer; try again later",
        "near_midnight": "not within half an hour of midnight: its freezes would suffer; try again later",
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
        "new": "新增",
        "-": "不采集",
        "changed": "原为 {stood_as},改为 {protocol}",
        "nobody": "不在本地档案",
        "clock": "终端 {terminal},线路 {line}:时钟 {shows},与本机相差 {ahead_s:+d} 秒",
        "no_time": "终端 {terminal},线路 {line}:时钟无有效时间",
        "would_set": "将设置时钟(加 --do 执行)",
        "set": "已设置时钟",
        "settings": "最近 30 天内已设置 {settings} 次",
        "is_broken": "设置后仍有偏差:时钟故障,请更换",
        "ours": "未声明本机时钟准确:[gateway] 的 `clock_trusted`",
        "right": "时钟准确,无需设置",
        "far": "偏差超过 15 分钟或时间丢失:请现场检查;仍要设置请加 --far",
        "near_hour": "整点前后 5 分钟内不设置,以免影响整点数据;请稍后再试",
        "near_midnight": "零点前后 30 分钟内不设置,以免影响冻结;请稍后再试",
    },
}
BUSY_TRIES: Final = 6
"""A terminal waits a minute for a silent meter, and so does whoever comes behind it."""
_BUSY: Final = "busy"
ARCHIVE_ANSWER_S: Final = 660.0
"""For an archive the daemon waits for silent meters itself; it gives up a little sooner, and says why."""
RIGHT_S: Final = 5
"""A clock that is no further off is right."""
_KINDS: Final = ("missing", "strange", "doubled", "other_protocol")


class TerminalAsking(Asking):
    """One command's way of asking; see ``Asking``."""

    def archive(self, line: str) -> int:
        """Show an archive; the exit code."""
        return self._told(self._asked("terminal.archive", within_s=ARCHIVE_ANSWER_S, line=line))

    def download(self, line: str, *, is_dry: bool) -> int:
        """Enter what lacks, or show it; the exit code."""
        return self._told(
            self._asked("terminal.download", within_s=ARCHIVE_ANSWER_S, line=line, dry_run=is_dry)
        )

    def clock(self, line: str) -> int:
        """Show a clock; the exit code."""
        return self._told_clock(self._asked_patiently("terminal.clock", line=line))

    def set_clock(self, line: str, *, is_dry: bool, far: bool) -> int:
        """Set a clock, or show whether it would be set; the exit code."""
        return self._told_clock(
            self._asked_patiently("terminal.set_clock", line=line, dry_run=is_dry, may_be_far=far)
        )

    def _asked_patiently(self, op: str, **args: Any) -> dict[str, Any]:
        """The daemon's answer, also where the line is at silent meters, each of which takes a minute."""
        for left in reversed(range(BUSY_TRIES)):
            with self._at_desk() as desk:
                try:
                    return desk.ask(op, **args)
                except (Refusal, DaemonAway) as error:
                    is_busy = isinstance(error, Refusal) and error.error["code"] == _BUSY
                    if not (left and is_busy):  # that nothing was sent, no other answer says
                        leave(error, as_json=self._as_json, lang=self._lang)
        raise AssertionError("the last try ends it")

    def _told_clock(self, result: Mapping[str, Any]) -> int:
        self._show(result, self._tell_clock)
        return ExitCode.OK if _is_right(result) else ExitCode.FAILURE

    def _tell_clock(self, result: Mapping[str, Any]) -> None:
        words = _WORDS[self._lang]
        say(words["no_time" if result["shows"] is None else "clock"].format(**result))
        if result.get("is_set"):
            say(words["set"])
        elif result["against"] and ("dry_run" in result or _is_right(result)):
            for one in result["against"]:
                say(words[one])
        elif "dry_run" in result:
            say(words["would_set"])
        if result["settings"]:
            say(words["settings"].format(**result))
        if result["is_broken"]:
            say(words["is_broken"])

    def _told(self, result: Mapping[str, Any]) -> int:
        self._show(result, self._tell_archive)
        return ExitCode.OK if result["agrees"] else ExitCode.FAILURE

    def _tell_archive(self, result: Mapping[str, Any]) -> None:
        words = _WORDS[self._lang]
        count = len(result["meters"])
        say(words["head"].format(terminal=result["terminal"], line=result["line"], count=count))
        for one in result["meters"]:
            where = one["port"] if one["point"] is None else f"{one['port']} pn {one['point']}"
            whose = one["meter"] or words["nobody"]
            say(f"  {one['number']:>4}  {one['address']}  {one['protocol']:<12}  {where}  {whose}")
        for kind in _KINDS:
            if result[kind]:
                say(f"{words[kind]}: {', '.join(map(_named, result[kind]))}")
        if result["unreadable"]:
            say(words["unreadable"].format(count=result["unreadable"]))
        if "dry_run" in result:
            what, done = ("would", "to_enter") if result["dry_run"] else ("entered", "entered")
            say(words[what].format(count=len(result[done])))
            for one in result["places"]:
                point = "" if one["point"] is None else f"  pn {one['point']}"
                how = words["new"] if one["stood_as"] is None else _changed(one, words)
                say(f"  {one['number']:>4}  {one['address']}{point}  {one['meter']}: {how}")
        if result["agrees"]:
            say(words["agrees"])


def _is_right(result: Mapping[str, Any]) -> bool:
    ahead_s = result["ahead_s"]
    return ahead_s is not None and abs(ahead_s) <= RIGHT_S


def _changed(one: Mapping[str, Any], words: Mapping[str, str]) -> str:
    stood = one["stood_as"]
    return words["changed"].format(stood_as=words.get(stood, stood), protocol=one["protocol"])


def _named(one: Mapping[str, str] | str) -> str:
    if isinstance(one, str):
        return one
    protocol = f", {one['protocol']}" if "protocol" in one else ""
    return f"{one['address']} ({one['meter']}{protocol})"
