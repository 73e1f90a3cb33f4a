"""What the API serves, and how its endpoints come to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from fastapi import Depends, Request

from meterlink.accounts.doorkeeper import Doorkeeper, Patience
from meterlink.acquisition.explaining import Place
from meterlink.billing.settlements import Settlements
from meterlink.clock import Clock
from meterlink.web.readers import Readers


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the API serves.

    Args:
        readers: of the journal.
        settlements: the sealed days; ``None``: the daemon seals none.
        places: where each meter stands now.
        doorkeeper: lets tokens in.
        patience: with those who have none.
        clock: of the daemon.

    """

    readers: Readers
    settlements: Settlements | None
    places: Callable[[], Mapping[str, Place]]
    doorkeeper: Doorkeeper
    patience: Patience
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Roots:
    """Where the files of a gateway are.

    Args:
        journal: its file.
        folder: of the data; the tokens are in it.
        settlements: of the sealed days; ``None``: there are none.

    """

    journal: Path
    folder: Path
    settlements: Path | None


def _world(request: Request) -> World:
    found: World = request.app.state.world
    return found


Here = Annotated[World, Depends(_world)]
"""The world, for an endpoint."""
