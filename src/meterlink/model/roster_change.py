"""What the journal knows of the roster: entries as tables of plain values, and what became other in each.

An entry is what was told of a meter, without what nobody told. Its values are text, whole numbers, truth
values and lists of text; decimals and times are text, secrets are where they stand. What the values mean is
the business of those who use them.

A revision of the roster is one act of the log's chain (topic ``roster``, subject ``SUBJECT``, step = number
of the revision): who, when, how many, and a digest of all that became other. A hundred thousand entries of
one import are one act; their changes stand beside it, and the digest holds them to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

SUBJECT: Final = "roster"
"""The subject of the acts that tell of revisions."""
DIGEST: Final = "digest"
"""Key of such an act's body: the digest of the revision's changes."""

_CANONICAL: Final = json.JSONEncoder(
    ensure_ascii=True, allow_nan=False, sort_keys=True, separators=(",", ":"), check_circular=False
)
"""As an act's body is written, but made once: a roster has a hundred thousand entries."""

Entry = Mapping[str, Any]
"""One meter, by the names of its fields."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryChange:
    """What became other in one entry.

    Args:
        meter: our id of it.
        old: the fields that had another value or are gone, with the values that they had; ``None``: there was
            no such entry.
        new: the fields that have another value or are new, with their values.

    """

    meter: str
    old: Entry | None
    new: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptChange:
    """A change as the journal keeps it.

    Args:
        revision: which one brought it.
        seq: its row of the log.
        number: the place of its act in the chain.
        at: when.
        actor: who.
        verb: how: ``import``, ``apply``, ``exchange``, ``ratio`` or ``remove``.
        change: what became other.
        since: of ``ratio``: when it had become other; ``None``: that is ``at``.

    """

    revision: int
    seq: int
    number: int
    at: datetime
    actor: str
    verb: str
    change: EntryChange
    since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRoster:
    """The roster of a journal at one moment.

    Args:
        revision: number of its last revision; 0: there never was one.
        entries: by our ids of the meters, in the order of those.

    """

    revision: int
    entries: Mapping[str, Entry] = field(repr=False)


def difference(meter: str, old: Entry | None, new: Entry) -> EntryChange | None:
    """What became other in an entry; ``None``: nothing.

    Args:
        meter: our id of it.
        old: as it was; ``None``: it was not there.
        new: as it is.

    """
    if old is None:
        return EntryChange(meter=meter, old=None, new=dict(new))
    gone = {key: value for key, value in old.items() if key not in new or new[key] != value}
    come = {key: value for key, value in new.items() if key not in old or old[key] != value}
    return EntryChange(meter=meter, old=gone, new=come) if gone or come else None


def changed(old: Entry | None, change: EntryChange) -> dict[str, Any]:
    """An entry after a change of it.

    Raises:
        ValueError: the change is of another entry than this.

    """
    if (old is None) != (change.old is None):
        raise ValueError(f"meter {change.meter!r}: the change is of an entry that {_was(change)} there")
    before, gone = dict(old or {}), change.old or {}
    if any(key not in before or before[key] != value for key, value in gone.items()):
        raise ValueError(f"meter {change.meter!r}: the change is of an entry with other values")
    return {key: value for key, value in before.items() if key not in gone} | dict(change.new)


def entry_out(entry: Entry) -> str:
    """An entry, or some of its fields, as canonical JSON: the same one gives the same text for ever.

    Raises:
        TypeError, ValueError: it holds something else than an entry does.

    """
    return _CANONICAL.encode(entry)


def digest(changes: Iterable[EntryChange]) -> str:
    """64 hexadecimal digits over the changes of a revision, in their order.

    Raises:
        TypeError, ValueError: one holds something else than an entry does.

    """
    found = hashlib.sha256()
    for change in changes:
        parts = (change.meter, entry_out(change.new), "" if change.old is None else entry_out(change.old))
        found.update(json.dumps(parts).encode() + b"\n")
    return found.hexdigest()


def _was(change: EntryChange) -> str:
    return "was not" if change.old is None else "was"
