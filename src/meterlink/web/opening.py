"""The API of a daemon at work: its world put together, and its listeners opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timezone
from pathlib import Path

from meterlink.accounts.doorkeeper import Doorkeeper, Patience
from meterlink.accounts.token_file import TokenFile
from meterlink.acquisition.explaining import Place
from meterlink.billing.opening import RosterFacts
from meterlink.billing.settlements import Settlements
from meterlink.clock import Clock
from meterlink.config.web import WebSettings
from meterlink.drivers.profiles import MeterProfiles
from meterlink.web.app import application
from meterlink.web.readers import Readers
from meterlink.web.serving import Supervisor, open_api
from meterlink.web.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What the API is about.

    Args:
        folder: of the data; the tokens are in it.
        journal: its file.
        zone: of the plant.
        profiles: of the meters' models.
        settlements: the sealed days.
        places: where each meter stands now.
        clock: of the daemon.

    """

    folder: Path
    journal: Path
    zone: timezone
    profiles: MeterProfiles
    settlements: Settlements
    places: Callable[[], Mapping[str, Place]]
    clock: Clock


@asynccontextmanager
async def open_web(
    settings: WebSettings, gateway: Gateway, supervised: Supervisor
) -> AsyncIterator[list[str]]:
    """Serve the API of a gateway until the block ends; gives where.

    Args:
        settings: where to listen.
        gateway: what it is about.
        supervised: starts a listener again that crashes.

    Raises:
        ConfigError: the certificate or its key cannot be used.
        LineBusy, LineLost: somebody else listens there, or nobody can.

    """
    async with Readers.open(
        gateway.journal, gateway.zone, lambda points: RosterFacts(points, gateway.profiles, gateway.zone)
    ) as readers:
        world = World(
            readers=readers,
            settlements=gateway.settlements,
            places=gateway.places,
            doorkeeper=Doorkeeper(TokenFile(gateway.folder), gateway.clock),
            patience=Patience(gateway.clock),
            clock=gateway.clock,
        )
        app = application(world, anywhere=settings.tls is not None)
        async with open_api(app, settings, supervised=supervised) as urls:
            yield urls
