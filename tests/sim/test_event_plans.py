"""Events out of the memories of meters: each once, whatever happens to gateway, line and meter."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.model.event import Event
from meterlink.model.event_kinds import EVENTS_GONE, base_of
from metersim import Faults, Meter, Station
from metersim.dlt698 import FACTORY_PASSWORD, Meter698
from metersim.dlt698.reporting import FOLLOW_ALLOWED, REPORTS_ALLOWED
from metersim.works.cost_control import REMOTE
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.switch import Command
from metersim.works.works import Works
from meterwire.dlt698.apdus.parts import Piid, SetItem
from meterwire.dlt698.apdus.set import SetRequestNormal
from meterwire.dlt698.axdr.values import Data
from tests.support.collection_truth import Book
from tests.support.meter698 import Client
from tests.support.simulated import START, SimulatedGateway

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
PLAN: dict[str, object] = {"class": "event", "every_s": 900}
KINDS = ("power_down", "voltage_loss.a", "cover_open", "terminal_cover_open", "relay_trip", "relay_close")
_HALF = (500, 1000, 1000)
_WHOLE = (1000, 1000, 1000)


def _works(address: str) -> Works:
    plate = Plate(address=address, phases=3, ct_ratio=Decimal(40))
    return Works(plate, seed=1, load=Load(mean_kw=Decimal(20)), control=REMOTE)


def _meters() -> dict[str, Any]:
    """One of each protocol."""
    return {
        "m000000000001": Meter("000000000001", seed=1, works=_works("000000000001")),
        "m000000000002": Meter698("000000000002", seed=1, works=_works("000000000002")),
    }


def _gateway(folder: Path, meters: dict[str, Any], **more: Any) -> SimulatedGateway:
    faults = more.pop("faults", Faults())
    return SimulatedGateway(
        folder,
        [Station(meter=meter, faults=faults) for meter in meters.values()],
        protocols={"000000000002": "dlt698.45"},
        **{"plans": [PLAN], **more},
    )


def _events(gateway: SimulatedGateway, meter: str = "") -> list[Event]:
    events = [row.record for row in gateway.rows() if isinstance(row.record, Event)]
    return [event for event in events if meter in {"", event.meter}]


def _told(events: list[Event]) -> dict[tuple[str, datetime | None, int | None], list[datetime | None]]:
    """By kind, beginning and number, the ends that were told, in order."""
    found: dict[tuple[str, datetime | None, int | None], list[datetime | None]] = {}
    for event in events:
        found.setdefault((event.kind, event.occurred_at, event.number), []).append(event.ended_at)
    return found


def _truth(meter: Any, at: datetime) -> dict[tuple[str, datetime, int], datetime | None]:
    """What the meter knows to have happened, to the second, of the kinds that the test looks at."""
    return {
        (kind, event.started_at.replace(microsecond=0), event.number): event.ended_at
        and event.ended_at.replace(microsecond=0)
        for kind in KINDS
        for event in meter.works.events.events(kind, at)
    }


def _differences(gateway: SimulatedGateway, meters: dict[str, Any]) -> list[str]:
    """Where the journal does not tell what a meter knows, or not once, or at last without its end."""
    found = []
    for name, meter in meters.items():
        told = {key: ends for key, ends in _told(_events(gateway, name)).items() if key[0] in KINDS}
        truth = _truth(meter, gateway.sim.clock.utc_now())
        assert truth, f"nothing has happened to {name}"
        last = {key: ends[-1] for key, ends in told.items()}
        found += [f"{name}: only one side knows {one}" for one in truth.items() ^ last.items()]
        often = {key: ends for key, ends in told.items() if ends[:-1] not in ([], [None])}
        found += [f"{name}: {key} ended as {ends}" for key, ends in often.items()]
    published = Counter((event.meter, event.key) for event in _events(gateway))
    return found + [f"{key} was told {count} times" for key, count in published.items() if count != 1]


_Chapter = tuple[int, dict[str, Any] | None]


class _Story:
    """What happens to the meters, each thing when its time has come, over several runs of a gateway.

    Args:
        gateway: whose meters they are.
        meters: all of them; it happens to each.
        chapters: minutes after the start, and what changes then; ``None``: the events are cleared.

    """

    def __init__(self, gateway: SimulatedGateway, meters: dict[str, Any], chapters: list[_Chapter]) -> None:
        self._gateway, self._meters = gateway, meters
        self._left = list(chapters)

    def run(self, *, seconds: float, kill: bool = False) -> None:
        """Run the gateway, and let happen what falls into that time."""
        end = self._gateway.sim.clock.utc_now() + timedelta(seconds=seconds)

        async def told() -> None:
            while self._left and START + self._left[0][0] * MINUTE < end:
                minute, changes = self._left.pop(0)
                wait = START + minute * MINUTE - self._gateway.sim.clock.utc_now()
                await asyncio.sleep(max(wait.total_seconds(), 0))
                self._happens(self._gateway.sim.clock.utc_now(), changes)

        self._gateway.run(seconds=seconds, kill=kill, meanwhile=told)

    def _happens(self, now: datetime, changes: dict[str, Any] | None) -> None:
        for meter in self._meters.values():
            if changes is None:
                meter.works.history.happen(now, "events_cleared")
            else:
                meter.works.history.change(now, **changes)


_TROUBLE: list[_Chapter] = [
    (5, {"cover_open": True}),
    (7, {"cover_open": False}),
    (20, {"voltage_per_mille": _HALF}),
    (40, {"cover_open": True, "terminal_cover_open": True}),
    (41, {"terminal_cover_open": False}),
    (70, {"voltage_per_mille": _WHOLE, "cover_open": False}),
]
"""Events of every sort, some across several looks."""


def test_each_event_once_and_completed_when_it_ends(tmp_path: Path) -> None:
    """A theft would be told with every look, or its end never; and both protocols speak of it alike."""
    meters = _meters()
    gateway = _gateway(tmp_path, meters)
    story = _Story(gateway, meters, _TROUBLE)
    story.run(seconds=50 * 60)
    for name in meters:
        begun = {kind for (kind, _, _), ends in _told(_events(gateway, name)).items() if ends == [None]}
        assert {"voltage_loss.a", "cover_open"} <= begun, "they last"
    story.run(seconds=50 * 60)
    assert [] == _differences(gateway, meters)
    one, other = (_told(_events(gateway, name)).keys() for name in meters)
    assert {kind for kind, *_ in one} & set(KINDS) == {kind for kind, *_ in other} & set(KINDS)
    shown = {value.item for event in _events(gateway, "m000000000001") for value in event.values}
    assert {"event_number", "voltage.a@start", "forward_active_energy@end"} <= shown
    point = next(fields for (kind, tags, _), fields in gateway.sink.points.items() if kind == "event")
    assert any(field.endswith("_event_number") for field in point)


def test_kills_lost_answers_and_restarts_double_nothing_and_lose_nothing(tmp_path: Path) -> None:
    """A kill between a look and its row, or an answer that is lost, would cost an event or tell it twice."""
    meters = _meters()
    gateway = _gateway(tmp_path, meters, faults=Faults(seed=3, silence=0.03, bit_flip=0.02))
    story = _Story(gateway, meters, _TROUBLE)
    for seconds in (13, 40, 310, 700, 1300, 61, 900):
        story.run(seconds=seconds, kill=True)
        gateway.sim.clock.advance(30)
    story.run(seconds=3600)
    assert [] == _differences(gateway, meters)


def test_a_memory_that_ran_over_says_how_many_are_gone(tmp_path: Path) -> None:
    """Fourteen openings of a cover would look like ten."""
    meters = _meters()
    gateway = _gateway(tmp_path, meters)
    gateway.run(seconds=600)
    away = gateway.sim.clock.utc_now()
    for meter in meters.values():
        for n in range(14):
            meter.works.history.change(away + (2 * n + 1) * MINUTE, cover_open=True)
            meter.works.history.change(away + (2 * n + 2) * MINUTE, cover_open=False)
    gateway.sim.clock.advance(3600)
    for _ in range(2):
        gateway.run(seconds=1000)
    for name in meters:
        events = _events(gateway, name)
        [gone] = [event for event in events if event.kind == EVENTS_GONE]
        told = {value.item: value.content for value in gone.values}
        assert {"event_kind": "cover_open", "gone": Decimal(4), "event_count": Decimal(14)} == told
        numbers = [event.number for event in events if event.kind == "cover_open"]
        assert list(range(5, 15)) == numbers, "the oldest first, and none twice"


def test_a_meter_that_counts_from_anew_is_read_from_anew(tmp_path: Path) -> None:
    """After a clear, or behind an exchange, every event up to the old count would be passed over."""
    meters = _meters()
    gateway = _gateway(tmp_path, meters)
    opened: list[_Chapter] = [(2 * n + k, {"cover_open": k == 1}) for n in range(3) for k in (1, 2)]
    again: list[_Chapter] = [(21, {"cover_open": True}), (22, {"cover_open": False})]
    story = _Story(gateway, meters, [*opened, (20, None), *again])
    story.run(seconds=18 * 60)
    story.run(seconds=20 * 60)
    for name in meters:
        events = [event for event in _events(gateway, name) if event.kind == "cover_open"]
        assert [1, 2, 3, 1] == [event.number for event in events]
        assert [START + n * MINUTE for n in (1, 3, 5, 21)] == [event.occurred_at for event in events]
        assert 1 == sum(event.kind == "event_clear" for event in _events(gateway, name))


def test_slots_say_when_meters_were_looked_into(tmp_path: Path) -> None:
    """A meter that is silent for an hour would count as complete; and as lost, after it told all of it."""
    meters = _meters()
    gateway = _gateway(tmp_path, meters)
    gateway.run(seconds=600)

    async def unplugged() -> None:
        gateway.unplug()

    gateway.run(seconds=2000, meanwhile=unplugged)
    book = Book(tmp_path / JOURNAL_FILE)
    states = {(slot, row.state) for (_, kind, slot), row in book.slots().items() if kind == "event"}
    book.close()
    assert {"kept", "due"} == {state for _, state in states}
    gateway.sim.clock.advance(1800)
    gateway.plugged = True
    gateway.run(seconds=900)
    book = Book(tmp_path / JOURNAL_FILE)
    kept = [row.state for (_, kind, _), row in book.slots().items() if kind == "event"]
    book.close()
    assert {"kept"} == set(kept)
    first = START.timestamp() // 900
    slots = int(gateway.sim.clock.utc_now().timestamp() // 900 - first) + 1
    assert 2 * slots == len(kept), "also those of the time without the daemon"


def test_trips_and_closes_are_told_with_who_ordered_them(tmp_path: Path) -> None:
    """A trip at the meter's own desk would not be known to anybody."""
    meters = _meters()
    for meter in meters.values():
        meter.works.switch.obey(Command(kind="trip", operator="0000000A", came_by="645"), START)
    gateway = _gateway(tmp_path, meters, plans=[{**PLAN, "items": ["relay_trip", "relay_close"]}])
    gateway.run(seconds=300)
    for name in meters:
        events = _events(gateway, name)
        assert {"relay_trip", "relay_close"} == {base_of(event.kind) for event in events}
        assert START in {event.occurred_at for event in events if event.kind == "relay_trip"}
        assert all(event.ended_at is not None for event in events)


def test_a_meter_that_says_so_is_looked_into_at_once(tmp_path: Path) -> None:
    """An opened cover would be known an hour later, though the meter calls with every answer."""
    meters = _meters()
    head = Client(meters["m000000000002"], offer=None)
    head.connect(FACTORY_PASSWORD)
    follow = SetRequestNormal(piid=Piid.of(5), item=SetItem(FOLLOW_ALLOWED, Data("bool", True)))
    assert 0 == int(head.ask(follow).item.dar)
    plans = [{**PLAN, "every_s": 3600}, {"every_s": 60, "items": ["forward_active_energy"]}]
    gateway = _gateway(tmp_path, meters, plans=plans)
    story = _Story(gateway, meters, [(10, {"cover_open": True}), (11, {"cover_open": False})])
    story.run(seconds=14 * 60)
    openings = [event for event in _events(gateway) if event.kind == "cover_open"]
    assert {"m000000000002"} == {event.meter for event in openings}
    assert [START + 10 * MINUTE] == [event.occurred_at for event in openings], "the first news, and no more"
    assert 1 <= len([event for event in _events(gateway) if event.kind == "events_wait"]) <= 2


def test_what_a_meter_reports_and_what_is_read_of_it_is_one_event(tmp_path: Path) -> None:
    """An opened cover that the meter has told by itself would be told once more with the next look."""
    meters = _meters()
    meter = meters["m000000000002"]
    head = Client(meter, offer=None)
    head.connect(FACTORY_PASSWORD)
    allow = SetRequestNormal(piid=Piid.of(5), item=SetItem(REPORTS_ALLOWED, Data("bool", True)))
    assert 0 == int(head.ask(allow).item.dar)
    gateway = _gateway(tmp_path, meters)
    gateway.run(seconds=300)

    async def told() -> None:
        await asyncio.sleep(60)
        meter.works.history.change(gateway.sim.clock.utc_now(), cover_open=True)
        await asyncio.sleep(60)
        notification = meter.news(gateway.sim.clock.utc_now())
        for _ in range(2):
            await gateway.say(meter.telling(notification).octets_to_send())
            await asyncio.sleep(30)
        meter.works.history.change(gateway.sim.clock.utc_now(), cover_open=False)

    gateway.run(seconds=500, meanwhile=told)
    [reported] = [event for event in _events(gateway) if event.kind == "cover_open"]
    assert (None, "terminal 000000000002") == (reported.ended_at, reported.route)
    gateway.run(seconds=1000)
    rows = [event for event in _events(gateway) if event.kind == "cover_open"]
    assert [reported.at] * 2 == [event.at for event in rows], "as it began, and as it ended"
    assert [False, True] == [event.ended_at is not None for event in rows]
    assert [1, 1] == [event.number for event in rows]


@pytest.mark.parametrize("items", [["meter_status_words"], ["meter_status_word_3"]])
def test_words_of_state_are_kept_bit_by_bit(tmp_path: Path, items: list[str]) -> None:
    """A dashboard would show 0050 where people want to know that the contact is open."""
    meters = _meters()
    for meter in meters.values():
        meter.works.switch.obey(Command(kind="trip", operator="0000000A", came_by="645"), START)
    if len(meters) == 2 and items == ["meter_status_word_3"]:
        del meters["m000000000002"]  # DL/T 698.45 tells all words at once
    gateway = _gateway(tmp_path, meters, plans=[{"class": "status", "every_s": 600, "items": items}])
    gateway.run(seconds=100)
    gateway.run(seconds=100)
    rows = [row.record for row in gateway.rows() if not isinstance(row.record, Event)]
    assert len(meters) == len(rows), "once a slot, also over a restart"
    for row in rows:
        kept = {reading.item: reading.value for reading in row.readings}  # type: ignore[union-attr]
        assert Decimal(1) == kept["meter_status_word_3.relay_open"]
        assert Decimal(1) == kept["meter_status_word_3.command_open"]
        assert Decimal(0) == kept["meter_status_word_3.guarantee"]
        word = kept["meter_status_word_3"]
        assert word is not None and int(word) & 0x50 == 0x50
    gateway.check_database()
