from __future__ import annotations

from django.urls import path

from quarterdeck.web.logs import details, metrics, parts, saved, views

urlpatterns = [
    path("logs", views.logs, name="logs"),
    path("logs/patterns", views.patterns, name="log_patterns"),
    path("logs/metrics", metrics.metrics, name="log_metrics"),
    path("logs/metrics/<slug:name>/backfill", metrics.backfill, name="log_metric_backfill"),
    path("logs/metrics/<slug:name>/delete", metrics.delete, name="log_metric_delete"),
    path("logs/changed", views.changed, name="log_changed"),
    path("logs/completions", parts.completions, name="log_completions"),
    path("logs/histogram", parts.histogram, name="log_histogram"),
    path("logs/facets", parts.facets, name="log_facets"),
    path("logs/statistics", parts.statistics, name="log_statistics"),
    path("logs/tail", parts.tail, name="log_tail"),
    path("logs/export", parts.export, name="log_export"),
    path("logs/views", saved.save, name="log_view_save"),
    path("logs/views/<int:pk>/delete", saved.delete, name="log_view_delete"),
    path("logs/lines/<int:ts_ns>/<slug:line_id>", details.line, name="log_line"),
    path("logs/lines/<int:ts_ns>/<slug:line_id>/context", details.context, name="log_context"),
]
