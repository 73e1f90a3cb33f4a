"""Formulas of the suite for DL/T 698.45: the association, envelopes both ways, reads with a MAC, money.

Numbers stand highest octet first. Where the spec leaves a formula open, the one here is the suite's and
says so. Source: spec sections 5 and 7.2 of control and prepayment.
"""

from __future__ import annotations

import enum
from typing import Final, NamedTuple

from metersim.security import sm4
from metersim.security.keys import LabKeys
from metersim.security.sm4 import MAC_OCTETS, ZERO_IV, NotSealed, check_mac

RANDOM_OCTETS: Final = 16
SERIAL_OCTETS: Final = 8
COUNTER_MAX: Final = 0xFFFFFFFF
M1_OCTETS: Final = 32
M2_OCTETS: Final = 48
SID: Final = 0x4C414201
""""LAB", 1: whoever sees it knows that no production key was near."""

_COUNTER_MARK: Final = 0x01


class Level(enum.IntEnum):
    """How an APDU is wrapped, by the levels of the standard; 1 is not at all."""

    PLAIN_MAC = 2
    CIPHER = 3
    CIPHER_MAC = 4


class Sealed(NamedTuple):
    """A wrapped APDU.

    Args:
        data: plain or enciphered.
        mac: absent at level 3.

    """

    data: bytes
    mac: bytes | None

    def __repr__(self) -> str:
        """Its length."""
        return f"Sealed({len(self.data)} octets)"


class SessionKey:
    """The key of one association; it never shows.

    Args:
        octets: 16.

    """

    __slots__ = ("octets",)

    def __init__(self, octets: bytes) -> None:
        self.octets = octets

    def __repr__(self) -> str:
        """Nothing of it."""
        return "SessionKey(<hidden>)"


def connect_request(keys: LabKeys, r1: bytes, counter: int) -> tuple[bytes, bytes]:
    """Ciphertext and signature of a CONNECT.

    Args:
        keys: the meter's.
        r1: 16 octets that nobody can guess.
        counter: greater than the last that the meter took, 0 to 4,294,967,295.

    """
    counted = counter.to_bytes(4, "big") + bytes((_COUNTER_MARK,)) + bytes(11)
    m1 = sm4.encipher(keys.app698, r1 + counted)
    return m1, sm4.mac(keys.app698, ZERO_IV, m1)


def open_connect_request(keys: LabKeys, m1: bytes, s1: bytes) -> tuple[bytes, int]:
    """R1 and counter of a CONNECT.

    Raises:
        NotSealed: it was not made with these keys.

    """
    if len(m1) != M1_OCTETS:
        raise NotSealed(f"a ciphertext of {len(m1)} octets in a CONNECT: {M1_OCTETS}")
    check_mac(sm4.mac(keys.app698, ZERO_IV, m1), s1)
    inside = sm4.decipher(keys.app698, m1)
    r1, counted = inside[:RANDOM_OCTETS], inside[RANDOM_OCTETS:]
    if counted[4:] != bytes((_COUNTER_MARK,)) + bytes(11):
        raise NotSealed("what was deciphered is no session counter")
    return r1, int.from_bytes(counted[:4], "big")


def connect_answer(keys: LabKeys, r1: bytes, r2: bytes, serial: bytes) -> tuple[bytes, bytes]:
    """The meter's session data and signature.

    Args:
        keys: the meter's.
        r1: of the request.
        r2: 16 octets of the meter.
        serial: of its security module, 8 octets.

    """
    m2 = sm4.encipher(keys.app698, r2 + r1 + serial + bytes(8))
    return m2, sm4.mac(keys.app698, ZERO_IV, m2)


def open_connect_answer(keys: LabKeys, r1: bytes, m2: bytes, s2: bytes) -> tuple[bytes, bytes]:
    """R2 and serial of a meter's answer.

    Raises:
        NotSealed: it was not made with these keys, or for another request.

    """
    if len(m2) != M2_OCTETS:
        raise NotSealed(f"session data of {len(m2)} octets: {M2_OCTETS}")
    check_mac(sm4.mac(keys.app698, ZERO_IV, m2), s2)
    inside = sm4.decipher(keys.app698, m2)
    r2, echoed = inside[:RANDOM_OCTETS], inside[RANDOM_OCTETS : 2 * RANDOM_OCTETS]
    check_mac(r1, echoed)
    return r2, inside[2 * RANDOM_OCTETS :][:SERIAL_OCTETS]


def session_key(keys: LabKeys, r1: bytes, r2: bytes) -> SessionKey:
    """The key that both sides make of both random numbers."""
    mixed = bytes(one ^ other for one, other in zip(r1, r2, strict=True))
    return SessionKey(sm4.encipher(keys.app698, mixed))


def additional_of(data: bytes, mac: bytes | None) -> bytes:
    """Additional data of an envelope: how long what follows is, in two octets."""
    return (len(data) + len(mac or b"")).to_bytes(2, "big")


def seal_request(key: SessionKey, level: Level, apdu: bytes) -> Sealed:
    """Wrap what a client asks. Levels 2 and 3 are the suite's own, after the pattern of level 4.

    Args:
        key: of the association.
        level: how.
        apdu: at most 65,000 octets.

    """
    data = _data(key, level, apdu)
    if level is Level.CIPHER:
        return Sealed(data, None)
    return Sealed(data, _request_mac(key, data))


def open_request(key: SessionKey, level: Level, sealed: Sealed) -> bytes:
    """Undo `seal_request`.

    Raises:
        NotSealed: it was not made by it with the same key.

    """
    if level is not Level.CIPHER:
        check_mac(_request_mac(key, sealed.data), sealed.mac or b"")
    return _apdu(key, level, sealed.data)


def seal_answer(key: SessionKey, level: Level, apdu: bytes) -> Sealed:
    """Wrap what a meter answers; its MAC is over the data alone. The suite's own: an answer has no SID."""
    data = _data(key, level, apdu)
    if level is Level.CIPHER:
        return Sealed(data, None)
    return Sealed(data, sm4.mac(key.octets, ZERO_IV, data))


def open_answer(key: SessionKey, level: Level, sealed: Sealed) -> bytes:
    """Undo `seal_answer`.

    Raises:
        NotSealed: it was not made by it with the same key.

    """
    if level is not Level.CIPHER:
        check_mac(sm4.mac(key.octets, ZERO_IV, sealed.data), sealed.mac or b"")
    return _apdu(key, level, sealed.data)


def read_mac(keys: LabKeys, rn: bytes, apdu: bytes) -> bytes:
    """MAC of an answer to a read with a random number; needs no association. The suite's own: RN is the IV.

    Args:
        keys: the meter's.
        rn: 16 octets of the client.
        apdu: the answer in plain.

    """
    return sm4.mac(keys.app698, rn, apdu)


def purse_mac(key: SessionKey, *, amount_cents: int, count: int, customer: str) -> bytes:
    """MAC inside a wallet operation (method 6 of F100).

    Args:
        key: of the association.
        amount_cents: 0 to 4,294,967,295.
        count: purchases with this one, 0 to 4,294,967,295.
        customer: 12 digits.

    """
    money = amount_cents.to_bytes(4, "big") + count.to_bytes(4, "big") + bytes.fromhex(customer)
    return sm4.mac(key.octets, ZERO_IV, money)


def preset_mac(key: SessionKey, amount_cents: int) -> bytes:
    """MAC inside the initialisation of a wallet (method 10 of F100). The suite's own."""
    return sm4.mac(key.octets, ZERO_IV, amount_cents.to_bytes(4, "big"))


def _data(key: SessionKey, level: Level, apdu: bytes) -> bytes:
    return apdu if level is Level.PLAIN_MAC else sm4.chain(key.octets, ZERO_IV, sm4.pad(apdu))


def _apdu(key: SessionKey, level: Level, data: bytes) -> bytes:
    return data if level is Level.PLAIN_MAC else sm4.unpad(sm4.unchain(key.octets, ZERO_IV, data))


def _request_mac(key: SessionKey, data: bytes) -> bytes:
    additional = (len(data) + MAC_OCTETS).to_bytes(2, "big")
    return sm4.mac(key.octets, ZERO_IV, SID.to_bytes(4, "big") + additional + data)
