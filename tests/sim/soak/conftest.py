"""What is said less for a soak is said again afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def _speaking() -> Iterator[None]:
    """Tests behind these look at what the gateway says."""
    yield
    structlog.reset_defaults()
