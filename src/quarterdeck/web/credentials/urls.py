"""Addresses of the credentials' pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.credentials import views

urlpatterns = [
    path("credentials", views.credentials, name="credentials"),
    path("credentials/new/<slug:kind>", views.new, name="credential_new"),
    path("credentials/rotate", views.rotate, name="credentials_rotate"),
    path("credentials/of/<slug:name>", views.credential, name="credential"),
    path("credentials/of/<slug:name>/save", views.save, name="credential_save"),
    path("credentials/of/<slug:name>/secret", views.replace, name="credential_secret"),
    path("credentials/of/<slug:name>/delete", views.delete, name="credential_delete"),
    path("credentials/of/<slug:name>/attach", views.attach, name="credential_attach"),
    path("credentials/of/<slug:name>/detach/<int:pk>", views.detach, name="credential_detach"),
]
