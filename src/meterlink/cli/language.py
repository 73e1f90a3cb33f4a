"""Which language a person wants: ``--lang``, or what the locale says."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from typing import Literal


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
