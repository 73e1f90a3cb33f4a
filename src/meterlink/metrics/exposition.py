"""Numbers of a daemon in Prometheus' words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, SummaryMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector, CollectorRegistry

from meterlink.metrics.numbers import LINES_MAX, OTHER_LINES, LineNumbers, Numbers

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
"""Of the text."""


def exposition(numbers: Numbers) -> bytes:
    """The text that Prometheus reads."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Once(numbers))
    return generate_latest(registry)


class _Once(Collector):
    """Numbers that are there already; a registry that lives on would keep lines that are gone."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers

    def collect(self) -> Iterator[Metric]:
        """See ``Collector.collect``."""
        numbers = self._numbers
        yield _labelled(GaugeMetricFamily, "build_info", "The version.", "version", [(numbers.version, 1)])
        yield from _plain(numbers)
        lines, sinks = numbers.lines.items(), numbers.sinks.items()
        yield from _exchanges(numbers.lines)
        yield _labelled(
            GaugeMetricFamily,
            "sink_lag_seconds",
            "Age of the oldest row that waits.",
            "sink",
            [(name, sink.lag_s) for name, sink in sinks],
        )
        yield _labelled(
            GaugeMetricFamily,
            "sink_waiting_rows",
            "Rows that wait.",
            "sink",
            [(name, sink.waiting) for name, sink in sinks],
        )
        yield _labelled(
            CounterMetricFamily,
            "reloads",
            "Reloads of the configuration.",
            "result",
            numbers.reloads.items(),
        )
        yield GaugeMetricFamily("meterlink_lines", "Lines of the configuration.", value=len(lines))


def _plain(numbers: Numbers) -> Iterator[Metric]:
    gauges = {
        "uptime_seconds": ("Since the start.", numbers.uptime_s),
        "loop_lag_seconds": ("By which the event loop was late.", numbers.loop_lag_s),
        "journal_bytes": ("Of the journal's file.", numbers.journal_octets),
        "journal_unused_bytes": ("In the journal's file, used before it grows.", numbers.unused_octets),
        "disk_free_bytes": ("Of the journal's disk.", numbers.free_octets),
    }
    counters = {
        "journal_commits": ("Groups of changes written.", numbers.commits),
        "journal_changes": ("Changes written.", numbers.changes),
        "journal_refused": ("Changes that were not kept.", numbers.refused),
        "journal_rows": ("Rows that the log has given an id, since it was made.", numbers.rows),
        "published": ("Messages that the broker acknowledged.", numbers.published),
        "poisoned": ("Rows that the broker can never take.", numbers.poisoned),
    }
    for name, (words, value) in gauges.items():
        yield GaugeMetricFamily(f"meterlink_{name}", words, value=value)
    for name, (words, value) in counters.items():
        yield CounterMetricFamily(f"meterlink_{name}", words, value=value)


def _exchanges(lines: Mapping[str, LineNumbers]) -> Iterator[Metric]:
    ended = CounterMetricFamily("meterlink_exchanges", "Exchanges that ended.", labels=("line", "outcome"))
    took = SummaryMetricFamily("meterlink_exchange_seconds", "Time of an exchange.", labels=("line",))
    for name, line in _bounded(lines).items():
        for outcome, count in line.exchanges.items():
            ended.add_metric((name, outcome), count)
        took.add_metric((name,), sum(line.exchanges.values()), line.seconds)
    yield ended
    yield took


def _bounded(lines: Mapping[str, LineNumbers]) -> dict[str, LineNumbers]:
    """The first lines as they are, and the others together."""
    shown = dict(islice(lines.items(), LINES_MAX))
    others = list(islice(lines.values(), LINES_MAX, None))
    if others:
        exchanges: Counter[str] = Counter()
        for line in others:
            exchanges.update(line.exchanges)
        shown[OTHER_LINES] = LineNumbers(exchanges=exchanges, seconds=sum(line.seconds for line in others))
    return shown


def _labelled(
    kind: Callable[..., CounterMetricFamily | GaugeMetricFamily],
    name: str,
    words: str,
    label: str,
    values: Iterable[tuple[str, float]],
) -> Metric:
    family = kind(f"meterlink_{name}", words, labels=(label,))
    for of, value in values:
        family.add_metric((of,), value)
    return family
