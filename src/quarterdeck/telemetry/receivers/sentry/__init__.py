"""Sentry's protocol: errors, transactions, logs, metrics, sessions, check-ins and feedback of its SDKs.

See https://develop.sentry.dev/sdk/foundations/
"""

from __future__ import annotations

from quarterdeck.telemetry.receivers.sentry import exchange
from quarterdeck.telemetry.receivers.sentry.statements import STREAMS
from quarterdeck.telemetry.receiving import Client, Receiver, Route

_PYTHON = """\
# pip install sentry-sdk
import sentry_sdk

sentry_sdk.init(
    dsn="http://{key}@{host}:{port}/{project}",
    environment="production",
    release="my-service@1.0.0",
    traces_sample_rate=1.0,
    enable_logs=True,
)
sentry_sdk.set_tag("service", "my-service")
"""
_NODE = """\
// npm install @sentry/node; load this file before all others: node --import ./instrument.mjs app.js
import * as Sentry from "@sentry/node";

Sentry.init({
  dsn: "http://{key}@{host}:{port}/{project}",
  environment: "production",
  release: "my-service@1.0.0",
  tracesSampleRate: 1.0,
  enableLogs: true,
});
Sentry.setTag("service", "my-service");
"""
_BROWSER = """\
// npm install @sentry/browser; a page served over https needs the intake behind https as well
import * as Sentry from "@sentry/browser";

Sentry.init({
  dsn: "http://{key}@{host}:{port}/{project}",
  environment: "production",
  release: "my-page@1.0.0",
  integrations: [Sentry.browserTracingIntegration()],
  tracesSampleRate: 0.1,
});
Sentry.setTag("service", "my-page");
"""
_CSP = """\
Content-Security-Policy: default-src 'self'; report-uri {url}/api/{project}/security/?sentry_key={key}
"""

_TAKERS = {
    "envelope": exchange.take_envelope,
    "store": exchange.take_store,
    "security": exchange.take_security,
    "csp-report": exchange.take_security,
    "minidump": exchange.take_minidump,
}


def _routes() -> tuple[Route, ...]:
    paths = [(f"/api/{{project}}/{name}{slash}", take) for name, take in _TAKERS.items() for slash in ("/", "")]
    return tuple(
        route
        for pattern, take in paths
        for route in (Route(("POST",), pattern, take), Route(("OPTIONS",), pattern, exchange.preflight, is_probe=True))
    )


PLUGIN = Receiver(
    title="Sentry",
    signals=("errors", "traces", "logs", "metrics"),
    routes=_routes(),
    streams=STREAMS,
    clients=(
        Client("Python", _PYTHON, language="python"),
        Client("Node.js", _NODE, language="javascript"),
        Client("Browser", _BROWSER, language="javascript"),
        Client("Content security policy", _CSP, language="text"),
    ),
    problem=exchange.problem,
    credential=exchange.credential,
    key_in_body=True,
    key_is_forced=True,
    body_max_bytes=20 << 20,
    content_max_bytes=100 << 20,
)
