"""Objects of DL/T 698.45 for people: the listing of items, and values in an explained frame."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.explain.dlt698_objects import item_words, measured, object_words
from meterwire.dlt698.axdr.data import data_from_octets
from meterwire.dlt698.axdr.selection import Oad, Omd


def test_items_are_listed_by_either_name() -> None:
    """A person could not find out what a 698.45 meter can be asked for."""
    outcome = CliRunner().invoke(app, ["items", "--protocol", "dlt698.45", "--search", "电压", "--json"])
    assert 0 == outcome.exit_code
    found = {line["item"]: line for line in map(json.loads, outcome.output.splitlines())}
    assert ("20000200", "V", "1-0:12.7.0") == tuple(found["voltage.*"][key] for key in ("di", "unit", "obis"))
    assert {"total_and_phase": "0-3"} == found["voltage_pass_rate"]["slots"]
    whole = CliRunner().invoke(app, ["items", "--protocol", "dlt698.45", "--search", "5004", "--lang", "en"])
    assert "5004" in whole.output
    assert 1 == CliRunner().invoke(app, ["items", "--protocol", "dlt698.45", "--search", "没有"]).exit_code


def test_dialects_are_those_of_dlt645() -> None:
    """A dialect that means nothing would be taken without a word."""
    outcome = CliRunner().invoke(app, ["items", "--protocol", "dlt698.45", "--dialect", "standard"])
    assert 2 == outcome.exit_code


def test_an_explained_status_word_says_what_is_set() -> None:
    """A person who looks at a capture would see bits that nobody can read."""
    (value,) = measured(Oad.of("20140203"), data_from_octets(bytes.fromhex("04100A00")))
    assert value is not None
    assert " = 0050H, meter status word 3: relay contact open, last command was trip" == item_words(value).en
    assert item_words(value).zh.endswith("：继电器断开、继电器命令状态为断")


@pytest.mark.parametrize(("of", "en"), [
    (Oad.of("00100201"), "forward active energy [1]"),
    (Oad.of("60120200"), "collection tasks: tasks"),
    (Omd.of("80008100"), "remote control: trip"),
    (Oad.of("12340200"), ""),
])  # fmt: skip
def test_objects_have_words(of: Oad | Omd, en: str) -> None:
    """An explained request would not say what is asked."""
    assert en == object_words(of).en
