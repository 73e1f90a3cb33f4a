"""A DL/T 698.45 meter that nobody here wrote: the server of PyPI's ``dlt698``, as a process of its own.

From a test::

    with foreign_meter698(folder, profile="local_preset") as meter:
        ...  # meter.url, meter.address

``--dial HOST:PORT`` makes it a terminal that dials in: it logs in with LINK, as its profile for remote
connections wants.

Known ways in which it differs from the standard (it is a witness, not an authority):

1. it takes its address in the order of the wire;
2. it answers one client address, the one that it was told;
3. it is silent on wildcards;
4. it takes a CONNECT of version 16 only, where heads in the field name 22;
5. its record tables refuse selector 10 (the last n), DAR 3;
6. without ``--blocks`` it drops the connection where an answer is longer than the APDU of the association;
7. in a list of records it cuts between records only: one that is longer than a block is an ERROR.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, Final

from tests.support.processes import LOOPBACK, Program, announced

ADDRESS: Final = "000000000161"
CLIENT: Final = 0x10
NIGHTS: Final = range(10, 23)
"""What its freezes are called; by default days of November 2026, at whose beginning it took them."""
NEWEST_NIGHT: Final = date(2026, 11, 22)
"""Day at whose beginning it took the last of them, if nobody says otherwise."""
ENERGIES: Final = (1234567, 100, 200, 300, 400)
VOLTAGES: Final = (2205, 2214, 2198)
FREQUENCY: Final = 5001
APDU_OCTETS: Final = 1024
CLOCK_AT_FIRST: Final = (2026, 11, 22, 8, 0, 0)
"""What its clock shows until somebody sets it; it stands still."""
_CLOCK: Final = 0x4000
_BROADCAST_TIME: Final = 127
_POLL_S = 0.02


def frozen(day: int) -> tuple[int, ...]:
    """Forward active energies of a night, raw: total and tariffs."""
    return tuple(day * 1000 + number for number in range(5))


@dataclass(frozen=True, slots=True, kw_only=True)
class ForeignMeter698:
    """A running foreign meter.

    Args:
        url: where it is, as ``meterlink`` writes lines; empty when it dials.
        address: what it answers to, 12 digits, highest first.
        program: its process.

    """

    url: str
    address: str
    program: Program


@contextmanager
def foreign_meter698(
    folder: Path,
    *,
    profile: str,
    client: int = CLIENT,
    blocks: bool = False,
    apdu_octets: int = APDU_OCTETS,
    dial: str = "",
    newest_night: date = NEWEST_NIGHT,
) -> Iterator[ForeignMeter698]:
    """Start a foreign meter, and end it at the end of the block.

    Args:
        folder: for its log.
        profile: ``local_preset``, ``local_public`` or ``remote_public``.
        client: the client address that it answers.
        blocks: it cuts answers that are longer than an APDU into blocks.
        apdu_octets: longest APDU that it sends and takes.
        dial: HOST:PORT that it dials; empty: it listens.
        newest_night: when it took the last freeze of ``NIGHTS``; the others are of the nights before.

    Raises:
        ChildProcessError: it ended at once.
        TimeoutError: it did not get ready.

    """
    options = [f"--profile={profile}", f"--client={client}", f"--dial={dial}", *["--blocks"] * blocks]
    options += [f"--apdu-octets={apdu_octets}", f"--newest-night={newest_night}"]
    log = folder / f"foreign-meter698-{profile}.log"
    command = [sys.executable, "-m", "tests.support.foreign_meter698", *options]
    with announced(command, log) as (program, ready):
        yield ForeignMeter698(url=ready["url"], address=ADDRESS, program=program)


# --- the process -------------------------------------------------------------------------------


def main() -> None:
    """Be a foreign meter until killed."""
    from dlt698 import _native as native

    options = _options()
    session = native.SessionOptions(
        role=native.Role.server,
        client_address=options.client,
        server=native.ServerAddress(bytes=bytes.fromhex(ADDRESS)[::-1]),  # it wants the order of the wire
        prefer_get_blocks=options.blocks,
        heartbeat_seconds=60 if options.dial else 0,
    )
    parameters = session.parameters
    parameters.apdu_bytes = options.apdu_octets
    session.parameters = parameters
    engine = native.Engine(session, _objects(native, options.newest_night))
    profile = getattr(native.ConnectionProfile, options.profile)
    if options.dial:
        host, _, port = options.dial.partition(":")
        engine.connect_tcp(host, int(port), profile, role=native.Role.server)
        url = ""
    else:
        port = _free_port()
        engine.listen(LOOPBACK, port, profile)
        url = f"tcp://{LOOPBACK}:{port}"
    print(json.dumps({"ready": True, "url": url}), flush=True)
    while True:
        for completion in engine.poll(_POLL_S):
            print(completion.kind, completion.state, completion.error, flush=True)


def _objects(native: Any, newest_night: date) -> Any:
    registry, data = native.ObjectRegistry(), native.Data
    values = {
        0x0010: data.array([data.uint32(value) for value in ENERGIES]),
        0x2000: data.array([data.uint16(value) for value in VOLTAGES]),
        0x200F: data.uint16(FREQUENCY),
    }
    for oi, value in values.items():
        provider = native.MemoryObject()
        provider.set(2, value)
        shape = native.AttributeSchema(number=2, readable=True, type=value.type)
        registry.register_object(native.ObjectSchema(oi=oi, name=f"{oi:04X}", attributes=[shape]), provider)
    _register_freezes(native, registry, newest_night)
    _register_clock(native, registry)
    return registry


def _register_clock(native: Any, registry: Any) -> None:
    """A clock that anybody may set, and a method that sets it and tells what it was set to."""
    year, *rest = CLOCK_AT_FIRST
    clock = native.MemoryObject()
    clock.set(2, native.Data.date_time_s([*year.to_bytes(2), *rest]))

    def broadcast(_: Any, to: Any) -> Any:
        clock.set(2, to)
        return native.ActionValue(dar=0, data=to)

    clock.bind_method(_BROADCAST_TIME, broadcast)
    time = native.DataType.date_time_s
    shown = native.AttributeSchema(number=2, readable=True, writable=True, type=time)
    method = native.MethodSchema(
        number=_BROADCAST_TIME, executable=True, parameter_type=time, return_type=time
    )
    shape = native.ObjectSchema(oi=_CLOCK, name="clock", attributes=[shown], methods=[method])
    registry.register_object(shape, clock)


def _register_freezes(native: Any, registry: Any, newest: date) -> None:
    data = native.Data
    columns = [native.Oad(oi=oi, attribute=2) for oi in (0x2023, 0x2021, 0x0010)]
    freezes = native.MemoryRecords.create(0x5004, columns)
    freezes.replace_rows(
        [
            [
                data.uint32(number),
                data.date_time_s([*night.year.to_bytes(2), night.month, night.day, 0, 0, 0]),
                data.array([data.uint32(value) for value in frozen(day)]),
            ]
            for number, day in enumerate(NIGHTS, start=1)
            for night in [newest - timedelta(days=NIGHTS[-1] - day)]
        ]
    )
    shape = native.AttributeSchema(number=2, readable=True, record=True, type=native.DataType.array)
    registry.register_object(native.ObjectSchema(oi=0x5004, name="daily freeze", attributes=[shape]), freezes)


def _free_port() -> int:
    """A port that was free just now: its engine does not tell which one it took."""
    with socket.create_server((LOOPBACK, 0)) as probe:
        return int(probe.getsockname()[1])


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="A DL/T 698.45 meter: the server of PyPI's dlt698.")
    parser.add_argument("--profile", required=True)
    parser.add_argument("--client", type=int, default=CLIENT)
    parser.add_argument("--blocks", action="store_true")
    parser.add_argument("--apdu-octets", type=int, default=APDU_OCTETS)
    parser.add_argument("--dial", default="", metavar="HOST:PORT")
    parser.add_argument("--newest-night", type=date.fromisoformat, default=NEWEST_NIGHT)
    return parser.parse_args()


if __name__ == "__main__":
    main()
