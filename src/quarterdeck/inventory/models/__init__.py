"""Tables of the inventory. JSON is the truth of an item; hot columns and a side index answer the traffic.

    ItemType ── Attribute                 what items may be; users add both at run time
    Item ┬─ ItemIndex, ItemUnique         derived from `attributes`, written in the same transaction
         ├─ Identity                      keys by which a source's record finds its item
         ├─ ItemSeen                      when any source last saw it: written by every pass, so apart
         ├─ Observation ── Sighting       what each source last said, kept apart so that merge and split are reversible
         ├─ Relation                      directed, typed edge to another item
         ├─ Change (in a ChangeSet)       field-level history
         ├─ BeforeImage (in a ChangeSet)  what people replaced, for the way back
         └─ TimelineEvent                 what happened to the item

Everything here is written by `inventory.actions` only; reads live in `inventory.queries`.
"""

from quarterdeck.inventory.models.history import BeforeImage, Change, ChangeSet, TimelineEvent
from quarterdeck.inventory.models.items import (
    Drift,
    Identity,
    Item,
    ItemIndex,
    ItemSecret,
    ItemSeen,
    ItemText,
    ItemUnique,
    Observation,
    Relation,
    Sighting,
)
from quarterdeck.inventory.models.kinds import Kind, Lifecycle, State
from quarterdeck.inventory.models.types import Attribute, Catalogue, ItemType
from quarterdeck.inventory.models.work import Import, Merge, MergeProposal, SavedView, SyncRun

__all__ = [
    "Attribute",
    "BeforeImage",
    "Catalogue",
    "Change",
    "ChangeSet",
    "Drift",
    "Identity",
    "Import",
    "Item",
    "ItemIndex",
    "ItemSecret",
    "ItemSeen",
    "ItemText",
    "ItemType",
    "ItemUnique",
    "Kind",
    "Lifecycle",
    "Merge",
    "MergeProposal",
    "Observation",
    "Relation",
    "SavedView",
    "Sighting",
    "State",
    "SyncRun",
    "TimelineEvent",
]
