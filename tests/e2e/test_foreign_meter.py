"""Somebody else's meter answers our frames: our codec is not its own only witness."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Literal

import pytest

from meterwire.dlt645 import Frame, ReadReply, ReadRequest, dictionary, encode, from_frame, to_frame
from tests.support.foreign_meter import DI, VALUES, foreign_meter
from tests.support.octets import plain_client

Over = Literal["tcp", "pty"]


def _request(di: int, address: str = "000000000161") -> bytes:
    return encode(to_frame(ReadRequest(address=address, di=di)), preamble=4)


@pytest.mark.parametrize("over", ["tcp", "pty"])
def test_it_gives_what_its_author_put_in(tmp_path: Path, over: Over) -> None:
    """Every end-to-end test that calls its input real would stand on sand."""
    with foreign_meter(tmp_path, over=over, values={"voltage.b": "199.9"}) as meter:
        shown = {}
        with plain_client(meter.url) as client:
            for item, di in DI.items():
                [frame] = client.ask(_request(di))
                reply = from_frame(frame)
                entry = dictionary().by_di(di)
                assert isinstance(reply, ReadReply)
                assert entry is not None
                assert (meter.address, di) == (reply.address, reply.di)
                shown[item] = [value.value for value in entry.decode(reply.data)]
        assert {
            **{item: [Decimal(value)] for item, value in VALUES.items()},
            "voltage.b": [Decimal("199.9")],
        } == (shown)
        assert meter.program.running
    assert not meter.program.running


def test_its_octets_are_those_of_the_standard(tmp_path: Path) -> None:
    """Address order and the 33H offset are checked against octets that no code of ours has made."""
    request = bytes.fromhex("FEFEFEFE 68 610100000000 68 11 04 33333433 14 16")
    with foreign_meter(tmp_path, over="tcp") as meter, plain_client(meter.url) as client:
        [frame] = client.ask(request)
    assert (
        Frame(
            address="000000000161",
            function=0x11,
            data=bytes.fromhex("00000100 26000000"),
            from_meter=True,
        )
        == frame
    )


@pytest.mark.parametrize("over", ["tcp", "pty"])
def test_it_can_be_opened_again(tmp_path: Path, over: Over) -> None:
    """A daemon that reconnects would find its foreign meter gone."""
    with foreign_meter(tmp_path, over=over, address="000000000007") as meter:
        for _ in range(3):
            with plain_client(meter.url) as client:
                [frame] = client.ask(_request(DI["voltage.a"], "000000000007"))
                assert "000000000007" == frame.address
