"""``meterlink config``: look at a configuration before it is used."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import chosen
from meterlink.cli.options import FIRST_CONFIG, AsJson, Config, Language
from meterlink.cli.saying import say

if TYPE_CHECKING:
    from meterlink.config import Settings
    from meterlink.drivers.profiles import MeterProfiles
    from meterlink.errors import ConfigError, MeterlinkError

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
    lang: Language = None,
) -> None:
    """Say whether a configuration is good; each fault with file, line and remedy.

    \b
    Examples:
      meterlink config check --config meterlink.toml
      meterlink config check --before-start
      meterlink config check --lang zh
    """
    from meterlink.cli.config_roster import rostered
    from meterlink.cli.config_shown import facts_of, show
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
            say(json.dumps({"ok": False, "faults": _line_by_line(error)}, ensure_ascii=False))
        else:
            say(error.said(chosen(lang)), err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    if as_json:
        say(json.dumps(facts_of(settings, profiles, roster, control_fault), ensure_ascii=False))
        return
    show(config, settings, profiles, roster, control_fault, chosen(lang))


def _line_by_line(error: MeterlinkError) -> list[dict[str, str]]:
    """Each fault in both languages."""
    lines = str(error).splitlines()
    zh = error.said("zh").splitlines()
    if len(zh) != len(lines):  # a foreign word that holds the end of a line: the fault stays whole
        return [{"en": str(error), "zh": error.said("zh")}]
    return [{"en": en, "zh": chinese} for en, chinese in zip(lines, zh, strict=True)]


def _check_control(settings: Settings, profiles: MeterProfiles, *, before_start: bool) -> ConfigError | None:
    """What the orders read at start: whose meters they are, people and holidays.

    Returns:
        what is wrong with one of these files, where the daemon starts with it; ``None``: nothing.

    """
    from meterlink.cli.alone import people_of
    from meterlink.errors import ConfigError
    from meterlink.orders.limits.calendar import Calendar
    from meterlink.roster.roster import Roster

    Roster.of(settings, profiles)
    try:
        people_of(settings)
        if settings.control:
            Calendar.of(settings.control, settings.gateway.plant_time)
    except ConfigError as error:
        if not before_start:
            raise
        return error
    return None


@app.command()
def example() -> None:
    """Print a first configuration with comments.

    \b
    Example:
      meterlink config example > meterlink.toml
    """
    say(_FIRST, nl=False)
