"""Which language a person wants: ``--lang``, or what the locale says.

What goes wrong deep below a command is told in that language too: whoever tells it asks ``spoken``.
"""

from __future__ import annotations

import enum
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final, Literal

_SPOKEN: Final[ContextVar[Literal["en", "zh"] | None]] = ContextVar("spoken", default=None)


class Lang(enum.StrEnum):
    """Languages of the command line's answers."""

    ZH = "zh"
    EN = "en"


def chosen(lang: Lang | None, environ: Mapping[str, str] = os.environ) -> Literal["en", "zh"]:
    """The language asked for; without one the first of LC_ALL, LC_MESSAGES and LANG decides."""
    if lang is None:
        names = (environ.get(name, "") for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
        lang = Lang.ZH if next(filter(None, names), "").startswith("zh") else Lang.EN
    return "zh" if lang is Lang.ZH else "en"


@contextmanager
def speaking(lang: Literal["en", "zh"]) -> Iterator[None]:
    """Let a command speak a language until it ends."""
    token = _SPOKEN.set(lang)
    try:
        yield
    finally:
        _SPOKEN.reset(token)


def spoken() -> Literal["en", "zh"]:
    """The language of the command that runs; outside of one that of the locale."""
    return _SPOKEN.get() or chosen(None)
