"""A running instance as senders see it: its ports, and what has arrived in its tables."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import uuid4

from tests.lab.certificates import make_certificate
from tests.lab.instances import PORT_SETTINGS, Instance, running_instance
from tests.lab.parts import directory, free_port, wait_until

from quarterdeck.core.keys import instance_key
from quarterdeck.core.processes import run_file

ARRIVE_SECONDS = 60


def open_ports() -> dict[str, str]:
    """Return the environment that opens every listener on a port of its own."""
    return {name: f"127.0.0.1:{free_port()}" for name in PORT_SETTINGS}


def certified(home: Path) -> dict[str, str]:
    """Return the environment by which the TLS ports have a certificate for localhost, which is its own authority."""
    certificate, key = make_certificate(home)
    return {"QD_INTAKE_TLS_CERTIFICATE": str(certificate), "QD_INTAKE_TLS_KEY": str(key)}


@dataclass
class IntakeLab:
    """`url` is the intake's common HTTP address."""

    instance: Instance

    @classmethod
    @contextmanager
    def running(cls, environment: Mapping[str, str] | None = None) -> Iterator[IntakeLab]:
        with (
            directory() as home,
            running_instance({**open_ports(), **certified(home), **(environment or {})}) as instance,
        ):
            lab = cls(instance)
            wait_until(lambda: not lab.problems(), lambda: f"the listeners: {lab.problems()}")
            wait_until(lambda: lab.sql("EXISTS TABLE spans")[0]["result"], "the tables")
            yield lab

    def problems(self) -> list[Any]:
        """Return the listeners that do not listen."""
        return [one for one in self.status()["listeners"] if one["problem"]]

    @property
    def url(self) -> str:
        return f"http://{self.instance.environment['QD_INTAKE_HTTP']}"

    def port(self, setting: str) -> int:
        """Return the port of a listener by its setting: `port("intake_zabbix")`."""
        return int(self.instance.environment[f"QD_{setting.upper()}"].rpartition(":")[2])

    @staticmethod
    def unique(prefix: str) -> str:
        """Return a name that no other test sends."""
        return f"{prefix}-{uuid4().hex[:10]}"

    def post(
        self, path: str, body: bytes, content_type: str = "application/json", method: str = "POST", **headers: str
    ) -> tuple[int, bytes]:
        """Send one request by hand; header names have `_` for `-`."""
        sent = {"Content-Type": content_type, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = urllib.request.Request(self.url + path, body, sent, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def sql(self, statement: str, **parameters: str | int) -> list[dict[str, Any]]:
        """Return the rows of a SELECT from the engine; copies that are not merged away yet are left out (final=1)."""
        found = {f"param_{name}": str(value) for name, value in parameters.items()}
        address = urlsplit(run_file(self.instance.data, "engine")["address"])
        password = instance_key(self.instance.data, "engine")
        options = urlencode(
            {"final": 1, "default_format": "JSONEachRow", "password": password, "user": "quarterdeck", **found}
        )
        request = urllib.request.Request(f"{address.scheme}://{address.netloc}/?{options}", statement.encode())
        # urllib would call the statement a form.
        request.add_header("Content-Type", "text/plain")
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return [json.loads(line.decode(errors="replace")) for line in answer.read().split(b"\n") if line]
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{statement}\n{error.read().decode()[:2000]}") from error

    def arrived(self, statement: str, count: int = 1, **parameters: str | int) -> list[dict[str, Any]]:
        """Wait until a SELECT has `count` rows or more and return them."""
        rows: list[dict[str, Any]] = []

        def look() -> bool:
            rows[:] = self.sql(statement, **parameters)
            return len(rows) >= count

        try:
            wait_until(look, f"{count} rows of: {statement} {parameters}", ARRIVE_SECONDS)
        except TimeoutError as error:
            raise AssertionError(f"{error}\nfound {rows}\n{self.status()}\n{self.instance.logs()}") from error
        return rows

    def status(self) -> dict[str, Any]:
        """Return what the intake says of itself."""
        password = instance_key(self.instance.data, "engine")
        request = urllib.request.Request(f"{self.url}/intake/status", headers={"Authorization": f"Bearer {password}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.loads(answer.read())
        return found

    def series(self, metric: str, **labels: str) -> list[dict[str, Any]]:
        """Return `[{"labels", "values": [oldest, ..., newest]}]` of a metric's series with these labels."""
        wanted = "".join(f" AND series.labels['{name}'] = '{value}'" for name, value in labels.items())
        return self.sql(
            "SELECT labels, groupArray(value) AS values FROM (SELECT id, any(series.labels) AS labels FROM series"
            f" WHERE series.metric_name = {{metric:String}}{wanted} GROUP BY id) AS named"
            " INNER JOIN (SELECT id, timestamp, value FROM samples ORDER BY timestamp) AS s USING id GROUP BY labels",
            metric=metric,
        )

    def series_arrived(self, metric: str, **labels: str) -> list[dict[str, Any]]:
        """Wait until the metric has a series with these labels, and return all of them."""
        rows: list[dict[str, Any]] = []

        def look() -> bool:
            rows[:] = self.series(metric, **labels)
            return bool(rows)

        wait_until(look, f"a series {metric} {labels}", ARRIVE_SECONDS)
        return rows


__all__ = ["ARRIVE_SECONDS", "IntakeLab", "open_ports"]
