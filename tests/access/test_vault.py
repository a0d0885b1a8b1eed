"""Credentials: encrypted where they lie, used without being shown, rotated, attached by query."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from tests.lab.parts import directory
from tests.lab.transit import Transit, transit_server
from tests.people import actor as acting
from tests.people import person

from quarterdeck.access.models import Credential, Role
from quarterdeck.access.vault import rings, rotating
from quarterdeck.access.vault.actions import (
    attach,
    create_credential,
    delete_credential,
    detach,
    update_credential,
)
from quarterdeck.access.vault.queries import reach, resolve, vault_state
from quarterdeck.access.vault.rings import KeyLost
from quarterdeck.access.vault.rotating import rotate
from quarterdeck.access.vault.using import use
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, BadQuery, Conflict, Denied, NotFound, OpsError, Unavailable
from quarterdeck.inventory.actions import create_item
from quarterdeck.inventory.models import Item

pytestmark = pytest.mark.django_db
SECRET = "correct horse battery staple"
KEYS = ("11" * 32, "22" * 32)


@pytest.fixture(autouse=True)
def ring(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A key file of the test's own, not made yet."""
    monkeypatch.setitem(settings.QD, "vault_key_file", str(tmp_path / "vault"))
    return tmp_path / "vault"


@pytest.fixture(scope="module")
def made() -> Iterator[Path]:
    """Keys as people have them: `plain`, `locked` (passphrase "sesame"), `pem` (RSA, "sesame"), a certificate."""
    with directory() as home:
        for name, words in {
            "plain": ["-t", "ed25519", "-N", ""],
            "locked": ["-t", "ed25519", "-N", "sesame", "-C", "ann@desk"],
            "pem": ["-t", "rsa", "-m", "PEM", "-N", "sesame"],
            "ca": ["-t", "ed25519", "-N", ""],
        }.items():
            subprocess.run(["ssh-keygen", "-q", *words, "-f", home / name], check=True)
        for key, more in (("plain", ["-n", "ops,deploy", "-V", "+1d"]), ("locked", ["-h", "-n", "host1"])):
            command = ["ssh-keygen", "-q", "-s", home / "ca", "-I", "for tests", *more, home / f"{key}.pub"]
            subprocess.run(command, check=True)
        yield home


def item(name: str, env: str) -> Item:
    return create_item(SYSTEM, "host", name, {"env": env})


def keep(name: str = "lab", **values: str) -> Credential:
    return create_credential(SYSTEM, name, "password", {"password": SECRET}, values)


def opened(name: str) -> Any:
    host = item(f"host-of-{name}", "prod")
    keys = use(SYSTEM, [host], "test", name=name)[host.pk]
    return keys.sign_in or keys.become


def test_nothing_that_is_stored_or_recorded_holds_the_secret(owner: Actor) -> None:
    keep(username="ops")
    attach(owner, "lab", "env:prod")
    use(owner, [item("web1", "prod")], "run 17")
    rotate(owner)
    update_credential(owner, "lab", {"description": "x"}, {"password": SECRET + "!"})
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            for row in cursor.fetchall():
                assert SECRET not in str([bytes(v) if isinstance(v, memoryview) else v for v in row]), table
    assert SECRET not in repr(opened("lab"))


def test_each_use_tells_who_for_what_and_where(owner: Actor) -> None:
    keep(username="ops")
    attach(owner, "lab", "env:prod")
    web1, web2 = item("web1", "prod"), item("web2", "prod")
    found = use(owner, [web1, web2], "run 17")
    assert {keys.sign_in.password for keys in found.values() if keys.sign_in} == {SECRET}
    events = AuditEvent.objects.filter(verb="credentials.use").order_by("seq")
    assert [(e.actor_name, e.object_name, e.detail, json.loads(e.after_json)["item"]) for e in events] == [
        ("owner", "lab", "run 17", web1.pk),
        ("owner", "lab", "run 17", web2.pk),
    ]
    assert Credential.objects.get().last_used_at is not None


def test_the_highest_priority_that_selects_the_item_counts(owner: Actor) -> None:
    web, db, other = item("web1", "prod"), item("db1", "prod"), item("x", "test")
    for name in ("all", "webs"):
        keep(name)
    create_credential(owner, "root", "become_password", {"password": "p"})
    attach(owner, "all", "env:prod")
    attach(owner, "webs", "name:web1", priority=10)
    attach(owner, "root", "name:web*")
    found = resolve([web, db, other])
    assert [(str(one.sign_in), str(one.become)) for one in (found[web.pk], found[db.pk], found[other.pk])] == [
        ("webs", "root"),
        ("all", "None"),
        ("None", "None"),
    ]
    detach(owner, "webs", Credential.objects.get(name="webs").attachments.get().pk)
    assert str(resolve([web])[web.pk].sign_in) == "all"
    delete_credential(owner, "all")
    assert resolve([web])[web.pk].sign_in is None


def test_a_query_that_no_longer_compiles_selects_nothing(owner: Actor) -> None:
    keep()
    attachment = attach(owner, "lab", "env:prod")
    assert reach(owner, attachment).count == 0
    type(attachment).objects.update(query="nosuchfield:1")
    attachment.refresh_from_db()
    assert resolve([web := item("web1", "prod")])[web.pk].sign_in is None
    assert "nosuchfield" in reach(owner, attachment).error


@pytest.mark.parametrize(("query", "kind"), [("", BadInput), ("nosuchfield:1", BadQuery), ("(", BadQuery)])
def test_a_query_is_checked_when_it_is_attached(owner: Actor, query: str, kind: type[OpsError]) -> None:
    keep()
    with pytest.raises(kind):
        attach(owner, "lab", query)


def test_who_may_use_is_limited_to_the_items_of_their_role() -> None:
    role = Role.objects.create(name="prod-runner", verbs=["credentials.use", "inventory.view"], query="env:prod")
    runner = acting(person("runner", role))
    keep("lab")
    keep("other")
    attach(SYSTEM, "lab", "type:host")
    prod, test = item("web1", "prod"), item("web2", "test")
    assert use(runner, [prod], "run 1")[prod.pk].sign_in
    assert use(runner, [prod], "run 1", name="lab")[prod.pk].sign_in
    with pytest.raises(Denied):
        use(runner, [prod, test], "run 1")
    # That one is for other hosts: here it would be shown to one that it was not meant for.
    with pytest.raises(Denied):
        use(runner, [prod], "run 1", name="other")
    assert not AuditEvent.objects.filter(verb="credentials.use", object_name="other", result="ok").exists()


@pytest.mark.parametrize(
    ("file", "passphrase", "field", "words"),
    [
        ("locked", "wrong", "passphrase", "does not open"),
        ("locked", "", "passphrase", "protected by a passphrase"),
        ("pem", "wrong", "passphrase", "does not open"),
        ("plain.pub", "", "private_key", "public key"),
        ("plain-cert.pub", "", "private_key", "public key"),
        ("ppk", "", "private_key", "puttygen"),
        ("garbage", "", "private_key", "no private key"),
        ("cut", "", "private_key", "no private key"),
        ("empty", "", "private_key", "missing"),
    ],
)
def test_a_key_that_cannot_be_used_is_refused_when_it_is_entered(
    made: Path, file: str, passphrase: str, field: str, words: str
) -> None:
    others = {
        "ppk": "PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none\n",
        "garbage": "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
        "cut": (made / "plain").read_text()[:200],
        "empty": " \n",
    }
    text = others.get(file) or (made / file).read_text()
    with pytest.raises(BadInput) as caught:
        create_credential(SYSTEM, "k", "ssh_key", {"private_key": text, "passphrase": passphrase})
    assert caught.value.field == field
    assert words in str(caught.value)
    assert not Credential.objects.exists()


@pytest.mark.parametrize(("file", "passphrase"), [("plain", ""), ("locked", "sesame"), ("pem", "sesame")])
def test_a_key_is_kept_without_its_passphrase_and_its_fingerprint_is_shown(
    made: Path, file: str, passphrase: str
) -> None:
    text = (made / file).read_text().replace("\n", "\r\n")
    kept = create_credential(SYSTEM, "k", "ssh_key", {"private_key": text, "passphrase": passphrase})
    told = subprocess.run(["ssh-keygen", "-lf", made / f"{file}.pub"], check=True, capture_output=True, text=True)
    assert kept.shown["fingerprint"] in told.stdout
    with directory() as home:
        (home / "again").write_text(opened("k").private_key)
        (home / "again").chmod(0o600)
        public = subprocess.run(["ssh-keygen", "-y", "-f", home / "again"], check=True, capture_output=True, text=True)
    assert public.stdout.split()[:2] == (made / f"{file}.pub").read_text().split()[:2]


def test_a_certificate_belongs_to_its_key_and_to_a_user(made: Path) -> None:
    def secret(key: str, certificate: str) -> dict[str, str]:
        text = (made / certificate).read_text()
        return {
            "private_key": (made / key).read_text(),
            "passphrase": "sesame" * (key == "locked"),
            "certificate": text,
        }

    kept = create_credential(SYSTEM, "c", "ssh_certificate", secret("plain", "plain-cert.pub"))
    assert (kept.shown["key_id"], kept.shown["principals"]) == ("for tests", ["ops", "deploy"])
    assert kept.shown["valid_until"]
    for key, certificate, words in (
        ("locked", "plain-cert.pub", "another key"),
        ("locked", "locked-cert.pub", "of a host"),
        ("plain", "plain.pub", "no SSH certificate"),
    ):
        with pytest.raises(BadInput, match=words):
            create_credential(SYSTEM, "x", "ssh_certificate", secret(key, certificate))


@pytest.mark.parametrize("password", ["", "a\nb", "a\0b", "\x1b[31m", "x" * 1025])
def test_a_password_is_one_line(password: str) -> None:
    with pytest.raises(BadInput) as caught:
        create_credential(SYSTEM, "p", "password", {"password": password})
    assert caught.value.field == "password"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"name": "with space"}, BadInput),
        ({"name": "../x"}, BadInput),
        ({"name": "lab"}, Conflict),
        ({"name": "x", "username": "-oProxyCommand=x"}, BadInput),
        ({"name": "x", "username": "a b"}, BadInput),
        ({"name": "x", "become_method": "pkexec"}, BadInput),
    ],
)
def test_names_are_checked(values: dict[str, str], kind: type[OpsError]) -> None:
    keep("lab")
    with pytest.raises(kind):
        create_credential(SYSTEM, values["name"], "password", {"password": "p"}, values)
    with pytest.raises(BadInput):
        create_credential(SYSTEM, "y", "nothing", {})
    with pytest.raises(BadInput):
        create_credential(SYSTEM, "y", "password", {"password": "p", "private_key": "x"})


def test_a_secret_moved_to_another_record_does_not_open() -> None:
    first, second = keep("first"), create_credential(SYSTEM, "second", "password", {"password": "other"})
    Credential.objects.filter(pk=second.pk).update(sealed=first.sealed, wrapped=first.wrapped)
    with pytest.raises(Unavailable, match="changed in the database"):
        opened("second")
    assert opened("first").password == SECRET


def test_the_key_file_is_made_at_the_first_use_for_its_owner_alone(ring: Path) -> None:
    assert not ring.exists()
    keep()
    assert ring.stat().st_mode & 0o777 == 0o600
    ring.chmod(0o644)
    with pytest.raises(Unavailable, match="chmod"):
        opened("lab")


def test_it_rotates_every_record_and_removes_the_old_key(ring: Path, owner: Actor) -> None:
    for number in range(230):
        keep(f"c{number}")
    old = ring.read_text()
    done = rotate(owner)
    assert done.rewrapped == 230
    assert old not in ring.read_text()
    assert len(ring.read_text().split()) == 1
    assert opened("c117").password == SECRET
    assert vault_state(owner).waiting == 0
    event = AuditEvent.objects.get(verb="credentials.rotate")
    assert json.loads(event.after_json)["rewrapped"] == 230


def test_an_interrupted_rotation_goes_on_and_meanwhile_both_keys_open(
    ring: Path, owner: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(3):
        keep(f"c{number}")
    real, calls = rotating._replace, iter([True, False])

    def broken(*args: Any) -> int:
        if next(calls, False):
            return real(*args)
        raise OSError("the machine stops here")

    monkeypatch.setattr(rotating, "_CHUNK", 1)
    monkeypatch.setattr(rotating, "_replace", broken)
    with pytest.raises(OSError, match="stops"):
        rotate(owner)
    monkeypatch.setattr(rotating, "_replace", real)
    assert len(ring.read_text().split()) == 2
    assert [opened(f"c{number}").password for number in range(3)] == [SECRET] * 3
    keep("meanwhile")
    assert vault_state(owner).waiting == 2
    assert rotate(owner).rewrapped == 2
    assert len(ring.read_text().split()) == 1
    assert opened("meanwhile").password == opened("c2").password == SECRET


def test_a_lost_key_is_told_and_never_replaced_in_silence(ring: Path, owner: Actor) -> None:
    keep("lab")
    kept = ring.read_text()
    ring.unlink()
    for attempt in (lambda: opened("lab"), lambda: keep("second"), lambda: rotate(owner)):
        with pytest.raises(KeyLost) as caught:
            attempt()
        assert str(ring) in caught.value.hint
        assert "lab" in caught.value.message
    assert not ring.exists()
    assert vault_state(owner).lost == 1
    ring.write_text(kept)
    ring.chmod(0o600)
    assert opened("lab").password == SECRET


def test_a_key_that_is_lost_for_good_is_given_up(ring: Path, owner: Actor) -> None:
    keep("lab")
    attach(owner, "lab", "env:prod")
    ring.write_text(KEYS[0])
    keep("new")
    done = rotate(owner, forget_lost=True)
    assert (done.forgotten, done.rewrapped) == (("lab",), 1)
    assert KEYS[0] not in ring.read_text()
    with pytest.raises(Conflict, match="qd credentials update lab"):
        opened("lab")
    update_credential(owner, "lab", {}, {"password": "again"})
    assert opened("lab").password == "again"
    assert Credential.objects.get(name="lab").attachments.count() == 1


def test_keys_of_the_environment_are_rotated_by_who_starts_it(
    ring: Path, owner: Actor, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep("from-file")
    monkeypatch.setitem(settings.QD, "vault_key", KEYS[0])
    keep("lab")
    assert vault_state(owner).waiting == 1
    assert rotate(owner).rewrapped == 1, "what the file's key wrapped moves over"
    with pytest.raises(Conflict, match="QD_VAULT_KEY=NEW,OLD"):
        rotate(owner)
    monkeypatch.setitem(settings.QD, "vault_key", f"{KEYS[1]},{KEYS[0]}")
    assert rotate(owner).rewrapped == 2
    monkeypatch.setitem(settings.QD, "vault_key", KEYS[1])
    ring.unlink()
    assert opened("lab").password == opened("from-file").password == SECRET


@pytest.fixture
def transit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Transit]:
    with transit_server() as running:
        (tmp_path / "token").write_text(running.token + "\n")
        monkeypatch.setitem(settings.QD, "vault_transit_url", running.url)
        monkeypatch.setitem(settings.QD, "vault_transit_token_file", str(tmp_path / "token"))
        yield running


def test_vault_keeps_the_key_and_rotates_it(transit: Transit, ring: Path, owner: Actor) -> None:
    kept = keep()
    assert kept.key_id == "transit:transit/quarterdeck:v1"
    assert opened("lab").password == SECRET
    assert rotate(owner).rewrapped == 1
    assert Credential.objects.get().key_id.endswith(":v2")
    assert opened("lab").password == SECRET
    assert not ring.exists()


def test_what_vault_refuses_is_told(transit: Transit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep()
    transit.is_sealed = True
    with pytest.raises(Unavailable, match="sealed"):
        opened("lab")
    transit.is_sealed = False
    (tmp_path / "token").write_text("wrong")
    with pytest.raises(Unavailable, match="permission denied"):
        opened("lab")
    (tmp_path / "token").unlink()
    with pytest.raises(Unavailable, match="cannot be read"):
        opened("lab")
    monkeypatch.setitem(settings.QD, "vault_transit_url", "http://127.0.0.1:9")
    monkeypatch.setitem(settings.QD, "vault_transit_token_file", "")
    with pytest.raises(Unavailable, match="does not answer"):
        opened("lab")
    monkeypatch.setitem(settings.QD, "vault_transit_url", "")
    with pytest.raises(KeyLost):
        opened("lab")


def test_an_unknown_name_suggests_the_near_one() -> None:
    keep("production")
    with pytest.raises(NotFound, match="production"):
        opened("prodction")


@pytest.mark.parametrize("text", ["", "zz", "11" * 31])
def test_a_key_file_that_holds_no_key_is_told(ring: Path, text: str) -> None:
    ring.write_text(text)
    ring.chmod(0o600)
    with pytest.raises(BadInput, match="openssl rand -hex 32"):
        rings.FileRing(ring).current()
