"""Host keys: what a piece of work is given and hands back, what an operator decides, and the alarm of a changed one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from tests.jobs.test_reach import host_item
from tests.lab.ssh_hosts import SshHost, ssh_host
from tests.people import actor as actor_of
from tests.people import person
from tests.telemetry.engines import Engine

from quarterdeck.access.actions import set_role
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.core.errors import BadQuery, Denied, NotFound
from quarterdeck.inventory.models import TimelineEvent
from quarterdeck.jobs.host_keys import alarming, queries
from quarterdeck.jobs.host_keys.actions import approve, forget, refuse
from quarterdeck.jobs.host_keys.importing import import_known_hosts
from quarterdeck.jobs.host_keys.models import HostKey, HostKeyState, Origin
from quarterdeck.jobs.host_keys.using import keep, known, known_hosts_text
from quarterdeck.remote import loop
from quarterdeck.remote.errors import HostKeyChanged, HostKeyRefused, HostKeyUnknown
from quarterdeck.remote.host_keys import HostKeys, Verdict, plain
from quarterdeck.remote.target import SignIn, Target
from quarterdeck.telemetry import client

pytestmark = pytest.mark.django_db
PLACE = ("10.0.0.7", 22)


def new_key() -> asyncssh.SSHKey:
    return asyncssh.generate_private_key("ssh-ed25519")


def text_of(key: asyncssh.SSHKey) -> str:
    return plain(key.export_public_key("openssh").decode())


def shown(key: asyncssh.SSHKey, *, accepts_new: bool = False, target: Target | None = None) -> HostKeys:
    """Return what a piece of work knows after the host of `target` has shown `key`."""
    target = target or Target(*PLACE)
    keys = known([target], accepts_new=accepts_new)
    keys.judge(target.address, target.port, key)
    return keys


def audited(verb: str) -> list[str]:
    return list(AuditEvent.objects.filter(verb=verb).order_by("seq").values_list("actor_name", flat=True))


def test_what_is_shown_first_waits_for_an_operator_and_is_kept_once(owner: Actor) -> None:
    key, item = new_key(), host_item(primary_ip=PLACE[0])
    for _time in range(2):
        keys = shown(key)
        assert keys.seen[0].verdict is Verdict.NEW
        keep(owner, keys, {PLACE: item.pk})
        keep(owner, keys, {PLACE: item.pk})
    row = HostKey.objects.get()
    assert (row.state, row.item_id, row.is_change, row.key) == (HostKeyState.PENDING, item.pk, False, text_of(key))
    assert approve(owner, [row.pk]) == 1
    assert approve(owner, [row.pk]) == 0
    row.refresh_from_db()
    assert (row.decided_by, row.origin) == ("owner", Origin.OPERATOR)
    keys = shown(key)
    assert (keys.seen, keys.confirmed) == ([], {(PLACE, text_of(key))})
    HostKey.objects.update(last_seen=None)
    keep(owner, keys, {})
    assert HostKey.objects.get().last_seen is not None
    assert audited("jobs.approve_host_key") == ["owner"]


def test_a_first_key_that_is_accepted_is_approved_by_who_asked_for_it(owner: Actor) -> None:
    key, item = new_key(), host_item()
    keep(owner, shown(key, accepts_new=True), {PLACE: item.pk})
    row = HostKey.objects.get()
    assert (row.state, row.origin, row.decided_by) == (HostKeyState.APPROVED, Origin.FIRST_CONTACT, "owner")
    assert audited("jobs.accept_host_key") == ["owner"]


def test_of_two_first_keys_that_were_accepted_at_once_the_second_is_an_alarm(owner: Actor) -> None:
    first, second = shown(new_key(), accepts_new=True), shown(new_key(), accepts_new=True)
    keep(owner, first, {})
    keep(owner, second, {})
    assert [(row.state, row.is_change) for row in HostKey.objects.order_by("pk")] == [
        (HostKeyState.APPROVED, False),
        (HostKeyState.PENDING, True),
    ]
    assert TimelineEvent.objects.get().item_id is None


def test_a_changed_key_is_an_alarm_until_somebody_decides(owner: Actor) -> None:
    old, new, item = new_key(), new_key(), host_item()
    keep(owner, shown(old, accepts_new=True), {PLACE: item.pk})
    for _time in range(2):
        keys = shown(new, accepts_new=True)
        assert keys.seen[0].verdict is Verdict.CHANGED
        keep(owner, keys, {PLACE: item.pk})
    event = TimelineEvent.objects.get(kind="host_key.changed")
    assert (event.item_id, event.severity, event.actor) == (item.pk, "critical", "owner")
    assert event.detail["approved"] == [old.get_fingerprint()]
    assert audited("jobs.host_key_changed") == ["owner"]
    changed = queries.host_keys(owner, "is:changed").get()
    assert [row.fingerprint for row in queries.expected([changed])[changed.pk]] == [old.get_fingerprint()]
    assert queries.counts(owner) == {"pending": 1, "approved": 1, "refused": 0, "changed": 1}
    approve(owner, [changed.pk])
    assert shown(new).seen == []
    # What the old host kept may be in somebody's hands.
    assert shown(old, accepts_new=True).seen[0].verdict is Verdict.REFUSED
    assert TimelineEvent.objects.filter(kind="host_key.decided").count() == 1


def test_a_place_that_somebody_decided_on_has_no_first_contact(owner: Actor) -> None:
    old, changed = new_key(), new_key()
    keep(owner, shown(old, accepts_new=True), {})
    keep(owner, shown(changed), {})
    refuse(owner, [HostKey.objects.get(fingerprint=old.get_fingerprint()).pk])
    assert shown(old, accepts_new=True).seen[0].verdict is Verdict.REFUSED
    for key in (changed, new_key()):
        assert shown(key, accepts_new=True).seen[0].verdict is Verdict.NEW
    forget(owner, list(HostKey.objects.values_list("pk", flat=True)))
    assert shown(new_key(), accepts_new=True).seen[0].verdict is Verdict.ACCEPTED
    assert (audited("jobs.refuse_host_key"), len(audited("jobs.forget_host_key"))) == (["owner"], 2)


def test_an_address_is_known_however_it_is_spelled_and_by_way_of_jump_hosts(owner: Actor) -> None:
    outer, inner = new_key(), new_key()
    keep(owner, shown(outer, accepts_new=True, target=Target("Bastion.example.", 2222)), {})
    keep(owner, shown(inner, accepts_new=True, target=Target("FE80:0::1", 22)), {})
    target = Target("fe80::1", 22, jumps=(Target("bastion.EXAMPLE", 2222),))
    keys = known([target], accepts_new=False)
    assert keys.judge("fe80::1", 22, inner) is Verdict.APPROVED
    assert keys.judge("bastion.EXAMPLE", 2222, outer) is Verdict.APPROVED
    assert known_hosts_text([target]) == f"[bastion.example]:2222 {text_of(outer)}\nfe80::1 {text_of(inner)}\n"


def test_many_places_are_a_query_for_each_500() -> None:
    targets = [Target(f"10.1.{number // 250}.{number % 250}") for number in range(1200)]
    with CaptureQueriesContext(connection) as queries_made:
        known(targets, accepts_new=False)
    assert len(queries_made) == 3


def test_an_address_with_a_wildcard_is_no_line_of_known_hosts() -> None:
    values = {"port": 22, "key": text_of(new_key()), "state": HostKeyState.APPROVED, "first_seen": "2026-01-01T00:00Z"}
    for number, address in enumerate(("*", "a,b", "web1", "a b")):
        HostKey.objects.create(address=address, fingerprint=str(number), **values)
    text = known_hosts_text(map(Target, ("*", "a,b", "web1", "a b")))
    assert [line.split()[0] for line in text.splitlines()] == ["web1"]


def test_who_may_decide(owner: Actor, teammate: Actor, stranger: Actor) -> None:
    items = [host_item("web1", env="prod"), host_item("web2", env="test")]
    for number, item in enumerate([*items, None]):
        target = Target(f"10.0.0.{number}")
        keep(owner, shown(new_key(), target=target), {(target.address, 22): item.pk} if item else {})
    web1, web2, nobody = HostKey.objects.order_by("pk")
    with pytest.raises(Denied):
        queries.host_keys(stranger)
    assert list(queries.host_keys(teammate)) == [web1]
    with pytest.raises(Denied):
        approve(teammate, [web1.pk])
    role = set_role(SYSTEM, "keys", verbs=["jobs.host_keys", "inventory.view"], query="env:prod")
    keeper = actor_of(person("keeper", role))
    for row in (web2, nobody):
        with pytest.raises(NotFound):
            approve(keeper, [web1.pk, row.pk])
    assert approve(keeper, [web1.pk]) == 1
    assert HostKey.objects.filter(state=HostKeyState.APPROVED).get() == web1
    done = import_known_hosts(keeper, f"10.0.0.1 {text_of(new_key())}\nelsewhere {text_of(new_key())}\n")
    assert (done.approved, [one.line for one in done.skipped]) == (0, [1, 2])


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"10.0.0.0", "10.0.0.1"}), ("env:prod", {"10.0.0.0"}), ("-env:prod", {"10.0.0.1"}), ("web1", {"10.0.0.0"}),
        ("state:pending port:22", {"10.0.0.0", "10.0.0.1"}), ("is:(approved OR changed)", set()),
        ("address:10.0.0.* item:web2", {"10.0.0.1"}), ("algorithm:ssh-ed25519 id:>0", {"10.0.0.0", "10.0.0.1"}),
        ("first_seen:>-1h", {"10.0.0.0", "10.0.0.1"}), ("algorithm:ssh-rsa", set()), ("by:*", set()),
    ],
)  # fmt: skip
def test_they_are_found_by_their_own_fields_and_by_those_of_the_item(
    owner: Actor, query: str, expected: set[str]
) -> None:
    for number, env in enumerate(("prod", "test")):
        target = Target(f"10.0.0.{number}")
        item = host_item(f"web{number + 1}", env=env)
        keep(owner, shown(new_key(), target=target), {(target.address, 22): item.pk})
    assert {row.address for row in queries.host_keys(owner, query)} == expected


@pytest.mark.parametrize("query", ["is:never", "nosuch:1", "address:>3", "port:x", "state:>pending"])
def test_what_a_query_cannot_ask_is_told(owner: Actor, query: str) -> None:
    with pytest.raises(BadQuery):
        queries.host_keys(owner, query)


def test_a_known_hosts_file_is_taken_in_and_what_is_not_is_told(owner: Actor, tmp_path: Path) -> None:
    host_item("web1.example", primary_ip="10.0.0.7")
    hidden = host_item("hidden.example", ssh_port=2222)
    keys = {name: text_of(new_key()) for name in ("plain", "hashed", "stranger", "revoked", "authority")}
    hashed = tmp_path / "hashed"
    hashed.write_text(f"[hidden.example]:2222 {keys['hashed']}\nnobody.example {keys['stranger']}\n")
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", hashed], check=True, capture_output=True)
    text = (
        f"# a comment\n\nweb1.example,[other]:2200 {keys['plain']} ops@desk\n{hashed.read_text()}"
        f"@revoked old.example {keys['revoked']}\n@cert-authority *.example {keys['authority']}\n"
        f"*.wild.example {keys['plain']}\nweb1.example ssh-ed25519 AAAAbroken\nnonsense\n"
    )
    done = import_known_hosts(owner, text)
    assert (done.approved, done.refused, done.unchanged) == (4, 1, 0)
    assert [one.line for one in done.skipped] == [5, 7, 8, 9, 10]
    assert {(row.address, row.port) for row in HostKey.objects.filter(state=HostKeyState.APPROVED)} == {
        ("web1.example", 22), ("10.0.0.7", 22), ("other", 2200), ("hidden.example", 2222),
    }  # fmt: skip
    assert HostKey.objects.get(port=2222).item_id == hidden.pk
    again = import_known_hosts(owner, text)
    assert (again.approved, again.refused, again.unchanged) == (0, 0, 5)
    assert len(audited("jobs.import_host_keys")) == 2


def test_a_file_does_not_decide_against_an_operator(owner: Actor) -> None:
    refused, approved, other = new_key(), new_key(), new_key()
    keep(owner, shown(refused), {})
    refuse(owner, [HostKey.objects.get().pk])
    keep(owner, shown(approved, target=Target("10.0.0.8"), accepts_new=True), {})
    done = import_known_hosts(owner, f"10.0.0.7 {text_of(refused)}\n10.0.0.8 {text_of(other)}\n")
    assert (done.approved, [one.line for one in done.skipped]) == (0, [1, 2])


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with ssh_host() as running:
        yield running


def changed_value(item: int) -> list[float]:
    sql = (
        "SELECT value FROM samples WHERE id IN (SELECT id FROM series WHERE metric_name = {name:String}"
        " AND item = {item:UInt64}) ORDER BY timestamp DESC LIMIT 1"
    )
    return [value for (value,) in client.query(sql, {"name": alarming.METRIC, "item": item})]


@pytest.mark.slow
def test_the_story_of_a_host_that_is_made_anew(host: SshHost, owner: Actor, engine: Engine, tmp_path: Path) -> None:
    item = host_item(primary_ip="127.0.0.1", ssh_port=host.port)
    target = Target("127.0.0.1", host.port, "ops", SignIn(private_key=host.key))

    def reach(*, accepts_new: bool = False) -> None:
        keys = known([target], accepts_new=accepts_new)

        async def work() -> None:
            async with loop.pool().lease(target, keys):
                pass

        try:
            loop.run(work())
        finally:
            loop.stop()
            keep(owner, keys, {("127.0.0.1", host.port): item.pk})

    with pytest.raises(HostKeyUnknown):
        reach()
    approve(owner, [HostKey.objects.get().pk])
    reach()
    host.renew_host_key()
    with pytest.raises(HostKeyChanged):
        reach(accepts_new=True)
    alarming.watch()
    assert changed_value(item.pk) == [1]
    changed = HostKey.objects.get(is_change=True)
    refuse(owner, [changed.pk])
    alarming.watch()
    assert changed_value(item.pk) == [0]
    with pytest.raises(HostKeyRefused):
        reach()
    approve(owner, [changed.pk])
    reach()
    # OpenSSH reads what Ansible is given.
    file, identity = tmp_path / "known_hosts", tmp_path / "key"
    file.write_text(known_hosts_text([target]))
    identity.write_text(host.key)
    identity.chmod(0o600)
    strict = (
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
        f"UserKnownHostsFile={file}",
    )
    command = ["ssh", *strict, "-i", identity, "-p", str(host.port), "ops@127.0.0.1", "echo ok"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"ok\n"
    refuse(owner, [changed.pk])
    file.write_text(known_hosts_text([target]))
    assert subprocess.run(command, capture_output=True, check=False).returncode == 255
