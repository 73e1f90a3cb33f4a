"""The vectors through the explanation: what people and programs are told about real frames."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import pytest

from meterlink.explain import dlt645
from meterlink.explain.jsonl import answer
from meterlink.explain.parts import Explanation, Part
from meterlink.explain.tree import render
from meterwire.dlt645 import decode, from_frame
from meterwire.dlt645.functions import EDITIONS
from meterwire.errors import RemoteProtocolError
from tests.support.vectors import octets, vectors

_ALL = vectors("dlt645.jsonl", "dlt645") + vectors("control.jsonl", "dlt645")
_IDS = [vector["id"] for vector in _ALL]
_FOR_PEOPLE = {"name"}


def _same(expected: object, actual: object) -> bool:
    if isinstance(expected, dict):
        return isinstance(actual, dict) and all(
            key in actual and _same(value, actual[key])
            for key, value in expected.items()
            if key not in _FOR_PEOPLE
        )
    if isinstance(expected, list):
        return isinstance(actual, list) and len(expected) == len(actual) and all(map(_same, expected, actual))
    if expected is None or actual is None or isinstance(expected, bool):
        return expected is actual
    return str(expected).upper() == str(actual).upper() or _number(expected) == _number(actual) is not None


def _number(text: object) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


@pytest.mark.parametrize("vector", _ALL, ids=_IDS)
def test_the_answer_holds_everything_expected(vector: dict[str, Any]) -> None:
    """A published frame would be explained otherwise than its author meant it."""
    found = answer(json.dumps(vector))
    if "error" in vector:
        assert found["error"]["sentence"]
        return
    assert found["error"] is None
    assert _same(vector["expect"], found["decoded"]), found["decoded"]


def _explained(vector: dict[str, Any]) -> Explanation:
    assert vector["protocol"] in EDITIONS
    return dlt645.explain(octets(vector), vector["protocol"])


def _leaves(parts: tuple[Part, ...]) -> bytes:
    return b"".join(part.octets for part in parts)


@pytest.mark.parametrize("vector", _ALL, ids=_IDS)
def test_every_octet_of_a_frame_is_named_once(vector: dict[str, Any]) -> None:
    """An octet that nobody explains could be the one that is wrong."""
    stream = octets(vector)
    for frame in _explained(vector).frames:
        assert stream[frame.start : frame.end] == _leaves(frame.parts)
        at = frame.start
        for part in frame.parts:
            assert at == part.start
            assert part.name.en
            assert part.name.zh
            at += len(part.octets)


@pytest.mark.parametrize("vector", _ALL, ids=_IDS)
def test_every_frame_is_drawn_in_both_languages(vector: dict[str, Any]) -> None:
    """A frame in the field would end the program instead of being shown."""
    explanation = _explained(vector)
    assert list(render(explanation, "en"))
    assert list(render(explanation, "zh"))


def test_what_is_secret_is_not_drawn() -> None:
    """A screenshot would give away a password or a MAC."""
    (vector,) = [one for one in _ALL if one["id"] == "CTL645-017"]
    parts = {part.name.en: part for part in _explained(vector).frames[0].parts}
    assert parts["password"].secret
    assert parts["MAC"].secret
    assert parts["cipher block"].secret
    assert not parts["operator code"].secret


def test_good_frames_give_messages() -> None:
    """A daemon could not use a frame that the explanation understands."""
    for vector in _ALL:
        if "expect" not in vector or "frames" in vector["expect"]:
            continue
        try:
            frame = decode(octets(vector))
        except RemoteProtocolError:
            continue  # rubbish around the frame: the deframer's business
        assert from_frame(frame, vector["protocol"]).address == frame.address
