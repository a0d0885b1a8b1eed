"""Under django-allauth's own names and addresses: `oidc/<provider>/login/` and `.../callback/`."""

from __future__ import annotations

from django.urls import path

from quarterdeck.access.openid import views

urlpatterns = [
    path("oidc/<slug:provider_id>/login/", views.login, name="openid_connect_login"),
    path("oidc/<slug:provider_id>/login/callback/", views.callback, name="openid_connect_callback"),
]
