"""Run one playbook by ansible-runner and tell its events, one JSON object on each line of standard output.

    python -I helper.py < order

The order is one JSON object:

    {"directory": "/dev/shm/qd-...", "playbook": "site.yml", "arguments": ["--check"], "environment": {"A": "1"},
     "inventory": "...", "private_keys": ["-----BEGIN ..."], "mark": "QD_RUN=..."}

`directory` is ours alone (0700): in `project/` are the project's files, beside it the variables and what ssh needs. The
inventory holds passwords: Ansible reads it from this process's memory, and keys are known to an agent. The directory is
removed at the end, also when this process is told to end. Whoever starts this ends what it started.

Nothing of Quarterdeck is imported here, nor is Ansible: ansible-runner starts it as a process.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_KEX = ("mlkem768x25519-sha256", "curve25519-sha256", "curve25519-sha256@libssh.org")
_AGENT_SECONDS = 20
_SHOWN = ("host", "task", "task_uuid", "play", "task_action", "res", "ignore_errors")
_STATS = ("ok", "changed", "failures", "dark", "skipped", "rescued", "ignored", "processed")
# Adds the mark to what runs on the host: the last argument is the command, "/bin/sh -c ..." where Ansible made it.
_SSH = """#!/bin/sh
case " $* " in *" -O "*) exec {ssh} "$@" ;; esac
n=$#
while [ "$n" -gt 1 ]; do a=$1; shift; set -- "$@" "$a"; n=$((n - 1)); done
c=$1; shift
case $c in /*) c="env {mark} $c" ;; esac
exec {ssh} "$@" "$c"
"""


def main() -> None:
    order = json.load(sys.stdin)
    directory = Path(order["directory"])
    events = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="backslashreplace")
    # Whatever else is printed here is no event.
    os.dup2(2, 1)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        _run(order, directory, events)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _run(order: dict[str, Any], directory: Path, events: Any) -> None:
    def tell(event: dict[str, Any]) -> None:
        events.write(json.dumps(event) + "\n")
        events.flush()

    try:
        import ansible_runner
    except ImportError:
        tell({"event": "missing", "name": "ansible-runner"})
        return
    if shutil.which("ansible-playbook", path=_path()) is None or shutil.which("ssh", path=_path()) is None:
        name = "ssh" if shutil.which("ansible-playbook", path=_path()) else "ansible-core"
        tell({"event": "missing", "name": name})
        return
    environment = _environment(order, directory)
    if order["private_keys"]:
        environment["SSH_AUTH_SOCK"] = _agent(directory, order["private_keys"])
    arguments = [*order["arguments"], "-e", f"@{directory}/variables.json"]

    def handle(event: dict[str, Any]) -> bool:
        told = _told(event)
        if told:
            tell(told)
        return False

    done = ansible_runner.run(
        private_data_dir=str(directory),
        playbook=order["playbook"],
        inventory=_inventory(order["inventory"], directory),
        cmdline=shlex.join(arguments),
        envvars=environment,
        suppress_env_files=True,
        settings={"suppress_output_file": True, "pexpect_timeout": 1},
        event_handler=handle,
        quiet=True,
    )
    tell({"event": "end", "code": done.rc, "status": done.status})


def _path() -> str:
    """Return where programs are looked for: beside our Python first, where `pip install` puts them."""
    return f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"


def _told(event: dict[str, Any]) -> dict[str, Any]:
    """Return what is passed on of an event; {} for one that says nothing."""
    kind, data = event.get("event", ""), event.get("event_data") or {}
    if kind == "playbook_on_stats":
        return {"event": kind, **{name: data.get(name) or {} for name in _STATS}}
    if "host" in data:
        told = {"event": kind, **{name: data[name] for name in _SHOWN if name in data}}
        result = told.get("res")
        if isinstance(result, dict):
            # What was printed by item came as events of its own; facts fill pages.
            told["res"] = {name: value for name, value in result.items() if name not in ("results", "ansible_facts")}
            told["has_items"] = "results" in result
        return told
    text = event.get("stdout") or ""
    # Before the first play there is nothing but what Ansible has against it; later, plays and warnings.
    return (
        {"event": "text", "text": text[:8192]} if text.strip() and kind in ("verbose", "error", "warning", "") else {}
    )


def _environment(order: dict[str, Any], directory: Path) -> dict[str, str]:
    """Return Ansible's environment. It counts more than the project's ansible.cfg."""
    ssh = shutil.which("ssh", path=_path()) or "ssh"
    kex = subprocess.run([ssh, "-Q", "kex"], capture_output=True, text=True, check=False).stdout.split()
    known = [name for name in _KEX if name in kex]
    configuration = directory / "ssh_config"
    text = configuration.read_text(encoding="utf-8")
    configuration.write_text(
        text.replace("{kex}", f"KexAlgorithms ^{','.join(known)}" if known else ""), encoding="utf-8"
    )
    return {
        "PATH": _path(),
        "ANSIBLE_HOST_KEY_CHECKING": "True",
        "ANSIBLE_SSH_ARGS": f"-F {shlex.quote(str(configuration))} -o ControlMaster=auto -o ControlPersist=60s",
        "ANSIBLE_SSH_CONTROL_PATH_DIR": str(directory / "cp"),
        "ANSIBLE_SSH_EXECUTABLE": _ssh(ssh, order["mark"], directory),
        "ANSIBLE_PIPELINING": "True",
        "ANSIBLE_LOCAL_TEMP": str(directory / "tmp"),
        "ANSIBLE_RETRY_FILES_ENABLED": "False",
        "ANSIBLE_NOCOLOR": "True",
        "ANSIBLE_PYTHON_INTERPRETER": "auto_silent",
        "ANSIBLE_DEPRECATION_WARNINGS": "False",
        "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "True",
        # What a host prints is up to 10 MB; the callback leaves out a result that is longer than this.
        "MAX_EVENT_RES": str(16 << 20),
        **order["environment"],
    }


def _ssh(ssh: str, mark: str, directory: Path) -> str:
    """Return the program to call for ssh: one that marks what it starts on the host."""
    path = directory / "ssh"
    path.write_text(_SSH.format(ssh=shlex.quote(ssh), mark=mark), encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def _inventory(content: str, directory: Path) -> str:
    """Return a program that prints the inventory. What it prints is in memory only, for as long as this process is."""
    number = os.memfd_create("inventory")
    data = memoryview(content.encode())
    while data:
        data = data[os.write(number, data) :]
    path = directory / "hosts"
    path.write_text(f"#!/bin/sh\nexec cat /proc/{os.getpid()}/fd/{number}\n", encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def _agent(directory: Path, keys: list[str]) -> str:
    """Start an agent that knows the keys; return its socket."""
    path = str(directory / "agent")
    agent = subprocess.Popen(
        ["ssh-agent", "-D", "-a", path],
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + _AGENT_SECONDS
    while not os.path.exists(path):  # noqa: PTH110 - a socket of whom nobody else knows
        if agent.poll() is not None or time.monotonic() > deadline:
            raise SystemExit("ssh-agent does not start")
        time.sleep(0.005)
    for key in keys:
        subprocess.run(
            ["ssh-add", "-q", "-"], input=key.encode(), env={**os.environ, "SSH_AUTH_SOCK": path}, check=True,
            capture_output=True,
        )  # fmt: skip
    return path


if __name__ == "__main__":
    main()
