"""A simulated DL/T 698.45 meter on a line in simulated time, and a provider for it that can fail."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from meterlink.bus.exchange import Timing
from meterlink.bus.line import Line
from meterlink.drivers.control import Command, ControlAnswer, Purse, Standing
from meterlink.drivers.dlt698.control import Dlt698ControlDriver
from meterlink.drivers.dlt698.driver import Dlt698Driver
from meterlink.drivers.proving import Begun698, Envelope698, Plain, Purse698, Security
from meterlink.errors import LineClosed, LineLost, SecurityFailed
from meterlink.model.order import OrderKind
from meterlink.trace import TraceRing
from meterlink.transports.memory import memory_line
from meterlink.transports.stream import ByteStream
from meterprofiles import AssociationTraits, Profile, generic
from metersim import Simulation
from metersim.dlt698 import Meter698
from metersim.dlt698.admission import Limits
from metersim.dlt698.modes import Modes
from metersim.security.keys import LAB_ROOT
from metersim.security.provider import Trouble, Wallet698
from metersim.security.suite698 import Level
from metersim.works.cost_control import LOCAL, REMOTE, CostControl
from meterwire.dlt698.apdus.apdu import Apdu, decode_apdu, encode_apdu
from meterwire.dlt698.apdus.security import CipherUnit, Mac, SecurityResponse
from meterwire.dlt698.link import frame as link
from meterwire.dlt698.link.deframer import Deframer, Found
from tests.support.lab_provider import LabSecurity
from tests.support.secured698 import ADDRESS, CUSTOMER, works_of

START = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
TIMING = Timing(reply_timeout_s=2.0, octet_gap_s=0.5, answer_max_s=3.0)
PASSWORD = "00000000"
REPLY_DELAY_S = 0.02

Said = Sequence[tuple[float, bytes]]
"""What goes onto the line for one request: after how long, which octets."""
Tap = Callable[[Found, bytes], Said]
T = TypeVar("T")


class AsyncLab(LabSecurity):
    """The laboratory's provider, which notes what is asked of it in DL/T 698.45, and can be made to lie.

    Args:
        root: of its keys.
        named: how it names itself.

    Attributes:
        asked: operations, in order.
        purses: kinds of wallet operations, in order.
        protected: APDUs that it put into envelopes.
        begun: key state, diversifier and counter of each CONNECT.
        envelope: what it makes of an envelope and what is in it.
        wrong_mac: takes the place of every MAC that it makes, where it is set.

    """

    def __init__(self, *, root: bytes = LAB_ROOT, named: str = "lab") -> None:
        super().__init__(root=root, named=named)
        self.purses: list[str] = []
        self.protected: list[bytes] = []
        self.begun: list[tuple[int, bytes, int]] = []
        self.wrong_mac: bytes | None = None
        self.envelope: Callable[[Envelope698, bytes], Envelope698] = lambda made, _: made
        self._handles: set[str] = set()

    @property
    def secrets(self) -> set[str]:
        """Hexadecimal, what nobody may see."""
        return self._handles | {octets.hex() for octets in self.given}

    async def name(self) -> str:
        self._note("name")
        return await super().name()

    async def init698(self, *, key_state: int, div: bytes, counter: int) -> Begun698:
        self._note("init698")
        self.begun.append((key_state, div, counter))
        with _told():
            begun = Begun698(*self._lab.init698(key_state, div, counter))
        self._keep(*begun)
        return begun

    async def verify698(self, *, key_state: int, div: bytes, r1: bytes, data: bytes, sign: bytes) -> str:
        self._note("verify698")
        self._keep(data, sign)
        with _told():
            handle = self._lab.verify698(key_state, div, r1, data=data, sign=sign)
        self._handles.add(handle.casefold())
        return handle

    async def protect698(self, session: str, *, level: int, task: int, apdu: bytes) -> Envelope698:
        self._note(f"protect698 {level} {task}")
        self.protected.append(apdu)
        with _told():
            made = Envelope698(*self._lab.protect698(session, Level(level), apdu))
        made = made._replace(mac=self.wrong_mac) if self.wrong_mac else made
        self._keep(made.data, made.mac)
        return self.envelope(made, apdu)

    async def open698(self, session: str, *, level: int, data: bytes, mac: bytes | None) -> bytes:
        self._note("open698")
        self._keep(data, mac)
        with _told():
            return self._lab.open698(session, Level(level), data, mac)

    async def purse698(self, session: str, *, kind: str, amount: int, count: int, customer: str) -> Purse698:
        self._note("purse698")
        self.purses.append(kind)
        with _told():
            made = self._lab.purse698(
                session, kind=Wallet698(kind), amount=amount, count=count, customer=customer
            )
        made = made._replace(mac=self.wrong_mac) if self.wrong_mac else made
        self._keep(made.mac)
        return Purse698(*made)

    async def close(self, handle: str) -> None:
        self._note("close")
        self._lab.close(handle)

    def _note(self, op: str) -> None:
        self.asked.append(op)
        if code := self.fails.get(op.split(maxsplit=1)[0]):
            raise SecurityFailed(f"the provider fails at {op}", code=code)

    def _keep(self, *octets: bytes | None) -> None:
        self.given += [one for one in octets if one]


@contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Trouble as trouble:
        raise SecurityFailed("the provider says no", code=trouble.code) from None


class Ordered:
    """One meter that is ordered about.

    Args:
        control: what its relay and its wallet are like.
        enforced: whether it insists on its security modes.
        opened_cents: money with which its account was opened.
        association: how it wants to be spoken to.
        limits: its sizes in a CONNECT.

    Attributes:
        tap: what becomes of the next answers; ``None``: they come as they are.
        heard: what the meter heard, whole APDUs.
        octets_heard: the same, as octets.
        lost: addresses whose reader was told that its association is over.
        plugged: whether the line can be opened.

    """

    def __init__(
        self,
        control: CostControl = REMOTE,
        *,
        enforced: bool = True,
        opened_cents: int = 5_000,
        association: AssociationTraits | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.sim = Simulation(seed=1, start=START)
        self.works = works_of(control, since=START - timedelta(days=1))
        if self.works.account is not None:
            assert self.works.account.open_account(opened_cents, 0, CUSTOMER, START).done
        self.meter = Meter698(
            ADDRESS, seed=1, works=self.works, modes=Modes(enforced=enforced), limits=limits
        )
        self.profile: Profile = generic("dlt698.45")
        if association is not None:
            self.profile = replace(self.profile, association=association)
        self.lost: list[str] = []
        self.reader = self._reader()
        self.driver = Dlt698ControlDriver(
            self.sim.clock,
            profile=self.profile,
            random_octets=self.sim.random.randbytes,
            password_of=lambda _: PASSWORD,
            association_lost=self._note_lost,
        )
        self.lab = AsyncLab()
        self.trace = TraceRing(self.sim.clock)
        self.tap: Tap | None = None
        self.heard: list[Apdu] = []
        self.octets_heard: list[bytes] = []
        self.plugged = True

    @property
    def now(self) -> datetime:
        return self.sim.clock.utc_now()

    @property
    def obeyed(self) -> list[str]:
        """Kinds of controls that came over the line and that the meter obeyed."""
        return [one.kind for one in self.works.memory.controls if one.came_by == "698.45"]

    def command(self, kind: OrderKind, **fields: Any) -> Command:
        """An order of now, good for five minutes."""
        made = Command(
            kind=kind,
            expires_at=(self.now + timedelta(minutes=5)).replace(microsecond=0),
            valid_for=timedelta(minutes=5),
            operator_code="20261122",
            meter_number=ADDRESS,
        )
        if kind is OrderKind.TOP_UP:
            made = replace(made, amount_cents=10_000, purchase_count=1, customer_number=CUSTOMER)
        return replace(made, **fields)

    def run(self, scene: Callable[[Line], Awaitable[T]]) -> T:
        """A scene on the line."""
        return self.sim.run(self.on_line(scene))

    async def on_line(self, scene: Callable[[Line], Awaitable[T]]) -> T:
        """The same within a loop that runs already."""
        outcome = await self._run(scene)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def order(
        self, command: Command, security: Security | None = None, *, tap: Tap | None = None
    ) -> ControlAnswer:
        """Prepare, send, finish; the tap is on the answer to the order alone."""

        async def scene(line: Line) -> ControlAnswer:
            prepared = await self.driver.prepare(line, ADDRESS, command, security or self.lab)
            self.tap = tap
            answer = await self.driver.send(line, prepared)
            self.tap = None
            await self.driver.finish(line, prepared)
            return answer

        return self.run(scene)

    def standing(self, **known: str) -> Standing:
        """How the meter stands, to whoever knows so much of its model."""
        return self.run(lambda line: self.driver.standing(line, ADDRESS, known))

    def purse(self, security: Security | None = None) -> Purse:
        """The money in it."""
        return self.run(lambda line: self.driver.purse(line, ADDRESS, security))

    def sealed(self, answer: Apdu) -> bytes:
        """An answer in the envelope that the meter would put around it, after it has opened a request."""
        data, mac = self.meter.envelopes.module.association.seal_answer(Level.CIPHER_MAC, encode_apdu(answer))
        assert mac is not None
        return encode_apdu(SecurityResponse(unit=CipherUnit(data), verify=Mac(mac)))

    def _note_lost(self, address: str) -> None:
        self.lost.append(address)
        self.reader.association_lost(address)

    def _reader(self) -> Dlt698Driver:
        return Dlt698Driver(
            self.sim.clock,
            profile=self.profile,
            random_octets=self.sim.random.randbytes,
            password_of=lambda _: PASSWORD,
        )

    async def _run(self, scene: Callable[[Line], Awaitable[T]]) -> T | Exception:
        ends: list[ByteStream] = []

        async def opener() -> ByteStream:
            if not self.plugged:
                raise LineLost("no such device")
            near, far = memory_line()
            ends.append(far)
            tasks.append(group.create_task(self._serve(far), name="meter"))
            return near

        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[None]] = []
            line = Line("line1", opener=opener, timing=TIMING, rng=random.Random(1), trace=self.trace)
            tasks.append(group.create_task(line.run(), name="owner"))
            outcome: T | Exception
            try:
                outcome = await scene(line)
            except Exception as error:  # noqa: BLE001 - out of the group, as it is
                outcome = error
            for task in tasks:
                task.cancel()
        return outcome

    async def _serve(self, end: ByteStream) -> None:
        deframer = Deframer()
        with contextlib.suppress(LineLost, LineClosed):
            while True:
                for found in deframer.feed_found(await end.receive()):
                    await self._answer(end, found)

    async def _answer(self, end: ByteStream, found: Found) -> None:
        if not found.frame.segmented:
            self.heard.append(decode_apdu(found.frame.user_data))
            self.octets_heard.append(found.frame.user_data)
        answer = self.meter.answer(found, self.now)
        octets = answer.wording.encode() if answer else b""
        for delay_s, said in self.tap(found, octets) if self.tap else [(REPLY_DELAY_S, octets)]:
            await asyncio.sleep(delay_s)
            if said:
                await end.send(said)


def as_answer(found: Found, apdu: bytes) -> bytes:
    """Octets of an APDU as the meter that was asked would frame them."""
    return link.encode(found.frame._replace(from_server=True, user_data=apdu))


def plain(password: str = PASSWORD) -> Plain:
    """A password in plain."""
    return Plain(level=2, password=lambda: password)


def local(*, enforced: bool = True) -> Ordered:
    """A meter with a wallet."""
    return Ordered(LOCAL, enforced=enforced)


def unanswered(found: Found, said: bytes) -> Said:
    """A tap: the answer is lost."""
    del found, said
    return []


def late(found: Found, said: bytes) -> Said:
    """A tap: the answer comes when nobody waits for it any more."""
    del found
    return [(10.0, said)]


def of_another_key(found: Found, said: bytes) -> Said:
    """A tap: a published answer, enciphered with keys of others, comes first."""
    answer = decode_apdu(bytes.fromhex("900110FBC0558F2C96A5A55CF76F955965B2C30100046CD6CB79"))
    return [(REPLY_DELAY_S, as_answer(found, encode_apdu(answer))), (0.0, said)]
