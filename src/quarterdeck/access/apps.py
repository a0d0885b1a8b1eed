from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
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
        register("credentials.view", _("See which credentials there are, never their secrets"), scoped=False)
        register("credentials.manage", _("Keep, change, attach and rotate credentials"), scoped=False)
        register("credentials.use", _("Sign in on hosts with the credentials that are attached to them"))
        register("audit.view", _("Read and verify the audit log"), scoped=False)
        register("audit.export", _("Export the audit log"), scoped=False)
        register("settings.view", _("See settings and system status"), scoped=False)
        signins.connect()
        # Not a data migration: a new version's verbs reach an instance that exists.
        post_migrate.connect(_add_builtin_roles, sender=self)


def _add_builtin_roles(**options: Any) -> None:
    from quarterdeck.access.builtin import add_builtin_roles

    add_builtin_roles(using=options["using"])
