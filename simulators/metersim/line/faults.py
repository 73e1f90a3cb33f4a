"""What goes wrong with a meter's answers: probabilities and a seed; the same seed gives the same octets.

`metersim.line.fault_kinds` says which faults there are. Beside the probabilities of a meter stand the rules
of the plant (`metersim.line.fault_rules`), which strike where they are told to; a rule goes before chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple, Self

from metersim.line.exchanges import Question, Strike
from metersim.line.fault_forms import noise, spoiled
from metersim.line.fault_kinds import AROUND, IN_PLACE, KINDS
from metersim.line.fault_rules import FaultRules
from metersim.line.language import Answer, Mortal, Pieces, Wording


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """How often what happens to the answers of one meter.

    Args:
        seed: of this meter's mischance; its address is mixed in, so meters differ.
        loss: probability, 0 to 1, that it never hears the request; the others likewise.
        delay: it begins ``delay_ms`` later, and the line waits.
        silence: no answer, though the meter did what it was asked.
        random_octets: 1 to 64 random octets in place of the answer.
        half_frame: the first half of the answer.
        truncation: the answer ends after ``truncation_octets``.
        other_address: a good frame that names another meter.
        other_identifier: a good frame for another identifier.
        abnormal: a refusal, with ``error_word``.
        bit_flip: ``flipped_bits`` bits of the frame are wrong.
        stale: the answer to the last question of that client.
        follow_up: the answer comes in pieces of ``piece_octets``.
        late: the answer leaves ``late_ms`` later, and the line is free meanwhile.
        echo: the request comes back before the answer, and also when there is none.
        noise: 1 to 4 random octets before the answer.
        split: the answer leaves octet by octet, ``split_gap_ms`` apart.
        duplicate: the answer comes twice, one behind the other.
        double: the answer comes again ``double_ms`` later, and the line is free meanwhile.
        delay_ms: 0 to 60,000 ms.
        truncation_octets: 1 to 4,096, one less than the answer has at most; ``None``: chance says it.
        error_word: 0 to 65,535: ERR of DL/T 645, DAR of 698.45; ``None``: chance says it.
        flipped_bits: 1 to 64.
        piece_octets: 1 to 195.
        late_ms: 0 to 3,600,000 ms.
        split_gap_ms: 0 to 60,000 ms.
        double_ms: 0 to 60,000 ms.

    Raises:
        ValueError: a probability outside 0 to 1, or a figure out of its range.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of those in a file

    seed: int = 0
    loss: float = 0.0
    delay: float = 0.0
    silence: float = 0.0
    random_octets: float = 0.0
    half_frame: float = 0.0
    truncation: float = 0.0
    other_address: float = 0.0
    other_identifier: float = 0.0
    abnormal: float = 0.0
    bit_flip: float = 0.0
    stale: float = 0.0
    follow_up: float = 0.0
    late: float = 0.0
    echo: float = 0.0
    noise: float = 0.0
    split: float = 0.0
    duplicate: float = 0.0
    double: float = 0.0
    delay_ms: int = 300
    truncation_octets: int | None = None
    error_word: int | None = None
    flipped_bits: int = 1
    piece_octets: int = 4
    late_ms: int = 1500
    split_gap_ms: int = 1
    double_ms: int = 200

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, kind in KINDS.items():
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"fault {name}: a probability of {getattr(self, name)} is outside 0..1")
            if figure := kind.figure:
                figure.check(name, figure.field, getattr(self, figure.field))

    def figure(self, fault: str) -> int | None:
        """The figure of a fault; ``None`` where it has none, or chance says it."""
        figure = KINDS[fault].figure
        found: int | None = getattr(self, figure.field) if figure else None
        return found

    @classmethod
    def garbage(cls, seed: int) -> Self:
        """A meter of which nothing can be relied on; now and then an answer is sound.

        Args:
            seed: of its mischance.

        """
        return cls(
            seed=seed,
            silence=0.1,
            random_octets=0.2,
            half_frame=0.2,
            truncation=0.1,
            other_address=0.2,
            other_identifier=0.2,
            abnormal=0.05,
            bit_flip=0.2,
            late=0.1,
            echo=0.2,
            noise=0.3,
            split=0.1,
            duplicate=0.05,
            double=0.05,
        )


NO_FAULTS: Final = Faults()
NOTHING: Final[Mapping[str, Decimal]] = MappingProxyType({})


class Delivery(NamedTuple):
    """How an answer leaves.

    A ``NamedTuple``, because there is one for every answer; fields are given by name.

    Args:
        octets: what goes onto the line; empty for silence.
        faults: names of what happened to it.
        spoiled: the answer may not be read from it.
        instead: what may be read from what took its place: item to value. A stale answer to the same
            question is one that nobody can tell from the answer.
        late_ms: it leaves so much later.
        gap_ms: pause between its octets; ``None``: all at once.
        again: what goes onto the line once more, ``again_ms`` after it; empty for nothing.
        again_ms: see ``again``.

    """

    octets: bytes
    faults: tuple[str, ...] = ()
    spoiled: bool = False
    instead: Mapping[str, Decimal] = NOTHING
    late_ms: int = 0
    gap_ms: int | None = None
    again: bytes = b""
    again_ms: int = 0


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of an answer that a fault has cut up, as if the meter had said it.

    Args:
        address: the meter's own.
        di: what was asked for at first.
        wording: how it is said.
        values: of the whole answer with its last piece, else none.

    """

    address: str
    di: int | str | None
    wording: Wording
    values: Mapping[str, Decimal]


class Fate:
    """What befalls one exchange with one meter; made before the meter hears the request.

    Args:
        strikes: everything that is to befall it, rules first.
        question: what was asked.

    """

    __slots__ = ("delay_ms", "lost", "piece", "question", "strikes")

    def __init__(self, strikes: Sequence[Strike], question: Question) -> None:
        self.question = question
        self.strikes: list[Strike] = []
        """What is still to befall it."""
        self.lost = False
        """Whether the meter never hears the request."""
        self.delay_ms = 0
        """How much later than usual the meter begins."""
        self.piece: Piece | None = None
        """The piece of an answer that a fault has cut up, where the request asks for it."""
        if strikes:
            self._befall(strikes)

    def _befall(self, strikes: Sequence[Strike]) -> None:
        self.strikes = _first_of_each(strikes)
        self.lost = bool(self._take(("loss",)))
        self.delay_ms = sum(strike.figure or 0 for strike in self._take(("delay",), not self.lost))
        if self.lost:
            self.unanswered()

    def unanswered(self) -> None:
        """The meter says nothing by itself: what was to befall its answer has not struck."""
        while self.strikes:
            self.strikes.pop().give_back()

    def take_in_place(self) -> list[Strike]:
        """What is to take the place of the answer, in order; it is no longer to come."""
        return self._take(IN_PLACE)

    def take_around(self) -> list[Strike]:
        """What is to happen around the answer; it is no longer to come."""
        return self._take(AROUND)

    def _take(self, kinds: Sequence[str], wanted: bool = True) -> list[Strike]:
        found = [strike for strike in self.strikes if wanted and strike.kind in kinds]
        self.strikes = [strike for strike in self.strikes if strike not in found]
        return found


def _first_of_each(strikes: Sequence[Strike]) -> list[Strike]:
    """No kind befalls an exchange twice."""
    found: dict[str, Strike] = {}
    for strike in strikes:
        if strike.kind in found:
            strike.give_back()
        else:
            found[strike.kind] = strike
    return list(found.values())


class Mischance:
    """Does to one meter's exchanges what its `Faults` and the rules of the plant say.

    Args:
        faults: how often what happens.
        address: the meter's.
        rules: of the plant.
        line: name of its line.
        meter: forgets the rest of an answer in pieces when its memory does; ``None``: never.

    """

    __slots__ = ("_address", "_faults", "_life", "_line", "_meter", "_pieces", "_random", "_rules", "_whole")

    def __init__(
        self,
        faults: Faults,
        address: str,
        *,
        rules: FaultRules | None = None,
        line: str = "",
        meter: object = None,
    ) -> None:
        self._faults = faults
        self._address = address
        self._rules = rules
        self._line = line
        self._random: Random | None = None  # 2.5 kB, which most of 10,000 meters need not have
        self._pieces: Pieces | None = None
        self._whole: Answer | None = None
        self._meter = meter if isinstance(meter, Mortal) else None
        self._life = 0  # in which the pieces were cut

    @property
    def idle(self) -> bool:
        """Whether nothing can befall an exchange now, so that it need not be asked."""
        rules = self._rules
        return self._faults is NO_FAULTS and self._pieces is None and (rules is None or rules.empty)

    def meet(self, question: Question) -> Fate:
        """What befalls an exchange; to be asked once for each request, before the meter hears it."""
        strikes = self._rules.meet(question, self._line, self._address) if self._rules else []
        if self._faults is not NO_FAULTS:
            strikes += self._by_chance()
        fate = Fate(strikes, question)
        if not fate.lost:
            fate.piece = self._next_piece(question)
        return fate

    def deliver(self, answer: Answer, *, echo: bytes, preamble: int, fate: Fate) -> Delivery:
        """Turn an answer into what goes onto the line.

        Args:
            answer: what the meter says.
            echo: the octets of the request.
            preamble: FEH octets before the answer, 0 to 16.
            fate: of the exchange, from ``meet``.

        """
        client = fate.question.client
        last, client.last = client.last, answer
        if not fate.strikes:
            return Delivery(octets=answer.wording.encode(preamble))
        octets, name = self._in_place(answer, fate, last)
        around = {strike.kind: strike for strike in fate.take_around() if octets or _stays(strike)}
        before = echo if "echo" in around else b""
        said = b"\xfe" * preamble + octets if octets else b""
        if "noise" in around:
            before += noise(around["noise"].random)
        return Delivery(
            octets=before + (said * 2 if "duplicate" in around else said),
            faults=(*((name,) if name else ()), *around),
            spoiled=bool(name),
            instead=last.values if last is not None and name == "stale" and _same(last, answer) else NOTHING,
            late_ms=_figure(around, "late") or 0,
            gap_ms=_figure(around, "split"),
            again=said if "double" in around else b"",
            again_ms=_figure(around, "double") or 0,
        )

    def _in_place(self, answer: Answer, fate: Fate, last: Answer | None) -> tuple[bytes, str]:
        """What takes the answer's place and its name, or the answer and none; one fault is enough."""
        befallen = fate.take_in_place()
        for index, strike in enumerate(befallen):
            octets = self._cut(answer, strike) if strike.kind == "follow_up" else None
            if octets is None:
                octets = spoiled(strike, answer.wording, last.wording if last else None)
            if octets is not None:
                for other in befallen[index + 1 :]:
                    other.give_back()
                return octets, strike.kind
            strike.give_back()
        return answer.wording.encode(), ""

    def _cut(self, answer: Answer, strike: Strike) -> bytes | None:
        """The first piece of the answer; the others wait to be asked for."""
        assert strike.figure is not None, "its usual figure is a number"
        pieces = answer.wording.in_pieces(strike.figure)
        if pieces is None:
            return None
        self._pieces, self._whole, self._life = pieces, answer, self._lives()
        return pieces.first.encode()

    def _next_piece(self, question: Question) -> Piece | None:
        if self._pieces is None or self._whole is None:
            return None
        lost = self._lives() != self._life  # with the power of the meter
        wording = None if lost else self._pieces.next(question.request)
        if wording is None:  # or it asks for something else, and the meter forgets the rest
            self._pieces = self._whole = None
            return None
        values = self._whole.values if self._pieces.given else {}
        return Piece(self._whole.address, self._whole.di, wording, values)

    def _lives(self) -> int:
        return 0 if self._meter is None else self._meter.lives

    def _by_chance(self) -> list[Strike]:
        if self._random is None:
            self._random = Random(f"{self._faults.seed}/{self._address}")  # noqa: S311  # repeatable
        random, faults = self._random, self._faults
        befallen = [name for name in KINDS if random.random() < getattr(faults, name)]
        return [Strike(name, faults.figure(name), lambda: random) for name in befallen]


def _same(one: Answer, other: Answer) -> bool:
    """Whether both answer one question."""
    return (one.address, one.di) == (other.address, other.di)


def _stays(strike: Strike) -> bool:
    """Whether it befalls silence, too; what does not has not struck."""
    if strike.kind == "echo":
        return True
    strike.give_back()
    return False


def _figure(around: Mapping[str, Strike], name: str) -> int | None:
    return around[name].figure if name in around else None
