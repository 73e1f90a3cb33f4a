"""The API of a running daemon: on its port and its socket, while a caller is slow, and with TLS."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from tests.support.certificates import certificate_in
from tests.support.gateway import METERLINK, write_config
from tests.support.processes import LOOPBACK, announced

NOBODY = {"tcp://127.0.0.1:1": ["000000000009"]}


def _config(folder: Path, web: str) -> Path:
    config = write_config(folder, NOBODY)
    config.write_text(f"{config.read_text()}[web]\n{web}", encoding="utf-8")
    return config


def _token(config: Path, *scopes: str) -> dict[str, str]:
    words = [word for scope in scopes for word in ("--scope", scope)]
    command = [METERLINK, "token", "create", "billing", *words, "--json", "--config", str(config)]
    made = subprocess.run(command, capture_output=True, text=True, check=True)
    return {"Authorization": f"Bearer {json.loads(made.stdout)['token']}"}


def test_billing_asks_a_daemon(tmp_path: Path) -> None:
    """Nobody could pull from a gateway; or a second daemon would go unread because a port was taken."""
    config = _config(tmp_path, f'listen = "127.0.0.1:0"\nsocket = "{tmp_path / "api.sock"}"\n')
    with announced([METERLINK, "run", "--config", str(config)], tmp_path / "log") as (_, ready):
        url, door = ready["api"]
        token = _token(config, "freeze:read", "completeness:read")
        assert f"unix:{tmp_path / 'api.sock'}" == door
        near = httpx.HTTPTransport(uds=str(tmp_path / "api.sock"))
        with httpx.Client(base_url=url, headers=token) as far, httpx.Client(transport=near) as local:
            day = datetime.now(UTC).date().isoformat()
            assert {"freezes": [], "cursor": "ZjE6MA", "more": False} == far.get("/v1/daily-freeze").json()
            assert 200 == far.get(f"/v1/completeness?day={day}&by=area").status_code
            assert 403 == far.get("/v1/settlements").status_code
            assert 200 == local.get("http://localhost/v1/daily-freeze", headers=token).status_code
            assert 401 == local.get("http://localhost/v1/daily-freeze").status_code
            _not_http(url)
        other = tmp_path / "other"
        other.mkdir()
        twin = _config(other, f'listen = "{url.removeprefix("http://")}"\n')
        with announced([METERLINK, "run", "--config", str(twin)], other / "log") as (_, second):
            assert [] == second["api"]
            assert "web.unavailable" in (other / "log").read_text(encoding="utf-8")
    assert not (tmp_path / "api.sock").exists()


def _not_http(url: str) -> None:
    """What is no HTTP is answered with a problem too."""
    host, _, port = url.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"\x16\x03\x01 nonsense\r\n\r\n")
        answer = b""
        while piece := raw.recv(4096):
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"400 Bad Request" in head
    assert "urn:meterlink:problem:bad-request" == json.loads(body)["type"]


def test_a_certificate_that_is_not_there_ends_the_start(tmp_path: Path) -> None:
    """A gateway would run for weeks, and billing find nobody there."""
    tls = '[web.tls]\ncertificate = "/none"\nkey = "/none"\n'
    config = _config(tmp_path, f'listen = "127.0.0.1:0"\n{tls}')
    command = [METERLINK, "run", "--config", str(config)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=15, check=False)
    assert (2, True) == (ended.returncode, "/none: cannot be read" in ended.stderr), ended.stderr


def test_with_a_certificate_it_is_spoken_to_in_secret(tmp_path: Path) -> None:
    """A certificate that is configured would be one that nobody is shown."""
    certificate, key = certificate_in(tmp_path)
    tls = f'[web.tls]\ncertificate = "{certificate}"\nkey = "{key}"\n'
    config = _config(tmp_path, f'listen = "0.0.0.0:0"\n{tls}')
    with announced([METERLINK, "run", "--config", str(config)], tmp_path / "log") as (_, ready):
        [url] = ready["api"]
        port = url.rpartition(":")[2]
        context = ssl.create_default_context(cafile=certificate)
        with httpx.Client(verify=context, base_url=f"https://{LOOPBACK}:{port}") as client:
            assert 200 == client.get("/v1/daily-freeze", headers=_token(config, "freeze:read")).status_code
        with pytest.raises(httpx.HTTPError):
            httpx.get(f"http://{LOOPBACK}:{port}/v1/openapi.json")
