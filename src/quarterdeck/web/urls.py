"""Every page, by capability."""

from __future__ import annotations

from django.urls import include, path

PAGES = (
    "shell",
    "search",
    "overview",
    "items",
    "logs",
    "topology",
    "metrics",
    "dashboards",
    "tracing",
    "types",
    "imports",
    "intake",
    "issues",
    "audit",
    "access",
    "credentials",
    "host_keys",
    "hosts",
    "runs",
    "job_templates",
    "guards",
    "terminals",
    "schedules",
    "settings",
    "accounts",
)

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    path("", include(([path("", include(f"quarterdeck.web.{name}.urls")) for name in PAGES], "web"))),
]
