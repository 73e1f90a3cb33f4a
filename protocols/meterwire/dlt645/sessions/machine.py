"""What a read and a command have in common: a table of states, one request at a time, and what may answer it.

Each says by its own table which states and signals there are, and what becomes of a frame.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Generic, TypeVar

from meterwire.dlt645.link import frame as link
from meterwire.dlt645.link.functions import Edition
from meterwire.dlt645.messages.messages import Message, from_frame
from meterwire.dlt645.sessions.asking import Asking
from meterwire.errors import RemoteProtocolError
from meterwire.primitives.ranges import Ranges

_State = TypeVar("_State", bound=enum.Enum)
_Signal = TypeVar("_Signal", bound=enum.Enum)


class Machine(ABC, Generic[_State, _Signal]):
    """Requester's side of a read or a command.

    Args:
        request: the first one.
        transitions: the state after each signal, by state; a signal that is not there changes nothing, and
            a state without any is an end.
        begin: the first state.
        preamble: FEH octets before each request, 0 to 16.
        edition: whose function codes.

    Attributes:
        finished: whether nothing more will be sent or taken.
        ignored: frames seen that were not the answer.

    Raises:
        LocalProtocolError: the request cannot be built.

    """

    def __init__(
        self,
        request: link.Frame,
        transitions: Mapping[_State, Mapping[_Signal, _State]],
        begin: _State,
        preamble: int,
        edition: Edition,
    ) -> None:
        self.finished = False
        self.ignored = 0
        self._transitions = transitions
        self._state = begin
        self._edition: Edition = edition
        self._asking = Asking(request, preamble, edition)

    @property
    def state(self) -> _State:
        """Where it stands."""
        return self._state

    def feed(self, octets: bytes) -> None:
        """Take octets from the line, in any pieces; never raises."""
        for frame in self._asking.frames(octets):
            self._take(frame)

    def secret_ranges(self, octets: bytes) -> Ranges:
        """See ``Asking.secret_ranges``."""
        return self._asking.secret_ranges(octets)

    @abstractmethod
    def _take(self, frame: link.Frame) -> None:
        """Look at a frame, whoever sent it."""

    def _signal(self, signal: _Signal) -> None:
        state = self._state = self._transitions[self._state].get(signal, self._state)
        self.finished = not self._transitions[state]

    def _message_of(self, frame: link.Frame) -> Message | None:
        """What a frame says that may answer the request that is open; ``None``: it is none, or unreadable."""
        if not self._asking.may_answer(frame):
            return None
        try:
            return from_frame(frame, self._edition)
        except RemoteProtocolError:
            return None
