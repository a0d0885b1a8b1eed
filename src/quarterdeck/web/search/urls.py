from __future__ import annotations

from django.urls import path

from quarterdeck.web.search import views

urlpatterns = [path("search/palette", views.palette, name="palette")]
