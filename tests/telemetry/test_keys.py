"""Intake keys: made, changed, revoked; what is wrong is said with the near name; the text is kept nowhere."""

from __future__ import annotations

from typing import Any

import pytest

from quarterdeck.audit.actor import Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound
from quarterdeck.telemetry.keys import change_key, create_key, keys_of, revoke_key
from quarterdeck.telemetry.models import IntakeKey

pytestmark = pytest.mark.django_db


def test_a_key_is_32_hex_digits_of_which_only_the_digest_is_kept(owner: Actor) -> None:
    key, plain = create_key(owner, " lab ", protocols=["otlp"], labels={"env": "lab"}, networks=["10.1.2.3/8"])
    assert len(bytes.fromhex(plain)) == 16
    assert (key.name, key.protocols, key.labels, key.networks) == ("lab", ["otlp"], {"env": "lab"}, ["10.0.0.0/8"])
    stored = IntakeKey.objects.values().get(pk=key.pk)
    assert plain not in str(stored)
    assert plain.startswith(stored["hint"])
    events = AuditEvent.objects.filter(verb="telemetry.create_key")
    assert plain not in str(list(events.values()))
    assert events.get().object_name == "lab"


@pytest.mark.parametrize("protocols", [[], ["all"], ["otlp", "all"]])
def test_all_protocols_are_written_as_none(owner: Actor, protocols: list[str]) -> None:
    assert create_key(owner, "lab", protocols=protocols)[0].protocols == []


@pytest.mark.parametrize(
    ("values", "field", "said"),
    [
        ({"protocols": ["otpl"]}, "protocols", 'did you mean "otlp"?'),
        ({"protocols": ["x"]}, "protocols", "otlp"),
        ({"labels": {"a b": "x"}}, "labels", "letters"),
        ({"labels": {"__name__": "x"}}, "labels", "letters"),
        ({"labels": {"env": ""}}, "labels", "empty"),
        ({"labels": {f"l{number}": "x" for number in range(21)}}, "labels", "20"),
        ({"networks": ["10.0.0.0/99"]}, "networks", "10.0.0.0/8"),
        ({"records_per_second": -1}, "records_per_second", "0"),
        ({"records_per_day": 2**31}, "records_per_day", "0"),
        ({"name": " "}, "name", "name"),
        ({"name": "a\nb"}, "name", "name"),
    ],
)
def test_it_says_what_is_wrong_and_what_is_allowed(owner: Actor, values: dict[str, Any], field: str, said: str) -> None:
    with pytest.raises(BadInput) as caught:
        create_key(owner, **{"name": "lab", **values})
    assert caught.value.field == field
    assert said in f"{caught.value.message} {caught.value.hint}"
    assert not IntakeKey.objects.exists()


def test_a_name_is_free_again_once_its_key_is_revoked(owner: Actor) -> None:
    key, _plain = create_key(owner, "lab")
    with pytest.raises(Conflict):
        create_key(owner, "lab")
    revoke_key(owner, key.pk)
    revoke_key(owner, key.pk)
    assert AuditEvent.objects.filter(verb="telemetry.revoke_key").count() == 1
    again, _plain = create_key(owner, "lab")
    assert {one.pk for one in keys_of(owner)} == {key.pk, again.pk}


def test_a_change_holds_and_is_audited_with_both_values(owner: Actor) -> None:
    key, _plain = create_key(owner, "lab", records_per_second=5)
    digest = key.digest
    changed = change_key(owner, key.pk, {"records_per_second": 9, "labels": {"env": "prod"}})
    assert (changed.records_per_second, changed.labels, changed.name, changed.digest) == (
        9,
        {"env": "prod"},
        "lab",
        digest,
    )
    event = AuditEvent.objects.get(verb="telemetry.change_key")
    assert '"records_per_second":5' in event.before_json
    assert '"records_per_second":9' in event.after_json
    change_key(owner, key.pk, {"records_per_second": 9})
    assert AuditEvent.objects.filter(verb="telemetry.change_key").count() == 1
    revoke_key(owner, key.pk)
    with pytest.raises(Conflict):
        change_key(owner, key.pk, {"name": "x"})
    with pytest.raises(NotFound):
        change_key(owner, 999, {"name": "x"})


def test_who_lacks_the_right_makes_sees_and_revokes_none(owner: Actor, teammate: Actor, stranger: Actor) -> None:
    key, _plain = create_key(owner, "lab")
    for actor in (teammate, stranger):
        with pytest.raises(Denied):
            create_key(actor, "mine")
        with pytest.raises(Denied):
            change_key(actor, key.pk, {"name": "x"})
        with pytest.raises(Denied):
            revoke_key(actor, key.pk)
        with pytest.raises(Denied):
            keys_of(actor)
    assert AuditEvent.objects.filter(verb="telemetry.keys", result="denied").count() == 6
