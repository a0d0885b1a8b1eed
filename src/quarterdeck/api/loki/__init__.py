"""Loki's HTTP API under /loki/, for Grafana and logcli.

See https://grafana.com/docs/loki/latest/reference/loki-http-api/
"""
