"""How the daemon speaks: structlog, coloured for a person at a terminal, JSON lines for everything else."""

from __future__ import annotations

import logging
import sys
from typing import Literal, TextIO

import structlog

_QUIET = ("amqtt", "aiomqtt", "mqtt", "paho", "urllib3", "asyncio", "transitions", "websockets")
"""Libraries whose chatter below a warning helps nobody."""


def set_up_logs(level: str, form: Literal["auto", "json", "console"], stream: TextIO | None = None) -> None:
    """Send our events, and the warnings of the libraries, to one stream.

    Args:
        level: least severe line shown: ``debug``, ``info``, ``warning`` or ``error``.
        form: ``auto`` is ``console`` on a terminal and ``json`` elsewhere.
        stream: where to; standard error by default, so that standard output stays the command's.

    """
    target = stream or sys.stderr
    console = form == "console" or (form == "auto" and target.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.types.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    if not console:
        shared.append(structlog.processors.format_exc_info)
    renderer: structlog.types.Processor = (
        # Without the values of local variables: octets with passwords are among them.
        structlog.dev.ConsoleRenderer(
            colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        if console
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.WriteLoggerFactory(target),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
