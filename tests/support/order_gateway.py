"""A whole gateway in simulated time that takes orders: people, evidence, rules, lines, meters that remember.

::

    gateway = OrderGateway(tmp_path, [Station(meter=a_meter(OPEN_TO_ALL))])
    gateway.run(seconds=600, meanwhile=lambda: script(gateway))
    assert ["trip"] == gateway.obeyed()
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from meterlink.drivers.control import SHOWN_BY
from meterlink.errors import MeterlinkError
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.orders.judging.proven import Proven
from meterlink.orders.life.switch_facts import SwitchFacts
from meterlink.orders.qualification.facts import combined
from meterlink.roster.roster import RosterMeter
from metersim import Station
from metersim.works.cost_control import CostControl
from tests.support.control_bench import CUSTOMER, NUMBER, PASSWORD, a_meter
from tests.support.rules import chain
from tests.support.simulated import SimulatedGateway

TUESDAY: Final = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
"""10:00 in the plant, no holiday."""
OPEN_TO_ALL: Final = CostControl(payment="remote", plain_orders="all")
"""A remote meter that takes every order under a password."""
PEOPLE: Final = """\
[[people]]
name = "clara"
roles = ["clerk"]

[[people]]
name = "anna"
roles = ["approver"]
senders = ["board"]

[[people]]
name = "david"
roles = ["dispatcher"]
senders = ["desk"]

[[people]]
name = "fred"
roles = ["field"]

[[people]]
name = "sam"
roles = ["security"]

[[people]]
name = "steve"
roles = ["security"]

[[people]]
name = "billing"
roles = ["billing"]
senders = ["billing", "bank", "till"]

[[people]]
name = "both"
roles = ["clerk", "approver", "dispatcher"]
"""


@dataclass
class Proved:
    """Models of which everything is proven.

    Args:
        facts: for the proofs.

    """

    facts: SwitchFacts = field(
        default_factory=lambda: SwitchFacts(command_at_once=True, waits_for_key=True, expiry_obeyed=True)
    )

    async def __call__(self, meter: RosterMeter, kind: OrderKind, firmware: str | None = None) -> Proven:
        return Proven(unproven=(), facts={"permit_waits_for_key": "yes"})

    async def switch_facts(self, meter: RosterMeter, firmware: str | None = None) -> SwitchFacts:
        known, _ = combined(meter.profile, {})
        shown: dict[str, str] = {key: known[key] for key in SHOWN_BY if key in known}
        return replace(self.facts, known={"command_bit": "state_grid", **shown, **self.facts.known})


EVERYTHING: Final = Proved()


class OrderGateway(SimulatedGateway):
    """One line of meters and a daemon that takes orders for them.

    Args:
        folder: for the journal and the files of people and holidays.
        stations: the meters on the line.
        keys: by address, other keys of a meter.
        control: other keys of ``[control]``.
        proved: what is proven of the models; by default everything; ``None``: what the log says.
        model: of the meters.
        tables: other tables of the configuration.
        more: as of ``SimulatedGateway``.

    """

    def __init__(
        self,
        folder: Path,
        stations: Sequence[Station],
        *,
        keys: Mapping[str, Mapping[str, object]] | None = None,
        control: Mapping[str, object] | None = None,
        proved: Proved | None = EVERYTHING,
        model: str = "generic-remote-cost-control",
        tables: Mapping[str, object] | None = None,
        **more: Any,
    ) -> None:
        files = {"people.toml": PEOPLE, "holidays.toml": HOLIDAYS, "password": PASSWORD}
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
            (folder / name).chmod(0o600)
        keys = keys or {}
        super().__init__(
            folder,
            stations,
            every_s=900,
            start=more.pop("start", TUESDAY),
            models={station.meter.address: model for station in stations},
            meter_keys={
                station.meter.address: {**_keys(folder, number), **keys.get(station.meter.address, {})}
                for number, station in enumerate(stations)
            },
            more={
                "control": {
                    "people": folder / "people.toml",
                    "holidays": folder / "holidays.toml",
                    "operator_code": "20261124",
                    **(control or {}),
                },
                **(tables or {}),
            },
            order_models=proved,
            **more,
        )
        self.meters: dict[str, Any] = {station.meter.address: station.meter for station in stations}

    def employ(self, name: str, role: str) -> None:
        """One person more in the file of people."""
        with (self.folder / "people.toml").open("a", encoding="utf-8") as people:
            people.write(f'\n[[people]]\nname = "{name}"\nroles = ["{role}"]\n')

    async def up(self) -> None:
        """Wait until the daemon takes requests, and has read its meters once."""
        await self.desk_opened.wait()
        await asyncio.sleep(5)

    async def told(self, *records: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """Take records of evidence in."""
        answer = await self.ask("billing", "evidence.add", records=list(records))
        found: list[Mapping[str, Any]] = answer["records"]
        assert [] == [one for one in found if "refused" in one]
        return found

    async def told_of_life_support(self, name: str = "x1", **fields: Any) -> None:
        """Somebody at a meter or of a customer lives by a machine; or no longer does."""
        record = {"kind": "protection", "id": name, "sender": "billing", "at": time_out(self.now())}
        await self.told({**record, "protection": "life_support", "state": "set", **fields})

    async def told_for_trip(self, meter: str) -> None:
        """Everything that must have happened before a household is cut off."""
        number = self.number_of(meter)
        await self.told(*(document(kept.record.body, meter, number) for kept in chain(self.now())))

    async def paid(self, meter: str, name: str = "p1", **fields: Any) -> Mapping[str, Any]:
        """Somebody pays everything."""
        record = {
            "kind": "payment",
            "id": name,
            "sender": "billing",
            "at": time_out(self.now()),
            "meter": meter,
            "amount_cents": 12_000,
            "settles": True,
            **fields,
        }
        return (await self.told(record))[0]

    async def trip(self, order_id: str, meter: str, **fields: Any) -> Mapping[str, Any]:
        """Create, approve, arm and operate a trip, each by its person."""
        await self.ask("clara", "order.create", order=self.order(order_id, OrderKind.TRIP, meter, **fields))
        await self.ask("anna", "order.approve", id=order_id)
        return await self.operated(order_id)

    async def cut_off(self, meter: str) -> None:
        """A household is cut off, as the daemon is up, by an order that is done."""
        await self.up()
        await self.told_for_trip(meter)
        await self.trip("t-1", meter)
        assert "done" == (await self.until("t-1"))["state"]

    async def cut_off_and_unplugged(self, meter: str) -> None:
        """A household is cut off, and then its line goes."""
        await self.cut_off(meter)
        self.unplug()
        await asyncio.sleep(1)

    async def warned_and_cut_off(self, meter: str) -> None:
        """A household that owes is warned by the meter's alarm (order a-1), and then cut off."""
        await self.ask("clara", "order.create", order=self.order("a-1", "alarm_on", meter))
        await self.operated("a-1")
        await self.until("a-1")
        await self.told_for_trip(meter)
        await self.trip("t-1", meter)
        await self.until("t-1")

    async def cut_off_unheard(self, meter: str) -> None:
        """A meter obeys its trip (order t-1), and its line goes before it can say so."""
        await self.told_for_trip(meter)
        await self.trip("t-1", meter)
        while self.obeyed() != ["trip"]:  # noqa: ASYNC110  # the meter tells nobody when it obeys
            await asyncio.sleep(0.002)
        self.unplug()
        await self.until("t-1", "readback")

    async def paid_in_vain(self, meter: str) -> str:
        """A household is cut off and pays, and the first frame of its closing is lost; its order."""
        await self.cut_off(meter)
        self.strikes.add("loss", times=1)
        (close,) = (await self.paid(meter))["orders"]
        await self.until(close, "not_done")
        return str(close)

    async def operated(self, order_id: str) -> Mapping[str, Any]:
        """Arm and operate an order."""
        await self.ask("david", "order.arm", id=order_id)
        return await self.ask("david", "order.operate", id=order_id)

    async def operated_in_the_field(self, order_id: str) -> None:
        """Give an order to Fred, who stands at the meter, arms and operates it."""
        await self.ask("david", "control.grant", id=order_id, person="fred")
        for act in ("order.arm", "order.operate"):
            await self.ask("fred", act, id=order_id)

    async def until(self, order_id: str, *states: str) -> Mapping[str, Any]:
        """An order, once it stands in one of these states; by default once it has ended."""
        order = await self.ask("clara", "order.show", id=order_id)
        while order["state"] not in states and (states or order["is_open"]):
            step = len(order["steps"])
            order = await self.ask("clara", "order.follow", id=order_id, step=step, wait_s=60)
            if step == len(order["steps"]):
                await asyncio.sleep(1)  # it has ended otherwise than it should
        return order

    async def refused(self, user: str, op: str, **args: Any) -> MeterlinkError:
        """The error of a request that must not be done."""
        try:
            answer = await self.ask(user, op, **args)
        except MeterlinkError as error:
            return error
        raise AssertionError(f"it was done: {answer}")

    def press_key(self, address: str = "") -> bool:
        """Somebody presses the key of a meter; whether it closed."""
        meter = self.meters[address or next(iter(self.meters))]
        return bool(meter.works.switch.press_key(self.sim.clock.utc_now()))

    def order(self, order_id: str, kind: OrderKind | str, meter: str, **fields: Any) -> dict[str, Any]:
        """An order as a caller gives it; within an hour."""
        deadline_at = self.now().replace(microsecond=0) + timedelta(hours=1)
        return {
            "id": order_id,
            "kind": str(kind),
            "meter": meter,
            "reason": "a test",
            "deadline_at": time_out(deadline_at),
            "payment": "",
            "case": "",
            "reference": "",
            **fields,
        }

    def now(self) -> datetime:
        """The gateway's time."""
        return self.clock.utc_now()

    def number_of(self, meter: str) -> str:
        """The customer number of a meter."""
        return str(self.meter_keys[self.addresses[meter]]["customer_number"])

    def obeyed(self, address: str = "") -> list[str]:
        """The kinds of what a meter obeyed, as it says."""
        meter = self.meters[address or next(iter(self.meters))]
        return [control.kind for control in meter.works.memory.controls]


def one_meter(folder: Path) -> OrderGateway:
    """A gateway of one meter that takes every order under a password."""
    return OrderGateway(folder, [Station(meter=a_meter(OPEN_TO_ALL))])


def document(body: Mapping[str, Any], meter: str, customer: str) -> dict[str, Any]:
    """A record of another meter as one of this meter, with ids of its own."""
    found = {**body, "meter": meter, "customer": customer, "id": f"{meter}-{body['id']}"}
    if "of" in found:
        found["of"] = f"{meter}-{found['of']}"
    return found


def kinds_of(steps: Iterable[Mapping[str, Any]]) -> list[str]:
    """The verbs of an order's steps."""
    return [step["verb"] for step in steps]


HOLIDAYS: Final = (
    "first_day = 2026-01-01\nlast_day = 2026-12-31\n\n"
    '[[holidays]]\nname = "national day"\nfirst = 2026-10-01\nlast = 2026-10-08\n'
)


def _keys(folder: Path, number: int) -> dict[str, object]:
    return {
        "meter_number": f"{int(NUMBER) + number:012d}",
        "customer_number": f"{int(CUSTOMER) + number:012d}",
        "area": "east",
        "motor_load": False,
        "lab": True,
        "security": "password",
        "control_password": f"file:{folder / 'password'}",
        "allow_plaintext_control": True,
    }
