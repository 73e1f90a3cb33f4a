"""Objects of DL/T 698.45 for people: the listing of items, and values in an explained frame."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from meterlink.cli import app
from meterlink.explain.dlt698_objects import measured, object_words, place_of
from meterwire.dlt698.data import data_from_octets
from meterwire.dlt698.selection import Oad, Omd
from meterwire.dlt698.values import NULL, Data

_FREEZE = (
    "6848 00C3 0501000000000010 FD92 85030A50040200 02 0020210200 0000100200 0101 1C07E90A1F000000"
    "0105060000BC6106000027100600002710060000 4E2006000036D1 0000 008B16"
)


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


def test_an_explained_freeze_has_names_and_units() -> None:
    """A person who looks at a capture would see raw numbers."""
    arguments = ["decode", "--protocol", "dlt698.45", "--lang", "zh", _FREEZE]
    outcome = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
    assert 0 == outcome.exit_code, outcome.output
    squeezed = "".join(outcome.output.split())
    for words in ("日冻结", "482.25kWh正向有功电能", "费率4"):
        assert words in squeezed


@pytest.mark.parametrize(("of", "en"), [
    (Oad.of("00100201"), "forward active energy"),
    (Oad.of("00102201"), "forward active energy (start)"),
    (Oad.of("60120200"), "collection tasks: tasks"),
    (Omd.of("80008100"), "remote control: trip"),
    (Oad.of("12340200"), ""),
])  # fmt: skip
def test_objects_have_words(of: Oad | Omd, en: str) -> None:
    """An explained request would not say what is asked."""
    assert en == object_words(of).en


def test_values_are_told_with_what_they_are() -> None:
    """A status word would be shown as bits that nobody can read, or a value as another one."""
    word = measured(place_of(Oad.of("20140203")), data_from_octets(bytes.fromhex("04100A00")))
    assert word is not None
    assert "0050H meter status word 3: relay contact open, last command was trip" == word.en
    assert None is measured(place_of(Oad.of("00100201")), NULL)
    assert None is measured(place_of(Oad.of("00100201")), Data("octet-string", b"1"))
    assert None is measured(None, NULL)
