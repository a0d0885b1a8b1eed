"""Our reading of OpenSSH's configuration, compared with what ssh itself makes of it (`ssh -G`)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from quarterdeck.inventory.exchange.formats.ssh_config import PLUGIN
from quarterdeck.inventory.exchange.records import BadRow, Record

CONFIG = """
# comment
User early
Host web1 web2 !web2
  HostName %h.example.com
  Port=2201
Host web2
    HostName 10.0.0.2
    User "second"
    Include parts/only-web2
    Port 2202
Match all
Include parts/*.conf
Host db? !db2
  Port 5022
Host db1 db2
  HostName 192.0.2.7
Match originalhost db1
  ProxyJump bastion
Host *.internal !x.internal
  Port 2299
Host a.internal x.internal
  ProxyJump ops@bastion:2200,web1
Host *
  Port 22
  User late
"""
ONLY_WEB2 = "IdentityFile ~/x\nHost *\n  ProxyJump bastion\nHost elsewhere\n  HostName 203.0.113.9\n"
PART = "Host bastion\n\tHostName = 198.51.100.1\n\tProxyJump none\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts/a.conf").write_text(PART)
    (tmp_path / "parts/only-web2").write_text(ONLY_WEB2)
    (tmp_path / "config").write_text(CONFIG)
    # ssh looks for relative includes in ~/.ssh only.
    (tmp_path / "for-ssh").write_text(CONFIG.replace("Include parts", f"Include {tmp_path}/parts"))
    return tmp_path / "config"


def ours(path: Path) -> dict[str, dict[str, object]]:
    rows = list(PLUGIN.read(path))
    assert not [row for row in rows if isinstance(row, BadRow)]
    return {str(row.fields["name"]): row.fields for row in rows if isinstance(row, Record)}


def theirs(path: Path, alias: str) -> dict[str, str]:
    command = ["ssh", "-G", "-F", path.with_name("for-ssh"), alias]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)


@pytest.mark.skipif(shutil.which("ssh") is None, reason="needs the ssh command")
@pytest.mark.parametrize("alias", ["web1", "web2", "db1", "db2", "bastion", "a.internal", "x.internal", "elsewhere"])
def test_it_reads_what_ssh_reads(config: Path, alias: str) -> None:
    mine, real = ours(config)[alias], theirs(config, alias)
    assert str(mine.get("primary_ip") or mine.get("fqdn") or alias) == real["hostname"]
    assert str(mine["ssh_port"]) == real["port"]
    assert mine["ssh_user"] == real["user"]
    assert mine.get("ssh_proxy_jump") == real.get("proxyjump")


def test_patterns_are_no_hosts(config: Path) -> None:
    assert set(ours(config)) == {"web1", "web2", "db1", "db2", "bastion", "a.internal", "x.internal", "elsewhere"}


def test_a_jump_over_a_known_host_is_a_relation(config: Path) -> None:
    found = ours(config)
    assert found["db1"]["relation.reached_through"] == ["host:bastion"]
    assert found["a.internal"]["relation.reached_through"] == ["host:web1"]
