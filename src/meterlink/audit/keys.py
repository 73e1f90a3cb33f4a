"""The gateway's own key: Ed25519, made at the first start, readable by nobody else; and what it signs.

What is signed says what it is for, so that a signature of one thing can never pass for one of another.
Source: decision 34.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from meterlink.errors import KeyUnusable
from meterlink.model.act import written

KEY_FILE: Final = "gateway-key.pem"
"""In the data directory."""
PUBLIC_KEY: Final = re.compile(r"[0-9a-f]{64}")
"""A public key as people pass it on."""
_MODE: Final = 0o600
_PEM_OCTETS_MAX: Final = 4_096


class GatewayKey:
    """The private key of one gateway.

    Args:
        private: the key; it is never shown.

    """

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private

    def __repr__(self) -> str:
        """Whose key it is; nothing of the key itself."""
        return f"GatewayKey({self.public_hex})"

    @classmethod
    def open(cls, folder: Path) -> Self:
        """The key of a data directory; made there if there is none.

        Args:
            folder: exists.

        Raises:
            KeyUnusable: the file cannot be read or made, others may read it, or it holds no such key.

        """
        path = folder / KEY_FILE
        if not os.path.lexists(path):
            try:
                _make(path)
            except OSError as error:
                raise KeyUnusable(f"{path}: the gateway's key cannot be made: {error.strerror}") from None
        return cls.find(folder)

    @classmethod
    def passing(cls) -> Self:
        """A key of this process alone: what it signs is not believed after it."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def find(cls, folder: Path) -> Self:
        """The key of a data directory, as it was made at the first start.

        Raises:
            KeyUnusable: there is none, others may read it, or the file holds no such key.

        """
        path = folder / KEY_FILE
        try:
            return cls(_read(path))
        except OSError as error:
            raise KeyUnusable(f"{path}: the gateway's key cannot be read: {error.strerror}") from None

    @property
    def public_hex(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self._private.public_key().public_bytes_raw().hex()

    def sign(self, purpose: str, document: Mapping[str, Any]) -> str:
        """128 hexadecimal digits over a document and what it is.

        Args:
            purpose: what the document is: ``checkpoint``, ``qualification``, ...
            document: as the body of an act.

        Raises:
            ValueError: it is no JSON of ours.

        """
        return self._private.sign(_signed_octets(purpose, document)).hex()


def is_signed(public_hex: str, signature_hex: str, purpose: str, document: Mapping[str, Any]) -> bool:
    """Whether a signature is that of a key over a document; ``False`` also where either is malformed."""
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public_hex))
        key.verify(bytes.fromhex(signature_hex), _signed_octets(purpose, document))
    except (ValueError, InvalidSignature):
        return False
    return True


def _signed_octets(purpose: str, document: Mapping[str, Any]) -> bytes:
    return f"meterlink {purpose} 1\n".encode() + written(document)


def _make(path: Path) -> None:
    """Write a new key whole or not at all; another process may be faster, then its key stands."""
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), _MODE)
            file.write(pem)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read(path: Path) -> Ed25519PrivateKey:
    """The key of a file.

    Raises:
        KeyUnusable: others may read the file, or it holds no such key.
        OSError: it cannot be read.

    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_mode & 0o077 or found.st_uid not in (0, os.geteuid()):
            raise KeyUnusable(
                f"{path}: the gateway's key is readable by others or not ours (mode "
                f"{stat.S_IMODE(found.st_mode):o}): chmod 600, and take it for known to whoever could read it"
            )
        pem = file.read(_PEM_OCTETS_MAX)
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyUnusable(
            f"{path}: this is no Ed25519 key: restore it, or move it away, and a new one is made"
        )
    return key
