from __future__ import annotations

from django.urls import path

from quarterdeck.web.metrics import changed, fleets, views

urlpatterns = [
    path("metrics", views.metrics, name="metrics"),
    path("metrics/data", views.data, name="metrics_data"),
    path("metrics/changed", changed.changed, name="metrics_changed"),
    path("metrics/completions", views.completions, name="metrics_completions"),
    path("metrics/fleet", fleets.fleet, name="metrics_fleet"),
    path("metrics/fleet/data", fleets.data, name="metrics_fleet_data"),
    path("metrics/export.csv", views.export, name="metrics_export"),
]
