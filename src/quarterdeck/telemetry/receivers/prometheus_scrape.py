"""Prometheus' exporters, which wait to be asked: nothing is received here, the intake scrapes them.

Names, labels and values are kept as they are, and `up`, `scrape_duration_seconds`, `scrape_samples_scraped` and stale
markers are written as Prometheus writes them. The sender is the `instance`. See `monitoring.scraping`.
"""

from __future__ import annotations

from quarterdeck.telemetry.receiving import Client, Receiver

_LABELS = """\
# Labels of the item, in the inventory or on the container:
prometheus.io/scrape: "true"
prometheus.io/port: "9100"
prometheus.io/path: /metrics
"""
_FILE = """\
# Follow the scrape_configs of a prometheus.yml as they are:
QD_SCRAPE_CONFIG=/etc/prometheus/prometheus.yml
"""

PLUGIN = Receiver(
    title="Prometheus scrape",
    signals=("metrics",),
    clients=(Client("Items and containers", _LABELS, language="yaml"), Client("prometheus.yml", _FILE)),
)
