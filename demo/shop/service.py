"""What the shop's services share: errors are reported to Sentry's address, requests are served by waitress."""

from __future__ import annotations

import logging
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

import requests
import sentry_sdk
import waitress
from flask import Flask
from sentry_sdk.integrations.otlp import OTLPIntegration

TIMEOUT_SECONDS = 10


def serve(app: Flask) -> None:
    """Serve on 127.0.0.1:$PORT until the end. Traces, metrics and logs leave through `opentelemetry-instrument`."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    # The events carry the ids of the running span; spans go to OpenTelemetry's address only.
    linked = OTLPIntegration(setup_otlp_traces_exporter=False, setup_propagator=False)
    sentry_sdk.init(integrations=[linked], server_name=os.uname().nodename)
    sentry_sdk.set_tag("service", app.name)
    app.add_url_rule("/health", view_func=lambda: "ok")
    waitress.serve(app, host="127.0.0.1", port=int(os.environ["PORT"]), threads=8, _quiet=True)


@contextmanager
def cursor() -> Iterator[sqlite3.Cursor]:
    """One transaction on the shop's database, by a cursor: OpenTelemetry sees no other way."""
    with closing(sqlite3.connect(os.environ["DATABASE"], timeout=TIMEOUT_SECONDS)) as database, database:
        yield database.cursor()


def ask(service: str, path: str) -> requests.Response:
    """Return another service's answer to a GET; raises requests.HTTPError for a status of 400 and above."""
    answer = requests.get(os.environ[f"{service.upper()}_URL"] + path, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    return answer
