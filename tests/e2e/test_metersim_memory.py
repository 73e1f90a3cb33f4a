"""What a plant weighs: 10,000 meters have to fit into one process of 500 MB."""

from __future__ import annotations

from pathlib import Path

import pytest

from meterwire.dlt645 import ReadRequest, encode, to_frame
from tests.support.metersim_process import RunningMetersim, running_metersim
from tests.support.octets import plain_client

LIMIT_MB = 500
MANY = 10_000
PROTOCOLS = ("dlt645-2007", "dlt698.45")


def _megabytes(plant: RunningMetersim) -> float:
    status = Path(f"/proc/{plant.program.pid}/status").read_text()
    [line] = [row for row in status.splitlines() if row.startswith("VmRSS:")]
    return int(line.split()[1]) / 1024


def _poll(plant: RunningMetersim) -> None:
    """Ask every meter of the plant once."""
    for url, meters in zip(plant.urls, plant.meters, strict=True):
        with plain_client(url) as client:
            for address in meters:
                client.ask(encode(to_frame(ReadRequest(address=address, di=0x00010000))))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_meter_weighs_so_little_that_10000_fit(tmp_path: Path, protocol: str) -> None:
    """A plant of the size of a district would need a machine of its own; each meter weighs the same."""
    weights = []
    for meters in (1, 1000):
        folder = tmp_path / str(meters)
        folder.mkdir()
        options = (f"--meters={meters}", f"--protocol={protocol}", "--td-ms=0")
        with running_metersim(folder, *options) as plant:
            weights.append(_megabytes(plant))
    one, thousand = weights
    assert one + (thousand - one) * MANY / 1000 < LIMIT_MB


@pytest.mark.soak
@pytest.mark.timeout(180)
def test_10000_meters_that_were_all_read_fit(tmp_path: Path) -> None:
    """What meters keep of the questions of a day would grow without anybody seeing it."""
    with running_metersim(tmp_path, "--lines=100", "--meters=100", "--td-ms=0") as plant:
        _poll(plant)
        assert _megabytes(plant) < LIMIT_MB
        assert MANY == len(plant.answers())
