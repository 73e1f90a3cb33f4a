"""The canned meters of the benchmarks: they answer what a night's collection asks, or say what they lack."""

from __future__ import annotations

import asyncio

import pytest
from bench.bench_line import canned
from bench.canned import AskedInVain, CannedLine

from meterlink.transports.memory import memory_line
from metersim.loop import Simulation
from meterwire.dlt645 import AbnormalReply, Frame, ReadRequest, decode, encode, from_frame, to_frame

_ADDRESS = "000000000161"


def test_a_collection_asks_canned_meters_nothing_in_vain() -> None:
    """A question that the daemon learns to ask would be refused 15,000 times, and the figure be of that."""
    gateway, lines = canned(2, 2)
    gateway.collect(4)
    assert {"line0": {}, "line1": {}} == {name: line.in_vain for name, line in lines.items()}


def test_what_canned_meters_cannot_answer_is_refused_and_told() -> None:
    """A benchmark would end in a traceback that names no identifier, or measure refusals."""
    sim, line = Simulation(seed=1), CannedLine({}, 9600)

    async def ask() -> Frame:
        near, far = memory_line()
        async with asyncio.TaskGroup() as group:
            group.create_task(line.serve(far), name="meters")
            await near.send(encode(to_frame(ReadRequest(address=_ADDRESS, di=0x00010000)), preamble=4))
            answer = await near.receive()
            await near.aclose()
        return decode(answer)

    refusal = from_frame(sim.run(ask()))
    assert AbnormalReply(address=_ADDRESS, function=0x11, error_word=b"\x02") == refusal
    with pytest.raises(AskedInVain, match=r"11H of 00010000 \(1 times\)"):
        line.check()
