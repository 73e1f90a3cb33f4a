"""One exchange as faults see it: who asked what and when, and what is to befall it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from random import Random
from typing import Any

from metersim.line.language import Answer, Language


class Client:
    """What a line remembers of a client: one connection is one client."""

    __slots__ = ("last",)

    def __init__(self) -> None:
        self.last: Answer | None = None
        """The answer to its last question, as the meter said it, whether it arrived or not."""


class Question:
    """A request, before any meter hears it.

    Args:
        language: of the request.
        request: as the language's ear gave it.
        at: true time at which its last octet was heard, aware.
        client: who asks.

    """

    __slots__ = ("_language", "_names", "at", "client", "request")

    def __init__(self, language: Language, request: Any, at: datetime, client: Client) -> None:
        self._language = language
        self._names: tuple[str, ...] | None = None
        self.request = request
        self.at = at
        self.client = client

    @property
    def names(self) -> tuple[str, ...]:
        """What is asked for: identifiers and item names (`metersim.line.language.Language.names`)."""
        if self._names is None:  # only rules that name an item want to know
            self._names = self._language.names(self.request)
        return self._names


class Strike:
    """A fault that is to befall an exchange.

    Args:
        kind: of `metersim.line.fault_kinds.KINDS`.
        figure: of the kind; ``None`` where it has none, or chance says it.
        chance: gives what else chance says; called when somebody asks for ``random``.
        give_back: to be called when it could not befall the exchange.

    """

    __slots__ = ("_chance", "_random", "figure", "give_back", "kind")

    def __init__(
        self,
        kind: str,
        figure: int | None,
        chance: Callable[[], Random],
        give_back: Callable[[], None] = lambda: None,
    ) -> None:
        self.kind = kind
        self.figure = figure
        self.give_back = give_back
        self._chance = chance
        self._random: Random | None = None

    @property
    def random(self) -> Random:
        """What chance says of this strike, one draw after the other."""
        if self._random is None:  # most faults ask for nothing, and a seed takes longer than an answer
            self._random = self._chance()
        return self._random
