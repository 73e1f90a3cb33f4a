"""Real processes: daemon, meters, security provider and broker; nobody who looks at them sees a secret.

A probe at a meter under a password, and payments into wallets of both protocols, proved by `metersim hsm`.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import shlex
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from meterlink.audit.keys import KEY_FILE
from meterlink.daemon.audited import JOURNAL_FILE
from meterlink.daemon.control_socket import SOCKET_FILE
from meterlink.model.payload import time_out
from meterlink.model.topics import ROOT
from meterlink.transports.mqtt import MqttConnector
from metersim.security.keys import LAB_ROOT, LabKeys, diversifier_of
from tests.support.gateway import METERLINK, Process, write_config
from tests.support.metersim_process import METERSIM
from tests.support.processes import LOOPBACK, announced
from tests.support.secret_search import Secrets
from tests.support.secret_town import note_exchange
from tests.support.servers import Mosquitto

pytestmark = pytest.mark.asyncio

PLAIN, SHOP_645, SHOP_698 = ADDRESSES = ("000000000161", "000000000162", "202611220001")
PASSWORD: Final = "482915"
PLANT: Final = f"""\
plant: street
lines:
  - name: old
    meters:
      - {{address: 161, profile: dlt645-2007/remote-cost-control, passwords: {{2: "{PASSWORD}"}},
         control: {{plain_orders: all}}}}
      - {{address: 162, profile: dlt645-2007/local-prepayment}}
  - name: new
    meters:
      - {{address: 202611220001, profile: dlt698.45/local-prepayment, password: "Lamp7Post"}}
"""
USED: Final = {
    "password",
    "ctx",
    "rand1",
    "cipher1",
    "rand2",
    "mac1",
    "mac2",
    "r1",
    "sign1",
    "session",
    "mac",
}
STEPS_MAX: Final = 6
PROVIDER: Final = "street-hsm"
PLANTED: Final = "an address and a name, which are no secrets"
PLACES: Final = {"socket", "mqtt", "stderr", "rows", "cli", JOURNAL_FILE, f"{JOURNAL_FILE}-wal"}


class Street:
    """All of it in one folder.

    Attributes:
        said: all that anybody can look at, by place.

    """

    def __init__(self, folder: Path, broker: Mosquitto) -> None:
        self.folder = folder
        self.said: dict[str, list[bytes]] = {place: [] for place in PLACES}
        self._broker = broker
        self._notes = folder / "asked.jsonl", folder / "answered.jsonl"

    def config(self, lines: list[dict[str, Any]]) -> Path:
        """Of the daemon, with the provider between two programs that write down what passes."""
        me = pwd.getpwuid(os.geteuid()).pw_name
        people = f'[[people]]\nname = "{me}"\nroles = ["clerk", "dispatcher", "field"]\n'
        people += 'senders = ["billing"]\n'
        for name, text in (("people.toml", people), ("password", PASSWORD)):
            (self.folder / name).write_text(text)
            (self.folder / name).chmod(0o600)
        asked, answered = (shlex.quote(str(path)) for path in self._notes)
        pipe = f"tee {asked} | {shlex.quote(METERSIM)} hsm | tee {answered}"
        path = write_config(
            self.folder,
            {line["url"]: line["meters"] for line in lines},
            mqtt_port=self._broker.port,
            protocols={lines[1]["url"]: "dlt698.45"},
        )
        text = path.read_text()
        for address in ADDRESSES:
            text = text.replace(f'id = "m{address}"\n', f'id = "m{address}"\n{self._keys(address)}')
        text += f'[control]\npeople = "{self.folder}/people.toml"\noperator_code = "20261124"\n'
        text += f'[[security_providers]]\nname = "{PROVIDER}"\ncommand = ["sh", "-c", {json.dumps(pipe)}]\n'
        path.write_text(f'{text}[log]\nlevel = "debug"\n')
        return path

    def _keys(self, address: str) -> str:
        keys = f'meter_number = "{address}"\ncustomer_number = "{address}"\nlab = true\narea = "east"\n'
        if address != PLAIN:
            return f'{keys}model = "generic-local-prepayment"\nsecurity = "{PROVIDER}"\n'
        keys += (
            'model = "generic-remote-cost-control"\nsecurity = "password"\nallow_plaintext_control = true\n'
        )
        return f'{keys}control_password = "file:{self.folder}/password"\nmotor_load = false\n'

    async def ask(self, op: str, **args: Any) -> Mapping[str, Any]:
        """What the control socket answers, errors too."""
        path = self.folder / "data" / SOCKET_FILE
        reader, writer = await asyncio.open_unix_connection(path, limit=2**20)
        writer.write(json.dumps({"id": "1", "op": op, "args": args}).encode() + b"\n")
        line = await reader.readline()
        writer.close()
        self.said["socket"].append(line)
        answer: Mapping[str, Any] = json.loads(line)
        return answer

    async def run(self, *words: str) -> None:
        """A command as people type it, with all that it prints."""
        command = [METERLINK, *words, "--config", str(self.folder / "meterlink.toml")]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        printed, _ = await process.communicate()
        self.said["cli"].append(printed)

    async def paid(self, address: str) -> str:
        """Somebody pays; the state in which the order ended."""
        record = {
            "kind": "payment",
            "id": f"p-{address}",
            "sender": "billing",
            "at": time_out(datetime.now(UTC)),
            "meter": f"m{address}",
            "customer": address,
            "amount_cents": 12_000,
            "settles": True,
        }
        answer = await self.ask("evidence.add", records=[record])
        (order,) = answer["result"]["records"][0]["orders"]
        shown = (await self.ask("order.show", id=order))["result"]
        while shown["is_open"]:
            step = len(shown["steps"])
            shown = (await self.ask("order.follow", id=order, step=step, wait_s=5))["result"]
        return str(shown["state"])

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Keep every message while the block lasts."""
        subscribed = asyncio.Event()

        async def listen() -> None:
            connector = MqttConnector(LOOPBACK, self._broker.port)
            async with connector.connect(client_id="ear", subscriptions=(f"{ROOT}/#",)) as port:
                subscribed.set()
                while True:
                    message = await port.receive()
                    self.said["mqtt"].append(f"{message.topic} ".encode() + message.payload)
                    await port.acknowledge(message)

        async with asyncio.TaskGroup() as group:
            ear = group.create_task(listen(), name="ear")
            await subscribed.wait()
            yield
            ear.cancel()

    def keep_files(self) -> None:
        """The rows of the journal, and its WAL, which is gone when the daemon has ended."""
        data = self.folder / "data"
        wal = f"{JOURNAL_FILE}-wal"
        self.said[wal].append((data / wal).read_bytes())
        with closing(sqlite3.connect(data / JOURNAL_FILE)) as journal:
            self.said["rows"] += [row.encode() for row in journal.iterdump()]

    def secrets(self) -> Secrets:
        """All that were in use."""
        secrets = Secrets()
        secrets.add_password("password", PASSWORD, level=2)
        secrets.add_password("password of 698", "Lamp7Post")
        secrets.add("root key", LAB_ROOT)
        for address in ADDRESSES:
            keys = LabKeys(diversifier_of(address))
            for name in ("auth", "control", "parameter", "wallet", "app698"):
                secrets.add(f"{name} key", getattr(keys, name))
        key = load_pem_private_key((self.folder / "data" / KEY_FILE).read_bytes(), password=None)
        assert isinstance(key, Ed25519PrivateKey)
        secrets.add("the gateway's key", key.private_bytes_raw())
        for path in self._notes:
            for line in path.read_bytes().splitlines():
                note_exchange(secrets, line)
        return secrets


def a_trip(order_id: str) -> dict[str, str]:
    """An order that the rules refuse: nobody was warned."""
    deadline_at = datetime.now(UTC).replace(microsecond=0) + timedelta(minutes=10)
    fields = dict.fromkeys(("payment", "case", "reference"), "")
    told = {"id": order_id, "kind": "trip", "meter": f"m{PLAIN}", "reason": "a test"}
    return {**fields, **told, "deadline_at": time_out(deadline_at)}


async def probed(street: Street) -> list[str]:
    """A walk of probes at the plain meter, as far as its first order; what is done of it."""
    stands = (await street.ask("qualify.begin", meter=f"m{PLAIN}"))["result"]
    for _ in range(STEPS_MAX):
        probe = stands["next"].get("probe", "")
        answer = await street.ask("qualify.step", id=stands["id"], confirmed=probe, wait_s=5)
        stands = answer["result"]
        if "alarm_on" in stands["done"]:
            break
    return list(stands["done"])


async def test_a_daemon_and_all_that_is_around_it(tmp_path: Path, mosquitto: Mosquitto) -> None:
    """Composed as in the field, a log, a message or an answer would show what a meter obeys."""
    street = Street(tmp_path, mosquitto)
    (tmp_path / "street.yaml").write_text(PLANT)
    command = [METERSIM, "run", str(tmp_path / "street.yaml")]
    with announced(command, tmp_path / "plant.log") as (_, ready):
        daemon = Process("run", street.config(ready["lines"]))
        async with street.listening():
            await asyncio.to_thread(daemon.start)
            try:
                done, *paid = await asyncio.gather(
                    probed(street),
                    street.paid(SHOP_645),
                    street.paid(SHOP_698),
                    street.run("order", "show", f"x-{SHOP_645}"),
                )
                await street.ask("order.create", order=a_trip(f"x-{SHOP_645}"))
                street.keep_files()
            finally:
                await asyncio.to_thread(daemon.terminate)
    street.said["stderr"].append(daemon.log.read_bytes())
    street.said[JOURNAL_FILE].append((tmp_path / "data" / JOURNAL_FILE).read_bytes())
    assert ["done", "done", None] == paid
    assert ["greeting", "alarm_on"] == done, "no password has left"
    secrets = street.secrets()
    assert secrets.names >= USED, "what was used is not known, so it was not searched for"
    secrets.add(PLANTED, bytes.fromhex(SHOP_645))
    secrets.add_password(PLANTED, PROVIDER)
    leaks = secrets.found_in({place: b"\n".join(parts) for place, parts in street.said.items()})
    assert PLACES == {leak.where for leak in leaks if leak.secret == PLANTED} & PLACES
    assert [] == [leak for leak in leaks if leak.secret != PLANTED]
