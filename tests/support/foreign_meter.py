"""A meter that nobody here wrote: the server of PyPI's ``dlt645``, as a process of its own.

From a test::

    with foreign_meter(folder, over="tcp", values={"forward_active_energy": "0.26"}) as meter:
        ...  # meter.url, meter.address

By hand: ``python -m tests.support.foreign_meter --tcp 0`` prints one JSON line with its URL and runs until
it is killed; ``--pty`` makes two linked pseudo-terminals, because the server wants a serial device;
``--serial PATH`` uses a device that is there. It needs a second and 24 MB to start, most of it imports.

Known ways in which it differs from the standard (it is a witness, not an authority): it takes and gives
addresses in the order of the wire, answers *D1 ERR 01* to requests for other addresses, and D1 to block
and freeze identifiers; it always puts four FEH before an answer.
"""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import threading
import tty
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.support.processes import LOOPBACK, Program, announced

ADDRESS = "000000000161"
DI = {
    "forward_active_energy": 0x00010000,
    "forward_active_energy.t1": 0x00010100,
    "forward_active_energy.t2": 0x00010200,
    "reverse_active_energy": 0x00020000,
    "voltage.a": 0x02010100,
    "voltage.b": 0x02010200,
    "voltage.c": 0x02010300,
    "current.a": 0x02020100,
    "current.b": 0x02020200,
    "current.c": 0x02020300,
    "active_power": 0x02030000,
    "active_power.a": 0x02030100,
}
VALUES = {
    "forward_active_energy": "0.26",
    "forward_active_energy.t1": "0.11",
    "forward_active_energy.t2": "0.15",
    "reverse_active_energy": "1234.56",
    "voltage.a": "220.5",
    "voltage.b": "221.4",
    "voltage.c": "219.8",
    "current.a": "5.123",
    "current.b": "4.987",
    "current.c": "0.001",
    "active_power": "2.2123",
    "active_power.a": "1.1296",
}
"""What its author put in, unless a test says otherwise."""

BAUD = 2400
START_TIMEOUT_S = 5.0
_RELAY_OCTETS = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMeter:
    """A running foreign meter.

    Args:
        url: where it is, as ``meterlink`` writes lines.
        address: what it answers to, 12 digits, highest first.
        values: item to value, as it was told.
        program: its process.

    """

    url: str
    address: str
    values: Mapping[str, str]
    program: Program


@contextmanager
def foreign_meter(
    folder: Path,
    *,
    over: Literal["tcp", "pty"],
    address: str = ADDRESS,
    values: Mapping[str, str] | None = None,
) -> Iterator[ForeignMeter]:
    """Start a foreign meter, and end it at the end of the block.

    Args:
        folder: for its log.
        over: a loopback TCP port, or a pseudo-terminal.
        address: 12 digits, highest first.
        values: item (of ``DI``) to value, beside ``VALUES``.

    Raises:
        ChildProcessError: it ended at once.
        TimeoutError: it did not get ready.

    """
    shown = {**VALUES, **(values or {})}
    where = ["--tcp", "0"] if over == "tcp" else ["--pty"]
    told = [f"--value={item}={value}" for item, value in shown.items()]
    command = [sys.executable, "-m", "tests.support.foreign_meter", *where, f"--address={address}", *told]
    log = folder / f"foreign-meter-{over}-{address}.log"
    with announced(command, log) as (program, ready):
        yield ForeignMeter(url=ready["url"], address=address, values=shown, program=program)


# --- the process -------------------------------------------------------------------------------


def main() -> None:
    """Be a foreign meter until killed."""
    options = _options()
    from dlt645 import MeterServerService

    if options.tcp is not None:
        service = MeterServerService.new_tcp_server(LOOPBACK, options.tcp, START_TIMEOUT_S)
    else:
        device = options.serial or _pty_pair(options)
        service = MeterServerService.new_rtu_server(device, 8, 1, BAUD, "N", START_TIMEOUT_S)
    service.set_address(bytes.fromhex(options.address)[::-1])  # it wants the order of the wire
    for item, value in options.value:
        put = service.set_00 if DI[item] >> 24 == 0 else service.set_02
        if not put(DI[item], float(value)):
            sys.exit(f"foreign meter: it does not take {item} = {value}")
    if not service.server.start():
        sys.exit("foreign meter: it cannot open its line")
    if options.tcp is not None:
        url = f"tcp://{LOOPBACK}:{service.server.port}"
    else:
        url = f"serial://{options.url_device or options.serial}?baud={BAUD}&parity=none"
    print(json.dumps({"ready": True, "url": url}), flush=True)
    signal.pause()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A DL/T 645 meter: the server of PyPI's dlt645.")
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--tcp", type=int, metavar="PORT", help="loopback port; 0 takes a free one")
    where.add_argument("--serial", metavar="PATH", help="serial device that is there already")
    where.add_argument("--pty", action="store_true", help="make a pair of linked pseudo-terminals")
    parser.add_argument("--address", default=ADDRESS, help="12 digits, highest first")
    parser.add_argument("--value", action="append", default=[], metavar="ITEM=VALUE", type=_item_and_value)
    options = parser.parse_args()
    options.url_device = None
    return options


def _item_and_value(text: str) -> tuple[str, str]:
    item, _, value = text.partition("=")
    if item not in DI or not value:
        raise argparse.ArgumentTypeError(f"{text}: write ITEM=VALUE, with one of {', '.join(DI)}")
    return item, value


def _pty_pair(options: argparse.Namespace) -> str:
    """Two pseudo-terminals, linked by a thread; the device for the server. The other one is for us."""
    near, near_device = _raw_pty()
    far, far_device = _raw_pty()
    options.url_device = near_device
    threading.Thread(target=_relay, args=(near, far), name="relay", daemon=True).start()
    return far_device


def _raw_pty() -> tuple[int, str]:
    """Our end, and the name of the other one, which stays open so that its users may come and go."""
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    return ours, os.ttyname(theirs)


def _relay(one: int, other: int) -> None:
    """Carry octets both ways, as a pair of wires does."""
    while True:
        readable, _, _ = select.select([one, other], [], [])
        for source in readable:
            os.write(other if source == one else one, os.read(source, _RELAY_OCTETS))


if __name__ == "__main__":
    main()
