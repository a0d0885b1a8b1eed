"""What leaves the table or the machine: archived segments, exports, syslog."""

from __future__ import annotations

import csv
import gzip
import io
import json
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.audit.conftest import ALICE
from tests.audit.tampering import drop_guard, sql

from quarterdeck.audit.actions import record
from quarterdeck.audit.checkpoints import checkpoint
from quarterdeck.audit.models import AuditEvent, Forwarding, Segment
from quarterdeck.audit.queries import export_csv, export_jsonl, verify
from quarterdeck.audit.retention import archive_before
from quarterdeck.audit.syslog import forward
from quarterdeck.core.errors import Unavailable

Log = list[AuditEvent]


def later() -> datetime:
    return datetime.now(UTC) + timedelta(seconds=1)


def test_an_archived_segment_leaves_the_rest_verifiable(log: Log, folder: Path) -> None:
    segment = archive_before(later())
    assert segment is not None
    assert not AuditEvent.objects.exists()
    assert verify().ok
    record(ALICE, "inventory.update")
    verdict = verify()
    assert (verdict.ok, verdict.checked, verdict.archives_missing) == (True, 1, ())
    lines = gzip.decompress((folder / "archive" / segment.file_name).read_bytes()).splitlines()
    assert [json.loads(line)["seq"] for line in lines] == [event.seq for event in log]


def test_only_what_is_old_enough_is_archived(log: Log) -> None:
    assert archive_before(datetime.now(UTC) - timedelta(days=1)) is None
    assert AuditEvent.objects.count() == len(log)


def test_nothing_is_archived_that_the_receiver_has_not_got(log: Log) -> None:
    segment = archive_before(later(), last_seq=log[3].seq)
    assert segment is not None
    assert segment.last_seq == log[3].seq
    assert archive_before(later(), last_seq=log[3].seq) is None


def test_a_segment_has_no_holes_when_the_clock_was_set_back(log: Log) -> None:
    drop_guard()
    ahead = int((datetime.now(UTC) + timedelta(days=1)).timestamp() * 1_000_000)
    sql("UPDATE audit_auditevent SET at_us = %s WHERE seq = %s", ahead, log[4].seq)
    segment = archive_before(later())
    assert segment is not None
    assert (segment.first_seq, segment.last_seq) == (log[0].seq, log[3].seq)
    assert AuditEvent.objects.count() == len(log) - 4


def test_an_archive_that_was_moved_away_is_named_but_no_fault(log: Log, folder: Path) -> None:
    segment = archive_before(later())
    assert segment is not None
    (folder / "archive" / segment.file_name).unlink()
    assert (verify().ok, verify().archives_missing) == (True, (segment.file_name,))


def test_an_edited_archive_is_found(log: Log, folder: Path) -> None:
    segment = archive_before(later())
    assert segment is not None
    path = folder / "archive" / segment.file_name
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()).replace(b"alice", b"mally")))
    verdict = verify()
    assert (verdict.ok, verdict.first_bad_seq) == (False, log[0].seq)


@pytest.mark.parametrize("column", ["last_hash", "file_sha256", "signature"])
def test_an_edited_segment_is_found(log: Log, column: str) -> None:
    archive_before(later())
    drop_guard()
    sql(f"UPDATE audit_segment SET {column} = %s", "0" * 64)
    assert not verify().ok


def test_rows_deleted_under_a_made_up_segment_are_found(log: Log) -> None:
    values = (1, log[3].seq, "0" * 64, log[3].hash, "x.jsonl.gz", "0" * 64, datetime.now(UTC), "0" * 64, "0" * 128)
    columns = [field.column for field in Segment._meta.concrete_fields if field.column != "id"]
    sql(f"INSERT INTO audit_segment ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})", *values)
    sql("DELETE FROM audit_auditevent WHERE seq <= %s", log[3].seq)
    assert (verify().ok, verify().first_bad_seq) == (False, 1)


def test_a_checkpoint_is_made_once_per_end(log: Log, folder: Path) -> None:
    assert checkpoint() is not None
    assert checkpoint() is None
    record(ALICE, "inventory.update")
    assert checkpoint() is not None
    assert len((folder / "checkpoints.jsonl").read_text().splitlines()) == 2
    assert (verify().ok, verify().checkpoints) == (True, 4)


def test_it_exports_every_event_as_json(log: Log) -> None:
    rows = [json.loads(line) for line in export_jsonl("object:web*")]
    assert [row["seq"] for row in rows] == [event.seq for event in log]
    assert (rows[0]["before"], rows[0]["after"]) == ({"cpu": 1}, {"cpu": 2})


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_a_spreadsheet_runs_nothing_of_the_export(db: None, start: str) -> None:
    record(ALICE, "inventory.update", ("item", "1", f"{start}cmd|' /C calc'!A0"), f"{start}SUM(A1)", reason=f"{start}1")
    text = b"".join(export_csv()).decode()
    for row in csv.reader(io.StringIO(text, newline="")):
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in row)


@contextmanager
def receiver(context: ssl.SSLContext | None = None) -> Iterator[tuple[int, list[bytes]]]:
    """A syslog receiver on TCP: yield its port and the messages it has got, split by their counted octets."""
    messages: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_receive, args=(listener, context, messages))
        thread.start()
        yield listener.getsockname()[1], messages
        thread.join(10)


def _receive(listener: socket.socket, context: ssl.SSLContext | None, messages: list[bytes]) -> None:
    connection, _address = listener.accept()
    with connection, context.wrap_socket(connection, server_side=True) if context else connection as stream:
        data = b""
        while piece := stream.recv(65536):
            data += piece
    while data:
        length, _space, data = data.partition(b" ")
        messages.append(data[: int(length)])
        data = data[int(length) :]


def is_message_of(message: bytes, event: AuditEvent) -> bool:
    head, _space, body = message.decode().partition("] ")
    return head.startswith("<109>1 ") and f'seq="{event.seq}"' in head and json.loads(body)["hash"] == event.hash


def test_it_forwards_over_tcp_and_goes_on_where_it_stopped(log: Log) -> None:
    with receiver() as (port, messages):
        url = f"tcp://127.0.0.1:{port}"
        assert forward(url) == len(log)
    assert all(is_message_of(message, event) for message, event in zip(messages, log, strict=True))
    assert forward(url) == 0
    newest = record(ALICE, "inventory.update")
    with pytest.raises(Unavailable):
        forward(url)
    assert Forwarding.objects.get().last_error
    with socket.create_server(("127.0.0.1", port)) as listener:
        again: list[bytes] = []
        thread = threading.Thread(target=_receive, args=(listener, None, again))
        thread.start()
        assert forward(url) == 1
        thread.join(10)
    assert is_message_of(again[0], newest)
    assert Forwarding.objects.get().last_error == ""


def test_a_receiver_that_breaks_off_gets_the_batch_again(log: Log) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=_break_off, args=(listener,))
        thread.start()
        url = f"tcp://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(Unavailable):
            forward(url)
        thread.join(10)
        assert Forwarding.objects.get().seq == 0
        again: list[bytes] = []
        thread = threading.Thread(target=_receive, args=(listener, None, again))
        thread.start()
        assert forward(url) == len(log)
        thread.join(10)
    assert is_message_of(again[0], log[0])


def _break_off(listener: socket.socket) -> None:
    """Read a little, then reset the connection."""
    connection, _address = listener.accept()
    connection.recv(10)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def test_it_forwards_over_udp(log: Log) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.settimeout(10)
        assert forward(f"udp://127.0.0.1:{listener.getsockname()[1]}") == len(log)
        assert all(is_message_of(listener.recv(65536), event) for event in log)


def certificate(folder: Path) -> Path:
    """Return a file with a key and a certificate of 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    moment = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.DNSName("localhost")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(moment - timedelta(days=1)).not_valid_after(moment + timedelta(days=1))
    signed = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path = folder / "receiver.pem"
    path.write_bytes(private + signed.public_bytes(serialization.Encoding.PEM))
    return path


def test_it_forwards_over_tls(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    with receiver(context) as (port, messages):
        assert forward(f"tls://localhost:{port}") == len(log)
    assert is_message_of(messages[-1], log[-1])


def test_it_tells_nothing_to_a_receiver_that_nobody_vouches_for(log: Log, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate(tmp_path))
    refused: list[Exception] = []

    def serve(listener: socket.socket) -> None:
        connection, _address = listener.accept()
        with connection:
            try:
                context.wrap_socket(connection, server_side=True).recv(1)
            except OSError as error:
                refused.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        with pytest.raises(Unavailable, match="certificate"):
            forward(f"tls://localhost:{listener.getsockname()[1]}")
        thread.join(10)
    assert len(refused) == 1
