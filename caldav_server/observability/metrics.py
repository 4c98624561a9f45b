"""Metrics: what the server counts about itself, and the text format of Prometheus.

The event loop is one thread, so counting is an addition. Text is made when somebody reads /metrics. With several
workers, the one that is asked collects the numbers of the others and labels each with its worker. Rules of this
module: no label takes its value from a client; a method that is not in the table counts as ``other``.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import msgspec

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_METHODS = (
    *("OPTIONS", "GET", "HEAD", "PUT", "DELETE", "POST", "COPY", "MOVE"),
    *("PROPFIND", "PROPPATCH", "REPORT", "MKCALENDAR", "MKCOL", "ACL", "LOCK", "UNLOCK"),
    "other",
)
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")


class Sample(msgspec.Struct, array_like=True, frozen=True):
    """One number: the suffix of its family's name, its labels, its value."""

    suffix: str
    labels: dict[str, str]
    value: float


class Family(msgspec.Struct, array_like=True, frozen=True):
    """All samples of one name."""

    name: str
    kind: str
    help: str
    samples: list[Sample]


@dataclass(slots=True)
class _Series:
    """The numbers of one method."""

    by_class: list[int] = field(default_factory=lambda: [0] * 5)
    buckets: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))
    seconds: float = 0.0
    sent: int = 0


class Metrics:
    """The numbers of one process."""

    __slots__ = ("_gauges", "_series", "counters", "in_flight")

    def __init__(self) -> None:
        self._series = {method: _Series() for method in _METHODS}
        self.counters: dict[str, int] = dict.fromkeys(COUNTERS, 0)
        self.in_flight = 0
        self._gauges: dict[str, tuple[str, Callable[[], float]]] = {
            "in_flight_requests": ("Requests being served now.", lambda: self.in_flight)
        }

    def gauge(self, name: str, description: str, read: Callable[[], float]) -> None:
        """Adds a number that ``read`` returns when somebody asks for it."""
        self._gauges[name] = (description, read)

    def count(self, counter: str) -> None:
        """Adds one to a counter of COUNTERS."""
        self.counters[counter] += 1

    def request(self, method: str, status: int, size: int, seconds: float) -> None:
        """Counts one answered request."""
        series = self._series.get(method) or self._series["other"]
        series.by_class[status // 100 - 1] += 1
        series.buckets[bisect_left(BUCKETS, seconds)] += 1
        series.seconds += seconds
        series.sent += size

    def families(self) -> list[Family]:
        """Everything counted, as plain data."""
        used = {method: series for method, series in self._series.items() if any(series.by_class)}
        requests = [
            Sample("_total", {"method": method, "status": _CLASSES[number]}, count)
            for method, series in used.items()
            for number, count in enumerate(series.by_class)
            if count
        ]
        sent = [Sample("_total", {"method": method}, series.sent) for method, series in used.items()]
        return [
            Family("requests", "counter", "Requests answered, by method and class of status.", requests),
            Family("response_bytes", "counter", "Bytes of body sent.", sent),
            Family("request_seconds", "histogram", "Time from head to the end of the answer.", list(_histogram(used))),
            *(
                Family(name, "counter", description, [Sample("_total", {}, self.counters[name])])
                for name, description in COUNTERS.items()
            ),
            *(
                Family(name, "gauge", description, [Sample("", {}, read())])
                for name, (description, read) in self._gauges.items()
            ),
        ]


COUNTERS = {
    "auth_cache_hits": "Requests whose login was remembered.",
    "auth_hashes": "Passwords hashed to verify a login.",
    "auth_failures": "Wrong or unusable credentials.",
    "auth_throttled": "Logins answered 429 without looking at the password.",
    "refused_heads": "Connections closed because what they sent was not a request.",
    "slow_clients": "Requests cut off because the client was too slow.",
    "internal_errors": "Requests answered 500.",
    "database_unavailable": "Requests answered 503 because of the database.",
    "jobs_done": "Jobs that ended well.",
    "jobs_failed": "Attempts at a job that failed and are repeated.",
    "jobs_dead": "Jobs that failed for the last time: see caldav-server jobs list.",
}


def _histogram(used: dict[str, _Series]) -> Iterator[Sample]:
    for method, series in used.items():
        total = 0
        for bound, count in zip((*BUCKETS, float("inf")), series.buckets, strict=True):
            total += count
            limit = "+Inf" if bound == float("inf") else repr(bound)
            yield Sample("_bucket", {"method": method, "le": limit}, total)
        yield Sample("_count", {"method": method}, total)
        yield Sample("_sum", {"method": method}, series.seconds)


def process_families() -> list[Family]:
    """Memory, processor time, open files of this process, as the Prometheus client reads them."""
    from prometheus_client import ProcessCollector

    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            [Sample(one.name.removeprefix(metric.name), dict(one.labels), one.value) for one in metric.samples],
        )
        for metric in ProcessCollector(registry=None).collect()
    ]


encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(list[Family]).decode


def render(workers: Iterable[tuple[str, list[Family]]]) -> bytes:
    """The text format of Prometheus for the families of each worker; an empty name means there is only one."""
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.core import Metric

    merged: dict[str, Metric] = {}
    for worker, families in workers:
        for family in families:
            name = family.name if family.name.startswith("process_") else f"caldav_server_{family.name}"
            metric = merged.setdefault(name, Metric(name, family.help, family.kind))
            for sample in family.samples:
                labels = sample.labels | ({"worker": worker} if worker else {})
                metric.add_sample(name + sample.suffix, labels, sample.value)

    class Collector:
        def collect(self) -> Iterable[Metric]:
            return merged.values()

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Collector())
    return generate_latest(registry)
