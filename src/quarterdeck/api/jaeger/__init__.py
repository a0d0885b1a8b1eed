"""Jaeger's HTTP API for reading, as its UI and Grafana use it.

See https://www.jaegertracing.io/docs/latest/architecture/apis/ and
https://github.com/jaegertracing/jaeger/tree/main/internal/uimodel for the shapes.
"""
