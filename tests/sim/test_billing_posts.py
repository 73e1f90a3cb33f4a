"""Who may seal days and make estimates, asked of a whole gateway. Source: decision 27."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pytest

from meterlink.daemon.estimating import ESTIMATE
from meterlink.daemon.settling import SETTLE
from meterlink.errors import MeterlinkError, NotAllowed
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import one_meter

DAY: Final = "2026-11-23"
ASKED: Final[dict[str, dict[str, Any]]] = {
    SETTLE: {"day": DAY, "area": "east", "dry_run": True},
    ESTIMATE: {"meter": f"m{ADDRESS}", "item": "forward_active_energy", "day": DAY},
}


@pytest.mark.parametrize("op", sorted(ASKED))
def test_a_post_of_billing_is_asked_for(op: str, tmp_path: Path) -> None:
    """A clerk, or nobody at all, would seal what is billed, or write an estimate into the log (AUD-03)."""
    gateway = one_meter(tmp_path)
    gateway.employ("olga", "operator")

    async def refused(user: str) -> MeterlinkError | None:
        try:
            await gateway.ask(user, op, **ASKED[op])
        except MeterlinkError as error:
            return error
        return None

    async def script() -> None:
        await gateway.up()
        for user in ("clara", "sam", "mallory"):
            error = await refused(user)
            assert isinstance(error, NotAllowed) and "billing or operator" in str(error)
        for user in ("billing", "olga"):
            assert not isinstance(await refused(user), NotAllowed)

    gateway.run(seconds=30, meanwhile=script)
