"""Lines of JSON in, lines of JSON out: the provider in the words of the ``external`` protocol. No I/O.

One object a line. A request has ``id``, ``op`` and ``args``; its answer the same ``id`` and ``ok``, with
``result`` or with ``error``. Whatever comes in, one line goes out for each that is not empty, and nothing
that was asked with stands in an error: neither octets nor handles nor amounts.
Described for people in docs/security-providers.md. Source: spec section 7.1 of control and prepayment.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from metersim.security import suite645, suite698
from metersim.security.keys import DIVERSIFIER_OCTETS
from metersim.security.provider import HANDLE_OCTETS, LabProvider, Trouble, Wallet645, Wallet698
from metersim.security.sm4 import MAC_OCTETS
from metersim.security.suite698 import Level

LINE_OCTETS_MAX: Final = 65_536
"""A line that is longer is not read: the longest that an operation needs is half of it."""
APDU_OCTETS_MAX: Final = 16_384
ID_CHARACTERS_MAX: Final = 64
NAME: Final = "lab"
SUITE: Final = "LAB-SM4"
SUITE_VERSION: Final = 1
PROTOCOL_VERSION: Final = 1

_UINT32_MAX: Final = 0xFFFFFFFF
_CENTURY: Final = 2000
_TWELVE_DIGITS: Final = re.compile("[0-9]{12}").fullmatch
_FLAG_OCTETS: Final = 8
_TASKS: Final = range(1, 12)

Read = Callable[[Any], Any]
"""Checks one argument and gives what the provider takes; ``ValueError`` in words that say what it wants."""


class Operation(NamedTuple):
    """One operation.

    Args:
        args: its arguments.
        run: does it.

    """

    args: Mapping[str, Read]
    run: Callable[[LabProvider, dict[str, Any]], dict[str, Any]]


class Lines:
    """Octets of a stream, cut into lines; one that is too long is thrown away to its end."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._too_long = False

    def feed(self, octets: bytes) -> Iterator[bytes | None]:
        """The lines that are complete; ``None`` for one that was too long."""
        self._octets += octets
        while (end := self._octets.find(b"\n")) >= 0:
            line = bytes(self._octets[:end])
            del self._octets[: end + 1]
            yield None if self._too_long or len(line) > LINE_OCTETS_MAX else line
            self._too_long = False
        if len(self._octets) > LINE_OCTETS_MAX:
            self._too_long = True
            self._octets.clear()

    def end(self) -> Iterator[bytes | None]:
        """The last line, where the stream ended before it did."""
        if self._octets or self._too_long:
            yield from self.feed(b"\n")


class Hsm:
    """Answers requests.

    Args:
        provider: does the work.
        told: takes a line about each request: its operation and the outcome, nothing that it was asked with.

    """

    def __init__(self, provider: LabProvider, *, told: Callable[[str], None] | None = None) -> None:
        self._provider = provider
        self._told = told or _untold

    def answer(self, line: bytes | None) -> bytes:
        """The answer to one line, with its end; ``b""`` to an empty one.

        Args:
            line: as `Lines` gives it.

        """
        if line is not None and not line.strip():
            return b""
        number: int | str | None = None
        name = "?"
        try:
            request = _request(line)
            number = _number(request)
            name = _name(request)
            said: dict[str, Any] = {"ok": True, "result": self._done(name, request)}
            self._told(f"{name}: done")
        except Trouble as trouble:
            said = {"ok": False, "error": {"code": trouble.code, "what": trouble.what, "do": trouble.do}}
            self._told(f"{name}: {trouble.code}")
        return json.dumps({"id": number, **said}).encode() + b"\n"

    def _done(self, name: str, request: dict[str, Any]) -> dict[str, Any]:
        operation = OPERATIONS[name]
        return operation.run(self._provider, _arguments(request.get("args", {}), operation))


def _untold(_line: str) -> None:
    """Nobody wants to know."""


def _request(line: bytes | None) -> dict[str, Any]:
    if line is None:
        raise Trouble(
            "line_too_long", f"the line has more than {LINE_OCTETS_MAX} octets", "send less in one request"
        )
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):  # UnicodeDecodeError is a ValueError
        request = None
    if not isinstance(request, dict):
        raise Trouble("bad_line", "the line is no JSON object", "send one object with id, op and args a line")
    return request


def _name(request: dict[str, Any]) -> str:
    name = request.get("op")
    if isinstance(name, str) and name in OPERATIONS:
        return name
    raise Trouble("unknown_op", "there is no such operation", f"use one of {', '.join(OPERATIONS)}")


def _number(request: dict[str, Any]) -> int | str:
    number = request.get("id")
    whole = isinstance(number, int) and not isinstance(number, bool) and 0 <= number <= _UINT32_MAX
    text = isinstance(number, str) and len(number) <= ID_CHARACTERS_MAX
    if isinstance(number, int | str) and (whole or text):
        return number
    raise Trouble(
        "bad_request",
        f"id is neither 0 to {_UINT32_MAX} nor a text of at most {ID_CHARACTERS_MAX} characters",
        "give each request an id of its own",
    )


def _arguments(given: Any, operation: Operation) -> dict[str, Any]:
    if not isinstance(given, dict) or not given.keys() <= operation.args.keys():
        wanted = ", ".join(operation.args) or "none"
        raise Trouble("bad_args", "args are not those of this operation", f"give it: {wanted}")
    read = {}
    for name, reads in operation.args.items():
        try:
            read[name] = reads(given.get(name))
        except ValueError as fault:
            raise Trouble("bad_args", f"{name} is wrong or missing", f"{name}: {fault}") from None
    return read


# --- arguments -----------------------------------------------------------------------------------------


def _octets(least: int, most: int | None = None) -> Read:
    longest = least if most is None else most
    count = f"{least}" if most is None else f"{least} to {longest}"

    def read(given: Any) -> bytes:
        fault = f"{count} octets as hexadecimal digits without blanks"
        if not isinstance(given, str) or not given.isascii() or any(map(str.isspace, given)):
            raise ValueError(fault)
        try:
            octets = bytes.fromhex(given)
        except ValueError:
            raise ValueError(fault) from None
        if not least <= len(octets) <= longest:
            raise ValueError(fault)
        return octets

    return read


def _whole(least: int, most: int) -> Read:
    def read(given: Any) -> int:
        if isinstance(given, bool) or not isinstance(given, int) or not least <= given <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return given

    return read


def _digits(given: Any) -> str:
    if not isinstance(given, str) or not _TWELVE_DIGITS(given):
        raise ValueError("a text of 12 digits")
    return given


def _civil(given: Any) -> datetime:
    fault = "the meter's civil time to the second without a zone, such as 2026-11-22T15:30:00"
    try:
        moment = datetime.strptime(given, "%Y-%m-%dT%H:%M:%S")  # noqa: DTZ007 - a meter's clock has no zone
    except (TypeError, ValueError):
        raise ValueError(fault) from None
    if not _CENTURY <= moment.year < _CENTURY + 100:
        raise ValueError(f"{fault}; from 2000 to 2099")
    return moment


def _level(given: Any) -> Level:
    return Level(_whole(min(Level), max(Level))(given))


def _kind(kinds: type[Wallet645] | type[Wallet698]) -> Read:
    def read(given: Any) -> Wallet645 | Wallet698:
        try:
            return kinds(given)
        except ValueError:
            raise ValueError(f"one of {', '.join(kinds)}") from None

    return read


def _maybe(read: Read) -> Read:
    return lambda given: None if given is None else read(given)


# --- operations ----------------------------------------------------------------------------------------


def _shown(**fields: Any) -> dict[str, Any]:
    """A result: octets as upper-case hexadecimal digits."""
    return {
        name: value.hex().upper() if isinstance(value, bytes) else value for name, value in fields.items()
    }


def _named(pair: tuple[bytes, bytes], *names: str) -> dict[str, Any]:
    return _shown(**dict(zip(names, pair, strict=True)))


def _verify645(provider: LabProvider, args: dict[str, Any]) -> dict[str, Any]:
    provider.verify645(**args)
    return {}


def _verify_read698(provider: LabProvider, args: dict[str, Any]) -> dict[str, Any]:
    provider.verify_read698(**args)
    return {}


def _protect698(provider: LabProvider, args: dict[str, Any]) -> dict[str, Any]:
    """The suite has one key for all tasks; encryption machines of sites have not."""
    wanted = {name: value for name, value in args.items() if name != "task"}
    return _shown(**provider.protect698(**wanted)._asdict())


def _close(provider: LabProvider, args: dict[str, Any]) -> dict[str, Any]:
    provider.close(**args)
    return {}


def _health(provider: LabProvider, _: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": NAME,
        "suite": SUITE,
        "suite_version": SUITE_VERSION,
        "protocol_version": PROTOCOL_VERSION,
        "open": provider.open,
    }


_HANDLE: Final = _octets(HANDLE_OCTETS)
_DIV: Final = _octets(DIVERSIFIER_OCTETS)
_MAC: Final = _octets(MAC_OCTETS)
_APDU: Final = _octets(1, APDU_OCTETS_MAX)
_AMOUNT: Final = _whole(0, _UINT32_MAX)
_R1: Final = _octets(suite698.RANDOM_OCTETS)
_CTX: Final = {"ctx": lambda given: _HANDLE(given).hex().upper(), "rand2": _octets(suite645.RAND2_OCTETS)}
_SESSION: Final = {"session": lambda given: _HANDLE(given).hex().upper()}
_MONEY: Final = {"amount": _AMOUNT, "count": _AMOUNT, "customer": _digits}
_KEYS: Final = {"key_state": _whole(0, 1), "div": _DIV}

OPERATIONS: Final[dict[str, Operation]] = {
    "health": Operation({}, _health),
    "auth645": Operation({"div": _DIV}, lambda provider, args: _shown(**provider.auth645(**args)._asdict())),
    "control645": Operation(
        {**_CTX, "n1": _whole(0, 255), "n2": _whole(0, 255), "expiry": _civil},
        lambda provider, args: _shown(block=provider.control645(**args)),
    ),
    "param_mac645": Operation(
        {**_CTX, "data": _octets(1, suite645.PARAMETER_OCTETS_MAX)},
        lambda provider, args: _shown(mac=provider.param_mac645(**args)),
    ),
    "param_enc645": Operation(
        {**_CTX, "di": _octets(suite645.DI_OCTETS), "data": _octets(1, suite645.PARAMETER_OCTETS_MAX)},
        lambda provider, args: _named(provider.param_enc645(**args), "cipher", "mac"),
    ),
    "wallet645": Operation(
        {**_CTX, "kind": _kind(Wallet645), **_MONEY},
        lambda provider, args: _named(provider.wallet645(**args), "mac1", "mac2"),
    ),
    "verify645": Operation(
        {
            **_CTX,
            "apdu": _octets(0, _FLAG_OCTETS),
            "data": _octets(1, suite645.PARAMETER_OCTETS_MAX),
            "mac": _MAC,
        },
        _verify645,
    ),
    "init698": Operation(
        {**_KEYS, "counter": _whole(1, suite698.COUNTER_MAX)},
        lambda provider, args: _shown(**provider.init698(**args)._asdict()),
    ),
    "verify698": Operation(
        {**_KEYS, "r1": _R1, "data": _octets(suite698.M2_OCTETS), "sign": _MAC},
        lambda provider, args: {"session": provider.verify698(**args)},
    ),
    "protect698": Operation(
        {**_SESSION, "level": _level, "task": _whole(_TASKS.start, _TASKS.stop - 1), "apdu": _APDU},
        _protect698,
    ),
    "open698": Operation(
        {**_SESSION, "level": _level, "data": _APDU, "mac": _maybe(_MAC)},
        lambda provider, args: _shown(apdu=provider.open698(**args)),
    ),
    "rand698": Operation({}, lambda provider, _: _shown(rn=provider.rand698())),
    "verify_read698": Operation(
        {"meter": _digits, "rn": _octets(suite698.RANDOM_OCTETS), "data": _APDU, "mac": _MAC},
        _verify_read698,
    ),
    "purse698": Operation(
        {**_SESSION, "kind": _kind(Wallet698), **_MONEY},
        lambda provider, args: _shown(**provider.purse698(**args)._asdict()),
    ),
    "close": Operation(
        {"handle": lambda given: _HANDLE(given).hex().upper()},
        _close,
    ),
}
