"""Every format gives back what was written to it, whatever people put into their fields."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quarterdeck.inventory.exchange.detect import detect, formats
from quarterdeck.inventory.exchange.records import BadRow, Record

# What readers take for something else: formulas, quotes, other types, escapes, line ends, YAML's signs.
AWKWARD = r"""
=1+1 +1 -1 @x ' '' '= "q" null no 1:30 007 1e3 2024-01-01 #N/A True None [1] 0x1F ~ << !vault *a &a _x000D_ _x0041_
a\nb a\r\nb \r \x85 \u2028 \ufeff \x1f \t
"""
TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.sampled_from([text.encode().decode("unicode_escape") for text in AWKWARD.split()]),
    st.sampled_from(["中文", "💡", " lead", "trail ", "{{ x }}", "- a", "a,b;c\td", "\n\n x\n"]),
)
JSONS = st.recursive(
    st.one_of(st.booleans(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3)),
    max_leaves=6,
)
NAMES = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True)


def through(name: str, records: list[Record], tmp: Path) -> list[Record | BadRow]:
    plugin = formats()[name]
    columns = list(dict.fromkeys(key for record in records for key in record.fields))
    stream = io.BytesIO()
    plugin.write(records, columns, stream)
    path = tmp / f"file{plugin.suffixes[0] if plugin.suffixes else '.yml'}"
    path.write_bytes(stream.getvalue())
    return list(plugin.read(path))


def fields(records: list[Record | BadRow]) -> list[dict[str, Any]]:
    assert [r for r in records if isinstance(r, BadRow)] == []
    return [record.fields for record in records if isinstance(record, Record)]


@pytest.mark.parametrize("name", ["csv", "xlsx"])
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries({"name": NAMES}, optional={"motd": TEXTS, "label.role": TEXTS}), min_size=1, max_size=4
    )
)
def test_it_gives_back_every_text_of_a_flat_file(name: str, rows: list[dict[str, str]]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        back = through(name, [Record(row, dict(one)) for row, one in enumerate(rows, 2)], Path(tmp))
    assert fields(back) == rows


@pytest.mark.parametrize("name", ["json", "yaml"])
@settings(max_examples=80, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"type": st.just("host"), "name": TEXTS},
            optional={"label.role": TEXTS, "relation.runs_on": st.lists(TEXTS, max_size=2), "notes": JSONS},
        ),
        max_size=4,
    )
)
def test_it_gives_back_every_value_of_a_nested_file(name: str, rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        back = through(name, [Record(row, dict(one)) for row, one in enumerate(rows, 1)], Path(tmp))
    assert fields(back) == rows


@pytest.mark.parametrize("name", ["ansible", "ansible_ini", "ansible_dir"])
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"id": st.integers(1, 10**9), "type": st.just("host"), "name": TEXTS.filter(bool)},
            optional={
                "env": st.text(min_size=1, max_size=8),
                "label.role": TEXTS,
                "relation.runs_on": st.lists(TEXTS, max_size=2),
                "primary_ip": st.ip_addresses().map(str),
                "ssh_port": st.integers(1, 65535),
                "motd": TEXTS,
                "tags": JSONS,
                "ansible_groups": st.lists(NAMES, max_size=3),
            },
        ),
        max_size=3,
        unique_by=lambda row: row["id"],
    )
)
def test_it_gives_back_every_host_of_an_ansible_inventory(name: str, rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        back = through(name, [Record(row, dict(one)) for row, one in enumerate(rows, 1)], Path(tmp))
    assert sorted(fields(back), key=lambda row: row["id"]) == sorted(rows, key=lambda row: row["id"])


@pytest.mark.parametrize("name", ["ssh_config", "etc_hosts"])
@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(
        st.fixed_dictionaries(
            {"type": st.just("host"), "name": NAMES, "primary_ip": st.ip_addresses(network="10.0.0.0/8").map(str)}
        ),
        max_size=4,
        unique_by=lambda r: r["name"],
    )
)
def test_it_gives_back_the_hosts_of_a_system_file(name: str, rows: list[dict[str, Any]]) -> None:
    with tempfile.TemporaryDirectory() as tmp:
        plugin, stream = formats()[name], io.BytesIO()
        plugin.write([Record(1, dict(row)) for row in rows], [], stream)
        path = Path(tmp) / "file"
        path.write_bytes(stream.getvalue())
        assert fields(list(plugin.read(path))) == rows


@pytest.mark.parametrize(
    ("file_name", "content", "expected"),
    [
        ("a.csv", "name\nx\n", "csv"),
        ("a.xlsx", "PK", "xlsx"),
        ("a.json", "[]", "json"),
        ("a.yml", "- name: x\n", "yaml"),
        ("a.yml", "all:\n  hosts:\n    x:\n", "ansible"),
        ("a.yml", "web:\n    hosts:\n        x:\n", "ansible"),
        ("hosts", "# mine\n10.0.0.1 web1 w\n", "etc_hosts"),
        ("hosts", "fd00::1\tweb1\n", "etc_hosts"),
        ("hosts", "[web]\nweb1\n", "ansible"),
        ("hosts", "10.0.0.1 ansible_port=22\n", "ansible"),
        ("inventory", "web1\n", "ansible"),
        ("config", "Host web1\n  Port 22\n", "ssh_config"),
        ("x.ini", "[web]\nweb1\n", "ansible_ini"),
    ],
)
def test_it_tells_the_format_of_a_file(tmp_path: Path, file_name: str, content: str, expected: str) -> None:
    (tmp_path / file_name).write_text(content)
    assert detect(tmp_path / file_name) == expected
