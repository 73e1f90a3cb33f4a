"""Terminals of Q/GDW 1376.1 in the gatehouse: one for each line, over reloads, dialled or dialling."""

from __future__ import annotations

from typing import Any

from meterlink.config import LineSettings, Settings
from meterlink.daemon.dial_in import Gatehouse
from meterlink.daemon.terminal_line import terminal_settings, tunnel_timing
from meterlink.drivers.gdw1376.session import StationSession
from metersim.loop import SimClock

NAME = "0171-2082"


class _Journal:
    async def keep_report(self, *_: Any, **__: Any) -> bool:
        return True


def _settings(url: str, **terminal: Any) -> Settings:
    return Settings.model_validate(
        {
            "lines": [{"name": "area", "url": url, "terminal": terminal}],
            "meters": [{"id": "m1", "address": "161", "line": "area"}],
        }
    )


def _line(settings: Settings) -> LineSettings:
    [(line, _)] = settings.meters_by_line()
    return line


def test_a_terminal_keeps_its_place_over_a_reload_and_takes_what_is_new() -> None:
    """Its connection, which outlives the reload, would speak with somebody whom nobody asks any more."""
    url = f"listen://127.0.0.1:0?terminal={NAME}"
    before, after = _settings(url, heartbeat_min=1), _settings(url, heartbeat_min=5)
    gatehouse = Gatehouse(before, _Journal(), SimClock())
    station = gatehouse.station(_line(before))
    assert station is not None
    assert 60 == station.settings.heartbeat_s
    gatehouse.take(after)
    assert station is gatehouse.station(_line(after))
    assert 300 == station.settings.heartbeat_s
    assert {(NAME, "000000000161"): "m1"} == gatehouse.reports.meters


def test_a_terminal_that_is_dialled_has_the_ear_of_its_line() -> None:
    """What it reports would be heard by nobody."""
    settings = _settings(f"tcp://127.0.0.1:1?terminal={NAME}")
    gatehouse = Gatehouse(settings, _Journal(), SimClock())
    ear = gatehouse.ear("area")
    assert ear is not None
    session = ear()
    assert isinstance(session, StationSession)
    assert NAME == session.terminal
    assert {(NAME, "000000000161"): "m1"} == gatehouse.reports.meters


def test_what_is_configured_arrives(tmp_path: Any) -> None:
    """A port that is written down and not taken is found by nobody before the meters are silent."""
    place = tmp_path / "pw"
    place.write_text(bytes(range(16)).hex())
    told = {
        "password": f"file:{place}",
        "wide": True,
        "master": 7,
        "time_tag_min": 3,
        "port": 2,
        "baud": 9600,
        "parity": "none",
        "frame_timeout_s": 20,
        "octet_timeout_ms": 300,
        "reply_timeout_s": 15,
        "units_max": 4,
        "store_wait_min": 0,
        "fresh_min": 0,
    }
    found = terminal_settings(_line(_settings(f"tcp://127.0.0.1:1?terminal={NAME}", **told)))
    assert ("000171", 2082, 7) == found.address[:3]
    assert (bytes(range(16)), 3, 2, 6, "none") == (
        found.password(), found.time_tag_min, found.port, found.baud_code, found.parity,
    )  # fmt: skip
    assert (20, 300, 15.0, 4, 0.0, 0.0) == (
        found.frame_timeout_s,
        found.octet_timeout_ms,
        found.reply_timeout_s,
        found.units_max,
        found.store_wait_s,
        found.fresh_s,
    )
    assert 30.0 == tunnel_timing(found).reply_timeout_s
