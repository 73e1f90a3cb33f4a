"""What the shell offers behind a half-written word: meters and orders of the journal, items, kinds of event.

A shell asks while somebody types: whatever is wrong, nothing is offered and nothing is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import typer

OFFERED_MAX: Final = 200
"""Words that are offered; a shell asks before it shows as many."""

_GRANTS: Final = "grant:"
"""In front of an order: the authorisations of it. See ``orders.limits.caps``."""


def meters_like(context: typer.Context, incomplete: str) -> list[str]:
    """Ids of meters that begin so."""
    from meterlink.cli.options import FIRST_CONFIG

    try:
        names = _meters(Path(context.params.get("config") or FIRST_CONFIG))
        return list(islice((name for name in names if name.startswith(incomplete)), OFFERED_MAX))
    except Exception:  # noqa: BLE001 (words of ours would land in the middle of what is typed)
        return []


def items_like(incomplete: str) -> list[str]:
    """Items of DL/T 645-2007 that begin so: names are the same in all protocols."""
    from meterlink.explain import catalogue

    names = (family.item for family in catalogue.families("dlt645-2007"))
    return list(islice((name for name in names if name.startswith(incomplete)), OFFERED_MAX))


def kinds_like(incomplete: str) -> list[str]:
    """Kinds of event that begin so."""
    from meterlink.model.event_kinds import EVENT_KINDS

    return [kind for kind in EVENT_KINDS if kind.startswith(incomplete)]


def order_kinds_like(incomplete: str) -> list[str]:
    """Kinds of order that begin so."""
    from meterlink.model.order import OrderKind

    return [kind.value for kind in OrderKind if kind.startswith(incomplete)]


def granted_like(context: typer.Context, incomplete: str) -> list[str]:
    """Orders that begin so and were given to field staff."""
    from meterlink.cli.options import FIRST_CONFIG

    try:
        names = _granted(Path(context.params.get("config") or FIRST_CONFIG), incomplete)
        return list(islice(names, OFFERED_MAX))
    except Exception:  # noqa: BLE001 (words of ours would land in the middle of what is typed)
        return []


def _granted(config: Path, start: str) -> Iterator[str]:
    from meterlink.config import data_dir, load_settings
    from meterlink.daemon.audited import JOURNAL_FILE
    from meterlink.journal.reader import JournalReader
    from meterlink.model.act import Topic

    with JournalReader(data_dir(load_settings(config)) / JOURNAL_FILE) as reader:
        for name in reader.subjects(Topic.POLICY, only_open=False, after=f"{_GRANTS}{start}"):
            if not name.startswith(f"{_GRANTS}{start}"):
                return
            last = reader.last_act_of(Topic.POLICY, name)
            if last is not None and last.act.verb == "grant":
                yield name.removeprefix(_GRANTS)


def _meters(config: Path) -> Iterator[str]:
    from meterlink.config import data_dir, load_settings
    from meterlink.daemon.audited import JOURNAL_FILE
    from meterlink.journal.reader import JournalReader

    with JournalReader(data_dir(load_settings(config)) / JOURNAL_FILE) as reader:
        yield from sorted(reader.roster().entries)
