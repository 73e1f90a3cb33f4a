"""A gateway whose every word is kept: meters of both protocols, ordered about with passwords and with proofs.

What the provider is asked and answers is noted as secret, and so are the keys and the passwords. What anybody
could look at afterwards is ``said``: by place, all of it.
"""

from __future__ import annotations

import asyncio
import io
import json
import sqlite3
import traceback
from collections.abc import Mapping
from contextlib import closing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from meterlink.audit.keys import KEY_FILE
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.errors import MeterlinkError
from meterlink.model.order import OrderKind
from meterlink.model.payload import time_out
from meterlink.trace import TraceRing
from meterlink.transports.memory import MemoryBroker
from metersim import Meter, Station
from metersim.dlt698 import Meter698
from metersim.dlt698.modes import Modes
from metersim.security.keys import LAB_ROOT, LabKeys, diversifier_of
from metersim.works.controlled import Wallet
from metersim.works.cost_control import LOCAL, REMOTE, CostControl
from metersim.works.load import Load
from metersim.works.plate import Plate
from metersim.works.works import Works
from tests.support.adapters import Behaviour, Program
from tests.support.commands_said import said_by_commands
from tests.support.control_bench import CUSTOMER, NUMBER, PASSWORD
from tests.support.order_gateway import OPEN_TO_ALL, TUESDAY, OrderGateway
from tests.support.secret_search import Secrets

PASSWORD_698: Final = "Lamp7Post"
PLAIN_645, PROVED_645, SHOP_645 = ("000000000161", "000000000162", "000000000163")
PLAIN_698, PROVED_698, SHOP_698 = ("202611220001", "202611220002", "202611220003")
TRIPPED: Final = (PLAIN_645, PROVED_645, PLAIN_698, PROVED_698)
"""Of each protocol one under a password and one with proofs; they are cut off and reconnected."""
GUARDED: Final = ("000000000171", "000000000172", "202611220011", "202611220012")
"""The same again: they get every other order, for a meter is cut off once a day."""
SHOPS: Final = (SHOP_645, SHOP_698)
ADDRESSES: Final = (*TRIPPED, *GUARDED, *SHOPS)
_IN_PLAIN: Final = (TRIPPED[0], TRIPPED[2], GUARDED[0], GUARDED[2])
SECRET_ARGS: Final = frozenset({"ctx", "session", "handle", "rand2", "mac", "r1", "sign", "sid_mac"})
"""Arguments of a provider's operations that are secret; ``data`` is where it is cipher."""
SECRET_RESULTS: Final = frozenset(
    {"ctx", "session", "rand1", "cipher1", "block", "mac1", "mac2", "r1", "sign1", "data", "mac"}
)
_PROOFS: Final = frozenset({"block", "mac2", "mac"})
_MAC_OCTETS: Final = 4


class NotingProgram(Program):
    """The laboratory's provider; what passes through it is noted as secret."""

    def __init__(self, group: asyncio.TaskGroup, secrets: Secrets, behaviour: Behaviour | None) -> None:
        super().__init__(group, behaviour, name="lab")
        self._secrets = secrets

    async def say(self, octets: bytes) -> None:
        for line in octets.splitlines():
            note_exchange(self._secrets, line)
        await super().say(octets)

    def reply(self, request: dict[str, Any], *, is_wrong: bool = False) -> bytes:
        """What a laboratory answers, with its newest secret altered where it shall be wrong."""
        told = self._hsm.answer(json.dumps(request).encode())
        note_exchange(self._secrets, told)
        said = json.loads(told)
        for name in _PROOFS & said.get("result", {}).keys() if is_wrong else ():
            proof = said["result"][name]
            said["result"][name] = f"{proof[:-1]}{int(proof[-1], 16) ^ 1:X}"
        return json.dumps(said).encode() + b"\n"

    async def _take(self, request: dict[str, Any]) -> None:
        note_exchange(self._secrets, json.dumps(request).encode())
        await super()._take(request)


def note_exchange(secrets: Secrets, line: bytes) -> None:
    """Note what is secret in a line of the words of a provider; one that is no JSON has none."""
    try:
        said = json.loads(line)
    except ValueError:
        return
    if not isinstance(said, dict):
        return
    args, op = said.get("args") or {}, said.get("op")
    names = SECRET_ARGS | {"data"} if op in ("verify698", "open698") else SECRET_ARGS
    _note(secrets, {name: args[name] for name in names & args.keys()})
    result = said.get("result") or {}
    _note(secrets, {name: result[name] for name in SECRET_RESULTS & result.keys()})


def _note(secrets: Secrets, fields: Mapping[str, Any]) -> None:
    for name, text in fields.items():
        if text:
            octets = bytes.fromhex(text)
            secrets.add(name, octets)
            if name == "block":
                secrets.add("MAC of a block", octets[-_MAC_OCTETS:])
                secrets.add("cipher of a block", octets[:-_MAC_OCTETS])


TROUBLES: Final = ("none", "wrong", "words", "rubbish", "none", "gone", "slow", "late")
LATE_S: Final = 12.0
"""Nobody waits so long for a provider."""


class Troubles:
    """A provider that meets every trouble, one after the other, whenever it is asked for a proof.

    Attributes:
        met: the troubles so far.

    """

    def __init__(self) -> None:
        self.met: list[str] = []

    async def __call__(self, program: Program, request: dict[str, Any]) -> None:
        """See ``Behaviour``."""
        assert isinstance(program, NotingProgram)
        if request["op"] not in ("control645", "wallet645", "protect698", "purse698"):
            await program.answer(request)
            return
        trouble = TROUBLES[len(self.met) % len(TROUBLES)]
        self.met.append(trouble)
        reply = program.reply(request, is_wrong=trouble == "wrong")
        words = f"{json.dumps(request)} gives {reply.decode()}"
        match trouble:
            case "words":
                error = {"code": "not_verified", "what": words, "do": words}
                said = {"id": request["id"], "ok": False, "error": error}
                await program.say(json.dumps(said).encode() + b"\n")
            case "rubbish":
                await program.say(words.encode())
            case "gone":
                await program.end()
            case "none" | "wrong":
                await program.say(reply)
            case "late":
                await asyncio.sleep(LATE_S)
                await program.say(reply)


class SecretTown(OrderGateway):
    """The gateway.

    Args:
        folder: for everything.
        behaviour: of the provider; by default it does what it should.

    Attributes:
        secrets: all that were in use.
        log: what the daemon logs, for ``set_up_logs``.
        trace: octets of the line, as far as they may be shown.

    """

    def __init__(self, folder: Path, behaviour: Behaviour | None = None) -> None:
        self.secrets = Secrets()
        self.secrets.add("root key", LAB_ROOT)
        self.secrets.add_password("password of 645", PASSWORD, level=2)
        self.secrets.add_password("password of 698", PASSWORD_698)
        (folder / "password698").write_text(PASSWORD_698, encoding="utf-8")
        (folder / "password698").chmod(0o600)
        super().__init__(
            folder,
            [Station(meter=_meter(address)) for address in ADDRESSES],
            keys={address: _keys(folder, address) for address in ADDRESSES},
            tables={"security_providers": [{"name": "lab", "command": ["hsm"]}]},
            provider=lambda group: NotingProgram(group, self.secrets, behaviour).open,
        )
        for number in range(len(ADDRESSES)):
            keys = LabKeys(diversifier_of(f"{int(NUMBER) + number:012d}"))
            for name in ("auth", "control", "parameter", "wallet", "app698"):
                self.secrets.add(f"{name} key", getattr(keys, name))
        self.log = io.StringIO()
        self.trace = TraceRing(self.sim.clock, entries_max=100_000)
        self.broker = MemoryBroker(on_publish=lambda topic, payload: self._note("mqtt", f"{topic} ", payload))
        self._said: dict[str, dict[bytes, None]] = {}

    async def ask(self, user: str, op: str, **args: Any) -> Mapping[str, Any]:
        try:
            answer = await super().ask(user, op, **args)
        except MeterlinkError as error:
            self._note("errors", repr(error), "".join(traceback.format_exception(error)), repr(vars(error)))
            raise
        self._note("answers", json.dumps(answer, default=str, ensure_ascii=False))
        return answer

    def keep_files(self) -> None:
        """Keep the files of the journal as they are now, with the WAL of a daemon that runs."""
        for path in self.folder.glob(f"{JOURNAL_FILE}*"):
            self._note(path.name, path.read_bytes())

    def said(self) -> dict[str, bytes]:
        """All that anybody can look at, by place."""
        self.keep_files()
        for place, told in said_by_commands(self.folder, self.sim, f"m{SHOPS[0]}"):
            self._note(place, told)
        key = load_pem_private_key((self.folder / KEY_FILE).read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        self.secrets.add("the gateway's key", key.private_bytes_raw())
        with closing(sqlite3.connect(self.folder / JOURNAL_FILE)) as journal:
            self._note("rows", *journal.iterdump())
        self._note("log", self.log.getvalue())
        self._note("database", repr(self.sink.points))
        for entry in self.trace:
            self._note("trace", entry.octets, repr(entry), entry.hexadecimal(), entry.hexadecimal(" "))
        return {place: b"\n".join(parts) for place, parts in self._said.items()}

    async def attempt(self, kind: OrderKind, address: str, order_id: str, **fields: Any) -> str:
        """Bring an order as far as the rules let it; the state in which it ended, or ``refused``."""
        try:
            made = await self.ask(
                "clara", "order.create", order=self.order(order_id, kind, f"m{address}", **fields)
            )
            if made["state"] == "created":
                await self.ask("anna", "order.approve", id=order_id)
            await self.operated(order_id)
            return str((await self.until(order_id))["state"])
        except MeterlinkError:
            return "refused"

    async def consented(self, address: str) -> None:
        """The customer wants his supply back without pressing a key."""
        consent = {"kind": "consent", "id": f"c-{address}", "sender": "billing", "form": "written"}
        await self.told({**consent, "at": time_out(self.now()), "meter": f"m{address}"})

    def kinds(self, address: str) -> set[str]:
        """The kinds of orders that a meter obeyed."""
        return set(self.obeyed(address))

    def _note(self, place: str, *parts: str | bytes) -> None:
        octets = (part if isinstance(part, bytes) else part.encode() for part in parts)
        self._said.setdefault(place, {}).update(dict.fromkeys(octets))


def _meter(address: str) -> Any:
    switched = OPEN_TO_ALL if address in _IN_PLAIN else REMOTE
    works = _works(address, LOCAL if address in SHOPS else switched)
    if _is_698(address):
        modes = Modes(enforced=address not in _IN_PLAIN)
        return Meter698(address, seed=1, works=works, modes=modes, password=PASSWORD_698)
    return Meter(address, seed=1, works=works, passwords={2: PASSWORD, 4: PASSWORD})


def _is_698(address: str) -> bool:
    return address.startswith("2026")


def _works(address: str, control: CostControl) -> Works:
    wallet = Wallet(preset_cents=5_000, opened=True) if control.payment == "local" else None
    plate = Plate(address=address, meter_number=_number(address), customer_number=_customer(address))
    return Works(
        plate,
        seed=1,
        load=Load(mean_kw=Decimal("0.5")),
        since=TUESDAY - timedelta(days=1),
        control=control,
        wallet=wallet,
    )


def _number(address: str) -> str:
    return f"{int(NUMBER) + ADDRESSES.index(address):012d}"


def _customer(address: str) -> str:
    return f"{int(CUSTOMER) + ADDRESSES.index(address):012d}"


def _keys(folder: Path, address: str) -> dict[str, object]:
    keys: dict[str, object] = {"area": f"area{ADDRESSES.index(address)}"}
    if address in SHOPS:
        keys |= {"model": "generic-local-prepayment"}
    if _is_698(address):
        keys |= {"protocol": "dlt698.45"}
        if address in _IN_PLAIN:
            keys |= {"control_password": f"file:{folder / 'password698'}"}
    if address not in _IN_PLAIN:
        keys |= {"security": "lab", "control_password": None, "allow_plaintext_control": False}
    return keys
