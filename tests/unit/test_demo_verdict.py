"""The demonstration judges honestly: a value that is wrong or missing anywhere fails it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from meterlink.cli.demonstration.stations import SEEN_MAX, Files, Key, Simulator, Station, Tail
from meterlink.cli.demonstration.verdict import Verdict, judge

_SLOT = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
_ITEMS = ("forward_active_energy", "voltage.a")
_VALUES = {"forward_active_energy": "0.26", "voltage.a": "220.5"}


class _Scene:
    """One meter whose reading has come out right everywhere; tests then spoil something."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.answers = folder / "answers.jsonl"
        self.simulator = Simulator(self.answers, {"000000000001": "meter-01"}, 2)
        self.journal: Station = Station("journal")
        self.mqtt: Station = Station("MQTT")
        self.files = Files(folder)
        self.values = dict(_VALUES)

    def judge(self) -> Verdict:
        for item, value in self.values.items():
            for station in (self.journal, self.mqtt):
                station.see(Key("meter-01", _SLOT, item), Decimal(value))
        answer = {
            "at": (_SLOT + timedelta(seconds=0.5)).isoformat(),
            "address": "000000000001",
            "values": self.values,
        }
        self.answers.write_text(json.dumps(answer) + "\n")
        fields = ",".join(f"{item.replace('.', '_')}={value}" for item, value in self.values.items())
        line = f"instant,gateway=g,meter=meter-01,site=s {fields},marks=0i {int(_SLOT.timestamp())}\n"
        (self.folder / "points-00000001.lp").write_text("# a comment\n" + line)
        self.simulator.look()
        self.files.look()
        return judge(("meter-01",), _ITEMS, self.simulator, (self.journal, self.mqtt), self.files)


def _spoil_simulator(scene: _Scene) -> None:
    scene.simulator.reported = lambda key: {Decimal("0.27")}  # type: ignore[method-assign]


class _Off(Station):
    """A station where another value was seen."""

    def see(self, key: Key, value: Decimal) -> None:
        super().see(key, value + Decimal("0.01"))


class _Blind(Station):
    """A station that nothing reached."""

    def see(self, key: Key, value: Decimal) -> None:
        pass


def _spoil_journal(scene: _Scene) -> None:
    scene.journal = _Off("journal")


def _spoil_mqtt(scene: _Scene) -> None:
    scene.mqtt = _Off("MQTT")


def _lose_on_the_way(scene: _Scene) -> None:
    scene.mqtt = _Blind("MQTT")


def _lose_an_item(scene: _Scene) -> None:
    del scene.values["voltage.a"]


def test_all_is_well(tmp_path: Path) -> None:
    """A verdict that never passes shows nothing either."""
    assert Verdict(("meter-01",), (), ()) == _Scene(tmp_path).judge()


@pytest.mark.parametrize("spoil", [_spoil_simulator, _spoil_journal, _spoil_mqtt])
def test_a_wrong_value_is_named(tmp_path: Path, spoil: Callable[[_Scene], None]) -> None:
    """A demonstration that always succeeds would hide a broken path from everybody."""
    scene = _Scene(tmp_path)
    spoil(scene)
    verdict = scene.judge()
    assert verdict.wrong
    assert "meter-01" in verdict.wrong[0]
    assert "0.26" in " ".join(verdict.wrong)
    assert "0.27" in " ".join(verdict.wrong)


@pytest.mark.parametrize("lose", [_lose_on_the_way, _lose_an_item])
def test_what_did_not_arrive_is_missing(tmp_path: Path, lose: Callable[[_Scene], None]) -> None:
    """Half a slot, or one that nobody saw on the way, is no success."""
    scene = _Scene(tmp_path)
    lose(scene)
    assert Verdict((), ("meter-01",), ()) == scene.judge()


def test_a_station_forgets_the_oldest() -> None:
    """A demonstration left running for a week must not eat the memory."""
    station = Station("x")
    for number in range(SEEN_MAX + 1):
        station.see(Key("m", _SLOT + timedelta(seconds=number), "voltage.a"), Decimal(number))
    assert SEEN_MAX == len(list(station))
    assert station.value(Key("m", _SLOT, "voltage.a")) is None


def test_half_a_line_waits_for_its_end(tmp_path: Path) -> None:
    """A line that is being written would be read as another number."""
    path = tmp_path / "x"
    tail = Tail(path)
    assert [] == tail.lines()
    path.write_text("one\ntw")
    assert ["one"] == tail.lines()
    path.write_text("one\ntwo\n")
    assert ["two"] == tail.lines()
