"""The API over a journal of a test: asked in its process, or served on loopback."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx

from meterlink.accounts.doorkeeper import Doorkeeper, Patience
from meterlink.accounts.token_file import TokenFile
from meterlink.accounts.tokens import Scope
from meterlink.acquisition.explaining import Place
from meterlink.billing.settlements import Settlements
from meterlink.model.zone import CHINA_TIME
from meterlink.validation.validator import FactsOfMeters
from meterlink.web.app import application
from meterlink.web.limits import Limits
from meterlink.web.readers import Readers
from meterlink.web.world import World
from tests.support.billing import JOURNAL, AnyFacts, Plant

NOW: Final = datetime(2026, 11, 22, 1, tzinfo=UTC)
HERE: Final = "http://127.0.0.1"
_ANY_FACTS: Final[FactsOfMeters] = AnyFacts()


@dataclass
class Hands:
    """A clock whose hands tests move."""

    now: datetime = NOW
    passed_s: float = 0.0

    def utc_now(self) -> datetime:
        return self.now

    def monotonic_s(self) -> float:
        return self.passed_s


@dataclass
class Served:
    """The API of a folder.

    Args:
        app: the application.
        world: that it serves.
        clock: of the world.
        tokens: of the folder.

    """

    app: Limits
    world: World
    clock: Hands
    tokens: TokenFile

    def token(self, *scopes: Scope, days: int = 30, name: str = "") -> str:
        """A token that is good for some scopes, as its holder shows it; without any: for all."""
        wanted = scopes or tuple(Scope)
        number = len(self.tokens.tokens())
        _, shown = self.tokens.create(
            name or f"t{number}",
            wanted,
            now=self.clock.now,
            expires_at=self.clock.now + timedelta(days=days),
            entropy=lambda octets: bytes([number + 1]) * octets,
        )
        return shown

    def client(self, token: str | None = None) -> httpx.AsyncClient:
        """Somebody who asks in this process, with a token or without."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        transport = httpx.ASGITransport(app=self.app, raise_app_exceptions=False)
        return httpx.AsyncClient(transport=transport, base_url=HERE, headers=headers)


@asynccontextmanager
async def served(
    folder: Path,
    *,
    places: Mapping[str, Place] | None = None,
    anywhere: bool = False,
    clock: Hands | None = None,
    facts: FactsOfMeters = _ANY_FACTS,
) -> AsyncIterator[Served]:
    """The API over the journal of a folder."""
    clock = clock or Hands()
    tokens = TokenFile(folder)
    async with Readers.open(folder / JOURNAL, CHINA_TIME, lambda _: facts) as readers:
        world = World(
            readers=readers,
            settlements=Settlements(folder / "settlements"),
            places=lambda: places or {},
            doorkeeper=Doorkeeper(tokens, clock),
            patience=Patience(clock),
            clock=clock,
        )
        yield Served(application(world, anywhere=anywhere), world, clock, tokens)


async def fill(plant: Plant, days: list[Any], meters: tuple[int, ...] = (1, 2, 3)) -> None:
    """Meters, and a freeze of each a day."""
    await plant.put(*meters)
    for day in days:
        plant.after(day)
        for number in meters:
            await plant.keep(f"m{number}", day, {"forward_active_energy": f"{100 * number + day.day}.50"})


def of_problem(answer: httpx.Response) -> str:
    """The kind of a problem, which the answer is."""
    told = answer.json()
    assert "application/problem+json" == answer.headers["content-type"]
    assert answer.status_code == told["status"]
    assert {"type", "title", "status", "detail", "instance", "remedy"} <= set(told)
    return str(told["type"].removeprefix("urn:meterlink:problem:"))
