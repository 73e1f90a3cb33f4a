"""The search for secrets that other tests rely on: it finds what was planted, in every form."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.support.secret_search import Secrets, forms

MAC = bytes.fromhex("9f03c2e1")
PASSWORD = "482915"


def _secrets() -> Secrets:
    secrets = Secrets()
    secrets.add("a MAC", MAC)
    secrets.add_password("a password", PASSWORD, level=2)
    return secrets


WRITTEN: list[Callable[[bytes], bytes | str]] = [
    lambda octets: b"\x00\x01" + octets + b"\x99",
    lambda octets: f"ab{octets.hex()}cd",
    lambda octets: f"AB{octets.hex().upper()}CD",
    lambda octets: f"AB {octets.hex(' ').upper()} CD",
    lambda octets: f"ab:{octets.hex(':')}",
    repr,
    lambda octets: repr({"octets": bytearray(octets)}),
    lambda octets: json.dumps({"octets": octets.decode("latin-1")}),
    lambda octets: json.dumps({"octets": octets.hex()}),
]
"""Ways in which octets come into a text."""


@pytest.mark.parametrize("written", WRITTEN)
@pytest.mark.parametrize("form", sorted(forms(MAC)))
def test_octets_are_found_however_they_are_written(
    written: Callable[[bytes], bytes | str], form: bytes
) -> None:
    """A search that cannot fail would call every leak hidden."""
    assert {("log", "a MAC")} == {leak[:2] for leak in _secrets().found_in({"log": written(form)})}


@pytest.mark.parametrize("form", sorted(forms(bytes.fromhex("02152948"))))
def test_a_password_is_found_as_a_frame_bears_it(form: bytes) -> None:
    """A frame in a log would show the password in BCD, behind its level."""
    secrets = _secrets()
    for place in (form, form.hex(), form.hex(" ").upper()):
        assert ["a password"] == [leak.secret for leak in secrets.found_in({"log": place})]


@pytest.mark.parametrize("text", [f"password={PASSWORD}", f'"{PASSWORD}"', PASSWORD, PASSWORD[::-1]])
def test_a_password_is_found_as_people_write_it(text: str) -> None:
    """Somebody could read it out of a log."""
    assert "a password" in {leak.secret for leak in _secrets().found_in({"log": text})}


@pytest.mark.parametrize("text", ["", f"7f{PASSWORD}9c", "9f03c2e0", "9f 03 c2", "02 15 29 49"])
def test_other_octets_are_no_secrets(text: str) -> None:
    """Digits in the midst of a hash would stop the tests that search."""
    assert [] == _secrets().found_in({"log": text})


def test_what_would_be_found_by_chance_is_refused() -> None:
    """Three octets stand somewhere in every file."""
    with pytest.raises(ValueError, match="fewer than 4"):
        Secrets().add("short", b"\x01\x02\x03")
