"""Senders: Debian's zabbix_sender 6.0 and PyPI's zabbix-utils, unchanged."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest
from tests.lab.intake import IntakeLab
from tests.lab.parts import need
from zabbix_utils import ItemValue, Sender

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("intake")]


def _zabbix_sender(intake: IntakeLab, *words: str) -> subprocess.CompletedProcess[str]:
    need("zabbix_sender")
    command = ["zabbix_sender", "-vv", "-z", "127.0.0.1", "-p", str(intake.port("intake_zabbix")), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_a_value_of_zabbix_sender_becomes_a_sample(intake: IntakeLab) -> None:
    host = intake.unique("web")
    sent = _zabbix_sender(intake, "-s", host, "-k", "app.orders[eu,open]", "-o", "42.5")
    assert sent.returncode == 0, sent
    assert '"processed: 1; failed: 0; total: 1; seconds spent: 0.' in sent.stdout + sent.stderr
    [row] = intake.series_arrived("app_orders", host=host)
    assert row == {"labels": {"host": host, "param1": "eu", "param2": "open"}, "values": [42.5]}


def test_a_file_of_zabbix_sender_is_stored_with_its_times(intake: IntakeLab, tmp_path: Path) -> None:
    host, now = intake.unique("web"), int(time.time())
    file = tmp_path / "values"
    lines = [f'"{host}" app.temperature {now - 600 + n} {n}\n' for n in range(600)]
    file.write_text("".join(lines) + f'"{host}" app.state {now} "degraded: disk 满"\n')
    sent = _zabbix_sender(intake, "-T", "-i", str(file))
    assert sent.returncode == 0, sent
    [row] = intake.series_arrived("app_temperature", host=host)
    assert sorted(row["values"]) == list(map(float, range(600)))
    [line] = intake.arrived("SELECT * FROM logs WHERE host = {h:String}", h=host)
    assert (line["message"], line["component"]) == ("degraded: disk 满", "app.state")


def test_zabbix_sender_is_told_which_values_fail(intake: IntakeLab, tmp_path: Path) -> None:
    host = intake.unique("web")
    file = tmp_path / "values"
    file.write_text(f'"{host}" app.good 1\n"{host}" "app bad[" 2\n')
    sent = _zabbix_sender(intake, "-i", str(file))
    assert sent.returncode == 2, sent
    assert "processed: 1; failed: 1; total: 2" in sent.stdout + sent.stderr
    intake.series_arrived("app_good", host=host)


def test_zabbix_utils_is_told_how_many_were_processed(intake: IntakeLab) -> None:
    host = intake.unique("py")
    sender = Sender("127.0.0.1", intake.port("intake_zabbix"))
    answer = sender.send([ItemValue(host, "app.queue[mail]", n, int(time.time()) - n) for n in range(700)])
    assert (answer.processed, answer.failed, answer.total) == (700, 0, 700)
    [row] = intake.series_arrived("app_queue", host=host, param1="mail")
    assert sorted(row["values"]) == list(map(float, range(700)))
    one = sender.send_value(host, "app.bad[", "1")
    assert (one.processed, one.failed, one.total) == (0, 1, 1)


def test_zabbix_utils_sends_compressed(intake: IntakeLab) -> None:
    host = intake.unique("py")
    sender = Sender("127.0.0.1", intake.port("intake_zabbix"), use_ipv6=False, compression=True)
    assert sender.send_value(host, "app.squeezed", "7").processed == 1
    assert intake.series_arrived("app_squeezed", host=host)[0]["values"] == [7]


def test_a_host_that_only_sends_is_a_sender(intake: IntakeLab) -> None:
    host = intake.unique("web")
    assert _zabbix_sender(intake, "-s", host, "-k", "x", "-o", "1").returncode == 0
    [sender] = intake.arrived("SELECT * FROM senders WHERE name = {h:String}", h=host)
    assert (sender["kind"], sender["protocol"], sender["identities"]) == ("host", "zabbix", {"host.name": host})


def test_what_is_refused_is_said_to_the_peer(intake: IntakeLab) -> None:
    import json
    import socket

    with socket.create_connection(("127.0.0.1", intake.port("intake_zabbix")), timeout=30) as peer:
        peer.sendall(b"ZBXD\x01\xff\xff\xff\x3f\0\0\0\0")
        answer = peer.makefile("rb").read()
    assert json.loads(answer[13:])["response"] == "failed"
