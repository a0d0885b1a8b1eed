"""Prometheus remote write 1.0.

Names, labels and values are kept as they are, NaN, infinities and stale markers by their bits. Exemplars, native
histograms and metadata are accepted and not kept; series without a name are left out. The sender is the `instance`.
See https://prometheus.io/docs/specs/prw/remote_write_spec/
"""

from __future__ import annotations

import time

from quarterdeck.telemetry.receivers.prometheus_remote_write import reading, wire
from quarterdeck.telemetry.receivers.prometheus_remote_write.known import Known
from quarterdeck.telemetry.receivers.prometheus_remote_write.reading import Batch
from quarterdeck.telemetry.receivers.prometheus_remote_write.statements import STREAMS
from quarterdeck.telemetry.receiving import Answer, Client, Problem, Receiver, Refused, Request, Route, Taken

# Version 2 has other fields under the same numbers: what it sends must not be read as version 1.
_V2 = "io.prometheus.write.v2.Request"

# Of one process, whatever key and connection a series comes by.
_KNOWN = Known()
# A request with samples of more periods is somebody's archive: its series are named once more.
_PERIODS_MAX = 4


def _take(request: Request) -> Taken:
    if _V2 in request.headers.get("content-type", ""):
        raise Refused("remote write 2.0 is not spoken yet, send 1.0", reason="version", status=415)
    return taken(reading.read(request.body, _KNOWN), request.key, _KNOWN, time.monotonic())


def taken(batch: Batch, key: int, known: Known, now_s: float) -> Taken:
    """Return what is kept of a batch: its samples, and those of its series that were not named lately.

    `now_s` is a clock that only goes forward.
    """
    answer = Answer(status=204)
    if not batch.keys:
        return Taken((), answer, batch.refused)
    periods = wire.periods_of(b"".join(batch.samples))
    places = [(key, period) for period in periods] if len(periods) <= _PERIODS_MAX else []
    missing = (
        set(batch.keys) if not places else set[int]().union(*(known.missing(p, batch.keys, now_s) for p in places))
    )
    samples = reading.frame_of_samples(batch)
    if not missing:
        return Taken([samples], answer, batch.refused)
    named = batch.named(missing, known)
    series = reading.frame_of_series(named, wire.period_end_ms(max(periods)))
    return Taken([series, samples], answer, batch.refused, when_kept=lambda: known.note(places, named, now_s))


def _problem(problem: Problem) -> Answer:
    """Prometheus logs the first line of the body."""
    return Answer(f"{problem.message}\n".encode(), problem.status, "text/plain; charset=utf-8")


_CLIENT = """\
remote_write:
  - url: {url}/api/v1/write
    authorization:
      credentials: {key}
"""

PLUGIN = Receiver(
    title="Prometheus remote write",
    signals=("metrics",),
    routes=(Route(("POST",), "/api/v1/write", _take), Route(("POST",), "/prometheus/v1/write", _take)),
    streams=STREAMS,
    clients=(Client("prometheus.yml", _CLIENT, language="yaml"),),
    problem=_problem,
)
