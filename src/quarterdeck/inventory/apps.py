from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class InventoryConfig(AppConfig):
    name = "quarterdeck.inventory"
    label = "inventory"

    def ready(self) -> None:
        from quarterdeck.access.registry import register
        from quarterdeck.access.scopes import register as register_scope
        from quarterdeck.inventory.models import Item
        from quarterdeck.inventory.queries.items import condition

        register("inventory.view", _("See items"))
        register("inventory.edit", _("Create and change items"))
        register("inventory.delete", _("Put items into the trash and purge them"))
        register("inventory.merge", _("Merge and split items"))
        register("inventory.secrets", _("Read secret values of items"))
        register("inventory.types", _("Change types and attributes"), scoped=False)
        register("inventory.import", _("Import items from files"))
        register("inventory.export", _("Export items to files"))
        register_scope(Item, condition)
        # Not a data migration: it also brings the types back after a test emptied every table, and the types that a
        # new version adds reach an instance that exists.
        post_migrate.connect(_add_builtin_types, sender=self)


def _add_builtin_types(**options: Any) -> None:
    from quarterdeck.inventory.builtin import add_builtin_types

    add_builtin_types(using=options["using"])
