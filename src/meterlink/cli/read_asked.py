"""Asking the running daemon to read a meter, and showing what became of each item."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from meterlink.cli.console import stderr
from meterlink.cli.desk import DaemonAway, Desk, Refusal, socket_of
from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.read_show import PLANT_TIME, Row, ending, show_failure, show_rows
from meterlink.cli.saying import say

_FOLLOW_S: Final = 2
"""How long the daemon keeps one request that waits for the end; also how often the progress is told."""
_OTHERWISE: Final = (
    "start it with `meterlink run`, or open the line yourself with --line（请先启动 meterlink run，"
    "或用 --line 直接读取）"
)
_OLD: Final = (
    "the daemon that runs is older than this command and cannot read on demand: start it anew"
    "（正在运行的守护进程版本较旧，请重启）"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What was asked for, as given on the command line.

    Args:
        meter: our id, meter number or address.
        items: names of the catalogue, at least one.
        count: of records: how many; 0: not said.
        since: of records: from when on, without a zone, in plant time; ``None``: not said.
        tries: how often to ask a silent meter.
        timeout_s: longest that all of it may take.

    """

    meter: str
    items: tuple[str, ...]
    count: int
    since: datetime | None
    tries: int
    timeout_s: int

    @property
    def args(self) -> dict[str, Any]:
        """Of the request."""
        since = "" if self.since is None else self.since.replace(tzinfo=PLANT_TIME).isoformat()
        return {
            "meter": self.meter,
            "items": list(self.items),
            "count": self.count,
            "since": since,
            "tries": self.tries,
            "timeout_s": self.timeout_s,
        }


def ask_daemon(asked: Asked, config: Path, *, as_json: bool) -> int:
    """Ask, wait, print, and say how it went.

    Args:
        asked: what.
        config: of the daemon.
        as_json: one JSON document on standard output, also for a failure.

    Returns:
        the command's exit code.

    """
    path = socket_of(config)
    try:
        with Desk(path) as desk:
            read = desk.ask("read.begin", **asked.args)
            return _show(read, _followed(desk, path, read), as_json=as_json)
    except DaemonAway as error:
        _show_stop(asked, "DaemonAway", f"{error}\n{_OTHERWISE}", as_json=as_json)
        return ExitCode.DAEMON
    except Refusal as refusal:
        if _is_of_an_old_daemon(refusal):
            _show_stop(asked, "old_daemon", _OLD, as_json=as_json)
            return ExitCode.DAEMON
        _show_stop(asked, refusal.error["code"], refusal.error["en"], as_json=as_json)
        return refusal.exit_code


def _followed(desk: Desk, path: Path, read: dict[str, Any]) -> dict[str, Any]:
    """The read at its end; taken back where somebody presses Ctrl-C meanwhile."""
    console = stderr(soft_wrap=False)
    status = console.status(_progress(read))
    try:
        while read["state"] == "waiting":
            read = desk.ask("read.follow", id=read["id"], wait_s=_FOLLOW_S)
            if read["state"] == "waiting" and console.is_terminal:
                status.update(_progress(read))
                status.start()
    except KeyboardInterrupt:
        with suppress(DaemonAway, Refusal), Desk(path) as other:  # the first is in the middle of an answer
            other.ask("read.cancel", id=read["id"])
        status.stop()
        console.print("taken back: the daemon reads no more of it（已取消）")
        raise
    finally:
        status.stop()
    return read


def _progress(read: dict[str, Any]) -> str:
    before = f"{read['before']} read{'' if read['before'] == 1 else 's'} before this one"
    return f"{read['meter']} on {read['line']} 等待中: {read['done']} of {read['of']} items, {before}"


def _is_of_an_old_daemon(refusal: Refusal) -> bool:
    """Whether the words are those with which a daemon refuses what it does not know."""
    from meterlink.daemon.requests import NO_CONTROL

    return refusal.error["en"] in {"there is no request 'read.begin'", NO_CONTROL}


def _show(begun: dict[str, Any], read: dict[str, Any], *, as_json: bool) -> int:
    rows = [Row.of(value) for item in read["items"] for value in item["values"]]
    failed = [item for item in read["items"] if item["error"] is not None]
    if as_json:
        _print(
            {
                "line": read["line"],
                "protocol": begun["protocol"],
                **({"model": begun["model"]} if begun["model"] else {}),
                "meter": read["meter"],
                "address": read["address"],
                "values": [row.as_json() for row in rows],
                "items": [{"item": item["item"], "error": item["error"]} for item in read["items"]],
                "error": failed[0]["error"] if failed else None,
            }
        )
    else:
        if rows:
            show_rows(f"meter 电能表 {read['meter']}  {read['address']}  {read['line']}", rows)
        for message, (kind, items) in _by_message(failed).items():
            show_failure(kind, f"{', '.join(items)}: {message}")
    return ending(rows, [item["error"]["kind"] for item in failed])


def _by_message(failed: list[dict[str, Any]]) -> dict[str, tuple[str, list[str]]]:
    """What is to be told once: a message, with its class and the items that it befell."""
    told: dict[str, tuple[str, list[str]]] = {}
    for item in failed:
        error = item["error"]
        told.setdefault(error["message"], (error["kind"], []))[1].append(item["item"])
    return told


def _show_stop(asked: Asked, kind: str, message: str, *, as_json: bool) -> None:
    """Why nothing was read at all."""
    if as_json:
        _print({"meter": asked.meter, "values": [], "error": {"kind": kind, "message": message}})
    else:
        say(f"error: {message}", err=True)


def _print(document: dict[str, Any]) -> None:
    say(json.dumps(document, ensure_ascii=False, indent=2))
