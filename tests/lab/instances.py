"""A whole running Quarterdeck: `quarterdeck up` on a directory and on ports of its own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import psycopg
from tests.lab.migrated import place_records
from tests.lab.parts import Server, directory, free_port, wait_until

from quarterdeck.conf.options import OPTIONS

QUARTERDECK = [sys.executable, "-m", "quarterdeck"]
READY_SECONDS = 300
PORT_SETTINGS = tuple(
    option.env for option in OPTIONS if option.name.startswith("intake_") and option.help.endswith("off when empty.")
)


class Instance:
    """`url` serves the pages; `token` is an administrator's; `set_up_link` works once, for the first person."""

    def __init__(self, data: Path, environment: Mapping[str, str] | None = None) -> None:
        self.data = data
        self.listen = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.listen}"
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QD_")},
            "QD_INTAKE_HTTP": f"127.0.0.1:{free_port()}",
            # Well-known ports are the machine's, and of one instance: a test names those that it needs.
            **dict.fromkeys(PORT_SETTINGS, "off"),
            # Tests wait for what they send; one of its own looks at how much is gathered.
            "QD_INTAKE_GATHER_MS": "250",
            "QD_DATA": str(data),
            **(environment or {}),
        }
        self._token = ""
        self.server: Server | None = None

    def start(self, *, wait: bool = True) -> Server:
        """Start it in the background; with `wait`, return when all its processes serve."""
        self.data.parent.mkdir(parents=True, exist_ok=True)
        command = [*QUARTERDECK, "up", "--data", self.data, "--listen", self.listen]
        self.server = Server(["env", "-i", *self._assignments(), *command], self.data.with_name("up.log"))
        if wait:
            self.wait_ready()
        return self.server

    def _assignments(self) -> list[str]:
        return [f"{name}={value}" for name, value in self.environment.items()]

    def stop(self) -> int:
        return self.server.stop() if self.server else 0

    def wait_ready(self) -> None:
        assert self.server is not None
        deadline = time.monotonic() + READY_SECONDS
        while (answer := self.get("/readyz"))[0] != 200:
            if self.server.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"not ready: {answer}\n{self.output()}\n{self.logs()}")
            time.sleep(0.1)
        # The supervisor looks a moment later than we do; the set-up link comes in the same breath.
        started = self.output().count("starting on")
        wait_until(lambda: self.output().count("ready: ") >= started, "the supervisor's word")

    def get(self, path: str, *, token: str = "") -> tuple[int, Any]:
        """Return `(status, JSON or text)` of a GET; `(0, reason)` when nobody answers."""
        request = urllib.request.Request(self.url + path)
        if token:
            request.add_header("Authorization", f"Bearer {token}")
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, _decoded(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, _decoded(error.read())
        except OSError as error:
            return 0, str(error)

    def run(self, *words: str, check: bool = True, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a `quarterdeck` command with this instance's environment."""
        environment = {**self.environment, **more}
        done = subprocess.run(
            [*QUARTERDECK, *words], env=environment, capture_output=True, text=True, check=False, timeout=READY_SECONDS
        )
        assert not check or done.returncode == 0, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    @property
    def token(self) -> str:
        if not self._token:
            created = self.run("token", "create", "--data", str(self.data), "--name", "lab", "--role", "admin")
            self._token = created.stdout.strip()
        return self._token

    def qd(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `qd` command against the running instance as an administrator."""
        return self.run(*words, check=check, QD_URL=self.url, QD_TOKEN=self.token)

    @property
    def set_up_link(self) -> str:
        wait_until(lambda: "works once" in self.output(), "the set-up link")
        found = re.search(r"http://\S+", self.output().partition("first start")[2])
        assert found, f"no set-up link in:\n{self.output()}"
        return found.group(0)

    def output(self) -> str:
        """What the person at the console saw."""
        return self.data.with_name("up.log").read_text()

    def logs(self) -> str:
        """The last lines of every process's log."""
        files = sorted((self.data / "log").glob("*.log")) + sorted((self.data / "log").glob("*.out"))
        return "\n".join(f"== {file.name}\n{file.read_text()[-1500:]}" for file in files)

    def pids(self) -> dict[str, int]:
        """Return `{"web": 4711, ...}` of the processes that the supervisor keeps now."""
        state = json.loads((self.data / "run" / "supervisor.json").read_text())
        return {name: process["pid"] for name, process in state["processes"].items()}


def _decoded(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")


@contextmanager
def running_instance(environment: Mapping[str, str] | None = None) -> Iterator[Instance]:
    """Yield an instance that is ready; its directory and its database go with it. It has not been used before; its
    records were migrated in advance, unless they are PostgreSQL's."""
    with directory() as home, _own_database(environment or {}) as database:
        instance = Instance(home / "data", {**database, **(environment or {})})
        if not instance.environment.get("QD_DATABASE_URL"):
            place_records(instance.data)
        try:
            instance.start()
            yield instance
        finally:
            instance.stop()


@contextmanager
def _own_database(environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Make a database for one instance on the suite's server; none if that is SQLite or a test names one."""
    server = os.environ.get("QD_DATABASE_URL", "")
    if not server.startswith("postgres") or "QD_DATABASE_URL" in environment:
        yield {}
        return
    name = f"instance_{uuid4().hex}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    try:
        yield {"QD_DATABASE_URL": urlsplit(server)._replace(path=f"/{name}").geturl()}
    finally:
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
