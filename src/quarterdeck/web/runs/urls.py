"""Addresses of the runs' pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.runs import files, hosts, live, starting, views

urlpatterns = [
    path("runs", views.runs, name="runs"),
    path("runs/new", starting.new, name="run_new"),
    path("runs/new/push", starting.new_push, name="run_new_push"),
    path("runs/new/pull", starting.new_pull, name="run_new_pull"),
    path("runs/new/playbook", starting.new_playbook, name="run_new_playbook"),
    path("runs/new/hosts", starting.chosen_hosts, name="run_chosen_hosts"),
    path("runs/<int:pk>", views.run, name="run"),
    path("runs/<int:pk>/part", live.part, name="run_part"),
    path("runs/<int:pk>/live", live.live, name="run_live"),
    path("runs/<int:pk>/act", views.act, name="run_act"),
    path("runs/<int:pk>/decide", views.decide, name="run_decide"),
    path("runs/<int:pk>/files", files.all_, name="run_files"),
    path("runs/<int:pk>/hosts/<int:host>", hosts.host, name="run_host"),
    path("runs/<int:pk>/hosts/<int:host>/files/<int:file>", files.one, name="run_file"),
    path("runs/<int:pk>/hosts/<int:host>/download", hosts.download, name="run_host_download"),
    path("runs/<int:pk>/hosts/<int:host>/difference", hosts.difference, name="run_difference"),
]
