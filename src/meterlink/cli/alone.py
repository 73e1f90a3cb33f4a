"""Who runs a command that does without a daemon, and who may do what there."""

from __future__ import annotations

import os
import pwd

from meterlink.config import Settings
from meterlink.orders.people import People
from meterlink.orders.people_file import read_people


def own_name() -> str:
    """Name of the user who runs the command."""
    return pwd.getpwuid(os.getuid()).pw_name


def people_of(settings: Settings) -> People | None:
    """Who may do what by a configuration; ``None``: it takes no orders, so who can write the journal may.

    Raises:
        ConfigError: the file of people is wrong.

    """
    return read_people(settings.control.people.expanduser()) if settings.control else None
