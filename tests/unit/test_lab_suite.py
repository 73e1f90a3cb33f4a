"""The LAB-SM4 suite gives the octets that its spec prints, and opens nothing that was changed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from hypothesis import given
from hypothesis import strategies as st

from metersim.security import sm4, suite645, suite698
from metersim.security.keys import LAB_ROOT, LabKeys, diversifier_of
from metersim.security.sm4 import NotSealed, SecurityUnavailable
from metersim.security.suite645 import ControlPlain
from metersim.security.suite698 import Level, Sealed, SessionKey
from meterwire.dlt645.link import frame as link645
from meterwire.dlt698.apdus.action import ActionRequestNormal
from meterwire.dlt698.apdus.apdu import decode_apdu
from meterwire.dlt698.apdus.association import ConnectRequest, SymmetricSecurity
from meterwire.dlt698.apdus.security import CipherUnit, SecurityRequest
from meterwire.dlt698.axdr.data import data_to_octets
from meterwire.dlt698.axdr.selection import SidMac
from meterwire.dlt698.link import frame as link698

METER = "202611220001"
SERIAL = bytes.fromhex("5101000000000001")
RAND1 = bytes.fromhex("a1b2c3d4e5f60718")
RAND2 = bytes.fromhex("0badc0de")
R1 = bytes.fromhex("000102030405060708090a0b0c0d0e0f")
R2 = bytes.fromhex("f0e0d0c0b0a090807060504030201000")
CUSTOMER = "000012345678"
EXPIRES = datetime(2026, 11, 22, 15, 30)  # noqa: DTZ001 - the meter's civil time
SM4_EXAMPLE = bytes.fromhex("0123456789abcdeffedcba9876543210")


def _keys() -> LabKeys:
    return LabKeys(diversifier_of(METER))


def _vector(name: str) -> bytes:
    """Read here, as two of them are left out elsewhere: without the keys of the suite they stay closed."""
    lines = (
        (Path(__file__).parent.parent / "vectors" / "control.jsonl").read_text(encoding="utf-8").splitlines()
    )
    [found] = [one for one in map(json.loads, lines) if one["id"] == name]
    return bytes.fromhex(found["hex"])


def _data645(name: str) -> bytes:
    return link645.decode(_vector(name)).data


def test_the_cipher_is_sm4() -> None:
    """Another cipher under this name would make every frame of the suite worthless as a vector."""
    assert "681edf34d206965e86b3e94f536e4246" == sm4.encipher(SM4_EXAMPLE, SM4_EXAMPLE).hex()
    assert SM4_EXAMPLE == sm4.decipher(SM4_EXAMPLE, sm4.encipher(SM4_EXAMPLE, SM4_EXAMPLE))


def test_a_million_times_the_cipher() -> None:
    """The standard's second example: an error that shows only in some blocks."""
    from cryptography.hazmat.primitives.ciphers import Cipher
    from cryptography.hazmat.primitives.ciphers.algorithms import SM4
    from cryptography.hazmat.primitives.ciphers.modes import ECB

    update = Cipher(SM4(SM4_EXAMPLE), ECB()).encryptor().update
    block = SM4_EXAMPLE
    for _ in range(1_000_000):
        block = update(block)
    assert "595298c7c6fd271f0402f804c33d3f66" == block.hex()


def test_a_machine_without_sm4_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the check the first order of a session would end in a traceback of a library."""

    def refuse(*_: object) -> bytes:
        raise UnsupportedAlgorithm("cipher SM4 in ECB mode is not supported")

    monkeypatch.setattr(sm4, "encipher", refuse)
    sm4.require_sm4.cache_clear()
    with pytest.raises(SecurityUnavailable, match="switched off in the OpenSSL"):
        LabKeys(diversifier_of(METER))


def test_a_wrong_sm4_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cipher that runs but errs would be found at the meter, as a MAC error that counts."""
    monkeypatch.setattr(sm4, "encipher", lambda key, blocks: bytes(len(blocks)))
    sm4.require_sm4.cache_clear()
    with pytest.raises(SecurityUnavailable, match="another result"):
        LabKeys(diversifier_of(METER))


@pytest.fixture(autouse=True)
def _tried_anew() -> None:
    sm4.require_sm4.cache_clear()


def test_keys_are_the_printed_ones() -> None:
    """A head-end and a meter that make different keys never talk."""
    keys = _keys()
    assert "0000202611220001" == keys.diversifier.hex()
    assert (
        "f29556a9f4495c4c6600101bbc659586",
        "c69d12daf771e14191cae9d4a3e289a5",
        "3b765121e22e076f1e254245d1423447",
        "813cbff8b53f93372cd821f205fb351e",
        "7dcc332ccc293ee17c067c18feeb5900",
    ) == tuple(key.hex() for key in (keys.auth, keys.control, keys.parameter, keys.wallet, keys.app698))


def test_formulas_of_645_are_the_printed_ones() -> None:
    """Each value of the spec's table for DL/T 645."""
    keys = _keys()
    plain = ControlPlain(0x1A, 0, suite645.expires_octets(EXPIRES))
    assert "1a00261122153000" == (bytes((plain.n1, plain.n2)) + plain.expires).hex()
    assert "e3e79e37c9ac9b98" == suite645.cipher1(keys, RAND1).hex()
    assert "82491a029d6e75ed233aff7d37ba35cd7a62aff6" == suite645.control_block(keys, RAND2, plain).hex()
    assert "f0b5276f" == suite645.money_mac(keys, RAND2, 10_000, 5).hex()
    assert "0d687851" == suite645.customer_mac(keys, RAND2, CUSTOMER).hex()


def test_formulas_of_698_are_the_printed_ones() -> None:
    """Each value of the spec's table for DL/T 698.45."""
    keys = _keys()
    m1, s1 = suite698.connect_request(keys, R1, 15)
    assert "605720a9c561aedb185f467fb687e08896385d1d575460c9529f81c20926e5f9" == m1.hex()
    assert "fdbb670c" == s1.hex()
    m2, s2 = suite698.connect_answer(keys, R1, R2, SERIAL)
    assert (
        "7cfb2a540a00678b901d034469fbeeed605720a9c561aedb185f467fb687e088bca2610180085a5c896e6548125d249a"
        == m2.hex()
    )
    assert "cced6da1" == s2.hex()
    key = suite698.session_key(keys, R1, R2)
    assert "af7c08e8c1ec013a6ce7cbdd594e9dc0" == key.octets.hex()
    assert "2d8e21d8" == suite698.purse_mac(key, amount_cents=10_000, count=5, customer=CUSTOMER).hex()


def test_vectors_of_645_are_made_and_opened() -> None:
    """Frames that other people check theirs against hold exactly what the suite makes."""
    keys = _keys()
    authentication = _data645("SEC645-001")
    assert suite645.cipher1(keys, RAND1) == authentication[8:16][::-1]
    block = _data645("CTL645-011")[8:][::-1]
    assert ControlPlain(0x1A, 0, bytes.fromhex("261122153000")) == suite645.open_control(keys, RAND2, block)
    assert suite645.parameter_mac(keys, RAND2, bytes.fromhex("0030")) == _data645("SEC645-004")[-4:][::-1]
    assert suite645.parameter_mac(keys, RAND2, bytes.fromhex("00005000")) == _data645("PAR645-001")[-4:][::-1]
    for name, amount, count in (("PAY645-001", 10_000, 5), ("PAY645-008", 5_000, 1)):
        data = _data645(name)
        assert data[16:20][::-1] == suite645.money_mac(keys, RAND2, amount, count)
        assert data[26:30][::-1] == suite645.customer_mac(keys, RAND2, CUSTOMER)
    data = _data645("PAY645-009")
    wanted = (data[12:16][::-1], data[20:24][::-1])
    assert wanted == suite645.initial_macs(keys, RAND2, amount_cents=100_000, count=0)


def test_vectors_of_698_are_made_and_opened() -> None:
    """CONNECT, a trip in an envelope, and a top-up, as the published frames have them."""
    keys = _keys()
    connect = decode_apdu(link698.decode(_vector("SEC698-004")).user_data)
    assert isinstance(connect, ConnectRequest)
    assert isinstance(connect.auth, SymmetricSecurity)
    opened = suite698.open_connect_request(keys, connect.auth.ciphertext, connect.auth.signature)
    assert (R1, 15) == opened
    key = suite698.session_key(keys, R1, R2)
    envelope = decode_apdu(link698.decode(_vector("SEC698-005")).user_data)
    assert isinstance(envelope, SecurityRequest)
    assert isinstance(envelope.unit, CipherUnit)
    assert isinstance(envelope.verify, SidMac)
    sealed = Sealed(envelope.unit.octets, envelope.verify.mac)
    inner = suite698.open_request(key, Level.CIPHER_MAC, sealed)
    assert link698.decode(_vector("CTL698-003")).user_data == inner
    assert sealed == suite698.seal_request(key, Level.CIPHER_MAC, inner)
    assert envelope.verify.id == suite698.SID
    assert envelope.verify.data == suite698.additional_of(*sealed)
    top_up = decode_apdu(link698.decode(_vector("PAY698-002")).user_data)
    assert isinstance(top_up, ActionRequestNormal)
    mac = suite698.purse_mac(key, amount_cents=10_000, count=5, customer=CUSTOMER)
    assert mac in data_to_octets(top_up.item.data)


_Opening = Callable[[bytes], object]
_Unwrap = Callable[[SessionKey, Level, Sealed], bytes]


def _whole(sealed: Sealed) -> bytes:
    return sealed.data + (sealed.mac or b"")


def _unwrapping(unwrap: _Unwrap, key: SessionKey, level: Level) -> _Opening:
    return lambda octets: unwrap(key, level, Sealed(octets[:-4], octets[-4:]))


def _openings() -> dict[str, tuple[bytes, _Opening]]:
    """Everything that is opened: its octets, MAC last, and how."""
    keys = _keys()
    key = suite698.session_key(keys, R1, R2)
    plain = ControlPlain(0x1A, 0, suite645.expires_octets(EXPIRES))
    ciphered, mac = suite645.seal_parameter(keys, RAND2, bytes.fromhex("04001003"), bytes(4))
    openings: dict[str, tuple[bytes, _Opening]] = {
        "control645": (
            suite645.control_block(keys, RAND2, plain),
            lambda octets: suite645.open_control(keys, RAND2, octets),
        ),
        "parameter645": (
            ciphered + mac,
            lambda octets: suite645.open_parameter(keys, RAND2, octets[:-4], octets[-4:]),
        ),
        "connect698": (
            b"".join(suite698.connect_request(keys, R1, 15)),
            lambda octets: suite698.open_connect_request(keys, octets[:-4], octets[-4:]),
        ),
        "answer698": (
            b"".join(suite698.connect_answer(keys, R1, R2, SERIAL)),
            lambda octets: suite698.open_connect_answer(keys, R1, octets[:-4], octets[-4:]),
        ),
    }
    for level in (Level.PLAIN_MAC, Level.CIPHER_MAC):
        asked = suite698.seal_request(key, level, b"an APDU of sixteen or more octets")
        said = suite698.seal_answer(key, level, b"an APDU of sixteen or more octets")
        openings[f"request698 level {level}"] = _whole(asked), _unwrapping(suite698.open_request, key, level)
        openings[f"answer698 level {level}"] = _whole(said), _unwrapping(suite698.open_answer, key, level)
    return openings


@pytest.mark.parametrize("name", list(_openings()))
def test_one_bit_changed_opens_nothing(name: str) -> None:
    """Whatever bit of a sealed thing is changed on its way, it must not be taken for a real one."""
    octets, opening = _openings()[name]
    opening(octets)
    for bit in range(8 * len(octets)):
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises(NotSealed):
            opening(bytes(changed))
    with pytest.raises(NotSealed):
        opening(octets[:-1])
    with pytest.raises(NotSealed):
        opening(b"")


def test_answers_are_for_one_request() -> None:
    """The meter's answer to another CONNECT must not open a session."""
    keys = _keys()
    m2, s2 = suite698.connect_answer(keys, R1, R2, SERIAL)
    assert (R2, SERIAL) == suite698.open_connect_answer(keys, R1, m2, s2)
    with pytest.raises(NotSealed):
        suite698.open_connect_answer(keys, R2, m2, s2)


@given(apdu=st.binary(max_size=100), level=st.sampled_from(Level))
def test_what_is_sealed_is_opened(apdu: bytes, level: Level) -> None:
    """An APDU of any length and end, zeros and 80H too, comes through every level."""
    key = suite698.session_key(_keys(), R1, R2)
    assert apdu == suite698.open_request(key, level, suite698.seal_request(key, level, apdu))
    assert apdu == suite698.open_answer(key, level, suite698.seal_answer(key, level, apdu))


@given(data=st.binary(max_size=suite645.PARAMETER_OCTETS_MAX))
def test_parameters_come_through(data: bytes) -> None:
    """A parameter of any content up to the longest is opened as it was sealed."""
    di = bytes.fromhex("04001003")
    sealed = suite645.seal_parameter(_keys(), RAND2, di, data)
    assert (di, data) == suite645.open_parameter(_keys(), RAND2, *sealed)


@given(octets=st.binary(max_size=80))
def test_rubbish_opens_nothing(octets: bytes) -> None:
    """Any octets at all give NotSealed, and nothing else."""
    key = suite698.session_key(_keys(), R1, R2)
    for opening in (
        lambda: suite645.open_control(_keys(), RAND2, octets),
        lambda: suite645.open_parameter(_keys(), RAND2, octets, bytes(4)),
        lambda: suite698.open_connect_request(_keys(), octets, bytes(4)),
        lambda: suite698.open_request(key, Level.CIPHER_MAC, Sealed(octets, None)),
    ):
        with pytest.raises(NotSealed):
            opening()


@pytest.mark.parametrize("number", ["", "20261122000", "2026112200011", "20261122000A", "2026 1122000"])
def test_meter_numbers_have_twelve_digits(number: str) -> None:
    """A diversifier of a wrong number makes keys that fit no meter."""
    with pytest.raises(ValueError, match="12 digits"):
        diversifier_of(number)


def test_keys_of_wrong_length_are_refused() -> None:
    """A root key that was cut would make keys, but others than the meters'."""
    with pytest.raises(ValueError, match="a root key of 15 octets: 16"):
        LabKeys(diversifier_of(METER), root=LAB_ROOT[:15])
    with pytest.raises(ValueError, match="a diversifier of 7 octets: 8"):
        LabKeys(bytes(7))


def test_keys_never_show() -> None:
    """A key in a log or an error text is a key lost."""
    keys = _keys()
    key = suite698.session_key(keys, R1, R2)
    shown = f"{keys!r} {keys} {key!r} {key} {suite698.seal_request(key, Level.CIPHER_MAC, b'APDU')!r}"
    assert (
        "LabKeys(<hidden>) LabKeys(<hidden>) SessionKey(<hidden>) SessionKey(<hidden>) Sealed(16 octets)"
        == shown
    )
