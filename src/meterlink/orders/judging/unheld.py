"""What a cap or brake holds is held no more when its order ends; the last step of that brings its act."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from meterlink.journal.acts import ActLog
from meterlink.model.act import Act, Topic
from meterlink.orders.life.life import Life
from meterlink.orders.limits.caps import Verb
from meterlink.orders.limits.trips import CUTS, Trip, held_subject
from meterlink.orders.people import DAEMON


class Unheld:
    """Goes with every step; see ``Companion``.

    Args:
        acts: the log.

    """

    def __init__(self, acts: ActLog) -> None:
        self._acts = acts

    async def beside(self, before: Life, after: Life, act: Act) -> Sequence[Act]:
        """See ``Companion.beside``."""
        if after.order.kind not in CUTS or after.is_open or not before.is_open:
            return ()
        last = await self._acts.last_of(Topic.POLICY, held_subject(after.order.id))
        if last is None or not last.act.is_open:
            return ()
        why = f"the order has ended: {after.state.value}"
        body = {**Trip.read(after.order.id, last.act.body).body, "why": why}
        step, verb = last.act.step + 1, Verb.DELETE.value
        return [replace(last.act, step=step, verb=verb, at=act.at, actor=DAEMON, body=body, is_open=False)]

    def kept(self, acts: Iterable[Act]) -> None:
        """See ``Companion.kept``."""
