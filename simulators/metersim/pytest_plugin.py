"""The pytest plugin: simulated meters as fixtures, for anybody's tests.

pytest imports this module in every run on a machine that has the package, so it imports nothing but pytest
until a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from collections.abc import Generator

    from metersim.testing import PlantMaker, RunningMeter

SEED_MAX: Final = 2**63 - 1
_MAKER: Final = pytest.StashKey["PlantMaker"]()
_MARKER: Final = (
    "metersim(plant=None, *, address=None, over=None, **figures): the plant of `metersim_plant` and "
    "`metersim_meter` where the test names none: a plant file beside the test, or figures as meters=8; "
    "address: which of its meters is `metersim_meter`; over: tcp or pty"
)


def _seed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= SEED_MAX):
        raise pytest.UsageError(f"metersim seed {text!r}: write a whole number of 0 to {SEED_MAX}")
    return int(text)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the option and its twin in the ini file."""
    says = "seed of every simulated plant, in place of the plant's own"
    parser.getgroup("metersim").addoption("--metersim-seed", metavar="N", help=says)
    parser.addini("metersim_seed", says, default="")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and refuse a seed that is none before any test runs."""
    config.addinivalue_line("markers", _MARKER)
    _seed_of(config)


def _seed_of(config: pytest.Config) -> int | None:
    text = config.getoption("--metersim-seed") or config.getini("metersim_seed")
    return _seed(text) if text else None


def _marked(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any]]:
    """What the closest marker says: the plant, and everything else."""
    marker = request.node.get_closest_marker("metersim")
    if marker is None:
        return None, {}
    if len(marker.args) > 1:
        raise pytest.UsageError("the marker metersim takes one plant; the rest are keywords")
    return (marker.args[0] if marker.args else None), dict(marker.kwargs)


@pytest.fixture
def metersim_plant(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[PlantMaker]:
    """Makes plants of simulated meters, which end with the test.

    ``metersim_plant("plant.yaml")``, ``metersim_plant(meters=8, protocol="dlt698.45")`` and so on open their
    lines for any client, in sync and async tests; ``metersim_plant.simulated(...)`` is one in simulated time.
    """
    from metersim.testing import PlantMaker  # noqa: PLC0415  # who does not use it must not pay for it

    source, figures = _marked(request)
    figures.pop("address", None)
    maker = PlantMaker(
        request.node.nodeid,
        folder=request.path.parent,
        scratch=lambda: tmp_path_factory.mktemp("metersim"),
        source=source,
        over=figures.pop("over", None),
        figures=figures,
        seed=_seed_of(request.config),
    )
    request.node.stash[_MAKER] = maker
    try:
        yield maker
    finally:
        maker.close()


@pytest.fixture
def metersim_meter(request: pytest.FixtureRequest, metersim_plant: PlantMaker) -> RunningMeter:
    """A simulated meter on an open line, of the plant that the marker ``metersim`` names.

    Without a marker it is one meter of DL/T 645-2007 at a free port.
    """
    _, figures = _marked(request)
    return metersim_plant().meter(figures.get("address"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Put what there is to know about the plants of a test that failed under its report."""
    report = yield
    maker = item.stash.get(_MAKER, None)
    if maker is not None and report.failed and (text := maker.report()):
        report.sections.append(("metersim", text))
    return report
