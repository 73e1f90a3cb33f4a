"""Asking who is there: which answers show a meter, and which address is taken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meterwire.dlt645 import BROADCAST, WILDCARD, AbnormalReply, Frame, ReadReply, encode, to_frame
from meterwire.dlt645.link.functions import EDITIONS, Edition
from meterwire.dlt645.sessions.address import AddressSession, questions

_ME, _OTHER = "000000000161", "000000000162"
_OCTETS = bytes.fromhex("610100000000")


def _session(edition: Edition, number: int = 0, address: str = "") -> AddressSession:
    session = AddressSession(list(questions(edition, address))[number], edition=edition)
    assert session.octets_to_send()
    assert b"" == session.octets_to_send()
    return session


def _number(address: str) -> bytes:
    reply = ReadReply(address=address, di=0xC032, data=_OCTETS)
    return encode(to_frame(reply, "dlt645-1997"))


def test_the_address_comes_from_the_header_or_from_the_data() -> None:
    """A meter of 1997 that repeats the wildcard would stay without a name."""
    for header in (_ME, WILDCARD, BROADCAST):
        session = _session("dlt645-1997")
        session.feed(_number(header))
        assert (_ME, True) == (session.address, session.finished)
    session = _session("dlt645-2007")
    session.feed(encode(Frame(address=WILDCARD, function=0x13, data=_OCTETS, from_meter=True)))
    assert _ME == session.address


@pytest.mark.parametrize("edition", EDITIONS)
def test_a_refusal_shows_a_meter_too(edition: Edition) -> None:
    """A meter without that item would be taken for none."""
    session = _session(edition, 1)
    function = 0x11 if edition == "dlt645-2007" else 0x01
    session.feed(encode(to_frame(AbnormalReply(address=_ME, function=function, error_word=b"\x02"))))
    assert _ME == session.address


def test_what_shows_no_meter() -> None:
    """The echo of the request, a neighbour or rubbish would pass for the meter."""
    session = AddressSession(next(questions("dlt645-1997")), edition="dlt645-1997")
    echo = session.octets_to_send()
    session.feed(echo)
    session.feed(encode(Frame(address=_ME, function=0x11, from_meter=True)))
    session.feed(encode(Frame(address=WILDCARD, function=0x01, data=b"\x02", from_meter=True, abnormal=True)))
    assert ("", False) == (session.address, session.finished)
    assert session.heard > len(echo)
    asked = _session("dlt645-1997", address=_ME)
    asked.feed(_number(_OTHER))
    assert "" == asked.address
    asked.feed(_number(_ME))
    assert _ME == asked.address
    late = _session("dlt645-1997")
    late.expire()
    late.feed(_number(_ME))
    assert "" == late.address


@given(edition=st.sampled_from(EDITIONS), octets=st.binary(max_size=80))
def test_any_octets(edition: Edition, octets: bytes) -> None:
    """Rubbish on an unknown line would end the search."""
    session = _session(edition)
    session.feed(octets)
    assert len(octets) == session.heard
    assert session.finished == bool(session.address)
