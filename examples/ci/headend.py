"""A small head-end: reads a meter with PyPI's dlt645, and disconnects a customer with meterwire."""

from __future__ import annotations

import socket
from contextlib import suppress
from decimal import Decimal

from dlt645 import MeterClientService

from meterwire.dlt645 import Deframer, Message, ReadReply, ReadRequest, encode, from_frame, to_frame
from meterwire.dlt645.messages.control import ControlRequest

ENERGY = 0x00010000
STATUS_WORD_3 = 0x04000503
CONTACT_OPEN = 1 << 4
NEVER_EXPIRES = bytes.fromhex("000000311299")  # 2099-12-31, lowest octet first
TRIP = 0x1A
TIMEOUT_S = 0.5


class NoAnswer(Exception):
    """A meter said nothing that can be used."""


def read_energy_kwh(host: str, port: int, address: str, *, tries: int = 2) -> Decimal:
    """Forward active energy; asks again when no answer comes.

    A try is two questions, because dlt645 repeats each by itself.
    """
    client = MeterClientService.new_tcp_client(host, port, TIMEOUT_S)
    client.set_address(bytes.fromhex(address)[::-1].hex())  # it wants the octets in the order of the wire
    try:
        for _ in range(tries):
            answer = client.read_00(ENERGY)
            if answer is not None:
                return Decimal(str(answer.value))
    finally:
        client.disconnect()
    raise NoAnswer(f"meter {address} gave no answer in {tries} tries")


def trip(host: str, port: int, address: str) -> bool:
    """Send one trip, and look whether the contact is open.

    Without an answer the meter may have obeyed all the same, so the order is never sent a second time.
    """
    order = ControlRequest(
        address=address,
        level=2,
        password="000000",
        operator_code="00000007",
        command=TRIP,
        duration=0,
        expires=NEVER_EXPIRES,
    )
    with socket.create_connection((host, port), TIMEOUT_S) as line:
        with suppress(TimeoutError):
            ask(line, order)
        word = ask(line, ReadRequest(address=address, di=STATUS_WORD_3))
    if not isinstance(word, ReadReply):
        raise NoAnswer(f"meter {address} does not tell its status")
    return bool(int.from_bytes(word.data, "little") & CONTACT_OPEN)


def ask(line: socket.socket, message: Message) -> Message:
    """Send a message and wait for the meter's."""
    line.sendall(encode(to_frame(message), preamble=4))
    deframer = Deframer()
    while True:
        for frame in deframer.feed(line.recv(4096)):
            return from_frame(frame)
