"""The list of items: query, facets, columns, paging, views, bulk changes, export."""

from __future__ import annotations

import json
import re

import pytest
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse

from quarterdeck.audit.actor import Actor
from quarterdeck.inventory import actions
from quarterdeck.inventory.models import Item, Lifecycle, SavedView

pytestmark = pytest.mark.django_db
ITEMS = "/items"


def text(client: Client, address: str, **query: object) -> str:
    return client.get(address, query).content.decode()


def test_it_lists_what_a_query_selects(as_owner: Client, web1: Item, lab1: Item) -> None:
    page = text(as_owner, ITEMS, q="role:web")
    assert f'href="/items/{web1.pk}"' in page
    assert f'href="/items/{lab1.pk}"' not in page


def test_it_lists_only_what_one_may_see(as_teammate: Client, web1: Item, lab1: Item) -> None:
    page = text(as_teammate, ITEMS)
    assert "web1" in page
    assert "lab1" not in page


@pytest.mark.parametrize(
    ("query", "found"), [("tipe:host", "tipe"), ('name:"x', "x"), ("cpu_count:abc", "abc"), ("(", "("), ("a:" * 9, "a")]
)
def test_it_shows_a_wrong_query_with_its_error_and_no_rows(
    as_owner: Client, web1: Item, query: str, found: str
) -> None:
    response = as_owner.get(ITEMS, {"q": query})
    page = response.content.decode()
    assert response.status_code == 400
    assert 'id="query-error"' in page
    assert found in page
    assert "web1" not in page


def test_it_counts_what_is_selected_beyond_the_page(as_owner: Client, web1: Item, lab1: Item) -> None:
    assert '<span id="qd-total" hx-swap-oob="true"> · 2 items in all</span>' in text(as_owner, "/items/facets")
    assert "qd-total" not in text(as_owner, "/items/facets", q="env:nowhere")


def test_a_bulk_change_proposes_the_allowed_values(as_owner: Client, web1: Item) -> None:
    page = text(as_owner, ITEMS)
    assert '<option value="state" data-list="choices-of-state">' in page
    assert '<datalist id="choices-of-state">' in page
    assert '<option value="running">running</option>' in page


def test_who_is_signed_in_keeps_the_menu_where_nothing_is(as_owner: Client, client: Client) -> None:
    assert 'class="qd-shell"' in text(as_owner, "/nothing-here")
    assert 'class="qd-shell"' not in text(client, "/nothing-here")


def test_it_underlines_the_word_that_is_wrong(as_owner: Client) -> None:
    assert "env:prod <mark>tipe:host</mark>" in text(as_owner, ITEMS, q="env:prod tipe:host")


def test_an_empty_list_says_the_next_step(as_owner: Client) -> None:
    assert "No items yet" in text(as_owner, ITEMS)
    assert "Nothing matches" in text(as_owner, ITEMS, q="env:nowhere")


def test_it_pages_through_all_items_without_losing_any(as_owner: Client, owner: Actor) -> None:
    for number in range(60):
        actions.create_item(owner, "host", f"n{number:02d}", {})
    first = as_owner.get(ITEMS)
    listing = first.context["listing"]
    second = as_owner.get(ITEMS, {"after": listing.next_cursor}).context["listing"]
    names = [item.name for item in [*listing.items, *second.items]]
    assert names == [f"n{number:02d}" for number in range(60)]
    assert second.next_cursor is None


def test_it_shows_the_chosen_columns_and_remembers_them(as_owner: Client, web1: Item) -> None:
    as_owner.get(ITEMS, {"columns": ["cpu_count", "owner"]})
    listing = as_owner.get(ITEMS).context["listing"]
    assert [column.code for column in listing.columns] == ["cpu_count", "owner"]


def test_a_label_is_a_column_too(as_owner: Client, owner: Actor) -> None:
    actions.create_item(owner, "host", "web1", {"label.role": "web"})
    answer = as_owner.get(ITEMS, {"columns": ["label.role"]})
    [(_item, cells)] = answer.context["listing"].cells()
    assert [(column.code, value) for column, value in cells] == [("label.role", "web")]


def test_columns_of_one_title_are_told_apart(as_owner: Client, web1: Item) -> None:
    columns = as_owner.get(ITEMS).context["all_columns"]
    notes = {column.code: column.note for column in columns if str(column.title) == "Address"}
    assert notes["primary_ip"] == ""
    assert "Service" in notes["url"]


def test_facets_narrow_the_query(as_owner: Client, web1: Item, lab1: Item) -> None:
    page = text(as_owner, "/items/facets", q="type:host")
    assert "q=type%3Ahost+env%3Aprod" in page


def test_it_completes_fields_and_values_at_the_cursor(as_owner: Client, web1: Item) -> None:
    found = json.loads(text(as_owner, "/items/completions", text="env:pr", cursor=6))
    assert {"text": "prod", "start": 4, "end": 6}.items() <= found[0].items()


def test_it_saves_changes_and_deletes_a_view(as_owner: Client, web1: Item) -> None:
    as_owner.post("/items/views", {"title": "Web", "q": "role:web", "columns": ["env"], "shared": "1"})
    view = SavedView.objects.get()
    assert (view.query, view.columns, view.shared) == ("role:web", ["env"], True)
    assert "web1" in text(as_owner, ITEMS, view=view.slug)
    as_owner.post("/items/views", {"title": "Web hosts", "q": "role:web", "slug": view.slug})
    assert SavedView.objects.get().title == "Web hosts"
    as_owner.post(f"/items/views/{view.slug}/delete")
    assert not SavedView.objects.exists()


def test_it_refuses_to_save_a_view_that_does_not_compile(as_owner: Client) -> None:
    assert as_owner.post("/items/views", {"title": "x", "q": "tipe:host"}).status_code == 400
    assert not SavedView.objects.exists()


def test_it_sets_a_field_of_the_chosen_items(as_owner: Client, web1: Item, lab1: Item) -> None:
    as_owner.post("/items/bulk", {"operation": "field", "field": "cpu_count", "value": "32", "id": [web1.pk, lab1.pk]})
    assert [Item.objects.get(pk=item.pk).attributes["cpu_count"] for item in (web1, lab1)] == [32, 32]


def test_it_changes_all_that_match_and_nothing_else(as_owner: Client, web1: Item, lab1: Item) -> None:
    body = {"operation": "field", "field": "owner", "value": "ops", "all": "1", "q": "env:prod", "id": web1.pk}
    as_owner.post("/items/bulk", body)
    assert [Item.objects.get(pk=item.pk).owner for item in (web1, lab1)] == ["ops", ""]


def test_it_sets_and_removes_a_label(as_owner: Client, web1: Item) -> None:
    as_owner.post("/items/bulk", {"operation": "label", "label": "tier=gold", "id": web1.pk})
    assert Item.objects.get(pk=web1.pk).labels["tier"] == "gold"
    as_owner.post("/items/bulk", {"operation": "label", "label": "tier", "id": web1.pk})
    assert "tier" not in Item.objects.get(pk=web1.pk).labels


def test_what_went_into_the_trash_can_be_taken_out_at_once(as_owner: Client, web1: Item) -> None:
    page = as_owner.post("/items/bulk", {"operation": "trash", "id": web1.pk}, follow=True).content.decode()
    assert "Undo" in page
    assert Item.objects.get(pk=web1.pk).lifecycle == Lifecycle.TRASHED
    assert "web1" in text(as_owner, "/items/trash")
    assert undo(as_owner, page).status_code == 302
    assert Item.objects.get(pk=web1.pk).lifecycle == Lifecycle.ACTIVE


def undo(client: Client, page: str, **options: str) -> HttpResponse:
    """Press the page's button that undoes."""
    (address,) = set(re.findall(r'action="(/changes/\d+/undo)"', page))
    return client.post(address, options)


def test_a_bulk_change_can_be_undone_right_after_it(as_owner: Client, web1: Item, lab1: Item) -> None:
    body = {"operation": "field", "field": "owner", "value": "ops", "id": [web1.pk, lab1.pk]}
    page = as_owner.post("/items/bulk", body, follow=True).content.decode()
    assert "2 items are changed" in page
    answer = undo(as_owner, page)
    assert set(Item.objects.values_list("owner", flat=True)) == {""}
    way_back = as_owner.get(answer["Location"]).content.decode()
    assert "web1" in way_back
    assert "Undoes" in way_back
    assert "Undo" not in text(as_owner, "/items")


def test_an_undo_that_would_overwrite_others_names_them_and_offers_the_rest(
    as_owner: Client, owner: Actor, web1: Item, lab1: Item
) -> None:
    body = {"operation": "field", "field": "owner", "value": "ops", "id": [web1.pk, lab1.pk]}
    page = as_owner.post("/items/bulk", body, follow=True).content.decode()
    actions.update_item(owner, web1, {"owner": "ann"})
    refused = undo(as_owner, page)
    assert refused.status_code == 409
    assert "1 of the items changed since: web1." in refused.content.decode()
    assert "Undo only the untouched" in refused.content.decode()
    assert undo(as_owner, refused.content.decode(), untouched_only="1").status_code == 302
    assert [Item.objects.get(pk=item.pk).owner for item in (web1, lab1)] == ["ann", ""]


def test_a_change_is_found_from_the_items_history_and_timeline(as_owner: Client, web1: Item) -> None:
    as_owner.post("/items/bulk", {"operation": "label", "label": "tier=gold", "id": web1.pk})
    for page in ("history", "timeline"):
        assert re.search(r'href="/changes/\d+"', text(as_owner, f"/items/{web1.pk}/{page}"))


def test_a_change_of_hidden_items_is_not_there(as_owner: Client, as_teammate: Client, lab1: Item) -> None:
    page = as_owner.post("/items/bulk", {"operation": "label", "label": "a=b", "id": lab1.pk}, follow=True)
    (address,) = set(re.findall(r'action="(/changes/\d+/undo)"', page.content.decode()))
    assert as_teammate.get(address.removesuffix("/undo")).status_code == 404
    assert as_teammate.post(address).status_code == 404


def test_it_deletes_for_ever_only_from_the_trash(as_owner: Client, web1: Item) -> None:
    assert as_owner.post("/items/bulk", {"operation": "purge", "id": web1.pk}).status_code == 409
    as_owner.post("/items/bulk", {"operation": "trash", "id": web1.pk})
    as_owner.post("/items/bulk", {"operation": "purge", "id": web1.pk})
    assert not Item.objects.filter(pk=web1.pk).exists()


@pytest.mark.parametrize("operation", ["field", "label", "trash"])
def test_it_refuses_to_change_what_one_may_not_see(as_teammate: Client, lab1: Item, operation: str) -> None:
    response = as_teammate.post(
        "/items/bulk", {"operation": operation, "id": lab1.pk, "field": "owner", "label": "a=b"}
    )
    assert response.status_code in (403, 404)
    stored = Item.objects.get(pk=lab1.pk)
    assert (stored.lifecycle, stored.labels, stored.owner) == (Lifecycle.ACTIVE, {}, "")


@pytest.mark.parametrize(
    "body", [{"operation": "trash"}, {"operation": "trash", "id": "x"}, {"operation": "?", "id": "1"}]
)
def test_it_refuses_a_bulk_change_without_items_or_operation(as_owner: Client, body: dict[str, str]) -> None:
    assert as_owner.post("/items/bulk", body).status_code == 422


@pytest.mark.parametrize("name", ["csv", "json", "yaml"])
def test_it_exports_the_list_as_a_file(as_owner: Client, web1: Item, lab1: Item, name: str) -> None:
    response = as_owner.get("/items/export", {"format": name, "q": "env:prod"})
    content = b"".join(response.streaming_content)  # type: ignore[attr-defined]
    assert "attachment" in response.headers["Content-Disposition"]
    assert b"web1" in content
    assert b"lab1" not in content


def test_it_refuses_to_export_an_unknown_format(as_owner: Client) -> None:
    assert as_owner.get("/items/export", {"format": "exe"}).status_code == 422


def test_the_palette_finds_items_pages_and_views_that_one_may_see(as_teammate: Client, web1: Item, lab1: Item) -> None:
    assert "web1" in text(as_teammate, "/search/palette", text="web")
    assert f"/items/{lab1.pk}" not in text(as_teammate, "/search/palette", text="lab1")
    assert reverse("web:topology") in text(as_teammate, "/search/palette", text="topo")


@pytest.mark.parametrize(
    "address", ["/topology?depth=²", "/topology?item=²", "/items/usage?id=²", "/items/completions?q=a&cursor=²"]
)
def test_digits_that_are_no_numbers_are_passed_over(as_owner: Client, address: str) -> None:
    assert as_owner.get(address).status_code == 200
