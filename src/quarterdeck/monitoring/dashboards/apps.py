from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class DashboardsConfig(AppConfig):
    name = "quarterdeck.monitoring.dashboards"
    label = "dashboards"

    def ready(self) -> None:
        from quarterdeck.access import registry

        registry.register("monitoring.dashboards", _("Make and change dashboards"), scoped=False)
