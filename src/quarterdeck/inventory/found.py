"""What a source found: the only thing that sources, importers and connectors hand to `actions.apply`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Json = Any  # what `json.loads` returns

# Identity kinds by strength. 1-3 merge by themselves; 4-7 merge when the value is unique on both sides and nothing
# stronger contradicts; 8 only proposes. Machine ids and even SMBIOS UUIDs are not unique on cloned machines.
STRENGTHS: Mapping[str, int] = MappingProxyType(
    {
        "provider_id": 1,
        "k8s_uid": 1,
        "docker_id": 1,
        "instance_id": 2,
        "smbios_uuid": 3,
        "serial": 4,
        "ssh_host_key": 5,
        "machine_id": 6,
        "mac": 7,
        "hostname": 8,
        "ip": 8,
    }
)


@dataclass(frozen=True, slots=True)
class Found:
    """One thing as a source sees it.

    `external_id` is the source's own key within its scope and type. `attributes` is `{"cpu_count": 8}`, by the codes of
    the type. `identities` is `[("mac", "52:54:00:12:34:56")]`, kinds as in STRENGTHS. `relations` is
    `[("runs_on", "host", "db1")]`: relation type, then a type's code with the target's external id (of the same
    source) or name, or an identity's kind with its value. `state` is one of `models.State`, the source's own word goes
    to `raw_state`. `gone` is an explicit word that the thing exists no more. `row` is the number shown in errors
    (counted from 1 when it is not given). `item_id` is the item itself, where an importer knows it.
    """

    type: str
    external_id: str
    name: str = ""
    attributes: Mapping[str, Json] = field(default_factory=dict)
    identities: Sequence[tuple[str, str]] = ()
    relations: Sequence[tuple[str, str, str]] = ()
    state: str = ""
    raw_state: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    env: str = ""
    provider: str = ""
    account: str = ""
    region: str = ""
    primary_ip: str = ""
    owner: str = ""
    gone: bool = False
    row: int | None = None
    item_id: int | None = None


@dataclass(frozen=True, slots=True)
class RowError:
    """What is wrong with one row; `field` is "" when it concerns the whole row."""

    row: int
    field: str
    message: str


@dataclass(slots=True)
class Applied:
    """What one call of `apply` did. `warnings` are rows that were taken without the part that is named."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    errors: list[RowError] = field(default_factory=list)
    warnings: list[RowError] = field(default_factory=list)
    change_set_id: int | None = None
    item_ids: list[int] = field(default_factory=list)
    missing: int = 0
    gone: int = 0
    held: bool = False

    def counts(self) -> dict[str, int]:
        """Return what goes to the audit record and the run: `{"created": 3, "updated": 0, ...}`."""
        return {
            "created": self.created,
            "updated": self.updated,
            "unchanged": self.unchanged,
            "errors": len(self.errors),
            "missing": self.missing,
            "gone": self.gone,
        }
