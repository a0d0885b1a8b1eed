"""Addresses of the import wizard."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.imports import views

urlpatterns = [
    path("imports", views.imports, name="imports"),
    path("imports/<int:pk>", views.import_page, name="import"),
    path("imports/<int:pk>/keys", views.keys, name="import_keys"),
    path("imports/<int:pk>/start", views.start, name="start_import"),
    path("imports/<int:pk>/progress", views.progress, name="import_progress"),
    path("imports/<int:pk>/errors.csv", views.errors_file, name="import_errors"),
]
