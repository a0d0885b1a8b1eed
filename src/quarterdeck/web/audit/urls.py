"""Addresses of the audit log."""

from __future__ import annotations

from django.urls import path, re_path

from quarterdeck.web.audit import views

urlpatterns = [
    path("audit", views.audit, name="audit"),
    path("audit/verify", views.verify, name="verify_audit"),
    re_path(r"^audit/export\.(?P<form>csv|jsonl)$", views.export, name="export_audit"),
    path("audit/<int:seq>", views.event_page, name="audit_event"),
]
