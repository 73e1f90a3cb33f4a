"""Fixtures for real servers, and the account of them at the end of a test run.

A test uses a server by naming its fixture, or starts it itself and says so with the marker ``server(name)``.
Where a program is missing the test is skipped and the last lines of the run name it;
with ``METERLINK_REQUIRE_SERVERS=1`` it fails instead.
Each worker of pytest-xdist hands its account in when it ends.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.support.servers import SERVERS, InfluxDB, Mosquitto, Server, VictoriaMetrics

REQUIRE_VARIABLE = "METERLINK_REQUIRE_SERVERS"
_FIXTURES = {name.replace("-", "_"): name for name in SERVERS}


@dataclass
class ServerAccount:
    """Which tests ran against which servers, and which were left out for want of one."""

    ran: dict[str, set[str]] = field(default_factory=dict)
    left_out: dict[str, set[str]] = field(default_factory=dict)

    def told(self) -> dict[str, dict[str, list[str]]]:
        """It, as a worker hands it in."""
        return {
            "ran": {name: sorted(tests) for name, tests in self.ran.items()},
            "left_out": {name: sorted(tests) for name, tests in self.left_out.items()},
        }

    def add(self, told: dict[str, dict[str, list[str]]]) -> None:
        """Take in what a worker told."""
        for name, tests in told["ran"].items():
            self.ran.setdefault(name, set()).update(tests)
        for name, tests in told["left_out"].items():
            self.left_out.setdefault(name, set()).update(tests)


_ACCOUNT = pytest.StashKey[ServerAccount]()
_HANDED_IN = "meterlink_servers"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_ACCOUNT] = ServerAccount()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker hands its account in."""
    handed_in = getattr(session.config, "workeroutput", None)  # set by pytest-xdist in its workers
    if handed_in is not None:
        handed_in[_HANDED_IN] = session.config.stash[_ACCOUNT].told()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """A worker has ended; one that crashed tells nothing, and its tests count as failed."""
    told = getattr(node, "workeroutput", {}).get(_HANDED_IN)
    if told is not None:
        node.config.stash[_ACCOUNT].add(told)


def _servers_of(item: pytest.Item) -> set[str]:
    named = {name for mark in item.iter_markers("server") for name in mark.args}
    unknown = named - SERVERS.keys()
    if unknown:
        raise pytest.UsageError(f"{item.nodeid}: no server is called {', '.join(sorted(unknown))}")
    return named | {_FIXTURES[name] for name in getattr(item, "fixturenames", ()) if name in _FIXTURES}


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture: is everything there that the test wants?"""
    account = item.config.stash[_ACCOUNT]
    for name in sorted(_servers_of(item)):
        missing = SERVERS[name].missing()
        if not missing:
            continue
        account.left_out.setdefault(name, set()).add(item.nodeid)
        words = f"{name} is absent (no program {', '.join(missing)}); `make servers` installs it"
        if os.environ.get(REQUIRE_VARIABLE) == "1":
            pytest.fail(f"{words}; {REQUIRE_VARIABLE}=1 wants it", pytrace=False)
        pytest.skip(words)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> None:
    """The body of the test begins, so its servers have started."""
    for name in _servers_of(item):
        item.config.stash[_ACCOUNT].ran.setdefault(name, set()).add(item.nodeid)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> None:
    """A failed test's report carries the ends of its servers' logs."""
    if call.excinfo is None:
        return
    for name, value in getattr(item, "funcargs", {}).items():
        if isinstance(value, Server):
            item.add_report_section(call.when, f"{name} log", value.log_tail())


@pytest.hookimpl(wrapper=True, tryfirst=True)  # around the others: what we say comes last
def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> Iterator[None]:
    """The last lines of the run: what was real, what was absent, what that left out."""
    yield
    account = config.stash[_ACCOUNT]
    if not account.ran and not account.left_out:
        return
    terminalreporter.write_sep("=", "real servers")
    for name, tests in sorted(account.ran.items()):
        terminalreporter.write_line(f"ran against {SERVERS[name].version()}: {_count(tests)}")
    for name, tests in sorted(account.left_out.items()):
        terminalreporter.write_line(f"ABSENT: {name}, which leaves out {_count(tests)}:", yellow=True)
        for test in sorted(tests):
            terminalreporter.write_line(f"  {test}", yellow=True)
    if account.left_out:
        terminalreporter.write_line("`make servers` installs what is absent.", yellow=True)


def _count(tests: set[str]) -> str:
    return f"{len(tests)} test{'' if len(tests) == 1 else 's'}"


@pytest.fixture
def mosquitto() -> Iterator[Mosquitto]:
    """A running broker of the test's own."""
    with Mosquitto() as server:
        yield server


@pytest.fixture
def victoria_metrics() -> Iterator[VictoriaMetrics]:
    """A running, empty VictoriaMetrics of the test's own."""
    with VictoriaMetrics() as server:
        yield server


@pytest.fixture
def influxdb() -> Iterator[InfluxDB]:
    """A running InfluxDB 1.6 behind nginx of the test's own, with an empty database."""
    with InfluxDB() as server:
        yield server
