"""Programs of others, started in a temporary folder and never left behind.

A program lives as long as whoever started it. A warden, one small process a session, is told each process
id and each folder; when the pipe to it closes it kills and removes what is still there. So nothing is left
behind by a failed test, by Ctrl-C, or by ``kill -9`` of the test run itself.
"""

from __future__ import annotations

import json
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

LOOPBACK = "127.0.0.1"
START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 5.0
HTTP_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.01
PORT_TRIES_MAX = 50
LOG_TAIL_OCTETS = 4_000

_WARDEN = """
import os, shutil, signal, sys
processes, folders = set(), set()
for line in sys.stdin:
    verb, _, name = line.rstrip("\\n").partition(" ")
    {"pid": lambda: processes.add(int(name)), "-pid": lambda: processes.discard(int(name)),
     "folder": lambda: folders.add(name), "-folder": lambda: folders.discard(name)}[verb]()
for process in processes:
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass
for folder in folders:
    for _ in range(50):
        shutil.rmtree(folder, ignore_errors=True)
        if not os.path.exists(folder):
            break
"""


class _Warden:
    """Cleans up after us, whatever ends us."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None

    def tell(self, verb: str, name: object) -> None:
        """One line: ``pid``, ``-pid``, ``folder`` or ``-folder``, and its name."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", _WARDEN],
                stdin=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for us; the warden ends when we have ended
            )
        assert self._process.stdin is not None
        self._process.stdin.write(f"{verb} {name}\n")
        self._process.stdin.flush()


_warden = _Warden()


class Child(NamedTuple):
    """A process that another one has started.

    Args:
        pid: of it.
        command: with its arguments.

    """

    pid: int
    command: str


def children(pid: int) -> list[Child]:
    """The processes that a process has started and that are still there."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    lines = ((int(child), Path(f"/proc/{child}/cmdline").read_bytes()) for child in found)
    return [Child(child, line.decode().replace("\0", " ")) for child, line in lines]


def wait_until(condition: Callable[[], bool], *, what: str, timeout_s: float = START_TIMEOUT_S) -> None:
    """Poll until the condition holds.

    Raises:
        TimeoutError: it did not hold in time.

    """
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s:g} s for {what}")
        time.sleep(POLL_INTERVAL_S)


def free_port() -> int:
    """A loopback port that nobody listens on, below the range from which the kernel takes outgoing ports.

    A server keeps its port over a restart, so no passing connection may be given it in between.
    """
    for _ in range(PORT_TRIES_MAX):
        port = 12_000 + secrets.randbelow(20_000)
        with socket.socket() as probe:
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise TimeoutError(f"no free port in {PORT_TRIES_MAX} tries")


def accepts(port: int) -> bool:
    """Whether somebody takes connections on this loopback port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex((LOOPBACK, port)) == 0


def request(url: str, body: bytes | None = None, *, content_type: str | None = None) -> tuple[int, str]:
    """GET, or POST when there is a body: status and text, also of an error; status 0 when nobody answers."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    headers = {"Content-Type": content_type} if content_type else {}
    try:
        with opener.open(
            urllib.request.Request(url, data=body, headers=headers), timeout=HTTP_TIMEOUT_S
        ) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError:  # refused, or cut while starting or stopping
        return 0, ""


def make_folder(name: str) -> Path:
    """A temporary folder that ``remove_folder`` or the warden takes away."""
    folder = Path(tempfile.mkdtemp(prefix=f"meterlink-{name}-"))
    _warden.tell("folder", folder)
    return folder


def remove_folder(folder: Path) -> None:
    """Take the folder away with all that is in it."""
    shutil.rmtree(folder, ignore_errors=True)
    _warden.tell("-folder", folder)


class Program:
    """One program and its log file; it can be stopped, killed and started again.

    Args:
        command: the program with its arguments.
        log: where its standard output and error go; a restart appends.
        folder: where it runs; ``None``: where we run.
        environment: its environment; ``None``: ours.

    """

    def __init__(
        self,
        command: list[str],
        log: Path,
        *,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.command = command
        self.log = log
        self.exit_code: int | None = None
        self._folder = folder
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id; only while it runs."""
        assert self._process is not None
        return self._process.pid

    def start(self, ready: Callable[[], bool]) -> None:
        """Start it and wait until it is ready.

        Raises:
            ChildProcessError: it ended at once; the message carries the end of its log.
            TimeoutError: it did not become ready in time; it is killed.

        """
        assert not self.running
        with self.log.open("ab") as output:
            self._process = self._spawn(output)
        _warden.tell("pid", self._process.pid)
        try:
            wait_until(lambda: not self.running or ready(), what=f"{self.command[0]} to be ready")
        except BaseException:
            self.kill()
            raise
        if not self.running:
            self._gone()
            raise ChildProcessError(f"{self.command[0]} ended at once:\n{self.log_tail()}")

    def _spawn(self, output: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=self._folder,
            env=self._environment,
            start_new_session=True,
        )

    def stop(self) -> None:
        """Ask it to end (SIGTERM) and wait; kill it when it does not."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it at once (SIGKILL), as a power cut would."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_TIMEOUT_S)
        self._gone()

    def _gone(self) -> None:
        assert self._process is not None
        _warden.tell("-pid", self._process.pid)
        self.exit_code = self._process.returncode
        self._process = None

    def log_tail(self) -> str:
        """The end of what it logged."""
        return self.log.read_bytes()[-LOG_TAIL_OCTETS:].decode(errors="replace") if self.log.exists() else ""


@contextmanager
def announced(command: list[str], log: Path) -> Iterator[tuple[Program, dict[str, Any]]]:
    """Run a program that prints a line ``{"ready": ...}`` when it is; end it at the end of the block.

    Args:
        command: the program with its arguments.
        log: where its output goes.

    Yields:
        the program, and what its line says.

    Raises:
        ChildProcessError: it ended at once.
        TimeoutError: it did not get ready.

    """
    log.unlink(missing_ok=True)  # that of an earlier run in the same folder, with its ready line
    program = Program(command, log)
    program.start(lambda: _announcement(log) is not None)
    said = _announcement(log)
    assert said is not None
    try:
        yield program, said
    finally:
        program.stop()


def _announcement(log: Path) -> dict[str, Any] | None:
    lines = log.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return next((json.loads(line) for line in lines if line.startswith('{"ready"')), None)
