"""What a changed roster means for the lines: which begin, which end, and who is other on the rest; no I/O."""

from __future__ import annotations

from dataclasses import dataclass

from meterlink.config import LineSettings, MeterSettings, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class LineChange:
    """What became other on one line.

    Args:
        url: of the line, by which it is the same one.
        before: the line as it was; ``None``: no meter stood on it.
        after: the line as it is; ``None``: no meter stands on it any more.
        added: meters that have come.
        changed: meters of which something became other, as they are now.
        removed: meters that have gone, also to another line.

    """

    url: str
    before: LineSettings | None
    after: LineSettings | None
    added: tuple[MeterSettings, ...] = ()
    changed: tuple[MeterSettings, ...] = ()
    removed: tuple[MeterSettings, ...] = ()


def changed_lines(before: Settings, after: Settings) -> tuple[LineChange, ...]:
    """The lines on which something became other, in the order of the new configuration, then those that end.

    Args:
        before: a configuration with the meters in service, see ``Settings.with_meters``.
        after: another.

    """
    old = {line.url: (line, meters) for line, meters in before.meters_by_line()}
    new = {line.url: (line, meters) for line, meters in after.meters_by_line()}
    changes = (_change(url, old.get(url), new.get(url)) for url in {**new, **old})
    return tuple(change for change in changes if change is not None)


_Side = tuple[LineSettings, tuple[MeterSettings, ...]]


def _change(url: str, old: _Side | None, new: _Side | None) -> LineChange | None:
    was = {meter.id: meter for meter in old[1]} if old else {}
    now = {meter.id: meter for meter in new[1]} if new else {}
    change = LineChange(
        url=url,
        before=old[0] if old else None,
        after=new[0] if new else None,
        added=tuple(meter for name, meter in now.items() if name not in was),
        changed=tuple(meter for name, meter in now.items() if name in was and was[name] != meter),
        removed=tuple(meter for name, meter in was.items() if name not in now),
    )
    is_other = change.before != change.after or change.added or change.changed or change.removed
    return change if is_other else None
