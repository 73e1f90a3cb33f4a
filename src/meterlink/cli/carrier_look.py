"""What ``meterlink carrier`` does: ask the daemon for a module, and show it to people or to programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from rich.table import Table
from rich.text import Text

from meterlink.cli.asking import Asking, local
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.saying import say
from meterlink.cli.tables import print_table

FOLLOW_S: Final = 20
"""How long one question waits for the end of a comparison."""
_STATES: Final = {
    "en": {"ready": "ready", "starting": "being started", "down": "down"},
    "zh": {"ready": "就绪", "starting": "启动中", "down": "不可用"},
}
_WORDS: Final = {
    "en": {
        "module": "{line}: {state}{stage}; module {vendor} {version}, main node {main_node}, "
        "reads by {way}, {used} of {places} places (at most {most})",
        "no_table": "its table of nodes has not been read yet",
        "table": "{nodes} nodes of {capacity}, read {at}",
        "same": "roster and module agree",
        "missing": "missing in the module: {address} {meter}",
        "stranger": "stranger in the module: {address}",
        "other": "other protocol in the module: {address} {meter}",
        "counts": "starts {starts}, resets {resets}; answers late {late}, double {double}, stray {stray}",
        "denied": "denied {count} times: {code} ({reason})",
        "trouble": "the comparison came to nothing: {why}",
        "changed": "requests that changed the table: {changed}",
    },
    "zh": {
        "module": "{line}：{state}{stage}；模块 {vendor} {version}，主节点 {main_node}，"
        "抄读方式 {way}，占用 {used}/{places}（上限 {most}）",
        "no_table": "尚未读取节点档案",
        "table": "节点 {nodes}/{capacity}，读取于 {at}",
        "same": "档案一致",
        "missing": "模块缺少：{address} {meter}",
        "stranger": "模块多出：{address}",
        "other": "规约不一致：{address} {meter}",
        "counts": "启动 {starts} 次，重启 {resets} 次；应答迟到 {late}，重复 {double}，无主 {stray}",
        "denied": "否认 {count} 次：{code}（{reason}）",
        "trouble": "比对未完成：{why}",
        "changed": "修改档案的命令数：{changed}",
    },
}
_HEADS: Final = {
    "en": ("address", "meter", "protocol", "level", "quality", "phase", "longest s", "wait s"),
    "zh": ("地址", "电表", "规约", "层级", "质量", "相位", "最长(秒)", "等待(秒)"),
}


class CarrierAsking(Asking):
    """One command's way of asking for a module, and showing it."""

    def routes(self, line: str) -> int:
        """Show a module; the exit code."""
        view = self._asked("carrier.routes", line=line)
        self._show(view, self._tell)
        return _code(view)

    def sync(self, line: str, *, dry_run: bool) -> int:
        """Compare or bring in step, and show what came of it; the exit code."""
        with self._at_desk() as desk:
            view = self._of(desk, "carrier.sync", line=line, dry_run=dry_run)
            while view["syncing"]:
                view = self._of(desk, "carrier.follow", line=line, wait_s=FOLLOW_S)
        self._show(view, self._tell)
        return _code(view)

    def _tell(self, result: Mapping[str, Any]) -> None:
        for sentence in self._sentences(result):
            say(sentence)
        if not result["nodes"]:
            return
        table = Table(*_HEADS[self._lang], box=None, pad_edge=False)
        for node in result["nodes"]:
            told = [node[key] for key in ("address", "meter", "protocol", "level", "quality", "phase")]
            told += [node["longest_s"] if node["longest_s"] is not None else "", node["timeout_s"]]
            table.add_row(*(Text(str(cell)) for cell in told))
        print_table(table)

    def _sentences(self, view: Mapping[str, Any]) -> Iterator[str]:
        words = _WORDS[self._lang]
        state = _STATES[self._lang][view["state"]]
        stage = f" ({view['stage']})" if view["stage"] else ""
        yield words["module"].format_map({**view, **view["window"], "state": state, "stage": stage})
        if view["table_at"] is None:
            yield words["no_table"]
        else:
            at = local(view["table_at"])
            yield words["table"].format(nodes=len(view["nodes"]), capacity=view["capacity"], at=at)
            if not _differs(view):
                yield words["same"]
        for key, name in (("missing", "missing"), ("other_protocol", "other")):
            for one in view[key]:
                yield words[name].format_map(one)
        for address in view["strangers"]:
            yield words["stranger"].format(address=address)
        yield words["counts"].format_map(view["counts"])
        for denied in view["counts"]["denied"]:
            yield words["denied"].format_map(denied)
        if view["changed"]:
            yield words["changed"].format_map(view)
        if view["sync_trouble"]:
            yield words["trouble"].format(why=view["sync_trouble"])


def _differs(view: Mapping[str, Any]) -> bool:
    return bool(view["missing"] or view["strangers"] or view["other_protocol"])


def _code(view: Mapping[str, Any]) -> int:
    """Whether the module is ready and agrees with the roster."""
    is_fine = view["state"] == "ready" and view["table_at"] is not None and not view["sync_trouble"]
    return ExitCode.OK if is_fine and not _differs(view) else ExitCode.FAILURE
