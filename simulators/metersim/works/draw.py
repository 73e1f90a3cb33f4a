"""Numbers that look random and are always the same for the same arguments, on every machine."""

from __future__ import annotations

from hashlib import blake2b


def draw(key: str, index: int, below: int) -> int:
    """A number that looks random and is always the same one for the same arguments.

    Args:
        key: what the number is for.
        index: which one of them, e.g. the number of a second.
        below: exclusive upper limit, 1 or more.

    """
    digest = blake2b(f"{key}#{index}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % below
