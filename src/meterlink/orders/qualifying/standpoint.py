"""Where the person at a meter stands in a qualification, and which probes there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from meterlink.orders.qualification.looks import Words
from meterlink.orders.qualification.probes import PROBES, Probe
from meterlink.orders.qualification.walk import Walk, words_out


@dataclass(frozen=True, slots=True, kw_only=True)
class Standpoint:
    """Where a walk stands after a request.

    Args:
        walk: how far it is.
        next: the probe that waits for the person's yes; ``None``: none does.
        todo: what has to be done at the meter first; ``None``: nothing.
        waits: whether an order is still on its way.

    """

    walk: Walk
    next: Probe | None = None
    todo: Words | None = None
    waits: bool = False

    @property
    def view(self) -> dict[str, Any]:
        """For people and programs."""
        return {
            **self.walk.view,
            "next": _probe_view(self.next) if self.next else {},
            "todo": words_out(self.todo),
            "waits": self.waits,
        }


def _probe_view(probe: Probe) -> dict[str, Any]:
    """A probe for people and programs."""
    return {"probe": probe.name, "kind": probe.kind.value, **words_out(probe.says)}


def plan() -> list[dict[str, Any]]:
    """Every probe, for people and programs."""
    return [_probe_view(probe) for probe in PROBES]
