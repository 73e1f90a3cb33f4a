"""Real servers on loopback ports, each in its own temporary folder, without root.

Each is a context manager that works outside pytest too::

    with Mosquitto() as broker:
        print(broker.port)
        broker.kill()
        broker.start()  # same port, same store

The settings are those that the tests rely on, and why is said beside them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar, NamedTuple, Self
from urllib.parse import urlencode

from tests.support.processes import LOOPBACK, Program, accepts, free_port, make_folder, remove_folder, request

SEARCH_PATH_VARIABLE = "METERLINK_SERVER_PATH"
START_TRIES_MAX = 3
_SHIPPED_MOSQUITTO = Path(__file__).parents[2] / "deploy" / "mosquitto" / "mosquitto.conf"
_UNKNOWN = "of unknown version"
_SYSTEM_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")  # Debian's servers; not on everybody's PATH


def find_program(name: str) -> str | None:
    """Where a server's program is; ``METERLINK_SERVER_PATH`` replaces the folders that are searched."""
    usual = os.pathsep.join((os.environ.get("PATH", os.defpath), *_SYSTEM_FOLDERS))
    return shutil.which(name, path=os.environ.get(SEARCH_PATH_VARIABLE, usual))


class Point(NamedTuple):
    """One stored value of one series."""

    tags: tuple[tuple[str, str], ...]
    time_s: int
    value: float


class Server(ABC):
    """A real server: its programs, its folder and its life."""

    name: ClassVar[str]
    binaries: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self.folder = make_folder(self.name)
        self.port = free_port()
        self._server: Program | None = None

    @classmethod
    def missing(cls) -> list[str]:
        """Programs it needs that this machine has not."""
        return [binary for binary in cls.binaries if find_program(binary) is None]

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """What its programs say that they are."""

    @abstractmethod
    def start(self) -> None:
        """Start it, on the port and the store it had; returns when it answers."""

    def stop(self) -> None:
        """End it in good order."""
        if self._server is not None:
            self._server.stop()

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._server is not None:
            self._server.kill()

    def log_tail(self) -> str:
        """The end of its log, for a failed test's report."""
        return "" if self._server is None else self._server.log_tail()

    def _end_all(self) -> None:
        self.kill()

    def __enter__(self) -> Self:
        try:
            self._start_somewhere()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _start_somewhere(self) -> None:
        for attempt in range(1, START_TRIES_MAX + 1):
            try:
                self.start()
            except ChildProcessError:  # most likely somebody took the port since we looked
                self._end_all()
                if attempt == START_TRIES_MAX:
                    raise
                self.port = free_port()
            else:
                return

    def __exit__(self, *_: object) -> None:
        self._end_all()
        remove_folder(self.folder)

    def _program(self, *command: str, log: str = "log") -> Program:
        program = find_program(command[0])
        if program is None:
            raise FileNotFoundError(f"{command[0]} is not installed; `make servers` installs it")
        return Program([program, *command[1:]], self.folder / log)


def _said(command: str, *arguments: str) -> str:
    program = find_program(command) or command
    done = subprocess.run(
        [program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    return done.stdout


def _word_after(text: str, start: str) -> str:
    return text.partition(start)[2].split(maxsplit=1)[0] if start in text else _UNKNOWN


def _package_version(package: str) -> str:
    if shutil.which("dpkg-query") is None:
        return _UNKNOWN
    return _said("dpkg-query", "-W", "-f=${Version}", package) or _UNKNOWN


class Mosquitto(Server):
    """Eclipse Mosquitto with the configuration that we ship; only addresses, paths and limits are replaced.

    The store is written after each change, but later in the same turn of its loop than the acknowledgement: a
    message whose PUBACK came just before ``kill()`` may be missing. A broker is not a store; the journal is.
    It writes its whole store each time: whoever queues thousands and kills nobody sets ``survives_kill`` to
    ``False``.
    """

    name = "mosquitto"
    binaries = ("mosquitto",)
    inflight_max: int | None = None
    survives_kill: bool = True

    @classmethod
    def version(cls) -> str:
        """E.g. "mosquitto 2.0.11"."""
        return f"mosquitto {_word_after(_said('mosquitto', '-h'), 'mosquitto version ')}"

    @property
    def store(self) -> Path:
        """The file it keeps its state in."""
        return self.folder / "mosquitto.db"

    def start(self) -> None:
        """See ``Server.start``."""
        settings = self.folder / "mosquitto.conf"
        settings.write_text(self._settings(), encoding="utf-8")
        self._server = self._program("mosquitto", "-c", str(settings))
        self._server.start(lambda: accepts(self.port))

    def _settings(self) -> str:
        text = _SHIPPED_MOSQUITTO.read_text(encoding="utf-8")
        text = _replaced(text, "listener", f"{self.port} {LOOPBACK}")
        text = _replaced(text, "persistence_location", f"{self.folder}/")
        if self.inflight_max is not None:
            text = _replaced(text, "max_inflight_messages", str(self.inflight_max))
        text = _replaced(text, "log_dest", "stderr")  # stdout stays in its buffer until the end
        text += "log_type information\n"  # a failed test shows what the server said
        if self.survives_kill:
            text = _replaced(text, "autosave_interval", "1")
            text += "autosave_on_changes true\n"  # with an interval of 1: save after every change
        if os.geteuid() == 0:
            text += "user root\n"  # else it becomes "mosquitto", who may not write into our folder
        return text


def _replaced(settings: str, key: str, value: str) -> str:
    replaced, times = re.subn(rf"^{key} .*$", f"{key} {value}", settings, flags=re.MULTILINE)
    assert 1 == times, f"{key} stands {times} times in the configuration that we ship"
    return replaced


class VictoriaMetrics(Server):
    """VictoriaMetrics, which takes line protocol on InfluxDB's v2 path.

    It answers 204 to lines that it cannot read, and loses its last 7 to 15 seconds on ``kill()``; ``stop()``
    keeps everything. A field ``f`` of measurement ``m`` becomes the series ``m_f``.
    """

    name = "victoria-metrics"
    binaries = ("victoria-metrics",)

    @classmethod
    def version(cls) -> str:
        """E.g. "victoria-metrics 1.79.5+ds1-2+b5": of the package, as Debian's program does not say."""
        return f"victoria-metrics {_package_version('victoria-metrics')}"

    @property
    def url(self) -> str:
        """Where an InfluxDB v2 client writes, and where queries go."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """See ``Server.start``."""
        self._server = self._program(
            "victoria-metrics",
            f"-storageDataPath={self.folder / 'data'}",
            f"-httpListenAddr={LOOPBACK}:{self.port}",
            "-dedup.minScrapeInterval=1ms",  # the same point written again is one point
            "-search.latencyOffset=0s",  # else a query does not see the last 30 s
            "-search.disableCache",
            "-retentionPeriod=100y",  # the default of one month refuses older points, with 204
            "-memory.allowedBytes=128MB",
        )
        self._server.start(lambda: request(f"{self.url}/health")[0] == 200)

    def points(self, selector: str) -> list[Point]:
        """All stored points of the series that a selector names, e.g. ``instant_voltage_a{meter="m1"}``."""
        request(f"{self.url}/internal/force_flush")  # else the last second is not yet visible
        query = urlencode({"match[]": selector, "reduce_mem_usage": "0"})
        status, text = request(f"{self.url}/api/v1/export?{query}")
        assert 200 == status, text
        found = []
        for series in map(json.loads, text.splitlines()):
            tags = tuple(sorted((tag, value) for tag, value in series["metric"].items() if tag != "__name__"))
            pairs = zip(series["timestamps"], series["values"], strict=True)
            found += [Point(tags, time_ms // 1000, float(value)) for time_ms, value in pairs]
        return sorted(found)


_INFLUXD_SETTINGS = """
reporting-disabled = true
bind-address = "{host}:0"
[meta]
  dir = "{folder}/meta"
[data]
  dir = "{folder}/data"
  wal-dir = "{folder}/wal"
  query-log-enabled = false
[monitor]
  store-enabled = false
[http]
  bind-address = "{host}:{port}"
  log-enabled = false
"""

_NGINX_SETTINGS = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/nginx-error.log;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_max_body_size 25m;
  client_body_temp_path {folder}/nginx-body;
  proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-fastcgi;
  uwsgi_temp_path {folder}/nginx-uwsgi;
  scgi_temp_path {folder}/nginx-scgi;
  server {{
    listen {host}:{port};
    if (-f {folder}/unavailable) {{ return 503; }}
    if (-f {folder}/busy) {{ return 429; }}
    location = /api/v2/write {{
      rewrite ^ /write?db=$arg_bucket&precision=$arg_precision? break;
      proxy_pass http://{host}:{behind};
    }}
    location / {{ proxy_pass http://{host}:{behind}; }}
  }}
}}
"""


class InfluxDB(Server):
    """InfluxDB 1.6 behind nginx, which gives it the v2 write path (precision ``s`` or ``ns`` only).

    ``stop()``, ``kill()`` and ``start()`` are about the database; nginx stays up and answers 502 while it is
    away, and 503 to everything while ``unavailable(True)``.
    """

    name = "influxdb"
    binaries = ("influxd", "nginx")
    bucket = "meterlink"

    def __init__(self) -> None:
        super().__init__()
        self._behind = free_port()
        self._proxy: Program | None = None

    @classmethod
    def version(cls) -> str:
        """E.g. "influxdb v1.6.7~rc0 behind nginx 1.22.1"."""
        database = _word_after(_said("influxd", "version"), "InfluxDB ")
        return f"influxdb {database} behind nginx {_word_after(_said('nginx', '-v'), 'nginx/')}"

    @property
    def url(self) -> str:
        """Where an InfluxDB v2 client writes, and where queries go."""
        return f"http://{LOOPBACK}:{self.port}"

    def start(self) -> None:
        """See ``Server.start``; the database ``bucket`` exists afterwards."""
        if self._proxy is None:
            self._behind = free_port()  # first start, or another try on other ports
            self._start_proxy()
        settings = self.folder / "influxdb.conf"
        text = _INFLUXD_SETTINGS.format(host=LOOPBACK, port=self._behind, folder=self.folder)
        settings.write_text(text, encoding="utf-8")
        self._server = self._program("influxd", "-config", str(settings), log="influxd.log")
        self._server.start(lambda: request(f"http://{LOOPBACK}:{self._behind}/ping")[0] == 204)
        body = urlencode({"q": f'CREATE DATABASE "{self.bucket}"'}).encode()
        status, words = request(f"http://{LOOPBACK}:{self._behind}/query", body)
        assert 200 == status, words

    def _start_proxy(self) -> None:
        settings = self.folder / "nginx.conf"
        text = _NGINX_SETTINGS.format(host=LOOPBACK, port=self.port, behind=self._behind, folder=self.folder)
        settings.write_text(text, encoding="utf-8")
        errors = f"{self.folder}/nginx-error.log"  # -e: without it nginx tries the system's log first
        proxy = self._program(
            "nginx", "-e", errors, "-p", str(self.folder), "-c", str(settings), log="nginx.log"
        )
        proxy.start(lambda: accepts(self.port))
        self._proxy = proxy

    def unavailable(self, yes: bool) -> None:
        """Answer 503 to everything from now on, or no longer."""
        self.answers(503 if yes else None)

    def answers(self, status: int | None) -> None:
        """Answer 429 or 503 to everything from now on; ``None``: what the database says."""
        for name, told in (("busy", 429), ("unavailable", 503)):
            switch = self.folder / name
            if status == told:
                switch.touch()
            else:
                switch.unlink(missing_ok=True)

    def log_tail(self) -> str:
        """See ``Server.log_tail``."""
        return "\n".join(program.log_tail() for program in (self._server, self._proxy) if program is not None)

    def _end_all(self) -> None:
        self.kill()
        if self._proxy is not None:
            self._proxy.kill()
            self._proxy = None

    def points(self, measurement: str, field: str) -> list[Point]:
        """All stored points of one field of one measurement."""
        question = f'SELECT "{field}" FROM "{measurement}" GROUP BY *'
        query = urlencode({"db": self.bucket, "epoch": "s", "q": question})
        status, text = request(f"{self.url}/query?{query}")
        assert 200 == status, text
        (result,) = json.loads(text)["results"]
        found = []
        for series in result.get("series", ()):
            tags = tuple(sorted((tag, value) for tag, value in series.get("tags", {}).items() if value))
            found += [Point(tags, time_s, float(value)) for time_s, value in series["values"]]
        return sorted(found)


SERVERS: dict[str, type[Server]] = {kind.name: kind for kind in (Mosquitto, VictoriaMetrics, InfluxDB)}
