"""The daemon with meters of several models: each is read as its own profile says."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterlink.config import LineSettings
from meterlink.daemon.line_timing import line_timing
from meterlink.errors import ConfigError
from meterprofiles import Profile, generic, load_file
from metersim import Meter, Station
from tests.support.agreement import readings_of
from tests.support.simulated import SimulatedGateway

_PLAIN, _OWN = "000000000161", "000000000162"
_ITEMS = ("frequency", "neutral_current")


def _profile(
    folder: Path, *more: str, name: str = "own/dtz", timeout_ms: int = 1500, delay_ms: int = 20
) -> Profile:
    timing = (
        f"reply_timeout_ms: {timeout_ms}, octet_gap_ms: 700, turnaround_ms: 80, reply_delay_ms: {delay_ms}"
    )
    lines = [
        f"profile: {name}",
        'matches: {protocol: dlt645-2007, model: "DTZ*"}',
        "line: {baud: 9600, parity: even, preamble: 2}",
        f"timing: {{{timing}}}",
        *more,
    ]
    file = folder / f"{name.replace('/', '-')}.yaml"
    file.write_text("\n".join(lines), encoding="utf-8")
    return load_file(file)


def _station(address: str, profile: Profile) -> Station:
    meter = Meter(address, seed=7, profile=profile)
    return Station(meter=meter, reply_delay_ms=profile.timing.reply_delay_ms)


def _read_items(gateway: SimulatedGateway, address: str) -> set[str]:
    return {reading.item for reading in readings_of(gateway.rows()) if reading.meter == f"m{address}"}


@pytest.mark.parametrize(("model", "read"), [("DTZ341", set(_ITEMS)), ("", set())])
def test_two_models_stand_on_one_line(tmp_path: Path, model: str, read: set[str]) -> None:
    """A meter that numbers its variables otherwise would be read as its neighbour, or not at all."""
    own = _profile(tmp_path, "layout: {variable_numbering: from_00}")
    gateway = SimulatedGateway(
        tmp_path,
        [_station(_PLAIN, generic("dlt645-2007")), _station(_OWN, own)],
        models={_OWN: model},
        profiles=tmp_path,
        plans=[{"name": "p", "every_s": 30, "items": _ITEMS}],
    )
    gateway.run(seconds=70)
    gateway.check()
    assert set(_ITEMS) == _read_items(gateway, _PLAIN)
    assert read == _read_items(gateway, _OWN)


@pytest.mark.parametrize(
    ("configured_ms", "model", "read"), [(None, "DTZ341", True), (None, "", False), (1700, "DTZ341", False)]
)
def test_a_line_waits_as_long_as_its_slowest_meter_needs(
    tmp_path: Path, configured_ms: int | None, model: str, read: bool
) -> None:
    """A slow model would never be read, though its profile says how slow it is."""
    own = _profile(tmp_path, timeout_ms=2500, delay_ms=2000)
    gateway = SimulatedGateway(
        tmp_path,
        [_station(_PLAIN, generic("dlt645-2007")), _station(_OWN, own)],
        models={_OWN: model},
        profiles=tmp_path,
        plans=[{"name": "p", "every_s": 30, "items": ("frequency",)}],
        reply_timeout_ms=configured_ms,
    )
    gateway.run(seconds=70)
    assert {"frequency"} == _read_items(gateway, _PLAIN)
    assert read == bool(_read_items(gateway, _OWN))


@pytest.mark.parametrize(
    ("url", "configured", "expected"),
    [
        ("tcp://127.0.0.1:1", {}, (2.5, 0.7, 0.0)),
        ("serial:///dev/ttyS9?baud=2400", {}, (2.5, 0.7, 0.08)),
        ("serial:///dev/ttyS9?baud=2400", {"turnaround_ms": 0, "octet_gap_ms": 10}, (2.5, 0.01, 0.0)),
        ("tcp://127.0.0.1:1", {"reply_timeout_ms": 50, "turnaround_ms": 30}, (0.05, 0.7, 0.03)),
    ],
)
def test_what_is_not_configured_the_profiles_say(
    tmp_path: Path, url: str, configured: dict[str, int], expected: tuple[float, float, float]
) -> None:
    """A configured 0 would be taken for nothing, or the fastest model would set the pace."""
    settings = LineSettings.model_validate({"name": "x", "url": url, **configured})
    timing = line_timing(settings, [generic("dlt645-2007"), _profile(tmp_path, timeout_ms=2500)])
    assert expected == (timing.reply_timeout_s, timing.octet_gap_s, timing.turnaround_s)


def test_two_profiles_of_one_meter_end_the_start(tmp_path: Path) -> None:
    """Which of them is taken would depend on the order of files."""
    own = _profile(tmp_path)
    _profile(tmp_path, name="own/other")
    gateway = SimulatedGateway(tmp_path, [_station(_OWN, own)], models={_OWN: "DTZ341"}, profiles=tmp_path)
    with pytest.raises(ExceptionGroup) as caught:
        gateway.run(seconds=1)
    (error,) = caught.value.exceptions
    assert isinstance(error, ConfigError)
    assert "own/dtz and own/other could both serve a model" in str(error)
    assert not gateway.dialled
