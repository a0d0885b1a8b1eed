"""Broken and hostile files of every format end in a sentence, or in rows that are told, never in a traceback."""

from __future__ import annotations

import io
import random
import zipfile
from contextlib import suppress
from pathlib import Path

import openpyxl
import pytest

from quarterdeck.core.errors import BadInput
from quarterdeck.inventory.exchange.detect import detect, formats
from quarterdeck.inventory.exchange.formats.csv import guard, unguard
from quarterdeck.inventory.exchange.records import BadRow, Record

SUFFIX = {"ansible": ".yml", "ansible_dir": ".zip", "ansible_ini": ".ini", "etc_hosts": "", "ssh_config": ""}
ALL = sorted(formats())


def rows(name: str, path: Path) -> list[Record | BadRow]:
    return list(formats()[name].read(path))


def write(tmp_path: Path, name: str, content: bytes | str) -> Path:
    suffix = SUFFIX.get(name, formats()[name].suffixes[0] if formats()[name].suffixes else "")
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("name", ALL)
def test_it_refuses_binary_junk(name: str, tmp_path: Path) -> None:
    junk = random.Random(7).randbytes(200_000)
    with pytest.raises(BadInput):
        rows(name, write(tmp_path, name, junk))


@pytest.mark.parametrize("name", ALL)
def test_it_refuses_an_empty_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="empty"):
        rows(name, write(tmp_path, name, b""))


@pytest.mark.parametrize("name", ALL)
def test_it_refuses_a_missing_file(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="not a file"):
        rows(name, tmp_path / "absent.csv")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("seed", range(12))
def test_it_survives_a_damaged_file(name: str, seed: int, tmp_path: Path) -> None:
    """A file of ours with some bytes changed and its end cut off: read, or refused, with words."""
    stream, chance = io.BytesIO(), random.Random(seed)
    fields = {"type": "host", "name": "web1", "primary_ip": "10.0.0.1", "notes": "a\nb", "label.role": "web"}
    formats()[name].write([Record(1, dict(fields)), Record(2, {**fields, "name": "web2"})], list(fields), stream)
    damaged = bytearray(stream.getvalue())
    for _ in range(5):
        damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    path = write(tmp_path, name, bytes(damaged[: chance.randrange(1, len(damaged))]))
    with suppress(BadInput):
        assert all(isinstance(row, Record | BadRow) for row in rows(name, path))


def test_it_reports_a_cell_of_ten_megabytes_and_reads_on(tmp_path: Path) -> None:
    path = write(tmp_path, "csv", "name,notes\nweb1," + "x" * 10_000_000 + "\nweb2,ok\n")
    bad, good = rows("csv", path)
    assert isinstance(bad, BadRow)
    assert (bad.row, "field larger" in bad.message) == (2, True)
    assert isinstance(good, Record)
    assert good.fields == {"name": "web2", "notes": "ok"}


def test_it_reports_rows_with_more_cells_than_columns(tmp_path: Path) -> None:
    found = rows("csv", write(tmp_path, "csv", "name,port\nweb1,22,extra\nweb2,22,\nweb3\n"))
    assert [type(row).__name__ for row in found] == ["BadRow", "Record", "Record"]


@pytest.mark.parametrize("header", ["name,name", "name,,port", ",,"])
def test_it_refuses_a_header_without_clear_names(header: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        rows("csv", write(tmp_path, "csv", f"{header}\na,b,c\n"))


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf-8", b""),
        ("utf-8", b"\xef\xbb\xbf"),
        ("utf-16", b""),
        ("utf-16-le", b""),
        ("utf-32", b""),
        ("gb18030", b""),
    ],
)
def test_it_reads_the_encodings_that_spreadsheets_write(encoding: str, mark: bytes, tmp_path: Path) -> None:
    path = write(tmp_path, "csv", mark + "name,notes\nweb1,北京机房一号服务器\n".encode(encoding))
    (row,) = rows("csv", path)
    assert isinstance(row, Record)
    assert row.fields == {"name": "web1", "notes": "北京机房一号服务器"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_it_finds_the_separator_out(delimiter: str, tmp_path: Path) -> None:
    path = write(tmp_path, "csv", f"name{delimiter}port\nweb1{delimiter}22\n")
    assert [row.fields for row in rows("csv", path) if isinstance(row, Record)] == [{"name": "web1", "port": "22"}]


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "'=1", "''", ""])
def test_a_formula_is_quoted_and_comes_back(text: str) -> None:
    assert guard(text).startswith("'")
    assert unguard(guard(text)) == text


def workbook(tmp_path: Path, cells: list[list[object]]) -> Path:
    book = openpyxl.Workbook()
    for row in cells:
        book.active.append(row)  # type: ignore[union-attr]
    book.save(tmp_path / "file.xlsx")
    return tmp_path / "file.xlsx"


def test_it_reports_a_formula_that_was_never_calculated(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["name", "cpu_count"], ["web1", "=1+1"], ["web2", 4]])
    bad, good = rows("xlsx", path)
    assert isinstance(bad, BadRow)
    assert (bad.row, bad.field) == (2, "cpu_count")
    assert isinstance(good, Record)
    assert good.fields == {"name": "web2", "cpu_count": 4}


def test_it_takes_the_value_that_a_formula_last_had(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["name", "cpu_count"], ["web1", "=1+1"]])
    _edit(path, "xl/worksheets/sheet1.xml", b"<v></v>", b"<v>2</v>", b"<v />", b"<v>2</v>", b"<v/>", b"<v>2</v>")
    (row,) = rows("xlsx", path)
    assert isinstance(row, Record)
    assert row.fields == {"name": "web1", "cpu_count": 2}


def test_it_reports_cells_that_show_an_error(tmp_path: Path) -> None:
    bad, _good = rows("xlsx", workbook(tmp_path, [["name", "a"], ["web1", "#REF!"], ["web2", "x"]]))
    assert isinstance(bad, BadRow)
    assert "#REF!" in bad.message


def test_it_refuses_a_workbook_that_links_to_others(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["name"], ["web1"]])
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("xl/externalLinks/externalLink1.xml", "<externalLink/>")
    with pytest.raises(BadInput, match="other workbooks"):
        rows("xlsx", path)


def test_it_refuses_entities_in_a_workbook(tmp_path: Path) -> None:
    path = workbook(tmp_path, [["name"], ["web1"]])
    bomb = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">]>'
    _edit(path, "xl/worksheets/sheet1.xml", b"<worksheet", bomb + b"<worksheet")
    with pytest.raises(BadInput, match="not a readable workbook"):
        rows("xlsx", path)


@pytest.mark.parametrize("name", ["xlsx", "ansible_dir"])
def test_it_refuses_a_zip_bomb_before_unpacking_it(name: str, tmp_path: Path) -> None:
    path = write(tmp_path, name, b"x")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (64 << 20))
    with pytest.raises(BadInput, match="unpacks to"):
        rows(name, path)


def test_it_refuses_paths_that_leave_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "file.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../escaped.yml", "all:\n")
    with pytest.raises(BadInput, match="unsafe path"):
        rows("ansible_dir", path)
    assert not (tmp_path.parent.parent / "escaped.yml").exists()


def _edit(path: Path, member: str, *pairs: bytes) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for old, new in zip(pairs[::2], pairs[1::2], strict=True):
        parts[member] = parts[member].replace(old, new)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("json", '[{"name": "a", "name": "b"}]', "stands twice"),
        ("json", '[{"name": NaN}]', "no JSON number"),
        ("json", '[{"name": "a"', "line 1"),
        ("json", "[" * 100_000, "can be read"),
        ("json", '"text"', "no list"),
        ("yaml", "- name: a\n  name: b\n", "stands twice"),
        ("yaml", "- &a [*a]\n", "contains itself"),
        ("yaml", "- !!python/object/apply:os.system ['true']\n", "could not determine"),
        ("yaml", "- {name: a\n", "line"),
        ("ansible", "a: {children: {b: {children: {a: }}}}\n", "contain each other"),
        ("ansible", "all:\n  hosts: [a, b]\n", "must be a map"),
        ("ansible", "- a\n", "no Ansible inventory"),
        ("ansible_ini", "[a:children]\nb\n[b:children]\na\n", "contain each other"),
    ],
)  # fmt: skip
def test_it_says_what_is_wrong_with_a_document(name: str, text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        rows(name, write(tmp_path, name, text))


def test_it_refuses_aliases_that_expand_without_end(tmp_path: Path) -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(BadInput, match="contains itself"):
        rows("yaml", write(tmp_path, "yaml", "\n".join(lines)))


def test_it_reports_bad_lines_of_an_inventory_and_takes_the_others(tmp_path: Path) -> None:
    text = "web1 ansible_port\nweb[3:1]\nweb2 ansible_host=10.0.0.2\n[web:vars]\nnovalue\n"
    found = rows("ansible_ini", write(tmp_path, "ansible_ini", text))
    assert [row.row for row in found if isinstance(row, BadRow)] == [1, 2, 5]
    assert [row.fields["name"] for row in found if isinstance(row, Record)] == ["web2"]


def test_it_keeps_secrets_of_an_inventory_out(tmp_path: Path) -> None:
    text = "web1 ansible_password=geheim db_password=x ansible_host=10.0.0.1\n"
    found = rows("ansible_ini", write(tmp_path, "ansible_ini", text))
    assert {row.field for row in found if isinstance(row, BadRow)} == {"ansible_password", "db_password"}
    assert [row.fields for row in found if isinstance(row, Record)] == [
        {"type": "host", "name": "web1", "primary_ip": "10.0.0.1"}
    ]


def test_it_does_not_follow_includes_out_of_the_directory(tmp_path: Path) -> None:
    inside = tmp_path / "mine"
    inside.mkdir()
    (tmp_path / "outside").write_text("Host stolen\n")
    (inside / "link").symlink_to(tmp_path / "outside")
    (inside / "config").write_text("Include /etc/passwd ../outside link self\nHost web1\n  Port 70000\nHost web2\n")
    (inside / "self").write_text("Include self\n")
    found = rows("ssh_config", inside / "config")
    assert [row.fields["name"] for row in found if isinstance(row, Record)] == ["web2"]
    problems = " ".join(row.message for row in found if isinstance(row, BadRow))
    assert problems.count("is outside of") == 3
    assert "include each other" in problems
    assert "not a number" in problems


def test_it_names_the_formats_when_a_file_could_be_any(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("hello\n")
    with pytest.raises(BadInput) as caught:
        detect(tmp_path / "notes")
    assert "csv" in caught.value.hint
