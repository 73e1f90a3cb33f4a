"""InfluxDB 2 and 3, VictoriaMetrics, and InfluxDB 1 behind a path rewrite: one HTTP write a batch.

influxdb-client's batching writer is never used: it loses data without an exception. Its synchronous write
runs in a thread of this sink's own. Whether a failure is worth another try is decided here, by status alone.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import urllib3
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.domain.write_precision import WritePrecision
from influxdb_client.rest import ApiException

from meterlink.errors import SinkAway, SinkRefused

TIMEOUT_S = 10.0
WORDS_CHARS_MAX = 500
"""So much of what the server says is kept."""

_LINES_AT_FAULT = frozenset({400, 413, 422})
"""Statuses that speak of the lines: malformed, too many octets, unprocessable.

All others speak of the way or the server (401 and 403 the token, 404 the bucket or the path, 429 and 5xx its
state): the same lines will pass once a person or time has mended that, and must not be thrown away before.
"""


class InfluxSink:
    """A bucket of a time-series database.

    Args:
        url: where it listens, e.g. ``http://127.0.0.1:8086``.
        token: lets us write; never shown.
        org: organisation; any text where the server has none.
        bucket: where the points go.
        timeout_s: for one write.

    """

    def __init__(self, url: str, *, token: str, org: str, bucket: str, timeout_s: float = TIMEOUT_S) -> None:
        self._url = url
        self._org = org
        self._bucket = bucket
        self._client = InfluxDBClient(url=url, token=token, org=org, timeout=int(timeout_s * 1000))
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="influx")

    async def write(self, lines: Sequence[str]) -> None:
        """See ``PointSink.write``."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._write, "\n".join(lines).encode())

    async def aclose(self) -> None:
        """See ``PointSink.aclose``."""
        await asyncio.get_running_loop().run_in_executor(None, self._close)

    def _write(self, body: bytes) -> None:
        try:
            self._writer.write(self._bucket, self._org, body, WritePrecision.S)  # type: ignore[arg-type]
        except ApiException as error:
            words = _words(error)
            if error.status in _LINES_AT_FAULT:
                raise SinkRefused(f"{self._url} refuses points: {words}", words=words) from None
            raise SinkAway(f"{self._url} takes no points now: {error.status} {words}") from None
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise SinkAway(f"{self._url} cannot be reached: {error}") from None

    def _close(self) -> None:
        self._thread.shutdown(wait=True)
        self._writer.close()  # type: ignore[no-untyped-call]
        self._client.close()  # type: ignore[no-untyped-call]


def _words(error: ApiException) -> str:
    """What the server said, without its wrapping."""
    body = error.body or error.reason or ""
    text = body.decode(errors="replace") if isinstance(body, bytes) else str(body)
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if isinstance(document, dict):  # InfluxDB 2 and 3 say "message", InfluxDB 1 "error"
        text = str(document.get("message") or document.get("error") or text)
    return " ".join(text.split())[:WORDS_CHARS_MAX]
