"""`metersim run --api`: where it may wait, and that nobody pays for it who does not want it."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from metersim.api.app import bare_application
from metersim.cli import app
from metersim.cli.api import ApiPlace, api_place, both
from metersim.plant.plant import read_plant

WEB = {"fastapi", "starlette", "uvicorn"}


@pytest.mark.parametrize(
    "program",
    [
        "import metersim",
        "from metersim.cli import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass",
        "from meterlink.cli import app\ntry:\n    app(['--help'])\nexcept SystemExit:\n    pass",
    ],
)
def test_the_web_is_loaded_for_nobody_else(program: str) -> None:
    """Who did not install the extra could run nothing; completion would take a second at each key."""
    end = "sys.exit(f'loaded: {web}' if web else 0)"
    program = f"import sys\n{program}\nweb = {WEB} & set(sys.modules)\n{end}\n"
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (0, "") == (run.returncode, run.stderr)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--api", "0.0.0.0:0"], "--api-anywhere"),
        (["--api", "[::]:0"], "--api-anywhere"),
        (["--api", "here"], "write HOST:PORT"),
        (["--api", "127.0.0.1:65536"], "at most 65535"),
        (["--api-anywhere"], "goes with --api"),
    ],
)
def test_where_an_api_may_not_wait(options: list[str], words: str) -> None:
    """Somebody's network could change the plant, which asks for no password."""
    ended = CliRunner().invoke(app, ["run", *options], env={"COLUMNS": "300"})
    assert 2 == ended.exit_code
    assert words in re.sub(r"[\s│]+", " ", ended.stderr)


def test_who_has_not_the_extra_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack trace would tell of a module that nobody knows."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(ValueError, match=r"the extra web .*\(uvicorn\).*pip install 'meterlink\[web\]'"):
        api_place("127.0.0.1:0", anywhere=False)


def test_where_an_api_waits() -> None:
    """It would wait where nobody asked it to."""
    assert api_place("", anywhere=False) is None
    assert ApiPlace("127.0.0.1", 0, False) == api_place("127.0.0.1:0", anywhere=False)
    assert ApiPlace("::1", 80, False) == api_place("[::1]:80", anywhere=False)
    assert ApiPlace("0.0.0.0", 80, True) == api_place("0.0.0.0:80", anywhere=True)
    with pytest.raises(ValueError, match="HOST:PORT"):
        read_plant("api: here\n", "plant.yaml")


def test_two_are_told() -> None:
    """Either the list of answers or the API would miss what happens."""
    heard: list[tuple[str, int]] = []

    def first(number: int) -> None:
        heard.append(("first", number))

    def second(number: int) -> None:
        heard.append(("second", number))

    assert (None, first, second) == (both(None, None), both(first, None), both(None, second))
    told = both(first, second)
    assert told is not None
    told(5)
    assert [("first", 5), ("second", 5)] == heard


def test_the_openapi_is_whole() -> None:
    """A client made from it would not know how an endpoint refuses."""
    found = bare_application().openapi()
    names = re.findall(r'"#/components/schemas/([^"]+)"', str(found).replace("'", '"'))
    assert set(names) <= found["components"]["schemas"].keys()
    for path, methods in found["paths"].items():
        for method, endpoint in methods.items():
            problem = endpoint["responses"]["422"]["content"]
            assert ["application/problem+json"] == [*problem], (method, path)
            assert endpoint["summary"], (method, path)
            assert endpoint["description"], (method, path)
    assert "HTTPValidationError" not in found["components"]["schemas"]
