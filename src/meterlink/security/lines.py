"""Lines of JSON out, lines of JSON in: the words of a security provider, without I/O.

What is asked with and what is answered is secret. So an error here names the operation and what is wrong,
never what stood there; of an adapter's own words only its code is taken, and only if it can be no secret.
Described for people in docs/security-providers.md. Source: control-and-prepayment, section 7.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from meterlink.errors import SecurityFailed

LINE_OCTETS_MAX: Final = 65_536
"""Longest line, with its end, in both directions."""
HANDLE_MAX: Final = 128
"""Longest handle that a provider may give, in characters."""
NAME_MAX: Final = 64
NUMBERS: Final = 2**32
"""Requests are numbered; then the numbers begin anew."""

Json = Mapping[str, Any]
_T = TypeVar("_T")
_CODE = re.compile(r"[a-z]+(?:_[a-z0-9]+)*").fullmatch
_CODE_MAX: Final = 40
_WORDS: Final[Mapping[str, str]] = {
    "bad_line": "it takes our line for no JSON",
    "line_too_long": "our line is too long for it",
    "bad_request": "it cannot use our request's number",
    "unknown_op": "it has no such operation",
    "bad_args": "it does not take these arguments",
    "busy": "it has too much to do just now",
    "internal": "something in it has failed",
    "overloaded": "it has too much to do just now",
    "restarting": "it is being started",
    "unavailable": "its machine cannot be reached just now",
    "unknown_handle": "it no longer knows the session; it may have been started anew",
    "not_verified": "the meter's proof is wrong: another meter, other keys, or changed on its way",
    "no_production_keys": "it has keys of a laboratory, and the meter has those of a utility",
}


def rubbish(provider: str, what: str) -> SecurityFailed:
    """The error for a provider that answers what is no answer."""
    return SecurityFailed(f"security provider {provider!r} {what}; look at its adapter", code="rubbish")


def request_line(number: int, op: str, args: Json) -> bytes:
    """One request with its end.

    Raises:
        SecurityFailed: it is too long to be sent.

    """
    line = json.dumps({"id": number, "op": op, "args": args}).encode() + b"\n"
    if len(line) > LINE_OCTETS_MAX:
        raise SecurityFailed(f"{op} is longer than the {LINE_OCTETS_MAX:,} octets of a line", code="too_long")
    return line


class AnswerLine:
    """Collects the octets of one answer.

    Args:
        provider: its name, for errors.

    """

    def __init__(self, provider: str) -> None:
        self._provider = provider
        self._octets = bytearray()

    def feed(self, octets: bytes) -> bytes | None:
        """The line, when it is whole; empty ones before it are passed over.

        Raises:
            SecurityFailed: too much came, or more than one line.

        """
        self._octets += octets
        if len(self._octets) > LINE_OCTETS_MAX:
            raise rubbish(self._provider, f"answers more than {LINE_OCTETS_MAX:,} octets")
        lines = bytes(self._octets).split(b"\n")
        said = [line for line in lines[:-1] if line.strip()]
        if len(said) > 1 or (said and lines[-1].strip()):
            raise rubbish(self._provider, "says more than it was asked")
        return said[0] if said else None


def result_of(line: bytes, number: int, op: str, provider: str) -> Json:
    """What one line answers.

    Args:
        line: without its end.
        number: of the request.
        op: that was asked for.
        provider: its name, for errors.

    Raises:
        SecurityFailed: the line is no answer to it, code ``rubbish``; or the provider says no, with its code.

    """
    try:
        answer = json.loads(line)
    except (ValueError, RecursionError):
        raise rubbish(provider, "answers with what is no JSON") from None
    if not isinstance(answer, dict):
        raise rubbish(provider, "answers with what is no JSON object")
    error = answer.get("error")
    if answer.get("ok") is False and isinstance(error, dict) and answer.get("id") in (number, None):
        raise _refusal(error.get("code"), op, provider)
    if answer.get("id") != number or isinstance(answer.get("id"), bool):
        raise rubbish(provider, "answers something that was not asked")
    result = answer.get("result")
    if answer.get("ok") is not True or not isinstance(result, dict):
        raise rubbish(provider, f"answers {op} with neither a result nor an error")
    return result


def _refusal(code: object, op: str, provider: str) -> SecurityFailed:
    """A code that looks like a word is passed on; its sentences are not: they may hold anything."""
    known = code if isinstance(code, str) and len(code) <= _CODE_MAX and _CODE(code) else "no_code"
    words = _WORDS.get(known, "for a reason of its own")
    return SecurityFailed(f"security provider {provider!r} does not do {op} ({known}): {words}", code=known)


# --- results ---------------------------------------------------------------------------------------------


class Result:
    """Reads the fields of one result.

    Args:
        fields: as they came.
        op: that was asked for.
        provider: its name, for errors.

    """

    def __init__(self, fields: Json, op: str, provider: str) -> None:
        self._fields = fields
        self._op = op
        self._provider = provider

    def __repr__(self) -> str:
        """Nothing of it."""
        return f"Result({self._op}, <hidden>)"

    def octets(self, name: str, least: int, most: int | None = None) -> bytes:
        """Hexadecimal digits.

        Args:
            name: of the field.
            least: octets at least.
            most: octets at most; as many as ``least`` when left out.

        Raises:
            SecurityFailed: they are none, or not so many.

        """
        given = self._typed(name, str)
        try:
            octets = bytes.fromhex(given) if not any(map(str.isspace, given)) else None
        except ValueError:
            octets = None
        if octets is None or not least <= len(octets) <= (least if most is None else most):
            raise self._unusable(name)
        return octets

    def octets_or_none(self, name: str, count: int) -> bytes | None:
        """The same, or null.

        Raises:
            SecurityFailed: neither.

        """
        return None if name in self._fields and self._fields[name] is None else self.octets(name, count)

    def text(self, name: str, most: int) -> str:
        """A text of 1 to ``most`` printable characters.

        Raises:
            SecurityFailed: it is none.

        """
        given = self._typed(name, str)
        if not 1 <= len(given) <= most or not given.isprintable():
            raise self._unusable(name)
        return given

    def whole(self, name: str) -> int:
        """A whole number.

        Raises:
            SecurityFailed: it is none.

        """
        return self._typed(name, int)

    def _typed(self, name: str, kind: type[_T]) -> _T:
        given = self._fields.get(name)
        if not isinstance(given, kind) or isinstance(given, bool):
            raise self._unusable(name)
        return given

    def _unusable(self, name: str) -> SecurityFailed:
        return rubbish(self._provider, f"answers {self._op} without a usable {name!r}")
