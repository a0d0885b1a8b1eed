from __future__ import annotations

from django.urls import path

from quarterdeck.web.overview import views

urlpatterns = [path("", views.overview, name="overview"), path("overview/attention", views.attention, name="attention")]
