"""Formulas of the suite for DL/T 645: identity authentication, control, parameters, wallet.

Numbers stand highest octet first; the order on the wire is the frame's affair. Where the spec leaves a
formula open, the one here is the suite's and says so. Source: spec section 7.2 of control and prepayment.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, NamedTuple

from metersim.security import sm4
from metersim.security.keys import LabKeys
from metersim.security.sm4 import MAC_OCTETS, NotSealed, check_mac

RAND1_OCTETS: Final = 8
RAND2_OCTETS: Final = 4
CIPHER1_OCTETS: Final = 8
SERIAL_OCTETS: Final = 8
PLAIN_OCTETS: Final = 8
BLOCK_OCTETS: Final = sm4.BLOCK_OCTETS + MAC_OCTETS
"""Of a control: cipher and MAC."""
DI_OCTETS: Final = 4
PARAMETER_OCTETS_MAX: Final = 160
"""Data of one parameter: with its length and identifier it must fit into a frame of 200 octets."""


class ControlPlain(NamedTuple):
    """What is inside the cipher of a control.

    Args:
        n1: command, 0 to 255.
        n2: units of five minutes for 1DH and 1EH, else 0.
        expires: YY MM DD hh mm ss as six octets of BCD; they need not be a date.

    """

    n1: int
    n2: int
    expires: bytes


def expires_octets(expires: datetime) -> bytes:
    """The end of validity as six octets of BCD, year first."""
    return bytes.fromhex(f"{expires:%y%m%d%H%M%S}")


def cipher1(keys: LabKeys, rand: bytes) -> bytes:
    """Proof that whoever made it has the authentication key.

    Args:
        keys: the meter's.
        rand: 8 octets: rand1 of an authentication; in the infrared one the other side's number.

    """
    return sm4.encipher(keys.auth, rand + keys.diversifier)[:CIPHER1_OCTETS]


def control_block(keys: LabKeys, rand2: bytes, plain: ControlPlain) -> bytes:
    """Cipher and MAC of a control, 20 octets."""
    inside = bytes((PLAIN_OCTETS, plain.n1, plain.n2)) + plain.expires
    ciphered = sm4.encipher(keys.control, sm4.pad(inside))
    return ciphered + sm4.mac(keys.control, _iv(rand2), ciphered)


def open_control(keys: LabKeys, rand2: bytes, block: bytes) -> ControlPlain:
    """Undo `control_block`.

    Raises:
        NotSealed: it was not made by it with the same keys and random number.

    """
    if len(block) != BLOCK_OCTETS:
        raise NotSealed(f"a control block of {len(block)} octets: {BLOCK_OCTETS}")
    ciphered, mac = block[:-MAC_OCTETS], block[-MAC_OCTETS:]
    check_mac(sm4.mac(keys.control, _iv(rand2), ciphered), mac)
    inside = sm4.unpad(sm4.decipher(keys.control, ciphered))
    if len(inside) != 1 + PLAIN_OCTETS or inside[0] != PLAIN_OCTETS:
        raise NotSealed("what was deciphered is no control")
    return ControlPlain(inside[1], inside[2], inside[3:])


def money_mac(keys: LabKeys, rand2: bytes, amount_cents: int, count: int) -> bytes:
    """First MAC of opening an account and of a top-up: over amount and count.

    Args:
        keys: the meter's.
        rand2: of the authentication.
        amount_cents: 0 to 4,294,967,295.
        count: purchases with this one, 0 to 4,294,967,295.

    """
    money = amount_cents.to_bytes(4, "big") + count.to_bytes(4, "big")
    return sm4.mac(keys.wallet, _iv(rand2), money)


def customer_mac(keys: LabKeys, rand2: bytes, customer: str) -> bytes:
    """Second MAC of opening an account and of a top-up: over the customer, 12 digits."""
    return sm4.mac(keys.wallet, _iv(rand2), bytes.fromhex(customer))


def initial_macs(keys: LabKeys, rand2: bytes, *, amount_cents: int, count: int) -> tuple[bytes, bytes]:
    """MACs of setting the wallet up: over the amount, and over the count."""
    return (
        sm4.mac(keys.wallet, _iv(rand2), amount_cents.to_bytes(4, "big")),
        sm4.mac(keys.wallet, _iv(rand2), count.to_bytes(4, "big")),
    )


def parameter_mac(keys: LabKeys, rand2: bytes, data: bytes) -> bytes:
    """MAC of a parameter that is written in plain, and of the minutes of an authentication (two of BCD)."""
    return sm4.mac(keys.parameter, _iv(rand2), data)


def seal_parameter(keys: LabKeys, rand2: bytes, di: bytes, data: bytes) -> tuple[bytes, bytes]:
    """Cipher and MAC of a parameter: length, identifier and data inside. The suite's own, like a control's.

    Args:
        keys: the meter's.
        rand2: of the authentication.
        di: 4 octets, highest first.
        data: at most 160 octets.

    """
    ciphered = sm4.encipher(keys.parameter, sm4.pad(bytes((len(di) + len(data),)) + di + data))
    return ciphered, sm4.mac(keys.parameter, _iv(rand2), ciphered)


def open_parameter(keys: LabKeys, rand2: bytes, ciphered: bytes, mac: bytes) -> tuple[bytes, bytes]:
    """Undo `seal_parameter`: identifier and data.

    Raises:
        NotSealed: it was not made by it with the same keys and random number.

    """
    check_mac(sm4.mac(keys.parameter, _iv(rand2), ciphered), mac)
    if not ciphered or len(ciphered) % sm4.BLOCK_OCTETS:
        raise NotSealed(f"{len(ciphered)} octets are no whole blocks of {sm4.BLOCK_OCTETS}")
    inside = sm4.unpad(sm4.decipher(keys.parameter, ciphered))
    if len(inside) < 1 + DI_OCTETS or inside[0] != len(inside) - 1:
        raise NotSealed("what was deciphered is no parameter")
    return inside[1 : 1 + DI_OCTETS], inside[1 + DI_OCTETS :]


def answer_mac(keys: LabKeys, rand2: bytes, head: bytes, data: bytes) -> bytes:
    """MAC of what a meter gives out of its security module. The suite's own: the key of parameters.

    Args:
        keys: the meter's.
        rand2: of the authentication.
        head: what was asked for: the read flag, eight octets; nothing for a state query.
        data: the answer, without identifier.

    """
    return sm4.mac(keys.parameter, _iv(rand2), head + data)


def _iv(rand2: bytes) -> bytes:
    return rand2 + bytes(sm4.BLOCK_OCTETS - len(rand2))
