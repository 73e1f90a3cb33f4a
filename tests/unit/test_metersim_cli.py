"""The options of ``metersim``: what it says to wrong ones, and to a newcomer."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from metersim import SimClock
from metersim.cli import app
from metersim.plant.built import BuiltPlant
from metersim.plant.figures import Figures
from metersim.plant.plant import LINES_MAX
from metersim.plant.rows import ADDRESS_MAX, METERS_MAX


@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--meters=0"], "meters on a line"),
        (["--meters=10001"], "meters"),
        (["--meters=101", "--lines=100"], "meters in all"),
        (["--lines=0"], "lines"),
        (["--lines=257"], "lines"),
        (["--growth-kw=-1"], "growth"),
        (["--growth-kw=NaN"], "number of kW"),
        (["--growth-kw=much"], "number of kW"),
        (["--growth-kw=\uff11"], "number of kW"),
        (["--first-address=-1"], "first address"),
        (["--first-address=999999999998", "--meters=2"], "last address"),
        (["--td-ms=-1"], "reply delay"),
        (["--garbage=2"], "garbage"),
        (["--tcp=127.0.0.1"], "HOST:PORT"),
        (["--tcp=127.0.0.1:x"], "HOST:PORT"),
        (["--tcp=127.0.0.1:65536"], "65535"),
        (["--tcp=127.0.0.1:65535", "--lines=2"], "65535"),
        (["--tcp=127.0.0.1:0", "--pty"], "choose one"),
        (["--link=/tmp/x"], "--pty"),
        (["--nonsense"], "--nonsense"),
        (["--protocol=dlt698"], "dlt698.45"),
        (["--dial=127.0.0.1:1"], "dlt698.45"),
        (["--login"], "dlt698.45"),
        (["--protocol=dlt698.45", "--dial=127.0.0.1:1", "--tcp=127.0.0.1:0"], "choose one"),
        (["--protocol=dlt698.45", "--dial=127.0.0.1"], "--dial 127.0.0.1: write HOST:PORT"),
        (["--protocol=dlt698.45", "--login", "--pty"], "--login goes with --tcp"),
        (["--protocol=dlt698.45", "--login", "--dial=127.0.0.1:1"], "--login goes with --tcp"),
        (["--protocol=dlt698.45", "--login", "--heartbeat-s=0"], "65535"),
        (["--protocol=dlt698.45", "--login", "--heartbeat-s=65536"], "65535"),
        (["--protocol=dlt698.45", "--first-block=2"], "0 or 1"),
        (["--profile=nonsense"], "no profile is called 'nonsense'"),
        (["--profile=/nonsense.yaml"], "cannot be read"),
    ],
)
def test_a_wrong_option_is_said(options: list[str], word: str) -> None:
    """A plant other than the one that was meant would be tested."""
    ended = CliRunner().invoke(app, ["run", *options])
    assert 2 == ended.exit_code
    assert word in " ".join(ended.stderr.split())
    assert "" == ended.stdout


def test_a_plant_takes_its_limits() -> None:
    """A limit that refuses its own figure is another limit than the one that is documented."""
    assert METERS_MAX == len([*Figures(meters=METERS_MAX).plant().meters()])
    assert LINES_MAX == len(Figures(lines=LINES_MAX).plant().lines)
    assert ["999999999998"] == [
        meter.address for meter in Figures(first_address=ADDRESS_MAX).plant().meters()
    ]


def test_lines_share_no_address() -> None:
    """Two meters of a plant could not be told apart in its list of answers."""
    plant = Figures(lines=3, meters=4, first_address=161, garbage=2).plant()
    built = BuiltPlant(plant, clock=SimClock(), record=lambda _: None)
    assert [f"{address:012d}" for address in range(161, 173)] == [*built.meters]
    assert ["000000000167", "000000000168"] == built.garbage("line-2")


def test_help_and_version() -> None:
    """A newcomer who asks the program itself would get no answer."""
    ended = CliRunner().invoke(app, ["run", "--help"])
    assert 0 == ended.exit_code
    assert "metersim run --meters 8 --tcp 127.0.0.1:6450 --answers answers.jsonl" in ended.stdout
    assert CliRunner().invoke(app, ["--version"]).stdout.startswith("metersim 0.")
