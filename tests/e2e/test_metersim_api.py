"""`metersim run --api` as somebody's CI uses it: a process, a port, and plain HTTP."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from meterwire.dlt645 import encode, to_frame
from meterwire.dlt645.messages.control import ControlRequest
from tests.support.head_end645 import OPERATOR, wire_time
from tests.support.metersim_process import METERSIM
from tests.support.octets import plain_client
from tests.support.processes import announced, request

METER = "000000000161"
TRIP = 0x1A


def _order(command: int) -> bytes:
    expires = wire_time(datetime.now(UTC) + timedelta(minutes=5))
    order = ControlRequest(
        address=METER,
        level=2,
        password="000000",
        operator_code=OPERATOR,
        command=command,
        expires=expires,
    )
    return encode(to_frame(order), preamble=4)


def _asserted(api: str, **what: Any) -> tuple[int, Any]:
    body = json.dumps({"meter": METER, **what}).encode()
    status, text = request(f"{api}/v1/assertions", body, content_type="application/json")
    return status, json.loads(text)


def test_a_second_trip_is_found(tmp_path: Path) -> None:
    """A head-end that sends a trip twice would pass its test."""
    command = [METERSIM, "run", "--first-address=161", "--td-ms=0", "--api=127.0.0.1:0"]
    with announced(command, tmp_path / "run.log") as (program, ready):
        api = ready["api"]
        assert api.startswith("http://127.0.0.1:")
        with plain_client(ready["lines"][0]["url"]) as client:
            client.ask(_order(TRIP))
            assert (200, 1) == (
                (found := _asserted(api, obeyed="trip", times=1))[0],
                found[1]["seen"]["times"],
            )
            client.ask(_order(TRIP))
        status, problem = _asserted(api, obeyed="trip", times=1)
        assert (409, 2, [1, 2]) == (
            status,
            problem["seen"]["times"],
            [control["number"] for control in problem["seen"]["controls"]],
        )
        status, text = request(f"{api}/v1/lines")
        assert (200, ready["lines"][0]["url"]) == (status, json.loads(text)[0]["url"])
        status, text = request(f"{api}/v1/calls")
        assert (200, 2) == (status, len(json.loads(text)))
        status, text = request(f"{api}/openapi.json")
        assert (200, "/v1/assertions") == (
            status,
            next(p for p in json.loads(text)["paths"] if "assert" in p),
        )
        program.stop()
        assert 0 == program.exit_code


def test_a_plant_file_asks_for_its_api(tmp_path: Path) -> None:
    """`api:` in a plant file would be read and forgotten."""
    (tmp_path / "p.yaml").write_text("plant: east\napi: '[::1]:0'\nlines: [{at: listen}]\n")
    with announced([METERSIM, "run", str(tmp_path / "p.yaml")], tmp_path / "run.log") as (_, ready):
        assert ready["api"].startswith("http://[::1]:")
        status, text = request(f"{ready['api']}/v1/plant")
        assert (200, "east") == (status, json.loads(text)["plant"])


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    """Two plants in one CI job would leave a stack trace."""
    with announced([METERSIM, "run", "--api=127.0.0.1:0"], tmp_path / "run.log") as (_, ready):
        place = ready["api"].removeprefix("http://")
        ended = subprocess.run(
            [METERSIM, "run", f"--api={place}"], capture_output=True, text=True, check=False, timeout=10
        )
    assert (1, "") == (ended.returncode, ended.stdout)
    assert ended.stderr.startswith("metersim: ")
    assert "Traceback" not in ended.stderr
