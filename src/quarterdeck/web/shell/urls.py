from __future__ import annotations

from django.urls import path

from quarterdeck.web.shell import views

urlpatterns = [
    path("shell/selector", views.set_selector, name="set_selector"),
    path("shell/range", views.set_range, name="set_range"),
]
