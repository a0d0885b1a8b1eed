"""Every address of the web process."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

from quarterdeck.conf import health

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("accounts/", include("quarterdeck.web.accounts.allauth_urls")),
]
_MOUNTED = (
    ("api/v1/", "quarterdeck.api.urls"),
    ("api/0/", "quarterdeck.api.sentry.urls"),
    ("prometheus/", "quarterdeck.api.prometheus.urls"),
    ("zipkin/", "quarterdeck.api.zipkin.urls"),
    ("jaeger/", "quarterdeck.api.jaeger.urls"),
    ("loki/", "quarterdeck.api.loki.urls"),
    ("es/", "quarterdeck.api.elasticsearch.urls"),
    ("", "quarterdeck.web.urls"),
)
for prefix, module in _MOUNTED:
    if find_spec(module):
        urlpatterns.append(path(prefix, include(module)))

handler400 = "quarterdeck.web.errors.bad_request"
handler403 = "quarterdeck.web.errors.forbidden"
handler404 = "quarterdeck.web.errors.not_found"
handler500 = "quarterdeck.web.errors.server_error"
