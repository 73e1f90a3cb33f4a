"""Whether who was cut off and has paid, or is protected, has current again, or the key, or is known to wait.

As ``checker`` it judges by the log's rows and the meters' own memories alone, and shares no code with what
wrote them. A customer has paid by a record that settles his debt; he is protected by a record that sets a
protection, as long as none lifts it, whether that came before the trip or behind it. If the meter's memory
says that the last thing that it was told to do with its contact was to open it, and the contact has not
closed since, then at the end somebody must know of him: an order that is to close is open, or work is that
sends somebody there, or an alarm that he waits. Where a permit came behind the trip, the key decides, and
nobody need know.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from metersim.works.memory import ControlMemory
from tests.sim.crash_points.checker import MeterTruth, Row

BY_FRAME: Final = ("645", "698.45")
CLOSES: Final = ("permit_close", "direct_close")
SWITCHES: Final = ("trip", *CLOSES)
SENDS_SOMEBODY: Final = ("field_order", "hold", "identity", "unknown_outcome", "relay_fault", "cut_off")
"""Kinds of work that stand at the beginning of an item's name."""
ALARMS: Final = (
    "RECONNECT_LATE_1",
    "RECONNECT_LATE_2",
    "PAYMENT_NO_ROOM",
    "CUT_OFF_PROTECTED",
    "CUT_OFF_ANOTHER",
)


def complaints_of_payers(rows: Sequence[Row], meters: Mapping[str, MeterTruth]) -> Iterator[str]:
    """Everybody who is in the dark because of us, has paid or is protected, and is forgotten.

    Args:
        rows: of orders, evidence, work and alarms, all of them.
        meters: by our id.

    """
    for meter, truth in meters.items():
        its_own = [row for row in rows if row["meter"] == meter]
        paid = [row["subject"] for row in its_own if _settles(row)]
        protected = _protections(its_own)
        if not (paid or protected) or not is_dark(truth.memory) or _is_known(its_own):
            continue
        if paid:
            yield f"{meter}: cut off, paid ({', '.join(paid)}), and nobody knows that its customer waits"
        if protected:
            told = ", ".join(sorted(protected))
            yield f"{meter}: cut off, protected ({told}), and nobody knows that its customer waits"


def is_dark(memory: ControlMemory) -> bool:
    """Whether a meter was told to open, and neither to close since nor has closed."""
    told = [one for one in memory.controls if one.kind in SWITCHES and one.came_by in BY_FRAME]
    if not told or told[-1].kind != "trip":
        return False
    return not any(not move.opened and move.moved_at > told[-1].obeyed_at for move in memory.moves)


def _settles(row: Row) -> bool:
    body = row["body"]
    is_payment = row["topic"] == "evidence" and row["verb"] == "record" and body["kind"] == "payment"
    return is_payment and bool(body["settles"])


def _protections(rows: Sequence[Row]) -> set[str]:
    """The kinds of protection that were set and not lifted since, in the order of the log."""
    standing: set[str] = set()
    for row in sorted(rows, key=lambda row: row["number"]):
        body = row["body"]
        if row["topic"] == "evidence" and row["verb"] == "record" and body["kind"] == "protection":
            (standing.add if body["state"] == "set" else standing.discard)(body["protection"])
    return standing


def _is_known(rows: Sequence[Row]) -> bool:
    """Whether something of a meter is open that brings its customer current, or somebody to him."""
    made = [row for row in rows if row["topic"] == "order" and row["verb"] == "create"]
    kinds = {row["subject"]: row["body"]["order"]["kind"] for row in made}
    last = {(row["topic"], row["subject"]): row for row in sorted(rows, key=lambda row: row["number"])}
    for (topic, subject), row in last.items():
        what, _, _ = subject.partition(":")
        if not row["is_open"]:
            continue
        if topic == "order" and kinds[subject] in CLOSES:
            return True
        if (topic == "work" and what in SENDS_SOMEBODY) or (topic == "alarm" and what in ALARMS):
            return True
    return False
