"""``meterlink read`` before a DL/T 698.45 meter that answers, but badly: the exit code and the words."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.address import ServerAddress
from meterwire.dlt698.link.deframer import Deframer
from tests.support.processes import LOOPBACK

METERLINK = str(Path(sys.executable).with_name("meterlink"))
ADDRESS = "000000000161"
NO_VALUE = 6
FREQUENCY = "85 01 {piid} 200F0200 01 12 1389 00"
FREEZE = "85 03 {piid} 50040200 02 00 20210200 00 00100200 01 01 1C 07EA0B16000000"
ENERGIES = " 01 05 06 0012D687" + " 06 00000064" * 4
TAG = " 01 07EA0B01000000 010005"

_Answer = Callable[[bytes], bytes]
"""The user data that answers a request's."""


def _with_piid(octets: str) -> _Answer:
    return lambda asked: bytes.fromhex(octets.format(piid=f"{asked[2]:02X}"))


BAD: dict[str, tuple[str, _Answer, str]] = {
    "cut": ("frequency", _with_piid(FREQUENCY[:-5]), "truncated at octet"),
    "a row too wide": (
        "forward_active_energy.*@daily_freeze/last.1",
        _with_piid(FREEZE + ENERGIES + " 11 05 00 00"),
        "optional at octet",
    ),
    "enciphered": ("frequency", _with_piid("90 01 04 88223344 01 00 04 01020304"), "unasked-envelope"),
    "tagged": ("frequency", _with_piid(FREQUENCY + TAG), "unasked-time-tag"),
}
"""What is asked, what the meter says, and the fault that is named."""


def _serve(ear: socket.socket, answer: _Answer) -> None:
    """One connection: every request is answered alike, until the client hangs up."""
    connection, _ = ear.accept()
    deframer = Deframer()
    with connection:
        while octets := connection.recv(4096):
            for frame in deframer.feed(octets):
                said = frame._replace(
                    server=ServerAddress(ADDRESS),
                    user_data=answer(frame.user_data),
                    from_server=True,
                )
                connection.sendall(link.encode(said))


def _read(item: str, answer: _Answer, *options: str) -> Any:
    command = [METERLINK, "read", "--protocol", "dlt698.45", "--address", ADDRESS, "--item", item]
    with socket.create_server((LOOPBACK, 0)) as ear:
        meter = threading.Thread(target=_serve, args=(ear, answer))
        meter.start()
        where = "tcp://{}:{}".format(*ear.getsockname())
        run = subprocess.run(
            [*command, "--line", where, "--timeout-ms", "300", *options],
            capture_output=True,
            text=True,
            check=False,
            timeout=15,
        )
        meter.join(timeout=5)
    return run


@pytest.mark.parametrize("what", BAD)
def test_an_answer_that_cannot_be_used_is_told_from_silence(what: str) -> None:
    """People would look for a broken wire where the meter answers each time."""
    item, answer, fault = BAD[what]
    run = _read(item, answer)
    assert NO_VALUE == run.returncode, run.stderr
    assert f"meter {ADDRESS} answered, but its answer cannot be used: {fault}" in run.stderr
    assert "the answer does not fit the item（应答数据与数据项不符）" in run.stderr
    assert "无应答" not in run.stderr


def test_programs_are_told_the_same() -> None:
    """A program that reads meters would count the meter as silent."""
    item, answer, fault = BAD["cut"]
    run = _read(item, answer, "--json")
    error = json.loads(run.stdout)["error"]
    assert (NO_VALUE, "BadAnswer") == (run.returncode, error["kind"])
    assert fault in error["message"]
