"""Addresses of the guard rules' pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.guards import views

urlpatterns = [
    path("guards", views.guards, name="guards"),
    path("guards/<int:pk>", views.guard, name="guard"),
    path("guards/new", views.guard, name="guard_new"),
    path("guards/<int:pk>/delete", views.delete, name="guard_delete"),
    path("guards/met", views.met, name="guards_met"),
]
