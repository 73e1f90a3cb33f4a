"""DL/T 645: the protocol between China's electricity meters and those who read them. No I/O."""

from meterwire.dlt645.deframer import Deframer
from meterwire.dlt645.frame import BROADCAST, WILDCARD, Frame, decode, encode
from meterwire.dlt645.items import Dictionary, dictionary
from meterwire.dlt645.messages import (
    AbnormalReply,
    Message,
    OtherMessage,
    ReadFollowingReply,
    ReadFollowingRequest,
    ReadReply,
    ReadRequest,
    from_frame,
    to_frame,
)
from meterwire.dlt645.session import ReadSession
from meterwire.dlt645.values import Entry, ItemValue

__all__ = [
    "BROADCAST",
    "WILDCARD",
    "AbnormalReply",
    "Deframer",
    "Dictionary",
    "Entry",
    "Frame",
    "ItemValue",
    "Message",
    "OtherMessage",
    "ReadFollowingReply",
    "ReadFollowingRequest",
    "ReadReply",
    "ReadRequest",
    "ReadSession",
    "decode",
    "dictionary",
    "encode",
    "from_frame",
    "to_frame",
]
