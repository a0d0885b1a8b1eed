"""Prometheus' HTTP API under /prometheus/api/v1/, for Grafana, promtool and scripts.

See https://prometheus.io/docs/prometheus/latest/querying/api/
"""
