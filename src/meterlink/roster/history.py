"""Whether the roster is what its history makes of it, and the history what its acts say."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from meterlink.model.act import KeptAct, Topic
from meterlink.model.roster_change import (
    DIGEST,
    SUBJECT,
    EntryChange,
    KeptChange,
    KeptRoster,
    changed,
    digest,
)
from meterlink.roster.faults import Words


class Kept(Protocol):
    """A journal that is looked into."""

    def acts_of_subject(self, topic: Topic, subject: str) -> Sequence[KeptAct]:
        """See ``JournalReader``."""

    def roster(self) -> KeptRoster:
        """See ``JournalReader``."""

    def roster_changes_in(self, revision: int) -> Sequence[KeptChange]:
        """See ``JournalReader``."""


def replay(entries: dict[str, dict[str, Any]], changes: Iterable[EntryChange]) -> None:
    """Let changes happen to entries, in their order.

    Raises:
        ValueError: one is of an entry with other values.

    """
    for change in changes:
        entries[change.meter] = changed(entries.get(change.meter), change)


def fault_in(journal: Kept) -> Words | None:
    """The first thing that shows a roster to be another than its acts made it; ``None``: nothing does.

    The acts themselves are for `meterlink audit verify`.

    Raises:
        JournalError: the journal cannot be read.

    """
    entries: dict[str, dict[str, Any]] = {}
    acts = journal.acts_of_subject(Topic.ROSTER, SUBJECT)
    for kept in acts:
        revision = kept.act.step
        changes = [one.change for one in journal.roster_changes_in(revision)]
        if digest(changes) != kept.act.body.get(DIGEST):
            return Words(
                f"the changes of revision {revision} are not those that its act was made for",
                f"第 {revision} 版的修改记录与其审计记录不符",
            )
        try:
            replay(entries, changes)
        except ValueError as error:
            return Words(
                f"revision {revision} does not follow on the one before it: {error}",
                f"第 {revision} 版与前一版不衔接:{error}",
            )
    found = journal.roster()
    if entries != found.entries:
        other = next(
            name for name in {**entries, **found.entries} if entries.get(name) != found.entries.get(name)
        )
        return Words(
            f"meter {other!r} is not as its history makes it: the state was changed beside it",
            f"表 {other!r} 的档案与其修改历史不符",
        )
    return None
