"""Addresses of the settings pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.settings import views

urlpatterns = [
    path("settings", views.values, name="settings"),
    path("settings/system", views.system_page, name="system"),
    path("settings/sources", views.sources, name="sources"),
    path("settings/sources/sync", views.sync, name="sync_sources"),
]
