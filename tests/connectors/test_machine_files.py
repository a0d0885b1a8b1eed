"""Facts of machines from the files that they have: a tree of files per machine, and what is made of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from quarterdeck.inventory.connectors import machine_files, machine_state, this_machine

UUID = "4c4c4544-0039-3110-8058-b4c04f564433"


def tree(root: Path, **files: str) -> Path:
    """Write files; "__" in a name is a "/"."""
    for name, text in files.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def firmware(root: Path, **values: str) -> dict[str, str]:
    return machine_files.dmi(tree(root, **{f"sys__class__dmi__id__{name}": text for name, text in values.items()}))


@pytest.mark.parametrize(
    "filler",
    ["To Be Filled By O.E.M.", "None", "0", "0000000000", "Not Specified", "System Serial Number", "Default string",
     "1234567890", "", " ", "N/A", "XXXXXXX", "........", "INVALID"],
)  # fmt: skip
def test_fillers_of_vendors_are_no_serial_numbers(tmp_path: Path, filler: str) -> None:
    assert "product_serial" not in firmware(tmp_path, product_serial=filler + "\n")


@pytest.mark.parametrize("serial", ["9NXYZ03", "VMware-56 4d 12 34", "CZ1234ABCD", "PF0X1Y2Z"])
def test_serial_numbers_are_kept(tmp_path: Path, serial: str) -> None:
    assert firmware(tmp_path, product_serial=serial + "\n")["product_serial"] == serial


@pytest.mark.parametrize(
    "uuid", ["00000000-0000-0000-0000-000000000000", "FFFFFFFF-FFFF-FFFF-FFFF-FFFFFFFFFFFF",
             "03000200-0400-0500-0006-000700080009", "not a uuid"]
)  # fmt: skip
def test_uuids_that_many_machines_share_are_left_out(tmp_path: Path, uuid: str) -> None:
    assert "product_uuid" not in firmware(tmp_path, product_uuid=uuid)


def test_a_uuid_is_told_in_both_byte_orders() -> None:
    swapped = machine_files.swapped_uuid(UUID)
    assert swapped == "44454c4c-3900-1031-8058-b4c04f564433"
    assert machine_files.swapped_uuid(swapped) == UUID
    page = {
        "dmi": {"product_uuid": UUID, "product_serial": "9NXYZ03"},
        "machine_id": "a" * 32,
        "hostname": "Web1",
        "interfaces": [
            {"name": "eth0", "mac": "52:54:00:00:00:01", "hardware": True, "addresses": []},
            {"name": "bond0", "mac": "52:54:00:00:00:02", "hardware": False, "addresses": []},
        ],
    }
    assert this_machine.identities(page) == [
        ("smbios_uuid", UUID), ("smbios_uuid", swapped), ("serial", "9NXYZ03"), ("machine_id", "a" * 32),
        ("mac", "52:54:00:00:00:01"), ("hostname", "web1"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "flag", "expected"),
    [
        ({"sys_vendor": "QEMU"}, True, "kvm"),
        ({"sys_vendor": "VMware, Inc."}, True, "vmware"),
        ({"sys_vendor": "Microsoft Corporation", "product_name": "Virtual Machine"}, True, "hyperv"),
        ({"sys_vendor": "Amazon EC2"}, True, "kvm"),
        ({"sys_vendor": "Dell Inc.", "product_name": "PowerEdge R750"}, False, "none"),
        ({}, True, "vm"),
    ],
)
def test_it_tells_what_a_machine_runs_on(values: dict[str, str], flag: bool, expected: str, tmp_path: Path) -> None:
    assert machine_files.virtualization(tmp_path, values, flag) == expected


def test_it_reads_the_system_s_release(tmp_path: Path) -> None:
    text = 'NAME="openEuler"\n# comment\nID="openEuler"\nVERSION_ID="24.03"\n'
    release = machine_files.os_release(tree(tmp_path, **{"etc__os-release": text}))
    assert release == {"NAME": "openEuler", "ID": "openEuler", "VERSION_ID": "24.03"}


@pytest.mark.parametrize(("text", "expected"), [("A" * 32, "a" * 32), ("uninitialized", ""), ("", "")])
def test_it_reads_the_machine_id(tmp_path: Path, text: str, expected: str) -> None:
    assert machine_files.machine_id(tree(tmp_path, **{"etc__machine-id": text + "\n"})) == expected


def test_the_time_zone_is_the_link_s_or_the_file_s(tmp_path: Path) -> None:
    assert machine_files.time_zone(tree(tmp_path, etc__timezone="Asia/Shanghai\n")) == "Asia/Shanghai"
    (tmp_path / "etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Berlin")
    assert machine_files.time_zone(tmp_path) == "Europe/Berlin"


def test_disks_are_told_and_loops_and_partitions_are_not(tmp_path: Path) -> None:
    files = {"vda__size": "2048\n", "vda__queue__rotational": "0\n", "loop0__size": "8\n", "dm-0__size": "8\n"}
    tree(tmp_path, **{f"sys__block__{name}": text for name, text in files.items()})
    assert machine_files.disks(tmp_path) == [{"name": "vda", "size_bytes": 1048576, "rotational": False}]


def test_the_primary_address_is_the_default_route_s(tmp_path: Path) -> None:
    routes = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\n"
    routes += (
        "eth1\t00000000\t0101A8C0\t0003\t0\t0\t200\t00000000\neth0\t00000000\t0100000A\t0003\t0\t0\t100\t00000000\n"
    )
    names = machine_files.default_interfaces(tree(tmp_path, proc__net__route=routes))
    assert names == ["eth0", "eth1"]
    interfaces = [
        {"name": "eth1", "addresses": ["192.168.1.5/24"]},
        {"name": "eth0", "addresses": ["fd00::5/64", "10.0.0.5/24"]},
    ]
    assert this_machine.primary_ip(interfaces, names) == "10.0.0.5"
    assert this_machine.primary_ip([{"name": "lo", "addresses": ["127.0.0.1/8"]}], []) == ""


def test_packages_are_counted_by_manager(tmp_path: Path) -> None:
    status = "Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: deinstall ok config-files\n"
    assert machine_files.package_counts(tree(tmp_path, var__lib__dpkg__status=status)) == {"dpkg": 1}


def test_an_empty_tree_is_no_error(tmp_path: Path) -> None:
    assert machine_files.dmi(tmp_path) == {}
    assert machine_files.cpu(tmp_path) == {"model": "", "hypervisor": False, "sockets": None}
    assert machine_files.container(tmp_path) == ""
    assert machine_files.ephemeral_ports_from(tmp_path) == 32768


@pytest.mark.parametrize(
    ("name", "command", "expected"),
    [
        ("sshd", ["/usr/sbin/sshd", "-D"], "sshd"),
        ("python3.11", ["/usr/bin/python3.11", "-u", "-m", "celery", "worker"], "celery"),
        ("python", ["python", "/srv/app/manage.py", "runserver"], "manage.py"),
        ("java", ["java", "-Xmx1g", "-jar", "/srv/app.jar"], "app.jar"),
        ("node", ["node", "--inspect", "/srv/server.js"], "server.js"),
        ("python3", ["python3", "-c", "import http.server"], "python3"),
        ("python3", ["python3"], "python3"),
        ("python3", [], "python3"),
    ],
)
def test_an_interpreter_is_named_by_its_program(name: str, command: list[str], expected: str) -> None:
    assert machine_state.program_of(name, command) == expected
