"""Hypothesis strategies for Modbus."""

from __future__ import annotations

from hypothesis import strategies as st

from meterwire.modbus import (
    ExceptionReply,
    Framed,
    Framing,
    IdentificationReply,
    IdentificationRequest,
    ReadReply,
    ReadRequest,
    RegistersWritten,
    Reply,
    Request,
    WriteRegister,
    WriteRegisters,
)
from meterwire.modbus.pdus.functions import FUNCTIONS

_register = st.integers(0, 0xFFFF)
_octet = st.integers(0, 255)
_start = st.integers(0, 0xFFFF - 2_000)
_registers = st.binary(min_size=2, max_size=246).map(lambda data: data[: len(data) // 2 * 2])

requests: st.SearchStrategy[Request] = st.one_of(
    st.builds(ReadRequest, st.sampled_from([1, 2]), _start, st.integers(1, 2_000)),
    st.builds(ReadRequest, st.sampled_from([3, 4]), _start, st.integers(1, 125)),
    st.builds(WriteRegister, _register, _register),
    st.builds(WriteRegisters, _start, _registers),
    st.builds(IdentificationRequest, _octet, _octet),
)
replies: st.SearchStrategy[Reply] = st.one_of(
    st.builds(ReadReply, st.sampled_from([1, 2]), st.binary(min_size=1, max_size=250)),
    st.builds(ReadReply, st.sampled_from([3, 4]), _registers),
    st.builds(WriteRegister, _register, _register),
    st.builds(RegistersWritten, _start, st.integers(1, 123)),
    st.builds(
        IdentificationReply,
        _octet,
        _octet,
        st.sampled_from([0, 0xFF]),
        _octet,
        st.lists(st.tuples(_octet, st.binary(max_size=40)), max_size=5).map(tuple),
    ),
    st.builds(ExceptionReply, st.sampled_from(sorted(FUNCTIONS)), _octet),
)
units = st.integers(1, 247)
transactions = _register


def framed(framing: Framing, pdus: st.SearchStrategy[bytes]) -> st.SearchStrategy[Framed]:
    """Frames of a kind around PDUs."""
    return st.builds(Framed, units, pdus, transactions if framing == "tcp" else st.just(0))


# What looks like the head of a frame comes often.
_awkward = st.sampled_from([0x00, 0x01, 0x03, 0x04, 0x2B, 0x0E, 0x83, 0x06, 0xFF])
noise = st.binary(max_size=300) | st.lists(_awkward | _octet, max_size=60).map(bytes)
