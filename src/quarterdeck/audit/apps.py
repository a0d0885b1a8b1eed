from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class AuditConfig(AppConfig):
    name = "quarterdeck.audit"
    label = "audit"

    def ready(self) -> None:
        post_migrate.connect(_start_chain, sender=self)


def _start_chain(**options: Any) -> None:
    """Make the row that tells where the chain ends; a chain that was started stays as it is."""
    from quarterdeck.audit.models import ChainHead

    ChainHead.objects.using(options["using"]).get_or_create(pk=1)
