"""A host of the inventory is reached with the credentials that are attached to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from tests.lab.ssh_hosts import OPS, SshHost, ssh_host

from quarterdeck.access.vault.actions import attach, create_credential
from quarterdeck.access.vault.using import Keys, use
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.actions import create_item
from quarterdeck.inventory.models import Item
from quarterdeck.jobs.reaching import become_of, target_of
from quarterdeck.remote import loop
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.running import Result, result_of, run
from quarterdeck.remote.scripts import Command

pytestmark = pytest.mark.django_db
NOTHING = Keys(None, None)


def host_item(name: str = "web1", **values: object) -> Item:
    return create_item(SYSTEM, "host", name, values)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, ("web1", 22, "root", 0)),
        ({"fqdn": "web1.example"}, ("web1.example", 22, "root", 0)),
        (
            {"primary_ip": "10.0.0.7", "fqdn": "x.example", "ssh_port": 2222, "ssh_user": "ops"},
            ("10.0.0.7", 2222, "ops", 0),
        ),
        ({"ssh_proxy_jump": "a@one:2200,two"}, ("web1", 22, "root", 2)),
    ],
)
def test_where_it_goes_is_told_by_the_item(values: dict[str, object], expected: tuple[object, ...]) -> None:
    target = target_of(host_item(**values), NOTHING)
    assert (target.address, target.port, target.user, len(target.jumps)) == expected


def test_jump_hosts_that_cannot_be_read_are_told() -> None:
    with pytest.raises(BadInput, match="web1"):
        target_of(host_item(ssh_proxy_jump="-oProxyCommand=x"), NOTHING)


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with ssh_host() as running:
        yield running


@pytest.mark.slow
def test_it_is_reached_with_what_is_attached(host: SshHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(settings.QD, "vault_key_file", str(tmp_path / "vault"))
    item = host_item(primary_ip="127.0.0.1", ssh_port=host.port, env="lab")
    create_credential(SYSTEM, "lab", "ssh_key", {"private_key": host.key}, {"username": "ops"})
    create_credential(SYSTEM, "sudo", "become_password", {"password": OPS})
    for name in ("lab", "sudo"):
        attach(SYSTEM, name, "env:lab")
    keys = use(SYSTEM, [item], "a test")[item.pk]
    approved = HostKeys.of({("127.0.0.1", host.port): [host.host_key]})

    async def work() -> Result:
        async with loop.pool().lease(target_of(item, keys), approved) as connection:
            return await result_of(run(connection, Command("id -un; echo $SUDO_USER"), become=become_of(keys)))

    try:
        assert loop.run(work()).stdout == b"root\nops\n"
    finally:
        loop.stop()
