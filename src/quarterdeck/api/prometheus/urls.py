"""The addresses of Prometheus' HTTP API, below /prometheus/."""

from __future__ import annotations

from django.urls import path

from quarterdeck.api.prometheus import views

app_name = "prometheus"
urlpatterns = [
    path("", views.healthy, name="root"),
    path("api/v1/query", views.query, name="query"),
    path("api/v1/query_range", views.query_range, name="query_range"),
    path("api/v1/query_exemplars", views.query_exemplars, name="query_exemplars"),
    path("api/v1/format_query", views.format_query, name="format_query"),
    path("api/v1/series", views.series, name="series"),
    path("api/v1/labels", views.labels, name="labels"),
    path("api/v1/label/<str:name>/values", views.label_values, name="label_values"),
    path("api/v1/metadata", views.metadata, name="metadata"),
    path("api/v1/rules", views.rules, name="rules"),
    path("api/v1/alerts", views.alerts, name="alerts"),
    path("api/v1/status/buildinfo", views.buildinfo, name="buildinfo"),
    path("-/healthy", views.healthy, name="healthy"),
    path("-/ready", views.healthy, name="ready"),
]
