"""What the wires and the adapter do to everything that goes over them: probabilities, figures and a seed.

`metersim.line.faults` is about what one meter says; this is about the line that all of them share.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any, ClassVar, Final

RELEASE_MS_MAX: Final = 1000
TURN_OCTETS: Final = (0x00, 0xFF)
"""What a driver leaves behind when it is switched: one or two of these."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Medium:
    """The habits of a line and of the adapter at its end.

    Args:
        seed: of its chance; the same seed does the same to the same octets.
        echo: probability, 0 to 1, that what a client sends comes back to it; drawn each time it sends.
        turn_noise: probability that 1 or 2 octets 00H or FFH stand before an answer.
        late_release: probability that the adapter's driver keeps the bus ``release_ms`` too long after a
            request, so that the head of an answer that begins sooner is lost.
        release_ms: 0 to 1,000 ms.
        talk_over: probability that octets of a client that come while an exchange is under way go onto
            the wires at once and collide, in place of waiting for their turn; on a paced line only, as
            nothing lasts on another.

    Raises:
        ValueError: a probability outside 0 to 1, or a time out of its range.

    """

    __pydantic_config__: ClassVar[dict[str, Any]] = {"extra": "forbid"}  # of one in a file

    seed: int = 0
    echo: float = 0.0
    turn_noise: float = 0.0
    late_release: float = 0.0
    release_ms: int = 30
    talk_over: float = 0.0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("echo", "turn_noise", "late_release", "talk_over"):
            if not 0.0 <= getattr(self, name) <= 1.0:
                raise ValueError(f"medium {name}: a probability of {getattr(self, name)} is outside 0..1")
        if not 0 <= self.release_ms <= RELEASE_MS_MAX:
            raise ValueError(f"medium release_ms: {self.release_ms} ms is outside 0..{RELEASE_MS_MAX} ms")


CLEAN: Final = Medium()


class Chance:
    """Draws what a `Medium` does each time; each habit has its own chance, so one does not move another.

    Args:
        medium: the habits.

    """

    def __init__(self, medium: Medium) -> None:
        self._medium = medium
        self._randoms = {
            name: Random(f"{medium.seed}/medium/{name}")  # noqa: S311  # repeatable is what it has to be
            for name in ("echo", "turn_noise", "late_release", "talk_over")
        }

    def echoes(self) -> bool:
        """Whether what is sent now comes back."""
        return self._happens("echo", self._medium.echo)

    def talks_over(self) -> bool:
        """Whether what is sent now does not wait for its turn."""
        return self._happens("talk_over", self._medium.talk_over)

    def turn_noise(self) -> bytes:
        """What stands before the next answer."""
        if not self._happens("turn_noise", self._medium.turn_noise):
            return b""
        random = self._randoms["turn_noise"]
        return bytes(random.choice(TURN_OCTETS) for _ in range(random.randint(1, 2)))

    def deaf_ms(self) -> int:
        """How long after the request nothing is heard; 0: the driver lets go in time."""
        return self._medium.release_ms if self._happens("late_release", self._medium.late_release) else 0

    def _happens(self, name: str, probability: float) -> bool:
        return probability > 0.0 and self._randoms[name].random() < probability
