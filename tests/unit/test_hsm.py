"""`metersim hsm` answers every line, says what is wrong without repeating it, and forgets in order."""

from __future__ import annotations

import json
import random
import socket
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metersim.security import provider as provider_room
from metersim.security.hsm import APDU_OCTETS_MAX, ID_CHARACTERS_MAX, LINE_OCTETS_MAX, OPERATIONS, Hsm, Lines
from metersim.security.provider import OPEN_MAX, LabProvider
from tests.support.lab_meter import CUSTOMER, DIVERSIFIER, METER, SERIAL, SHOWN, lab_module
from tests.support.metersim_process import METERSIM
from tests.support.processes import announced

DIV = DIVERSIFIER.hex().upper()
SECTION_7_1 = (
    "auth645 control645 param_mac645 param_enc645 wallet645 verify645 init698 verify698 protect698 open698 "
    "rand698 verify_read698 purse698 health"
)
AGAIN = {"ctx": "00" * 16, "rand2": "0BADC0DE"}
SESSION = {"session": "00" * 16}
MONEY = {"kind": "top_up", "amount": 10_000, "count": 5, "customer": CUSTOMER}


class Client:
    """Asks a provider in this process, as an adapter would over its pipe."""

    def __init__(self, seed: int = 1) -> None:
        self.told: list[str] = []
        self.hsm = Hsm(LabProvider(random.Random(seed).randbytes), told=self.told.append)

    def say(self, request: object) -> dict[str, Any]:
        octets = request if isinstance(request, bytes) else json.dumps(request).encode()
        return dict(json.loads(self.hsm.answer(octets)))

    def ask(self, op: str, **args: object) -> dict[str, Any]:
        answer = self.say({"id": 1, "op": op, "args": args})
        assert answer["ok"], answer
        return dict(answer["result"])

    def trouble(self, op: str, **args: object) -> dict[str, str]:
        answer = self.say({"id": 1, "op": op, "args": args})
        assert not answer["ok"]
        return dict(answer["error"])


def test_every_operation_of_the_interface_is_there() -> None:
    """A daemon that is configured for a site's adapter meets the same names here."""
    assert {*SECTION_7_1.split(), "close"} == set(OPERATIONS)


def test_health_names_the_laboratory() -> None:
    """The daemon refuses a provider of this name on every meter that is not marked for it."""
    assert {
        "name": "lab",
        "suite": "LAB-SM4",
        "suite_version": 1,
        "protocol_version": 1,
        "open": 0,
    } == Client().ask("health")


def test_a_control_of_645_over_the_protocol() -> None:
    """Authentication and trip, in the protocol's words, are taken by a meter."""
    client, module = Client(), lab_module()
    begun = client.ask("auth645", div=DIV)
    rand2, _ = module.identity.authenticate(
        bytes.fromhex(begun["cipher1"]), bytes.fromhex(begun["rand1"]), DIVERSIFIER, SHOWN
    )
    handle = {"ctx": begun["ctx"], "rand2": rand2.hex()}
    block = client.ask("control645", **handle, n1=0x1A, n2=0, expiry="2026-11-22T15:30:00")["block"]
    plain = module.identity.open_control(bytes.fromhex(block), SHOWN)
    assert (0x1A, 0, "261122153000") == (plain.n1, plain.n2, plain.expires.hex())
    macs = client.ask("wallet645", **handle, **MONEY)
    module.identity.check_money(10_000, 5, bytes.fromhex(macs["mac1"]), SHOWN)
    module.identity.check_customer(CUSTOMER, bytes.fromhex(macs["mac2"]), SHOWN)
    mac = client.ask("param_mac645", **handle, data="00005000")["mac"]
    module.identity.check_parameter(bytes.fromhex("00005000"), bytes.fromhex(mac), SHOWN)
    sealed = client.ask("param_enc645", **handle, di="04001003", data="00005000")
    module.identity.open_parameter(bytes.fromhex(sealed["cipher"]), bytes.fromhex(sealed["mac"]), SHOWN)
    given_out = module.identity.answer_mac(b"", b"\x01\x02", SHOWN).hex()
    assert {} == client.ask("verify645", **handle, apdu="", data="0102", mac=given_out)
    assert {} == client.ask("close", handle=begun["ctx"])
    assert "unknown_handle" == client.trouble("param_mac645", **handle, data="00")["code"]


def test_an_association_of_698_over_the_protocol() -> None:
    """CONNECT, an envelope both ways, money and a read with a random number, in the protocol's words."""
    client, module = Client(), lab_module()
    keys = {"key_state": 0, "div": DIV}
    begun = client.ask("init698", **keys, counter=15)
    data, sign = module.association.connect(
        bytes.fromhex(begun["cipher1"]), bytes.fromhex(begun["sign1"]), SHOWN
    )
    session = client.ask("verify698", **keys, r1=begun["r1"], data=data.hex(), sign=sign.hex())["session"]
    envelope = client.ask("protect698", session=session, level=4, task=8, apdu="0701")
    assert "4C414201" == envelope["sid"]
    purse = client.ask("purse698", session=session, **MONEY)
    module.association.check_purse(10_000, 5, CUSTOMER, mac=bytes.fromhex(purse["mac"]), shown=SHOWN)
    plain = client.ask("protect698", session=session, level=3, task=3, apdu="0701")
    assert plain["mac"] is None
    rn = client.ask("rand698")["rn"]
    mac = module.association.read_mac(bytes.fromhex(rn), b"\x85\x01").hex()
    assert {} == client.ask("verify_read698", meter=METER, rn=rn, data="8501", mac=mac)
    assert (
        "not_verified" == client.trouble("verify_read698", meter=METER, rn=rn, data="8502", mac=mac)["code"]
    )
    wrong = client.trouble("verify698", **keys, r1="00" * 16, data=data.hex(), sign=sign.hex())
    assert "not_verified" == wrong["code"]


def test_production_keys_are_never_pretended() -> None:
    """Whoever configured the laboratory for real meters must learn it before an order goes out."""
    for trouble in (
        Client().trouble("init698", key_state=1, div=DIV, counter=1),
        Client().trouble("verify698", key_state=1, div=DIV, r1="00" * 16, data="00" * 48, sign="00" * 4),
    ):
        assert "no_production_keys" == trouble["code"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", "bad_line"),
        (b"[]", "bad_line"),
        (b"\xff\xfe", "bad_line"),
        (b"[" * 60_000, "bad_line"),
        (b'{"op": "health"}', "bad_request"),
        (b'{"id": true, "op": "health"}', "bad_request"),
        (b'{"id": 1.5, "op": "health"}', "bad_request"),
        (b'{"id": 4294967296, "op": "health"}', "bad_request"),
        (b'{"id": -1, "op": "health"}', "bad_request"),
        (b'{"id": null, "op": "health"}', "bad_request"),
        (b'{"id": 1}', "unknown_op"),
        (b'{"id": 1, "op": ["health"]}', "unknown_op"),
        (b'{"id": 1, "op": "health", "args": {"more": 1}}', "bad_args"),
        (b'{"id": 1, "op": "health", "args": []}', "bad_args"),
        (b'{"id": 1, "op": "auth645"}', "bad_args"),
    ],
)
def test_lines_that_are_no_requests(line: bytes, code: str) -> None:
    """Each is answered, says what to do, and leaves the provider as it was."""
    client = Client()
    answer = client.say(line)
    assert (False, code) == (answer["ok"], answer["error"]["code"])
    assert answer["error"]["what"]
    assert answer["error"]["do"]
    assert 0 == client.ask("health")["open"]


@pytest.mark.parametrize(
    ("op", "args", "wrong"),
    [
        ("auth645", {"div": "00" * 7}, "div"),
        ("auth645", {"div": "00 " * 8}, "div"),
        ("auth645", {"div": 1}, "div"),
        ("control645", {**AGAIN, "n1": 256, "n2": 0, "expiry": "2026-11-22T15:30:00"}, "n1"),
        ("control645", {**AGAIN, "n1": True, "n2": 0, "expiry": "2026-11-22T15:30:00"}, "n1"),
        ("control645", {**AGAIN, "n1": 26, "n2": -1, "expiry": "2026-11-22T15:30:00"}, "n2"),
        ("control645", {**AGAIN, "n1": 26, "n2": 0, "expiry": "2026-11-31T15:30:00"}, "expiry"),
        ("control645", {**AGAIN, "n1": 26, "n2": 0, "expiry": "1999-11-22T15:30:00"}, "expiry"),
        ("control645", {**AGAIN, "n1": 26, "n2": 0, "expiry": None}, "expiry"),
        ("wallet645", {**AGAIN, **MONEY, "kind": "refund"}, "kind"),
        ("wallet645", {**AGAIN, **MONEY, "amount": 2**32}, "amount"),
        ("wallet645", {**AGAIN, **MONEY, "customer": "１２３４５６７８９０１２"}, "customer"),
        ("param_mac645", {**AGAIN, "data": "00" * 161}, "data"),
        ("init698", {"key_state": 0, "div": DIV, "counter": 0}, "counter"),
        ("protect698", {"session": "00" * 16, "level": 1, "task": 8, "apdu": "00"}, "level"),
        ("protect698", {"session": "00" * 16, "level": 4, "task": 12, "apdu": "00"}, "task"),
        (
            "protect698",
            {"session": "00" * 16, "level": 4, "task": 8, "apdu": "00" * (APDU_OCTETS_MAX + 1)},
            "apdu",
        ),
        ("purse698", {"session": "00" * 16, **MONEY, "kind": []}, "kind"),
    ],
)
def test_arguments_out_of_range(op: str, args: dict[str, object], wrong: str) -> None:
    """The error names the argument and what it should be, and never what it was."""
    trouble = Client().trouble(op, **args)
    assert ("bad_args", f"{wrong} is wrong or missing") == (trouble["code"], trouble["what"])
    assert trouble["do"].startswith(f"{wrong}: ")


def test_the_longest_apdu_fits_a_line() -> None:
    """The limits have to suit each other: a request within one must not fail at the other."""
    client, module = Client(), lab_module()
    begun = client.ask("init698", key_state=0, div=DIV, counter=15)
    data, sign = module.association.connect(
        bytes.fromhex(begun["cipher1"]), bytes.fromhex(begun["sign1"]), SHOWN
    )
    opened = client.ask("verify698", key_state=0, div=DIV, r1=begun["r1"], data=data.hex(), sign=sign.hex())
    args = {"session": opened["session"], "level": 4, "task": 3, "apdu": "AB" * APDU_OCTETS_MAX}
    assert (
        len(json.dumps({"id": "x" * ID_CHARACTERS_MAX, "op": "protect698", "args": args})) < LINE_OCTETS_MAX
    )
    assert client.ask("protect698", **args)["data"]


def test_lines_are_cut_and_bounded() -> None:
    """Lines come in pieces; one beyond the limit is thrown away to its end, and the next is read."""
    lines = Lines()
    longest, longer = b"a" * LINE_OCTETS_MAX, b"b" * (LINE_OCTETS_MAX + 1)
    assert [longest] == list(lines.feed(longest + b"\n"))
    assert [None, b"next"] == list(lines.feed(longer + b"\nnext\n"))
    assert [] == list(lines.feed(longer))
    assert [] == list(lines.feed(longer))
    assert [None, b"", b"next"] == list(lines.feed(b"end\n\nnext\nmore"))
    assert [b"more"] == list(lines.feed(b"\n"))
    assert [] == list(lines.end())
    assert [] == list(lines.feed(b"last"))
    assert ([b"last"], []) == (list(lines.end()), list(lines.end()))
    assert [] == list(lines.feed(longer))
    assert ([None], []) == (list(lines.end()), list(lines.end()))
    assert "line_too_long" == json.loads(Client().hsm.answer(None))["error"]["code"]
    assert b"" == Client().hsm.answer(b" \r")


@given(octets=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_line_is_answered_by_one(octets: bytes) -> None:
    """Rubbish must not end the process that a daemon's orders depend on."""
    answer = Client().hsm.answer(octets.replace(b"\n", b""))
    assert answer == b"" or (answer.count(b"\n") == 1 and not json.loads(answer)["ok"])


def test_handles_are_bounded_and_the_stalest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A daemon that closes nothing must not fill memory, and one that works must not lose its handle."""
    assert OPEN_MAX == 1024
    monkeypatch.setattr(provider_room, "OPEN_MAX", 3)
    client = Client()
    handles = [client.ask("auth645", div=DIV)["ctx"] for _ in range(3)]
    client.ask("param_mac645", ctx=handles[0], rand2="00000000", data="00")
    client.ask("auth645", div=DIV)
    assert 3 == client.ask("health")["open"]
    client.ask("param_mac645", ctx=handles[0], rand2="00000000", data="00")
    assert (
        "unknown_handle"
        == client.trouble("param_mac645", ctx=handles[1], rand2="00000000", data="00")["code"]
    )


def test_handles_of_645_open_nothing_of_698() -> None:
    """A handle is good for what it was given for."""
    client = Client()
    ctx = client.ask("auth645", div=DIV)["ctx"]
    assert "unknown_handle" == client.trouble("protect698", session=ctx, level=4, task=8, apdu="00")["code"]


def test_what_is_told_holds_no_secret() -> None:
    """The log of a provider stands on disks for years."""
    client = Client()
    begun = client.ask("auth645", div=DIV)
    client.ask("param_mac645", ctx=begun["ctx"], rand2="0BADC0DE", data="00005000")
    client.trouble("param_mac645", ctx="00" * 16, rand2="0BADC0DE", data="00005000")
    client.say(b'{"id": 1, "op": "SECRET"}')
    assert [
        "auth645: done",
        "param_mac645: done",
        "param_mac645: unknown_handle",
        "?: unknown_op",
    ] == client.told


# --- the process ---


def _run(*options: str, lines: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [METERSIM, "hsm", *options], input=lines, capture_output=True, text=True, timeout=15, check=False
    )


def test_the_process_answers_on_its_pipes() -> None:
    """An adapter is started as a child: answers alone on standard output, words on standard error."""
    request = json.dumps({"id": "a", "op": "auth645", "args": {"div": DIV}})
    done = _run("--seed", "1", "--verbose", lines=f"{request}\n{request}\nno request\n")
    first, second, third = map(json.loads, done.stdout.splitlines())
    assert ("a", True, "a", True) == (first["id"], first["ok"], second["id"], second["ok"])
    assert first["result"]["rand1"] != second["result"]["rand1"]
    assert "bad_line" == third["error"]["code"]
    assert 0 == done.returncode
    told = [f"metersim hsm: {line}" for line in ("auth645: done", "auth645: done", "?: bad_line")]
    assert told == done.stderr.splitlines()


@pytest.mark.parametrize("over", ["pipes", "stream"])
def test_a_last_line_needs_no_end(tmp_path: Path, over: str) -> None:
    """`printf '{...}' | metersim hsm` would give nothing, and say that all went well."""
    lines = '{"id":1,"op":"health"}\n{"id":2,"op":"health"}'
    if over == "pipes":
        done = _run(lines=lines)
        answers, rc = done.stdout, done.returncode
    else:
        with announced([METERSIM, "hsm", "--listen=127.0.0.1:0"], tmp_path / "log") as (_, ready):
            port = urlsplit(ready["url"]).port
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(lines.encode())
                client.shutdown(socket.SHUT_WR)
                with client.makefile() as answered:
                    answers, rc = answered.read(), 0
    assert ([(1, True), (2, True)], 0) == (
        [(answer["id"], answer["ok"]) for answer in map(json.loads, answers.splitlines())],
        rc,
    )


def test_another_root_gives_other_keys(tmp_path: Path) -> None:
    """A laboratory may keep its own keys; a file that holds none is refused without being shown."""
    root, wrong = tmp_path / "root", tmp_path / "wrong"
    root.write_text("ffeeddccbbaa99887766554433221100\n", encoding="utf-8")
    wrong.write_text("ffeeddccbbaa998877665544332211\n", encoding="utf-8")
    request = json.dumps({"id": 1, "op": "auth645", "args": {"div": DIV}}) + "\n"
    other = _run("--seed", "1", "--root-file", str(root), lines=request)
    one, two = Client(seed=1).ask("auth645", div=DIV), json.loads(other.stdout)["result"]
    assert (one["rand1"], True) == (two["rand1"], one["cipher1"] != two["cipher1"])
    refused = _run("--root-file", str(wrong), lines="")
    assert 2 == refused.returncode
    assert "holds no root key" in " ".join(refused.stderr.split())
    assert "ffee" not in refused.stderr


def test_the_process_listens(tmp_path: Path) -> None:
    """Several adapters may share one provider; a handle is good over each connection."""
    with announced([METERSIM, "hsm", "--listen=127.0.0.1:0"], tmp_path / "log") as (_, ready):
        port = urlsplit(ready["url"]).port
        answers = []
        for request in ({"id": 1, "op": "auth645", "args": {"div": DIV}}, {"id": 2, "op": "health"}):
            with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
                client.sendall(json.dumps(request).encode() + b"\n")
                with client.makefile() as answered:
                    answers.append(json.loads(answered.readline()))
    assert (True, 1) == (answers[0]["ok"], answers[1]["result"]["open"])


def test_a_place_that_is_none_is_refused() -> None:
    """Wrong arguments end with 2 and words."""
    done = _run("--listen", "nowhere", lines="")
    assert 2 == done.returncode
    assert "write HOST:PORT" in " ".join(done.stderr.split())


def test_serials_are_not_needed() -> None:
    """The lab meter's serial is a diversifier like any other."""
    assert Client().ask("init698", key_state=0, div=SERIAL, counter=1)["cipher1"]
