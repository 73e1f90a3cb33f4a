"""What people are told about frames of concentrators and carrier modules, and how a protocol is guessed."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from meterlink.explain.explain import AUTO, explain
from meterlink.explain.jsonl import answer
from meterlink.explain.tree import render
from tests.support.vectors import octets, vectors

_ALL = {vector["id"]: vector for vector in vectors("gdw1376.jsonl")}


def _drawn(vector: dict[str, Any], *, show: bool = False) -> str:
    console = Console(width=400, file=io.StringIO())
    for tree in render(explain(octets(vector), AUTO), "en", show_secrets=show):
        console.print(tree)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


_WORDS = {
    "g1-009": (
        "Q/GDW 1376.1, sure: 51 of 51",
        "event counters EC: 79, 0",
        "DL/T 645 frame",
        "answer, read data",
    ),
    "g1-053": (
        "p1; F161: daily forward active energy",
        "[1]: 001234.5600 kWh",
        "read time: 2026-08-20 00:05",
    ),
    "g1-042": ("[2]: no value",),
    "g1-069": ("p2; F163", "date: 111225"),
    "g1-088": ("event code (ERC): 14", "power on: 2010-08-03 11:31"),
    "g2-009": ("Q/GDW 1376.2, sure", "DL/T 698.45 frame", "= 24.75 kWh, forward active energy"),
    "g2-034": ("error: 10, command not supported by master node",),
    "g2-068": ("nodes", "address: 000000000006"),
    "g2-109": ("no protocol fits", "refused: the checksum is wrong"),
}


@pytest.mark.parametrize(("name", "words"), _WORDS.items())
def test_a_frame_is_told_in_words(name: str, words: tuple[str, ...]) -> None:
    """A person would have to look up AFN, Fn and every format by hand."""
    if name == "g2-109":
        explanation = explain(octets(_ALL[name]), "gdw1376.2")
        assert explanation.fault is not None
        assert explanation.fault.kind == "checksum"
        assert words[0] in _drawn(_ALL[name])
        return
    drawn = _drawn(_ALL[name])
    assert [word for word in words if word not in drawn] == []


_SECRETS = {"g1-068": "98 0A", "g1-027": "4C 4B", "g1-090": "32 21 31 08"}


@pytest.mark.parametrize(("name", "secret"), _SECRETS.items())
def test_passwords_and_unknown_octets_are_drawn_only_when_asked_for(name: str, secret: str) -> None:
    """A screenshot of a control command would give away the password of its terminal."""
    assert secret not in _drawn(_ALL[name])
    assert secret in _drawn(_ALL[name], show=True)


def test_the_checksum_over_a_password_is_hidden() -> None:
    """Whoever guesses a two-octet password could prove it by the sum."""
    assert " CE " not in _drawn(_ALL["g1-068"])
    assert " CE " in _drawn(_ALL["g1-068"], show=True)


def test_the_password_of_a_forwarded_645_control_is_hidden() -> None:
    """The meter's password would be read off the concentrator's frame."""
    drawn = _drawn(_ALL["g1-077"])
    assert "control" in drawn
    assert "39 35 34 33 33 33" not in drawn


@pytest.mark.parametrize(
    ("text", "guess"),
    [
        ("68610100000000689108333334335933333 38A16".replace(" ", ""), "DL/T 645, sure: 20 of 20 octets"),
        ("681700434 5AAAAAAAAAAAA005B4F05012540010200000A9216".replace(" ", ""), "DL/T 698.45, sure"),
        ("683200320068C903440400000271000001008816" + "00" * 5, "Q/GDW 1376.1, likely: 20 of 25 octets"),
        ("683200320068C903440400000271000001008816" + "00" * 30, "Q/GDW 1376.1, unsure"),
        ("683200320068C903440400000271000001008916", "no protocol fits; looked at as Q/GDW 1376.1"),
        ("0102", "no protocol fits; looked at as DL/T 645"),
    ],
)
def test_a_guess_says_how_sure_it_is(text: str, guess: str) -> None:
    """A frame of one protocol would be told as one of another, and nobody would doubt it."""
    explanation = explain(bytes.fromhex(text), AUTO)
    assert explanation.guess is not None
    assert explanation.guess.en.startswith(guess)
    assert explanation.guess.zh
    assert explain(bytes.fromhex(text)).guess is None


@settings(max_examples=40)
@given(st.binary(max_size=80))
def test_any_octets_are_explained(rubbish: bytes) -> None:
    """A frame that nobody has seen before would end the program."""
    tail = bytes((sum(rubbish) & 0xFF, 0x16))
    framed = [
        b"h" + (len(rubbish) << 2 | 2).to_bytes(2, "little") * 2 + b"h" + rubbish + tail,
        b"h" + (len(rubbish) + 5).to_bytes(2, "little") + rubbish + tail,
    ]
    for stream in (rubbish, *framed):
        for protocol in ("gdw1376.1", "gdw1376.2"):
            found = answer(
                json.dumps({"id": 1, "protocol": protocol, "direction": "up", "hex": stream.hex()})
            )
            assert json.dumps(found)
            if stream:
                assert list(render(explain(stream, AUTO), "zh"))


def test_an_address_of_seven_octets_is_suspected() -> None:
    """A terminal of another province would be told as nonsense, without a word of why."""
    wide = bytes.fromhex("68 3A 00 3A 00 68 88 010203 040507 00 0C 62 0000 0200 15".replace(" ", ""))
    body = wide[6:]
    frame = (
        b"h" + (len(body) << 2 | 2).to_bytes(2, "little") * 2 + b"h" + body + bytes((sum(body) & 255, 0x16))
    )
    explanation = explain(frame, "gdw1376.1")
    assert ["address"] == [fault.kind for fault in explanation.faults]
    assert "seven octets" in str(explanation.faults[0])
