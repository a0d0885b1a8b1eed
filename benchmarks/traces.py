"""Traces at size: one by its id, searches, the service page, and a waterfall of 10,000 spans in Chromium.

    python -m benchmarks.traces --spans 10000000
    python -m benchmarks.traces --spans 0 --browser     the waterfall alone, on an instance of its own

Traces of 10 spans over 24 hours, of 20 services, go through the tables that receivers write to. They are asked for
through `tracing.queries`, HTTP to the engine included, as an administrator with no selector.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import sys
import time
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.telemetry import own_engine

HOURS = 24
SPANS_PER_TRACE = 10
TRACES_PER_INSERT = 10_000
WATERFALL_SPANS = 10_000
ROUNDS = 40

_INSERT = """
    INSERT INTO spans_in
    SELECT 'otlp' AS protocol, 0 AS key, now64(3) AS received, 'host' AS sender_kind,
        concat('host', toString(service_number)) AS sender_name, map('host.name', sender_name) AS identities,
        addNanoseconds(fromUnixTimestamp64Nano({start:Int64}), toInt64(trace * {step:Int64} + place * 1000000)) AS ts,
        toUInt64(if(place = 0, 12000000, 1000000) * (1 + exp(randCanonical(place) * 5)) * if(trace % 1000 = 7, 20, 1)),
        toFixedString(
            concat(reinterpretAsFixedString(sipHash64(trace)), reinterpretAsFixedString(sipHash64(trace, 1))), 16
        ),
        toFixedString(reinterpretAsFixedString(sipHash64(trace, place, 2)), 8) AS span_id,
        if(place = 0, toFixedString('', 8),
            toFixedString(reinterpretAsFixedString(sipHash64(trace, toUInt64(intDiv(place - 1, 3)), 2)), 8)),
        concat('service-', toString(service_number)) AS service,
        concat(['GET /', 'POST /', 'SELECT ', 'publish '][1 + place % 4], toString(sipHash64(trace, place) % 20))
            AS name,
        ['server', 'client', 'client', 'internal'][1 + place % 4] AS kind,
        trace % 100 = 7 AND place = 3 AS is_error, if(is_error, 'it failed', ''), sender_name AS host,
        concat('1.', toString(intDiv(trace, 300000))) AS version, 'prod' AS env,
        map('http.route', concat('/path/', toString(trace % 50)), 'http.request.method', 'GET',
            'http.response.status_code', if(is_error, '500', '200'), 'user.id', concat('u', toString(trace % 100000)),
            'db.system', if(place % 4 = 2, 'postgresql', ''), 'thread.name', concat('worker-', toString(trace % 16)))
            AS attributes,
        map('service.name', service, 'host.name', host, 'telemetry.sdk.language', 'python') AS resource,
        [] AS events, [] AS links, [] AS redacted
    FROM (
        SELECT intDiv(number, {size:UInt64}) + {first:UInt64} AS trace, number % {size:UInt64} AS place,
            (trace % 20 + intDiv(place, 3)) % 20 AS service_number
        FROM numbers({count:UInt64})
    )"""


def say(title: str, result: str, goal: str = "") -> None:
    print(f"{title:<58} {result:>16}  {goal}", flush=True)


def fill(spans: int, start: datetime) -> float:
    """Write the spans; return how many a second."""
    from quarterdeck.telemetry import client

    traces = spans // SPANS_PER_TRACE
    step_ns = HOURS * 3600 * 10**9 // max(1, traces)
    started = time.perf_counter()
    for first in range(0, traces, TRACES_PER_INSERT):
        count = min(TRACES_PER_INSERT, traces - first)
        asked = {
            "start": int(start.timestamp()) * 10**9,
            "step": step_ns,
            "size": SPANS_PER_TRACE,
            "first": first,
            "count": count * SPANS_PER_TRACE,
        }
        client.command(_INSERT, asked)
    return spans / (time.perf_counter() - started)


def milliseconds(calls: Sequence[Callable[[], Any]]) -> tuple[float, float]:
    """Return median and 95th percentile, after one call to warm up."""
    calls[0]()
    times = []
    for call in calls:
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times), statistics.quantiles(times, n=20)[-1]


def measure(title: str, goal_ms: int, calls: Sequence[Callable[[], Any]]) -> bool:
    median, p95 = milliseconds(calls)
    holds = p95 < goal_ms
    say(title, f"{median:.0f} / {p95:.0f} ms", f"goal p95 < {goal_ms} ms: {'holds' if holds else 'MISSED'}")
    return holds


def questions(end: datetime) -> bool:
    """Ask everything; return whether every goal held."""
    from quarterdeck.audit.actor import SYSTEM
    from quarterdeck.telemetry import client
    from quarterdeck.tracing import queries

    rows = client.query("SELECT lower(hex(trace_id)) FROM traces ORDER BY sipHash64(trace_id) LIMIT 200")
    ids = random.Random(1).sample([row[0] for row in rows], min(ROUNDS * 2, len(rows)))
    day, hour = end - timedelta(hours=HOURS), end - timedelta(hours=1)
    results = [measure("trace by id", 50, [lambda one=one: queries.trace(SYSTEM, one) for one in ids])]
    for title, query, order, since in (
        ("service and duration, 1 h", "service:service-3 duration:>100ms", "latest", hour),
        ("service, duration, error, route, 24 h", "duration:>1s status:error http.route:/path/7", "latest", day),
        ("one attribute's value, 24 h", "user.id:u4711", "latest", day),
        ("newest of a service, 24 h", "service:service-3", "latest", day),
        ("slowest, 1 h", "service:service-3", "slowest", hour),
        ("slowest, 24 h", "service:service-3", "slowest", day),
        ("a value that nothing has, 24 h", "user.id:nobody", "latest", day),
    ):
        ask = lambda query=query, order=order, since=since: queries.traces(SYSTEM, query, since, end, order=order)  # noqa: E731
        results.append(measure(f"search: {title} ({len(ask())} found)", 300, [ask] * ROUNDS))
    results.append(measure("services, 24 h", 200, [lambda: queries.services(SYSTEM, day, end)] * ROUNDS))
    for title, since in (("1 h", hour), ("24 h", day)):
        page = lambda since=since: queries.service(SYSTEM, "service-3", since, end, 300)  # noqa: E731
        results.append(measure(f"service page, {title}", 200, [page] * ROUNDS))
    results.append(measure("statements, 1 h", 1000, [lambda: queries.statements(SYSTEM, hour, end)] * ROUNDS))
    return all(results)


def stored() -> None:
    from quarterdeck.telemetry import client

    rows = client.query(
        "SELECT table, sum(rows), sum(bytes_on_disk) FROM system.parts"
        " WHERE active AND table IN ('spans', 'traces', 'red_1m') GROUP BY table ORDER BY table"
    )
    for table, count, size in rows:
        say(f"{table}: {count:,} rows", f"{size / count:.1f} B/row")


def with_engine(spans: int) -> bool:
    with own_engine():
        from quarterdeck.telemetry import client

        end = datetime.now(UTC).replace(microsecond=0)
        say("spans stored through all views", f"{fill(spans, end - timedelta(hours=HOURS)):,.0f}/s")
        client.command("OPTIMIZE TABLE spans FINAL")
        stored()
        return questions(end)


def _otlp(trace: str, numbers: range, start_ns: int) -> bytes:
    spans = [
        {
            "traceId": trace, "spanId": f"{n:016x}", "parentSpanId": f"{n // 8:016x}" if n > 1 else "",
            "name": f"step {n % 50}", "kind": 2, "startTimeUnixNano": str(start_ns + n * 10**6),
            "endTimeUnixNano": str(start_ns + 20_000 * 10**6),
        }
        for n in numbers
    ]  # fmt: skip
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "big"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]}).encode()


def waterfall() -> bool:
    """Open a trace of 10,000 spans on an instance of its own; interactive is when a key moves the selection."""
    from tests.lab.chromium import chromium
    from tests.lab.instances import running_instance
    from tests.lab.parts import wait_until

    with running_instance({"QD_LANGUAGE": "en"}) as instance, chromium() as browser:
        trace, start = f"{time.time_ns():032x}", time.time_ns() - 60 * 10**9
        for first in range(1, WATERFALL_SPANS + 1, 2000):
            address = f"http://{instance.environment['QD_INTAKE_HTTP']}/v1/traces"
            body = _otlp(trace, range(first, first + 2000), start)
            urllib.request.urlopen(urllib.request.Request(address, body, {"Content-Type": "application/json"})).close()
        found = lambda: instance.get(f"/api/v1/traces/{trace}", token=instance.token)  # noqa: E731
        wait_until(lambda: found()[0] == 200 and len(found()[1]["spans"]) == WATERFALL_SPANS, "the spans")
        page = browser.new_page()
        page.goto(instance.set_up_link)
        for name, text in (("username", "bench"), ("email", "b@example.com"), ("password", "a-long-Passw0rd")):
            page.fill(f"input[name={name}]", text)
        page.fill("input[name=again]", "a-long-Passw0rd")
        page.click("main form button.btn-primary")
        page.wait_for_url(instance.url + "/")
        times = [_opened(page, f"{instance.url}/traces/{trace}") for _ in range(6)][1:]
    median = statistics.median(times)
    holds = median < 1000
    say(
        f"waterfall of {WATERFALL_SPANS:,} spans, until a key works",
        f"{median:.0f} ms",
        f"goal < 1000 ms: {'holds' if holds else 'MISSED'}",
    )
    return holds


def _opened(page: Any, address: str) -> float:
    began = time.perf_counter()
    page.goto(address, wait_until="commit")
    page.wait_for_selector(f"[data-ready='{WATERFALL_SPANS}']")
    page.locator("[role=tree]").focus()
    page.keyboard.press("End")
    page.wait_for_selector(f".is-current[data-index='{WATERFALL_SPANS - 1}']")
    return (time.perf_counter() - began) * 1000


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--spans", type=int, default=10_000_000, help="how many are stored; 0 for none")
    parser.add_argument("--browser", action="store_true", help="measure the waterfall in Chromium as well")
    options = parser.parse_args()
    say("median / p95", "result", "")
    results = [with_engine(options.spans)] if options.spans else []
    results += [waterfall()] if options.browser or options.spans else []
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
