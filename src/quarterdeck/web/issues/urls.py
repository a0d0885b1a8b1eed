from __future__ import annotations

from django.urls import path

from quarterdeck.web.issues import acting, lists, monitors, owners, releases, rules, source_maps, views

urlpatterns = [
    path("errors", lists.issues, name="issues"),
    path("errors/change", acting.change, name="issue_change"),
    path("errors/<int:pk>", views.issue, name="issue"),
    path("errors/<int:pk>/events", views.events, name="issue_events"),
    path("errors/<int:pk>/tags", views.tags, name="issue_tags"),
    path("errors/<int:pk>/payload/<slug:event_id>", views.payload, name="issue_payload"),
    path("errors/<int:pk>/comments", acting.comment, name="issue_comment"),
    path("errors/<int:pk>/split", acting.split, name="issue_split"),
    path("errors/releases", releases.releases, name="releases"),
    path("errors/releases/<int:pk>", releases.release, name="release"),
    path("errors/monitors", monitors.monitors, name="monitors"),
    path("errors/rules", rules.rules, name="issue_rules"),
    path("errors/rules/<slug:name>/delete", rules.delete, name="issue_rule_delete"),
    path("errors/owners", owners.owners, name="issue_owners"),
    path("errors/source-maps", source_maps.source_maps, name="source_maps"),
    path("errors/source-maps/<int:pk>/delete", source_maps.delete, name="source_map_delete"),
    path("errors/events/<slug:event_id>", views.find, name="issue_of_event"),
]
