"""Reports that browsers send by themselves: content security policy and its kin, as events.

See https://develop.sentry.dev/sdk/ (security reports) and https://www.w3.org/TR/CSP3/#reporting
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from quarterdeck.telemetry.receivers.sentry.batches import Batch
from quarterdeck.telemetry.receivers.sentry.events import add_event
from quarterdeck.telemetry.receivers.sentry.values import first, load, mapping, text
from quarterdeck.telemetry.receiving import Refused

_REPORTS_MAX = 100
# The member that holds a report of each kind, and the reporting API's name of the kind.
_OLD = {"csp-report": "csp", "expect-ct-report": "expect-ct", "expect-staple-report": "expect-staple"}


def add_reports(body: bytes, query: Mapping[str, str], agent: str, batch: Batch) -> None:
    """Add an event for each report. Raises Refused for a body that holds none."""
    found = list(_reports(load(body)))[:_REPORTS_MAX]
    if not found:
        raise Refused("the body holds no report", reason="malformed")
    for kind, url, report in found:
        add_event(_event(kind, url, report, query, agent), batch, kind)


def _reports(found: Any) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield `(kind, address of the page, report)` of both forms."""
    for one in found if isinstance(found, list) else [found]:
        outer = mapping(one)
        for name, kind in _OLD.items():
            if isinstance(outer.get(name), dict):
                report = outer[name]
                yield kind, first(report, "document-uri", "hostname"), report
        if isinstance(outer.get("body"), dict) and isinstance(outer.get("type"), str):
            kind = "csp" if outer["type"] == "csp-violation" else text(outer["type"], 40)
            yield kind, text(outer.get("url"), 1000), outer["body"]


def _event(kind: str, url: str, report: dict[str, Any], query: Mapping[str, str], agent: str) -> dict[str, Any]:
    rule = first(report, "effective-directive", "effectiveDirective", "violated-directive", "violatedDirective")
    rule = rule.partition(" ")[0]
    blocked = _origin(first(report, "blocked-uri", "blockedURL"))
    message = f"Blocked '{rule}' from '{blocked}'" if rule else f"{kind} report of {url}"
    return {
        "platform": "javascript",
        "logger": kind,
        "message": message,
        "release": query.get("sentry_release", ""),
        "environment": query.get("sentry_environment", ""),
        "culprit": rule,
        "tags": {name: value for name, value in (("effective-directive", rule), ("blocked-uri", blocked)) if value},
        "request": {"url": url, "headers": [["User-Agent", agent]]},
        "fingerprint": [kind, rule, blocked] if rule else ["{{ default }}"],
        kind: report,
    }


def _origin(address: str) -> str:
    """Return the host of an address; `inline`, `eval`, `self` stay."""
    try:
        return urlsplit(address).netloc or address
    except ValueError:
        return address
