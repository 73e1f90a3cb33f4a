"""Topic names: where on the broker which message of which gateway stands.

``meterlink/v1/{site}/{gateway}/up/reading/{meter}``. Source: decision 15.
"""

from __future__ import annotations

from typing import NamedTuple

from meterlink.errors import ConfigError

ROOT = "meterlink/v1"
READINGS_FILTER = f"{ROOT}/+/+/up/reading/+"
"""All readings of all gateways of all sites."""
NAME_OCTETS_MAX = 255
"""A level of a topic; all levels together stay far below the 65,535 octets that MQTT allows."""

_FORBIDDEN = "/+#\\"


class ReadingTopic(NamedTuple):
    """What the topic of a reading says."""

    site: str
    gateway: str
    meter: str


def check_name(name: str, what: str) -> str:
    """Return the name of a site, gateway or meter if it can stand in a topic and in a line of the database.

    Args:
        name: the name, as configured.
        what: what it names, for the message: ``"site"``, ``"meter m1"``.

    Raises:
        ConfigError: empty, too long, or with a character that MQTT or line protocol forbids.

    """
    if not name:
        raise ConfigError(f"{what}: the name is empty")
    if any(mark in name for mark in _FORBIDDEN):
        raise ConfigError(
            f"{what}: {name!r} holds one of / + # \\, which others keep for themselves: choose another"
        )
    if not name.isprintable():
        raise ConfigError(f"{what}: {name!r} holds a character that cannot be printed: choose another name")
    if name.startswith("$"):
        raise ConfigError(
            f"{what}: {name!r} starts with $, which brokers keep for themselves: choose another name"
        )
    if len(name.encode()) > NAME_OCTETS_MAX:
        raise ConfigError(
            f"{what}: {name!r} is longer than {NAME_OCTETS_MAX} octets in UTF-8: choose a shorter one"
        )
    return name


def reading_topic(site: str, gateway: str, meter: str) -> str:
    """The topic of a meter's readings.

    Raises:
        ConfigError: a name that cannot stand in a topic.

    """
    names = check_name(site, "site"), check_name(gateway, "gateway"), check_name(meter, "meter")
    return "{}/{}/{}/up/reading/{}".format(ROOT, *names)


def parse_reading_topic(topic: str) -> ReadingTopic | None:
    """Undo ``reading_topic``; ``None`` for the topic of something else."""
    root, _, rest = topic.partition(f"{ROOT}/")
    levels = rest.split("/")
    if root or len(levels) != 5 or levels[2:4] != ["up", "reading"]:
        return None
    return ReadingTopic(levels[0], levels[1], levels[4])
