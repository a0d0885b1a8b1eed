"""Addresses of the page that adds hosts."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.hosts import views

urlpatterns = [
    path("hosts/new", views.new, name="hosts_new"),
    path("hosts/preview", views.preview, name="hosts_preview"),
]
