from __future__ import annotations

from django.urls import path

from quarterdeck.web.tracing import changed, maps, services, traces

urlpatterns = [
    path("traces", traces.search, name="traces"),
    path("traces/changed", changed.changed, name="traces_changed"),
    path("traces/compare", traces.compare, name="traces_compare"),
    path("traces/<str:trace_id>", traces.show, name="trace"),
    path("traces/<str:trace_id>/spans", traces.outline, name="trace_spans"),
    path("traces/<str:trace_id>/spans/<str:span_id>", traces.span, name="trace_span"),
    path("services", services.listing, name="services"),
    path("services/map", maps.service_map, name="service_map"),
    path("services/map/graph", maps.graph, name="service_map_graph"),
    path("services/<path:name>/chart/<slug:chart>", services.chart, name="service_chart"),
    path("services/<path:name>", services.show, name="service"),
    path("statements", services.statements, name="statements"),
]
