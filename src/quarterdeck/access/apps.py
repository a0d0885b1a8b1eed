from __future__ import annotations

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class AccessConfig(AppConfig):
    name = "quarterdeck.access"
    label = "access"

    def ready(self) -> None:
        from quarterdeck.access import signins
        from quarterdeck.access.registry import register

        register("access.view", _("See people, groups and roles"), scoped=False)
        register("access.manage", _("Manage people, groups and roles"), scoped=False)
        register("access.tokens", _("Make and revoke one's own tokens"), scoped=False, own=True)
        register("audit.view", _("Read and verify the audit log"), scoped=False)
        register("audit.export", _("Export the audit log"), scoped=False)
        register("settings.view", _("See settings and system status"), scoped=False)
        signins.connect()
