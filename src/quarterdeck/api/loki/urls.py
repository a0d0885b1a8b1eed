"""The addresses of Loki's HTTP API, below /loki/."""

from __future__ import annotations

from django.urls import path

from quarterdeck.api.loki import views

app_name = "loki"
urlpatterns = [
    path("ready", views.ready, name="ready"),
    path("api/v1/query", views.query, name="query"),
    path("api/v1/query_range", views.query_range, name="query_range"),
    path("api/v1/labels", views.labels, name="labels"),
    path("api/v1/label", views.labels, name="label"),
    path("api/v1/label/<str:name>/values", views.label_values, name="label_values"),
    path("api/v1/series", views.series, name="series"),
    path("api/v1/index/stats", views.stats, name="stats"),
    path("api/v1/status/buildinfo", views.buildinfo, name="buildinfo"),
]
