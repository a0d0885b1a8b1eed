"""The addresses of Zipkin's API, below /zipkin/."""

from __future__ import annotations

from django.urls import path

from quarterdeck.api.zipkin import views

app_name = "zipkin"
urlpatterns = [
    path("config.json", views.config, name="config"),
    path("api/v2/traces", views.traces, name="traces"),
    path("api/v2/trace/<str:trace_id>", views.trace, name="trace"),
    path("api/v2/traceMany", views.trace_many, name="trace_many"),
    path("api/v2/services", views.services, name="services"),
    path("api/v2/spans", views.spans, name="spans"),
    path("api/v2/remoteServices", views.remote_services, name="remote_services"),
    path("api/v2/dependencies", views.dependencies, name="dependencies"),
    path("api/v2/autocompleteKeys", views.keys, name="autocomplete_keys"),
    path("api/v2/autocompleteValues", views.values, name="autocomplete_values"),
]
