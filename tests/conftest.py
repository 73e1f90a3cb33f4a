"""What every test finds."""

from __future__ import annotations

pytest_plugins = ["tests.support.server_fixtures"]
