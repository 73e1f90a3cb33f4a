"""The REST API of a plant in the same process, on a clock that tests move."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from metersim import Meter, SimClock
from metersim.api.app import application
from metersim.api.exchanges import Exchanges
from metersim.api.served import Served
from metersim.plant.built import BuiltPlant
from metersim.plant.clocks import PlantClock
from metersim.plant.plant import read_plant
from meterwire.dlt645 import Deframer, ReadRequest, encode, to_frame
from tests.support.head_end645 import HeadEnd

PLANT = """\
plant: east
seed: 7
time: x60
start: 2026-10-01T00:00:00+08:00
lines:
  - {name: north, at: listen, meters: [{count: 3, address: 161, reply_delay_ms: 0}]}
  - name: south
    at: listen
    meters:
      - {address: 301, profile: dlt698.45/three-phase, reply_delay_ms: 0}
      - {address: 401, profile: dlt645-2007/local-prepayment, reply_delay_ms: 0}
"""
ENERGY = 0x00010000
FIRST, LAST = "000000000161", "000000000401"


class AskedApi:
    """A plant and its API.

    Attributes:
        wall: moves the time of the plant, 60 times as fast.
        built: the plant.
        exchanges: what passed on its lines.

    """

    def __init__(self, client: httpx.AsyncClient, wall: SimClock, served: Served) -> None:
        self._client = client
        self.wall, self.built, self.exchanges = wall, served.built, served.exchanges

    async def ask(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, Any]:
        """Status and content of an answer; a problem is checked for what every problem has."""
        given: dict[str, Any] = {"json": body} if body is not None else {}
        answer = await self._client.request(method, path, **given, **more)
        content = answer.json()
        if answer.status_code >= 400:
            assert "application/problem+json" == answer.headers["content-type"]
            assert answer.status_code == content["status"]
            assert content["type"].startswith("urn:metersim:problem:")
            assert all(content[key] for key in ("title", "detail", "instance", "remedy"))
        return answer.status_code, content

    async def get(self, path: str) -> Any:
        """Content of what is there."""
        status, content = await self.ask("GET", path)
        assert 200 == status, content
        return content

    async def kind(self, method: str, path: str, body: object = None, **more: Any) -> tuple[int, str]:
        """Status and kind of a problem."""
        status, content = await self.ask(method, path, body, **more)
        return status, content.get("type", "").removeprefix("urn:metersim:problem:")

    def head_end(self, address: str = FIRST) -> HeadEnd:
        """Who orders a meter of DL/T 645 about, at the plant's time."""
        speaker = self.built.meter(address).speaker
        assert isinstance(speaker, Meter)
        return HeadEnd(speaker, self.built.clock.utc_now())


async def read(api: AskedApi, address: str = FIRST) -> int:
    """Ask for the energy over the line; how many frames came."""
    request = encode(to_frame(ReadRequest(address=address, di=ENERGY)), preamble=4)
    async with api.built.meter(address).line.connect() as client:
        await client.send(request)
        return len(Deframer().feed(await client.receive()))


@asynccontextmanager
async def asked_api(text: str = PLANT, *, anywhere: bool = False) -> AsyncIterator[AskedApi]:
    """A plant whose API is asked.

    Args:
        text: its plant file.
        anywhere: whether other machines may ask.

    """
    plant, wall = read_plant(text, "plant.yaml", folder=Path()), SimClock()
    clock = PlantClock(wall=wall, start=plant.start, speed=plant.time, monotonic_s=wall.monotonic_s)
    exchanges = Exchanges(plant, clock=clock, monotonic_s=wall.monotonic_s)
    built: BuiltPlant = BuiltPlant(plant, clock=clock, record=exchanges.answered, capture=exchanges)
    served = Served(built=built, exchanges=exchanges)
    transport = httpx.ASGITransport(application(served, anywhere=anywhere))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:1") as client:
        yield AskedApi(client, wall, served)
