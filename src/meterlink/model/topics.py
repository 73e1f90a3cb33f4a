"""Topic names: where on the broker which message of which gateway stands.

``meterlink/v1/{site}/{gateway}/up/reading/{meter}``, ``.../up/event/{meter}`` and ``.../up/order/{meter}``.
Source: decision 15.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from meterlink.errors import ConfigError

ROOT = "meterlink/v1"
READINGS_FILTER = f"{ROOT}/+/+/up/reading/+"
"""All readings of all gateways of all sites."""
EVENTS_FILTER = f"{ROOT}/+/+/up/event/+"
"""All events of all gateways of all sites."""
ORDERS_FILTER = f"{ROOT}/+/+/up/order/+"
"""All steps of all orders of all gateways of all sites."""
NAME_OCTETS_MAX = 255
"""A level of a topic; all levels together stay far below the 65,535 octets that MQTT allows."""

_FORBIDDEN = "/+#\\"


Told = Literal["reading", "event", "order"]
"""What a gateway tells of a meter."""


class UpTopic(NamedTuple):
    """What the topic of a reading, an event or an order says."""

    site: str
    gateway: str
    meter: str
    told: Told


def check_name(name: str, what: str) -> str:
    """Return the name of a site, gateway or meter if it can stand in a topic and in a line of the database.

    Args:
        name: the name, as configured.
        what: what it names, for the message: ``"site"``, ``"meter m1"``.

    Raises:
        ConfigError: empty, too long, or with a character that MQTT or line protocol forbids.

    """
    if not name:
        raise ConfigError(f"{what}: the name is empty", f"{what}:名称为空")
    if any(mark in name for mark in _FORBIDDEN):
        raise ConfigError(
            f"{what}: {name!r} holds one of / + # \\, which others keep for themselves: choose another",
            f"{what}:{name!r} 含有保留字符 / + # \\ 之一:请换一个名称",
        )
    if not name.isprintable():
        raise ConfigError(
            f"{what}: {name!r} holds a character that cannot be printed: choose another name",
            f"{what}:{name!r} 含有不可见字符:请换一个名称",
        )
    if name.startswith("$"):
        raise ConfigError(
            f"{what}: {name!r} starts with $, which brokers keep for themselves: choose another name",
            f"{what}:{name!r} 以 MQTT 服务器保留的 $ 开头:请换一个名称",
        )
    if len(name.encode()) > NAME_OCTETS_MAX:
        raise ConfigError(
            f"{what}: {name!r} is longer than {NAME_OCTETS_MAX} octets in UTF-8: choose a shorter one",
            f"{what}:{name!r} 的 UTF-8 编码超过 {NAME_OCTETS_MAX} 字节:请缩短名称",
        )
    return name


def reading_topic(site: str, gateway: str, meter: str) -> str:
    """The topic of a meter's readings.

    Raises:
        ConfigError: a name that cannot stand in a topic.

    """
    return _up_topic(site, gateway, "reading", meter)


def event_topic(site: str, gateway: str, meter: str) -> str:
    """The topic of the events of a meter or terminal.

    Raises:
        ConfigError: a name that cannot stand in a topic.

    """
    return _up_topic(site, gateway, "event", meter)


def order_topic(site: str, gateway: str, meter: str) -> str:
    """The topic of the steps of the orders of a meter.

    Raises:
        ConfigError: a name that cannot stand in a topic.

    """
    return _up_topic(site, gateway, "order", meter)


def parse_up_topic(topic: str) -> UpTopic | None:
    """Undo the three above; ``None`` for the topic of something else."""
    root, _, rest = topic.partition(f"{ROOT}/")
    match rest.split("/"):
        case [site, gateway, "up", ("reading" | "event" | "order") as told, meter] if not root:
            return UpTopic(site, gateway, meter, told)
        case _:
            return None


def _up_topic(site: str, gateway: str, told: Told, meter: str) -> str:
    names = check_name(site, "site"), check_name(gateway, "gateway"), check_name(meter, "meter")
    return "{}/{}/{}/up/{}/{}".format(ROOT, *names[:2], told, names[2])
