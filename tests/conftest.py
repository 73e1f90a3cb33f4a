"""What every test finds."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.support.scratch import settle_in_memory

pytest_plugins = ["tests.support.server_fixtures"]

# No test is timed: how long an example takes says how busy the machine is. The limit of 20 s a test remains.
# Every run draws other examples, so few a run come to many; `make properties` tries many at once.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("meterlink", _UNTIMED, max_examples=50)
settings.register_profile("many", _UNTIMED, max_examples=1_000)
settings.load_profile("meterlink")
settle_in_memory()


@pytest.hookimpl(hookwrapper=True)
def pytest_collection() -> Iterator[None]:
    """Nothing that is collected is garbage; to look for some was a third of the time."""
    gc.disable()
    yield
    gc.enable()


def pytest_collection_finish() -> None:
    """Tests by the ten thousand stay until the end: no collection of garbage need look at them each time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def _state_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A journal that somebody keeps where a daemon without a `data_dir` keeps one is not looked into."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        environment.delenv("STATE_DIRECTORY", raising=False)
        yield
