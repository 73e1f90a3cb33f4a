"""Where the API may listen, and what it needs: nothing goes over a network in clear."""

from __future__ import annotations

import importlib.util

import pytest

from meterlink.config import Settings
from meterlink.config.web import WebSettings
from meterlink.daemon.programs import web_of
from meterlink.errors import ConfigError

TLS = {"certificate": "/c", "key": "/k"}


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("0.0.0.0:8645", r"configure \[web.tls\]"),
        ("[::]:8645", r"configure \[web.tls\]"),
        ("", "listens nowhere"),
        ("8645", "write ADDRESS:PORT"),
        ("127.0.0.1:65536", "write ADDRESS:PORT"),
        ("example.org:80", "write an address of this machine"),
    ],
)
def test_what_is_not_safe_is_refused(listen: str, words: str) -> None:
    """Tokens and readings would go over a network in clear, and nobody would know."""
    with pytest.raises(ValueError, match=words):
        WebSettings.model_validate({"listen": listen})


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"listen": "[::1]:0"},
        {"listen": "localhost:80"},
        {"listen": "", "socket": "/run/api.sock"},
        {"listen": "0.0.0.0:443", "tls": TLS},
    ],
)
def test_what_is_safe_is_taken(told: dict[str, object]) -> None:
    """Billing could not be let in at all."""
    taken = WebSettings.model_validate(told)
    assert told == taken.model_dump(mode="json", exclude_unset=True)


def test_who_has_not_the_extra_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stack trace would tell of a module that nobody knows."""
    settings = Settings.model_validate({"web": {}})
    assert web_of(settings) is not None
    assert web_of(Settings.model_validate({})) is None
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "uvicorn" else object())
    with pytest.raises(ConfigError, match=r"the extra web .*\(uvicorn\).*pip install"):
        web_of(settings)
