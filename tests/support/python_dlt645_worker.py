"""PyPI's ``python-dlt645`` behind JSON lines: one question a line on stdin, one answer a line on stdout.

It has the import name of ``dlt645``, so it runs in an environment of its own; ``python_dlt645.py`` starts it
and says what may be asked. Octets travel as hexadecimal digits. Nothing of ours is imported here.
"""

from __future__ import annotations

import importlib
import io
import json
import sys
from collections.abc import Callable
from typing import Any

theirs: Any = importlib.import_module("dlt645")


class _Line:
    """A file of theirs: what it writes is kept, what it reads was given."""

    def __init__(self, answer: str) -> None:
        self.sent = b""
        self._answer = io.BytesIO(bytes.fromhex(answer))

    def write(self, octets: bytes) -> None:
        self.sent += octets

    def read(self, size: int) -> bytes:
        return self._answer.read(size)


def _frame(address: str | None, control: dict[str, int], data: str | None) -> Any:
    frame = theirs.Frame(address, control)
    frame.data = data
    return frame


def _fields(frame: Any) -> dict[str, Any] | None:
    return frame and {"address": frame.addr, "control": frame.control, "data": frame.data}


def _version() -> str:
    return str(theirs.__version__)


def _functions() -> dict[str, dict[str, int]]:
    return {f"dlt645-{edition}": codes for edition, codes in theirs.FUNCTION_CODES.items()}


def _dump(address: str | None, control: dict[str, int], data: str | None) -> str:
    return bytes(_frame(address, control, data).dump()).hex()


def _write(address: str | None, control: dict[str, int], data: str | None, awaken: bool) -> str:
    line = _Line("")
    theirs.write_frame(line, _frame(address, control, data), awaken)
    return line.sent.hex()


def _load(octets: str) -> dict[str, Any] | None:
    frame = theirs.Frame()
    frame.load(bytearray.fromhex(octets))
    return _fields(frame)


def _read(octets: str) -> dict[str, Any] | None:
    return _fields(theirs.read_frame(theirs.iogen(_Line(octets))))


def _get_addr(answer: str) -> dict[str, Any]:
    line = _Line(answer)
    address = theirs.get_addr(line)
    return {"sent": line.sent.hex(), "value": address}


def _get_active_energy(address: str, answer: str) -> dict[str, Any]:
    line = _Line(answer)
    energy = theirs.get_active_energy(address, line)
    return {"sent": line.sent.hex(), "value": energy}


_ASKED: dict[str, Callable[..., Any]] = {
    function.__name__[1:]: function
    for function in (_version, _functions, _dump, _write, _load, _read, _get_addr, _get_active_energy)
}


def main() -> None:
    """Answer until stdin ends; what it raises is an answer too."""
    for line in sys.stdin:
        question = json.loads(line)
        answer: dict[str, Any]
        try:
            answer = {"value": _ASKED[question["ask"]](**question["with"])}
        except Exception as error:  # noqa: BLE001 - which one is what is asked
            answer = {"raised": type(error).__name__}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
