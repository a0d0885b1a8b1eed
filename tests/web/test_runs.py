"""Pages of runs: who sees them, what stands on them, and what their forms refuse. No engine runs here."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.html import escape
from tests.people import person

from quarterdeck.access.models import Role
from quarterdeck.audit.actor import SYSTEM
from quarterdeck.audit.models import AuditEvent
from quarterdeck.inventory.actions import create_item
from quarterdeck.jobs.files import storing
from quarterdeck.jobs.files.models import StoredFile
from quarterdeck.jobs.runs import actions, claiming
from quarterdeck.jobs.runs.models import HostStatus, Run, RunHost, RunState
from quarterdeck.jobs.runs.planning import Options

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claiming, "later", lambda *_args, **_more: None)


@pytest.fixture
def hosts() -> None:
    for number in range(1, 4):
        create_item(SYSTEM, "host", f"web{number}", {"env": "lab"})


def run_of_three(**options: Any) -> Run:
    return actions.start_run(SYSTEM, "ssh", {"command": "echo '<b>'"}, "env:lab", Options(**options))


def read(client: Client, address: str, status: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == status, answer.content
    return answer.content.decode()


def test_an_empty_list_says_what_to_do(as_owner: Client) -> None:
    assert "Nothing was run yet" in read(as_owner, "/runs")


def test_the_form_tells_which_hosts_are_meant(as_owner: Client, hosts: None) -> None:
    assert "<b>3 hosts</b>" in read(as_owner, "/runs/new?q=env:lab")
    assert "web1, web2, web3" in read(as_owner, "/runs/new/hosts?query=env:lab")
    assert "The query selects no host" in read(as_owner, "/runs/new/hosts?query=env:nowhere")
    assert "nosuch" in read(as_owner, "/runs/new/hosts?query=nosuch:1")


def test_the_form_starts_a_run(as_owner: Client, hosts: None) -> None:
    values = {
        "query": "env:lab",
        "command": "uptime",
        "timeout": "5m",
        "batch": "1,50%",
        "max_fail": "5%",
        "at_once": "7",
    }
    answer = as_owner.post("/runs/new", values)
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/runs/{run.pk}"
    assert (run.work, run.batches, run.max_fail) == ({"command": "uptime"}, [1, 1, 1], "5%")
    assert (run.host_timeout_seconds, run.hosts_at_once, run.actor) == (300, 7, "owner")


PLAYBOOK = {"query": "env:lab", "playbook": "- hosts: all\n", "at_once": "7"}


def test_the_form_starts_a_playbook(as_owner: Client, hosts: None) -> None:
    assert "Ansible" in read(as_owner, "/runs/new?q=env:lab")
    more = {"variables": "a=b c\n\nd = ", "tags": "x, y", "is_check": "on", "shows_diff": "on", "timeout": "5m"}
    answer = as_owner.post("/runs/new/playbook?q=env:lab", PLAYBOOK | more)
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/runs/{run.pk}"
    work = {"playbook": "- hosts: all\n", "variables": {"a": "b c", "d": ""}, "tags": ["x", "y"], "shows_diff": True}
    assert (run.runner, run.work, run.is_check, run.host_timeout_seconds) == ("ansible", work, True, 300)
    page = read(as_owner, f"/runs/{run.pk}")
    assert "The playbook" in page
    assert "only told what would change" in page


def test_a_playbook_comes_as_a_file_or_is_one_module(as_owner: Client, hosts: None) -> None:
    file = SimpleUploadedFile("site.yml", b"- hosts: all\n")
    as_owner.post("/runs/new/playbook", PLAYBOOK | {"playbook": "", "file": file})
    as_owner.post("/runs/new/playbook", PLAYBOOK | {"playbook": "", "module": "service", "arguments": "name=nginx"})
    works = list(Run.objects.order_by("pk").values_list("work", flat=True))
    assert works == [{"playbook": "- hosts: all\n"}, {"module": "service", "arguments": "name=nginx"}]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"playbook": ""}, "Give a playbook or a module"),
        ({"playbook": "- hosts: [\n"}, "in line 2"),
        ({"playbook": "hosts: all"}, "is no playbook"),
        ({"playbook": "", "module": "a;b"}, "is no name of a module"),
        ({"variables": "version"}, "is not NAME=value"),
        ({"file": SimpleUploadedFile("a.yml", b"\xff")}, "no text in UTF-8"),
        ({"file": SimpleUploadedFile("a.yml", b"a" * (1 << 20) + b"b")}, "longer than 1 MB"),
    ],
)
def test_what_is_wrong_with_a_playbook_stands_in_the_form(
    as_owner: Client, hosts: None, wrong: dict[str, Any], words: str
) -> None:
    answer = as_owner.post("/runs/new/playbook", PLAYBOOK | wrong)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Run.objects.exists()


def test_playbooks_take_the_right_to_act_as_the_worker(client: Client, hosts: None) -> None:
    client.force_login(person("op", Role.objects.get(name="operator")))
    assert "/runs/new/playbook" not in read(client, "/runs/new")
    read(client, "/runs/new/playbook", 403)
    assert client.post("/runs/new/playbook", PLAYBOOK).status_code == 403
    assert not Run.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"query": ""}, "The query is empty"),
        ({"query": "env:nowhere"}, "The query selects no host"),
        ({"command": ""}, "Give a command or a script"),
        ({"script": "echo"}, "Give a command or a script"),
        ({"timeout": "soon"}, "This is no time"),
        ({"batch": "half"}, "is no size of a batch"),
        ({"max_fail": "few"}, "is no limit of failures"),
        ({"at_once": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_is_wrong_stands_in_the_form(as_owner: Client, hosts: None, wrong: dict[str, str], words: str) -> None:
    values = {"query": "env:lab", "command": "uptime --pretty", "at_once": "7"} | wrong
    answer = as_owner.post("/runs/new", values)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert "command" in wrong or "uptime --pretty" in answer.content.decode()
    assert not Run.objects.exists()


def test_one_is_filled_in_from_another(as_owner: Client, hosts: None) -> None:
    run = run_of_three(becomes=True, timeout_seconds=90)
    page = read(as_owner, f"/runs/new?again={run.pk}")
    assert "echo &#x27;&lt;b&gt;&#x27;" in page
    assert 'value="90s"' in page


def test_a_run_shows_how_it_stands(as_owner: Client, hosts: None) -> None:
    run = run_of_three()
    page = read(as_owner, f"/runs/{run.pk}")
    assert "0 of 3 hosts" in page
    assert 'data-island="run"' in page
    assert "<b>&#x27;" not in page
    RunHost.objects.filter(name="web2").update(status=HostStatus.FAILED, error="it said <i>no</i>", exit_code=1)
    RunHost.objects.exclude(name="web2").update(status=HostStatus.OK, exit_code=0)
    for shard in run.shards.all():
        claiming.recount(shard)
    claiming.advance(run.pk)
    page = read(as_owner, f"/runs/{run.pk}")
    assert "3 of 3 hosts" in page
    assert "It said &lt;i&gt;no&lt;/i&gt;" in page
    # The engine is away: who ended how is told all the same.
    assert "telemetry engine is not running" in page
    assert 'data-island="run"' not in page
    assert "Retry what was not done" in page
    assert "web1" not in read(as_owner, f"/runs/{run.pk}?status=failed").partition('id="hosts"')[2]


def test_the_buttons_do_what_they_say(as_owner: Client, hosts: None) -> None:
    run = run_of_three()
    as_owner.post(f"/runs/{run.pk}/act", {"act": "pause"})
    assert Run.objects.get().state == RunState.PAUSED
    as_owner.post(f"/runs/{run.pk}/act", {"act": "resume"})
    assert Run.objects.get().state == RunState.QUEUED
    as_owner.post(f"/runs/{run.pk}/act", {"act": "cancel"})
    assert Run.objects.get().state == RunState.CANCELLED
    answer = as_owner.post(f"/runs/{run.pk}/act", {"act": "retry"})
    again = Run.objects.latest("pk")
    assert answer.headers["Location"] == f"/runs/{again.pk}"
    assert as_owner.post(f"/runs/{run.pk}/act", {"act": "explode"}).status_code == 422


def test_a_viewer_finds_no_way_in(client: Client, hosts: None) -> None:
    run = run_of_three()
    client.force_login(person("vera", Role.objects.get(name="viewer")))
    read(client, "/runs", 403)
    read(client, "/runs/new", 403)
    assert client.post(f"/runs/{run.pk}/act", {"act": "cancel"}).status_code == 403
    assert Run.objects.get().state == RunState.QUEUED


def test_who_sees_runs_and_starts_none_has_no_buttons(client: Client, hosts: None) -> None:
    run = run_of_three()
    role = Role.objects.create(name="watcher", verbs=["inventory.view", "jobs.view"])
    client.force_login(person("willa", role))
    page = read(client, f"/runs/{run.pk}")
    assert 'name="act"' not in page
    assert client.post(f"/runs/{run.pk}/act", {"act": "cancel"}).status_code == 403


def test_an_item_tells_what_was_run_on_it(as_owner: Client, hosts: None) -> None:
    run = run_of_three()
    host = RunHost.objects.get(name="web2")
    RunHost.objects.filter(pk=host.pk).update(status=HostStatus.FAILED, exit_code=3)
    page = read(as_owner, f"/items/{host.item_id}/runs")
    assert f'href="/runs/{run.pk}/hosts/{host.pk}"' in page
    assert f'href="/runs/new?q=id:{host.item_id}"' in page
    assert "<b>&#x27;" not in page
    service = create_item(SYSTEM, "service", "shop", {})
    assert "/runs" not in read(as_owner, f"/items/{service.pk}").partition('class="qd-page-head')[2]
    assert "Run on these" in read(as_owner, "/items?q=env:lab")


def sent(*pairs: tuple[str, bytes]) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(name, content) for name, content in pairs]


def test_files_are_uploaded_and_pushed(as_owner: Client, hosts: None) -> None:
    values = {"query": "env:lab", "path": "/etc/app/", "mode": "0640", "keeps_backup": "on", "at_once": "200"}
    answer = as_owner.post("/runs/new/push", values | {"files": sent(("a b.conf", b"one"), ("c", b"two"))})
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/runs/{run.pk}"
    digests = [hashlib.sha256(content).hexdigest() for content in (b"one", b"two")]
    files = [{"sha256": digests[0], "name": "a b.conf"}, {"sha256": digests[1], "name": "c"}]
    work = {"files": files, "path": "/etc/app/", "mode": "0640", "keeps_backup": True, "shows_diff": True}
    assert (run.runner, run.work, run.is_check) == ("push", work, False)
    again = read(as_owner, f"/runs/new/push?again={run.pk}")
    assert f'value="{digests[0]} a b.conf" checked' in again
    assert f"/runs/new/push?again={run.pk}" in read(as_owner, f"/runs/{run.pk}")


def test_uploads_stay_when_something_else_is_wrong(as_owner: Client, hosts: None) -> None:
    values = {"query": "env:nowhere", "path": "/etc/a", "at_once": "200", "is_check": "on"}
    answer = as_owner.post("/runs/new/push", values | {"files": sent(("<a>", b"one"))})
    assert answer.status_code == 422
    assert "The query selects no host" in answer.content.decode()
    kept = f"{hashlib.sha256(b'one').hexdigest()} <a>"
    assert f'value="{escape(kept)}" checked' in answer.content.decode()
    as_owner.post("/runs/new/push", values | {"query": "env:lab", "kept": [kept]})
    assert Run.objects.get().is_check
    empty = as_owner.post("/runs/new/push", values | {"query": "env:lab"})
    assert (empty.status_code, "Name the files" in empty.content.decode()) == (422, True)


# Downloads are read in threads of their own.
@pytest.mark.django_db(transaction=True)
def test_pulled_files_are_on_the_page_and_downloaded(as_owner: Client, as_teammate: Client, hosts: None) -> None:
    answer = as_owner.post(
        "/runs/new/pull", {"query": "env:lab", "path": "/etc/*", "max_mb": "5", "max_files": "9", "at_once": "200"}
    )
    run = Run.objects.get()
    assert answer.headers["Location"] == f"/runs/{run.pk}"
    assert run.work == {"path": "/etc/*", "max_mb": 5, "max_files": 9}
    host = run.hosts.get(name="web1")
    _pulled(host, "<x>.conf", b"pulled")
    page = read(as_owner, f"/runs/{run.pk}")
    assert "&lt;x&gt;.conf" in page
    address = f"/runs/{run.pk}/hosts/{host.pk}/files/{host.values['files'][0]['id']}"
    assert address in page
    answer = as_owner.get(address)
    assert _streamed(answer) == b"pulled"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="<x>.conf"'
    assert b"web1/<x>.conf" in _streamed(as_owner.get(f"/runs/{run.pk}/files"))
    assert AuditEvent.objects.filter(verb="jobs.file.download", result="ok").count() == 2
    for path in (address, f"/runs/{run.pk}/files"):
        assert as_teammate.get(path).status_code == 403
    StoredFile.objects.all().delete()
    assert "kept no more" in read(as_owner, f"/runs/{run.pk}")
    read(as_owner, address, 404)
    read(as_owner, f"/runs/{run.pk}/files", 404)


def _pulled(host: RunHost, name: str, content: bytes) -> None:
    stored = storing.put(io.BytesIO(content), hashlib.sha256(content).hexdigest(), len(content), by="x")
    told = {"id": stored.pk, "path": f"/etc/{name}", "name": name, "size_bytes": len(content), "sha256": stored.sha256}
    host.values, host.status = {"files": [told]}, HostStatus.OK
    host.save()


def _streamed(answer: Any) -> bytes:
    async def whole() -> bytes:
        return b"".join([block async for block in answer.streaming_content])

    return async_to_sync(whole)()
