"""Addresses of pages whose names others choose: whatever a service is called, its address can be written."""

from __future__ import annotations

from django import template

from quarterdeck.web.tracing.addresses import of_service, of_trace

register = template.Library()
register.filter("service_url", of_service)
register.filter("trace_url", of_trace)
