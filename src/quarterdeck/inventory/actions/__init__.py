"""What people, tokens and schedules do with the inventory. Every function checks, audits and is one transaction."""

from quarterdeck.inventory.actions.apply import CHUNK_ROWS, apply
from quarterdeck.inventory.actions.claiming import UNCLAIMED, adopt, ignore, is_unclaimed
from quarterdeck.inventory.actions.drifting import accept_drift, acknowledge_drift, reveal_secret
from quarterdeck.inventory.actions.items import (
    Bulk,
    bulk_update,
    create_item,
    purge,
    restore,
    trash,
    update_item,
)
from quarterdeck.inventory.actions.merging import decide, merge, propose, split, unmerge
from quarterdeck.inventory.actions.relations import add_event, relate, unrelate
from quarterdeck.inventory.actions.reverting import Reverted, revert
from quarterdeck.inventory.actions.sync import note_sync, request_sync, retire_absent
from quarterdeck.inventory.actions.types import (
    export_types,
    import_types,
    remove_attribute,
    remove_type,
    set_attribute,
    set_type,
)
from quarterdeck.inventory.actions.viewing import delete_view, save_view
from quarterdeck.inventory.found import Applied, Found, RowError

__all__ = [
    "CHUNK_ROWS",
    "UNCLAIMED",
    "Applied",
    "Bulk",
    "Found",
    "Reverted",
    "RowError",
    "accept_drift",
    "acknowledge_drift",
    "add_event",
    "adopt",
    "apply",
    "bulk_update",
    "create_item",
    "decide",
    "delete_view",
    "export_types",
    "ignore",
    "import_types",
    "is_unclaimed",
    "merge",
    "note_sync",
    "propose",
    "purge",
    "relate",
    "remove_attribute",
    "remove_type",
    "request_sync",
    "restore",
    "retire_absent",
    "reveal_secret",
    "revert",
    "save_view",
    "set_attribute",
    "set_type",
    "split",
    "trash",
    "unmerge",
    "unrelate",
    "update_item",
]
