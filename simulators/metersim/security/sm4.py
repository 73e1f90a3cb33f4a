"""SM4 as the suite uses it: blocks, chains of blocks, padding, and the MAC made of them.

The cipher itself is the one of `cryptography`. An operating system's build of OpenSSL may have it switched
off, so that it is tried once, with its published example, before the first key is made.
Source: GB/T 32907-2016; spec sections 7.2 and 7.3 of control and prepayment.
"""

from __future__ import annotations

import functools
import hmac
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import SM4
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB

BLOCK_OCTETS: Final = 16
MAC_OCTETS: Final = 4
ZERO_IV: Final = bytes(BLOCK_OCTETS)
_PAD: Final = 0x80

_EXAMPLE: Final = bytes.fromhex("0123456789abcdeffedcba9876543210")
_EXAMPLE_CIPHER: Final = bytes.fromhex("681edf34d206965e86b3e94f536e4246")


class SecurityUnavailable(RuntimeError):
    """This machine has no SM4 that works."""


class NotSealed(ValueError):
    """What was opened was not made with these keys, or was changed since; it never says what it held."""


@functools.cache
def require_sm4() -> None:
    """Try the cipher with its published example, once in a process.

    Raises:
        SecurityUnavailable: there is none, or it gives something else.

    """
    try:
        ciphered = encipher(_EXAMPLE, _EXAMPLE)
    except UnsupportedAlgorithm:
        raise SecurityUnavailable(
            "SM4 is switched off in the OpenSSL of the installed `cryptography`: install its wheel "
            "in place of a build of the operating system"
        ) from None
    if ciphered != _EXAMPLE_CIPHER:
        raise SecurityUnavailable(
            "SM4 gives another result than its standard's example: reinstall `cryptography`"
        )


def encipher(key: bytes, blocks: bytes) -> bytes:
    """Encipher blocks, each for itself (ECB).

    Args:
        key: 16 octets.
        blocks: a multiple of 16 octets.

    """
    return _run(key, ECB(), blocks)  # noqa: S305 - the suite's own formula, of single blocks


def decipher(key: bytes, blocks: bytes) -> bytes:
    """Undo `encipher`."""
    return _run(key, ECB(), blocks, forward=False)  # noqa: S305 - as above


def chain(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    """Encipher a chain of blocks (CBC).

    Args:
        key: 16 octets.
        iv: 16 octets.
        blocks: a multiple of 16 octets.

    """
    return _run(key, CBC(iv), blocks)


def unchain(key: bytes, iv: bytes, blocks: bytes) -> bytes:
    """Undo `chain`.

    Raises:
        NotSealed: no multiple of 16 octets.

    """
    if len(blocks) % BLOCK_OCTETS:
        raise NotSealed(f"{len(blocks)} octets are no whole blocks of {BLOCK_OCTETS}")
    return _run(key, CBC(iv), blocks, forward=False)


def pad(octets: bytes) -> bytes:
    """To whole blocks, always by one octet or more: 80H, then zeros."""
    marked = octets + bytes((_PAD,))
    return marked + bytes(-len(marked) % BLOCK_OCTETS)


def unpad(blocks: bytes) -> bytes:
    """Undo `pad`.

    Raises:
        NotSealed: there is no padding at the end.

    """
    stripped = blocks.rstrip(b"\x00")
    if not stripped or stripped[-1] != _PAD or len(blocks) - len(stripped) >= BLOCK_OCTETS:
        raise NotSealed("what was deciphered has no padding: another key, or changed octets")
    return stripped[:-1]


def mac(key: bytes, iv: bytes, octets: bytes) -> bytes:
    """The first four octets of the last block of the chain over padded octets."""
    return chain(key, iv, pad(octets))[-BLOCK_OCTETS:][:MAC_OCTETS]


def check_mac(expected: bytes, got: bytes) -> None:
    """Compare two MACs in constant time.

    Raises:
        NotSealed: they differ.

    """
    if not hmac.compare_digest(expected, got):
        raise NotSealed("the MAC is wrong")


def _run(key: bytes, mode: CBC | ECB, blocks: bytes, *, forward: bool = True) -> bytes:
    cipher = Cipher(SM4(key), mode)
    context = cipher.encryptor() if forward else cipher.decryptor()
    return context.update(blocks) + context.finalize()
