"""Forms: what is typed gets there, what is wrong is said beside its field, and the input stays."""

from __future__ import annotations

import re

from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from quarterdeck.access.models import Role, RoleBinding, Token, User
from quarterdeck.audit.actor import Actor
from quarterdeck.inventory.actions import create_item
from quarterdeck.inventory.catalogue import catalogue
from quarterdeck.inventory.exchange.uploads import run_import
from quarterdeck.inventory.models import Import, Item, ItemType

SHELF = {"code": "shelf", "title_en": "Shelf", "group": "place", "icon": "box", "stale_after_days": "30"}
ATTRIBUTE = {"code": "slots", "title_en": "Slots", "kind": "integer", "minimum": "1", "position": "10"}


def test_it_makes_a_type_and_its_attribute(as_owner: Client) -> None:
    made = as_owner.post(
        "/types/-/new",
        {"code": "shelf", "title_en": "Shelf", "group": "place", "icon": "box", "stale_after_days": "30"},
    )
    added = as_owner.post("/types/shelf/attributes/-/new", {**ATTRIBUTE, "indexed": "on", "track_history": "on"})
    assert (made.status_code, added.status_code) == (302, 302)
    spec = catalogue().types["shelf"].attributes["slots"]
    assert (spec.kind, spec.minimum, spec.indexed, spec.track_history) == ("integer", 1.0, True, True)


def test_it_says_what_is_wrong_with_an_attribute_and_keeps_the_input(as_owner: Client) -> None:
    wrong = {**ATTRIBUTE, "title_en": "My slots", "minimum": "9", "maximum": "3"}
    answer = as_owner.post("/types/rack/attributes/-/new", wrong)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "qd-field-error" in page
    assert 'value="My slots"' in page
    assert "slots" not in catalogue().types["rack"].attributes


def test_it_says_what_the_inventory_refuses_at_the_field(as_owner: Client) -> None:
    answer = as_owner.post("/types/rack/attributes/-/new", {**ATTRIBUTE, "code": "name"})
    assert answer.status_code == 422
    assert 'id="id_code_error"' in answer.content.decode()


def test_it_moves_an_attribute(as_owner: Client) -> None:
    own = [code for code, spec in catalogue().types["rack"].attributes.items() if spec.type]
    as_owner.post(f"/types/rack/attributes/{own[1]}/move", {"direction": "up"})
    after = [code for code, spec in catalogue().types["rack"].attributes.items() if spec.type]
    assert after == [own[1], own[0], *own[2:]]


def test_it_removes_an_attribute_with_values_only_when_confirmed(as_owner: Client, owner: Actor) -> None:
    as_owner.post("/types/rack/attributes/-/new", {**ATTRIBUTE, "code": "extra", "kind": "text", "minimum": ""})
    create_item(owner, "rack", "r2", {"extra": "value"})
    address = "/types/rack/attributes/extra/remove"
    assert as_owner.post(address).status_code == 422
    assert "extra" in catalogue().types["rack"].attributes
    assert as_owner.post(address, {"confirm": "extra"}).status_code == 302
    assert "extra" not in catalogue().types["rack"].attributes


def test_it_removes_no_type_that_has_items(as_owner: Client, owner: Actor) -> None:
    as_owner.post(
        "/types/-/new",
        {"code": "shelf", "title_en": "Shelf", "group": "place", "icon": "box", "stale_after_days": "30"},
    )
    create_item(owner, "shelf", "s1", {})
    assert as_owner.post("/types/shelf/remove").status_code == 409
    assert ItemType.objects.filter(code="shelf").exists()


def test_the_preview_of_types_changes_nothing_and_the_import_does(as_owner: Client) -> None:
    text = "types:\n- code: printer\n  title_en: Printer\n  attributes:\n  - {code: pages, kind: integer}\n"
    preview = as_owner.post("/types/-/import", {"text": text, "step": "preview"})
    assert "+- code: printer" in preview.content.decode()
    assert "printer" not in catalogue().types
    assert as_owner.post("/types/-/import", {"text": text, "step": "apply"}).status_code == 302
    assert "pages" in catalogue().types["printer"].attributes


def test_it_says_what_is_wrong_in_a_types_file(as_owner: Client) -> None:
    answer = as_owner.post("/types/-/import", {"text": "types: [", "step": "preview"})
    assert answer.status_code == 422
    assert "types: [" in answer.content.decode()


def test_what_is_exported_changes_nothing_when_imported(as_owner: Client) -> None:
    text = as_owner.get("/types/-/export").content.decode()
    page = as_owner.post("/types/-/import", {"text": text, "step": "preview"}).content.decode()
    assert "qd-diff" not in page
    assert "qd-empty" in page


def upload(client: Client, text: str, name: str = "hosts.csv") -> Import:
    answer = client.post("/imports", {"file": SimpleUploadedFile(name, text.encode())})
    assert answer.status_code == 302, answer.content.decode()
    return Import.objects.latest("pk")


def test_the_wizard_tries_then_imports(as_owner: Client) -> None:
    found = upload(as_owner, "name,cpu_count\nweb1,4\nweb2,many\n")
    start = f"/imports/{found.pk}/start"
    chosen = {"type": "host", "key": "name", "format": "csv"}
    assert as_owner.post(start, {**chosen, "step": "try"}).headers["Location"] == f"/imports/{found.pk}/progress"
    assert as_owner.get(f"/imports/{found.pk}/progress").status_code == 200
    run_import(found.pk)
    page = as_owner.get(f"/imports/{found.pk}").content.decode()
    assert not Item.objects.filter(name="web1").exists()
    assert "cpu_count" in page
    assert 'value="apply"' in page
    as_owner.post(start, {**chosen, "step": "apply"})
    run_import(found.pk)
    assert Item.objects.filter(name="web1").exists()
    done = as_owner.get(f"/imports/{found.pk}/progress", headers={"HX-Request": "true"})
    assert done.headers["HX-Redirect"] == f"/imports/{found.pk}"
    assert "web1" in new_items(as_owner, found)


def new_items(client: Client, found: Import) -> str:
    """Follow the link to what an import made new."""
    page = client.get(f"/imports/{found.pk}").content.decode()
    link = re.search(r'href="(/items\?q=first_seen[^"]*)"', page)
    assert link is not None
    answer = client.get(link.group(1))
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_wizard_says_which_file_it_cannot_read(as_owner: Client) -> None:
    answer = as_owner.post("/imports", {"file": SimpleUploadedFile("picture.png", b"\x89PNG\r\n\x1a\n\0\0\0")})
    assert answer.status_code == 422
    assert "qd-field-error" in answer.content.decode() or "qd-notice bad" in answer.content.decode()
    assert as_owner.post("/imports").status_code == 422


def test_the_wizard_refuses_a_key_that_is_not_offered(as_owner: Client) -> None:
    found = upload(as_owner, "name\nweb1\n")
    answer = as_owner.post(f"/imports/{found.pk}/start", {"type": "host", "key": "nonsense", "format": "csv"})
    assert answer.status_code == 422


def test_it_makes_an_account_with_a_link(as_owner: Client) -> None:
    answer = as_owner.post("/access/users/new", {"username": "grace", "email": "g@example.com", "roles": ["viewer"]})
    assert "/welcome/" in answer.content.decode()
    user = User.objects.get(username="grace")
    assert not user.has_usable_password()
    assert RoleBinding.objects.filter(user=user, role__name="viewer").exists()


def test_it_keeps_the_input_of_an_account_that_cannot_be(as_owner: Client) -> None:
    answer = as_owner.post("/access/users/new", {"username": "owner", "email": "not an address"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="not an address"' in page


def test_it_changes_roles_and_groups_of_an_account(as_owner: Client, teammate_user: User) -> None:
    Group.objects.create(name="night shift")
    values = {
        "first_name": "Tom",
        "last_name": "",
        "email": "t@example.com",
        "roles": ["viewer"],
        "groups": ["night shift"],
    }
    assert as_owner.post(f"/access/users/{teammate_user.pk}/save", values).status_code == 302
    teammate_user.refresh_from_db()
    assert teammate_user.first_name == "Tom"
    roles = RoleBinding.objects.filter(user=teammate_user).values_list("role__name", flat=True)
    assert list(roles) == ["viewer"]
    assert list(teammate_user.groups.values_list("name", flat=True)) == ["night shift"]


def test_it_refuses_to_leave_nobody_in_charge(as_owner: Client, owner_user: User) -> None:
    address = f"/access/users/{owner_user.pk}"
    answer = as_owner.post(f"{address}/save", {"email": "o@example.com", "roles": []})
    assert answer.status_code == 422
    assert as_owner.post(f"{address}/active", {"active": "no"}).status_code == 409
    assert RoleBinding.objects.filter(user=owner_user, role__name="admin").exists()


def test_it_makes_a_role_and_previews_its_scope(as_owner: Client, owner: Actor) -> None:
    create_item(owner, "host", "web1", {"env": "prod"})
    create_item(owner, "host", "db1", {"env": "dev"})
    preview = as_owner.get("/access/roles/preview", {"query": "env:prod"}).content.decode()
    assert "web1" in preview
    assert "db1" not in preview
    values = {"name": "web-team", "query": "env:prod", "verbs": ["inventory.view"], "users": ["owner"]}
    assert as_owner.post("/access/roles/new", values).status_code == 302
    role = Role.objects.get(name="web-team")
    assert (role.query, role.verbs) == ("env:prod", ["inventory.view"])
    assert role.bindings.count() == 1


def test_it_says_what_is_wrong_with_the_query_of_a_role(as_owner: Client) -> None:
    values = {"name": "web-team", "query": "evn:prod", "verbs": ["inventory.view"]}
    answer = as_owner.post("/access/roles/new", values)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert 'value="evn:prod"' in page
    assert "Did you mean" in page
    assert not Role.objects.filter(name="web-team").exists()


def test_a_built_in_role_keeps_its_rights_whatever_is_sent(as_owner: Client) -> None:
    role = Role.objects.get(name="viewer")
    before = list(role.verbs)
    as_owner.post(f"/access/roles/{role.pk}/save", {"name": "viewer", "verbs": ["access.manage"], "users": ["owner"]})
    role.refresh_from_db()
    assert role.verbs == before
    assert role.bindings.count() == 1


def test_a_teammate_cannot_make_a_token_for_more_than_they_may(as_teammate: Client) -> None:
    answer = as_teammate.post("/access/tokens/new", {"name": "ci", "roles": ["admin"], "days": "7"})
    assert answer.status_code == 403
    assert not Token.objects.exists()


def test_it_revokes_a_token_and_stays_on_this_site(as_owner: Client) -> None:
    as_owner.post("/access/tokens/new", {"name": "ci", "roles": ["viewer"], "days": ""})
    token = Token.objects.get()
    answer = as_owner.post(f"/access/tokens/{token.pk}/revoke", {"next": "https://evil.example/"})
    token.refresh_from_db()
    assert answer.headers["Location"] == "/me/tokens"
    assert token.revoked_at is not None


def test_it_changes_ones_own_profile(as_stranger: Client, stranger_user: User) -> None:
    assert as_stranger.post("/me", {"first_name": "Stan", "email": "s@example.com"}).status_code == 302
    stranger_user.refresh_from_db()
    assert (stranger_user.first_name, stranger_user.email) == ("Stan", "s@example.com")
    assert as_stranger.post("/me", {"email": "nonsense"}).status_code == 422
