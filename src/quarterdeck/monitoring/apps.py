from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class MonitoringConfig(AppConfig):
    name = "quarterdeck.monitoring"
    label = "monitoring"

    def ready(self) -> None:
        from quarterdeck.access import registry

        registry.register("monitoring.collect", _("Measure this machine, bind senders to items"), scoped=False)

        from quarterdeck.monitoring.senders.binding import senders_of
        from quarterdeck.telemetry import owners

        owners.register(senders_of)
