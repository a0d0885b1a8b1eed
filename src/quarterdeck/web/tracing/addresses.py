"""Addresses of traces and services. Names and ids are foreign text: `reverse` would refuse some of them."""

from __future__ import annotations

from urllib.parse import quote

from django.urls import reverse


def of_service(name: str) -> str:
    return f"{reverse('web:services')}/{quote(name, safe='')}" if name else reverse("web:services")


def traces_query(field: str, value: str) -> str:
    """Return a query over spans for one value, whatever is in it: `service:"shop"`."""
    quoted = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{field}:"{quoted}"'


def of_trace(trace_id: str) -> str:
    return f"{reverse('web:traces')}/{quote(trace_id, safe='')}"
