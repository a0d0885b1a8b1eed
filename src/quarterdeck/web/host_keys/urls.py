"""Addresses of the host keys' pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.host_keys import views

urlpatterns = [
    path("host-keys", views.host_keys, name="host_keys"),
    path("host-keys/decide", views.decide, name="host_keys_decide"),
    path("host-keys/import", views.import_, name="host_keys_import"),
]
