"""Items that appeared because something sent telemetry; the query `label.claim:unclaimed` selects them."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from quarterdeck.api.auth import identify
from quarterdeck.api.shapes import Changed
from quarterdeck.api.shapes.items import Selection
from quarterdeck.inventory import actions

router = Router()


@router.post("/items/adopt", response=Changed)
def adopt(request: HttpRequest, body: Selection) -> Changed:
    """Make unclaimed items ordinary ones; items that are claimed stay as they are."""
    done = actions.adopt(identify(request), body.chosen(), reason=body.reason)
    return Changed(changed=done.count, change_set=done.change_set_id)


@router.post("/items/ignore", response=Changed)
def ignore(request: HttpRequest, body: Selection) -> Changed:
    """Put unclaimed items in the trash, so that none appears again for what they send; others stay as they are."""
    done = actions.ignore(identify(request), body.chosen(), reason=body.reason)
    return Changed(changed=done.count, change_set=done.change_set_id)
