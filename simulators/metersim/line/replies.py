"""What goes over the wires after a request: answers, when each begins, and what the client hears of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import combinations
from typing import NamedTuple

from metersim.line.answers import AnswerRecord
from metersim.line.exchanges import Client, Question
from metersim.line.faults import NOTHING, Delivery, Fate, Mischance
from metersim.line.language import Answer
from metersim.line.medium import Chance
from metersim.line.port import DEFAULT_PORT, TICKS_A_MILLISECOND, Port
from metersim.line.station import Asked, Station, Stations
from metersim.line.uart import Heard, Transmission, received


class Met(NamedTuple):
    """A meter that hears a request.

    Args:
        station: whose.
        fate: what befalls the exchange.
        delay_ms: how long it takes to begin its answer.

    """

    station: Station
    fate: Fate
    delay_ms: int


class Spoken(NamedTuple):
    """One meter's answer.

    Args:
        met: whose, and how it heard the request.
        answer: what it says.
        delivery: what its faults make of it.

    """

    met: Met
    answer: Answer
    delivery: Delivery


class Sent(NamedTuple):
    """An answer on the wires.

    Args:
        transmission: its octets; ticks count from the end of the request.
        spoken: whose it is.

    """

    transmission: Transmission
    spoken: Spoken


@dataclass(frozen=True, slots=True)
class Scene:
    """All that follows one request; ticks count from its end.

    Args:
        sent: what is on the wires.
        client: how the client's port is set.
        deaf_until: tick before which the client hears nothing.
        noise: what stands before the first answer.

    """

    sent: tuple[Sent, ...]
    client: Port
    deaf_until: int
    noise: bytes

    def heard(self) -> list[Heard]:
        """What the client hears, when nobody else talks."""
        transmissions = [one.transmission for one in self.sent]
        return received(transmissions, self.client, deaf_until=self.deaf_until) if transmissions else []

    def causes(self, whole: bool) -> tuple[str, ...]:
        """What befell the answers on their way, as names; what is ``whole`` can have noise before it only."""
        noisy = ("turn_noise",) if self.noise else ()
        if whole:
            return noisy
        transmissions = [one.transmission for one in self.sent]
        collided = any(one.overlaps(other.start, other.end) for one, other in combinations(transmissions, 2))
        mistuned = any(one.port != self.client for one in transmissions)
        cut = any(one.start < self.deaf_until for one in transmissions)
        names = {"collision": collided, "port": mistuned, "late_release": cut}
        return (*noisy, *(name for name, true in names.items() if true))


def meet(
    asked: Asked, client: Client, at: datetime, stations: Stations, mischance: dict[str, Mischance]
) -> list[Met]:
    """The meters that hear a request, and have not lost it.

    Args:
        asked: the request.
        client: who asks.
        at: when its last octet was heard, aware.
        stations: of the line.
        mischance: of each meter, by address.

    """
    question = Question(asked.language, asked.request, at, client)
    met = []
    for station in stations.hearing(asked):
        fate = mischance[station.meter.address].meet(question)
        if not fate.lost:
            met.append(Met(station, fate, station.reply_delay_ms + fate.delay_ms))
    return met


def answers_to(
    asked: Asked, meters: Sequence[Met], at: datetime, mischance: dict[str, Mischance]
) -> list[Spoken]:
    """What the meters that hear a request say to it.

    Args:
        asked: the request.
        meters: who hears it.
        at: when, aware.
        mischance: of each meter, by address.

    """
    spoken = []
    for met in meters:
        station, fate, _ = met
        answer = fate.piece or station.meter.answer(asked.request, at)
        if answer is None:
            fate.unanswered()
            continue
        echo = asked.language.echo(asked.request) if fate.strikes else b""
        delivery = mischance[station.meter.address].deliver(
            answer, echo=echo, preamble=station.preamble, fate=fate
        )
        spoken.append(Spoken(met, answer, delivery))
    return spoken


def scene_of(spoken: Sequence[Spoken], client: Port | None, chance: Chance) -> Scene:
    """Put answers on the wires.

    Args:
        spoken: the answers.
        client: how the client's port is set; ``None``: as the first of them.
        chance: what the medium does to them.

    """
    audible = [one for one in spoken if one.delivery.octets]
    noise = chance.turn_noise() if audible else b""
    deaf_until = chance.deaf_ms() * TICKS_A_MILLISECOND if audible else 0
    audible.sort(key=_begins_ms)
    tuned_to = client or (audible[0].met.station.port if audible else None) or DEFAULT_PORT
    sent = tuple(_sent(one, client, b"" if number else noise) for number, one in enumerate(audible))
    return Scene(sent, tuned_to, deaf_until, noise)


def records_of(scene: Scene, at: datetime) -> tuple[bytes, list[AnswerRecord]]:
    """What the client hears, and the list of what was answered; values stand only where it can read them.

    Args:
        scene: what goes over the wires.
        at: when the answers were given, aware.

    """
    heard = bytes(one.octet for one in scene.heard())
    whole = heard == b"".join(transmission.octets for transmission, _ in scene.sent)
    causes = scene.causes(whole)
    records = []
    for transmission, (_, answer, delivery) in scene.sent:
        octets = transmission.octets + delivery.again if whole else heard
        told = delivery._replace(
            faults=delivery.faults + causes,
            spoiled=delivery.spoiled or not whole,
            instead=delivery.instead if whole else NOTHING,
        )
        records.append(record_of(answer, told, octets, at))
    return heard, records


def record_of(answer: Answer, delivery: Delivery, octets: bytes, at: datetime) -> AnswerRecord:
    """One answer as the list of answers has it.

    Args:
        answer: what the meter says.
        delivery: what its faults make of it.
        octets: all that goes onto the line.
        at: when it was given, aware.

    """
    return AnswerRecord(
        at=at,
        address=answer.address,
        di=answer.di,
        octets=octets,
        values=delivery.instead if delivery.spoiled else answer.values,
        faults=delivery.faults,
    )


def _begins_ms(one: Spoken) -> int:
    return one.met.delay_ms + one.delivery.late_ms


def _sent(one: Spoken, client: Port | None, noise: bytes) -> Sent:
    """Noise ends where the answer begins, as far as there is time for it before."""
    port = one.met.station.port or client or DEFAULT_PORT
    gap_ms = one.met.station.octet_gap_ms if one.delivery.gap_ms is None else one.delivery.gap_ms
    gap = gap_ms * TICKS_A_MILLISECOND
    begins = _begins_ms(one) * TICKS_A_MILLISECOND
    start = max(0, begins - len(noise) * (port.octet_ticks + gap))
    return Sent(Transmission(start, noise + one.delivery.octets, port, gap), one)
