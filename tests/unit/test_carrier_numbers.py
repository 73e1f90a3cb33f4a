"""Sequence numbers of requests to a module."""

from __future__ import annotations

import asyncio

from meterlink.drivers.carrier.outstanding import REST_S, SEQUENCES, Asked, Outstanding, Strays
from metersim import Simulation
from meterwire.gdw1376.link.module_frame import DownInfo
from meterwire.gdw1376.messages.module import request


def test_a_number_rests_after_its_request() -> None:
    """A late answer would be taken for that to the next question with its number, of another meter."""

    async def program() -> None:
        outstanding, loop = Outstanding(Strays()), asyncio.get_running_loop()
        resting = outstanding.number(0.0)
        asked = Asked(request(DownInfo(resting), 0x03, 10, {}), loop.create_future())
        outstanding.add(asked)
        outstanding.close(asked, 0.0)
        assert resting not in {outstanding.number(REST_S - 1) for _ in range(2 * SEQUENCES)}
        assert resting in {outstanding.number(REST_S) for _ in range(2 * SEQUENCES)}

    Simulation().run(program())
