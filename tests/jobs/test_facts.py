"""Facts of reached hosts: what the script says here, in busybox, and on record; and what becomes of it."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from django.conf import settings
from tests.jobs.test_reach import host_item
from tests.lab.ssh_hosts import OPS, SshHost, ssh_host

from quarterdeck.access.vault.actions import attach, create_credential
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.core.errors import BadInput, Denied, NotFound
from quarterdeck.inventory.actions import apply, create_item
from quarterdeck.inventory.connectors import this_machine
from quarterdeck.inventory.connectors.connector import Session
from quarterdeck.inventory.models import Item, Observation
from quarterdeck.jobs.facts import gathering, parsing, tree
from quarterdeck.jobs.facts.actions import found_of, packages_known, refresh_facts
from quarterdeck.jobs.facts.models import InstalledPackages
from quarterdeck.jobs.facts.packages import Package, packages_of
from quarterdeck.jobs.host_keys.models import HostKey
from quarterdeck.remote import loop
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.target import Become, SignIn, Target

SCRIPT = Path(gathering.__file__).with_name("script.sh")
# What RPM and a kernel say, in the form of the script.
RECORDED = """\
shell's greeting
|of nobody
#F /etc/os-release
|NAME="Rocky Linux"
|ID="rocky"
|VERSION_ID="9.3"
|PRETTY_NAME="Rocky Linux 9.3 (Blue Onyx)"
#F /proc/meminfo
|MemTotal:       16303032 kB
|SwapTotal:             0 kB
#F /proc/net/route
|Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
|eth0\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0
|eth0\t0002A8C0\t00000000\t0001\t0\t0\t100\t00FFFFFF\t0\t0\t0
#F /proc/mounts
|/dev/mapper/rl-root / xfs rw 0 0
|/dev/mapper/rl-root /var/lib/docker/x xfs rw 0 0
|/dev/sdb1 /mnt/with\\040blank ext4 rw 0 0
|tmpfs /run tmpfs rw 0 0
#F /sys/block/sda/size
|41943040
#F /sys/block/sda/queue/rotational
|1
#F /sys/block/loop0/size
|8
#F /sys/class/net/eth0/address
|52:54:00:aa:bb:cc
#F /sys/class/net/eth0/operstate
|up
#F /sys/class/net/eth0/speed
|-1
#F /sys/class/net/eth0/device
#F /sys/class/net/docker0/address
|02:42:00:00:00:01
#F /sys/class/dmi/id/product_uuid
|4C4C4544-0042-3510-8054-B7C04F4E4E32
#F /sys/class/dmi/id/product_serial
|To be filled by O.E.M.
#F /sys/class/dmi/id/sys_vendor
|QEMU
#L /etc/localtime ../usr/share/zoneinfo/Asia/Shanghai
#F /proc/cpuinfo
|cpu cores\t: 4
|model name\t: Intel(R) Xeon(R)  CPU
|physical id\t: 0
|physical id\t: 1
#C processors
|16
#C uname
|web1.internal
|Linux
|5.14.0-362.el9.x86_64
|x86_64
#C btime
|btime 1767225600
#C addresses
|2: eth0    inet 192.168.2.10/24 brd 192.168.2.255 scope global eth0\\       valid_lft forever
|2: eth0    inet6 fe80::1/64 scope link \\       valid_lft forever
|2: eth0    inet nonsense scope link
#C df
|Filesystem 1024-blocks Used Available Capacity Mounted on
|/dev/mapper/rl-root 10000 1 2 1% /
|/dev/sdb1 2000 1 2 1% /mnt/with blank
#C passwd
|root:0:/root:/bin/bash
|sync:5:/sbin:/bin/sync
|ops:1000:/home/ops:/bin/zsh
|nginx:998:/var/lib/nginx:/sbin/nologin
|broken
#C services
|sshd.service loaded active running OpenSSH server daemon
|nginx.service loaded active running The nginx HTTP server
#C docker
|24.0.7,3,overlay2
#C sockets
|tcp 00000000:0016 100
|tcp 0100007F:0CEA 101
|tcp 0100007F:D431 102
|tcp6 00000000000000000000000001000000:1F90 103
|udp 00000000:0044 104
|tcp nonsense 105
#C programs
|100\tsshd\t
|103\tjava\tjava\t-Xmx1g\t-jar\t/srv/app.jar
#C rpm
|ii \tbash\t0:5.1.8-9.el9\tx86_64\tbash-5.1.8-9.el9.src.rpm
|ii \tbind-libs\t32:9.16.23-14.el9\tx86_64\tbind-9.16.23-14.el9.src.rpm
|ii \tgpg-pubkey\t0:350d275d-6279464b\t(none)\t(none)
|warning: something
#E
"""


def test_what_was_recorded_is_read() -> None:
    found = parsing.attributes_of(tree.read(RECORDED))
    expected = {
        "os_name": "rocky", "os_version": "9.3", "os_title": "Rocky Linux 9.3 (Blue Onyx)", "os_family": "linux",
        "kernel": "5.14.0-362.el9.x86_64", "architecture": "x86_64", "cpu_model": "Intel(R) Xeon(R) CPU",
        "cpu_count": 16, "cpu_cores": 8, "memory_bytes": 16303032 * 1024, "boot_time": "2026-01-01T00:00:00Z",
        "time_zone": "Asia/Shanghai", "form": "vm", "virtualization": "kvm", "gateway": "192.168.2.1",
        "ip_addresses": ["192.168.2.10"], "mac_addresses": ["52:54:00:aa:bb:cc"], "vendor": "QEMU",
        "disks": [{"name": "sda", "size_bytes": 41943040 * 512, "rotational": True}],
        "filesystems": [
            {"mountpoint": "/", "device": "/dev/mapper/rl-root", "type": "xfs", "size_bytes": 10000 * 1024},
            {"mountpoint": "/mnt/with blank", "device": "/dev/sdb1", "type": "ext4", "size_bytes": 2000 * 1024},
        ],
        "listening_ports": [
            {"port": 22, "protocol": "tcp", "address": "0.0.0.0", "process": "sshd"},
            {"port": 68, "protocol": "udp", "address": "0.0.0.0", "process": ""},
            {"port": 3306, "protocol": "tcp", "address": "127.0.0.1", "process": ""},
            {"port": 8080, "protocol": "tcp", "address": "::1", "process": "app.jar"},
        ],
        "services": ["nginx", "sshd"], "docker_version": "24.0.7", "docker_containers": 3,
        "docker_storage_driver": "overlay2",
        "login_users": [
            {"name": "ops", "uid": 1000, "home": "/home/ops", "shell": "/bin/zsh"},
            {"name": "root", "uid": 0, "home": "/root", "shell": "/bin/bash"},
        ],
    }  # fmt: skip
    assert {name: found.get(name) for name in expected} == expected
    # Where the host is reached is not for the host to say; nor is what its vendor left empty a serial number.
    assert not {"fqdn", "serial"} & found.keys()


def test_packages_are_read_as_each_manager_tells_them() -> None:
    assert packages_of(tree.read(RECORDED)) == (
        "rpm",
        [Package("bash", "5.1.8-9.el9", "x86_64"), Package("bind-libs", "32:9.16.23-14.el9", "x86_64", "bind")],
    )
    dpkg = (
        "#C dpkg\n|ii \tlibc6:amd64\t2.36-9\tamd64\tglibc\n|rc \tgone\t1\tall\tgone\n|ii \tbash\t5.2\tamd64\tbash\n#E\n"
    )
    assert packages_of(tree.read(dpkg)) == (
        "dpkg", [Package("bash", "5.2", "amd64"), Package("libc6", "2.36-9", "amd64", "glibc")]
    )  # fmt: skip
    assert packages_of(tree.read("#E\n")) == ("", [])


def test_nothing_in_a_file_passes_for_a_head_and_what_broke_off_is_refused() -> None:
    output = tree.read("#F /etc/os-release\n|ID=a\x0c#F /etc/machine-id\n|#C dpkg\n#E\n")
    assert output.files == {"/etc/os-release": "ID=a\x0c#F /etc/machine-id\n#C dpkg"}
    with pytest.raises(BadInput):
        tree.read("#F /etc/os-release\n|ID=debian\n")


@pytest.mark.parametrize(
    "text", ["#C sockets\n|tcp x\n", "#C btime\n|btime 99999999999999999999\n", "#C df\n|\n|a\n", ""]
)
def test_odd_answers_are_left_out(text: str) -> None:
    assert isinstance(parsing.attributes_of(tree.read(f"{text}#E\n")), dict)


@pytest.mark.slow
def test_on_this_machine_it_says_what_the_inventory_itself_finds() -> None:
    done = subprocess.run(["sh", SCRIPT], capture_output=True, text=True, check=True)
    output = tree.read(done.stdout)
    told, [page] = parsing.attributes_of(output), this_machine.pages(Session("local"))
    itself = this_machine.attributes(page)
    same = (
        *("os_name", "os_version", "os_title", "kernel", "architecture", "cpu_model", "cpu_count", "cpu_cores", "form"),
        *("memory_bytes", "swap_bytes", "boot_time", "boot_id", "machine_id", "virtualization", "time_zone", "disks"),
        *("mac_addresses", "filesystems"),
    )
    assert {name: told.get(name) for name in same} == {name: itself.get(name) for name in same}
    assert set(told["ip_addresses"]) == set(itself["ip_addresses"])
    manager, packages = packages_of(output)
    assert {manager: len(packages)} == itself["packages"]


@pytest.mark.slow
def test_busybox_is_enough() -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        for name in ("bin", "proc", "sys", "etc", "dev", "lib/apk/db"):
            (root / name).mkdir(parents=True)
        (root / "etc/os-release").write_text('ID=alpine\nVERSION_ID=3.19.1\nPRETTY_NAME="Alpine Linux v3.19"\n')
        (root / "etc/passwd").write_text("root:x:0:0:root:/root:/bin/ash\n")
        (root / "lib/apk/db/installed").write_text(
            "C:Q1x=\nP:musl\nV:1.2.4-r2\nA:x86_64\no:musl\n\nP:libcrypto3\nV:3.1.4-r5\nA:x86_64\no:openssl\n"
        )
        (root / "script.sh").write_text(SCRIPT.read_text())
        steps = (
            f"cp $(command -v busybox) {root}/bin/busybox; chroot {root} /bin/busybox --install -s /bin;"
            f" mount -t proc proc {root}/proc; mount --rbind /sys {root}/sys; mknod {root}/dev/null c 1 3;"
            f" rm -f {root}/bin/dpkg {root}/bin/rpm; exec chroot {root} /bin/sh /script.sh"
        )
        command = ["unshare", "--mount", "--propagation", "private", "sh", "-c", steps]
        output = tree.read(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    found = parsing.attributes_of(output)
    assert (found["os_name"], found["os_version"]) == ("alpine", "3.19.1")
    assert found["login_users"] == [{"name": "root", "uid": 0, "home": "/root", "shell": "/bin/ash"}]
    assert {"cpu_model", "cpu_count", "memory_bytes", "kernel", "ip_addresses", "interfaces"} <= found.keys()
    assert packages_of(output) == (
        "apk", [Package("libcrypto3", "3.1.4-r5", "x86_64", "openssl"), Package("musl", "1.2.4-r2", "x86_64")]
    )  # fmt: skip


@pytest.mark.django_db
def test_two_hosts_of_one_image_stay_two(owner: Actor) -> None:
    items = [host_item(name) for name in ("web1", "web2")]
    applied = apply(owner, [found_of(item, tree.read(RECORDED), n) for n, item in enumerate(items, 1)], "ssh")
    assert applied.errors == []
    assert Item.objects.count() == 2
    assert set(Item.objects.values_list("attributes__os_name", flat=True)) == {"rocky"}


@pytest.fixture(scope="module")
def host() -> Iterator[SshHost]:
    with ssh_host() as running:
        yield running
    loop.stop()


@pytest.fixture
def reached(host: SshHost, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., Item]:
    """Return a function that makes an item of the host, with the credential that signs in on it."""
    monkeypatch.setitem(settings.QD, "vault_key_file", str(tmp_path / "vault"))
    create_credential(SYSTEM, "lab", "ssh_key", {"private_key": host.key}, {"username": "ops"})
    attach(SYSTEM, "lab", "env:lab")

    def make(name: str, **values: object) -> Item:
        return host_item(name, env="lab", primary_ip="127.0.0.1", ssh_port=host.port, **values)

    return make


@pytest.mark.slow
@pytest.mark.django_db
def test_the_facts_of_a_host_are_in_the_inventory(reached: Callable[..., Item], owner: Actor) -> None:
    item, lost = reached("web1"), host_item("lost", env="lab", primary_ip="127.0.0.1", ssh_port=1)
    create_credential(SYSTEM, "sudo", "become_password", {"password": OPS})
    attach(SYSTEM, "sudo", "env:lab")
    [first] = refresh_facts(owner, [item])
    assert first.error is not None
    assert first.error.code == "host_key_unknown"
    HostKey.objects.all().delete()
    done, failed = refresh_facts(owner, [item, lost], accepts_new=True)
    assert (done.error, failed.error and failed.error.code) == (None, "unreachable")
    assert HostKey.objects.get().item_id == item.pk
    item.refresh_from_db()
    assert (item.name, item.state, item.attributes["os_name"]) == ("web1", "running", "debian")
    assert item.attributes["packages"] == {"dpkg": done.packages}
    assert {"ops", "root"} <= {one["name"] for one in item.attributes["login_users"]}
    assert Observation.objects.get(source="ssh").item_id == item.pk
    known = packages_known(owner, item)
    assert "openssh-server" in {one.name for one in known.packages()}
    version, digest = item.version, known.digest
    refresh_facts(owner, [item])
    assert InstalledPackages.objects.get().digest == digest
    assert Observation.objects.filter(source="ssh").count() == 1
    assert version <= Item.objects.get(pk=item.pk).version <= version + 1
    with pytest.raises(NotFound):
        packages_known(owner, lost)


@pytest.mark.slow
def test_as_another_user_it_tells_whose_sockets_they_are(host: SshHost) -> None:
    target = Target("127.0.0.1", host.port, "ops", SignIn(private_key=host.key))
    keys = HostKeys.of({("127.0.0.1", host.port): [host.host_key]})
    ways = {1: gathering.Way(target, None), 2: gathering.Way(target, Become("sudo", "root", OPS))}
    plain, root = gathering.gather(ways, keys).values()
    assert isinstance(plain, tree.Output)
    assert isinstance(root, tree.Output)
    assert not any("\tsshd\t" in line for line in plain.said["programs"])
    assert any("\tsshd\t" in line for line in root.said["programs"])


@pytest.mark.django_db
def test_who_may_not_ask(owner: Actor, teammate: Actor, stranger: Actor) -> None:
    item = host_item("web1", env="prod")
    for who in (teammate, stranger):
        with pytest.raises(Denied):
            refresh_facts(who, [item])
    with pytest.raises(BadInput, match="no host"):
        refresh_facts(owner, [create_item(SYSTEM, "service", "api", {})])
