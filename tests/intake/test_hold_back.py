"""Senders that are too many, too fast or not allowed, and a spool that is full: told in the protocol's own way."""

from __future__ import annotations

import asyncio
import contextlib
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from tests.intake.door import Attacked, attacked, key, read_all
from tests.lab.parts import directory, wait_until

from quarterdeck.intake import ports
from quarterdeck.intake.spool.writer import Spool
from quarterdeck.telemetry.receivers.otlp import PLUGIN as OTLP

_EXPORT = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


@contextlib.contextmanager
def _small_disk(size: str) -> Iterator[Path]:
    """A file system of its own; needs root, as CI has."""
    with directory() as home:
        disk = home / "disk"
        disk.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "qd-test", disk], check=True)
        try:
            yield disk
        finally:
            subprocess.run(["umount", "--lazy", disk], check=True)


def _fill(disk: Path) -> Path:
    path = disk / "filling"
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(b"x" * 4096):
            pass
    return path


@pytest.mark.slow
def test_a_full_disk_is_told_and_over_once_there_is_room() -> None:
    with _small_disk("8m") as disk, attacked(disk / "spool") as one:
        assert one.post(b"before")[0] == 200
        filling = _fill(disk)
        for number in range(5):
            status, body, after = one.post(b"during %d " % number * 2000)
            assert (status, after) == (503, "5")
            assert b"disk is full" in body
        filling.unlink()
        assert one.post(b"after")[0] == 200
        assert one.contents() == [b"before", b"after"]
        assert one.refused() == {"spool_full": 5}


@pytest.mark.slow
def test_a_disk_that_fills_up_under_load_loses_nothing_that_was_acknowledged() -> None:
    with _small_disk("6m") as disk, attacked(disk / "spool") as one:
        acknowledged, refused = [], 0
        for number in range(400):
            body = b"%d " % number + b"x" * 50_000
            status = one.post(body)[0]
            if status == 200:
                acknowledged.append(body)
            else:
                refused += 1
                assert status == 503
                # The loader empties it now and then.
                for path in one.spool.sealed()[: number % 3]:
                    kept = [entry for entry in acknowledged if entry in _contents_of(one, path)]
                    acknowledged = [entry for entry in acknowledged if entry not in kept]
                    one.spool.loaded(path)
            if refused > 60:
                break
        assert refused
        assert sorted(one.contents()) == sorted(acknowledged)


def _contents_of(one: Attacked, path: Path) -> set[bytes]:
    from quarterdeck.intake.spool import frames

    return {entry.frame.content for entry in frames.read(path)}


@pytest.mark.slow
def test_a_disk_that_turns_read_only_is_told_and_over_once_it_is_mended() -> None:
    with _small_disk("8m") as disk, attacked(disk / "spool") as one:
        assert one.post(b"before")[0] == 200

        def is_read_only() -> bool:
            # Refused as long as the segment is open for writing.
            command = ["mount", "-o", "remount,ro", str(disk)]
            return subprocess.run(command, check=False, capture_output=True).returncode == 0

        wait_until(is_read_only, "a read-only disk")
        for _again in range(3):
            status, body, after = one.post(b"during")
            assert (status, after, b"read-only" in body) == (503, "5", True)
        one.counters.save()
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        assert one.post(b"after")[0] == 200
        assert one.contents() == [b"before", b"after"]


def test_a_spool_at_its_limit_holds_every_protocol_back_until_it_drains(tmp_path: Path) -> None:
    from tests.intake.door import PLAIN

    receivers = {"plain": PLAIN, "otlp": OTLP}
    with attacked(tmp_path, receivers=receivers, max_bytes=1000) as one:
        assert one.post(b"x" * 900)[0] == 200
        status, body, after = one.post(b"y" * 200)
        assert (status, after, b"wait for the telemetry engine" in body) == (503, "5", True)
        with pytest.raises(grpc.RpcError) as refused:
            _export(one, 200)
        assert refused.value.code() == grpc.StatusCode.UNAVAILABLE
        status, body, after = one.post(_logs(200), "/v1/logs", content_type="application/x-protobuf")
        assert (status, after) == (503, "5")
        refused_before = one.refused()["spool_full"]
        with one.connect(one.tcp, seconds=1) as line:
            line.sendall(b"z" * 300 + b"\n")
            # Neither refused nor answered: it is held back.
            with pytest.raises(TimeoutError):
                line.recv(10)
            wait_until(lambda: one.spool.sealed(), "a sealed segment")
            one.spool.loaded(one.spool.sealed()[0])
            line.settimeout(30)
            assert line.recv(10) == b"300\n"
            assert one.refused().get("spool_full", 0) == refused_before, "what is held back is not refused"
        assert one.contents() == [b"z" * 300]
        _export(one, 200)
        assert len(one.contents()) == 2


def _logs(size: int) -> bytes:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = "g" * size
    return bytes(request.SerializeToString())


def _export(one: Attacked, size: int, **more: str) -> None:
    with grpc.insecure_channel(f"127.0.0.1:{one.grpc}") as channel:
        channel.unary_unary(_EXPORT)(_logs(size), timeout=20, metadata=tuple(more.items()))


def test_gigabytes_of_calls_that_left_stop_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call that its client gives up is cancelled here as well, while its frames are on their way to the disk."""
    import os

    sync = os.fdatasync
    monkeypatch.setattr(os, "fdatasync", lambda file: (time.sleep(0.3), sync(file)))
    with attacked(tmp_path, receivers={"otlp": OTLP}) as one:
        with grpc.insecure_channel(f"127.0.0.1:{one.grpc}") as channel:
            call = channel.unary_unary(_EXPORT)
            for _ in range(20):
                future = call.future(_logs(10), timeout=20)
                time.sleep(0.02)
                future.cancel()
        _export(one, 77)
        assert any(b"g" * 77 in content for content in one.contents())


@pytest.mark.parametrize("message", [b"\xff" * 100, b"\x0a\xff\xff\xff\xff\x0f", b"\x0a" * 50_000])
def test_garbage_in_a_call_is_an_invalid_argument(tmp_path: Path, message: bytes) -> None:
    with attacked(tmp_path, receivers={"otlp": OTLP}) as one:
        with grpc.insecure_channel(f"127.0.0.1:{one.grpc}") as channel:
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary(_EXPORT)(message, timeout=20)
            assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
            with pytest.raises(grpc.RpcError) as refused:
                channel.unary_unary("/no.such/Method")(message, timeout=20)
            assert refused.value.code() == grpc.StatusCode.UNIMPLEMENTED
        for junk in (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\x04" * 100,
            b"\xff" * 1000,
            b"GET / HTTP/1.1\r\n\r\n",
        ):
            with one.connect(one.grpc, seconds=1) as client, contextlib.suppress(OSError):
                client.sendall(junk)
                read_all(client)
        _export(one, 5)
        assert one.refused()["malformed"] == 1


def test_a_bomb_in_a_call_is_refused(tmp_path: Path) -> None:
    with attacked(tmp_path, receivers={"otlp": OTLP}) as one:
        options = [("grpc.max_send_message_length", -1)]
        with (
            grpc.insecure_channel(f"127.0.0.1:{one.grpc}", options, compression=grpc.Compression.Gzip) as channel,
            pytest.raises(grpc.RpcError) as refused,
        ):
            channel.unary_unary(_EXPORT)(_logs(64 << 20), timeout=60)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        _export(one, 5)


# Keys.


def test_a_key_without_the_right_is_refused(tmp_path: Path) -> None:
    keys = [key(1, "for-zabbix", protocols=frozenset({"zabbix"})), key(2, "for-all")]
    with attacked(tmp_path, keys) as one:
        assert one.post(b"x", secret="for-zabbix")[0] == 403
        assert one.post(b"x", secret="nobody's")[0] == 401
        assert one.post(b"x")[0] == 401
        assert one.post(b"x", secret="for-all")[0] == 200
        assert one.raw(b"GET /plain/probe HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").endswith(b"here")
        assert one.refused() == {"not_allowed": 1, "bad_key": 1, "no_key": 1}
        assert one.contents() == [b"x"]


def test_a_call_with_a_key_without_the_right_is_refused(tmp_path: Path) -> None:
    keys = [key(1, "for-zabbix", protocols=frozenset({"zabbix"})), key(2, "for-all")]
    with attacked(tmp_path, keys, {"otlp": OTLP}) as one:
        codes = []
        for secret in ("for-zabbix", "nobody's"):
            with pytest.raises(grpc.RpcError) as refused:
                _export(one, 5, authorization=f"Bearer {secret}")
            codes.append(refused.value.code())
        assert codes == [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED]
        _export(one, 5, authorization="Bearer for-all")


def test_a_revoked_key_ends_at_the_next_refresh_also_on_open_connections(tmp_path: Path) -> None:
    import ipaddress

    keys = [key(1, "old"), key(2, "of-this-network", networks=(ipaddress.ip_network("127.0.0.0/8"),))]
    with attacked(tmp_path, keys) as one, one.connect(one.tcp) as line:
        assert one.post(b"x", secret="old")[0] == 200
        line.sendall(b"hello\n")
        assert line.recv(10) == b"5\n"
        one.keys.clear()
        one.keyring.refresh()
        assert one.post(b"x", secret="old")[0] == 401
        line.sendall(b"hello again\n")
        assert read_all(line) == b""
        assert one.contents() == [b"x", b"hello"]


def test_a_flood_from_one_key_does_not_slow_another(tmp_path: Path) -> None:
    keys = [key(1, "flood", records_per_second=100), key(2, "calm")]
    with attacked(tmp_path, keys) as one:
        alone = sorted(_timed(one) for _ in range(20))[10]
        stop = threading.Event()
        answers: dict[int, int] = {}

        def flood() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    status, _body, after = one.post(b"line\n" * 2000, secret="flood")
                    answers[status] = answers.get(status, 0) + 1
                    assert status == 200 or int(after) >= 1

        threads = [threading.Thread(target=flood, daemon=True) for _ in range(4)]
        for thread in threads:
            thread.start()
        under_flood = sorted(_timed(one) for _ in range(30))[15]
        stop.set()
        for thread in threads:
            thread.join(20)
        assert answers[429] > 5
        assert answers.get(200, 0) <= 3
        # All of it shares one interpreter with the flood's four threads; a queue behind the flood would be seconds.
        assert under_flood < alone + 1.0


def _timed(one: Attacked) -> float:
    before = time.monotonic()
    assert one.post(b"calm", secret="calm")[0] == 200
    return time.monotonic() - before


# Connections.


_IDLE_CLIENT = """
import resource, socket, sys
_soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
# Several addresses keep out of the way of the ports that others use.
kept = [
    socket.create_connection(("127.0.0.1", int(sys.argv[1])), 60, source_address=(f"127.0.0.{2 + number % 4}", 0))
    for number in range(10_000)
]
print("connected", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_ten_thousand_idle_connections_leave_the_others_served(tmp_path: Path) -> None:
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert hard >= 16_000, "the test needs a hard limit of 16,000 descriptors (ulimit -Hn)"
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with attacked(tmp_path) as one:
        command = [sys.executable, "-c", _IDLE_CLIENT, str(one.tcp)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as idle:
            assert idle.stdout is not None
            assert idle.stdout.readline() == b"connected\n"
            wait_until(lambda: one._tcp._open >= 10_000, "all connections", 60)
            assert one.post(b"http")[0] == 200
            with one.connect(one.tcp) as line:
                line.sendall(b"and tcp\n")
                assert line.recv(10) == b"7\n"
            assert one.contents() == [b"http", b"and tcp"]
            idle.communicate(timeout=60)
        wait_until(lambda: one._tcp._open == 0, "their end", 60)


def test_more_connections_than_descriptors_allow_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_CONNECTIONS_MAX", 5)
    with attacked(tmp_path) as one, contextlib.ExitStack() as idle:
        for _ in range(5):
            idle.enter_context(one.connect(one.tcp))
        wait_until(lambda: one._tcp._open >= 5, "the connections")
        with one.connect(one.tcp) as refused:
            assert read_all(refused) == b""
        assert one.refused() == {"connections": 1}
        assert one.post(b"x")[0] == 200


def test_a_sender_that_reads_no_answers_is_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "UNREAD_SECONDS", 0.5)
    with attacked(tmp_path) as one, one.connect(one.tcp, seconds=5) as line:
        with contextlib.suppress(OSError):
            line.sendall(b"much\n" * 100)
        wait_until(lambda: one._tcp._open == 0, "its end", 30)
        assert one.post(b"x")[0] == 200


@pytest.mark.slow
def test_a_peer_that_vanished_is_noticed_by_the_kernel(tmp_path: Path) -> None:
    """Half-open: no FIN ever comes. Keep-alive asks, and unread answers have a limit."""
    with attacked(tmp_path) as one, one.connect(one.tcp), one.connect(one.http):
        wait_until(lambda: one._tcp._open == 1, "the connection")
        found = subprocess.run(
            ["ss", "-tnoH", "state", "established"], capture_output=True, text=True, check=True
        ).stdout
        for port in (one.tcp, one.http):
            ours = [line for line in found.splitlines() if f"127.0.0.1:{port} " in line.split("  ", 3)[-1]]
            assert any("keepalive" in line for line in found.splitlines() if f"127.0.0.1:{port}" in line), ours


def test_what_was_acknowledged_when_it_stopped_is_sealed(tmp_path: Path) -> None:
    acknowledged: list[bytes] = []
    with attacked(tmp_path) as one:

        def send() -> None:
            for number in range(10_000):
                body = b"%d of %d" % (number, threading.get_ident())
                try:
                    if one.post(body)[0] != 200:
                        return
                except (OSError, ValueError, IndexError):
                    return
                acknowledged.append(body)

        threads = [threading.Thread(target=send, daemon=True) for _ in range(3)]
        for thread in threads:
            thread.start()
        wait_until(lambda: len(acknowledged) > 30, "some load")
    for thread in threads:
        thread.join(30)
    assert not list(tmp_path.glob("*.open"))
    assert set(acknowledged) <= set(one.contents())
    with pytest.raises(Exception, match="the intake is stopping"):
        one.spool.append([])


def test_datagrams_that_wait_have_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.intake.door import PLAIN, Place

    monkeypatch.setattr(ports, "_DATAGRAMS_MAX_BYTES", 1000)
    with attacked(tmp_path) as one:

        async def burst() -> int:
            port = ports.UdpPort(Place("plain", PLAIN.listeners[0], "127.0.0.1:0"), one.gate, {}, one.states)
            for _ in range(50):
                port.datagram_received(b"x" * 99 + b"\n", ("127.0.0.1", 5))
            assert port._task is not None
            await port._task
            return port._waiting_bytes

        assert asyncio.run(burst()) == 0
        assert one.refused() == {"overflow": 40}
        assert b"\n".join(one.contents()).count(b"x" * 99) == 10


def test_the_spool_has_one_owner(tmp_path: Path) -> None:
    with attacked(tmp_path), pytest.raises(Exception, match="another intake uses the spool"):
        Spool(tmp_path, 1, lambda _: False)
