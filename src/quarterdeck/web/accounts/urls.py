"""Addresses of the first set-up, one-time links and one's own profile."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.accounts import views

urlpatterns = [
    path("set-up/<str:secret>", views.set_up, name="set_up"),
    path("welcome/<str:secret>", views.choose_password, name="choose_password"),
    path("me", views.profile, name="profile"),
]
