"""Addresses of the types editor."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.types import views

# "-" begins no code, so no type or attribute can hide behind these.
urlpatterns = [
    path("types", views.types, name="types"),
    path("types/-/new", views.new_type, name="new_type"),
    path("types/-/import", views.import_page, name="import_types"),
    path("types/-/export", views.export_page, name="export_types"),
    path("types/<slug:code>", views.type_page, name="type"),
    path("types/<slug:code>/edit", views.edit_type, name="edit_type"),
    path("types/<slug:code>/remove", views.delete_type, name="remove_type"),
    path("types/<slug:code>/attributes/-/new", views.new_attribute, name="new_attribute"),
    path("types/<slug:code>/attributes/<slug:attribute>", views.edit_attribute, name="edit_attribute"),
    path("types/<slug:code>/attributes/<slug:attribute>/remove", views.delete_attribute, name="remove_attribute"),
    path("types/<slug:code>/attributes/<slug:attribute>/move", views.move_attribute, name="move_attribute"),
]
