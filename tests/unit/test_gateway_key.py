"""The gateway's key: made once, kept from others, and its signatures mean one thing only."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from meterlink.audit.keys import KEY_FILE, GatewayKey, is_signed
from meterlink.errors import KeyUnusable

_DOCUMENT = {"number": 7, "hash": "ab" * 32}


def test_a_key_is_made_once_and_found_again(tmp_path: Path) -> None:
    """A key a start would make each start's checkpoints a stranger's to the next."""
    made, found = GatewayKey.open(tmp_path), GatewayKey.open(tmp_path)
    assert made.public_hex == found.public_hex
    assert 0o600 == (tmp_path / KEY_FILE).stat().st_mode & 0o777
    assert [tmp_path / KEY_FILE] == list(tmp_path.iterdir())
    assert is_signed(found.public_hex, made.sign("checkpoint", _DOCUMENT), "checkpoint", _DOCUMENT)


def test_two_who_make_a_key_at_once_have_the_same(tmp_path: Path) -> None:
    """A command and the daemon would sign with two keys, and one of them be gone."""
    with ThreadPoolExecutor(8) as threads:
        keys = list(threads.map(lambda _: GatewayKey.open(tmp_path).public_hex, range(8)))
    assert 1 == len(set(keys))


def test_a_narrow_umask_or_a_wide_one_makes_no_difference(tmp_path: Path) -> None:
    """With another umask the file would be readable by all, or not by us."""
    before = os.umask(0)
    try:
        GatewayKey.open(tmp_path)
    finally:
        os.umask(before)
    assert 0o600 == (tmp_path / KEY_FILE).stat().st_mode & 0o777


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o610, 0o601])
def test_a_key_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """What others could read proves nothing; the message says what to do and shows no key."""
    GatewayKey.open(tmp_path)
    secret = (tmp_path / KEY_FILE).read_text().splitlines()[1]
    (tmp_path / KEY_FILE).chmod(mode)
    with pytest.raises(KeyUnusable, match=f"mode {mode:o}.: chmod 600") as refused:
        GatewayKey.open(tmp_path)
    assert secret not in str(refused.value)


def test_a_link_in_place_of_the_key_is_refused(tmp_path: Path) -> None:
    """Somebody else's file would be taken for ours, or ours be made where it points to."""
    (tmp_path / "a").mkdir()
    GatewayKey.open(tmp_path / "a")
    (tmp_path / "b").mkdir()
    for target in (tmp_path / "a" / KEY_FILE, tmp_path / "nowhere"):
        (tmp_path / "b" / KEY_FILE).symlink_to(target)
        with pytest.raises(KeyUnusable, match="cannot be read"):
            GatewayKey.open(tmp_path / "b")
        (tmp_path / "b" / KEY_FILE).unlink()


def _other_key() -> bytes:
    key = generate_private_key(SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize("content", [b"", b"hello", b"-" * 100_000, _other_key()])
def test_what_is_no_key_is_refused_and_kept(tmp_path: Path, content: bytes) -> None:
    """A damaged key that is silently replaced would end the chain of witnesses unseen."""
    (tmp_path / KEY_FILE).write_bytes(content)
    (tmp_path / KEY_FILE).chmod(0o600)
    with pytest.raises(KeyUnusable, match="no Ed25519 key"):
        GatewayKey.open(tmp_path)
    assert content == (tmp_path / KEY_FILE).read_bytes()


def test_a_folder_that_is_gone_is_named(tmp_path: Path) -> None:
    """A traceback names no path."""
    with pytest.raises(KeyUnusable, match=r"nowhere.*cannot be made: No such file"):
        GatewayKey.open(tmp_path / "nowhere")


def test_looking_for_a_key_makes_none(tmp_path: Path) -> None:
    """A command that shows the key would make one that the daemon's user cannot read."""
    with pytest.raises(KeyUnusable, match="cannot be read: No such file"):
        GatewayKey.find(tmp_path)
    assert [] == list(tmp_path.iterdir())


def test_nothing_shows_the_private_key(tmp_path: Path) -> None:
    """A log line with the key in it gives the chain away."""
    key = GatewayKey.open(tmp_path)
    assert f"GatewayKey({key.public_hex})" == repr(key) == str(key)


def test_a_signature_is_of_one_document_for_one_purpose(tmp_path: Path) -> None:
    """A signed qualification could be shown as a checkpoint, or one bit of it be another."""
    key = GatewayKey.open(tmp_path)
    signature = key.sign("checkpoint", _DOCUMENT)
    good = (key.public_hex, signature, "checkpoint", _DOCUMENT)
    assert is_signed(*good)
    (tmp_path / "b").mkdir()
    bad: list[tuple[str, str, str, dict[str, object]]] = [
        (GatewayKey.open(tmp_path / "b").public_hex, signature, "checkpoint", dict(_DOCUMENT)),
        (key.public_hex, signature[:-1] + "01"[signature[-1] == "0"], "checkpoint", dict(_DOCUMENT)),
        (key.public_hex, signature, "qualification", dict(_DOCUMENT)),
        (key.public_hex, signature, "checkpoint", {**_DOCUMENT, "number": 8}),
        (key.public_hex, "", "checkpoint", dict(_DOCUMENT)),
        (key.public_hex, "zz", "checkpoint", dict(_DOCUMENT)),
        ("", signature, "checkpoint", dict(_DOCUMENT)),
        ("00", signature, "checkpoint", dict(_DOCUMENT)),
    ]
    assert [False] * len(bad) == [is_signed(*each) for each in bad]
