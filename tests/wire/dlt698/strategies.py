"""Hypothesis strategies for the link layer of DL/T 698.45."""

from __future__ import annotations

from hypothesis import strategies as st

from meterwire.dlt698.link.address import AddressKind, ServerAddress
from meterwire.dlt698.link.frame import Frame

addresses = st.builds(
    ServerAddress,
    digits=st.binary(min_size=1, max_size=16).map(lambda octets: octets.hex().upper())
    | st.text("0123456789A", min_size=12, max_size=12),
    kind=st.sampled_from(AddressKind),
    logical=st.integers(0, 3),
)

# Octets that mean something to a deframer come often, so that frames within frames are tried.
_awkward = st.sampled_from([0x68, 0x16, 0xFE, 0x00, 0x05, 0x17, 0x43, 0xC3, 0x33, 0xAA])
data = st.binary(max_size=200) | st.lists(_awkward, max_size=40).map(bytes)

frames = st.builds(
    Frame,
    server=addresses,
    client=st.integers(0, 255),
    user_data=data,
    from_server=st.booleans(),
    started_by_client=st.booleans(),
    function=st.integers(0, 7),
    segmented=st.booleans(),
    scrambled=st.booleans(),
    reserved=st.booleans(),
)

noise = st.binary(max_size=300) | st.lists(_awkward | st.integers(0, 255), max_size=60).map(bytes)
