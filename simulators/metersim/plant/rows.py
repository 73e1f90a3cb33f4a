"""What a plant file says about meters and lines: one row each, frozen, checked when it is made.

The same classes are what Python writes a plant with. A key and its range stand here once; the reader of
files and the JSON Schema are made from them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import field, replace
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from math import ceil
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.dataclasses import dataclass

from meterprofiles import Profile, ProfileError, chosen, generic, packaged
from meterprofiles.schema import DLT698, MODBUS, Parity
from metersim.carrier.ways import CarrierWays
from metersim.dlt645.following import PIECE_OCTETS_MAX
from metersim.dlt645.passwords import Passwords
from metersim.dlt698.terminal import HEARTBEAT_S, HEARTBEAT_S_MAX
from metersim.line.faults import NO_FAULTS, Faults
from metersim.line.line import REPLY_DELAY_MS_MAX
from metersim.line.medium import CLEAN, Medium
from metersim.line.numbers import Number
from metersim.line.port import BAUDS, Port
from metersim.line.station import OCTET_GAP_MS_MAX
from metersim.plant.at import At, at_of
from metersim.plant.checked import STRICT, Misplaced
from metersim.plant.tariffs import Tariffs
from metersim.serving.serial_server import ServerHabits
from metersim.works.clock import CLOCK_AHEAD_MAX, DRIFT_S_PER_DAY_MAX
from metersim.works.cost_control import LOCAL, PLAIN, REMOTE, CostControl
from metersim.works.load import MEAN_KW, MEAN_KW_MAX, Load, LoadKind
from metersim.works.peak import peak
from metersim.works.plate import RATIO_MAX
from meterwire.modbus.link.rtu import UNIT_MAX

METERS_MAX: Final = 10_000
"""Meters in one process."""
ROWS_MAX: Final = METERS_MAX
ADDRESS_MAX: Final = 999_999_999_998
NAME_MAX: Final = 64
PRESET_CENTS: Final = 5_000
PRESET_CENTS_MAX: Final = 99_999_999
"""What a register of money shows at most: 999,999.99 yuan."""
AHEAD_S_MAX: Final = int(CLOCK_AHEAD_MAX.total_seconds())

_PASSWORD_698: Final = re.compile("[ -~]{1,16}").fullmatch
_DIGITS: Final = re.compile("[0-9]{1,12}").fullmatch


def _padded(value: object) -> object:
    """Digits as the 12 that an address has; a whole number is taken for its digits."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not _DIGITS(text):
        raise ValueError(f"{value!r} is no number of 1 to 12 digits")
    return text.zfill(12)


Number12 = Annotated[
    str,
    BeforeValidator(_padded),
    WithJsonSchema({"type": ["string", "integer"], "pattern": "^[0-9]{1,12}$", "minimum": 0}),
]
"""12 digits; fewer get zeros in front."""


def _known_baud(value: int) -> int:
    if value not in BAUDS:
        raise ValueError(f"{value} bit/s: write one of {', '.join(map(str, BAUDS))}")
    return value


Baud = Annotated[int, AfterValidator(_known_baud), WithJsonSchema({"type": "integer", "enum": [*BAUDS]})]
"""Bits a second."""


def _printable(value: str) -> str:
    if not _PASSWORD_698(value):
        raise ValueError("write 1 to 16 printable characters of ASCII")  # and not what it was
    return value


Password698 = Annotated[str, AfterValidator(_printable)]
"""That lets a client of DL/T 698.45 change something."""


def _profile(value: object, info: ValidationInfo) -> Profile:
    if isinstance(value, Profile):
        return value
    text = str(value)
    if text.endswith(".yaml") and isinstance(info.context, Path):
        text = str(info.context / text)
    try:
        return chosen(text, packaged())
    except ProfileError as error:
        raise ValueError(str(error)) from None


def _faults(value: object) -> object:
    return Faults.garbage(0) if value == "garbage" else value


def aware(value: datetime | None, key: str) -> None:
    """Refuse a time without its zone.

    Raises:
        Misplaced: it has none.

    """
    if value is not None and value.tzinfo is None:
        shown = value.isoformat()
        raise Misplaced(f"{shown}: a time needs its zone, as {shown}+08:00", key)


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class MeterRow:
    """Meters of one kind on one line.

    Args:
        count: how many, 1 to 10,000; their addresses follow each other.
        address: of the first one, 1 to 12 digits; left out: behind the last meter of the row before.
        profile: which model they are: a packaged profile's name, or a .yaml file beside the plant file.
        meter_number: asset number of a single meter, 1 to 12 digits; left out: its address.
        customer_number: of a single meter, 1 to 12 digits; left out: its address.
        load: what stands behind them: ``household``, ``shop``, ``factory``, or ``photovoltaic`` (exports).
        mean_kw: mean power of each, primary, 0 to 10,000 kW.
        feed_in_share: what phase c of three feeds back, as a part of ``mean_kw``, 0 to 1.
        ct_ratio: of current transformers, 1 to 10,000; only of a profile that is connected so.
        pt_ratio: of voltage transformers, the same.
        sums: how one energy is made of three phases: ``algebraic``, or ``by_phase``.
        settlement_day: 1 to 28.
        since: when they were first switched on, with its zone; left out: 2024, with a wallet when
            the plant begins.
        clock_ahead_s: by how much their clocks are ahead of the true time, at most 400 days.
        clock_drift_s_per_day: what their clocks gain in a day, at most 600 s; negative: lose.
        baud: how their port is set; left out: as the profile says.
        parity: the same: ``even``, ``odd`` or ``none``.
        reply_delay_ms: response delay Td, 0 to 60,000 ms; left out: the profile's.
        octet_gap_ms: pause between two octets of an answer on a paced line, 0 to 500 ms.
        piece_octets: most data octets in a frame of DL/T 645, 1 to 195.
        first_block: number of the first block of an answer of DL/T 698.45, 0 or 1.
        control: what their switch and wallet are like; left out: as the profile says.
        passwords: of DL/T 645, by level, 6 digits each; the others are 000000. They stand here by value: for
            laboratories only.
        password: of DL/T 698.45, 1 to 16 printable characters of ASCII, for laboratories only.
        modes_enforced: whether a meter of DL/T 698.45 insists on its security modes (F101, attribute 2) from
            the beginning.
        tariffs: when which tariff holds; left out: four tariffs, the same every day.
        preset_cents: money that a wallet begins with; left out: 5000, some days of a household.
        faults: how often what goes wrong with their answers; ``garbage`` for a meter of which nothing can be
            relied on. A seed of 0 is the plant's.

    """

    count: Annotated[int, Field(ge=1, le=METERS_MAX)] = 1
    address: Number12 | None = None
    profile: Annotated[
        Profile,
        PlainValidator(_profile),
        PlainSerializer(lambda profile: profile.name, return_type=str),
        WithJsonSchema({"type": "string", "examples": ["dlt645-2007/generic", "my-meter.yaml"]}),
    ] = generic("dlt645-2007")
    meter_number: Number12 | None = None
    customer_number: Number12 | None = None
    load: LoadKind = "household"
    mean_kw: Annotated[Number, Field(ge=0, le=MEAN_KW_MAX)] = MEAN_KW
    feed_in_share: Annotated[Number, Field(ge=0, le=1)] = Decimal(0)
    ct_ratio: Annotated[Number, Field(ge=1, le=RATIO_MAX)] = Decimal(1)
    pt_ratio: Annotated[Number, Field(ge=1, le=RATIO_MAX)] = Decimal(1)
    sums: Literal["algebraic", "by_phase"] = "algebraic"
    settlement_day: Annotated[int, Field(ge=1, le=28)] = 1
    since: datetime | None = None
    clock_ahead_s: Annotated[Number, Field(ge=-AHEAD_S_MAX, le=AHEAD_S_MAX)] = Decimal(0)
    clock_drift_s_per_day: Annotated[Number, Field(ge=-DRIFT_S_PER_DAY_MAX, le=DRIFT_S_PER_DAY_MAX)] = (
        Decimal(0)
    )
    baud: Baud | None = None
    parity: Parity | None = None
    reply_delay_ms: Annotated[int, Field(ge=0, le=REPLY_DELAY_MS_MAX)] | None = None
    octet_gap_ms: Annotated[int, Field(ge=0, le=OCTET_GAP_MS_MAX)] = 0
    piece_octets: Annotated[int, Field(ge=1, le=PIECE_OCTETS_MAX)] = PIECE_OCTETS_MAX
    first_block: Annotated[int, Field(ge=0, le=1)] = 1
    control: CostControl | None = None
    passwords: Mapping[int, str] | None = field(default=None, repr=False)
    password: Password698 | None = field(default=None, repr=False)
    modes_enforced: bool = False
    tariffs: Tariffs | None = None
    preset_cents: Annotated[int, Field(ge=0, le=PRESET_CENTS_MAX)] | None = None
    faults: Annotated[
        Faults, BeforeValidator(_faults, json_schema_input_type=Faults | Literal["garbage"])
    ] = NO_FAULTS

    def __post_init__(self) -> None:
        """Check what goes together."""
        aware(self.since, "since")
        if self.first_block != 1 and self.profile.protocol != DLT698:
            raise Misplaced(f"blocks are of {DLT698}; leave the key out", "first_block")
        if self.piece_octets != PIECE_OCTETS_MAX and self.profile.protocol == DLT698:
            raise Misplaced("pieces are of DL/T 645; leave the key out", "piece_octets")
        self._check_access()
        self._check_connection()
        self._check_unit()
        if self.preset_cents is not None and self.character.payment != "local":
            raise Misplaced(
                f"{self.profile.name} has no wallet; take one of local-prepayment", "preset_cents"
            )
        for key in ("meter_number", "customer_number"):
            if self.count > 1 and getattr(self, key) is not None:
                raise Misplaced(f"{self.count} meters would have one number; give each a row", key)

    @model_validator(mode="after")
    def _in_a_file(self, info: ValidationInfo) -> Self:
        """A file is refused what Python may want: a meter that counts fast, and shows its digits full."""
        if isinstance(info.context, Path):
            self._check_peak()
        return self

    def _check_peak(self) -> None:
        traits, load = (
            self.profile.meter,
            Load(kind=self.load, mean_kw=self.mean_kw, feed_in_share=self.feed_in_share),
        )
        ratio, volts = self.ct_ratio * self.pt_ratio, Decimal(traits.voltage_v)
        found = peak(load, phases=traits.phases, ratio=ratio, voltage_v=volts)
        if found is None or found.room >= 1:
            return
        most = max(self.mean_kw * found.room, Decimal(0)).quantize(Decimal("0.01"), ROUND_FLOOR)
        needed = ceil(self.ct_ratio / found.room) if found.room > 0 else RATIO_MAX + 1
        behind = f", or a ct_ratio of {needed}" if needed <= RATIO_MAX else ""
        if behind and traits.connection == "direct":
            behind += " with a profile that is connected through transformers"
        raise Misplaced(
            f"a {self.load} of {self.mean_kw} kW has up to {found.kva:.1f} kVA, more than the meter "
            f"can show; write {most} at most{behind}",
            "mean_kw",
        )

    def _check_access(self) -> None:
        speaks_698 = self.profile.protocol == DLT698
        if self.passwords is not None:
            if speaks_698:
                raise Misplaced(f"levels are of DL/T 645; a meter of {DLT698} has one password", "passwords")
            try:
                Passwords(self.passwords)
            except ValueError as error:  # it names none
                raise Misplaced(str(error), "passwords") from None
        for key in ("password", "modes_enforced"):
            if getattr(self, key) and not speaks_698:
                other = "; write passwords by level" if key == "password" else ""
                raise Misplaced(f"it is of {DLT698}{other}", key)

    def _check_unit(self) -> None:
        last = int(self.address or 1) + self.count - 1
        if self.profile.protocol in MODBUS and not self.count <= last <= UNIT_MAX:
            raise Misplaced(
                f"a meter of Modbus is a unit of 1 to {UNIT_MAX}; the last one is {last}", "address"
            )

    def _check_connection(self) -> None:
        connection = self.profile.meter.connection
        for key, connections in (("ct_ratio", ("ct", "ct_pt")), ("pt_ratio", ("ct_pt",))):
            if getattr(self, key) != 1 and connection not in connections:
                needed = " or ".join(connections)
                raise Misplaced(f"{self.profile.name} is connected {connection}; it needs {needed}", key)

    @property
    def character(self) -> CostControl:
        """What their switch and wallet are like."""
        if self.control is not None:
            return self.control
        traits = self.profile.meter
        usual = {"none": PLAIN, "remote": REMOTE, "local": LOCAL}[traits.cost_control]
        return replace(usual, has_relay=traits.relay != "none")

    @property
    def port(self) -> Port:
        """How their port is set."""
        return Port(self.baud or self.profile.line.baud, self.parity or self.profile.line.parity)

    @property
    def is_garbage(self) -> bool:
        """Whether nothing they say can be relied on."""
        return self.faults == Faults.garbage(self.faults.seed)


@dataclass(frozen=True, kw_only=True, slots=True, config=STRICT)
class LineRow:
    """One line.

    Args:
        name: how it is called; left out: ``line-1``, ``line-2``, ...
        at: where it is reached: ``tcp://HOST:PORT`` (port 0 takes a free one), ``pty``,
            ``pty:/path/of/link``, ``dial://HOST:PORT``, or ``listen`` (in the same process only).
        paced: octets take their time on the wire; otherwise they are there at once.
        baud: how the clients' port is declared to be set; left out: as that of the meter they ask. A
            pseudo-terminal shows its own.
        parity: the same; one of the two alone leaves the other as that of the first meter.
        medium: what the wires and the adapter do to the octets. A seed of 0 is the plant's.
        server: the serial server before it: packets, registration and heartbeat texts, who may be
            connected. A seed of 0 is the plant's. Left out: octets pass as they come.
        login: its first meter, of DL/T 698.45, logs in over each TCP connection; with ``dial`` always,
            unless a serial server dials.
        heartbeat_s: between heartbeats of what logged in, 1 to 65,535 s.
        carrier: the module of Q/GDW 1376.2 through which its meters are reached; the line then speaks 1376.2,
            and its figures for wires do not count. A seed of 0 is the plant's. Left out: a cable.
        meters: what hangs on it, one row or more.

    """

    name: Annotated[str, Field(max_length=NAME_MAX)] = ""
    at: Annotated[
        At,
        PlainValidator(at_of),
        PlainSerializer(str, return_type=str),
        WithJsonSchema({"type": "string", "examples": ["tcp://127.0.0.1:0", "pty", "dial://127.0.0.1:9698"]}),
    ] = At()
    paced: bool = False
    baud: Baud | None = None
    parity: Parity | None = None
    medium: Medium = CLEAN
    server: ServerHabits | None = None
    login: bool = False
    heartbeat_s: Annotated[int, Field(ge=1, le=HEARTBEAT_S_MAX)] = HEARTBEAT_S
    carrier: CarrierWays | None = None
    meters: Annotated[tuple[MeterRow, ...], Field(max_length=ROWS_MAX)] = (MeterRow(),)

    def __post_init__(self) -> None:
        """Check what goes together."""
        if not self.meters:
            raise Misplaced("a line has one meter or more; leave the key out for one", "meters")
        if self.logs_in and self.meters[0].profile.protocol != DLT698:
            sentence = f"only a meter of {DLT698} logs in; put one first, or let a server dial"
            raise Misplaced(sentence, "meters", 0)
        if self.login and self.at.kind not in {"tcp", "dial"}:
            raise Misplaced("a login goes with tcp:// or dial://", "login")
        if self.login and self.server is not None:
            raise Misplaced("a login is not sent through a serial server; leave one out", "login")
        if self.medium.talk_over and not self.paced:
            sentence = "nothing lasts on a line that is not paced, so nobody talks over it; write paced: true"
            raise Misplaced(sentence, "medium", "talk_over")
        if self.server is not None and self.at.kind == "pty":
            raise Misplaced("a pseudo-terminal has no serial server; leave the key out", "server")
        if self.carrier is not None:
            self._check_carrier(self.carrier)

    def _check_carrier(self, carrier: CarrierWays) -> None:
        if self.login:
            raise Misplaced("a carrier module does not log in; leave one out", "login")
        if self.paced or self.medium != CLEAN:
            key = "paced" if self.paced else "medium"
            raise Misplaced("there are no shared wires behind a carrier module; leave the key out", key)
        if any(row.profile.protocol in MODBUS for row in self.meters):
            raise Misplaced("a carrier module reaches no meters of Modbus; put them on a cable", "meters")
        if self.count > carrier.nodes_max:
            sentence = f"{self.count} meters, the module takes {carrier.nodes_max}; see carrier.nodes_max"
            raise Misplaced(sentence, "meters")

    @property
    def client(self) -> Port | None:
        """How the clients' port is declared to be set; ``None``: as that of whom they ask."""
        if self.baud is None and self.parity is None:
            return None
        usual = self.meters[0].port
        return Port(self.baud or usual.baud, self.parity or usual.parity)

    @property
    def minds_ports(self) -> bool:
        """Whether it matters how ports are set."""
        if self.carrier is not None:
            return False
        own = any(row.baud is not None or row.parity is not None for row in self.meters)
        return self.paced or own or self.client is not None or self.at.kind == "pty"

    @property
    def logs_in(self) -> bool:
        """Whether its first meter says who it is over each connection."""
        return self.login or (self.at.kind == "dial" and self.server is None and self.carrier is None)

    @property
    def count(self) -> int:
        """How many meters hang on it."""
        return sum(row.count for row in self.meters)
