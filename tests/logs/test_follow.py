"""`qd logs` and the live tail against a whole running instance, fed as a Loki client does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from tests.lab.instances import Instance
from tests.lab.parts import wait_until

pytestmark = pytest.mark.slow


def push(instance: Instance, *messages: str, **labels: str) -> None:
    values = [[str(time.time_ns()), message] for message in messages]
    body = {"streams": [{"stream": {"service_name": "tailed", "host": "web7", **labels}, "values": values}]}
    address = f"http://{instance.environment['QD_INTAKE_HTTP']}/loki/api/v1/push"
    assert httpx.post(address, json=body, timeout=30).status_code == 204


def rows(instance: Instance, query: str) -> list[Any]:
    return list(json.loads(instance.qd("logs", query, "--since", "1h", "-o", "json").stdout))


@pytest.fixture
def filled(instance: Instance) -> Instance:
    push(instance, 'timeout of "db"', "all fine", "\x1b[31mred =1+1", level="error")
    wait_until(lambda: len(rows(instance, "service:tailed")) >= 3, "the lines", seconds=60)
    return instance


def test_a_search_prints_what_programs_and_people_read(filled: Instance) -> None:
    [row] = rows(filled, 'service:tailed level:error "timeout of"')[-1:]
    assert (row["message"], row["level"], row["host"]) == ('timeout of "db"', "error", "web7")
    shown = filled.qd("logs", "service:tailed *red*", "-o", "table").stdout
    assert "\x1b" not in shown
    assert "\\x1b[31mred" in shown
    wrong = filled.qd("logs", "level:eror", check=False)
    assert wrong.returncode == 65
    assert 'did you mean "error"?' in wrong.stderr


def test_what_changed_is_a_command_and_a_word_a_query(filled: Instance) -> None:
    found = json.loads(filled.qd("logs", "changed", "service:tailed", "--since", "30m", "-o", "json").stdout)
    assert (found["fields"]["before"], found["fields"]["fields"]) == (0, [])
    assert found["fields"]["now"] >= 3
    assert "FIELD" in filled.qd("logs", "changed").stdout
    assert json.loads(filled.qd("logs", "search", "changed", "-o", "json").stdout) == []
    assert json.loads(filled.qd("logs", "--since", "1h", "-o", "json", "service:tailed").stdout)


class Follower:
    """`qd logs --follow -o json` in the background, with the lines that it printed."""

    def __init__(self, instance: Instance, query: str) -> None:
        command = [sys.executable, "-m", "quarterdeck", "logs", query, "--follow", "--since", "1s", "-o", "json"]
        environment = {**instance.environment, "QD_URL": instance.url, "QD_TOKEN": instance.token}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for text in self.process.stdout:
            self.lines.append(json.loads(text)["message"])

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)
        self._reader.join(20)
        assert self.process.stdout is not None
        self.process.stdout.close()


@pytest.fixture
def follower(filled: Instance) -> Iterator[Follower]:
    one = Follower(filled, "service:tailed news -ignored")
    yield one
    one.stop()


def test_following_prints_each_new_line_once_filtered_on_the_server(filled: Instance, follower: Follower) -> None:
    number = 0

    def began() -> bool:
        nonlocal number
        number += 1
        push(filled, f"news {number}", "ignored news", "other")
        return bool(follower.lines)

    wait_until(began, "the first line", seconds=60)
    push(filled, "last news")
    wait_until(lambda: "last news" in follower.lines, "the last line", seconds=60)
    assert len(follower.lines) == len(set(follower.lines))
    assert not [text for text in follower.lines if "ignored" in text or "other" in text]


def test_a_file_is_streamed_and_safe_to_open(filled: Instance) -> None:
    headers = {"Authorization": f"Bearer {filled.token}"}
    query = {"q": "service:tailed timeout", "format": "csv"}
    answer = httpx.get(f"{filled.url}/api/v1/exports/logs", params=query, headers=headers, timeout=60)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert '"timeout of ""db"""' in answer.text
