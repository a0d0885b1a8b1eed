"""Files to hosts and from them, by a running instance and its command line; and the store that they are kept in."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import stat
import subprocess
import tarfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.jobs.hosts import HOSTS, hosts
from tests.lab.instances import QUARTERDECK, Instance
from tests.lab.ssh_hosts import OPS
from tests.people import actor, person

from quarterdeck.access.models import Role
from quarterdeck.audit.actor import SYSTEM, Actor
from quarterdeck.audit.models import AuditEvent
from quarterdeck.cli.client import Client
from quarterdeck.cli.fetching import fetch_all
from quarterdeck.core.clock import now
from quarterdeck.core.errors import BadInput, Conflict, Denied, NotFound
from quarterdeck.jobs.files import actions, archive, keeping, pulled, storing
from quarterdeck.jobs.files.models import FilePart, StoredFile
from quarterdeck.jobs.files.using import WorkFiles
from quarterdeck.jobs.runners import Circumstances, End, Host, pull, push
from quarterdeck.jobs.runners.transfers import Say, quarters, transferring
from quarterdeck.jobs.runs.models import HostStatus, Run
from quarterdeck.jobs.schedules.actions import save_schedule
from quarterdeck.jobs.schedules.models import Schedule
from quarterdeck.jobs.templates.models import Template
from quarterdeck.remote.target import Patience, Target

EVIL = "-rf 'x' \"$(touch qd-evil)\"\n汉.conf"
DIGEST = "a" * 64


def on_hosts(test: Any) -> Any:
    for mark in (pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("runs")):
        test = mark(test)
    return test


def pushed(**more: Any) -> dict[str, Any]:
    return {"files": [{"sha256": DIGEST, "name": "a"}], "path": "/etc/a", **more}


def test_a_file_goes_into_a_directory_by_its_name() -> None:
    read = push.read(pushed(path="/etc/", files=[{"sha256": DIGEST, "name": "d/a", "mode": "0755"}], mode="644"))
    assert [(file.path, file.mode) for file in read.files] == [("/etc/d/a", 0o755)]
    assert push.read(pushed(path="/", mode="0600")).files == (push.File(DIGEST, "a", "/a", 0o600),)
    both = push.read(pushed(files=[{"sha256": DIGEST, "name": name} for name in "ab"], path="conf"))
    assert [file.path for file in both.files] == ["conf/a", "conf/b"]
    assert push.shown(both) == "push a, b conf"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"files": []}, "files"),
        ({"files": ["a"]}, "files"),
        ({"files": [{"sha256": "A" * 64, "name": "a"}]}, "files"),
        ({"files": [{"sha256": DIGEST, "name": ""}]}, "files"),
        ({"files": [{"sha256": DIGEST, "name": "../a"}]}, "files"),
        ({"files": [{"sha256": DIGEST, "name": "/etc/passwd"}]}, "files"),
        ({"files": [{"sha256": DIGEST, "name": "a"}] * 2}, "files"),
        ({"files": [{"sha256": DIGEST, "name": str(n)} for n in range(1001)]}, "files"),
        ({"path": ""}, "path"),
        ({"path": "/a\0b"}, "path"),
        ({"mode": "rw"}, "mode"),
        ({"mode": "99"}, "mode"),
        ({"mode": 644}, "mode"),
        ({"owner": "root; id"}, "owner"),
        ({"is_template": "yes"}, "is_template"),
        ({"destination": "/etc"}, "work"),
    ],
)
def test_a_push_that_cannot_be_meant_is_told(more: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        push.read(pushed(**more))
    assert caught.value.field == field


def actor_named(role: str) -> Actor:
    return actor(person(role, Role.objects.get(name=role)))


@pytest.mark.parametrize(
    ("work", "field"),
    [
        ({}, "path"),
        ({"path": "/"}, "path"),
        ({"path": "/a/../b"}, "path"),
        ({"path": "/a", "max_mb": 0}, "max_mb"),
        ({"path": "/a", "max_files": True}, "max_files"),
        ({"path": "/a", "max_files": 1001}, "max_files"),
        ({"path": "/a", "to": "/b"}, "work"),
    ],
)
def test_a_pull_that_cannot_be_meant_is_told(work: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as caught:
        pull.read(work)
    assert caught.value.field == field


def test_names_of_hosts_are_one_name_each() -> None:
    assert [pulled.safe_name(name) for name in ("a b", "..", "", "a/b\\c\n\x1b", "汉")] == [
        "a b", "_..", "_", "a_b_c__", "汉",
    ]  # fmt: skip
    taken: set[str] = set()
    assert [pulled.unique(name, taken) for name in ("a", "b", "a", "a")] == ["a", "b", "a~2", "a~3"]


def test_an_archive_is_a_tar() -> None:
    long = f"{'d' * 150}/{'汉' * 60}"
    members = [
        archive.Member(name, len(data), now(), [data[:3], data[3:]])
        for name, data in (("web01/a", b"12345"), (long, b""), ("web02/b", bytes(512)))
    ]
    data = b"".join(archive.tar(members))
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as found:
        contents = {name: found.extractfile(name) for name in found.getnames()}
        assert {name: file.read() for name, file in contents.items() if file} == {
            "web01/a": b"12345",
            long: b"",
            "web02/b": bytes(512),
        }
    with pytest.raises(ValueError, match="not 3"):
        list(archive.tar([archive.Member("a", 3, now(), [b"12"])]))


@pytest.mark.parametrize("name", ["../out", "web01/../../out", "/out", "web01//out", "link/out"])
def test_no_archive_leads_out_of_the_directory(tmp_path: Path, name: str) -> None:
    class Sends:
        def download(self, _path: str, target: io.BytesIO) -> None:
            target.writelines(archive.tar([archive.Member(name, 1, now(), [b"x"])]))

    inside = tmp_path / "in"
    inside.mkdir()
    (inside / "link").symlink_to(tmp_path)
    with pytest.raises(BadInput):
        fetch_all(cast(Client, Sends()), 1, inside)
    assert not (tmp_path / "out").exists()


class OnePool:
    """A pool whose connection is nothing."""

    @asynccontextmanager
    async def lease(self, *_target: Any) -> AsyncIterator[None]:
        yield None


def transferred(transfer: Any, *, max_bytes: int = 100, seconds: float | None = None) -> list[Any]:
    around = Circumstances(cast(Any, OnePool()), cast(Any, None), Patience(run=seconds), max_bytes, cast(Any, None))

    async def story() -> list[Any]:
        return [
            part async for part in transferring(cast(Any, Host(1, "a", cast(Any, None), None, {})), around, transfer)
        ]

    return asyncio.run(story())


def test_a_transfer_is_told_bounded_and_has_its_time() -> None:
    async def talks(_connection: Any, say: Say) -> End:
        progress = quarters(say, "/x")
        for done in range(0, 33, 4):
            progress(done << 20, 32 << 20)
        say("a" * 200)
        return End(HostStatus.CHANGED, 0)

    *chunks, end = transferred(talks)
    assert b"".join(chunk.data for chunk in chunks).splitlines()[:2] == [b"/x: 25 % of 32 MB", b"/x: 50 % of 32 MB"]
    assert sum(len(chunk.data) for chunk in chunks) == 100
    assert (end.status, end.is_cut) == (HostStatus.CHANGED, True)

    cleared: list[str] = []

    async def hangs(_connection: Any, _say: Say) -> End:
        try:
            await asyncio.Event().wait()
        finally:
            cleared.append("yes")
        raise AssertionError

    (late,) = transferred(hangs, seconds=0.01)
    assert (late.status, late.error_code, cleared) == (HostStatus.FAILED, "timed_out", ["yes"])


def test_what_is_there_already_has_no_quarters() -> None:
    said: list[str] = []
    progress = quarters(lambda text, _stream=None: said.append(text), "/x")
    progress(32 << 20, 32 << 20)
    quarters(lambda text, _stream=None: said.append(text), "/x")(1, 2)
    assert said == []


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(storing, "PART_BYTES", 4)


@pytest.mark.django_db
@pytest.mark.usefixtures("small_parts")
def test_a_content_is_stored_once_and_read_as_it_was(tmp_path: Path) -> None:
    operator = actor_named("operator")
    first = actions.upload(operator, EVIL, io.BytesIO(b"0123456789"))
    again = actions.upload(operator, "b", io.BytesIO(b"0123456789"))
    assert (first.pk, first.size_bytes) == (again.pk, 10)
    assert first.sha256 == hashlib.sha256(b"0123456789").hexdigest()
    assert FilePart.objects.count() == 3
    storing.copy(first.sha256, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == b"0123456789"
    empty = actions.upload(operator, "empty", io.BytesIO())
    assert list(storing.blocks(empty)) == []
    told = AuditEvent.objects.filter(verb="jobs.file.upload")
    assert [event.object_name for event in told.order_by("pk")] == [EVIL, "b", "empty"]
    assert not any("0123456789" in f"{event.after_json}{event.detail}" for event in told)


@pytest.mark.django_db
def test_of_two_who_store_the_same_at_once_one_does(monkeypatch: pytest.MonkeyPatch) -> None:
    sha256 = hashlib.sha256(b"same").hexdigest()
    write = storing._write

    def overtaken(new: StoredFile, file: io.BytesIO) -> None:
        monkeypatch.setattr(storing, "_write", write)
        storing.put(io.BytesIO(b"same"), sha256, 4, by="first")
        write(new, file)

    monkeypatch.setattr(storing, "_write", overtaken)
    found = storing.put(io.BytesIO(b"same"), sha256, 4, by="second", is_uploaded=True)
    assert (found.created_by, found.is_uploaded, StoredFile.objects.count()) == ("first", True, 1)
    assert list(storing.blocks(found)) == [b"same"]


@pytest.mark.django_db
def test_what_is_not_whole_is_not_there(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    with pytest.raises(Conflict):
        storing.put(io.BytesIO(b"other"), DIGEST, 5, by="x")
    assert not StoredFile.objects.exists()
    operator = actor_named("operator")
    for name in ("upload_max_mb", "run_files_max_mb"):
        with monkeypatch.context() as patch:
            patch.setitem(settings.QD, name, 0)
            with pytest.raises(BadInput) as caught:
                actions.upload(operator, "a", io.BytesIO(b"x"))
        assert name in caught.value.hint


@pytest.mark.django_db
def test_only_who_may_run_uploads_and_pulled_contents_are_not_pushed() -> None:
    viewer, operator = actor_named("viewer"), actor_named("operator")
    with pytest.raises(Denied):
        actions.upload(viewer, "a", io.BytesIO(b"x"))
    pulled = storing.put(io.BytesIO(b"secret"), hashlib.sha256(b"secret").hexdigest(), 6, by="run")
    with pytest.raises(NotFound):
        actions.uploaded(operator, pulled.sha256)
    with pytest.raises(BadInput):
        actions.hold({pulled.sha256})
    actions.upload(operator, "a", io.BytesIO(b"secret"))
    assert actions.uploaded(operator, pulled.sha256).pk == pulled.pk
    actions.hold([pulled.sha256, pulled.sha256])


@pytest.mark.django_db
def test_files_go_when_nothing_needs_them() -> None:
    old = now() - timedelta(days=31)
    operator = actor_named("operator")
    files = [actions.upload(operator, name, io.BytesIO(name.encode())) for name in "abc"]
    StoredFile.objects.filter(pk__in=[file.pk for file in files[:2]]).update(used_at=old)
    StoredFile.objects.create(sha256=DIGEST, size_bytes=1, created_at=old, used_at=now(), created_by="x")
    work = pushed(files=[{"sha256": files[0].sha256, "name": "a"}])
    run = Run.objects.create(runner="push", title="t", work=work, actor="x", actor_kind="user", created_at=old)
    assert keeping.forget() == 1
    assert set(StoredFile.objects.values_list("pk", flat=True)) == {files[0].pk, files[2].pk}
    Run.objects.filter(pk=run.pk).update(state="succeeded")
    template = Template.objects.create(
        name="t", definition={"runner": "push", "work": work}, changed_by="x", changed_at=old
    )
    assert keeping.forget() == 0
    template.delete()
    schedule = Schedule.objects.create(name="s", plan={"runner": "push", "work": work}, anchor_at=old, changed_at=old)
    assert keeping.forget() == 0
    schedule.delete()
    Template.objects.create(
        name="asks", definition={"runner": "push", "work": pushed(files="{{ what }}")}, changed_by="x", changed_at=old
    )
    assert keeping.forget() == 1


@pytest.mark.django_db
def test_a_schedule_holds_its_files() -> None:
    stored = actions.upload(actor_named("operator"), "a", io.BytesIO(b"a"))
    StoredFile.objects.update(used_at=now() - timedelta(days=31))
    plan = {"runner": "push", "work": pushed(files=[{"sha256": stored.sha256, "name": "a"}]), "every": "10m"}
    save_schedule(SYSTEM, "s", {**plan, "query": "type:host"})
    stored.refresh_from_db()
    assert stored.used_at > now() - timedelta(days=1)
    with pytest.raises(BadInput) as caught:
        save_schedule(SYSTEM, "s", {**plan, "work": pushed(), "query": "type:host"})
    assert caught.value.field == "files"


def test_templates_of_the_same_content_have_their_texts_each(tmp_path: Path) -> None:
    sha256 = hashlib.sha256(b"host {{ name }}").hexdigest()
    (tmp_path / sha256).write_bytes(b"host {{ name }}")
    work = push.read(pushed(files=[{"sha256": sha256, "name": name} for name in "ab"], path="/etc/", is_template=True))
    host = Host(1, "web1", Target("web1"), None, {"name": "web1"})

    async def fetch(sha256: str) -> Path:
        return tmp_path / sha256

    around = cast(Circumstances, SimpleNamespace(files=SimpleNamespace(fetch=fetch)))

    async def story() -> list[bytes | None]:
        async with push._opened(work, [host], around) as ready:
            return [(await ready.content(host, file)).data for file in work.files]

    assert asyncio.run(story()) == [b"host web1"] * 2


def test_directories_of_workers_that_were_killed_go(tmp_path: Path, settings: Any) -> None:
    settings.DATA = tmp_path

    async def made() -> WorkFiles:
        files = WorkFiles("x")
        paths = await asyncio.gather(files.directory(), files.directory())
        assert paths[0] == paths[1]
        return files

    def names() -> set[str]:
        return {path.name for path in (tmp_path / "run-files").iterdir()}

    dead = tmp_path / "run-files" / "dead"
    dead.mkdir(parents=True)
    (dead / "content").write_bytes(b"x")
    first = asyncio.run(made())
    second = asyncio.run(made())
    assert len(names()) == 2
    first.close()
    assert len(names()) == 1
    second.close()
    assert names() == set()


def do(lab: Instance, *words: str, code: int = 0) -> dict[str, Any]:
    done = lab.qd(*words, "-o", "json", check=False)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return dict(json.loads(done.stdout))


def one(lab: Instance, *words: str, code: int = 0) -> dict[str, Any]:
    return dict(do(lab, *words, code=code)["hosts"][0])


@pytest.fixture
def there(shared: Path) -> Path:
    """A directory in which the hosts' account may write; it is one for all of them."""
    shared.chmod(0o777)
    return shared


@on_hosts
def test_a_file_is_pushed_where_it_differs(lab: Instance, there: Path, tmp_path: Path) -> None:
    source = tmp_path / "app.conf"
    source.write_text("a = 1\n")
    words = ["push", str(source), f"{there}/", "-q", "name:web01", "--mode", "0640"]
    would = one(lab, *words, "--check")
    assert (would["status"], (there / "app.conf").exists()) == ("changed", False)
    assert would["stdout"].endswith(f"+a = 1\nwould change {there}/app.conf: content, mode\n")
    made = one(lab, *words)
    assert (made["status"], made["stdout"]) == ("changed", f"changed {there}/app.conf: content, mode\n")
    row = made["values"]["files"][0]
    assert (row["sha256"], row["sha256_before"]) == (hashlib.sha256(b"a = 1\n").hexdigest(), "")
    assert stat.S_IMODE((there / "app.conf").stat().st_mode) == 0o640
    same = one(lab, *words)
    assert (same["status"], same["stdout"]) == ("ok", f"unchanged {there}/app.conf\n")
    source.write_text("a = 2 # secret word\n")
    kept = one(lab, *words, "--backup")
    assert kept["values"]["files"][0]["sha256_before"] == row["sha256"]
    assert Path(kept["values"]["files"][0]["backup"]).read_text() == "a = 1\n"
    hidden = one(lab, "push", str(source), f"{there}/b", "-q", "name:web01", "--check", "--no-diff")
    assert hidden["stdout"] == f"would change {there}/b: content\n"
    audit = lab.qd("audit", "list", "--limit", "50", "-o", "json").stdout
    assert "jobs.file.upload" in audit
    assert "secret word" not in audit


@on_hosts
def test_a_template_is_each_hosts_own(lab: Instance, there: Path, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("{{ name }} {{ env }}\n")
    done = do(lab, "push", str(tmp_path / "t"), f"{there}/t", "-q", "env:lab", "--template", "--check")
    assert [host["stdout"].splitlines()[3] for host in done["hosts"]] == [
        f"+web{n:02} lab" for n in range(1, HOSTS + 1)
    ]
    (tmp_path / "t").write_text("{{ nothing.here }}\n")
    wrong = one(lab, "push", str(tmp_path / "t"), f"{there}/t", "-q", "name:web01", "--template", code=2)
    assert "line 1 of the template" in wrong["error"]
    (tmp_path / "t").write_bytes(b"\xff")
    wrong = one(lab, "push", str(tmp_path / "t"), f"{there}/t", "-q", "name:web01", "--template", code=2)
    assert "no text in UTF-8" in wrong["error"]


@on_hosts
def test_hostile_names_lead_nowhere(lab: Instance, there: Path, tmp_path: Path) -> None:
    tree = tmp_path / EVIL
    (tree / "sub").mkdir(parents=True)
    (tree / "sub" / EVIL).write_text("one")
    (tree / "-n").write_text("two")
    (tree / "link").symlink_to("/etc/passwd")
    (tree / "-n").chmod(0o750)
    sent = one(lab, "push", str(tree), f"{there}/new", "-q", "name:web02", "--keep-modes")
    assert sent["status"] == "changed"
    assert (there / "new" / EVIL / "sub" / EVIL).read_text() == "one"
    assert stat.S_IMODE((there / "new" / EVIL / "-n").stat().st_mode) == 0o750
    assert sorted(path.name for path in (there / "new" / EVIL).iterdir()) == ["-n", "sub"]
    assert not list(there.rglob("qd-evil"))
    again = one(lab, "push", str(tree), f"{there}/new", "-q", "name:web02")
    assert again["status"] == "ok"


@on_hosts
def test_root_pushes_with_an_owner_and_others_are_told(lab: Instance, there: Path, tmp_path: Path) -> None:
    words = ["credentials", "create", "--name", "sudo-files", "--become", "sudo", "--password-stdin"]
    environment = {**lab.environment, "QD_URL": lab.url, "QD_TOKEN": lab.token}
    subprocess.run([*QUARTERDECK, *words], input=OPS, text=True, check=True, capture_output=True, env=environment)
    lab.qd("credentials", "attach", "sudo-files", "-q", "name:web11")
    (tmp_path / "x").write_text("x\n")
    words = ["push", str(tmp_path / "x"), f"{there}/owned", "-q", "name:web11", "--owner", "ops", "--mode", "4755"]
    made = one(lab, *words, "--become")
    assert (made["status"], made["values"]["files"][0]["changes"]) == ("changed", ["content", "mode", "owner"])
    found = (there / "owned").stat()
    assert (found.st_uid, stat.S_IMODE(found.st_mode)) == (4001, 0o4755)
    assert one(lab, *words, "--become")["status"] == "ok"
    refused = one(lab, "push", str(tmp_path / "x"), "/etc/qd-not-here", "-q", "name:web01", code=2)
    assert (refused["status"], "permit" in refused["error"]) == ("failed", True)
    missing = one(lab, "push", str(tmp_path / "x"), f"{there}/no/such/x", "-q", "name:web01", code=2)
    assert "no such directory" in missing["error"]


@contextmanager
def peak_growth(pids: list[int]) -> Iterator[list[int]]:
    """Give the most bytes that each process had of its own over what it had before; mapped files are not counted."""
    before, grown, is_over = [_own_bytes(pid) for pid in pids], [0] * len(pids), Event()

    def look() -> None:
        while not is_over.wait(0.02):
            for number, pid in enumerate(pids):
                grown[number] = max(grown[number], _own_bytes(pid) - before[number])

    thread = Thread(target=look)
    thread.start()
    try:
        yield grown
    finally:
        is_over.set()
        thread.join()


def _own_bytes(pid: int) -> int:
    text = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in text.splitlines() if line.startswith("RssAnon"))


@on_hosts
def test_large_files_cost_no_memory(lab: Instance, there: Path, tmp_path: Path) -> None:
    source = tmp_path / "large"
    with source.open("wb") as file:
        file.writelines(os.urandom(1 << 20) for _number in range(64))

    one(lab, "push", "/etc/hostname", f"{there}/small", "-q", "name:web04")
    pids = [lab.pids()["web"], json.loads((lab.data / "run" / "runs.json").read_text())["pid"]]
    with peak_growth(pids) as grown:
        sent = one(lab, "push", str(source), f"{there}/large", "-q", "name:web04")
    assert sent["stderr"].splitlines()[-1].endswith("large: 100 % of 64 MB")
    assert (there / "large").read_bytes() == source.read_bytes()
    # Of the web process 32 MB are what SQLite keeps of the records' pages.
    assert max(grown) < 48 << 20, grown
    assert not any((lab.data / "run-files").iterdir())


@on_hosts
def test_who_may_not_run_pushes_nothing(lab: Instance, tmp_path: Path) -> None:
    token = lab.run("token", "create", "--data", str(lab.data), "--name", "look", "--role", "viewer").stdout.strip()
    (tmp_path / "x").write_text("x")
    words = ["push", str(tmp_path / "x"), "/tmp/x", "-q", "name:web01"]
    refused = lab.run(*words, check=False, QD_URL=lab.url, QD_TOKEN=token)
    assert refused.returncode == 77
    assert "jobs.run" in refused.stderr
    gone = lab.qd("push", str(tmp_path / "nothing"), "/tmp/x", "-q", "name:web01", check=False)
    assert gone.returncode == 66


@on_hosts
def test_files_are_pulled_from_many_hosts(lab: Instance, there: Path, tmp_path: Path) -> None:
    logs = there / "logs"
    (logs / "sub").mkdir(parents=True)
    (logs / "a.log").write_text("one")
    (logs / "sub" / EVIL).write_text("two")
    (logs / "link.log").symlink_to("/etc/passwd")
    done = do(lab, "pull", f"{logs}/", str(tmp_path / "out"), "-q", "env:lab")
    first = done["hosts"][0]
    digests = [hashlib.sha256(text).hexdigest() for text in (b"one", b"two")]
    assert first["stdout"] == f"{digests[0]}  {logs}/a.log\n{digests[1]}  {logs}/sub/{EVIL.replace(chr(10), '?')}\n"
    assert "left out (link)" in first["stderr"]
    assert [row["sha256"] for row in first["values"]["files"]] == digests
    names = {f"web{number:02}" for number in range(1, HOSTS + 1)}
    assert {path.name for path in (tmp_path / "out").iterdir()} == names
    for name in names:
        assert (tmp_path / "out" / name / "logs" / "a.log").read_text() == "one"
        assert (tmp_path / "out" / name / "logs" / "sub" / EVIL.replace("\n", "_")).read_text() == "two"
    again = lab.qd("runs", "download", str(done["run"]), str(tmp_path / "again"))
    assert f"{2 * HOSTS} files" in again.stderr
    _downloads(lab, done["run"])


def _downloads(lab: Instance, run: int) -> None:
    host = hosts(lab, run)["web02"]
    path = f"/api/v1/runs/{run}/hosts/{host['id']}/files"
    found = [lab.get(f"{path}/{row['id']}", token=lab.token) for row in host["values"]["files"]]
    assert found == [(200, "one"), (200, "two")]
    assert lab.get(f"{path}/999999", token=lab.token)[0] == 404
    token = lab.run("token", "create", "--data", str(lab.data), "--name", "see", "--role", "viewer").stdout.strip()
    assert lab.get(f"{path}/{host['values']['files'][0]['id']}", token=token)[0] == 403
    assert lab.get(f"/api/v1/runs/{run}/files", token=token)[0] == 403
    audit = lab.qd("audit", "list", "--limit", "50", "-o", "json").stdout
    assert "jobs.file.download" in audit


@on_hosts
def test_what_cannot_be_pulled_is_told(lab: Instance, there: Path, tmp_path: Path) -> None:
    (there / "large").write_bytes(bytes(3 << 20))
    (there / "mine").touch(0o600)
    words = ["-q", "name:web05"]
    missing = one(lab, "pull", f"{there}/nothing", str(tmp_path / "a"), *words, code=2)
    assert "no such file" in missing["error"]
    large = one(lab, "pull", f"{there}/l*", str(tmp_path / "a"), "--max-mb", "2", *words, code=2)
    assert "more than 2097152 bytes" in large["error"]
    denied = one(lab, "pull", f"{there}/mine", str(tmp_path / "a"), *words, code=2)
    assert "does not permit" in denied["error"]
    assert not (tmp_path / "a").exists()
    checked = lab.qd("pull", "/etc/hostname", str(tmp_path / "a"), *words, "--check", check=False)
    assert checked.returncode == 65
