"""The inventory as Ansible reads it."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from ninja import Router

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Line, UrlQuery
from quarterdeck.inventory.exchange.dynamic import dynamic_inventory, host_variables

router = Router()


@router.get("/ansible/inventory", response=dict[str, Any])
def inventory(request: HttpRequest, q: UrlQuery = "", host: Line = "") -> dict[str, Any]:
    """Ansible's dynamic inventory: `_meta.hostvars` and groups; with `host`, the variables of that one."""
    found = dynamic_inventory(identify(request), q)
    return host_variables(found, host) if host else found
