"""Intake and engine as processes of their own, to be killed and started again at any moment."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.lab.instances import PORT_SETTINGS
from tests.lab.migrated import place_records
from tests.lab.parts import directory, free_port, wait_until
from tests.telemetry.engines import Engine

QUARTERDECK = [sys.executable, "-m", "quarterdeck"]


class Road:
    """`intake` and `engine` on one data directory. `post` sends to the intake; `sql` asks the engine."""

    def __init__(self, data: Path, environment: dict[str, str] | None = None) -> None:
        self.data = data
        self.port = free_port()
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QD_")},
            **dict.fromkeys(PORT_SETTINGS, "off"),
            "QD_DATA": str(data),
            "QD_INTAKE_GATHER_MS": "250",
            "QD_INTAKE_HTTP": f"127.0.0.1:{self.port}",
            **(environment or {}),
        }
        self.engine = Engine(data)
        self.intake: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Finish the records, as the web process does at its first start."""
        program = (
            "from quarterdeck.cli import instance; from pathlib import Path; import os\n"
            "directory = Path(os.environ['QD_DATA']); instance.prepare_directory(directory)\n"
            "instance.open(directory, must_exist=False)\n"
            "from quarterdeck.conf.startup import prepare_records; prepare_records()"
        )
        subprocess.run([sys.executable, "-c", program], check=True, env=self.environment)

    def start_intake(self) -> None:
        with (self.data.with_name("intake.out")).open("ab") as output:
            self.intake = subprocess.Popen(
                [*QUARTERDECK, "intake", "--data", self.data], env=self.environment, stdout=output, stderr=output
            )

    def wait_for_intake(self) -> None:
        def serves() -> bool:
            assert self.intake is not None
            assert self.intake.poll() is None, self.data.with_name("intake.out").read_text()[-2000:]
            with contextlib.suppress(OSError):
                return self.request("GET", "/readyz")[0] == 200
            return False

        wait_until(serves, "the intake", 300)

    def kill(self, name: str) -> None:
        """SIGKILL the process, as the out-of-memory killer does."""
        process = self.intake if name == "intake" else self.engine.process
        assert process is not None
        process.send_signal(signal.SIGKILL)
        process.wait()
        if process.stderr:
            process.stderr.close()

    def start(self, name: str) -> None:
        if name == "intake":
            self.start_intake()
        else:
            self.engine.start()

    def stop(self) -> None:
        if self.intake is not None and self.intake.poll() is None:
            self.intake.terminate()
            self.intake.wait(30)
        if self.engine.process is not None and self.engine.process.poll() is None:
            self.engine.stop()

    def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, seconds: float = 30
    ) -> tuple[int, bytes]:
        """Send one request on a new connection. Raises OSError or HTTPException when there is no whole answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def status(self) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.engine.password}"}
        found: dict[str, Any] = json.loads(self.request("GET", "/intake/status", headers=headers)[1])
        return found

    def sql(self, statement: str) -> list[dict[str, Any]]:
        answer = self.engine.ask(statement, final="1", default_format="JSONEachRow")
        assert answer.status == 200, answer.body.decode()[:2000]
        return [json.loads(line) for line in answer.body.splitlines()]

    def wait_until_empty(self, seconds: float = 120) -> None:
        """Wait until the engine has everything that was acknowledged."""

        def is_empty() -> bool:
            # What is open is sealed within a second; the counters are those of the loader.
            return self.status()["spool_bytes"] == 0 and not any(
                row["spooled"] > row["loaded"] + row["dead"] for row in self.status()["rows"]
            )

        try:
            wait_until(is_empty, "an empty spool", seconds)
        except TimeoutError as error:
            log = self.data / "log" / "intake.log"
            raise AssertionError(f"{error}: {self.status()}\n{log.read_text()[-3000:]}") from error


@contextmanager
def road(environment: dict[str, str] | None = None) -> Iterator[Road]:
    """Yield a running intake and engine; their directory goes with them."""
    with directory() as home:
        one = Road(home / "data", environment)
        place_records(one.data)
        one.prepare()
        try:
            one.engine.start()
            one.start_intake()
            one.wait_for_intake()
            yield one
        finally:
            one.stop()
