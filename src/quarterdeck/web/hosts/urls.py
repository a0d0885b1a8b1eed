"""Addresses of the page that adds hosts."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.hosts import views

urlpatterns = [
    path("hosts/new", views.new, name="hosts_new"),
    path("items/<int:pk>/facts", views.facts, name="item_facts"),
    path("items/<int:pk>/packages", views.packages, name="item_packages"),
    path("hosts/preview", views.preview, name="hosts_preview"),
]
