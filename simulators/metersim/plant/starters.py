"""Commented plant files to begin with."""

from __future__ import annotations

import re
from importlib import resources
from typing import Final, Literal, get_args

Kind = Literal["small", "mixed", "faulty", "dial", "concentrator", "terminal", "carrier"]
KINDS: Final[tuple[Kind, ...]] = get_args(Kind)

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}").fullmatch


def starter(kind: Kind, name: str) -> str:
    """The text of a plant file.

    Args:
        kind: what sort of plant.
        name: of the plant, 1 to 64 letters, digits, ``.``, ``-`` and ``_``.

    Raises:
        ValueError: ``name`` is none.

    """
    if not _NAME(name):
        raise ValueError(f"{name!r}: write 1 to 64 letters, digits, '.', '-' or '_', as substation-7")
    file = resources.files("metersim.plant") / "templates" / f"{kind}.yaml"
    return file.read_text(encoding="utf-8").replace("{name}", name)
