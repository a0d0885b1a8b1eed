"""What a message tree becomes: transactions are spans, events their events, problems lines, heartbeats samples."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b

import orjson

from quarterdeck.telemetry.canonical import (
    LogRow,
    MetricRow,
    Sender,
    SpanRow,
    frame_of_logs,
    frame_of_metrics,
    frame_of_spans,
)
from quarterdeck.telemetry.mapping import NEWEST_HOURS, OLDEST_DAYS
from quarterdeck.telemetry.receivers.cat.counting import Calls, calls_of, events_of, is_batch, one_call
from quarterdeck.telemetry.receivers.cat.heartbeats import readings_of
from quarterdeck.telemetry.receivers.cat.trees import Bag, Header, Message, Transaction, Tree
from quarterdeck.telemetry.receiving import Frame

RED = "cat.red"
_OLDEST_MS = OLDEST_DAYS * 86_400_000
_NEWEST_MS = NEWEST_HOURS * 3_600_000
_NOT_A_NAME = re.compile(r"[^0-9A-Za-z_:]")
# What a type of transaction says of its role: CAT's own conventions, and those of the frameworks that it instruments.
_ROLES = (
    ("server", re.compile(r"(?i)URL\b.*|(pigeon|dubbo|thrift|rpc|grpc|http)?(service|server)(\..*)?|octoservice")),
    ("client", re.compile(r"(?i)(\w*\.)?\w*(call|client)(\..*)?|SQL|(cache|redis|squirrel|memcached|mongo)\b.*|ES")),
    ("producer", re.compile(r"(?i)msg.*produc.*|\w*producer")),
    ("consumer", re.compile(r"(?i)msg.*consum.*|\w*consumer")),
)
_EXCEPTIONS = frozenset({"Exception", "Error", "RuntimeException"})
# The wrappers in which the C client sends its sums.
_AGGREGATORS = frozenset({"TransactionAggregator", "EventAggregator", "MetricAggregator"})
_PEER_EVENT = re.compile(r"(?i)\w*call\.(server|app)")
# Kinds of spans that red_1m counts by itself, see schema/0004_traces.sql.
_COUNTED = frozenset({"server", "client", "producer", "consumer"})


@dataclass
class Batch:
    """What several trees hold, by table."""

    now_ms: int
    spans: list[SpanRow] = field(default_factory=list)
    logs: list[LogRow] = field(default_factory=list)
    metrics: list[MetricRow] = field(default_factory=list)
    deltas: dict[tuple[Header, str, tuple[tuple[str, str], ...], int], float] = field(default_factory=dict)
    calls: list[bytes] = field(default_factory=list)
    refused: dict[str, int] = field(default_factory=dict)

    def refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1

    def frames(self) -> list[Frame]:
        for (header, name, labels, at_ms), value in self.deltas.items():
            self.add_metric(header, name, dict(labels), at_ms, value)
        self.deltas.clear()
        found = []
        if self.spans:
            found.append(frame_of_spans(self.spans))
        if self.logs:
            found.append(frame_of_logs(self.logs))
        if self.metrics:
            found.append(frame_of_metrics(self.metrics))
        if self.calls:
            found.append(Frame(RED, b"\n".join(self.calls), len(self.calls)))
        return found

    def add_calls(self, header: Header, name: str, kind: str, at_ms: int, calls: Calls) -> None:
        row = (
            header.domain, name, kind, self.timely(at_ms) // 1000, calls.count, calls.errors, calls.duration_ns_sum,
            calls.duration_ns_max, {str(bucket): count for bucket, count in calls.durations.items()},
        )  # fmt: skip
        self.calls.append(orjson.dumps(row))

    def add_metric(self, header: Header, name: str, labels: Mapping[str, str], at_ms: int, value: float) -> None:
        own = {"job": header.domain, "host": header.host, **labels}
        kept = {label: text for label, text in own.items() if text}
        self.metrics.append(MetricRow(metric_of(name), kept, [(self.timely(at_ms), value)], sender_of(header)))

    def add_delta(self, header: Header, name: str, labels: Mapping[str, str], at_ms: int, value: float) -> None:
        """Add to a sum. Two of one time would be taken for one sample that came twice, so they are one here."""
        who = Header(header.domain, header.host, header.ip)
        key = who, f"{name}_delta", tuple(labels.items()), self.timely(at_ms)
        self.deltas[key] = self.deltas.get(key, 0.0) + value

    def timely(self, at_ms: int) -> int:
        """Return the time, or that of arrival where the client's clock is broken."""
        return at_ms if self.now_ms - _OLDEST_MS < at_ms < self.now_ms + _NEWEST_MS else self.now_ms


def metric_of(name: str) -> str:
    found = _NOT_A_NAME.sub("_", name) or "_"
    return f"_{found}" if found[0].isdigit() else found


def sender_of(header: Header) -> Sender:
    told = {"host.name": header.host, "host.ip": header.ip, "service.name": header.domain}
    identities = {name: value for name, value in told.items() if value}
    if header.host:
        return Sender("host", header.host, identities)
    return Sender("service", header.domain, identities) if header.domain else Sender()


def role_of(type_: str) -> str:
    return next((kind for kind, pattern in _ROLES if pattern.fullmatch(type_)), "internal")


def name_of(one: Transaction | Message) -> str:
    """CAT counts by type and name together."""
    return f"{one.type} {one.name}".strip()


def trace_id_of(header: Header) -> str:
    return blake2b(header.trace.encode(), digest_size=16).hexdigest()


def span_id_of(message_id: str, index: int) -> str:
    """Return the id of a tree's transaction; its root, 0, is the parent of what the tree causes elsewhere."""
    return blake2b(f"{message_id}#{index}".encode(), digest_size=8).hexdigest()


def add_bag(batch: Batch, bag: Bag) -> None:
    for metric in bag.metrics:
        if metric.count:
            batch.add_delta(bag.header, f"{metric.name}_count", {}, metric.at_ms, float(metric.count))
        if metric.kind == "DURATION" or metric.duration_ms:
            duration_ms = float(metric.duration_ms)
            batch.add_delta(bag.header, f"{metric.name}_milliseconds_sum", {}, metric.at_ms, duration_ms)
        if metric.kind == "SUM" or metric.sum:
            batch.add_delta(bag.header, f"{metric.name}_sum", {}, metric.at_ms, metric.sum)


def add_tree(batch: Batch, tree: Tree) -> None:
    ids: dict[int, str] = {}
    for index, transaction in enumerate(tree.transactions):
        if is_batch(transaction.data):
            _add_counted(batch, tree.header, transaction)
        elif not (transaction.type == "System" and transaction.name in _AGGREGATORS):
            _add_span(batch, tree, index, transaction, ids)
        for message in transaction.messages:
            _add_message(batch, tree.header, message, ids.get(index, ""))
    for message in tree.messages:
        _add_message(batch, tree.header, message, "")


def _add_counted(batch: Batch, header: Header, transaction: Transaction) -> None:
    calls = calls_of(transaction.data)
    if calls is None:
        batch.refuse("bad_batch")
        return
    batch.add_calls(header, name_of(transaction), role_of(transaction.type), transaction.at_ms, calls)


def _add_span(batch: Batch, tree: Tree, index: int, transaction: Transaction, ids: dict[int, str]) -> None:
    header, kind = tree.header, role_of(transaction.type)
    ids[index] = span_id_of(header.message_id, index)
    parent = ids.get(transaction.parent, "") or _parent_elsewhere(header)
    batch.spans.append(
        SpanRow(
            trace_id_of(header),
            ids[index],
            name_of(transaction),
            transaction.at_ms * 1_000_000 if batch.timely(transaction.at_ms) == transaction.at_ms else 0,
            min(transaction.duration_us, 1 << 53) * 1000,
            parent_id=parent,
            kind=kind,
            service=header.domain,
            host=header.host,
            is_error=not transaction.is_success,
            status_message="" if transaction.is_success else transaction.status,
            attributes=dict(_attributes(header, transaction, kind)),
            resource={"service.name": header.domain, "host.name": header.host, "host.ip": header.ip},
            events=[(batch.timely(one.at_ms) * 1_000_000, name_of(one), _told(one)) for one in transaction.messages
                    if one.kind in "EL" and not is_batch(one.data)],
            sender=sender_of(header),
        )
    )  # fmt: skip
    if kind not in _COUNTED and parent:
        # CAT counts what happens inside of a service as well, whether its tree is sent or not.
        call = one_call(transaction.duration_us, is_error=not transaction.is_success)
        batch.add_calls(header, name_of(transaction), kind, transaction.at_ms, call)


def _parent_elsewhere(header: Header) -> str:
    parent = header.parent_id
    is_other = parent not in ("", "null", "NULL", header.message_id)
    return span_id_of(parent, 0) if is_other else ""


def _attributes(header: Header, transaction: Transaction, kind: str) -> Iterator[tuple[str, str]]:
    yield "cat.type", transaction.type
    yield "cat.message_id", header.message_id
    if header.thread:
        yield "thread.name", header.thread
    if transaction.data:
        yield "cat.data", transaction.data
        if transaction.type == "SQL":
            yield "db.query.text", transaction.data
    if kind == "client":
        for event in transaction.messages:
            match = _PEER_EVENT.fullmatch(event.type)
            if match:
                yield "peer.service" if match[1].lower() == "app" else "server.address", event.name


def _told(event: Message) -> dict[str, str]:
    told = {"cat.type": event.type, "cat.status": event.status, "cat.data": event.data}
    return {name: value for name, value in told.items() if value}


def _add_message(batch: Batch, header: Header, message: Message, span_id: str) -> None:
    if message.kind == "M":
        _add_metric(batch, header, message)
    elif message.kind == "H":
        batch.add_metric(header, "cat_heartbeat", {"type": message.type}, message.at_ms, 1.0)
        for reading in readings_of(message.data):
            batch.add_metric(header, reading.metric, reading.labels, message.at_ms, reading.value)
    elif message.kind == "E" and is_batch(message.data):
        _add_counted_events(batch, header, message)
    else:
        _add_event(batch, header, message, span_id)


def _add_event(batch: Batch, header: Header, message: Message, span_id: str) -> None:
    """Count the event; one that failed is a problem, which is a line as well."""
    is_problem = message.kind == "E" and (message.type in _EXCEPTIONS or not message.is_success)
    labels = {"type": message.type, "name": message.name}
    batch.add_delta(header, "cat_events", labels, batch.now_ms, 1.0)
    if is_problem:
        batch.add_delta(header, "cat_event_errors", labels, batch.now_ms, 1.0)
    if is_problem or message.kind == "L" or not span_id:
        batch.logs.append(
            LogRow(
                batch.timely(message.at_ms) * 1_000_000,
                "\n".join(filter(None, (name_of(message), message.data))),
                service=header.domain,
                host=header.host,
                component=message.type,
                level="error" if is_problem else "info",
                trace_id=trace_id_of(header),
                span_id=span_id,
                attributes={"cat.message_id": header.message_id, **_told(message)},
                resource={"service.name": header.domain, "host.name": header.host, "host.ip": header.ip},
                sender=sender_of(header),
            )
        )


def _add_counted_events(batch: Batch, header: Header, message: Message) -> None:
    found = events_of(message.data)
    if found is None:
        batch.refuse("bad_batch")
        return
    count, errors = found
    labels = {"type": message.type, "name": message.name}
    batch.add_delta(header, "cat_events", labels, batch.now_ms, float(count))
    if errors:
        batch.add_delta(header, "cat_event_errors", labels, batch.now_ms, float(errors))


def _add_metric(batch: Batch, header: Header, message: Message) -> None:
    """Read `C` (a count), `S,C` (count,sum of milliseconds) or `L` (the last value)."""
    try:
        numbers = [float(part) for part in message.data.split(",")]
    except ValueError:
        numbers = []
    if not numbers or any(number != number or abs(number) == float("inf") for number in numbers):
        batch.refuse("bad_metric")
    elif message.status == "S,C" and len(numbers) == 2:
        batch.add_delta(header, f"{message.name}_count", {}, message.at_ms, numbers[0])
        batch.add_delta(header, f"{message.name}_milliseconds_sum", {}, message.at_ms, numbers[1])
    elif message.status == "L":
        batch.add_metric(header, message.name, {}, message.at_ms, numbers[0])
    else:
        batch.add_delta(header, f"{message.name}_count", {}, message.at_ms, numbers[0])
