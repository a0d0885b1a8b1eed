"""Playbooks and modules on real hosts by the real Ansible, and what is read of its work without it."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh
import psutil
import pytest
from tests.jobs.hosts import hosts, wait_state
from tests.lab.instances import QUARTERDECK, Instance
from tests.lab.parts import wait_until
from tests.lab.ssh_hosts import OPS, SshHost, ssh_host

from quarterdeck.core.errors import BadInput
from quarterdeck.jobs.ansible import helper
from quarterdeck.jobs.ansible.events import Reading
from quarterdeck.jobs.ansible.playbooks import programs, read
from quarterdeck.jobs.ansible.reach import check, reach
from quarterdeck.jobs.runners import Host
from quarterdeck.jobs.runs.models import HostStatus
from quarterdeck.remote.host_keys import HostKeys
from quarterdeck.remote.sessions import Stream
from quarterdeck.remote.target import Become, SignIn, Target

LAB = [pytest.mark.slow, pytest.mark.timeout(300), pytest.mark.xdist_group("runs")]
PLAY = "- hosts: all\n"
EVIL = "{{ lookup('pipe', 'touch /tmp/qd-evil') }}"
SITE = """
- name: site
  hosts: env_play
  gather_facts: false
  tasks:
    - name: who
      ansible.builtin.command: id -un
      changed_when: false
    - name: motd
      ansible.builtin.template: {src: motd.j2, dest: "{{ shared }}/{{ inventory_hostname }}"}
      when: inventory_hostname == "play01"
    - name: root
      become: true
      ansible.builtin.shell: id -un; sleep 1
      changed_when: false
      when: inventory_hostname == "play02"
    - name: word
      ansible.builtin.debug: {msg: "the word is {{ ansible_become_password | default('none') }}"}
    - name: broken
      ansible.builtin.shell: echo why >&2; exit 9
      when: inventory_hostname == "play03"
"""
SLEEP = """
- hosts: all
  gather_facts: false
  tasks:
    - name: long
      ansible.builtin.shell: |
        sleep {{ mark }}
        true
"""
LOOP = """
- hosts: all
  gather_facts: false
  tasks:
    - name: for ever
      ansible.builtin.shell: while true; do sleep 0.{{ mark }}; done
"""


def on_hosts(test: Any) -> Any:
    for mark in LAB:
        test = mark(test)
    return test


@pytest.mark.parametrize(
    ("work", "field", "words"),
    [
        ({}, "playbook", "give a playbook"),
        ({"playbook": PLAY, "module": "ping"}, "playbook", "give a playbook"),
        ({"playbook": "- hosts: all\n  tasks: [\n"}, "playbook", "line 3"),
        ({"playbook": "hosts: all\n"}, "playbook", "list of plays"),
        ({"playbook": "- name: x\n"}, "playbook", "play 1"),
        ({"playbook": PLAY, "files": {"roles/a/tasks/main.yml": "a: [b"}}, "playbook", "roles/a/tasks/main.yml"),
        ({"playbook": PLAY, "files": {"../site.yml": ""}}, "files", "../site.yml"),
        ({"playbook": PLAY, "files": {"/etc/passwd": ""}}, "files", "/etc/passwd"),
        ({"playbook": PLAY, "files": {"a": "", "a/b": ""}}, "files", "below a file"),
        ({"playbook": PLAY, "files": {"a": "x" * (1 << 21)}}, "files", "1024 KB"),
        ({"playbook": PLAY, "name": "--help"}, "name", ".yml"),
        ({"playbook": PLAY, "name": "--help.yml"}, "files", "--help.yml"),
        ({"playbook": PLAY, "variables": {"a-b": 1}}, "variables", "a-b"),
        ({"playbook": PLAY, "variables": ["a"]}, "variables", "map"),
        ({"playbook": PLAY + "  vars_prompt: [{name: who}]\n"}, "variables", "asks for who"),
        ({"playbook": PLAY, "forks": 0}, "forks", "500"),
        ({"playbook": PLAY, "tags": "web"}, "tags", "tags"),
        ({"playbook": PLAY, "shows_diff": "yes"}, "shows_diff", "true"),
        ({"playbook": PLAY, "playbok": ""}, "work", "playbok"),
        ({"module": "ping; id"}, "module", "ping; id"),
        ({"module": "ping", "arguments": ["a"]}, "arguments", "map"),
        ({"module": "ping", "files": {"a": ""}}, "files", "playbook"),
    ],
)
def test_work_that_cannot_be_meant_is_told(work: dict[str, Any], field: str, words: str) -> None:
    with pytest.raises(BadInput) as caught:
        read(work)
    assert caught.value.field == field
    assert words in caught.value.message


def test_a_template_of_yaml_is_no_yaml() -> None:
    files = {
        "templates/a.yml": "{% if a %}\n- b\n{% endif %}",
        "group_vars/all.yml": "a: !vault |\n  $ANSIBLE_VAULT;1.1\n",
    }
    found = read({"playbook": "- name: A play\n  hosts: all\n", "name": "site.yml", "files": files})
    assert (found.title, set(found.files)) == ("site.yml: A play", {"site.yml", *files})


def test_a_question_that_is_answered_is_none() -> None:
    asking = PLAY + "  vars_prompt: [{name: who}]\n"
    assert read({"playbook": asking, "variables": {"who": "me"}}).variables == {"who": "me"}


def test_a_worker_without_ansible_says_so_and_leaves_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "work"
    directory.mkdir()
    order = json.dumps({"directory": str(directory)})
    # Without site-packages there is no ansible-runner.
    words = [sys.executable, "-I", "-S", helper.__file__]
    done = subprocess.run(words, input=order, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == {"event": "missing", "name": "ansible-runner"}
    assert not directory.exists()


def test_a_module_is_a_playbook_of_one_task() -> None:
    found = read({"module": "ansible.builtin.service", "arguments": {"name": "a b"}})
    assert found.title == "ansible.builtin.service name=a b"
    (play,) = json.loads(found.files[found.playbook])
    assert play["tasks"] == [{"name": "ansible.builtin.service", "ansible.builtin.service": {"name": "a b"}}]


def test_guard_rules_see_what_tasks_call() -> None:
    tasks = [
        {"shell": "rm -rf {{ x }}"},
        {"block": [{"ansible.builtin.command": {"argv": ["reboot", "-f"]}}, {"action": "shell halt -p"}]},
        {"raw": {"cmd": "id"}},
    ]
    found = programs({"playbook": json.dumps([{"hosts": "all", "tasks": tasks}])})
    assert [one.text for one in found[1:]] == ["rm -rf {{ x }}", "reboot -f", "halt -p", "id"]
    assert [one.text for one in programs({"module": "shell", "arguments": "shutdown now"})][1:] == ["shutdown now"]


def test_what_aliases_share_is_read_once() -> None:
    levels = [f"    - &l{n} [{', '.join([f'*l{n - 1}'] * 8)}]\n" for n in range(1, 25)]
    bomb = f"- hosts: all\n  vars:\n    x:\n    - &l0 [x, {{command: id}}]\n{''.join(levels)}"
    # A map that is an argument here may be another's value elsewhere.
    tasks = "    args: &args {cmd: reboot, argv: [a b, *l9]}\n  tasks:\n  - {command: *args}\n  - {shell: *args}\n"
    assert [one.text for one in programs({"playbook": bomb + tasks})][1:] == ["id", "reboot", "'a b'"]
    levels = [f"    l{n}: &l{n}\n      <<: [{', '.join([f'*l{n - 1}'] * 8)}]\n" for n in range(1, 25)]
    merges = f"- hosts: all\n  vars:\n    l0: &l0 {{raw: date}}\n{''.join(levels)}"
    assert {one.text for one in programs({"playbook": merges})[1:]} == {"date"}
    cycle = "- hosts: all\n  vars: &all\n    all: *all\n    raw: date\n"
    assert [one.text for one in programs({"playbook": cycle})][1:] == ["date"]


def host(number: int, target: Target, become: Become | None = None, **fields: Any) -> Host:
    return Host(number, f"web{number}", target, become, {}, {"id": number, "name": f"web{number}", **fields})


def test_no_attribute_is_a_template_or_a_connection() -> None:
    target = Target("10.0.0.1", 2222, "ops", SignIn(password="a{{ 1 }}"))
    one = host(1, target, evil=EVIL, deep={"a": [EVIL], EVIL: 1}, ansible_connection="local", env="lab")
    found = reach([one], HostKeys.of({("10.0.0.1", 2222): ["ssh-ed25519 AAAA"]}), "/d", becomes=False)
    inventory = json.loads(found.inventory)
    told = inventory["_meta"]["hostvars"]["web1"]
    assert told["evil"] == {"__ansible_unsafe": EVIL}
    assert told["deep"] == {"a": [{"__ansible_unsafe": EVIL}]}
    assert told["ansible_password"] == {"__ansible_unsafe": "a{{ 1 }}"}
    assert "ansible_connection" not in told
    assert (told["ansible_host"], told["ansible_port"], told["ansible_user"]) == ("10.0.0.1", 2222, "ops")
    assert inventory["env_lab"] == {"hosts": ["web1"]}
    assert found.files["known_hosts"] == "[10.0.0.1]:2222 ssh-ed25519 AAAA\n"


def test_a_jump_host_has_the_same_key_and_rules() -> None:
    key = asyncssh.generate_private_key("ssh-ed25519").export_private_key("openssh").decode()
    sign_in = SignIn(private_key=key, certificate="ssh-ed25519-cert-v01@openssh.com AAAA")
    jump = Target("10.0.0.9", 2222, "jump", sign_in)
    hosts = [host(number, Target(f"10.0.0.{number}", 22, "ops", sign_in, (jump,))) for number in (1, 2)]
    found = reach(hosts, HostKeys.of({("10.0.0.9", 2222): ["ssh-ed25519 JUMP"]}), "/d", becomes=False)
    told = json.loads(found.inventory)["_meta"]["hostvars"]["web2"]
    assert told["ansible_ssh_extra_args"] == "-o CertificateFile=/d/certificate0.pub -o ProxyJump=qd-jump-0"
    assert told["ansible_ssh_private_key_file"] == "/d/key0.pub"
    assert found.private_keys == [key]
    assert key not in "".join(found.files.values())
    assert found.files["ssh_config"].startswith(
        "Host qd-jump-0\n    HostName 10.0.0.9\n    Port 2222\n    User jump\n    IdentityFile /d/key0.pub\n"
        "    CertificateFile /d/certificate0.pub\nHost *\n    UserKnownHostsFile /d/known_hosts\n"
    )
    assert found.files["known_hosts"] == "[10.0.0.9]:2222 ssh-ed25519 JUMP\n"


@pytest.mark.parametrize(
    ("address", "user"),
    [("-oProxyCommand=id", "ops"), ("a b", "ops"), ("", "ops"), ("h", "-l"), ("h", '"x'), ("h", "$(id)"), ("h", "a b")],
)
def test_what_a_program_would_take_for_an_option_is_refused(address: str, user: str) -> None:
    with pytest.raises(BadInput):
        check(Target(address, 22, user))
    with pytest.raises(BadInput):
        check(Target("good", 22, "ops", jumps=(Target(address, 22, user),)))


def result(kind: str, name: str, task: str, **more: Any) -> dict[str, Any]:
    return {"event": f"runner_{kind}", "host": name, "play": "site", "task": task, **more}


def test_events_are_lines_and_counts_of_hosts() -> None:
    reading = Reading()
    diff = {"before": "a\nb\n", "after": "a\nc\n", "before_header": "/etc/x"}
    events = [
        result("on_start", "a", "copy", task_uuid="1"),
        result("on_ok", "a", "copy", task_uuid="1", res={"changed": True, "diff": [diff], "msg": "hidden"}),
        result("on_ok", "a", "copy", task_uuid="2", res={"changed": False}),
        result("item_on_ok", "a", "loop", res={"changed": False, "item": "x", "ansible_loop_var": "item"}),
        result("on_ok", "a", "loop", has_items=True, res={"changed": False, "msg": "All items completed"}),
        result("on_ok", "a", "secret", task_action="shell", res={"censored": "...", "changed": True}),
        result("on_failed", "b", "cmd", res={"rc": 4, "msg": "bad", "stderr": "why\n", "stdout": "out"}),
        result("on_failed", "a", "cmd", ignore_errors=True, res={"rc": 5, "msg": "bad"}),
        result("on_unreachable", "c", "copy", res={"msg": "no\nway"}),
        {"event": "text", "text": "[WARNING]: x"},
        {"event": "playbook_on_stats", "ok": {"a": 4}, "changed": {"a": 2}, "failures": {"b": 1}, "dark": {"c": 1},
         "skipped": {}, "rescued": {}, "ignored": {"a": 1}, "processed": {}},
    ]  # fmt: skip
    told: dict[tuple[str, Stream], str] = {}
    for event in events:
        for name, chunk in reading.add(event):
            told[name, chunk.stream] = told.get((name, chunk.stream), "") + chunk.data.decode()
    assert told["a", Stream.STDOUT].splitlines() == [
        "PLAY [site]", "TASK [copy]", "changed", "--- before: /etc/x", "+++ after", "@@ -1,2 +1,2 @@", " a", "-b", "+c",
        "TASK [copy]", "ok",
        "TASK [loop]", "ok (item=x)", "ok", "TASK [secret]", "changed", "  (no_log)", "TASK [cmd]", "failed (ignored)",
        "bad",
    ]  # fmt: skip
    assert told["b", Stream.STDERR] == "why\n"
    assert told["c", Stream.STDOUT].splitlines()[-1] == "unreachable: no way"
    assert (reading.status("a"), reading.counts("a")) == (HostStatus.CHANGED, {"ok": 4, "changed": 2, "ignored": 1})
    assert (reading.status("b"), reading.error("b"), reading.exit_code("b")) == (HostStatus.FAILED, "cmd: bad: why", 4)
    assert (reading.status("c"), reading.status("d")) == (HostStatus.UNREACHABLE, None)


@pytest.fixture(scope="module")
def play(lab: Instance, lab_host: SshHost, tmp_path_factory: pytest.TempPathFactory) -> Instance:
    """The lab, which knows some of its hosts by other names too.

    The third is behind another one, the fourth signs in with a password, the fifth is not there.
    """
    home = tmp_path_factory.mktemp("play")
    jumps = {3: f"ops@127.0.2.6:{lab_host.port}"}
    rows = [
        f'play{number:02},127.0.2.{number},{lab_host.port},ops,play,"{EVIL}",{jumps.get(number, "")}'
        for number in range(1, 5)
    ]
    rows.append("play05,127.0.2.1,1,ops,play,,")
    (home / "hosts.csv").write_text(
        "\n".join(["name,address,ssh_port,ssh_user,env,owner,ssh_proxy_jump", *rows]) + "\n"
    )
    lab.qd("items", "import", str(home / "hosts.csv"), "--type", "host", "--key", "name")
    lab.qd("credentials", "attach", "lab", "-q", "env:play -name:play04")
    _credential(lab, "--name", "play-password", "--user", "ops", "--password-stdin", "-q", "name:play04")
    _credential(lab, "--name", "play-sudo", "--become", "sudo", "--password-stdin", "-q", "name:play02")
    return lab


def _credential(lab: Instance, *words: str) -> None:
    subprocess.run(
        [*QUARTERDECK, "credentials", "create", *words], input=OPS, text=True, check=True, capture_output=True,
        env={**lab.environment, "QD_URL": lab.url, "QD_TOKEN": lab.token},
    )  # fmt: skip


def done_on(lab: Instance, *words: str, code: int = 0) -> dict[str, dict[str, Any]]:
    done = lab.qd(*words, "-e", "ansible_remote_tmp=/tmp/.qd-ansible", "-o", "json", check=False)
    assert done.returncode == code, f"{done.returncode}\n{done.stdout}\n{done.stderr}"
    return {one["name"]: one for one in json.loads(done.stdout)["hosts"]}


@contextmanager
def watching(*secrets: str) -> Iterator[set[str]]:
    """Yield the commands of which anybody on the machine can read a secret, in arguments or environment."""
    found: set[str] = set()
    stop = threading.Event()

    def look() -> None:
        while not stop.wait(0.02):
            for entry in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    with suppress(OSError):
                        text = (entry / name).read_bytes()
                        if any(secret.encode() in text for secret in secrets):
                            found.add(text[:300].decode(errors="replace"))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        stop.set()
        thread.join()


def ansibles() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = " ".join(process.cmdline()[:4])
            if "ansible-playbook" in words or "jobs/ansible/helper.py" in words or "qd-ansible-" in words:
                found.append(process)
    return found


def marked(mark: str) -> list[str]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            words = process.cmdline()
            if words[:1] == ["sleep"] and mark in words[1]:
                found.append(" ".join(words))
    return found


@on_hosts
def test_a_playbook_tells_of_each_host(play: Instance, lab_host: SshHost, shared: Path, tmp_path: Path) -> None:
    (tmp_path / "site.yml").write_text(SITE)
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "motd.j2").write_text(
        "on {{ inventory_hostname }} {{ greeting }}\n{{ owner_note }}\n{{ evil }}\n"
    )
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars" / "all.yml").write_text("greeting: hello\nowner_note: '{{ qd_owner | default() }}'\n")
    shared.chmod(0o777)
    words = ["playbook", str(tmp_path / "site.yml"), "--diff", "-e", f"shared={shared}", "-e", f"evil={EVIL}"]
    key_line = lab_host.key.splitlines()[3]
    with watching(OPS, key_line) as seen:
        found = done_on(play, *words, "-q", "name:play01", "--check")
        assert not list(shared.iterdir())
        assert found["play01"]["values"] == {"ok": 2, "changed": 1, "skipped": 3}
        found = done_on(play, *words, "-q", "env:play", code=2)
    assert not seen
    statuses = {name: one["status"] for name, one in found.items()}
    assert statuses == {
        "play01": "changed", "play02": "ok", "play03": "failed", "play04": "ok", "play05": "unreachable"
    }  # fmt: skip
    assert (shared / "play01").read_text() == f"on play01 hello\n{EVIL}\n{EVIL}\n"
    assert not Path("/tmp/qd-evil").exists()
    assert "+on play01 hello\n" in found["play01"]["stdout"]
    assert "TASK [root]\nok\nroot\nTASK [word]\nok\nthe word is ********\n" in found["play02"]["stdout"]
    assert (found["play03"]["exit_code"], found["play03"]["stderr"]) == (9, "why\n")
    assert found["play03"]["error"].startswith("broken: ")
    assert found["play03"]["error"].endswith("non-zero return code: why")
    assert "Connection refused" in found["play05"]["error"]
    assert "PLAY [site]\nTASK [who]\nok\nops\n" in found["play04"]["stdout"]
    wait_until(lambda: not ansibles(), "the end of Ansible")
    assert not list(Path("/dev/shm").glob("qd-ansible-*"))


@on_hosts
def test_what_cannot_be_played_is_told_before_or_by_ansible(play: Instance, tmp_path: Path) -> None:
    playbook = tmp_path / "site.yml"
    playbook.write_text("- hosts: all\n  tasks:\n    - a: [\n")
    refused = play.qd("playbook", str(playbook), "-q", "env:play", check=False)
    assert (refused.returncode, "site.yml is not YAML" in refused.stderr, "line 4" in refused.stderr) == (
        65,
        True,
        True,
    )
    playbook.write_text("- hosts: all\n  tasks:\n    - no_such_module_at_all: {}\n")
    found = done_on(play, "playbook", str(playbook), "-q", "name:play01", code=2)
    assert (found["play01"]["status"], "no_such_module_at_all" in found["play01"]["error"]) == ("failed", True)


@on_hosts
def test_a_module_shows_its_answer_and_a_viewer_plays_none(play: Instance) -> None:
    found = done_on(
        play, "ansible", "stat", "path=/etc/passwd", "-q", "name:play04", "--become", "-e", "x={{ 1 }}", code=2
    )
    assert "assword" in found["play04"]["error"]
    found = done_on(play, "ansible", "stat", '{"path": "/etc/passwd"}', "-q", "name:play02", "--become")
    assert '"exists": true' in found["play02"]["stdout"]
    made = play.run("token", "create", "--data", str(play.data), "--name", "play-viewer", "--role", "viewer")
    words = ["ansible", "ping", "-q", "name:play01"]
    refused = play.run(*words, check=False, QD_URL=play.url, QD_TOKEN=made.stdout.strip())
    assert refused.returncode == 77


@on_hosts
def test_what_never_ends_is_ended_everywhere(play: Instance, tmp_path: Path) -> None:
    (tmp_path / "loop.yml").write_text(LOOP)
    (tmp_path / "sleep.yml").write_text(SLEEP)
    words = ["playbook", str(tmp_path / "loop.yml"), "-q", "name:(play01 OR play02)", "-e", "mark=4713"]
    found = done_on(play, *words, "--timeout", "4s", code=2)
    assert {one["status"] for one in found.values()} == {"failed"}
    assert found["play01"]["error"].endswith("in task: for ever"), found
    assert not marked("0.4713")
    words = ["playbook", str(tmp_path / "sleep.yml"), "-q", "name:(play01 OR play02)", "-e", "mark=4714"]
    started = play.qd(*words, "--detach", "-o", "json")
    run_id = int(json.loads(started.stdout)[0]["id"])
    wait_until(lambda: len(marked("4714")) == 2, "the tasks")
    play.qd("runs", "cancel", str(run_id))
    assert wait_state(play, run_id, "cancelled")["counts"] == {"cancelled": 2}
    assert not marked("4714")
    assert not ansibles()


@on_hosts
def test_of_a_worker_that_died_nothing_is_left_here(play: Instance, tmp_path: Path) -> None:
    (tmp_path / "sleep.yml").write_text(SLEEP)
    started = play.qd(
        "playbook", str(tmp_path / "sleep.yml"), "-q", "name:play01", "-e", "mark=4715", "--detach", "-o", "json"
    )
    run_id = int(json.loads(started.stdout)[0]["id"])
    wait_until(lambda: bool(marked("4715")), "the task")
    psutil.Process(json.loads((play.data / "run" / "runs.json").read_text())["pid"]).kill()
    wait_state(play, run_id, "failed")
    assert hosts(play, run_id)["play01"]["status"] == "lost"
    wait_until(lambda: not ansibles(), "the end of Ansible")
    assert not list(Path("/dev/shm").glob("qd-ansible-*"))
    # Nobody is left who could end it there.
    assert marked("4715")
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.cmdline()[:2] == ["sleep", "4715"]:
                process.kill()


@on_hosts
def test_a_host_is_met_with_an_approved_key_only(play: Instance) -> None:
    with ssh_host() as other:
        made = ["items", "create", "--type", "host", "--name", "play09", "primary_ip=127.0.0.1", "env=other"]
        play.qd(*made, f"ssh_port={other.port}", "ssh_user=ops")
        (other.home / "sign-in").touch(0o600)
        (other.home / "sign-in").write_text(other.key)
        words = ["--name", "other", "--user", "ops", "--key-file", str(other.home / "sign-in"), "-q", "name:play09"]
        play.qd("credentials", "create", *words)
        ping = ["ansible", "ping", "-q", "name:play09"]
        assert "not approved yet" in done_on(play, *ping, code=3)["play09"]["error"]
        assert done_on(play, *ping, "--accept-new-host-keys")["play09"]["status"] == "ok"
        other.drop_connections()
        other.renew_host_key()
        found = done_on(play, *ping, code=3)["play09"]
        assert (found["status"], "shows another host key" in found["error"]) == ("unreachable", True)
    changed = json.loads(play.qd("hosts", "keys", "list", "-o", "json").stdout)
    assert any(one["port"] == other.port and one["state"] == "pending" for one in changed)
