"""``meterlink case`` as people type it, at a real control socket."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from meterlink.cli.case_ask import STATES, VERBS
from meterlink.orders.cases.machine import CaseSignal, CaseState
from tests.e2e.test_order_commands import Town
from tests.support.order_gateway import document
from tests.support.rules import chain, without

pytestmark = pytest.mark.asyncio

_CREATE = ("case", "create", "c-1", "--meter", "m7", "--reason", "arrears of May")


async def _warned(town: Town) -> None:
    """Everything up to a served notice."""
    kept = without(chain(datetime.now(UTC)), "f1")
    lines = "\n".join(json.dumps(document(one.record.body, "m7", "000012345678")) for one in kept)
    assert 0 == (await town.say("billing", "evidence", "import", "-", stdin=lines)).exit_code


async def test_a_case_from_its_beginning_to_a_no(tmp_path: Path) -> None:
    """People could not begin, look at, or end a case, or would not be told why something is kept back."""
    town = Town(tmp_path)
    async with town.open():
        early = await town.say("clara", *_CREATE, "--lang", "en")
        assert (8, True) == (early.exit_code, "CTRL-01: no balance statement" in early.output)
        await _warned(town)
        assert 8 == (await town.say("anna", *_CREATE)).exit_code
        begun = await town.say("clara", *_CREATE, "--lang", "zh")
        assert 0 == begun.exit_code
        for words in ("待审批", "预警已送达", "暂不继续", "CTRL-09"):
            assert words in begun.output
        again = json.loads((await town.say("clara", *_CREATE, "--json")).output)
        assert ("pending_approval", 4) == (again["state"], len(again["steps"]))
        other = ("case", "create", "c-1", "--meter", "m7", "--reason", "another")
        assert 8 == (await town.say("clara", *other)).exit_code
        approve = await town.say("anna", "case", "approve", "c-1", "--lang", "en")
        assert (8, True) == (approve.exit_code, "CTRL-09" in approve.output)
        listed = json.loads((await town.say("anna", "case", "list", "--json")).output)
        assert ["c-1"] == [case["id"] for case in listed["cases"]]
        no = await town.say("anna", "case", "reject", "c-1", "--reason", "wrong address", "--lang", "en")
        assert (0, True) == (no.exit_code, "wrong address" in no.output)
        late = await town.say("clara", "case", "cancel", "c-1", "--reason", "x")
        assert 8 == late.exit_code
        assert "no cases\n" == (await town.say("clara", "case", "list", "--lang", "en")).output
        everything = await town.say("clara", "case", "list", "--all", "--meter", "m7", "--lang", "en")
        assert "c-1  m7  rejected" in everything.output


async def test_what_is_not_there_is_a_wrong_argument(tmp_path: Path) -> None:
    """A program could not tell a typing error from a no."""
    town = Town(tmp_path)
    async with town.open():
        assert 2 == (await town.say("clara", "case", "show", "c-9")).exit_code
        nowhere = ("case", "create", "c-1", "--meter", "m9", "--reason", "x")
        assert 2 == (await town.say("clara", *nowhere)).exit_code
        assert 2 == (await town.say("clara", "case", "create", "a b", *_CREATE[3:])).exit_code
    assert 10 == (await town.say("clara", "case", "list")).exit_code


async def test_every_state_and_step_has_words() -> None:
    """A command would end in an error of the program where a case came into that state."""
    assert list(CaseState) == list(STATES)
    assert list(CaseSignal) == list(VERBS)
