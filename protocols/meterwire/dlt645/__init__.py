"""DL/T 645: the protocol between China's electricity meters and those who read them. No I/O."""

from meterwire.dlt645.items.dictionary import Dictionary, dictionary
from meterwire.dlt645.items.values import Entry, ItemValue
from meterwire.dlt645.link.deframer import Deframer
from meterwire.dlt645.link.frame import BROADCAST, WILDCARD, Frame, decode, encode
from meterwire.dlt645.messages.messages import (
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
from meterwire.dlt645.sessions.read import ReadSession

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
