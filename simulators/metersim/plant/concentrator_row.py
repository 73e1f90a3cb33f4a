"""What a plant file says about a concentrator: who it is, whom it calls, and the meters behind it."""

from __future__ import annotations

from dataclasses import field
from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field, PlainSerializer, PlainValidator, WithJsonSchema
from pydantic.dataclasses import dataclass

from meterprofiles.schema import MODBUS
from metersim.dlt698.terminal import HEARTBEAT_S, HEARTBEAT_S_MAX, Habits
from metersim.plant.at import At, at_of
from metersim.plant.checked import STRICT, Misplaced
from metersim.plant.rows import AHEAD_S_MAX, ROWS_MAX, LineRow, MeterRow, Number12, Password698
from metersim.terminals.archive import ARCHIVE_MAX
from metersim.terminals.collector import ROUNDS_MAX, Persistence
from metersim.terminals.plan import CARRIER, CARRIER_ROUTE, FIRST_RS485, ConcentratorPlan
from metersim.terminals.port import LATENCY_S_MAX, Route
from metersim.terminals.proxy import BUDGET_S, BUDGET_S_MAX, ProxyHabits, SilentReply
from metersim.terminals.store import ROWS_KEPT_MAX
from metersim.terminals.tables import NothingFound
from metersim.terminals.ways import NETWORK_SIZES, RESET_S, RESET_S_MAX, Mishap, Ways
from meterwire.dlt698.axdr.selection import Oad
from meterwire.dlt698.sessions.transfer import Sizes

PAUSE_S_MAX: Final = 86_400
APDU_OCTETS_MIN: Final = 256
PORTS: Final = {"carrier": CARRIER, "rs485": FIRST_RS485}


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class ConcentratorRow:
    """A concentrator of DL/T 698.45 and the meters behind it.

    Args:
        address: 1 to 12 digits.
        at: whom it calls, ``dial://HOST:PORT``, or where it waits, ``tcp://HOST:PORT``; it logs in either
            way.
        heartbeat_s: between heartbeats, 1 to 65,535 s.
        port: where the meters are: behind its ``carrier``, or on its ``rs485``.
        shortest_s: a meter behind the carrier answers no sooner, 0 to 120 s.
        longest_s: nor later, ``shortest_s`` to 120 s.
        loss: probability, 0 to 1, that a request over the carrier is lost, and again that its answer is.
        clock_ahead_s: by how much its clock is ahead of the true time, at most 400 days.
        archive: its meters are in its archive; otherwise it has to be told.
        reports: it reports each night's freezes and meters that it cannot read by itself.
        password: that lets a client change something of it or of a meter behind it, 1 to 16 printable
            characters of ASCII, for laboratories only; left out: everybody can.
        rounds: times that it goes through the meters that have not answered, 1 to 100.
        pause_s: before each round but the first, 0 to 86,400 s.
        rows_max: rows that it keeps in all, 1 to 400,000; the oldest go first.
        nothing_found: how it says that it has no record: ``zero_rows``, or ``null_row``, a row of nothing.
        budget_s: longest time for one request that it passes on, 1 to 65,535 s; shorter where the request
            says so.
        silent_reply: how a frame comes back that it passed on and nobody answered: ``dar`` (33), or
            ``empty``.
        apdu_octets: longest answer that it gives in one piece, 256 to 2,000 octets; more of its own goes into
            blocks, and more of a meter is refused.
        reset_at_block: it is reset, once, when it would give the block of an answer that is so many; left
            out: never.
        reset_s: how long it takes to be there again, 0 to 3,600 s.
        meters: what is behind it, one row or more, 1,000 meters at most.

    """

    address: Number12
    at: Annotated[
        At,
        PlainValidator(at_of),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "examples": ["dial://127.0.0.1:9698", "tcp://127.0.0.1:0"]}),
    ] = At()
    heartbeat_s: Annotated[int, Field(ge=1, le=HEARTBEAT_S_MAX)] = HEARTBEAT_S
    port: Literal["carrier", "rs485"] = "carrier"
    shortest_s: Annotated[float, Field(ge=0, le=LATENCY_S_MAX)] = CARRIER_ROUTE.shortest_s
    longest_s: Annotated[float, Field(ge=0, le=LATENCY_S_MAX)] = CARRIER_ROUTE.longest_s
    loss: Annotated[float, Field(ge=0, le=1)] = 0.0
    clock_ahead_s: Annotated[int, Field(ge=-AHEAD_S_MAX, le=AHEAD_S_MAX)] = 0
    archive: bool = True
    reports: bool = False
    password: Password698 | None = field(default=None, repr=False)
    rounds: Annotated[int, Field(ge=1, le=ROUNDS_MAX)] = 3
    pause_s: Annotated[float, Field(ge=0, le=PAUSE_S_MAX)] = 300.0
    rows_max: Annotated[int, Field(ge=1, le=ROWS_KEPT_MAX)] = ROWS_KEPT_MAX
    nothing_found: NothingFound = "zero_rows"
    budget_s: Annotated[int, Field(ge=1, le=BUDGET_S_MAX)] = BUDGET_S
    silent_reply: SilentReply = "dar"
    apdu_octets: Annotated[int, Field(ge=APDU_OCTETS_MIN, le=NETWORK_SIZES.apdu)] = NETWORK_SIZES.apdu
    reset_at_block: Annotated[int, Field(ge=1)] | None = None
    reset_s: Annotated[float, Field(ge=0, le=RESET_S_MAX)] = RESET_S
    meters: Annotated[tuple[MeterRow, ...], Field(max_length=ROWS_MAX)] = (MeterRow(),)

    def __post_init__(self) -> None:
        """Check what goes together."""
        if self.at.kind == "pty":
            raise Misplaced("a concentrator is reached over tcp:// or dial://", "at")
        if self.shortest_s > self.longest_s:
            raise Misplaced(f"over longest_s, {self.longest_s:g}; write less", "shortest_s")
        if not self.meters:
            raise Misplaced("a concentrator has one meter or more; leave the key out for one", "meters")
        if (meters := sum(row.count for row in self.meters)) > ARCHIVE_MAX:
            raise Misplaced(f"{meters} meters, a concentrator takes {ARCHIVE_MAX} at most", "meters")
        if any(row.profile.protocol in MODBUS for row in self.meters):
            raise Misplaced("a concentrator here has no meters of Modbus; put them on a line", "meters")

    @property
    def line(self) -> LineRow:
        """The line of its meters, which is reached through it alone."""
        return LineRow(name=f"behind-{self.address}", at=At(kind="listen"), meters=self.meters)

    @property
    def oad(self) -> Oad:
        """The port that leads to its meters."""
        return PORTS[self.port]

    def plan(self, seed: int) -> ConcentratorPlan:
        """The concentrator itself.

        Args:
            seed: of the plant.

        """
        return ConcentratorPlan(
            address=self.address,
            seed=seed,
            clock_ahead=timedelta(seconds=self.clock_ahead_s),
            carrier=Route(shortest_s=self.shortest_s, longest_s=self.longest_s, loss=self.loss),
            archive=self.archive,
            ways=Ways(
                password=self.password,
                call=Habits(heartbeat_s=self.heartbeat_s),
                persistence=Persistence(rounds=self.rounds, pause_s=self.pause_s),
                proxy=ProxyHabits(budget_s=self.budget_s, silent_reply=self.silent_reply),
                sizes=Sizes(NETWORK_SIZES.frame, self.apdu_octets),
                nothing_found=self.nothing_found,
                rows_max=self.rows_max,
                mishap=Mishap(reset_at_block=self.reset_at_block, reset_s=self.reset_s),
                report_daily=self.reports,
                reports_allowed=self.reports,
            ),
        )
