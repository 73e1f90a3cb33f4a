"""The journal as the daemon opens it: with room put aside for acts, a signer that watches their chain, and a
keeper of its bounds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timezone

from meterlink.audit.chain import Fault
from meterlink.audit.checkpoints import Signer, signing
from meterlink.audit.keys import GatewayKey
from meterlink.clock import Clock
from meterlink.config import Settings
from meterlink.daemon.delivery import Outside
from meterlink.daemon.delivery_slot import DeliverySlot
from meterlink.journal.housekeeping import Housekeeper, Policy
from meterlink.journal.journal import Journal
from meterlink.journal.reserve import Reserve
from meterlink.orders.attention.alarms import Alarms, Seen

JOURNAL_FILE = "journal.sqlite3"
RESERVE_FILE = "journal.sqlite3-reserve"
CHAIN_BROKEN = "AUDIT_CHAIN_BROKEN"
"""The alarm that the chain of acts is not whole."""


@asynccontextmanager
async def audited_journal(outside: Outside, zone: timezone) -> AsyncIterator[Journal]:
    """The journal of a data directory until the end of the block; its chain is signed as it grows.

    Args:
        outside: see there.
        zone: of the plant, at the end of whose days the chain is signed.

    Raises:
        KeyUnusable: the gateway's key cannot be read or made, or others can read it.
        JournalError: the journal cannot be opened.

    """
    key = GatewayKey.open(outside.folder)
    reserve = Reserve(outside.folder / RESERVE_FILE, octets=outside.reserve_octets, free=outside.free_octets)
    path = outside.folder / JOURNAL_FILE
    async with Journal.open(path, clock=outside.clock, put_aside=reserve) as journal:
        alarms = Alarms(journal.acts, outside.clock, zone=zone)

        async def tell(fault: Fault) -> None:
            await alarms.raise_(Seen(rule=CHAIN_BROKEN, origin="AUD-04", value=fault.en))

        async with signing(Signer(journal.acts, key, outside.clock, zone=zone, tell=tell)):
            yield journal


def housekeeper(settings: Settings, journal: Journal, delivery: DeliverySlot, clock: Clock) -> Housekeeper:
    """Whoever keeps a journal within the bounds of a configuration.

    Args:
        settings: checked.
        journal: open.
        delivery: what its ingest, which has no cursor, lacks stays.
        clock: for the time that work takes.

    """
    return Housekeeper(journal, Policy(settings.retention.ages), clock=clock, floor=delivery.stored)
