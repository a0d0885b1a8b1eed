from __future__ import annotations

from django.urls import path

from quarterdeck.web.dashboards import changing, made, reading

urlpatterns = [
    path("dashboards", reading.listing, name="dashboards"),
    path("dashboards/new", changing.new, name="dashboard_new"),
    path("dashboards/import", changing.import_file, name="dashboard_import"),
    path("dashboards/types/<slug:code>", made.board, name="dashboard_made"),
    path("dashboards/types/<slug:code>/keep", made.keep, name="dashboard_keep"),
    path("dashboards/types/<slug:code>/panels/<int:number>/data", made.data, name="dashboard_made_data"),
    path("dashboards/<slug:slug>", reading.board, name="dashboard"),
    path("dashboards/<slug:slug>.yaml", reading.export, name="dashboard_export"),
    path("dashboards/<slug:slug>/settings", changing.settings, name="dashboard_settings"),
    path("dashboards/<slug:slug>/delete", changing.delete, name="dashboard_delete"),
    path("dashboards/<slug:slug>/versions", reading.versions, name="dashboard_versions"),
    path("dashboards/<slug:slug>/versions/<int:number>/restore", changing.restore, name="dashboard_restore"),
    path("dashboards/<slug:slug>/panels/new", changing.new_panel, name="dashboard_panel_new"),
    path("dashboards/<slug:slug>/panels/<int:number>", changing.panel, name="dashboard_panel"),
    path("dashboards/<slug:slug>/panels/<int:number>/data", reading.data, name="dashboard_data"),
    path("dashboards/<slug:slug>/panels/<int:number>/move", changing.move, name="dashboard_panel_move"),
    path("dashboards/<slug:slug>/panels/<int:number>/remove", changing.remove, name="dashboard_panel_remove"),
]
