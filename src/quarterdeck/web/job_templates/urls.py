"""Addresses of the job templates' pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.job_templates import views

urlpatterns = [
    path("templates", views.listing, name="templates"),
    path("templates/new", views.new, name="template_new"),
    path("templates/library/<slug:name>", views.take, name="template_take"),
    path("templates/<slug:name>", views.template, name="template"),
    path("templates/<slug:name>/edit", views.edit, name="template_edit"),
    path("templates/<slug:name>/export", views.export, name="template_export"),
    path("templates/<slug:name>/delete", views.delete, name="template_delete"),
]
