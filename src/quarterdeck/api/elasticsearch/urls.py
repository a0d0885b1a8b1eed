"""The addresses of Elasticsearch's API, below /es/."""

from __future__ import annotations

from django.urls import path

from quarterdeck.api.elasticsearch import views

app_name = "elasticsearch"
urlpatterns = [
    path("", views.root, name="root"),
    path("_search", views.search, name="search"),
    path("_search/scroll", views.scroll, name="scroll"),
    path("_search/scroll/<str:scroll_id>", views.scroll),
    path("_pit", views.pit, name="pit"),
    path("_msearch", views.msearch, name="msearch"),
    path("_count", views.count, name="count"),
    path("_mapping", views.field_mapping, name="mapping"),
    path("_mappings", views.field_mapping),
    path("_field_caps", views.field_caps, name="field_caps"),
    path("_cat/indices", views.indices, name="indices"),
    path("_cat/indices/<str:index>", views.indices),
    path("_cluster/health", views.health, name="health"),
    path("_cluster/health/<str:index>", views.health),
    path("<str:index>", views.index, name="index"),
    path("<str:index>/_search", views.search),
    path("<str:index>/_pit", views.pit),
    path("<str:index>/_msearch", views.msearch),
    path("<str:index>/_count", views.count),
    path("<str:index>/_mapping", views.field_mapping),
    path("<str:index>/_mappings", views.field_mapping),
    path("<str:index>/_field_caps", views.field_caps),
    path("<path:path>", views.unknown),
]
