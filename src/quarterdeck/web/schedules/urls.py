"""Addresses of the schedules' pages."""

from __future__ import annotations

from django.urls import path

from quarterdeck.web.schedules import changing, views

urlpatterns = [
    path("schedules", views.listing, name="schedules"),
    path("schedules/new", changing.new, name="schedule_new"),
    path("schedules/new/times", changing.times, name="schedule_times"),
    path("schedules/<slug:name>", views.schedule, name="schedule"),
    path("schedules/<slug:name>/edit", changing.edit, name="schedule_edit"),
    path("schedules/<slug:name>/act", changing.act, name="schedule_act"),
]
