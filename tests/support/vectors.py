"""The conformance vectors, for tests."""

from __future__ import annotations

import json
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

_FOLDER = Path(__file__).parent.parent / "vectors"


@cache
def vectors(file: str, protocol: str = "") -> tuple[dict[str, Any], ...]:
    """The lines of one file whose protocol begins with ``protocol``, the disputed ones left out."""
    disputed = _FOLDER / "disputed.toml"
    out = tomllib.loads(disputed.read_text(encoding="utf-8")) if disputed.exists() else {}
    lines = (_FOLDER / file).read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines if line.strip()]
    return tuple(line for line in found if line["protocol"].startswith(protocol) and line["id"] not in out)


def octets(vector: dict[str, Any]) -> bytes:
    """The octets of a vector."""
    return bytes.fromhex(vector["hex"])
