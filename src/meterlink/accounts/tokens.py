"""What a token is: who holds it, what it is good for, and how long. Of its secret only a hash is kept.

A secret is 256 bits of the system's randomness, so a plain hash hides it: there is nothing to guess that a
slow hash would make slower.
"""

from __future__ import annotations

import enum
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from hmac import compare_digest
from typing import Any, Final, Self

from meterlink.model.payload import time_in, time_out

NAME_MAX: Final = 64
"""Longest name of a token, in characters."""
ID_OCTETS: Final = 4
SECRET_OCTETS: Final = 32
_SHOWN: Final = re.compile(r"mlt_([0-9a-f]{8})_([0-9a-f]{64})")
_HASH: Final = re.compile(r"[0-9a-f]{64}")
_NOBODY: Final = "0" * 64
"""Compared with where nobody has the id, so that it takes as long."""

Entropy = Callable[[int], bytes]
"""So many octets that nobody can guess."""


class Scope(enum.Enum):
    """What a token is good for."""

    FREEZE = "freeze:read"
    CONSUMPTION = "consumption:read"
    SETTLEMENT = "settlement:read"
    COMPLETENESS = "completeness:read"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """One token, without its secret.

    Args:
        id: 8 hexadecimal digits; stands in the token, and is no secret.
        name: whose it is, for people.
        scopes: what it is good for.
        sha256: of the secret, 64 hexadecimal digits.
        made_at: aware, UTC.
        expires_at: from then on it is refused; aware, UTC.
        revoked_at: from then on it is refused; ``None``: it was not revoked.

    """

    id: str
    name: str
    scopes: frozenset[Scope]
    sha256: str
    made_at: datetime
    expires_at: datetime
    revoked_at: datetime | None = None

    def state(self, now: datetime) -> str:
        """``good``, ``expired`` or ``revoked``."""
        if self.revoked_at is not None:
            return "revoked"
        return "good" if now < self.expires_at else "expired"

    def as_json(self) -> dict[str, Any]:
        """As it stands in the file."""
        return {
            "id": self.id,
            "name": self.name,
            "scopes": sorted(one.value for one in self.scopes),
            "sha256": self.sha256,
            "made_at": time_out(self.made_at),
            "expires_at": time_out(self.expires_at),
            "revoked_at": None if self.revoked_at is None else time_out(self.revoked_at),
        }

    @classmethod
    def of_json(cls, told: dict[str, Any]) -> Self:
        """Undo ``as_json``.

        Raises:
            KeyError, TypeError, ValueError: it is no token.

        """
        revoked_at = told["revoked_at"]
        if not _HASH.fullmatch(told["sha256"]):
            raise ValueError("sha256 has 64 hexadecimal digits")
        return cls(
            id=str(told["id"]),
            name=str(told["name"]),
            scopes=frozenset(Scope(one) for one in told["scopes"]),
            sha256=told["sha256"],
            made_at=time_in(told["made_at"]),
            expires_at=time_in(told["expires_at"]),
            revoked_at=None if revoked_at is None else time_in(revoked_at),
        )


def new_token(
    name: str, scopes: Iterable[Scope], *, made_at: datetime, expires_at: datetime, entropy: Entropy
) -> tuple[Token, str]:
    """A token, and what its holder shows: the only time that the secret is there.

    Args:
        name: whose it is.
        scopes: what it is good for.
        made_at: aware, UTC.
        expires_at: aware, UTC.
        entropy: makes the id and the secret.

    """
    name_hex, secret = entropy(ID_OCTETS).hex(), entropy(SECRET_OCTETS).hex()
    token = Token(
        id=name_hex,
        name=name,
        scopes=frozenset(scopes),
        sha256=_hashed(secret),
        made_at=made_at,
        expires_at=expires_at,
    )
    return token, f"mlt_{name_hex}_{secret}"


def holder_of(shown: str, tokens: Iterable[Token], now: datetime) -> Token | None:
    """Which token somebody shows; ``None``: none that is good. It takes as long for each that is not.

    Args:
        shown: by whoever asks.
        tokens: that there are.
        now: aware, UTC.

    """
    matched = _SHOWN.fullmatch(shown)
    shown_id, secret = matched.groups() if matched else ("", "")
    meant = next((one for one in tokens if one.id == shown_id), None)
    is_right = compare_digest(_hashed(secret), _NOBODY if meant is None else meant.sha256)
    return meant if is_right and meant is not None and meant.state(now) == "good" else None


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
