"""Items that appeared because something sent telemetry: adopting, ignoring and merging them on the pages."""

from __future__ import annotations

from zlib import crc32

import pytest
from django.test import Client

from quarterdeck.access import actions as access
from quarterdeck.access.models import User
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.inventory import actions
from quarterdeck.inventory.found import Found
from quarterdeck.inventory.models import Item, Lifecycle, Merge
from quarterdeck.telemetry.owners import SENDER_BIT

pytestmark = pytest.mark.django_db
LIST = "/items?q=label.claim%3Aunclaimed"


def sent(name: str, kind: str = "host") -> Item:
    found = Found(kind, str(SENDER_BIT + crc32(name.encode())), name, labels={"claim": "unclaimed"})
    actions.apply(SYSTEM, [found], "intake", scope="senders")
    return Item.objects.get(name=name)


@pytest.fixture
def box(owner: Actor) -> Item:
    return sent("box")


def text(client: Client, address: str, **data: object) -> str:
    response = client.post(address, data, follow=True) if data else client.get(address)
    assert response.status_code == 200, response.content[:500]
    return str(response.content.decode())


def test_the_overview_counts_what_is_unclaimed_and_leads_there(as_owner: Client, box: Item) -> None:
    assert "1 sender is not claimed yet" in text(as_owner, "/overview/attention")
    sent("box2")
    page = text(as_owner, "/overview/attention")
    assert "2 senders are not claimed yet" in page
    assert LIST in page
    actions.adopt(SYSTEM, "")
    assert "claimed yet" not in text(as_owner, "/overview/attention")


def test_the_list_has_a_built_in_view_of_them_even_when_there_are_none(as_owner: Client, web1: Item) -> None:
    assert LIST in text(as_owner, "/items")
    assert "Nothing matches" in text(as_owner, LIST)
    assert "Unclaimed senders" in text(as_owner, "/search/palette?text=unclaimed")


def test_an_item_that_is_claimed_has_no_banner(as_owner: Client, web1: Item) -> None:
    assert "claimed this item" not in text(as_owner, f"/items/{web1.pk}")


def test_adopting_on_the_items_page_offers_to_undo_it(as_owner: Client, box: Item) -> None:
    here = f"/items/{box.pk}"
    assert "Nobody has claimed this item yet" in text(as_owner, here)
    page = text(as_owner, "/items/bulk", operation="adopt", id=box.pk, next=here)
    assert "1 item is adopted" in page
    assert "Nobody has claimed" not in page
    change = AuditEvent.objects.filter(verb="inventory.bulk_update").latest("seq").object_id
    assert f"/changes/{change}/undo" in page
    assert "Nobody has claimed" in text(as_owner, f"/changes/{change}/undo", next=here)


def test_ignoring_puts_it_into_the_trash_and_shows_the_others(as_owner: Client, box: Item) -> None:
    sent("box2")
    page = text(as_owner, "/items/bulk", operation="ignore", id=box.pk, next=LIST)
    box.refresh_from_db()
    assert box.lifecycle == Lifecycle.TRASHED
    assert "1 item is in the trash" in page
    assert "box2" in page


def test_bulk_leaves_claimed_items_alone(as_owner: Client, box: Item, web1: Item) -> None:
    text(as_owner, "/items/bulk", operation="ignore", all="1", q="type:host")
    web1.refresh_from_db()
    box.refresh_from_db()
    assert (web1.lifecycle, box.lifecycle) == (Lifecycle.ACTIVE, Lifecycle.TRASHED)
    page = text(as_owner, "/items/bulk", operation="ignore", id=web1.pk)
    assert "Nothing had to be changed" in page


def test_only_a_page_with_unclaimed_items_has_the_buttons(as_owner: Client, web1: Item) -> None:
    button = 'name="operation" value="adopt"'
    assert button not in text(as_owner, "/items")
    sent("box")
    assert button in text(as_owner, "/items")


def test_merging_into_another_item_keeps_that_one(as_owner: Client, box: Item, web1: Item) -> None:
    sent("web-service", "service")
    assert "name=into" in text(as_owner, f"/items/{box.pk}/merge?into=")
    picked = text(as_owner, f"/items/pick?name=into&without={box.pk}&type=host&text=web")
    assert f'value="{web1.pk}"' in picked
    assert "web-service" not in picked
    response = as_owner.get(f"/items/{box.pk}/merge?into={web1.pk}")
    assert response.headers["Location"] == f"/items/{web1.pk}/merge?target={box.pk}"
    text(as_owner, f"/items/{web1.pk}/merge", target=box.pk)
    web1.refresh_from_db()
    box.refresh_from_db()
    assert (box.merged_into, web1.name) == (web1, "web1")
    assert web1.labels == {"role": "web"}
    actions.unmerge(SYSTEM, Merge.objects.get())
    web1.refresh_from_db()
    box.refresh_from_db()
    assert (web1.labels, box.labels, web1.desired.get("label.claim", "")) == (
        {"role": "web"},
        {"claim": "unclaimed"},
        "",
    )


def test_two_that_nobody_claimed_stay_unclaimed_as_one(box: Item) -> None:
    other = sent("box2")
    actions.merge(SYSTEM, box, other)
    box.refresh_from_db()
    assert box.labels == {"claim": "unclaimed"}


def test_who_may_only_look_gets_no_buttons_and_no_way_around(
    as_stranger: Client, stranger_user: User, owner: Actor, box: Item
) -> None:
    access.bind_role(owner, "viewer", user=stranger_user)
    page = text(as_stranger, f"/items/{box.pk}")
    assert "Nobody has claimed" in page
    assert 'value="adopt"' not in page
    assert 'value="ignore"' not in page
    for operation in ("adopt", "ignore"):
        assert as_stranger.post("/items/bulk", {"operation": operation, "id": box.pk}).status_code == 403
    box.refresh_from_db()
    assert box.labels == {"claim": "unclaimed"}
    assert box.lifecycle == Lifecycle.ACTIVE


def test_one_cannot_claim_what_one_does_not_see(as_teammate: Client, box: Item) -> None:
    assert as_teammate.post("/items/bulk", {"operation": "adopt", "id": box.pk}).status_code == 404
    as_teammate.post("/items/bulk", {"operation": "ignore", "all": "1", "q": ""})
    box.refresh_from_db()
    assert (box.labels, box.lifecycle) == ({"claim": "unclaimed"}, Lifecycle.ACTIVE)
