"""Addresses of the terminals' pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.terminals import recordings, views

urlpatterns = [
    path("terminals", views.terminals, name="terminals"),
    path("terminals/new", views.new, name="terminal_new"),
    path("terminals/<int:pk>", views.terminal, name="terminal"),
    path("terminals/<int:pk>/act", views.act, name="terminal_act"),
    path("terminals/<int:pk>/events", recordings.events, name="terminal_events"),
    path("terminals/<int:pk>/download", recordings.download, name="terminal_download"),
]
