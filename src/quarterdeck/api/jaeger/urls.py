"""The addresses of Jaeger's query API, below /jaeger/."""

from __future__ import annotations

from django.urls import path

from quarterdeck.api.jaeger import views

app_name = "jaeger"
urlpatterns = [
    path("api/services", views.services, name="services"),
    path("api/services/<path:service>/operations", views.operation_names, name="operation_names"),
    path("api/operations", views.operations, name="operations"),
    path("api/traces", views.traces, name="traces"),
    path("api/traces/<str:trace_id>", views.trace, name="trace"),
    path("api/dependencies", views.dependencies, name="dependencies"),
]
