from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class JobsConfig(AppConfig):
    name = "quarterdeck.jobs"
    label = "jobs"

    def ready(self) -> None:
        from quarterdeck.access.registry import register

        register("jobs.view", _("See runs and what hosts answered"))
        register("jobs.run", _("Run commands on hosts"))
        register("jobs.run_local", _("Run commands on the workers themselves"), scoped=False)
        register("jobs.templates", _("Change job templates"), scoped=False)
        register("jobs.approve", _("Approve and refuse runs that wait for a second person"))
        register("jobs.guards", _("Edit the guard rules of runs"), scoped=False)
        register("jobs.files", _("Browse, download and upload the files of hosts"))
        register("jobs.terminal", _("Open terminals on hosts, and watch shared ones"))
        register("jobs.terminal_recordings", _("See the recordings of others' terminals, and close them"))
        register("jobs.schedules", _("Change schedules of runs"), scoped=False)
        register("jobs.host_keys", _("Approve, refuse and import the host keys of SSH servers"))
