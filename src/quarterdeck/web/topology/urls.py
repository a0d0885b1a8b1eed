from __future__ import annotations

from django.urls import path

from quarterdeck.web.topology import views

urlpatterns = [
    path("topology", views.topology, name="topology"),
    path("topology/graph", views.graph, name="topology_graph"),
]
