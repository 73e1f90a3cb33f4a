"""Whether what the log says of qualifications is true, and no probe did more than a probe may.

As ``checker`` it judges by the log's rows and the meters' own memories alone, and shares no code with what
wrote them. It asks:

- the order of a probe stands behind the yes of a person at the meter, which names it and its kind, and no
  frame of it left ten minutes behind that, nor once its walk was over;
- a probe is asked for once in a walk, one after another, and no two of its frames were obeyed;
- what a walk has signed is what the meter is;
- where nobody has tried the model out, no other order left;
- a contact that a walk has left open is somebody's alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from tests.sim.crash_points.checker import MeterTruth, Row, time_of

PROBE_KINDS: Final[Mapping[str, str]] = {
    "alarm_on": "alarm_on",
    "alarm_off": "alarm_off",
    "stale_alarm": "alarm_on",
    "stale_alarm_off": "alarm_off",
    "guarantee_on": "guarantee_on",
    "guarantee_off": "guarantee_off",
    "trip": "trip",
    "guarantee_over_open": "guarantee_on",
    "guarantee_end": "guarantee_off",
    "trip_for_permit": "trip",
    "permit": "permit_close",
    "trip_for_direct": "trip",
    "direct": "direct_close",
}
A_YES_HOLDS: Final = timedelta(minutes=10)
RESTS_AFTER: Final = timedelta(minutes=17)
"""So long after its last step somebody must have been told of a contact that a walk has left open."""


@dataclass
class _Walk:
    """One walk, from its rows."""

    id: str
    meter: str = ""
    asked: dict[str, tuple[int, datetime]] = field(default_factory=dict)
    in_hand: str = ""
    ended: int | None = None
    last_at: datetime | None = None
    complaints: list[str] = field(default_factory=list)

    def take(self, row: Row) -> None:
        """Its next row."""
        self.last_at = time_of(row)
        if self.ended is not None:
            self.complaints.append(f"{self.id}: {row['verb']} behind its end")
        if row["verb"] == "begin":
            self.meter = row["meter"]
        elif row["verb"] == "ask":
            self._ask(row)
        elif row["verb"] == "find":
            self.in_hand = ""
        elif row["verb"] == "end":
            self.ended = row["number"]

    def _ask(self, row: Row) -> None:
        order, probe = row["body"]["order"], row["body"]["probe"]
        if order != f"{self.id}.{probe}":
            self.complaints.append(f"{self.id}: {probe} is asked for as {order}")
        if order in self.asked:
            self.complaints.append(f"{order}: it is asked for twice")
        if self.in_hand:
            self.complaints.append(f"{order}: it is asked for while {self.in_hand} is in hand")
        self.asked[order] = (row["number"], time_of(row))
        self.in_hand = order


def complaints_of_walks(
    rows: Sequence[Row], meter: str, truth: MeterTruth, until: datetime, clock_error: timedelta = timedelta()
) -> list[str]:
    """Everything that is not as it must be, in words; empty: nothing.

    Args:
        rows: of orders, qualifications and alarms, all of them, in the order of the chain, with true times.
        meter: our id of the one that is tried out; no model of another is.
        truth: as it really is.
        until: when the world ended.
        clock_error: so far the program's own clock may have been from the true times.

    """
    walks = _walks(rows)
    found = [told for walk in walks.values() for told in walk.complaints]
    found += _told_of_orders(rows, walks, clock_error)
    found += _told_of_facts(rows, truth)
    found += _told_of_the_dark(rows, walks, meter, truth, until)
    return found


def _walks(rows: Sequence[Row]) -> dict[str, _Walk]:
    walks: dict[str, _Walk] = {}
    for row in rows:
        if row["topic"] == "qualification" and row["subject"].startswith("session/"):
            name = row["subject"].removeprefix("session/")
            walks.setdefault(name, _Walk(name)).take(row)
    return walks


def _told_of_orders(rows: Sequence[Row], walks: Mapping[str, _Walk], clock_error: timedelta) -> Iterator[str]:
    probes: set[str] = set()
    models = 0
    for row in rows:
        if row["topic"] == "qualification" and row["verb"] in ("qualify", "withdraw"):
            models += 1 if row["verb"] == "qualify" else -1
        elif row["topic"] == "order" and row["verb"] == "create":
            if row["body"]["order"]["origin"] == "probe":
                probes.add(row["subject"])
                yield from _told_of_creation(row, walks)
        elif row["topic"] == "order" and row["verb"] == "intend":
            if row["subject"] in probes:
                yield from _told_of_frame(row, walks, clock_error)
            elif models < 1 and not row["subject"].startswith("pay-top-up"):
                yield f"{row['subject']}: a frame left, and its model was not qualified"


def _told_of_creation(row: Row, walks: Mapping[str, _Walk]) -> Iterator[str]:
    order = row["subject"]
    walk, _, probe = order.rpartition(".")
    if walk not in walks or walks[walk].asked.get(order, (row["number"],))[0] >= row["number"]:
        yield f"{order}: nobody at the meter had asked for it"
    if PROBE_KINDS.get(probe) != row["body"]["order"]["kind"]:
        yield f"{order}: it is a {row['body']['order']['kind']}"


def _told_of_frame(row: Row, walks: Mapping[str, _Walk], clock_error: timedelta) -> Iterator[str]:
    order = row["subject"]
    walk = walks.get(order.rpartition(".")[0])
    if walk is None or order not in walk.asked:
        return  # that is told of its creation
    if time_of(row) - walk.asked[order][1] > A_YES_HOLDS + clock_error:
        yield f"{order}: a frame left {time_of(row) - walk.asked[order][1]} behind the yes to it"
    if walk.ended is not None and row["number"] > walk.ended:
        yield f"{order}: a frame left when its walk was over"


def _told_of_facts(rows: Sequence[Row], truth: MeterTruth) -> Iterator[str]:
    for row in rows:
        if row["topic"] == "qualification" and row["verb"] == "qualify":
            for fact, value in row["body"]["facts"].items():
                if truth.facts.get(fact, value) != value:
                    yield f"{row['subject']}: {fact} is said to be {value}, and is {truth.facts[fact]}"


def _told_of_the_dark(
    rows: Sequence[Row], walks: Mapping[str, _Walk], meter: str, truth: MeterTruth, until: datetime
) -> Iterator[str]:
    """Whether somebody knows of a contact that the order of a probe has left open."""
    moves = truth.memory.moves
    if not moves or not moves[-1].opened or not walks:
        return
    last = max((walk for walk in walks.values() if walk.last_at), key=lambda walk: walk.last_at or until)
    assert last.last_at is not None, "it has rows"
    by_probes = _kept_open_by_probes(rows, meter)
    is_told = any(row["topic"] == "alarm" and "PROBE_LEFT_OPEN" in str(row["body"]) for row in rows)
    quiet_since = max(last.last_at, moves[-1].moved_at)
    if by_probes and not is_told and until - quiet_since > RESTS_AFTER:
        yield f"{last.id}: the contact of {meter} is open, and nobody was told"


def _kept_open_by_probes(rows: Sequence[Row], meter: str) -> bool:
    """Whether the last order that left to the meter was that of a probe."""
    sent = [row["subject"] for row in rows if row["topic"] == "order" and row["verb"] == "intend"]
    probes = {
        row["subject"]
        for row in rows
        if row["topic"] == "order" and row["verb"] == "create" and row["body"]["order"]["origin"] == "probe"
    }
    mine = {row["subject"] for row in rows if row["topic"] == "order" and row["meter"] == meter}
    sent = [order for order in sent if order in mine]
    return bool(sent) and sent[-1] in probes
