"""What the seeds of the soak bring: days of a whole gateway, with everything that goes wrong in the field.

`make soak` plays them.
"""

from __future__ import annotations

from itertools import pairwise

from tests.sim.soak.draft import NATURES
from tests.sim.soak.drawing import drawn
from tests.sim.soak.playing import DAYS, METERS

_SEEDS = 20


def test_a_draft_follows_from_its_seed() -> None:
    """A seed that failed would be another world the next time."""
    assert drawn(3, days=DAYS, meters=METERS) == drawn(3, days=DAYS, meters=METERS)
    assert drawn(3, days=DAYS, meters=METERS) != drawn(4, days=DAYS, meters=METERS)


def test_the_seeds_bring_everything() -> None:
    """A kind of trouble that no seed draws is one that nobody has seen the gateway survive."""
    drafts = [drawn(seed, days=DAYS, meters=METERS) for seed in range(_SEEDS)]
    meters = [meter for draft in drafts for meter in draft.meters]
    lines = [line for draft in drafts for line in draft.lines]
    assert {nature for nature, _ in NATURES} == {meter.nature for meter in meters}
    assert {"dlt645-2007", "dlt645-1997", "dlt698.45"} == {meter.protocol for meter in meters}
    assert {600, 1200, 2400, 9600} == {line.baud for line in lines if line.way == "paced"}
    assert {"stop", "cancel", "torn"} == {life.ends for draft in drafts for life in draft.lives}
    assert all(
        any(getattr(line, what) for line in lines) for what in ("echo", "turn_noise", "gone", "mute", "cuts")
    )
    assert any(draft.clock_off for draft in drafts)
    assert any(draft.broker_away for draft in drafts)
    assert any(draft.full for draft in drafts)
    assert any(draft.replanned_at for draft in drafts)
    assert {"add", "remove", "move", "exchange"} == {act.what for draft in drafts for act in draft.acts}
    late = [act.at_s - (act.meter.exchanged_at or act.at_s) for draft in drafts for act in draft.acts]
    assert max(late) > 6 * 3_600, "an exchange that is told late"
    assert len(drafts) / 3 <= 1 + sum(draft.curve_s == 900 for draft in drafts)
    assert {900, 3_600, 86_400} == {draft.passing_s for draft in drafts}
    longest = max(
        later.span.begin - life.span.end for draft in drafts for life, later in pairwise(draft.lives)
    )
    assert longest >= 7 * 86_400, "a week without the gateway"
