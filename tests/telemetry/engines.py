"""Real engine processes for the tests."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from quarterdeck.core.keys import instance_key
from quarterdeck.core.processes import run_file

_PROGRAM = """
import logging, sys
from pathlib import Path
from quarterdeck.core.errors import OpsError
from quarterdeck.telemetry.engine import serve
from quarterdeck.telemetry.engine.limits import Limits
logging.basicConfig(level="WARNING")
try:
    serve(Path(sys.argv[1]), sys.argv[2], limits=Limits(**eval(sys.argv[3])))
except OpsError as error:
    print(error, file=sys.stderr)
    sys.exit(error.exit_code)
"""


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> int:
        """ClickHouse's error number, 0 for none."""
        return int(self.headers.get("x-clickhouse-exception-code", 0))


@dataclass
class Engine:
    """One engine process on `data`; `start` again after `kill`."""

    data: Path
    limits: dict[str, int] = field(default_factory=dict)
    address: str = "127.0.0.1:0"
    process: subprocess.Popen[bytes] | None = None

    def launch(self) -> subprocess.Popen[bytes]:
        """Start the process without waiting for it to serve."""
        arguments = [sys.executable, "-c", _PROGRAM, str(self.data), self.address, repr(self.limits)]
        return subprocess.Popen(arguments, stderr=subprocess.PIPE, env={**os.environ, "QD_DATA": str(self.data)})

    def start(self) -> Engine:
        self.process = self.launch()
        deadline = time.monotonic() + 30
        while run_file(self.data, "engine").get("pid") != self.process.pid:
            assert self.process.poll() is None, self.process.stderr.read().decode()  # type: ignore[union-attr]
            assert time.monotonic() < deadline, "the engine did not start"
            time.sleep(0.05)
        return self

    def stop(self, kind: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(kind)
        code = self.process.wait(30)
        self.process.stderr.close()  # type: ignore[union-attr]
        return code

    @property
    def netloc(self) -> str:
        return urlsplit(run_file(self.data, "engine")["address"]).netloc

    @property
    def password(self) -> str:
        return instance_key(self.data, "engine")

    @property
    def url(self) -> str:
        return f"http://quarterdeck:{quote(self.password)}@{self.netloc}"

    def ask(
        self,
        sql: str | bytes = b"",
        *,
        method: str = "POST",
        path: str = "/",
        headers: Mapping[str, str] | None = None,
        **options: str,
    ) -> Answer:
        """One request over a plain HTTP connection; `options` go into the URL."""
        basic = b64encode(f"quarterdeck:{self.password}".encode()).decode()
        connection = http.client.HTTPConnection(self.netloc, timeout=60)
        body = sql.encode() if isinstance(sql, str) else sql
        sent = {"Authorization": f"Basic {basic}"} if headers is None else dict(headers)
        try:
            connection.request(method, f"{path}?{urlencode(options)}", body or None, sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()
