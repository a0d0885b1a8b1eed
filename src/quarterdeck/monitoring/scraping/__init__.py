"""Fetching metrics from targets that wait to be asked, as Prometheus does: exporters and programs with /metrics."""
