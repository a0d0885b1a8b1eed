"""The forms that other programs rely on, against a whole running instance, with the real commands."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openpyxl
import pytest
import yaml
from tests.lab.instances import QUARTERDECK, Instance, running_instance
from tests.lab.parts import wait_until

pytestmark = pytest.mark.slow
CSV = "name,env,cpu_count,label.role\n{0}-1,contract,4,web\n{0}-2,contract,8,web\n{0}-3,contract,many,web\n"


@pytest.fixture(scope="module")
def http(instance: Instance) -> Any:
    headers = {"Authorization": f"Bearer {instance.token}"}
    with httpx.Client(base_url=f"{instance.url}/api/v1", headers=headers, timeout=60) as client:
        yield client


def import_csv(instance: Instance, folder: Path, prefix: str, *options: str) -> Any:
    file = folder / "hosts.csv"
    file.write_text(CSV.format(prefix))
    return instance.qd(
        "items", "import", str(file), "--type", "host", "--key", "name", *options, "-o", "json", check=False
    )


def test_token_create_prints_the_token_alone(instance: Instance) -> None:
    done = instance.run("token", "create", "--data", str(instance.data), "--name", "ci", "--role", "admin")
    assert done.stdout == done.stdout.split()[0] + "\n"
    assert instance.get("/api/v1/items?limit=1", token=done.stdout.strip())[0] == 200


def test_credentials_are_kept_by_a_file_or_stdin_and_never_shown(instance: Instance, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    words = ("--name", "contract", "--user", "ops", "--key-file", str(tmp_path / "key"), "-q", "type:host env:contract")
    made = json.loads(instance.qd("credentials", "create", *words, "-o", "json").stdout)
    assert (made["kind"], made["username"], made["attachments"][0]["query"]) == ("ssh_key", "ops", words[-1])
    become = ("credentials", "create", "--name", "sudo", "--password-stdin", "--become", "sudo")
    environment = {**instance.environment, "QD_URL": instance.url, "QD_TOKEN": instance.token}
    subprocess.run([*QUARTERDECK, *become], env=environment, input="p w \n", text=True, check=True, capture_output=True)
    shown = instance.qd("credentials", "list", "-o", "json").stdout
    assert {row["kind"] for row in json.loads(shown)} == {"ssh_key", "become_password"}
    assert "p w" not in shown
    assert (tmp_path / "key").read_text().split("\n")[1] not in shown
    wrong = instance.qd("credentials", "create", "--name", "x", "--key-file", str(tmp_path / "key.pub"), check=False)
    assert (wrong.returncode, "public key" in wrong.stderr) == (65, True)
    for name in ("contract", "sudo"):
        instance.qd("credentials", "delete", name)


def test_host_keys_are_imported_listed_and_decided_on(instance: Instance, tmp_path: Path) -> None:
    for name in ("one", "two"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / name], check=True)
    lines = [f"{name}.contract {(tmp_path / f'{name}.pub').read_text()}" for name in ("one", "two")]
    (tmp_path / "known_hosts").write_text("".join([*lines, "*.contract ssh-ed25519 AAAA\n"]))
    done = json.loads(instance.qd("hosts", "keys", "import", str(tmp_path / "known_hosts"), "-o", "json").stdout)
    assert (done["approved"], len(done["skipped"])) == (2, 1)
    query = ("-q", "address:*.contract")
    rows = json.loads(instance.qd("hosts", "keys", "list", *query, "-o", "json").stdout)
    assert [(row["address"], row["state"]) for row in rows] == [
        ("one.contract", "approved"),
        ("two.contract", "approved"),
    ]
    instance.qd("hosts", "keys", "refuse", rows[0]["fingerprint"])
    assert "nobody" not in instance.qd("hosts", "keys", "approve", *query).stdout
    states = json.loads(instance.qd("hosts", "keys", "list", *query, "-o", "json").stdout)
    assert [row["state"] for row in states] == ["refused", "approved"]
    assert instance.qd("hosts", "keys", "approve", "nosuch", check=False).returncode == 65
    instance.qd("hosts", "keys", "forget", *query, "--yes")
    assert json.loads(instance.qd("hosts", "keys", "list", *query, "-o", "json").stdout) == []


def test_facts_are_asked_for_and_the_exit_code_says_that_some_did_not_answer(instance: Instance) -> None:
    instance.qd("hosts", "add", "silent.contract", "--address-pattern", "127.0.0.1", "--port", "1")
    done = instance.qd("hosts", "facts", "-q", "name:silent.contract", "-o", "json", check=False)
    [row] = json.loads(done.stdout)
    assert (done.returncode, row["status"], row["code"]) == (3, "failed", "unreachable")


def test_many_hosts_are_added_by_a_pattern_with_what_signs_in_on_them(instance: Instance, tmp_path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", tmp_path / "key"], check=True)
    instance.qd("credentials", "create", "--name", "added", "--key-file", str(tmp_path / "key"))
    words = ("--user", "ops", "--port", "2222", "--credential", "added", "--address-pattern", "10.9.0.[7:9]")
    for expected in ({"create": 3, "update": 0}, {"create": 0, "update": 0}):
        done = instance.qd("hosts", "add", "added[01:03].example", *words, "--set", "env=added", "-o", "json")
        assert {name: json.loads(done.stdout)[name] for name in expected} == expected
    rows = json.loads(instance.qd("items", "list", "-q", "env:added", "-o", "json").stdout)
    assert [(row["name"], row["primary_ip"]) for row in rows] == [
        (f"added0{number}.example", f"10.9.0.{number + 6}") for number in (1, 2, 3)
    ]
    assert json.loads(instance.qd("credentials", "resolve", rows[0]["name"], "-o", "json").stdout)["sign_in"] == "added"
    for words, port in ((("--user", "ops"), 2222), (("--port", "22"), 22)):
        instance.qd("hosts", "add", "added01.example", *words)
        found = instance.qd("items", "list", "-q", f"name:added01.example ssh_port:{port}", "-o", "json").stdout
        assert len(json.loads(found)) == 1, port
    few = instance.qd("hosts", "add", "x[1:3]", "--address-pattern", "10.9.0.[1:2]", check=False)
    assert (few.returncode, "3 names and 2 addresses" in few.stderr) == (65, True)
    instance.qd("credentials", "delete", "added")


def test_import_says_what_it_would_do_and_then_does_it(instance: Instance, tmp_path: Path) -> None:
    tried = import_csv(instance, tmp_path, "imported", "--dry-run")
    result = json.loads(tried.stdout)
    assert tried.returncode == 0, tried.stderr
    assert (result["create"], result["update"], result["unchanged"]) == (2, 0, 0)
    assert [set(error) for error in result["errors"]] == [{"row", "field", "message"}]
    assert result["errors"][0]["field"] == "cpu_count"
    assert json.loads(instance.qd("items", "list", "-q", "name:imported-*", "-o", "json").stdout) == []

    done = import_csv(instance, tmp_path, "imported")
    assert (done.returncode, json.loads(done.stdout)) == (65, result)
    assert "1 rows were refused" in done.stderr
    again = json.loads(import_csv(instance, tmp_path, "imported").stdout)
    assert (again["create"], again["unchanged"]) == (0, 2)


def test_a_bulk_change_and_an_import_are_taken_back(instance: Instance, tmp_path: Path) -> None:
    def undo(told: str, *options: str) -> Any:
        return instance.qd("changes", "undo", told.split("qd changes undo ")[1].split("`")[0], *options, check=False)

    def owners() -> list[str]:
        rows = json.loads(instance.qd("items", "list", "-q", "name:undone-*", "-o", "json").stdout)
        return [row["owner"] for row in rows]

    imported = import_csv(instance, tmp_path, "undone").stderr
    changed = instance.qd("items", "bulk", "-q", "name:undone-*", "owner=ops", "--reason", "CHG-1").stderr
    assert changed.startswith("2 changed; ")
    instance.qd("items", "set", "undone-1", "owner=ann")
    refused = undo(changed)
    assert (refused.returncode, "undone-1" in refused.stderr) == (65, True)
    assert "2 items" not in undo(changed, "--untouched-only").stderr
    assert owners() == ["ann", ""]
    assert undo(imported).returncode == 65
    assert undo(imported, "--untouched-only").returncode == 0
    assert owners() == ["ann"]
    listed = json.loads(instance.qd("changes", "list", "--limit", "1", "-o", "json").stdout)
    shown = json.loads(instance.qd("changes", "show", str(listed[0]["reverts"]), "-o", "json").stdout)
    assert (shown["reverted_by"], shown["source"]) == (listed[0]["id"], "import")


def test_list_prints_items(instance: Instance, tmp_path: Path) -> None:
    import_csv(instance, tmp_path, "listed")
    items = json.loads(instance.qd("items", "list", "-q", "type:host name:listed-*", "-o", "json").stdout)
    assert [(item["type"], item["name"], item["attributes"]["cpu_count"]) for item in items] == [
        ("host", "listed-1", 4),
        ("host", "listed-2", 8),
    ]
    assert {"id", "type", "name", "state", "attributes"} <= set(items[0])
    assert yaml.safe_load(instance.qd("items", "list", "-q", "name:listed-*", "-o", "yaml").stdout) == items
    table = instance.qd("items", "list", "-q", "name:listed-*").stdout
    assert table.splitlines()[0].split()[:4] == ["ID", "TYPE", "NAME", "STATE"]
    columns = instance.qd("items", "list", "-q", "name:listed-*", "-o", "csv", "--columns", "name,labels.role").stdout
    assert columns == "name,labels.role\nlisted-1,web\nlisted-2,web\n"


def test_the_api_answers_pages(instance: Instance, http: httpx.Client) -> None:
    def answer() -> dict[str, Any]:
        body: dict[str, Any] = http.get("/items", params={"q": "type:host", "limit": 50}).json()
        return body

    assert set(answer()) == {"items", "next"}
    wait_until(
        lambda: instance.qd("items", "list", "-q", "type:host", "-o", "json").stdout.strip() != "[]", "this host"
    )
    assert answer()["items"]


@pytest.mark.parametrize("format_", ["csv", "xlsx", "json", "yaml", "ansible"])
def test_export_writes_every_format(instance: Instance, tmp_path: Path, format_: str) -> None:
    import_csv(instance, tmp_path, f"exported-{format_}")
    target = tmp_path / f"out.{format_}"
    query = f"type:host name:exported-{format_}-*"
    instance.qd("items", "export", "-q", query, "--format", format_, "--to", str(target))
    assert f"exported-{format_}-1" in names_in(target, format_)
    assert not list(tmp_path.glob(".*.part"))
    if format_ in ("csv", "json", "yaml"):
        again = instance.qd("items", "import", str(target), "--type", "host", "--key", "name", "-o", "json")
        assert json.loads(again.stdout) == {"create": 0, "update": 0, "unchanged": 2, "errors": []}


def names_in(path: Path, format_: str) -> str:
    if format_ == "xlsx":
        book = openpyxl.load_workbook(path, read_only=True)
        return " ".join(str(cell) for row in book.active.iter_rows(values_only=True) for cell in row)  # type: ignore[union-attr]
    text = path.read_text()
    if format_ == "csv":
        assert len(list(csv.DictReader(io.StringIO(text)))) == 2
    return text


def test_set_show_history_and_delete(instance: Instance) -> None:
    made = json.loads(
        instance.qd("items", "create", "--type", "host", "--name", "edited", "env=prod", "-o", "json").stdout
    )
    instance.qd("items", "set", "edited", "cpu_count=8", "label.role=web", "--reason", "CHG-7")
    item = json.loads(instance.qd("items", "show", "host/edited", "-o", "json").stdout)
    assert (item["id"], item["attributes"], item["labels"]) == (made["id"], {"cpu_count": 8}, {"role": "web"})
    history = json.loads(instance.qd("items", "history", "edited", "-o", "json").stdout)
    assert {"cpu_count", "label.role"} <= {change["field"] for change in history}
    stale = instance.qd("items", "set", "edited", "env=x", "--if-version", str(made["version"]), check=False)
    assert (stale.returncode, "error:" in stale.stderr) == (75, True)
    instance.qd("items", "delete", "edited")
    assert instance.qd("items", "show", "host/edited", check=False).returncode == 66


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("items", "list", "-q", "nmae:web"), 65, "name"),
        (("items", "list", "-q", '"unbalanced'), 65, "error:"),
        (("items", "show", "999999999"), 66, "error:"),
        (("items", "set", "this-does-not-exist", "a=b"), 66, "no item is named"),
        (("items", "import", "/nonexistent.csv"), 66, "does not exist"),
        (("items", "export", "--format", "cvs"), 65, "csv"),
        (("types", "show", "hots"), 66, "host"),
        (("token", "create", "--name", "x"), 65, "no role"),
    ],
)
def test_errors_are_sentences_with_exit_codes(
    instance: Instance, words: tuple[str, ...], code: int, sentence: str
) -> None:
    done = instance.qd(*words, check=False)
    assert done.returncode == code, done.stderr
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_wrong_token_is_told(instance: Instance) -> None:
    done = instance.run("items", "list", check=False, QD_URL=instance.url, QD_TOKEN="qd_wrong")
    assert done.returncode == 77
    assert "hint:" in done.stderr


def test_types_views_search_and_charts_answer(instance: Instance) -> None:
    types = json.loads(instance.qd("types", "list", "-o", "json").stdout)
    assert "host" in {one["code"] for one in types}
    exported = instance.qd("types", "export").stdout
    assert yaml.safe_load(exported)
    instance.qd("views", "save", "contract", "-q", "type:host", "--columns", "name,state")
    assert instance.qd("views", "show", "contract").stdout.split()[:2] == ["NAME", "STATE"]
    instance.qd("views", "delete", "contract")
    this = json.loads(instance.qd("items", "list", "-q", "type:host", "-o", "json", "--sort", "id").stdout)[0]
    assert this["name"] in instance.qd("search", this["name"]).stdout
    metrics = json.loads(instance.qd("chart", str(this["id"]), "-o", "json").stdout)
    if metrics:
        name = metrics[0]["metric"]
        drawn = json.loads(instance.qd("chart", str(this["id"]), name, "--since", "10m", "-o", "json").stdout)
        assert drawn["metric"] == name


def test_dashboards_go_out_as_files_and_come_back(instance: Instance, tmp_path: Path) -> None:
    file = tmp_path / "Load of hosts.yaml"
    panel = {"id": 1, "title": "Load", "queries": [{"expr": 'system_cpu_load_average_1m{host=~"$host"}'}]}
    host = {"name": "host", "kind": "items", "query": "type:host", "multi": True}
    definition = {"title": "Load", "variables": [host], "panels": [panel]}
    file.write_text(yaml.safe_dump(definition))
    rows = json.loads(instance.qd("dashboards", "import", str(file), "--dry-run", "-o", "json").stdout)
    assert [(row["slug"], row["result"], row["version"]) for row in rows] == [("load-of-hosts", "made", 1)]
    assert "load-of-hosts" not in instance.qd("dashboards", "list").stdout
    instance.qd("dashboards", "import", str(tmp_path), "--note", "by file")
    exported = yaml.safe_load(instance.qd("dashboards", "export", "load-of-hosts").stdout)
    assert exported == {"slug": "load-of-hosts", **definition}
    instance.qd("dashboards", "export", "--to", str(tmp_path / "out"))
    again = instance.qd("dashboards", "import", str(tmp_path / "out" / "load-of-hosts.yaml"), "-o", "json").stdout
    assert json.loads(again)[0]["result"] == "unchanged"
    (tmp_path / "out" / "load-of-hosts.yaml").write_text(yaml.safe_dump({**exported, "title": "Worse"}))
    instance.qd("dashboards", "import", str(tmp_path / "out"))
    assert "by file" in instance.qd("dashboards", "versions", "load-of-hosts").stdout
    assert "Load" in instance.qd("dashboards", "restore", "load-of-hosts", "1").stdout
    assert "system_cpu_load_average_1m" in instance.qd("dashboards", "show", "load-of-hosts").stdout
    file.write_text("title: [")
    assert instance.qd("dashboards", "import", str(file), check=False).returncode == 65
    instance.qd("dashboards", "delete", "load-of-hosts")
    assert instance.qd("dashboards", "show", "load-of-hosts", check=False).returncode == 66


def test_token_list_and_revoke(instance: Instance) -> None:
    plain = instance.qd("token", "create", "--name", "short", "--role", "viewer").stdout.strip()
    [row] = [one for one in json.loads(instance.qd("token", "list", "-o", "json").stdout) if one["name"] == "short"]
    assert plain not in json.dumps(row)
    instance.qd("token", "revoke", str(row["id"]))
    assert instance.get("/api/v1/me", token=plain)[0] == 401
    local = json.loads(instance.run("token", "list", "--data", str(instance.data), "-o", "json").stdout)
    assert row["id"] in {one["id"] for one in local}


def test_a_new_tokens_text_is_kept_nowhere(instance: Instance) -> None:
    plain = instance.qd("token", "create", "--name", "secret", "--role", "viewer").stdout.strip()
    for path in instance.data.glob("records.sqlite3*"):
        assert plain.encode() not in path.read_bytes(), path


@pytest.fixture
def on_sqlite(instance: Instance) -> Iterator[Instance]:
    """An instance whose records are a file that a test can copy and edit behind the product's back."""
    if not instance.environment.get("QD_DATABASE_URL"):
        yield instance
        return
    with running_instance({"QD_DATABASE_URL": ""}) as own:
        yield own


def test_audit_verify_tells_a_whole_log_and_the_first_bad_record(on_sqlite: Instance, tmp_path: Path) -> None:
    instance = on_sqlite
    whole = instance.run("audit", "verify", "--data", str(instance.data), "-o", "json")
    assert json.loads(whole.stdout)["ok"] is True
    assert instance.qd("audit", "verify").returncode == 0
    events = json.loads(instance.qd("audit", "list", "-q", "verb:access.create_token", "-o", "json").stdout)
    assert events
    assert events[0]["request_id"]
    exported = instance.qd("audit", "export", "--format", "jsonl").stdout.splitlines()
    assert json.loads(exported[0])["seq"] == 1

    copy = copied(instance.data, tmp_path / "copy")
    with sqlite3.connect(copy / "records.sqlite3") as records:
        for (name,) in records.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger' AND tbl_name='audit_auditevent'"
        ):
            records.execute(f"DROP TRIGGER {name}")
        records.execute("UPDATE audit_auditevent SET actor_name = 'somebody' WHERE seq = 3")
    records.close()
    edited = instance.run("audit", "verify", "--data", str(copy), "-o", "json", check=False, QD_DATA=str(copy))
    assert edited.returncode == 1
    assert json.loads(edited.stdout)["first_bad_seq"] == 3


def copied(data: Path, target: Path) -> Path:
    """Copy what the audit log lives in, with the database as one moment saw it."""
    for part in ("secrets", "audit"):
        shutil.copytree(data / part, target / part)
    with sqlite3.connect(data / "records.sqlite3") as source, sqlite3.connect(target / "records.sqlite3") as records:
        source.backup(records)
    source.close()
    records.close()
    return target


def test_two_clients_that_edit_one_item_at_once_cannot_both_win(http: httpx.Client) -> None:
    made = http.post("/items", json={"type": "host", "name": "raced"}).json()
    answers: list[int] = []

    def edit(value: str) -> None:
        headers = {"If-Match": f'"{made["version"]}"'}
        answers.append(http.patch(f"/items/{made['id']}", json={"env": value}, headers=headers).status_code)

    run_together(edit, [f"env{index}" for index in range(8)])
    assert sorted(answers) == [200] + [412] * 7


def test_one_key_sent_many_times_at_once_creates_one_item(http: httpx.Client) -> None:
    ids: list[int] = []

    def create(name: str) -> None:
        answer = http.post("/items", json={"type": "host", "name": name}, headers={"Idempotency-Key": "at-once"})
        ids.append(answer.json()["id"])

    run_together(create, ["doubled"] * 8)
    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert len(http.get("/items", params={"q": "name:doubled"}).json()["items"]) == 1


def run_together(call: Any, arguments: list[str]) -> None:
    start = threading.Barrier(len(arguments))

    def go(argument: str) -> None:
        start.wait()
        call(argument)

    threads = [threading.Thread(target=go, args=(argument,)) for argument in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_body_of_unknown_length_is_refused(instance: Instance) -> None:
    def endless() -> Any:
        yield b'{"type": "host", '
        yield b'"name": "x"}'

    headers = {"Authorization": f"Bearer {instance.token}", "Content-Type": "application/json"}
    response = httpx.post(f"{instance.url}/api/v1/items", content=endless(), headers=headers)
    assert response.status_code == 411
    assert response.headers["Content-Type"] == "application/problem+json"


def test_a_body_over_the_limit_is_refused(instance: Instance) -> None:
    headers = {"Authorization": f"Bearer {instance.token}", "Content-Type": "application/json"}
    response = httpx.post(f"{instance.url}/api/v1/items", content=b" " * ((16 << 20) + 1), headers=headers)
    assert response.status_code == 413
    assert response.json()["code"] == "too_large"


def test_a_host_that_is_not_ours_is_refused_with_a_problem(instance: Instance) -> None:
    request = urllib.request.Request(f"{instance.url}/api/v1/items", headers={"Host": "evil.example"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=10)
    assert caught.value.code == 400
    assert caught.value.headers["Content-Type"] == "application/problem+json"
    caught.value.close()
