"""``meterlink run`` and ``meterlink ingest``: the two programs that stay."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import spoken
from meterlink.cli.options import FIRST_CONFIG, Config
from meterlink.cli.saying import say

if TYPE_CHECKING:
    from meterlink.config import Settings


def run(config: Config = FIRST_CONFIG) -> None:
    """Read the meters, keep every reading, publish it. The daemon. 运行采集。

    Prints one line of JSON when it is ready, and its log on standard error. SIGTERM and Ctrl-C end it in
    order: exchanges in hand are finished, what has been kept is published. SIGHUP reads the configuration
    again and changes what it concerns, or says why not and goes on with the old one.

    \b
    Examples:
      meterlink run --config meterlink.toml
      METERLINK_GATEWAY__ID=gateway-7 meterlink run -c /etc/meterlink/meterlink.toml

    \b
    Exit codes: 0 ended in order; 1 crashed; 2 wrong configuration; 5 a port that terminals dial cannot be
    opened; 7 the journal cannot be opened.
    """
    from functools import partial

    from meterlink.cli.logs import set_up_logs
    from meterlink.config import load_settings
    from meterlink.daemon.heap import share_heap
    from meterlink.daemon.programs import run_daemon

    share_heap()
    reread = partial(load_settings, config)
    _stay(config, partial(run_daemon, reread=reread, relog=lambda log: set_up_logs(log.level, log.format)))


def ingest(config: Config = FIRST_CONFIG) -> None:
    """Take readings from the broker and write them to the database. 入库。

    Its own process, on this machine or another. The configuration names a broker (table mqtt), and tells the
    daemon to leave the ingest to us (table ingest: in_daemon = false). Start it before the daemon: a broker
    keeps nothing for a subscriber that it has never seen.

    \b
    Example:
      meterlink ingest --config meterlink.toml

    \b
    Exit codes: 0 ended in order; 1 crashed; 2 wrong configuration; 7 its state file cannot be opened.
    """
    from meterlink.daemon.heap import share_heap
    from meterlink.daemon.programs import run_ingest

    share_heap()
    _stay(config, run_ingest)


def _stay(config: Path, program: Callable[[Settings, Callable[[dict[str, Any]], None]], None]) -> None:
    from meterlink.cli.logs import set_up_logs
    from meterlink.config import load_settings
    from meterlink.errors import ConfigError, JournalError, LineError, MeterlinkError, UnknownItem

    try:
        settings = load_settings(config)
        set_up_logs(settings.log.level, settings.log.format)
        program(settings, _tell_ready)
    except (ConfigError, UnknownItem) as error:
        say(error.said(spoken()), err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    except JournalError as error:
        say(error.said(spoken()), err=True)
        raise typer.Exit(ExitCode.JOURNAL) from None
    except LineError as error:
        say(error.said(spoken()), err=True)
        raise typer.Exit(ExitCode.LINE) from None
    except MeterlinkError as error:
        say(error.said(spoken()), err=True)
        raise typer.Exit(ExitCode.FAILURE) from None


def _tell_ready(facts: dict[str, Any]) -> None:
    say(json.dumps({"ready": True, **facts}, ensure_ascii=False))
