"""Reads of traces and services. Each takes the actor and gives only what the actor may read."""

from __future__ import annotations

from quarterdeck.tracing.assembling import Trace
from quarterdeck.tracing.changed import Against, SpanChanges, changed
from quarterdeck.tracing.comparing import Comparison, Side, Step, compared
from quarterdeck.tracing.edges import Edge, ServiceMap, ServiceNode, service_map
from quarterdeck.tracing.names import attribute_keys, attribute_values, operations, remote_services, service_names
from quarterdeck.tracing.nodes import Node
from quarterdeck.tracing.reading import Around, around, span, trace, trace_key, traces_by_id
from quarterdeck.tracing.scoping import items_of_services
from quarterdeck.tracing.search import Found, traces
from quarterdeck.tracing.services import (
    Deployment,
    ExceptionRow,
    Service,
    ServiceRow,
    Version,
    deployments,
    service,
    services,
)
from quarterdeck.tracing.spans import Event, TraceSpan
from quarterdeck.tracing.statements import Statement, statements

__all__ = [
    "Against",
    "Around",
    "Comparison",
    "Deployment",
    "Edge",
    "Event",
    "ExceptionRow",
    "Found",
    "Node",
    "Service",
    "ServiceMap",
    "ServiceNode",
    "ServiceRow",
    "Side",
    "SpanChanges",
    "Statement",
    "Step",
    "Trace",
    "TraceSpan",
    "Version",
    "around",
    "attribute_keys",
    "attribute_values",
    "changed",
    "compared",
    "deployments",
    "items_of_services",
    "operations",
    "remote_services",
    "service",
    "service_map",
    "service_names",
    "services",
    "span",
    "statements",
    "trace",
    "trace_key",
    "traces",
    "traces_by_id",
]
