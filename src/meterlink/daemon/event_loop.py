"""What the two programs run on: Python's own event loop, or uvloop where it is configured and installed."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable

from meterlink.config.gateway import LoopName
from meterlink.errors import ConfigError

LoopMaker = Callable[[], asyncio.AbstractEventLoop] | None
"""Makes an event loop; ``None``: Python's own is made."""


def loop_maker(name: LoopName) -> LoopMaker:
    """The maker of an event loop.

    Args:
        name: as the configuration has it.

    Raises:
        ConfigError: it is not installed.

    """
    if name == "asyncio":
        return None
    if importlib.util.find_spec("uvloop") is None:
        raise ConfigError(
            "[gateway] event_loop = \"uvloop\" needs the extra uvloop: pip install 'meterlink[uvloop]' "
            "(a clone: make dev), or leave event_loop out",
            "[gateway] event_loop = \"uvloop\" 需要附加组件 uvloop:pip install 'meterlink[uvloop]'"
            "(克隆的仓库:make dev),或去掉 event_loop",
        )
    import uvloop  # noqa: PLC0415 (an extra brings it)

    return uvloop.new_event_loop


def running_loop() -> str:
    """The name of the event loop that runs: of the package that it comes from."""
    return type(asyncio.get_running_loop()).__module__.partition(".")[0]
