"""Prometheus' Pushgateway, for jobs that end before anybody scrapes them.

PUT replaces the group that the path names, POST those of its metrics that are pushed, DELETE forgets it. What is pushed
is stored when it comes, and every 30 seconds again until it is replaced or deleted, because that is what a Prometheus
would find that scrapes a gateway; groups outlive a restart. Names and labels are kept as they are, those of the path
win; `push_time_seconds` and `push_failure_time_seconds` tell each group's last push. The sender is the `instance` of the
path, else the job. NaN and infinities are kept, timestamps refused. One intake process holds a group: send all pushes of
a job to the same one. Proven with prometheus-client, which pushes text; protobuf, which Go's client pushes, with messages
made by hand. See https://github.com/prometheus/pushgateway#api
"""

from __future__ import annotations

import base64
import binascii
import re

from quarterdeck.telemetry.canonical import MetricRow, frame_of_metrics
from quarterdeck.telemetry.naming import LABELS_MAX, VALUE_MAX
from quarterdeck.telemetry.receivers.pushgateway.bodies import HasTimestamps, families_of
from quarterdeck.telemetry.receivers.pushgateway.groups import Groups
from quarterdeck.telemetry.receiving import Answer, Client, Problem, Receiver, Refused, Request, Route, Taken

_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*\Z")
_BASE64 = "@base64"


def grouping_of(path: str, *, is_encoded: bool) -> dict[str, str]:
    """Return the labels in `job/label/value/...`; `is_encoded` says so of the job, `label@base64` of a value."""
    job, *rest = path.split("/")
    if len(rest) % 2:
        raise Refused("odd number of components in the path", reason="path")
    labels: dict[str, str] = {}
    for name, value in zip(rest[::2], rest[1::2], strict=True):
        plain = name.removesuffix(_BASE64)
        if not _LABEL.match(plain) or plain.startswith("__"):
            raise Refused(f'improper label name "{plain[:100]}"', reason="path")
        labels[plain] = _decoded(value) if plain != name else value
    labels["job"] = _decoded(job) if is_encoded else job
    if not labels["job"]:
        raise Refused("job name is required", reason="path")
    if len(labels) > LABELS_MAX or any(len(value) > VALUE_MAX for value in labels.values()):
        raise Refused("too many labels in the path, or one is too long", reason="path")
    return labels


def _decoded(text: str) -> str:
    """Base64 in the alphabet of URLs, with or without padding (RFC 4648, 5); `=` alone is the empty value."""
    plain = text.rstrip("=")
    try:
        if re.fullmatch(r"[A-Za-z0-9_-]*", plain):
            return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4)).decode()
    except (binascii.Error, UnicodeDecodeError):
        pass
    raise Refused(f'invalid base64 "{text[:100]}"', reason="path")


def _labels(request: Request) -> dict[str, str]:
    if "encoded" in request.path:
        return grouping_of(request.path["encoded"], is_encoded=True)
    return grouping_of(request.path["group"], is_encoded=False)


def _groups(request: Request) -> Groups:
    groups: Groups = request.state
    return groups


def _now_ms(request: Request) -> int:
    return int(request.now.timestamp() * 1000)


def _push(request: Request) -> Taken:
    labels, groups, now_ms = _labels(request), _groups(request), _now_ms(request)
    try:
        families = families_of(request.body, request.headers.get("content-type", ""), labels)
    except HasTimestamps:
        groups.failed(request.key, labels, now_ms)
        raise
    push = groups.put if request.method == "PUT" else groups.post
    return _kept(push(request.key, labels, families, now_ms), 200)


def _delete(request: Request) -> Taken:
    return _kept(_groups(request).delete(request.key, _labels(request), _now_ms(request)), 202)


def _kept(rows: list[MetricRow], status: int) -> Taken:
    return Taken([frame_of_metrics(rows)] if rows else [], Answer(status=status))


def _problem(problem: Problem) -> Answer:
    """Go's http.Error."""
    return Answer(f"{problem.message}\n".encode(), problem.status, "text/plain; charset=utf-8")


_PYTHON = """\
from prometheus_client import CollectorRegistry, Gauge, push_to_gateway
from prometheus_client.exposition import basic_auth_handler

registry = CollectorRegistry()
Gauge("backup_last_success_timestamp_seconds", "End of the last backup", registry=registry).set_to_current_time()
push_to_gateway("{url}", "nightly-backup", registry, handler=lambda *request: basic_auth_handler(*request, "key", "{key}"))
"""
_SHELL = """\
echo "backup_rows 4711" | curl --data-binary @- -H "Authorization: Bearer {key}" {url}/metrics/job/nightly-backup/instance/db1
"""
_PATHS = ("/metrics/job/{group:path}", "/metrics/job@base64/{encoded:path}")

PLUGIN = Receiver(
    title="Pushgateway",
    signals=("metrics",),
    http_setting="intake_pushgateway",
    routes=tuple(
        route for path in _PATHS for route in (Route(("PUT", "POST"), path, _push), Route(("DELETE",), path, _delete))
    ),
    clients=(Client("Python", _PYTHON, language="python"), Client("curl", _SHELL, language="sh")),
    problem=_problem,
    state=Groups,
    # Well within the five minutes for which Prometheus takes a value to be the current one.
    flush_seconds=30,
)
