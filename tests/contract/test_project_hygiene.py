"""The project speaks of itself alone: no file names a build machine, or calls out to the world."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.project import ROOT, project_files

# Written in pieces, so that this file does not name them either.
_REGISTRIES = tuple(
    name.replace(" ", ".")
    for name in ("pypi org", "pythonhosted org", "anaconda org", "npmjs org", "proxy golang org", "crates io")
)
_MACHINE_PATHS = tuple(f"/{folder}/" for folder in ("work", "root", "home", "Users", "opt/pypi"))
_RUNS = {".py", ".toml", ".yaml", ".yml", ".conf", ".service", ".sql", ""}
_QUAD = re.compile(r"(?<![\w.])(?<!\d:)(?:\d{1,3}\.){3}\d{1,3}(?![\w.]*\d)")  # not longer, as OBIS codes are
_BEFORE_AN_ADDRESS = ("'", '"', "/", "@")
_URL_HOST = re.compile(r"\b[a-z][a-z0-9+]*://(?:[^\s/@\"'{]*@)?(\[[0-9a-f:]+\]|[A-Za-z0-9.-]*)")
_OWN_HOSTS = {"", "127.0.0.1", "[::1]", "[::]", "localhost"}
_FOR_EXAMPLES = tuple(
    ipaddress.ip_network(f"{start}.0/24") for start in ("192.0.2", "198.51.100", "203.0.113")
)


def registry_hosts(text: str, _path: Path) -> Iterator[str]:
    """Package registries named anywhere."""
    yield from (host for host in _REGISTRIES if host in text)


def machine_paths(text: str, _path: Path) -> Iterator[str]:
    """Absolute paths that exist on a build machine only."""
    yield from (name for name in (*_MACHINE_PATHS, f"{ROOT}/") if name in text)


def foreign_addresses(text: str, path: Path) -> Iterator[str]:
    """IPv4 addresses that are not loopback; those reserved for examples (RFC 5737) pass outside tests.

    0.0.0.0 is where one listens, and nobody's machine.

    Vectors hold what published frames hold: parameters of other people's terminals, which nobody calls.
    """
    if path.parent.name == "vectors" and path.suffix == ".jsonl":
        return
    for found in _QUAD.finditer(text):
        quad = found[0]
        try:
            address = ipaddress.IPv4Address(quad)
        except ValueError:
            continue
        if int(quad.partition(".")[0]) < 10 and not text[: found.start()].endswith(_BEFORE_AN_ADDRESS):
            continue  # a section of a standard, as in "MQTT 5, 3.3.2.1"
        reserved = "tests" not in path.parts and any(address in network for network in _FOR_EXAMPLES)
        if not address.is_loopback and not address.is_unspecified and not reserved:
            yield quad


def foreign_urls(text: str, path: Path) -> Iterator[str]:
    """URLs of other machines in what runs; prose and vectors may name public projects."""
    if path.suffix not in _RUNS:
        return
    for host in _URL_HOST.findall(text):
        no_name = "." not in host and ":" not in host  # a placeholder, or a service of a compose file
        own = host in _OWN_HOSTS or no_name or host.endswith((".example", ".invalid"))
        if not own and _QUAD.fullmatch(host) is None:  # those have a rule of their own
            yield host


Rule = Callable[[str, Path], Iterator[str]]
_RULES: tuple[Rule, ...] = (registry_hosts, machine_paths, foreign_addresses, foreign_urls)
_PROSE_OF_OTHERS = {"LICENSE"}


@pytest.mark.parametrize("rule", _RULES, ids=lambda rule: rule.__name__)
def test_no_file_names_machines_that_are_not_ours(rule: Rule) -> None:
    """A clone would carry the build machine's secrets along, or a test run would call strangers."""
    found = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in project_files()
        if path.name not in _PROSE_OF_OTHERS
        for name in rule(path.read_text(encoding="utf-8", errors="replace"), path)
    ]
    assert [] == found


@pytest.mark.parametrize(
    ("rule", "text", "caught"),
    [
        (registry_hosts, "see https://pypi" + ".org/x", True),
        (registry_hosts, "see PyPI", False),
        (machine_paths, "/" + "home/somebody/x", True),
        (machine_paths, "homework/x", False),
        (foreign_addresses, "10.0" + ".0.7:4001", True),
        (foreign_addresses, "tcp://127.0.0.1:4001", False),
        (foreign_addresses, "OBIS 1.0.1.8.0.255", False),
        (foreign_addresses, "v1.2.3", False),
        (foreign_addresses, "mqtt://8" + ".8.8.8", True),
        (foreign_addresses, "MQTT 5, 3.3.2.1", False),
        (foreign_urls, "https://some" + "where.net/x", True),
        (foreign_urls, "mqtt://user:secret@some" + "where.net", True),
        (foreign_urls, "tcp://[2001:db8" + "::1]:4001", True),
        (foreign_urls, "http://influxdb:8086", False),
        (foreign_urls, "tcp://[::1]:4001", False),
        (foreign_urls, 'f"http://{host}/"', False),
    ],
)
def test_the_rules_catch_what_they_are_for(rule: Rule, text: str, caught: bool) -> None:
    """A rule that cannot fire would pass for years."""
    assert bool(list(rule(text, Path("x.py")))) is caught


def test_the_walk_sees_the_project() -> None:
    """A walk that found nothing would make every rule pass."""
    seen = {str(path.relative_to(ROOT)) for path in project_files()}
    assert {"Makefile", ".ci/run", "README.md", "src/meterlink/errors.py", "tests/conftest.py"} <= seen
