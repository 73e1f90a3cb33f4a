"""What the API serves, and how its endpoints come to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends, Request

from meterlink.accounts.doorkeeper import Doorkeeper, Patience
from meterlink.acquisition.explaining import Place
from meterlink.billing.settlements import Settlements
from meterlink.clock import Clock
from meterlink.web.freeze_files import Workbooks
from meterlink.web.readers import Readers


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What the API serves.

    Args:
        readers: of the journal.
        settlements: the sealed days.
        places: where each meter stands now.
        doorkeeper: lets tokens in.
        patience: with those who have none.
        clock: of the daemon.
        workbooks: makes them.

    """

    readers: Readers
    settlements: Settlements
    places: Callable[[], Mapping[str, Place]]
    doorkeeper: Doorkeeper
    patience: Patience
    clock: Clock
    workbooks: Workbooks = field(default_factory=Workbooks)


def _world(request: Request) -> World:
    found: World = request.app.state.world
    return found


Here = Annotated[World, Depends(_world)]
"""The world, for an endpoint."""
