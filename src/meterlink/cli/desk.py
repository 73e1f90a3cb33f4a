"""Asking the running daemon through its control socket, one request after the other."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Literal, NoReturn, Self

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.saying import say

ANSWER_TIMEOUT_S: Final = 60.0
"""A daemon that does not answer for so long is given up; what was asked for may happen all the same."""
ANSWER_OCTETS_MAX: Final = 64 * 1024 * 1024
"""An answer that is longer is none of our daemon's."""

_EXIT_CODES: Final = {
    "bad_request": ExitCode.USAGE,
    "unknown": ExitCode.USAGE,
    "clash": ExitCode.FORBIDDEN,
    "not_allowed": ExitCode.FORBIDDEN,
    "stopped": ExitCode.FORBIDDEN,
    "evidence_refused": ExitCode.USAGE,
    "taken": ExitCode.FORBIDDEN,
    "journal": ExitCode.JOURNAL,
}
"""By the code of a refusal; everything else is a failure."""


class Refusal(Exception):
    """The daemon said no.

    Args:
        error: what it told.

    """

    def __init__(self, error: Mapping[str, str]) -> None:
        super().__init__(error["en"])
        self.error = dict(error)
        self.exit_code = _EXIT_CODES.get(error["code"], ExitCode.FAILURE)


class DaemonAway(Exception):
    """Nobody answers at the control socket; the message says what to look at.

    Args:
        en: what happened, and what to look at.
        zh: the same in Chinese.

    """

    def __init__(self, en: str, zh: str) -> None:
        super().__init__(en)
        self.zh = zh


class Desk:
    """One connection to the daemon's control socket; a context manager.

    Args:
        path: of the socket.
        answer_s: so long it is waited for each answer.

    Raises:
        DaemonAway: nobody answers there.

    """

    def __init__(self, path: Path, *, answer_s: float = ANSWER_TIMEOUT_S) -> None:
        from meterlink.transports.unix_path import short_path

        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(answer_s)
        try:
            with short_path(path) as near:
                self._socket.connect(near)
        except OSError as error:
            self._socket.close()
            raise DaemonAway(
                f"{path}: the daemon does not answer ({error.strerror or error}): does `meterlink run` run "
                "with this configuration, and are you in the group of its user?",
                f"{path}:守护进程没有应答({error.strerror or error}):请确认 `meterlink run` 正以该配置运行,"
                "且您属于其用户所在的组",
            ) from None
        self._answers = self._socket.makefile("rb")

    def ask(self, op: str, **args: Any) -> dict[str, Any]:
        """The result of a request.

        Raises:
            Refusal: the daemon said no.
            DaemonAway: it has gone, or does not answer.

        """
        request = json.dumps(
            {"id": "1", "op": op, "args": args}
        ).encode()  # escapes hold any octet of a shell
        try:
            self._socket.sendall(request + b"\n")
            line = self._answers.readline(ANSWER_OCTETS_MAX)
        except OSError as error:
            raise DaemonAway(
                f"{self._path}: no answer: {error.strerror or error}",
                f"{self._path}:没有应答:{error.strerror or error}",
            ) from None
        if not line.endswith(b"\n"):
            raise DaemonAway(
                f"{self._path}: the daemon went away before it answered",
                f"{self._path}:守护进程在应答之前已退出",
            )
        answer = json.loads(line)
        if not answer["ok"]:
            raise Refusal(answer["error"])
        result: dict[str, Any] = answer["result"]
        return result

    def __enter__(self) -> Self:
        """Use it."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        self._answers.close()
        self._socket.close()


def socket_of(config: Path) -> Path:
    """Where the daemon that runs with a configuration answers; ends the command where that is wrong."""
    from meterlink.cli.journal_file import folder_of
    from meterlink.daemon.control_socket import SOCKET_FILE

    return folder_of(config) / SOCKET_FILE


def desk_of(
    config: Path, *, as_json: bool, lang: Literal["en", "zh"], answer_s: float = ANSWER_TIMEOUT_S
) -> Desk:
    """The desk of the daemon that runs with a configuration; ends the command where there is none."""
    try:
        return Desk(socket_of(config), answer_s=answer_s)
    except DaemonAway as error:
        leave(error, as_json=as_json, lang=lang)


def leave(error: Refusal | DaemonAway, *, as_json: bool, lang: Literal["en", "zh"]) -> NoReturn:
    """Tell why something could not be done, and end the command."""
    if isinstance(error, DaemonAway):
        told, code = {"code": "daemon_away", "en": str(error), "zh": error.zh}, ExitCode.DAEMON
    else:
        told, code = error.error, error.exit_code
    if as_json:
        say(json.dumps({"error": told}, ensure_ascii=False))
    else:
        say(told[lang], err=True)
    raise typer.Exit(code)
