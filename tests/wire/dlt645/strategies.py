"""Hypothesis strategies for DL/T 645."""

from __future__ import annotations

from hypothesis import strategies as st

from meterwire.dlt645 import Frame
from meterwire.dlt645.link.frame import DATA_OCTETS_MAX, goes_to_many
from meterwire.dlt645.link.functions import CONTROL

addresses = st.text("0123456789", min_size=12, max_size=12) | st.text(
    "0123456789ABCDEF", min_size=12, max_size=12
)

# Octets that mean something to a deframer come often, so that frames within frames are tried.
_awkward = st.sampled_from([0x68, 0x16, 0xFE, 0x35, 0xE3, 0x33, 0xAA])
data = st.binary(max_size=DATA_OCTETS_MAX) | st.lists(_awkward, max_size=40).map(bytes)


def may_be_sent(frame: Frame) -> bool:
    """Whether ``encode`` takes it: not a control request to many."""
    return frame.from_meter or frame.function != CONTROL or not goes_to_many(frame.address)


frames = st.builds(
    Frame,
    address=addresses,
    function=st.integers(0, 31),
    data=data,
    from_meter=st.booleans(),
    abnormal=st.booleans(),
    has_following=st.booleans(),
).filter(may_be_sent)

noise = st.binary(max_size=300) | st.lists(_awkward | st.integers(0, 255), max_size=60).map(bytes)
