"""People leave while the daemon runs."""

from __future__ import annotations

from pathlib import Path

from meterlink.errors import NotAllowed
from meterlink.model.order import OrderKind
from tests.support.control_bench import ADDRESS
from tests.support.order_gateway import PEOPLE, one_meter

M = f"m{ADDRESS}"


def test_who_was_dismissed_operates_no_order(tmp_path: Path) -> None:
    """A dispatcher who was taken out of the file could cut somebody off until the next start (AUD-01)."""
    gateway = one_meter(tmp_path)

    def written(people: str) -> None:
        (tmp_path / "people.toml").write_text(people, encoding="utf-8")

    async def script() -> None:
        await gateway.up()
        await gateway.told_for_trip(M)
        await gateway.ask("clara", "order.create", order=gateway.order("t-1", OrderKind.TRIP, M))
        await gateway.ask("anna", "order.approve", id="t-1")
        await gateway.ask("david", "order.arm", id="t-1")
        written(PEOPLE.replace('name = "david"', 'name = "dora"'))
        gone = await gateway.refused("david", "order.operate", id="t-1")
        assert isinstance(gone, NotAllowed) and "role" == gone.why
        written(PEOPLE[:-3])
        wrong = await gateway.refused("dora", "order.arm", id="t-1")
        assert isinstance(wrong, NotAllowed) and "people.toml" in str(wrong)

    gateway.run(seconds=60, meanwhile=script)
    assert [] == gateway.obeyed()
