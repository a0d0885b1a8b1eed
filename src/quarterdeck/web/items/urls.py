from __future__ import annotations

from django.urls import path

from quarterdeck.web.items import bulk, changes, charts, editing, lists, merging, related, saved, sources, views

urlpatterns = [
    path("items", lists.items, name="items"),
    path("items/completions", lists.completions, name="completions"),
    path("items/facets", lists.item_facets, name="item_facets"),
    path("items/usage", lists.usage, name="item_usage"),
    path("items/export", lists.export, name="item_export"),
    path("items/pick", lists.pick, name="item_pick"),
    path("items/trash", lists.trash, name="trash"),
    path("items/bulk", bulk.bulk, name="item_bulk"),
    path("items/views", saved.save, name="view_save"),
    path("items/views/<slug:slug>/delete", saved.delete, name="view_delete"),
    path("items/new", editing.new, name="item_new"),
    path("items/merges", merging.proposals, name="merge_proposals"),
    path("items/merges/<int:pk>", merging.decide, name="merge_decide"),
    path("items/merges/<int:pk>/undo", merging.undo, name="merge_undo"),
    path("changes/<int:pk>", changes.show, name="change"),
    path("changes/<int:pk>/undo", changes.undo, name="change_undo"),
    path("items/drift", sources.drifts, name="drift"),
    path("items/<int:pk>", views.summary, name="item"),
    path("items/<int:pk>/metrics", charts.metrics, name="item_metrics"),
    path("items/<int:pk>/charts/<slug:name>", charts.chart, name="item_chart"),
    path("items/<int:pk>/relations", related.relations, name="item_relations"),
    path("items/<int:pk>/relations/add", related.add, name="item_relate"),
    path("items/<int:pk>/relations/remove", related.remove, name="item_unrelate"),
    path("items/<int:pk>/history", views.history, name="item_history"),
    path("items/<int:pk>/timeline", views.timeline, name="item_timeline"),
    path("items/<int:pk>/sources", sources.sources, name="item_sources"),
    path("items/<int:pk>/drift", sources.settle, name="item_drift"),
    path("items/<int:pk>/edit", editing.edit, name="item_edit"),
    path("items/<int:pk>/merge", merging.merge, name="item_merge"),
]
