"""Ending a command with what is wrong with its files, or with what was asked of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from meterlink.cli.exit_codes import ExitCode
from meterlink.cli.language import spoken
from meterlink.cli.saying import say
from meterlink.errors import BadRequest, ConfigError, JournalError, Unknown


@contextmanager
def explained() -> Iterator[None]:
    """Tell it and end the command, where the configuration, the journal or a request is no good.

    Raises:
        typer.Exit: one of them is not.

    """
    try:
        yield
    except (BadRequest, ConfigError, Unknown) as error:
        say(error.said(spoken()), err=True)
        raise typer.Exit(ExitCode.USAGE) from None
    except JournalError as error:
        say(error.said(spoken()), err=True)
        raise typer.Exit(ExitCode.JOURNAL) from None
