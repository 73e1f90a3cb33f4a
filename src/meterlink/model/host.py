"""Whether a name of a host can be looked up at all."""

from __future__ import annotations


def is_host(name: str | None) -> bool:
    """Whether a name or address can be asked for; whether it exists is found out then.

    Args:
        name: of a URL; ``None`` and empty: it has none. Without this look, a label that is empty (two dots)
            or has over 63 octets comes back from the look-up as an error that is none of the network's.

    """
    if not name:
        return False
    try:
        name.encode("idna")
    except UnicodeError:
        return False
    return True
