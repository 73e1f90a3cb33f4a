"""The probes, the facts and what depends on them, as tables for the page on qualification."""

from __future__ import annotations

from meterlink.model.order import OrderKind
from meterlink.orders.qualification.facts import HARMFUL, NEEDS, needs_of
from meterlink.orders.qualification.probes import PROBES
from meterprofiles.facts import FACTS


def facts() -> str:
    """Every fact with its values, and which of them forbid orders."""
    rows = ["| fact | key | values | what it says |", "| --- | --- | --- | --- |"]
    for key, fact in FACTS.items():
        values = ", ".join(
            f"`{value}`{' (refuses)' if HARMFUL.get(key) == value else ''}" for value in fact.values
        )
        rows.append(f"| {fact.number} | `{key}` | {values} | {fact.says} |")
    return "\n".join(rows) + "\n"


def probes() -> str:
    """Every probe, in order."""
    rows = ["| | probe | order | what happens |", "| --- | --- | --- | --- |"]
    for number, probe in enumerate(PROBES, start=1):
        rows.append(f"| {number} | `{probe.name}` | `{probe.kind.value}` | {probe.says.en} |")
    return "\n".join(rows) + "\n"


def needs() -> str:
    """Which facts each kind of order depends on."""
    rows = ["| order | DL/T 645-2007 | DL/T 698.45 |", "| --- | --- | --- |"]
    for kind in NEEDS:
        rows.append(f"| `{kind.value}` | {_needed('dlt645-2007', kind)} | {_needed('dlt698.45', kind)} |")
    return "\n".join(rows) + "\n"


def _needed(protocol: str, kind: OrderKind) -> str:
    return ", ".join(f"`{key}`" for key in needs_of(protocol, kind)) or "nothing: money moves no contact"
