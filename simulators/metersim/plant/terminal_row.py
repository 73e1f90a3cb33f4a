"""What a plant file says about a concentrator of 1376.1: who it is, whom it calls, the meters behind it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.dataclasses import dataclass

from meterprofiles.schema import MODBUS
from metersim.gdw1376.archive import POINTS_MAX
from metersim.gdw1376.calling import LINGER_S, Roaming
from metersim.gdw1376.plan import TerminalPlan
from metersim.gdw1376.store import RECORDS_MAX
from metersim.gdw1376.terminal import address_of
from metersim.gdw1376.ways import (
    CURVE_MINUTES,
    FRAME_OCTETS,
    FRAME_OCTETS_MAX,
    FRAME_OCTETS_MIN,
    HEARTBEAT_S,
    HEARTBEAT_S_MAX,
    RESET_S,
    RESET_S_MAX,
    ROUNDS_MAX,
    Quirk,
    Ways1376,
    drawn_quirks,
)
from metersim.plant.at import At, at_of
from metersim.plant.checked import STRICT, Misplaced
from metersim.plant.concentrator_row import PAUSE_S_MAX, PORTS
from metersim.plant.rows import AHEAD_S_MAX, ROWS_MAX, LineRow, MeterRow
from metersim.terminals.plan import CARRIER_ROUTE
from metersim.terminals.port import LATENCY_S_MAX, Route
from meterwire.dlt698.axdr.selection import Oad
from meterwire.gdw1376.link.unit_ids import POINT_MAX

ROAM_S_MIN: Final = 10
ROAM_S_MAX: Final = 86_400


def _known(value: str) -> str:
    address_of(value)
    return value


def _password(value: str) -> str:
    if len(value) != 32 or any(digit not in "0123456789abcdefABCDEF" for digit in value):
        raise ValueError("write 32 hexadecimal digits")  # and not what it was
    return value


def _minutes(value: int) -> int:
    if value not in CURVE_MINUTES:
        raise ValueError(f"{value} min: write one of {', '.join(map(str, sorted(CURVE_MINUTES)))}")
    return value


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class TerminalRow:
    """A concentrator of Q/GDW 1376.1 and the meters behind it.

    Args:
        address: A1, four digits, a dash, and A2, 1 to 65,534: ``0171-2082``.
        at: whom it calls, ``dial://HOST:PORT``, or where it waits, ``tcp://HOST:PORT``; it logs in either
            way.
        heartbeat_s: between heartbeats, 1 to 15,300 s; a master may set another (04 F1).
        roam_s: after so long it calls from another address, and the connection that it had is dead but not
            closed, 10 to 86,400 s; left out: never.
        linger_s: how long a dead connection stays, 0 to 3,600 s.
        port: where the meters are: behind its ``carrier``, or on its ``rs485``.
        shortest_s: a meter behind the carrier answers no sooner, 0 to 120 s.
        longest_s: nor later, ``shortest_s`` to 120 s.
        loss: probability, 0 to 1, that a request over the carrier is lost, and again that its answer is.
        clock_ahead_s: by how much its clock is ahead of the true time, at most 400 days.
        archive: its meters are in its archive; otherwise it has to be told (04 F10).
        points_from: measuring point of its first meter, 1 to 2,040, the others follow; indexes of the archive
            begin at 1.
        reports: it reports important events by itself; a master may allow or forbid it (05 F29, F37).
        password: PW that commands must carry, 32 hexadecimal digits, for laboratories only; left out: any.
        quirks: what makes do otherwise: ``fir_zero``, ``c4_calls``, ``keeps_master``, ``f3_coded_03``,
            ``four_zeros``, ``port_zero``; or ``any``, some of them, drawn from the seed.
        rounds: times that it goes through the meters that have not answered, 1 to 100.
        pause_s: before each round but the first, 0 to 86,400 s.
        curve_minutes: between two points of its curves, 5, 15, 30 or 60; 0: it collects none, and has no
            values of the moment.
        lacks: what it answers for data that it has not: ``deny``, or ``fill`` (EE).
        silent_reply: how a frame comes back that it passed on and nobody answered: ``empty``, or ``deny``.
        frame_octets: longest user data of its frames, 64 to 16,000; more goes into several.
        records_max: freezes and points that it keeps in all, 1 to 100,000; the oldest go first.
        reset_at_frame: it is reset, once, when it would give the frame of an answer of several that is so
            many; left out: never.
        reset_s: how long it takes to be there again, 0 to 3,600 s.
        meters: what is behind it, one row or more, 1,000 meters at most.

    """

    address: Annotated[
        str,
        AfterValidator(_known),
        WithJsonSchema({"type": "string", "pattern": "^[0-9]{4}-[1-9][0-9]{0,4}$"}),
    ]
    at: Annotated[
        At,
        PlainValidator(at_of),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "examples": ["dial://127.0.0.1:9376", "tcp://127.0.0.1:0"]}),
    ] = At()
    heartbeat_s: Annotated[int, Field(ge=1, le=HEARTBEAT_S_MAX)] = HEARTBEAT_S
    roam_s: Annotated[float, Field(ge=ROAM_S_MIN, le=ROAM_S_MAX)] | None = None
    linger_s: Annotated[float, Field(ge=0, le=RESET_S_MAX)] = LINGER_S
    port: Literal["carrier", "rs485"] = "carrier"
    shortest_s: Annotated[float, Field(ge=0, le=LATENCY_S_MAX)] = CARRIER_ROUTE.shortest_s
    longest_s: Annotated[float, Field(ge=0, le=LATENCY_S_MAX)] = CARRIER_ROUTE.longest_s
    loss: Annotated[float, Field(ge=0, le=1)] = 0.0
    clock_ahead_s: Annotated[int, Field(ge=-AHEAD_S_MAX, le=AHEAD_S_MAX)] = 0
    archive: bool = True
    points_from: Annotated[int, Field(ge=1, le=POINT_MAX)] = 1
    reports: bool = False
    password: Annotated[str, AfterValidator(_password)] | None = field(default=None, repr=False)
    quirks: tuple[Quirk, ...] | Literal["any"] = ()
    rounds: Annotated[int, Field(ge=1, le=ROUNDS_MAX)] = 3
    pause_s: Annotated[float, Field(ge=0, le=PAUSE_S_MAX)] = 300.0
    curve_minutes: Annotated[
        int, AfterValidator(_minutes), WithJsonSchema({"type": "integer", "enum": sorted(CURVE_MINUTES)})
    ] = 60
    lacks: Literal["deny", "fill"] = "deny"
    silent_reply: Literal["empty", "deny"] = "empty"
    frame_octets: Annotated[int, Field(ge=FRAME_OCTETS_MIN, le=FRAME_OCTETS_MAX)] = FRAME_OCTETS
    records_max: Annotated[int, Field(ge=1, le=RECORDS_MAX)] = RECORDS_MAX
    reset_at_frame: Annotated[int, Field(ge=1)] | None = None
    reset_s: Annotated[float, Field(ge=0, le=RESET_S_MAX)] = RESET_S
    meters: Annotated[tuple[MeterRow, ...], Field(max_length=ROWS_MAX)] = (MeterRow(),)

    def __post_init__(self) -> None:
        """Check what goes together."""
        for key, sentence in self._misplaced():
            raise Misplaced(sentence, key)

    def _misplaced(self) -> Iterable[tuple[str, str]]:
        meters = sum(row.count for row in self.meters)
        if self.at.kind == "pty":
            yield "at", "a terminal is reached over tcp:// or dial://"
        if self.roam_s is not None and self.at.kind == "tcp":
            yield "roam_s", "only who calls has an address of its own; write dial://, or leave it out"
        if self.shortest_s > self.longest_s:
            yield "shortest_s", f"over longest_s, {self.longest_s:g}; write less"
        if not self.meters:
            yield "meters", "a terminal has one meter or more; leave the key out for one"
        if meters > POINTS_MAX:
            yield "meters", f"{meters} meters, a terminal takes {POINTS_MAX} at most"
        if (last := self.points_from + meters - 1) > POINT_MAX:
            yield "points_from", f"the last meter would be point {last}, there are {POINT_MAX}; begin lower"
        if any(row.profile.protocol in MODBUS for row in self.meters):
            yield "meters", "a terminal here has no meters of Modbus; put them on a line"

    @property
    def line(self) -> LineRow:
        """The line of its meters, which is reached through it alone."""
        return LineRow(name=f"behind-{self.address}", at=At(kind="listen"), meters=self.meters)

    @property
    def oad(self) -> Oad:
        """The port that leads to its meters."""
        return PORTS[self.port]

    @property
    def roaming(self) -> Roaming:
        """How often it gets another address."""
        return Roaming(every_s=self.roam_s, linger_s=self.linger_s)

    def plan(self, seed: int) -> TerminalPlan:
        """The terminal itself.

        Args:
            seed: of the plant.

        """
        drawn = drawn_quirks(f"{seed}/{self.address}")
        return TerminalPlan(
            address=self.address,
            seed=seed,
            clock_ahead=timedelta(seconds=self.clock_ahead_s),
            carrier=Route(shortest_s=self.shortest_s, longest_s=self.longest_s, loss=self.loss),
            archive=self.archive,
            points_from=self.points_from,
            ways=Ways1376(
                heartbeat_s=self.heartbeat_s,
                password=None if self.password is None else bytes.fromhex(self.password),
                quirks=drawn if self.quirks == "any" else frozenset(self.quirks),
                rounds=self.rounds,
                pause_s=self.pause_s,
                curve_minutes=self.curve_minutes,
                lacks=self.lacks,
                silent_reply=self.silent_reply,
                frame_octets=self.frame_octets,
                reports=self.reports,
                records_max=self.records_max,
                reset_at_frame=self.reset_at_frame,
                reset_s=self.reset_s,
            ),
        )
