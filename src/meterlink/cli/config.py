"""``meterlink config``: look at a configuration before it is used."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.options import FIRST_CONFIG, AsJson, Config
from meterlink.cli.saying import say

if TYPE_CHECKING:
    from pathlib import Path

    from meterlink.config import PlanSettings, Settings
    from meterlink.drivers.profiles import MeterProfiles

app = typer.Typer(no_args_is_help=True, help="Check a configuration, or print a first one. 配置检查。")

_FIRST = """\
# A first meterlink.toml. Only [[meters]] is needed; `meterlink config check` names any fault.

[gateway]
id = "gateway-1"
site = "my-site"

[[meters]]
id = "kitchen"                       # your name for the meter
address = "000000000161"             # as on its nameplate, in quotes
line = "serial:///dev/ttyUSB0?baud=2400&parity=even"   # or tcp://serial-server:5000
# model = "DDZY1234"                 # as on its nameplate: its profile, if there is one, says how it differs

[[plans]]
every_s = 60
items = ["forward_active_energy", "voltage.*", "current.*", "active_power"]

[[plans]]
class = "daily_freeze"               # what each meter froze at midnight; asked for until it is there
items = ["forward_active_energy.*"]

# [mqtt]                             # without it: an embedded broker on loopback
# url = "mqtt://broker.example:1883"
# username = "gateway-1"
# password = "env:METERLINK_MQTT_PASSWORD"

# [influx]                           # without it: line-protocol files
# url = "http://influx.example:8086"
# org = "meterlink"
# bucket = "meterlink"
# token = "file:/etc/meterlink/influx-token"
"""


@app.command()
def check(
    config: Config = FIRST_CONFIG,
    as_json: AsJson = False,
    before_start: Annotated[
        bool,
        typer.Option(
            "--before-start",
            help="Only what keeps the daemon from starting is a fault: with a wrong file of people or "
            "holidays it reads meters and cuts nobody off.",
        ),
    ] = False,
) -> None:
    """Say whether a configuration is good; each fault with file, line and remedy.

    \b
    Examples:
      meterlink config check --config meterlink.toml
      meterlink config check --before-start
    """
    from meterlink.cli.config_roster import rostered
    from meterlink.clock import SystemClock
    from meterlink.config import load_settings
    from meterlink.daemon.event_loop import loop_maker
    from meterlink.daemon.programs import connector_of, web_of
    from meterlink.daemon.settings_check import check_items, profiles_of
    from meterlink.errors import MeterlinkError

    try:
        settings, roster = rostered(load_settings(config))
        profiles = profiles_of(settings)
        check_items(settings, SystemClock(), profiles)
        settings.check_secrets()
        control_fault = _check_control(settings, profiles, before_start=before_start)
        web_of(settings)
        loop_maker(settings.gateway.event_loop)
        if settings.mqtt:
            connector_of(settings.mqtt)  # it reads the certificate authority; nothing is connected
    except MeterlinkError as error:
        if as_json:
            say(json.dumps({"ok": False, "faults": str(error).splitlines()}, ensure_ascii=False))
        else:
            say(str(error), err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    facts = _facts(settings, profiles, roster, _control_in_words(settings, control_fault))
    if as_json:
        say(json.dumps(facts, ensure_ascii=False))
        return
    _show(config, settings, profiles, facts)


def _facts(settings: Settings, profiles: MeterProfiles, roster: str, control: str) -> dict[str, Any]:
    """What a good configuration comes to."""
    from meterlink.config import data_dir

    return {
        "ok": True,
        "meters": len(settings.meters),
        "roster": roster,
        "profiles": Counter(profiles.find(meter.protocol, meter.model).name for meter in settings.meters),
        "lines": [line.url for line, _ in settings.meters_by_line()],
        "listens": settings.terminals_by_endpoint(),
        "plans": {plan.name: plan.every_s for plan in settings.plans},
        "data_dir": str(data_dir(settings)),
        "broker": settings.mqtt.url if settings.mqtt else "embedded",
        "database": settings.influx.url if settings.influx else "line-protocol files",
        "api": [str(one) for one in (settings.web.listen, settings.web.socket) if one]
        if settings.web
        else [],
        "control": control,
    }


def _show(config: Path, settings: Settings, profiles: MeterProfiles, facts: dict[str, Any]) -> None:
    """The same for people."""
    say(f"{config}: good 配置正确")
    plans = [_plan_in_words(settings, plan, profiles) for plan in settings.plans]
    served = [f"{name} for {count}" for name, count in facts["profiles"].items()]
    listens = [
        f"{endpoint} for {', '.join(terminals)}"
        for endpoint, terminals in settings.terminals_by_endpoint().items()
    ] or ["no (no line is listen://)"]
    api = facts["api"] or ["none: nobody can pull ([web])"]
    in_words = {"plans": plans, "profiles": served, "listens": listens, "api": api}
    for key, value in list({**facts, **in_words}.items())[1:]:
        say(f"  {key}: {', '.join(value) if isinstance(value, list) else value}")


def _check_control(settings: Settings, profiles: MeterProfiles, *, before_start: bool) -> str:
    """What the orders read at start: whose meters they are, people and holidays.

    Returns:
        what is wrong with one of these files, where the daemon starts with it; empty: nothing.

    """
    from meterlink.cli.alone import people_of
    from meterlink.errors import ConfigError
    from meterlink.orders.limits.calendar import Calendar
    from meterlink.roster.roster import Roster

    Roster.of(settings, profiles)
    fault = ""
    try:
        people_of(settings)
        if settings.control:
            Calendar.of(settings.control, settings.gateway.plant_time)
    except ConfigError as error:
        if not before_start:
            raise
        fault = str(error)
    return fault


def _control_in_words(settings: Settings, fault: str) -> str:
    if fault:
        return f"nobody is cut off until this is right: {fault}"
    return "as [control] allows" if settings.control else "none: no order leaves"


def _plan_in_words(settings: Settings, plan: PlanSettings, profiles: MeterProfiles) -> str:
    from meterlink.clock import SystemClock
    from meterlink.daemon.settings_check import passed_by
    from meterlink.model.data_classes import INSTANT

    words = f"{plan.name} every {plan.every_s} s"
    if plan.data_class != INSTANT:
        words += f" ({plan.data_class}; the meters' clocks show {settings.gateway.zone})"
    if left_out := len(passed_by(settings, plan, SystemClock(), profiles)):
        words += f", passes by {left_out} of {len(settings.meters)} meters: their protocol has none"
    return words


@app.command()
def example() -> None:
    """Print a first configuration with comments.

    \b
    Example:
      meterlink config example > meterlink.toml
    """
    say(_FIRST, nl=False)
