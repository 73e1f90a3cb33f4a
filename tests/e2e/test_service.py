"""The daemon as a service: what its manager hears, and what it does when told to reload."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from meterlink.daemon.notify import STATUS_MAX, STOP_MAX_S, Notifier, reloading, status
from tests.support.gateway import METERLINK, write_config
from tests.support.processes import Program, wait_until


class _Systemd:
    """The socket on which systemd listens."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        self.heard: list[str] = []

    def hears(self, line: str, after: int = 0) -> bool:
        """Whether a line has come behind so many others."""
        while True:
            try:
                self.heard += self._socket.recv(4096).decode().split("\n")
            except BlockingIOError:
                return line in self.heard[after:]

    def last_status(self) -> str:
        return [line for line in self.heard if line.startswith("STATUS=")][-1]

    def close(self) -> None:
        self._socket.close()


@contextmanager
def _service(folder: Path, config: Path) -> Iterator[tuple[Program, _Systemd]]:
    systemd = _Systemd(folder / "notify")
    environment = {**os.environ, "NOTIFY_SOCKET": str(folder / "notify"), "WATCHDOG_USEC": "600000"}
    environment.pop("WATCHDOG_PID", None)
    program = Program([METERLINK, "run", "-c", str(config)], folder / "log", environment=environment)
    program.start(lambda: systemd.hears("READY=1"))
    try:
        yield program, systemd
    finally:
        program.stop()
        systemd.hears("")
        systemd.close()


def test_f56_a_service_is_told_reloads_and_keeps_what_is_good(tmp_path: Path) -> None:
    """F56: the manager would kill a daemon that works, or take a refused reload for a good one."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})
    good = config.read_text(encoding="utf-8")
    with _service(tmp_path, config) as (program, systemd):
        wait_until(lambda: systemd.hears("WATCHDOG=1"), what="the watchdog to be fed")
        for text, words in ((good + "[mtq]\n", "unknown key 'mtq'"), (good, None)):
            config.write_text(text, encoding="utf-8")
            seen = len(systemd.heard)
            before_us = time.monotonic_ns() // 1_000
            os.kill(program.pid, signal.SIGHUP)
            wait_until(lambda seen=seen: systemd.hears("READY=1", seen), what="the end of the reload")  # type: ignore[misc]
            told = systemd.heard[seen:]
            begun = told.index("RELOADING=1")
            assert begun < told.index("READY=1")
            moment_us = int(told[begun + 1].removeprefix("MONOTONIC_USEC="))
            assert before_us <= moment_us <= time.monotonic_ns() // 1_000
            said = told[told.index("READY=1") + 1]
            assert said.startswith("STATUS=")
            assert (words in said) if words else ("the old one holds" not in said)
        fed = len(systemd.heard)
        wait_until(lambda: systemd.hears("WATCHDOG=1", fed), what="the watchdog to be fed on")
    assert "STOPPING=1" in systemd.heard
    assert f"EXTEND_TIMEOUT_USEC={STOP_MAX_S}000000" in systemd.heard, (
        "or a big plant is killed while it ends"
    )
    assert 0 == program.exit_code


def test_f24_an_event_loop_that_hangs_does_not_feed_the_watchdog(tmp_path: Path) -> None:
    """F24: a daemon that hangs would be fed by a thread or a child of its own, and hang for ever."""
    config = write_config(tmp_path, {"tcp://127.0.0.1:1": ["000000000001"]})
    with _service(tmp_path, config) as (program, systemd):
        wait_until(lambda: systemd.hears("WATCHDOG=1"), what="the watchdog to be fed")
        os.kill(program.pid, signal.SIGSTOP)
        systemd.hears("")
        fed = len(systemd.heard)
        with pytest.raises(TimeoutError):
            wait_until(lambda: systemd.hears("WATCHDOG=1", fed), what="nobody", timeout_s=1.2)
        assert [] == systemd.heard[fed:]
        os.kill(program.pid, signal.SIGCONT)
        wait_until(lambda: systemd.hears("WATCHDOG=1", fed), what="the watchdog to be fed on")


def test_nobody_listens_yet(tmp_path: Path) -> None:
    """Started by hand, the daemon would end for a manager that is not there, or be deaf to one that comes."""
    for environment in ({}, {"NOTIFY_SOCKET": "/nowhere"}, {"NOTIFY_SOCKET": "@meterlink-nobody"}):
        Notifier(environment).tell("READY=1")
    notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
    notifier.tell("READY=1")
    with closing(_Systemd(tmp_path / "notify")) as systemd:
        notifier.tell("WATCHDOG=1")
        systemd.hears("")
        assert ["WATCHDOG=1"] == systemd.heard


def test_the_watchdog_is_ours_only_when_it_says_so() -> None:
    """A child would feed its parent's watchdog, or a wrong variable end the start."""
    ours = str(os.getpid())
    wanted = {"600000": 0.6, "": None, "soon": None}
    assert [*wanted.values()] == [Notifier({"WATCHDOG_USEC": each}).watchdog_s for each in wanted]
    assert 0.6 == Notifier({"WATCHDOG_USEC": "600000", "WATCHDOG_PID": ours}).watchdog_s
    assert Notifier({"WATCHDOG_USEC": "600000", "WATCHDOG_PID": "1"}).watchdog_s is None


def test_words_of_a_status_stay_in_one_line_and_are_not_endless() -> None:
    """A reason of two lines would be taken for a variable of its own."""
    assert "STATUS=a b READY=1" == status("a\nb\n READY=1")
    assert len("STATUS=") + STATUS_MAX == len(status("x" * 10_000))
    assert "RELOADING=1\nMONOTONIC_USEC=1500000" == reloading(1.5)
