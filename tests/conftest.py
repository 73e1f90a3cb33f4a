"""What every test finds."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.support.server_fixtures"]

# No test is timed: how long an example takes says how busy the machine is. The limit of 20 s a test remains.
settings.register_profile("meterlink", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("meterlink")
