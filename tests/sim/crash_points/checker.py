"""Whether what the log says of orders is true: judged by the log's rows and the meters' own memories alone.

It knows nothing of orders but words that stand in the log, and shares no code with what wrote them. It asks:

- no frame of control was obeyed that no order had let go before, and none twice for one order;
- none was obeyed after its order's deadline, by a meter that is not the one of the file, or by one that
  nobody may cut off;
- no order let go more than three frames, and a further one only behind a row that says why the one before
  had no effect, or which the meter refused;
- of one meter's orders one was under way at a time;
- what is ``refused`` or ``expired`` let nothing go, and what is ``cancelled`` nothing but what a row behind
  it says had no effect: there it may have been withdrawn before it was sent again;
- the end of each order is what the meter's memory bears out: what is ``done`` was obeyed, what is
  ``not_done``, ``rejected``, ``refused``, ``cancelled`` or ``expired`` was not, and ``unknown`` stands for
  a day of asking; of money it may stand for a purchase count that is neither the old nor the new one, and the
  meter must have sold something in between that the order did not bring;
- money came as much as was ordered, and each frame of one order bore the same purchase count.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from metersim.works.memory import Control, ControlMemory, Move

FRAMES_MAX = 3
BEFORE_AN_END_WITHOUT_PROOF = timedelta(hours=24)
FRAME_KINDS = frozenset(
    {
        "trip",
        "permit_close",
        "direct_close",
        "top_up",
        "guarantee_on",
        "guarantee_off",
        "alarm_on",
        "alarm_off",
    }
)
REASONS_TO_REPEAT = frozenset({"prove_not", "unsent", "reject"})
NOTHING_HAPPENED = frozenset({"not_done", "rejected", "refused", "cancelled", "expired"})
NOTHING_LEFT = frozenset({"refused", "expired"})
MAY_CUT_OFF = frozenset({"trip", "guarantee_off"})
"""What nobody may send to who is protected."""
CLOSES = frozenset({"permit_close", "direct_close"})

TOPICS = ("order", "qualification", "alarm", "evidence", "work")
_COLUMNS = ("number", "topic", "subject", "step", "verb", "at", "meter", "body", "is_open")
Row = Mapping[str, Any]
"""A row of the log: number, topic, subject, step, verb, at, meter, body, is_open; ``at`` in microseconds."""


@dataclass(frozen=True, kw_only=True)
class MeterTruth:
    """A meter as it really is.

    Args:
        number: its meter number according to the file.
        memory: what it remembers.
        is_protected: nobody may cut it off.
        is_faulty: it contradicts itself: then a ``relay_fault`` is no lie.
        facts: what it is in those facts of a qualification that are named here.

    """

    number: str
    memory: ControlMemory
    is_protected: bool = False
    is_faulty: bool = False
    facts: Mapping[str, str] = field(default_factory=dict)


def read_rows(path: Path) -> list[Row]:
    """The rows of those topics in a journal's file, in the order of the chain."""
    db = sqlite3.connect(path)
    try:
        found = db.execute(f"SELECT {', '.join(_COLUMNS)} FROM act WHERE topic IN {TOPICS} ORDER BY number")
        rows = [dict(zip(_COLUMNS, row, strict=True)) for row in found]
    finally:
        db.close()
    return [{**row, "body": json.loads(row["body"])} for row in rows]


def complaints(
    rows: Sequence[Row], meters: Mapping[str, MeterTruth], clock_error: timedelta = timedelta()
) -> list[str]:
    """Everything that is not as it must be, in words; empty: nothing.

    Args:
        rows: of orders, all of them, with true times as the meters' memories have them.
        meters: by our id.
        clock_error: so far the program's own clock may have been from those.

    """
    stories = _stories(rows)
    found = [told for story in stories for told in _told_of_log(story, clock_error)]
    for meter, truth in meters.items():
        its_own = [story for story in stories if story.meter == meter]
        found += _told_of_meter(meter, truth, its_own, clock_error)
    found += [
        f"{story.id}: its meter {story.meter} is not there" for story in stories if story.meter not in meters
    ]
    return found


def unfinished(rows: Sequence[Row]) -> list[str]:
    """The orders for which something is still to be done."""
    ordered = (row for row in rows if row["topic"] == "order")
    last = {row["subject"]: row["is_open"] for row in sorted(ordered, key=lambda row: row["number"])}
    return sorted(order for order, is_open in last.items() if is_open)


@dataclass
class _Story:
    """One order, from its rows."""

    id: str
    rows: list[Row]

    def __post_init__(self) -> None:
        told = self.rows[0]["body"]["order"]
        self.meter: str = told["meter"]
        self.kind: str = told["kind"]
        self.amount_cents: int | None = told.get("amount_cents")
        self.deadline = datetime.fromisoformat(told["deadline_at"])
        self.left = [time_of(row) for row in self.rows if row["verb"] == "intend"]
        self.end: str = self.rows[-1]["body"]["to"]
        moved = [row for row in self.rows if row["body"].get("from") != row["body"]["to"]]
        self.rested_at = time_of(moved[-1])
        self.obeyed: list[Control] = []

    @property
    def asked(self) -> timedelta:
        """How long the meter was asked for its end."""
        return self.rested_at - self.left[-1] if self.left else timedelta()

    @property
    def strange_count(self) -> int | None:
        """The purchase count for which it was given up, neither old nor new; ``None``: for none."""
        given_up = [row["body"] for row in self.rows if row["verb"] == "give_up"]
        told: Mapping[str, str] = given_up[0].get("inputs", {}) if given_up else {}
        after = told.get("count_after")
        return None if after in (None, told.get("count_before"), told.get("count_sent")) else int(after)

    @property
    def under_way(self) -> tuple[datetime, datetime] | None:
        """From its first frame to the row in which it came to rest; ``None``: nothing left."""
        return (self.left[0], self.rested_at) if self.left else None


def _stories(rows: Sequence[Row]) -> list[_Story]:
    by_order: dict[str, list[Row]] = {}
    for row in sorted(rows, key=lambda row: row["number"]):
        if row["topic"] == "order":
            by_order.setdefault(row["subject"], []).append(row)
    return [_Story(order, told) for order, told in by_order.items()]


def time_of(row: Row) -> datetime:
    """When it was committed."""
    return datetime.fromtimestamp(0, UTC) + timedelta(microseconds=row["at"])


def _told_of_log(story: _Story, clock_error: timedelta) -> Iterator[str]:
    """What is wrong with the rows themselves."""
    if [row["step"] for row in story.rows] != list(range(1, len(story.rows) + 1)):
        yield f"{story.id}: its steps have a gap"
    if len(story.left) > FRAMES_MAX:
        yield f"{story.id}: {len(story.left)} frames left for one order"
    verbs = [row["verb"] for row in story.rows]
    sent = [n for n, verb in enumerate(verbs) if verb == "intend"]
    for earlier, later in itertools.pairwise(sent):
        if not REASONS_TO_REPEAT & set(verbs[earlier:later]):
            yield f"{story.id}: a frame left behind another of which nothing was proved"
    if any(at > story.deadline + clock_error for at in story.left):
        yield f"{story.id}: a frame left after the deadline"
    if story.end in NOTHING_LEFT and story.left:
        yield f"{story.id}: it is {story.end}, and a frame had left"
    if story.end == "cancelled" and not _is_proved(story.rows):
        yield f"{story.id}: it is cancelled, and a frame had left of which nothing was proved"
    is_early = story.end == "unknown" and story.asked < BEFORE_AN_END_WITHOUT_PROOF - clock_error
    if is_early and (story.kind != "top_up" or story.strange_count is None):
        yield f"{story.id}: it was given up after {story.asked}"
    counts = {row["body"]["sent"]["purchase_count"] for row in story.rows if "sent" in row["body"]}
    if len(counts) > 1:
        yield f"{story.id}: its frames bore the purchase counts {sorted(counts)}"


def _is_proved(rows: Sequence[Row]) -> bool:
    """Whether rows say of every frame why it had no effect.

    A refused one may yet be obeyed: its row must have the proof, unless it is an alarm's, or money's. What
    never left proves nothing of the frame before it.
    """
    is_out = was_out = False
    for row in rows:
        if row["verb"] == "intend":
            was_out, is_out = is_out, True
        elif row["verb"] == "unsent":
            is_out = was_out
        elif row["verb"] == "prove_not":
            is_out = False
        elif row["verb"] == "reject":
            is_believed = row["body"].get("kind") in ("top_up", "alarm_on", "alarm_off")
            is_out = is_out and not (is_believed or row["body"].get("proof"))
    return not is_out


def _told_of_meter(
    meter: str, truth: MeterTruth, stories: Sequence[_Story], clock_error: timedelta
) -> Iterator[str]:
    yield from _told_of_neighbours(stories)
    for control in truth.memory.controls:
        if control.kind not in FRAME_KINDS or control.came_by not in ("645", "698.45"):
            continue
        story = _who_ordered(control, stories)
        if story is None:
            yield f"{meter}: {control.kind} was obeyed at {control.obeyed_at}, and nobody had ordered it"
            continue
        story.obeyed.append(control)
        if control.obeyed_at > story.deadline + clock_error:
            yield f"{story.id}: obeyed at {control.obeyed_at}, after its deadline"
        if control.meter_number != truth.number:
            yield f"{story.id}: obeyed by meter {control.meter_number}, meant was {truth.number}"
        if truth.is_protected and control.kind in MAY_CUT_OFF:
            yield f"{story.id}: obeyed by a protected meter"
    for story in stories:
        yield from _told_of_end(story, truth)


def _told_of_neighbours(stories: Sequence[_Story]) -> Iterator[str]:
    spans = sorted((span, story.id) for story in stories if (span := story.under_way))
    for ((_, until), one), ((since, _), other) in itertools.pairwise(spans):
        if since < until:
            yield f"{other}: a frame of it left while {one} was not over"


def _who_ordered(control: Control, stories: Sequence[_Story]) -> _Story | None:
    """The last order of that kind that let a frame go before it was obeyed."""
    asked = [
        (story.left[0], story)
        for story in stories
        if story.kind == control.kind and story.left and story.left[0] <= control.obeyed_at
    ]
    return max(asked, key=lambda one: one[0])[1] if asked else None


def _told_of_end(story: _Story, truth: MeterTruth) -> Iterator[str]:
    if len(story.obeyed) > 1:
        yield f"{story.id}: obeyed {len(story.obeyed)} times"
    if story.end in NOTHING_HAPPENED and story.obeyed:
        yield f"{story.id}: it is {story.end}, and was obeyed"
    if story.end in ("done", "waiting_for_key") and not story.obeyed:
        yield f"{story.id}: it is {story.end}, and was not obeyed"
    for control in story.obeyed:
        if story.kind == "top_up" and control.details.get("amount_cents") != str(story.amount_cents):
            told = control.details.get("amount_cents")
            yield f"{story.id}: {told} cents came into the wallet, and {story.amount_cents} were ordered"
    if (count := story.strange_count) is not None and story.end == "unknown":
        sold = [one for one in truth.memory.controls if one.details.get("purchase_count") == str(count)]
        if not sold or sold[-1] in story.obeyed:
            yield f"{story.id}: it was given up for a purchase count of {count}, which its meter did not have"
    if story.end == "relay_fault" and not truth.is_faulty:
        yield f"{story.id}: relay_fault of a sound meter"
    if story.end in ("done", "waiting_for_key") and story.obeyed:
        yield from _told_of_contact(story, truth.memory.moves)


def _told_of_contact(story: _Story, moves: Sequence[Move]) -> Iterator[str]:
    """Whether the contact stood as it was said to, when that was said."""
    if story.kind != "trip" and story.kind not in CLOSES:
        return
    stood_open = next((move.opened for move in reversed(moves) if move.moved_at <= story.rested_at), False)
    if stood_open != (story.kind == "trip" or story.end == "waiting_for_key"):
        yield f"{story.id}: it is {story.end}, and its contact was {'open' if stood_open else 'closed'}"
